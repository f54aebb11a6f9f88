//! The encoded form in which a message is kept until it has ended.

use std::time::Instant;

use bytes::Bytes;

use super::{
    Payload, Publication, RecoveredMessage,
    flight::Wire,
    journal::{Journal, WallClock},
    lifetime::Deadlines,
    outgoing_alias::Spelling,
    output::LARGE_PAYLOAD,
    publication::{self, OVERHEAD, unsendable_message},
    record::{Expiry, encode_message},
    server::ServerLimits,
};
use crate::{
    error::{Code, Error, Result},
    protocol::{
        Cut, PacketId, PacketType, Properties, Publish, QoS, Version, cut, encode_again_aliased,
    },
    seldom::Seldom,
};

/// A PUBLISH with DUP set differs from the first one in this bit of the first byte.
const DUP: u8 = 0x08;

/// A larger buffer goes back to the allocator with its message, so that a few large messages leave
/// nothing behind; the others are used again.
const LARGEST_SPARE: usize = 512;

/// An encoded PUBLISH, with the places to patch.
#[derive(Default)]
pub(super) struct Encoded {
    packet: Vec<u8>,
    beside: Seldom<Beside>,
    /// The packet id, where there is one, stands right behind the topic.
    topic_at: u8,
    topic_length: u16,
}

/// What few messages have.
#[derive(Default)]
struct Beside {
    /// A large payload, which is not copied into the packet.
    large: Bytes,
    /// Of a message with a lifetime.
    deadlines: Option<Deadlines>,
    /// The program's own; 0 without one.
    topic_alias: u16,
}

impl Encoded {
    /// `packet` is an empty buffer.
    pub(super) fn new(
        version: Version,
        publication: &Publication<'_>,
        mut packet: Vec<u8>,
    ) -> Result<Self, Error> {
        let length = publication.payload.as_slice().len();
        let beside = length >= LARGE_PAYLOAD;
        let properties = publication.properties;
        let whole = publication.packet();
        let head = match beside {
            true => whole.encode_head(version, length, &mut packet),
            false => whole.encode_checked(version, &mut packet),
        };
        head.map_err(unsendable_message)?;
        let lengths =
            packet[1..].iter().position(|byte| byte & 0x80 == 0).expect("a length ends") + 1;
        let mut encoded = Self {
            packet,
            topic_at: (1 + lengths + 2) as u8,
            topic_length: publication.topic.len() as u16,
            beside: Seldom::default(),
        };
        if beside {
            encoded.beside.make().large = publication.payload.to_shared();
        }
        if let Some(lifetime) = publication.lifetime {
            let behind = if beside { 0 } else { length };
            let deadlines = Deadlines::new(lifetime, interval(properties, behind));
            encoded.beside.make().deadlines = Some(deadlines);
        }
        let alias = publication::alias(properties);
        if alias != 0 {
            encoded.beside.make().topic_alias = alias;
        }
        Ok(encoded)
    }

    /// One that comes from a store, encoded for the version of this session: properties do not survive
    /// a version that has none.
    pub(super) fn recover(
        number: u64,
        version: Version,
        message: &RecoveredMessage,
        clock: WallClock,
    ) -> Result<(Self, QoS), Error> {
        let stored = decode(message).ok_or_else(|| {
            let sentence = format!("The store's message {number} is damaged");
            Error::new(Code::StoreCorrupt, sentence)
        })?;
        let properties = if version.is_v5() { stored.properties } else { Properties::EMPTY };
        let publication = Publication {
            topic: stored.topic,
            payload: Payload::Shared(message.packet.slice_ref(stored.payload)),
            qos: stored.qos,
            retain: stored.retain,
            properties,
            lifetime: None,
        };
        let mut encoded = Self::new(version, &publication, Vec::new())?;
        let behind = if encoded.large().is_none() { stored.payload.len() } else { 0 };
        let interval = interval(properties, behind);
        let sent = message.packet_id.is_some();
        if let Some(deadlines) = Deadlines::recover(message.expiry, sent, interval, clock) {
            encoded.beside.make().deadlines = Some(deadlines);
        }
        Ok((encoded, stored.qos))
    }

    /// Appends its record, where there is a store; `version` is the one in which it is encoded.
    pub(super) fn record(&self, number: u64, version: Version, journal: &mut Journal) {
        let expiry = self.deadlines().zip(journal.clock());
        let expiry = expiry.map_or(Expiry::default(), |(of, clock)| of.expiry(clock));
        let Some(records) = journal.message(number) else { return };
        encode_message(number, version, expiry, self.weight(), records.buffer());
        records.buffer().extend_from_slice(&self.packet);
        if let Some(large) = self.large() {
            records.push_large(large.clone());
        }
    }

    /// The bytes that it takes.
    pub(super) fn weight(&self) -> usize {
        self.packet.len() + self.large().map_or(0, Bytes::len)
    }

    /// The payload that is not in the packet.
    fn large(&self) -> Option<&Bytes> {
        self.beside.get().map(|beside| &beside.large).filter(|large| !large.is_empty())
    }

    fn deadlines(&self) -> Option<&Deadlines> {
        self.beside.get()?.deadlines.as_ref()
    }

