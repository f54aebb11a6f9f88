//! What has to survive the process, as a sequence of changes: the form in which the engine writes them
//! and a store gives them back.
//!
//! A record is a byte that says which, and its fields: numbers little-endian and of fixed width, texts
//! and bytes behind their length. Records stand one behind the other; framing, checksums and the time
//! at which they were written are the store's.

use crate::protocol::{PacketId, QoS, SubscriptionOptions, Version};

/// Milliseconds since the beginning of 1970, UTC.
pub type UnixMillis = u64;

/// Until when a message is worth sending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// When it ends unless it has been sent by then.
    pub give_up: Option<UnixMillis>,
    /// When its Message Expiry Interval is over.
    pub interval_ends: Option<UnixMillis>,
}

/// One change of what has to survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A message of QoS 1 or 2 has been accepted.
    Message {
        /// Its number.
        number: u64,
        /// The version in which its packet is encoded.
        version: Version,
        /// Until when it is worth sending.
        expiry: Expiry,
        /// The whole PUBLISH, with a packet id of any value.
        packet: &'a [u8],
    },
    /// It has been given a packet id, under which it may have been sent.
    Launched {
        /// The message.
        number: u64,
        /// Its packet id.
        packet_id: PacketId,
    },
    /// The broker has taken it (PUBREC): it must not be sent again, only its release.
    Released {
        /// The message.
        number: u64,
    },
    /// It has ended.
    Ended {
        /// The message.
        number: u64,
    },
    /// A message of QoS 2 was given up under this id, for which the broker may still wait.
    Retired {
        /// The packet id.
        packet_id: PacketId,
    },
    /// A retired id may be used again.
    Freed {
        /// The packet id.
        packet_id: PacketId,
    },
    /// A received message of QoS 2 goes to its handler.
    Delivering {
        /// Its packet id.
        packet_id: PacketId,
    },
    /// It has been handled: it is not given to a handler again.
    Handled {
        /// Its packet id.
        packet_id: PacketId,
    },
    /// The broker has released it, or it was refused: its id may stand for another message.
    Forgotten {
        /// Its packet id.
        packet_id: PacketId,
    },
    /// The broker has granted a subscription.
    Granted {
        /// The filter.
        filter: &'a str,
        /// What was asked for.
        options: SubscriptionOptions,
        /// The subscription identifier under which the broker knows it.
        identifier: Option<u32>,
        /// What was granted.
        qos: QoS,
    },
    /// The broker does not have the subscription any more, or is about to be told so.
    Ungranted {
        /// The filter.
        filter: &'a str,
    },
    /// The broker has lost the session: packet ids, received messages and grants mean nothing now.
    SessionLost,
    /// No number up to this one is given again.
    Numbered {
        /// The number.
        last: u64,
    },
    /// The machine may have gone down: records that come before this may be missing.
    Doubtful,
}

/// A record of a kind that this version of the library does not know, or one that is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record that cannot be read")]
pub struct Unreadable;

const MESSAGE: u8 = 1;
const LAUNCHED: u8 = 2;
const RELEASED: u8 = 3;
const ENDED: u8 = 4;
const RETIRED: u8 = 5;
const FREED: u8 = 6;
const DELIVERING: u8 = 7;
const HANDLED: u8 = 8;
const FORGOTTEN: u8 = 9;
const GRANTED: u8 = 10;
const UNGRANTED: u8 = 11;
const SESSION_LOST: u8 = 12;
const NUMBERED: u8 = 13;
const DOUBTFUL: u8 = 14;

impl<'a> Record<'a> {
    /// Appends it.
    pub fn encode(&self, to: &mut Vec<u8>) {
        match *self {
            Self::Message { number, version, expiry, packet } => {
                encode_message(number, version, expiry, packet.len(), to);
                to.extend_from_slice(packet);
            }
            Self::Launched { number, packet_id } => {
                to.push(LAUNCHED);
                to.extend_from_slice(&number.to_le_bytes());
                to.extend_from_slice(&packet_id.get().to_le_bytes());
            }
            Self::Released { number } => numbered(RELEASED, number, to),
            Self::Ended { number } => numbered(ENDED, number, to),
            Self::Retired { packet_id } => identified(RETIRED, packet_id, to),
            Self::Freed { packet_id } => identified(FREED, packet_id, to),
            Self::Delivering { packet_id } => identified(DELIVERING, packet_id, to),
            Self::Handled { packet_id } => identified(HANDLED, packet_id, to),
            Self::Forgotten { packet_id } => identified(FORGOTTEN, packet_id, to),
            Self::Granted { filter, options, identifier, qos } => {
                to.extend_from_slice(&[GRANTED, options.to_byte(), qos as u8]);
                // 0 is no subscription identifier (section 3.8.2.1.2).
                to.extend_from_slice(&identifier.unwrap_or(0).to_le_bytes());
                text(filter, to);
            }
            Self::Ungranted { filter } => {
                to.push(UNGRANTED);
                text(filter, to);
            }
            Self::SessionLost => to.push(SESSION_LOST),
            Self::Numbered { last } => numbered(NUMBERED, last, to),
            Self::Doubtful => to.push(DOUBTFUL),
        }
    }

