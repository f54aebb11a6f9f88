//! What the records of a store come to.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::record::{Expiry, Record, UnixMillis};
use crate::protocol::{PacketId, QoS, SubscriptionOptions, Version};

/// Everything that survived: what the records of a store come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The highest message number that has been given.
    pub last_number: u64,
    /// The messages that have not ended, by number.
    pub messages: BTreeMap<u64, RecoveredMessage>,
    /// How many messages have been released so far, which orders them.
    pub releases: u64,
    /// Packet ids that are retired, the oldest first.
    pub retired: Vec<PacketId>,
    /// The received messages of QoS 2 that the broker has not released.
    pub received: BTreeMap<PacketId, Receiving>,
    /// What the broker has granted, by filter.
    pub granted: BTreeMap<String, Grant>,
    /// The machine may have gone down after a record had been written and before it was synced: what
    /// was received may miss its record. A store remembers it over further processes until the
    /// broker's session is lost.
    pub doubtful: bool,
}

/// A message that had not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredMessage {
    /// When it was accepted.
    pub accepted: UnixMillis,
    /// The version in which its packet is encoded.
    pub version: Version,
    /// Until when it is worth sending.
    pub expiry: Expiry,
    /// The whole PUBLISH, with a packet id of any value.
    pub packet: Bytes,
    /// Under which it may have been sent.
    pub packet_id: Option<PacketId>,
    /// The broker has taken it; its place in the order of the releases.
    pub released: Option<u64>,
}

/// How far a received message of QoS 2 has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiving {
    /// A handler was called with it, and has not returned.
    Delivering,
    /// It has been handled.
    Handled,
}

/// A subscription that the broker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What was asked for.
    pub options: SubscriptionOptions,
    /// Under which the broker knows it.
    pub identifier: Option<u32>,
    /// What was granted.
    pub qos: QoS,
}

impl Recovered {
    /// Adds a record that was written at that time. What it says of a message that is not here has
    /// been overtaken.
    pub fn apply(&mut self, record: &Record<'_>, at: UnixMillis) {
        match *record {
            Record::Message { number, version, expiry, packet } => {
                self.last_number = self.last_number.max(number);
                let message = RecoveredMessage {
                    accepted: at,
                    version,
                    expiry,
                    packet: Bytes::copy_from_slice(packet),
                    packet_id: None,
                    released: None,
                };
                self.messages.insert(number, message);
            }
            Record::Launched { number, packet_id } => {
                if let Some(message) = self.messages.get_mut(&number) {
                    message.packet_id = Some(packet_id);
                }
            }
            Record::Released { number } => {
                if let Some(message) = self.messages.get_mut(&number) {
                    message.released = Some(self.releases);
                    self.releases += 1;
                }
            }
            Record::Ended { number } => drop(self.messages.remove(&number)),
            Record::Retired { packet_id } => self.retired.push(packet_id),
            Record::Freed { packet_id } => self.retired.retain(|retired| *retired != packet_id),
            Record::Delivering { packet_id } => {
                self.received.insert(packet_id, Receiving::Delivering);
            }
            Record::Handled { packet_id } => {
                self.received.insert(packet_id, Receiving::Handled);
            }
            Record::Forgotten { packet_id } => drop(self.received.remove(&packet_id)),
            Record::Granted { filter, options, identifier, qos } => {
                self.granted.insert(filter.to_owned(), Grant { options, identifier, qos });
            }
            Record::Ungranted { filter } => drop(self.granted.remove(filter)),
            Record::SessionLost => {
                for message in self.messages.values_mut() {
                    (message.packet_id, message.released) = (None, None);
                }
                self.retired.clear();
                self.received.clear();
                self.granted.clear();
                self.doubtful = false;
            }
            Record::Numbered { last } => self.last_number = self.last_number.max(last),
            Record::Doubtful => self.doubtful = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::record::tests::every_kind;

    #[test]
    fn what_has_come_to_an_end_leaves_only_its_number() {
        let mut recovered = Recovered::default();
        every_kind().iter().for_each(|record| recovered.apply(record, 1));
        let expected = Recovered { last_number: 12, releases: 1, ..Recovered::default() };
        assert_eq!(recovered, expected);
    }
}
