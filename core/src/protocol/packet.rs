//! A packet of any type.

use super::{
    Ack, AckKind, Auth, Connack, Connect, Disconnect, EncodeError, Frame, Publish, ReasonCode,
    Suback, Subscribe, Unsuback, Unsubscribe, Version, Violation, ping,
};

/// The type of a packet; its number stands in the upper half of the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// The client opens the session.
    Connect = 1,
    /// The server's answer to CONNECT.
    Connack = 2,
    /// A message.
    Publish = 3,
    /// Answer to a PUBLISH of QoS 1.
    Puback = 4,
    /// Answer to a PUBLISH of QoS 2.
    Pubrec = 5,
    /// Answer to PUBREC.
    Pubrel = 6,
    /// Answer to PUBREL.
    Pubcomp = 7,
    /// The client subscribes.
    Subscribe = 8,
    /// The server's answer to SUBSCRIBE.
    Suback = 9,
    /// The client ends subscriptions.
    Unsubscribe = 10,
    /// The server's answer to UNSUBSCRIBE.
    Unsuback = 11,
    /// The client asks for a sign of life.
    Pingreq = 12,
    /// The server's answer to PINGREQ.
    Pingresp = 13,
    /// The client, and under 5.0 the server, ends the connection.
    Disconnect = 14,
    /// A step of an authentication exchange; 5.0 only.
    Auth = 15,
}

impl PacketType {
    /// The type of its number.
    #[inline]
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Connect,
            2 => Self::Connack,
            3 => Self::Publish,
            4 => Self::Puback,
            5 => Self::Pubrec,
            6 => Self::Pubrel,
            7 => Self::Pubcomp,
            8 => Self::Subscribe,
            9 => Self::Suback,
            10 => Self::Unsubscribe,
            11 => Self::Unsuback,
            12 => Self::Pingreq,
            13 => Self::Pingresp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => return None,
        })
    }

    /// The name as the specification writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Connack => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::Puback => "PUBACK",
            Self::Pubrec => "PUBREC",
            Self::Pubrel => "PUBREL",
            Self::Pubcomp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::Suback => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Unsuback => "UNSUBACK",
            Self::Pingreq => "PINGREQ",
            Self::Pingresp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }
}

const OTHER_VERSION: Violation =
    Violation::protocol_error("of another protocol version", "MQTT-3.1.2-2")
        .because(ReasonCode::UnsupportedProtocolVersion);

/// A packet; it borrows its texts and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is named after its packet")]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    Connack(Connack<'a>),
    Publish(Publish<'a>),
    Puback(Ack<'a>),
    Pubrec(Ack<'a>),
    Pubrel(Ack<'a>),
    Pubcomp(Ack<'a>),
    Subscribe(Subscribe<'a>),
    Suback(Suback<'a>),
    Unsubscribe(Unsubscribe<'a>),
    Unsuback(Unsuback<'a>),
    Pingreq,
    Pingresp,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

impl<'a> Packet<'a> {
    /// Reads a packet of this version, whoever sends it.
    ///
    /// A server that does not know the version yet reads the first packet with
    /// [`Connect::decode`].
    ///
    /// # Errors
    ///
    /// The first rule that the packet breaks.
    pub fn decode(frame: Frame<'a>, version: Version) -> Result<Self, Violation> {
        Ok(match frame.packet_type()? {
            PacketType::Connect => match Connect::decode(frame)? {
                (found, connect) if found == version => Self::Connect(connect),
                _ => return Err(OTHER_VERSION.on(PacketType::Connect)),
            },
            PacketType::Connack => Self::Connack(Connack::decode(frame, version)?),
            PacketType::Publish => Self::Publish(Publish::decode(frame, version)?),
            PacketType::Puback => Self::Puback(Ack::decode(AckKind::Puback, frame, version)?),
            PacketType::Pubrec => Self::Pubrec(Ack::decode(AckKind::Pubrec, frame, version)?),
            PacketType::Pubrel => Self::Pubrel(Ack::decode(AckKind::Pubrel, frame, version)?),
            PacketType::Pubcomp => Self::Pubcomp(Ack::decode(AckKind::Pubcomp, frame, version)?),
            PacketType::Subscribe => Self::Subscribe(Subscribe::decode(frame, version)?),
            PacketType::Suback => Self::Suback(Suback::decode(frame, version)?),
            PacketType::Unsubscribe => Self::Unsubscribe(Unsubscribe::decode(frame, version)?),
            PacketType::Unsuback => Self::Unsuback(Unsuback::decode(frame, version)?),
            PacketType::Pingreq => {
                ping::decode(PacketType::Pingreq, frame, version).map(|()| Self::Pingreq)?
            }
            PacketType::Pingresp => {
                ping::decode(PacketType::Pingresp, frame, version).map(|()| Self::Pingresp)?
            }
            PacketType::Disconnect => Self::Disconnect(Disconnect::decode(frame, version)?),
            PacketType::Auth => Self::Auth(Auth::decode(frame, version)?),
        })
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    ///
    /// What the receiver would have to refuse is not written; `out` is then as it was.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Connect(connect) => connect.encode(version, out),
            Self::Connack(connack) => connack.encode(version, out),
            Self::Publish(publish) => publish.encode(version, out).map(drop),
            Self::Puback(ack) => ack.encode_to(AckKind::Puback, version, out),
            Self::Pubrec(ack) => ack.encode_to(AckKind::Pubrec, version, out),
            Self::Pubrel(ack) => ack.encode_to(AckKind::Pubrel, version, out),
            Self::Pubcomp(ack) => ack.encode_to(AckKind::Pubcomp, version, out),
            Self::Subscribe(subscribe) => subscribe.encode(version, out),
            Self::Suback(suback) => suback.encode(version, out),
            Self::Unsubscribe(unsubscribe) => unsubscribe.encode(version, out),
            Self::Unsuback(unsuback) => unsuback.encode(version, out),
            Self::Pingreq => {
                ping::encode_pingreq(out);
                Ok(())
            }
            Self::Pingresp => {
                ping::encode_pingresp(out);
                Ok(())
            }
            Self::Disconnect(disconnect) => disconnect.encode(version, out),
            Self::Auth(auth) => auth.encode(version, out),
        }
    }

    /// The packet's type.
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::Connack(_) => PacketType::Connack,
            Self::Publish(_) => PacketType::Publish,
            Self::Puback(_) => PacketType::Puback,
            Self::Pubrec(_) => PacketType::Pubrec,
            Self::Pubrel(_) => PacketType::Pubrel,
            Self::Pubcomp(_) => PacketType::Pubcomp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::Suback(_) => PacketType::Suback,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::Unsuback(_) => PacketType::Unsuback,
            Self::Pingreq => PacketType::Pingreq,
            Self::Pingresp => PacketType::Pingresp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }
}
