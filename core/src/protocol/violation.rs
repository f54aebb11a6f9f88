//! What may be wrong with a packet: theirs ([`Violation`]) or ours ([`EncodeError`]).

use std::{error::Error, fmt};

use super::{PacketType, ReasonCode};

/// A rule of MQTT that a packet breaks.
///
/// It prints as what was sent, for instance `a PUBLISH with QoS 3 [MQTT-3.3.1-4]`, so that it can
/// follow `The broker sent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What a DISCONNECT (or CONNACK) that answers the packet says.
    pub reason: ReasonCode,
    /// The packet that breaks the rule, where its type is known.
    pub packet: Option<PacketType>,
    /// What is wrong with it, as words that follow its name: `with QoS 3`.
    pub detail: &'static str,
    /// The number of the statement that is broken, or nothing where the rule has no number.
    pub statement: &'static str,
}

impl Violation {
    /// A packet that cannot be parsed according to the specification.
    pub(super) const fn malformed(detail: &'static str, statement: &'static str) -> Self {
        Self { reason: ReasonCode::MalformedPacket, packet: None, detail, statement }
    }

    /// A packet that can be parsed but holds what the protocol does not allow.
    pub(super) const fn protocol_error(detail: &'static str, statement: &'static str) -> Self {
        Self { reason: ReasonCode::ProtocolError, packet: None, detail, statement }
    }

    /// The same with a reason of its own.
    pub(super) const fn because(self, reason: ReasonCode) -> Self {
        Self { reason, ..self }
    }

    /// The same, found in this packet.
    pub(super) const fn on(self, packet: PacketType) -> Self {
        Self { packet: Some(packet), ..self }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (article, name) = match self.packet {
            Some(packet @ (PacketType::Unsubscribe | PacketType::Unsuback | PacketType::Auth)) => {
                ("an", packet.name())
            }
            Some(packet) => ("a", packet.name()),
            None => ("a", "packet"),
        };
        write!(f, "{article} {name} {}", self.detail)?;
        if !self.statement.is_empty() {
            write!(f, " [{}]", self.statement)?;
        }
        Ok(())
    }
}

impl Error for Violation {}

/// Why a packet cannot be written. The buffer is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The remaining length would exceed [`MAXIMUM_REMAINING_LENGTH`](super::MAXIMUM_REMAINING_LENGTH).
    #[error("the packet would be larger than the 268,435,455 bytes that MQTT can express")]
    PacketTooLarge,
    /// A text or binary field does not fit its two-byte length.
    #[error("a text or binary field is longer than 65,535 bytes")]
    FieldTooLong,
    /// The protocol version has no such thing.
    #[error("this version of MQTT has no {0}")]
    NotInVersion(&'static str),
    /// The receiver would have to refuse it.
    #[error("it would be {0}")]
    Forbidden(#[from] Violation),
}
