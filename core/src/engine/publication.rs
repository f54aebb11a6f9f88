//! A message to publish.

use bytes::Bytes;

use super::{
    Lifetime, Output,
    outgoing_alias::{OutgoingAliases, Spelling},
    output::LARGE_PAYLOAD,
    refusal::unsendable,
    server::ServerLimits,
};
use crate::{
    error::{self, Code, Error},
    protocol::{EncodeError, PacketId, Properties, PropertyIdentifier, Publish, QoS, Version},
};

/// The most bytes that a PUBLISH takes beside topic, properties and payload: fixed header, lengths,
/// packet id and a topic alias.
pub(super) const OVERHEAD: usize = 5 + 2 + 2 + 4 + 3;

/// The bytes of a message.
#[derive(Debug)]
pub enum Payload<'a> {
    /// Copied during the call.
    Borrowed(&'a [u8]),
    /// Shared; a large one is never copied. What owns the bytes (`Bytes::from_owner`) is dropped wherever
    /// their last reference ends, under a lock of the session's too, and may do no more there than free
    /// its memory. A client's `publish_lent` takes owners that do.
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
    pub(super) fn to_shared(&self) -> Bytes {
        match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Self::Shared(bytes) => bytes.clone(),
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
    /// Where the message must not wait for ever: how long. A Message Expiry Interval needs it, too.
    pub lifetime: Option<Lifetime>,
}

impl Publication<'_> {
    /// The packet, with a packet id of any value from QoS 1 on.
    #[inline]
    pub(super) fn packet(&self) -> Publish<'_> {
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

    /// Whether a client may send this at all [MQTT-3.3.4-6].
    #[inline]
    pub(super) fn check(&self) -> error::Result<()> {
        let given = &self.properties;
        if given.is_empty() || !given.contains(PropertyIdentifier::SubscriptionIdentifier) {
            return Ok(());
        }
        Err(Error::new(
            Code::InvalidArgument,
            "The message cannot be sent: the property Subscription Identifier belongs to a \
             subscribe, and only brokers add it to messages",
        ))
    }

    /// Encodes a message of QoS 0 straight into the output, if this broker takes it; the answer is
    /// how many bytes that were.
    #[inline]
    pub(super) fn write(
        &self,
        version: Version,
        server: &ServerLimits,
        aliases: &mut OutgoingAliases,
        output: &mut Output,
    ) -> error::Result<usize> {
        let length = self.payload.as_slice().len();
        let small = length < LARGE_PAYLOAD;
        let own = alias(self.properties);
        let mut spelling = match own {
            0 => aliases.spell(self.topic.as_bytes()),
            _ => Spelling::Plain,
        };
        // A message has to fit with its topic, so that it does not depend on what was sent before
        // it whether the broker takes it; close to the broker's limit there is no alias.
        if spelling != Spelling::Plain {
            let longest = OVERHEAD + self.topic.len() + self.properties.as_bytes().len() + length;
            if longest > server.maximum_packet_size {
                spelling = Spelling::Plain;
            }
        }
        let buffer = output.buffer();
        let start = buffer.len();
        let encoded = match spelling {
            _ if !small => self.encode_head(version, spelling, buffer),
            Spelling::Plain => self.packet().encode_checked(version, buffer).map(drop),
            Spelling::Introduced(alias) | Spelling::Abbreviated(alias) => {
                let packet = Publish { topic: spelling.of(self.topic), ..self.packet() };
                packet.encode_aliased(version, alias, buffer)
            }
        };
        encoded.map_err(unsendable_message)?;
        let size = buffer.len() - start + if small { 0 } else { length };
        if let Err(error) = server.allow(self.qos, self.retain, size, own) {
            buffer.truncate(start);
            return Err(error);
        }
        match spelling {
            Spelling::Introduced(alias) => aliases.set(alias, self.topic.as_bytes()),
            Spelling::Plain if own != 0 => aliases.set(own, self.topic.as_bytes()),
            Spelling::Plain | Spelling::Abbreviated(_) => {}
        }
        if !small {
            output.push_large(self.payload.to_shared());
        }
        Ok(size)
    }

    /// A large payload stands beside the packet.
    #[cold]
    fn encode_head(
        &self,
        version: Version,
        spelling: Spelling,
        buffer: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let packet = Publish { topic: spelling.of(self.topic), ..self.packet() };
        let length = packet.payload.len();
        packet.encode_head_aliased(version, length, spelling.alias(), buffer).map(drop)
    }
}

/// 0 without an alias.
#[inline]
pub(super) fn alias(properties: Properties<'_>) -> u16 {
    if properties.is_empty() { 0 } else { properties.topic_alias().unwrap_or(0) }
}

pub(super) fn unsendable_message(error: EncodeError) -> Error {
    unsendable("The message", error)
}