    fn topic_alias(&self) -> u16 {
        self.beside.get().map_or(0, |beside| beside.topic_alias)
    }

    fn qos(&self) -> QoS {
        match self.packet[0] >> 1 & 3 {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }
    }

    fn packet_id_at(&self) -> usize {
        usize::from(self.topic_at) + usize::from(self.topic_length)
    }

    pub(super) fn topic(&self) -> &[u8] {
        let from = usize::from(self.topic_at);
        &self.packet[from..from + usize::from(self.topic_length)]
    }

    /// When it ends unless it has been sent by then.
    pub(super) fn gives_up_at(&self) -> Option<Instant> {
        self.deadlines()?.give_up
    }

    /// Whether it takes a clock to send it.
    pub(super) fn has_lifetime(&self) -> bool {
        self.deadlines().is_some()
    }

    /// Whether this broker takes it. With its topic, whatever alias may stand for that: it may have
    /// to be sent again on another connection.
    pub(super) fn check(&self, server: &ServerLimits) -> Result<()> {
        let retain = self.packet[0] & 1 == 1;
        server.allow(self.qos(), retain, self.weight(), self.topic_alias())
    }

    /// Whether more than a small buffer is left of it when it has ended.
    pub(super) fn is_worth_freeing(&self) -> bool {
        self.packet.capacity() > LARGEST_SPARE || self.beside.get().is_some()
    }

    /// Gives the message up; what is left is the empty buffer it was in.
    pub(super) fn into_buffer(mut self) -> Vec<u8> {
        self.packet.clear();
        self.packet
    }

    /// Writes it for the first time on its way to this broker, which takes it; the answer is how many
    /// bytes that were. From now on it does not expire here any more.
    pub(super) fn write(&mut self, packet_id: Option<PacketId>, wire: &mut Wire<'_>) -> usize {
        let fits = OVERHEAD + self.weight() <= wire.server.maximum_packet_size;
        let spelling = match self.topic_alias() == 0 && fits {
            true => wire.aliases.spell(self.topic()),
            false => Spelling::Plain,
        };
        if let Some(Beside { deadlines: Some(deadlines), .. }) = self.beside.get_mut() {
            deadlines.give_up = None;
        }
        let written = self.encode(spelling, packet_id, wire);
        match spelling {
            Spelling::Introduced(alias) => wire.aliases.set(alias, self.topic()),
            Spelling::Plain => wire.aliases.set(self.topic_alias(), self.topic()),
            Spelling::Abbreviated(_) => {}
        }
        written
    }

    /// Writes it once more, with DUP [MQTT-3.3.1-1] and with its topic: the aliases of the connection
    /// on which it was sent before are gone [MQTT-3.3.2-7].
    pub(super) fn write_again(&self, packet_id: PacketId, wire: &mut Wire<'_>) {
        let start = wire.output.buffer().len();
        self.encode(Spelling::Plain, Some(packet_id), wire);
        wire.output.buffer()[start] |= DUP;
        wire.aliases.set(self.topic_alias(), self.topic());
    }

    fn encode(
        &self,
        spelling: Spelling,
        packet_id: Option<PacketId>,
        wire: &mut Wire<'_>,
    ) -> usize {
        let buffer = wire.output.buffer();
        let start = buffer.len();
        let packet_id_at = match spelling {
            Spelling::Plain => {
                buffer.extend_from_slice(&self.packet);
                packet_id.map(|_| self.packet_id_at())
            }
            Spelling::Introduced(alias) | Spelling::Abbreviated(alias) => {
                let abbreviated = matches!(spelling, Spelling::Abbreviated(_));
                let beside = self.large().map_or(0, Bytes::len);
                encode_again_aliased(&self.packet, beside, alias, abbreviated, buffer)
            }
        };
        if let (Some(id), Some(at)) = (packet_id, packet_id_at) {
            let at = start + at;
            buffer[at..at + 2].copy_from_slice(&id.get().to_be_bytes());
        }
        if let (Some(deadlines), Some(now)) = (self.deadlines(), wire.now) {
            deadlines.patch(buffer, now);
        }
        let length = buffer.len() - start;
        let Some(large) = self.large() else { return length };
        wire.output.push_large(large.clone());
        length + large.len()
    }
}

/// The seconds of the Message Expiry Interval, and where they stand: counted from the end of a packet
/// that has so many bytes behind its properties.
fn interval(properties: Properties<'_>, behind: usize) -> Option<(u32, usize)> {
    let seconds = properties.message_expiry_interval()?;
    let at = properties.message_expiry_interval_at()?;
    Some((seconds, properties.as_bytes().len() - at + behind))
}

/// The packet of a message that comes from a store.
fn decode(message: &RecoveredMessage) -> Option<Publish<'_>> {
    match cut(&message.packet, u32::MAX) {
        Ok(Cut::Whole { frame, length })
            if length == message.packet.len() && frame.packet_type() == Ok(PacketType::Publish) =>
        {
            let publish = Publish::decode(frame, message.version).ok()?;
            publish.packet_id.is_some().then_some(publish)
        }
        _ => None,
    }
}