    /// Takes the first record off these bytes.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn decode(from: &mut &'a [u8]) -> Result<Self, Unreadable> {
        let mut fields = Fields(from);
        let record = match fields.byte()? {
            MESSAGE => {
                let version = Version::from_level(fields.byte()?).ok_or(Unreadable)?;
                let number = fields.number()?;
                let [give_up, interval_ends] = [fields.number()?, fields.number()?].map(time);
                let length = u32::from_le_bytes(fields.array()?) as usize;
                let packet = fields.take(length)?;
                Self::Message { number, version, expiry: Expiry { give_up, interval_ends }, packet }
            }
            LAUNCHED => Self::Launched { number: fields.number()?, packet_id: fields.id()? },
            RELEASED => Self::Released { number: fields.number()? },
            ENDED => Self::Ended { number: fields.number()? },
            RETIRED => Self::Retired { packet_id: fields.id()? },
            FREED => Self::Freed { packet_id: fields.id()? },
            DELIVERING => Self::Delivering { packet_id: fields.id()? },
            HANDLED => Self::Handled { packet_id: fields.id()? },
            FORGOTTEN => Self::Forgotten { packet_id: fields.id()? },
            GRANTED => {
                let options = SubscriptionOptions::from_byte(fields.byte()?).ok_or(Unreadable)?;
                let qos = QoS::from_u8(fields.byte()?).ok_or(Unreadable)?;
                let identifier = u32::from_le_bytes(fields.array()?);
                let identifier = (identifier > 0).then_some(identifier);
                Self::Granted { filter: fields.text()?, options, identifier, qos }
            }
            UNGRANTED => Self::Ungranted { filter: fields.text()? },
            SESSION_LOST => Self::SessionLost,
            NUMBERED => Self::Numbered { last: fields.number()? },
            DOUBTFUL => Self::Doubtful,
            _ => return Err(Unreadable),
        };
        *from = fields.0;
        Ok(record)
    }

    /// The records in these bytes; the first that cannot be read is the last.
    pub fn all(mut from: &'a [u8]) -> impl Iterator<Item = Result<Self, Unreadable>> {
        std::iter::from_fn(move || {
            if from.is_empty() {
                return None;
            }
            let record = Self::decode(&mut from);
            if record.is_err() {
                from = &[];
            }
            Some(record)
        })
    }
}

/// Everything of a message's record but its packet, which has this length and follows.
pub(super) fn encode_message(
    number: u64,
    version: Version,
    expiry: Expiry,
    length: usize,
    to: &mut Vec<u8>,
) {
    to.extend_from_slice(&[MESSAGE, version.level()]);
    to.extend_from_slice(&number.to_le_bytes());
    for at in [expiry.give_up, expiry.interval_ends] {
        to.extend_from_slice(&at.map_or(0, |at| at.max(1)).to_le_bytes());
    }
    let length = u32::try_from(length).expect("a packet has at most 268,435,460 bytes");
    to.extend_from_slice(&length.to_le_bytes());
}

fn numbered(kind: u8, number: u64, to: &mut Vec<u8>) {
    to.push(kind);
    to.extend_from_slice(&number.to_le_bytes());
}

fn identified(kind: u8, packet_id: PacketId, to: &mut Vec<u8>) {
    to.push(kind);
    to.extend_from_slice(&packet_id.get().to_le_bytes());
}

fn text(text: &str, to: &mut Vec<u8>) {
    let length = u16::try_from(text.len()).expect("a filter has at most 65,535 bytes");
    to.extend_from_slice(&length.to_le_bytes());
    to.extend_from_slice(text.as_bytes());
}

fn time(at: u64) -> Option<UnixMillis> {
    (at > 0).then_some(at)
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        Ok(self.take(N)?.try_into().expect("so many were taken"))
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u64, Unreadable> {
        self.array().map(u64::from_le_bytes)
    }

    fn id(&mut self) -> Result<PacketId, Unreadable> {
        PacketId::new(u16::from_le_bytes(self.array()?)).ok_or(Unreadable)
    }

    fn text(&mut self) -> Result<&'a str, Unreadable> {
        let length = u16::from_le_bytes(self.array()?);
        std::str::from_utf8(self.take(length.into())?).map_err(|_| Unreadable)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn id(value: u16) -> PacketId {
        PacketId::new(value).unwrap()
    }

    pub(crate) fn every_kind() -> Vec<Record<'static>> {
        let packet = b"\x32\x06\x00\x01t\x00\x01p";
        vec![
            Record::Message {
                number: 7,
                version: Version::V311,
                expiry: Expiry { give_up: Some(5), interval_ends: None },
                packet,
            },
            Record::Launched { number: 7, packet_id: id(300) },
            Record::Released { number: 7 },
            Record::Ended { number: 7 },
            Record::Retired { packet_id: id(300) },
            Record::Freed { packet_id: id(300) },
            Record::Delivering { packet_id: id(65_535) },
            Record::Handled { packet_id: id(65_535) },
            Record::Forgotten { packet_id: id(65_535) },
            Record::Granted {
                filter: "a/#",
                options: SubscriptionOptions { qos: QoS::ExactlyOnce, ..Default::default() },
                identifier: Some(9),
                qos: QoS::AtLeastOnce,
            },
            Record::Ungranted { filter: "a/#" },
            Record::Doubtful,
            Record::SessionLost,
            Record::Numbered { last: 12 },
        ]
    }

    #[test]
    fn every_record_comes_back_as_it_was_and_none_when_it_is_cut_off() {
        let mut all = Vec::new();
        for record in every_kind() {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            for length in 0..bytes.len() {
                assert_eq!(Record::decode(&mut &bytes[..length]), Err(Unreadable), "{record:?}");
            }
            all.extend_from_slice(&bytes);
        }
        let read: Vec<_> = Record::all(&all).collect::<Result<_, _>>().unwrap();
        assert_eq!(read, every_kind());
    }
}
