//! A message to publish, and the encoded form in which it is kept until it has ended.

use bytes::Bytes;

use super::{Completion, Output, output::LARGE_PAYLOAD, refusal::unsendable, server::ServerLimits};
use crate::{
    error::{Code, Error, Result},
    protocol::{PacketId, Properties, PropertyIdentifier, Publish, QoS, Version},
};

/// A PUBLISH with DUP set differs from the first one in this bit of the first byte.
const DUP: u8 = 0x08;

/// The bytes of a message.
#[derive(Debug)]
pub enum Payload<'a> {
    /// Copied during the call.
    Borrowed(&'a [u8]),
    /// Shared; a large one is never copied.
    Shared(Bytes),
}

impl Payload<'_> {
    /// Its bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    /// The same payload once more, without a copy.
    #[inline]
    pub fn share(&self) -> Payload<'_> {
        match self {
            Self::Borrowed(bytes) => Payload::Borrowed(bytes),
            Self::Shared(bytes) => Payload::Shared(bytes.clone()),
        }
    }

    /// Its bytes to keep.
    pub(super) fn into_shared(self) -> Bytes {
        match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Self::Shared(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Borrowed(bytes)
    }
}

impl<'a> From<&'a str> for Payload<'a> {
    fn from(text: &'a str) -> Self {
        Self::Borrowed(text.as_bytes())
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Borrowed(bytes)
    }
}

impl From<Bytes> for Payload<'_> {
    fn from(bytes: Bytes) -> Self {
        Self::Shared(bytes)
    }
}

impl From<Vec<u8>> for Payload<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Shared(bytes.into())
    }
}

/// A message to publish. Its topic has been checked.
pub struct Publication<'a> {
    /// A legal topic name.
    pub topic: &'a str,
    /// The payload.
    pub payload: Payload<'a>,
    /// The quality of service.
    pub qos: QoS,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
    /// Properties (MQTT 5.0; empty before).
    pub properties: Properties<'a>,
}

impl Publication<'_> {
    /// The packet, with a packet id of any value from QoS 1 on.
    fn packet(&self) -> Publish<'_> {
        Publish {
            duplicate: false,
            qos: self.qos,
            retain: self.retain,
            topic: self.topic,
            packet_id: (self.qos != QoS::AtMostOnce).then_some(PacketId::MIN),
            properties: self.properties,
            payload: self.payload.as_slice(),
        }
    }

    /// Whether a client may send this at all.
    #[inline]
    fn check(&self) -> Result<()> {
        // [MQTT-3.3.4-6]
        if !self.properties.is_empty()
            && self.properties.contains(PropertyIdentifier::SubscriptionIdentifier)
        {
            return Err(Error::new(
                Code::InvalidArgument,
                "Subscription identifiers are for the broker to send with a message",
            ));
        }
        Ok(())
    }

    /// Encodes a message of QoS 0 straight into the output, if this broker takes it.
    #[inline]
    pub(super) fn write(
        self,
        version: Version,
        server: &ServerLimits,
        output: &mut Output,
    ) -> Result<()> {
        self.check()?;
        let length = self.payload.as_slice().len();
        let buffer = output.buffer();
        let start = buffer.len();
        let (encoded, beside) = match length < LARGE_PAYLOAD {
            true => (self.packet().encode(version, buffer), 0),
            false => (self.packet().encode_head(version, length, buffer).map(drop), length),
        };
        encoded.map_err(too_large)?;
        let size = buffer.len() - start + beside;
        if let Err(error) = server.allow(self.qos, self.retain, size, alias(self.properties)) {
            buffer.truncate(start);
            return Err(error);
        }
        if beside > 0 {
            output.push_large(self.payload.into_shared());
        }
        Ok(())
    }
}

/// A message kept until it has ended: the encoded packet with the places to patch.
pub(super) struct Stored {
    pub(super) number: u64,
    pub(super) qos: QoS,
    pub(super) completion: Option<Completion>,
    packet: Box<[u8]>,
    large: Bytes,
    packet_id_at: u32,
    topic_at: u8,
    topic_length: u16,
    topic_alias: u16,
}

impl Stored {
    pub(super) fn new(
        number: u64,
        version: Version,
        publication: Publication<'_>,
    ) -> Result<Self, Error> {
        publication.check()?;
        let length = publication.payload.as_slice().len();
        let beside = length >= LARGE_PAYLOAD;
        let whole = publication.packet();
        // Header, lengths and packet id take at most 15 bytes.
        let mut packet = Vec::with_capacity(
            15 + whole.topic.len()
                + whole.properties.as_bytes().len()
                + if beside { 0 } else { length },
        );
        let head = whole.encode_head(version, length, &mut packet).map_err(too_large)?;
        if !beside {
            packet.extend_from_slice(whole.payload);
        }
        let lengths =
            packet[1..].iter().position(|byte| byte & 0x80 == 0).expect("a length ends") + 1;
        Ok(Self {
            number,
            qos: publication.qos,
            completion: None,
            packet: packet.into(),
            packet_id_at: head.packet_id_at.unwrap_or(0) as u32,
            topic_at: (1 + lengths + 2) as u8,
            topic_length: publication.topic.len() as u16,
            topic_alias: alias(publication.properties),
            large: match beside {
                true => publication.payload.into_shared(),
                false => Bytes::new(),
            },
        })
    }

    /// The bytes that it takes.
    pub(super) fn weight(&self) -> usize {
        self.packet.len() + self.large.len()
    }

    pub(super) fn topic(&self) -> &[u8] {
        let from = usize::from(self.topic_at);
        &self.packet[from..from + usize::from(self.topic_length)]
    }

    /// Whether this broker takes it.
    pub(super) fn check(&self, server: &ServerLimits) -> Result<()> {
        let retain = self.packet[0] & 1 == 1;
        server.allow(self.qos, retain, self.weight(), self.topic_alias)
    }

    /// Frees the message itself; its number and its completion stay.
    pub(super) fn release(&mut self) {
        self.packet = Box::default();
        self.large = Bytes::new();
    }

    pub(super) fn write(&self, packet_id: Option<PacketId>, again: bool, output: &mut Output) {
        let buffer = output.buffer();
        let start = buffer.len();
        buffer.extend_from_slice(&self.packet);
        if let Some(id) = packet_id {
            let at = start + self.packet_id_at as usize;
            buffer[at..at + 2].copy_from_slice(&id.get().to_be_bytes());
        }
        // [MQTT-3.3.1-1]
        if again {
            buffer[start] |= DUP;
        }
        if !self.large.is_empty() {
            output.push_large(self.large.clone());
        }
    }
}

/// 0 without an alias.
#[inline]
fn alias(properties: Properties<'_>) -> u16 {
    if properties.is_empty() { 0 } else { properties.topic_alias().unwrap_or(0) }
}

fn too_large(error: crate::protocol::EncodeError) -> Error {
    unsendable("The message", error)
}
