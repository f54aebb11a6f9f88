//! Topic aliases that the broker sets (MQTT 5.0, 3.3.2.3.4).

use crate::protocol::{PacketType, ReasonCode, Violation};

/// The most bytes that the topics behind the aliases of a connection may hold. No broker that uses
/// aliases to save bytes comes near; without a bound, 65,535 of them would hold 4 GiB.
const MEMORY: usize = 1 << 20;

const UNSET: Violation = invalid("with no topic and a topic alias that it had not set", "")
    .because(ReasonCode::ProtocolError);
const UNWANTED: Violation =
    invalid("with a topic alias, although this session takes none", "MQTT-3.1.2-27");
const TOO_HIGH: Violation =
    invalid("with a topic alias above the maximum that this session announced", "MQTT-3.1.2-26");
const TOO_MUCH: Violation =
    invalid("with a topic alias, and with it more than 1 MiB of topics behind aliases", "")
        .because(ReasonCode::QuotaExceeded);

const fn invalid(detail: &'static str, statement: &'static str) -> Violation {
    Violation::protocol_error(detail, statement)
        .because(ReasonCode::TopicAliasInvalid)
        .on(PacketType::Publish)
}

/// The topics behind the aliases of this connection; they end with it [MQTT-3.3.2-7].
#[derive(Debug, Default)]
pub(super) struct IncomingAliases {
    topics: Vec<Option<Box<str>>>,
    maximum: u16,
    /// The bytes of the topics.
    bytes: usize,
}

impl IncomingAliases {
    /// Starts a connection on which the broker may use this many.
    pub(super) fn reset(&mut self, maximum: u16) {
        self.topics = Vec::new();
        self.bytes = 0;
        self.maximum = maximum;
    }

    /// Sets an alias to a topic.
    pub(super) fn set(&mut self, alias: u16, topic: &str) -> Result<(), Violation> {
        let index = self.index(alias)?;
        if self.topics.len() <= index {
            self.topics.resize(index + 1, None);
        }
        let former = self.topics[index].as_deref();
        if former == Some(topic) {
            return Ok(());
        }
        let bytes = self.bytes - former.map_or(0, str::len) + topic.len();
        if bytes > MEMORY {
            return Err(TOO_MUCH);
        }
        self.topics[index] = Some(topic.into());
        self.bytes = bytes;
        Ok(())
    }

    /// The topic of an alias.
    pub(super) fn topic(&self, alias: u16) -> Result<&str, Violation> {
        let index = self.index(alias)?;
        // Section 3.3.4: an alias that was never set is a protocol error.
        self.topics.get(index).and_then(Option::as_deref).ok_or(UNSET)
    }

    /// From 1 to the maximum that we announced; the decoder has refused 0 [MQTT-3.3.2-8].
    fn index(&self, alias: u16) -> Result<usize, Violation> {
        match usize::from(alias).checked_sub(1) {
            Some(index) if alias <= self.maximum => Ok(index),
            // [MQTT-3.1.2-27]
            _ if self.maximum == 0 => Err(UNWANTED),
            // [MQTT-3.1.2-26]
            _ => Err(TOO_HIGH),
        }
    }
}
