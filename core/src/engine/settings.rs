//! What an engine is told once, at its birth.

use std::fmt;

use bytes::Bytes;

use super::{QueueLimit, QueuePolicy};
use crate::protocol::{PropertyBlock, QoS, Version};

/// Everything about a session that MQTT knows of, but its client identifier: sessions may share it.
#[derive(Clone, PartialEq)]
pub struct Settings {
    /// The version to speak.
    pub version: Version,
    /// Whether the broker forgets what it held for this client id (5.0: clean start).
    pub clean_session: bool,
    /// The user name.
    pub user_name: Option<String>,
    /// The password.
    pub password: Option<Bytes>,
    /// The keep-alive time in seconds; 0 is none.
    pub keep_alive: u16,
    /// The last will.
    pub will: Option<Will>,
    /// Properties of CONNECT beside those that have a field here.
    pub properties: PropertyBlock,
    /// The largest packet accepted.
    pub maximum_packet_size: u32,
    /// The most unacknowledged messages accepted.
    pub receive_maximum: u16,
    /// The most own messages of QoS 1 and 2 in flight.
    pub in_flight_limit: u16,
    /// Before 5.0: how many of them may be of QoS 2. A broker has to remember each until it is
    /// complete and cannot say how many it will; Mosquitto takes 20 and resets the connection above.
    pub exactly_once_limit: u16,
    /// The bounds of what is accepted for publishing.
    pub queue: QueueLimit,
    /// The most messages of QoS 1 and 2 that a store holds, and the most bytes of their packets; the
    /// policy of the queue counts here, too.
    pub store_limit: (usize, usize),
    /// The most topic aliases for own messages (5.0).
    pub topic_alias_limit: u16,
    /// After how many connections in a row that ended on a message it is set aside; 0 is never.
    pub set_aside_after: u32,
    /// The first of the subscription identifiers that the engine gives (5.0), 1 or more. A session
    /// that outlives its process had better begin elsewhere each time: what the broker kept for it
    /// carries the identifiers of an earlier process, which must not pass for those of this one.
    pub first_subscription_identifier: u32,
    /// Whether received messages are acknowledged before they are handled.
    pub acknowledge_on_receipt: bool,
    /// Whether unconfirmed messages end when the broker has lost the session.
    pub end_on_session_loss: bool,
}

/// The message that the broker publishes for a session that is lost.
#[derive(Clone, Default, PartialEq)]
pub struct Will {
    /// A legal topic name.
    pub topic: String,
    /// At most 65,535 bytes.
    pub payload: Bytes,
    /// The quality of service.
    pub qos: QoS,
    /// Whether the broker keeps it.
    pub retain: bool,
    /// Properties (5.0).
    pub properties: PropertyBlock,
}

/// No limit of our own: the largest packet that the protocol can express.
pub(super) const LARGEST_PACKET: u32 = 268_435_455 + 5;

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: Version::V311,
            clean_session: true,
            user_name: None,
            password: None,
            keep_alive: 60,
            will: None,
            properties: PropertyBlock::new(),
            maximum_packet_size: LARGEST_PACKET,
            receive_maximum: u16::MAX,
            in_flight_limit: 1000,
            exactly_once_limit: 20,
            queue: QueueLimit { messages: 1_000_000, bytes: 256 << 20, policy: QueuePolicy::Block },
            store_limit: (1_000_000, 1 << 30),
            topic_alias_limit: 16,
            // A message that is set aside is lost, so a network that keeps breaking at the same place
            // must not look like it.
            set_aside_after: 10,
            first_subscription_identifier: 1,
            acknowledge_on_receipt: false,
            end_on_session_loss: false,
        }
    }
}

impl fmt::Debug for Settings {
    /// Without user name, password and will: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("version", &self.version)
            .field("clean_session", &self.clean_session)
            .field("keep_alive", &self.keep_alive)
            .finish_non_exhaustive()
    }
}
