//! What can be told of a PUBLISH of which only the beginning is there, or which breaks the rules.

use std::{hash::Hasher, ops::Range};

use super::{
    Frame, PacketId, PacketType, Property, QoS, Version,
    wire::{Reader, read_variable},
};

/// The most bytes of properties that are looked at: a broker puts a topic alias, which is what is
/// looked for, among few others.
const PROPERTIES: usize = 64 << 10;

/// A PUBLISH read leniently: what has not come, or cannot be right, is absent.
#[derive(Clone, Debug)]
pub struct Glimpse<'a> {
    /// The quality of service.
    pub qos: QoS,
    /// Whether it may have been sent before.
    pub duplicate: bool,
    /// The bytes of the topic, unchecked.
    pub topic: Option<&'a [u8]>,
    /// The packet identifier of a message of QoS 1 or 2.
    pub packet_id: Option<PacketId>,
    /// The topic alias.
    pub topic_alias: Option<u16>,
    first: u8,
    /// What stands behind topic and packet identifier.
    rest: &'a [u8],
    /// Where the message expiry interval stands in `rest`.
    expiry: Range<usize>,
}

impl<'a> Glimpse<'a> {
    /// How many bytes of the body of a PUBLISH have to be there until a glimpse sees all that it can
    /// see; more than `body` has means that it takes at least these many. It may be more than the
    /// whole packet has, where that breaks the rules.
    pub fn needs(first: u8, body: &[u8], version: Version) -> usize {
        let Some(&length) = body.first_chunk() else { return 2 };
        let id = if qos(first) == QoS::AtMostOnce { 0 } else { 2 };
        let head = 2 + usize::from(u16::from_be_bytes(length)) + id;
        if !version.is_v5() {
            return head;
        }
        match read_variable(body.get(head..).unwrap_or_default()) {
            Ok(Some((length, digits))) => head + digits + PROPERTIES.min(length as usize),
            Ok(None) => body.len().max(head) + 1,
            Err(_) => head,
        }
    }

    /// Looks at what there is of a PUBLISH.
    pub fn new(frame: Frame<'a>, version: Version) -> Self {
        let first = frame.first;
        let mut reader = Reader::new(PacketType::Publish, frame.body);
        let mut glimpse = Self {
            qos: qos(first),
            duplicate: first & DUP != 0,
            topic: reader.binary().ok(),
            packet_id: None,
            topic_alias: None,
            first,
            rest: frame.body,
            expiry: 0..0,
        };
        if glimpse.topic.is_none() {
            return glimpse;
        }
        if glimpse.qos != QoS::AtMostOnce {
            glimpse.packet_id = reader.packet_id().ok();
        }
        glimpse.rest = reader.rest();
        if version.is_v5() {
            glimpse.look_at_properties();
        }
        glimpse
    }

    fn look_at_properties(&mut self) {
        let Ok(Some((length, digits))) = read_variable(self.rest) else { return };
        let end = self.rest.len().min(digits + PROPERTIES.min(length as usize));
        let mut reader = Reader::new(PacketType::Publish, &self.rest[digits..end]);
        while let Ok(property) = Property::read(&mut reader) {
            match property {
                Property::TopicAlias(alias) => self.topic_alias = Some(alias),
                Property::MessageExpiryInterval(_) => {
                    let behind = end - reader.remaining();
                    self.expiry = behind - size_of::<u32>()..behind;
                }
                _ => {}
            }
        }
    }

    /// Hashes what stays the same when the broker sends the message again: all but DUP, the packet
    /// identifier and the message expiry interval, which counts down.
    pub fn hash_into(&self, hasher: &mut impl Hasher) {
        hasher.write_u8(self.first & !DUP);
        hasher.write(self.topic.unwrap_or_default());
        hasher.write(&self.rest[..self.expiry.start]);
        hasher.write(&self.rest[self.expiry.end..]);
    }
}

const DUP: u8 = 0b1000;

fn qos(first: u8) -> QoS {
    QoS::from_u8(first >> 1 & 0b11).unwrap_or_default()
}
