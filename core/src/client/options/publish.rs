//! Options of what is published: limits, lifetimes, what happens when something goes wrong.

use std::time::Duration;

use super::{Options, not_zero};
use crate::{
    engine::QueuePolicy,
    error::{Code, Error, Result},
};

impl Options {
    /// The most messages of QoS 1 and 2 on their way at the same time. Default 1000; under 5.0 at
    /// most the broker's receive maximum. Before 5.0 a broker cannot say how many messages of QoS 2
    /// it remembers, so by default at most 20 are of QoS 2, as many as Mosquitto takes; setting the
    /// limit sets it for both.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_in_flight_limit(&mut self, limit: u16) -> Result<&mut Self> {
        if limit == 0 {
            return Err(Error::new(Code::InvalidOption, "The in-flight limit must not be zero"));
        }
        self.settings.in_flight_limit = limit;
        self.settings.exactly_once_limit = limit;
        Ok(self)
    }

    /// The limits of the outgoing queue: messages and bytes that have not been sent or confirmed
    /// yet. Default 1,000,000 messages and 256 MiB.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_outgoing_limit(&mut self, messages: usize, bytes: usize) -> Result<&mut Self> {
        not_zero(messages, bytes)?;
        self.settings.queue.messages = messages;
        self.settings.queue.bytes = bytes;
        Ok(self)
    }

    /// What happens at the outgoing limit. Default: the call waits.
    pub fn set_outgoing_policy(&mut self, policy: QueuePolicy) -> &mut Self {
        self.settings.queue.policy = policy;
        self
    }

    /// How long a publish waits for room under [`QueuePolicy::Block`]. Default 10 s.
    pub fn set_outgoing_wait(&mut self, wait: Duration) -> &mut Self {
        self.habits.outgoing_wait = wait;
        self
    }

    /// When the broker has lost the session: whether unconfirmed messages of QoS 1 and 2 end as
    /// `SESSION_LOST` instead of being published again as new ones (the default).
    pub fn set_end_on_session_loss(&mut self, end: bool) -> &mut Self {
        self.settings.end_on_session_loss = end;
        self
    }

    /// How long a message may wait for being sent, for every publish that does not say it itself.
    /// What has not been sent by then ends as `EXPIRED`. Default: without end. It is local and works
    /// under every version; the Message Expiry Interval of MQTT 5.0 counts here, too, and goes on
    /// counting at the broker.
    ///
    /// # Errors
    /// `INVALID_OPTION` for zero.
    pub fn set_time_to_live(&mut self, time_to_live: Option<Duration>) -> Result<&mut Self> {
        if time_to_live == Some(Duration::ZERO) {
            return Err(Error::new(Code::InvalidOption, "A time to live must not be zero"));
        }
        self.habits.time_to_live = time_to_live;
        Ok(self)
    }

    /// The most topic aliases that the session uses for its own messages (MQTT 5.0), as far as the
    /// broker allows; 0 uses none. The topics published to last have one, so that their messages
    /// carry three bytes instead of the topic. Default 16.
    pub fn set_topic_alias_limit(&mut self, limit: u16) -> &mut Self {
        self.settings.topic_alias_limit = limit;
        self
    }

    /// After how many connections in a row that the broker ended on the same message this message is
    /// set aside: an outgoing one ends as `SET_ASIDE`, an incoming one is skipped and reported as
    /// [`Event::SetAside`](crate::client::Event). 0 never sets one aside. Default 10: with the
    /// growing pauses between attempts, some minutes.
    pub fn set_set_aside_after(&mut self, connections: u32) -> &mut Self {
        self.settings.set_aside_after = connections;
        self
    }

    /// Whether a publish waits while the outgoing queue is full.
    pub(in crate::client) fn blocks_when_full(&self) -> bool {
        self.settings.queue.policy == QueuePolicy::Block
    }
}
