//! Bytes ⇄ packets, for MQTT 3.1, 3.1.1 and 5.0, in both directions; no state, no input or output.
//!
//! [`cut`] takes one whole packet off the front of a buffer as a [`Frame`]; [`Packet::decode`] turns
//! the frame into a [`Packet`] that borrows from the buffer; [`Packet::encode`] appends a packet to a
//! buffer. The version is a value: one type per packet serves all three. Decoding allocates nothing.
//!
//! # What is checked
//!
//! Every rule of the specification that can be judged from one packet is enforced in both
//! directions, so what `encode` accepts, `decode` accepts and gives back equal. A broken rule of the
//! other side is a [`Violation`]; a broken rule of our own is an [`EncodeError`], and the buffer is
//! then as it was. What one packet cannot tell (is this id in flight, has this alias been set, may
//! this packet come now) is the engine's business. Who may send what is
//! [`Packet::decode_from`]'s.
//!
//! # Statement numbers
//!
//! A comment such as `[MQTT-3.3.1-4]` names the statement of the specification that the line below
//! enforces. The numbers are those of MQTT 5.0; a rule that 5.0 no longer has is marked with its
//! version, as in `[3.1.1 MQTT-3.1.2-22]`. MQTT 3.1 has no numbers. A [`Violation`] that is told to
//! people carries the number of their version.

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod frame;
mod glimpse;
mod packet;
mod ping;
mod properties;
mod property;
mod publish;
mod reason;
mod sender;
mod subscribe;
pub mod topic;
mod unsubscribe;
mod violation;
mod wire;

pub use ack::{Ack, AckKind, decode_short, encode_pubrel_again, encode_short};
pub use auth::Auth;
pub use connack::Connack;
pub use connect::{Connect, Will};
pub use disconnect::Disconnect;
pub use frame::{Cut, Frame, cut};
pub use glimpse::Glimpse;
pub use packet::{Packet, PacketType};
pub use ping::{encode_pingreq, encode_pingresp};
pub use properties::{Properties, PropertyBlock, PropertyIter};
pub use property::{Place, Property, PropertyIdentifier};
pub use publish::{Head, Publish, RawPublish, encode_again_aliased};
pub use reason::ReasonCode;
pub use sender::Sender;
pub use subscribe::{
    Filters, RetainHandling, Suback, Subscribe, SubscriptionOptions, encode_subscribe,
};
pub use topic::TopicError;
pub use unsubscribe::{BareFilters, Unsuback, Unsubscribe, encode_unsubscribe};
pub use violation::{EncodeError, Violation};

/// The number by which the two ends of a connection speak of an unfinished exchange; never 0.
pub type PacketId = std::num::NonZeroU16;

/// The largest remaining length that the fixed header can express, in bytes.
pub const MAXIMUM_REMAINING_LENGTH: u32 = 268_435_455;

/// A version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// MQTT 3.1, protocol name `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1, protocol name `MQTT`, level 4.
    V311,
    /// MQTT 5.0, protocol name `MQTT`, level 5.
    V5,
}

impl Version {
    /// The protocol level that CONNECT carries: 3, 4 or 5.
    pub const fn level(self) -> u8 {
        match self {
            Self::V31 => 3,
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }

    /// The version of a protocol level.
    pub const fn from_level(level: u8) -> Option<Self> {
        match level {
            3 => Some(Self::V31),
            4 => Some(Self::V311),
            5 => Some(Self::V5),
            _ => None,
        }
    }

    /// The protocol name that CONNECT carries.
    pub const fn protocol_name(self) -> &'static str {
        match self {
            Self::V31 => "MQIsdp",
            Self::V311 | Self::V5 => "MQTT",
        }
    }

    /// The version as people write it: `3.1`, `3.1.1` or `5.0`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V31 => "3.1",
            Self::V311 => "3.1.1",
            Self::V5 => "5.0",
        }
    }

    /// Whether this is 5.0, which alone has properties and reason codes.
    #[inline]
    pub const fn is_v5(self) -> bool {
        matches!(self, Self::V5)
    }
}

/// The quality of service of a message or a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QoS {
    /// 0: sent once and forgotten.
    #[default]
    AtMostOnce = 0,
    /// 1: sent until it is acknowledged; may arrive twice.
    AtLeastOnce = 1,
    /// 2: arrives exactly once, for one exchange more.
    ExactlyOnce = 2,
}

impl QoS {
    /// The quality of service of its number.
    #[inline]
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}
