//! What may be wrong with a packet: theirs ([`Violation`]) or ours ([`EncodeError`]).

use std::{error::Error, fmt};

use super::{PacketType, ReasonCode, Version};

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
    /// The number of the statement of MQTT 5.0 that is broken, or nothing where the rule has no
    /// number. [`in_version`](Self::in_version) gives the number of another version.
    pub statement: &'static str,
}

impl Violation {
    /// A packet that cannot be parsed according to the specification.
    pub(crate) const fn malformed(detail: &'static str, statement: &'static str) -> Self {
        Self { reason: ReasonCode::MalformedPacket, packet: None, detail, statement }
    }

    /// A packet that can be parsed but holds what the protocol does not allow.
    pub(crate) const fn protocol_error(detail: &'static str, statement: &'static str) -> Self {
        Self { reason: ReasonCode::ProtocolError, packet: None, detail, statement }
    }

    /// The same with a reason of its own.
    pub(crate) const fn because(self, reason: ReasonCode) -> Self {
        Self { reason, ..self }
    }

    /// The same, found in this packet.
    pub(crate) const fn on(self, packet: PacketType) -> Self {
        Self { packet: Some(packet), ..self }
    }

    /// The same in better words.
    pub(super) const fn said(self, detail: &'static str) -> Self {
        Self { detail, ..self }
    }

    /// The same with the number that the statement has in this version: none where the version does
    /// not number it, as MQTT 3.1 numbers nothing.
    #[must_use]
    pub fn in_version(self, version: Version) -> Self {
        let statement = match version {
            Version::V31 => "",
            // 3.1.1 leaves PUBCOMP out of this rule.
            Version::V311
                if self.statement == "MQTT-2.2.1-5" && self.packet == Some(PacketType::Pubcomp) =>
            {
                ""
            }
            Version::V311 => in_3_1_1(self.statement),
            Version::V5 => self.statement,
        };
        Self { statement, ..self }
    }
}

/// The number in 3.1.1 of a statement of 5.0 that a broker can break. Those that are not listed have
/// the same number in both.
fn in_3_1_1(statement: &'static str) -> &'static str {
    match statement {
        "MQTT-1.5.4-1" => "MQTT-1.5.3-1",
        "MQTT-1.5.4-2" => "MQTT-1.5.3-2",
        "MQTT-2.1.3-1" => "MQTT-2.2.2-1",
        "MQTT-2.2.1-2" => "MQTT-2.3.1-5",
        "MQTT-2.2.1-3" => "MQTT-2.3.1-1",
        "MQTT-2.2.1-4" => "MQTT-2.3.1-4",
        "MQTT-2.2.1-5" => "MQTT-2.3.1-6",
        "MQTT-2.2.1-6" => "MQTT-2.3.1-7",
        "MQTT-3.2.2-2" => "MQTT-3.2.2-1",
        "MQTT-3.2.2-6" => "MQTT-3.2.2-4",
        "MQTT-3.2.2-8" => "MQTT-3.2.2-6",
        "MQTT-3.8.4-6" => "MQTT-3.8.4-5",
        "MQTT-4.7.0-1" => "MQTT-4.7.1-1",
        // Rules that 3.1.1 does not number, or does not have.
        "MQTT-1.5.5-1" | "MQTT-3.1.2-24" | "MQTT-3.2.0-2" | "MQTT-3.2.2-1" => "",
        same => same,
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
