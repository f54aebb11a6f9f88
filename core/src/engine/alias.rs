//! Topic aliases that the broker sets (MQTT 5.0, 3.3.2.3.4).

use crate::protocol::{PacketType, ReasonCode, Violation};

/// The topics behind the aliases of this connection; they end with it [MQTT-3.3.2-7].
#[derive(Debug, Default)]
pub(super) struct IncomingAliases {
    topics: Vec<Option<Box<str>>>,
    maximum: u16,
}

impl IncomingAliases {
    /// Starts a connection on which the broker may use this many.
    pub(super) fn reset(&mut self, maximum: u16) {
        self.topics = Vec::new();
        self.maximum = maximum;
    }

    /// Sets an alias to a topic.
    pub(super) fn set(&mut self, alias: u16, topic: &str) -> Result<(), Violation> {
        let index = self.index(alias)?;
        if self.topics.len() <= index {
            self.topics.resize(index + 1, None);
        }
        if self.topics[index].as_deref() != Some(topic) {
            self.topics[index] = Some(topic.into());
        }
        Ok(())
    }

    /// The topic of an alias.
    pub(super) fn topic(&self, alias: u16) -> Result<&str, Violation> {
        let index = self.index(alias)?;
        self.topics.get(index).and_then(Option::as_deref).ok_or(Violation {
            // An empty topic with an alias that was never set is a protocol error.
            reason: ReasonCode::ProtocolError,
            packet: Some(PacketType::Publish),
            detail: "with an empty topic and a topic alias that it had not set",
            statement: "",
        })
    }

    /// [MQTT-3.3.2-11] and [MQTT-3.1.2-26]: from 1 to the maximum that we announced.
    fn index(&self, alias: u16) -> Result<usize, Violation> {
        if alias == 0 || alias > self.maximum {
            return Err(Violation {
                reason: ReasonCode::TopicAliasInvalid,
                packet: Some(PacketType::Publish),
                detail: "with a topic alias above the maximum that this session announced",
                statement: "MQTT-3.1.2-26",
            });
        }
        Ok(usize::from(alias) - 1)
    }
}
