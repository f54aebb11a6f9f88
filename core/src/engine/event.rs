//! What the engine has to tell.

use std::{ops::Range, sync::Arc};

use super::{Match, Receipt};
use crate::{
    error::{Error, Result},
    protocol::{PropertyBlock, QoS, ReasonCode},
};

/// How a publish ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// `Success`, or `NoMatchingSubscribers` where a 5.0 broker said so.
    pub reason: ReasonCode,
}

/// How a publish ended: QoS 0 written, QoS 1 and 2 acknowledged, or the error that says why not.
pub type Outcome = Result<Delivered>;

/// Called exactly once with the number of a message and how it ended. The engine carries it along
/// and gives it back; it never calls it.
pub type Completion = Box<dyn FnOnce(u64, Outcome) + Send>;

/// What the broker said in CONNACK.
#[derive(Clone, Debug)]
pub struct Connected {
    /// Whether the broker had kept the session.
    pub session_present: bool,
    /// The client id in use: the one given, or the one that the broker assigned.
    pub client_id: String,
    /// All properties of CONNACK (MQTT 5.0; empty before).
    pub properties: PropertyBlock,
}

/// What the broker granted for one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The highest quality of service at which messages will come.
    pub qos: QoS,
}

/// The number of a subscribe, unsubscribe or flush, given by whoever asks for it.
pub type Ticket = u64;

/// Something that has happened; taken with [`Engine::poll_event`](super::Engine::poll_event).
pub enum Event {
    /// The broker accepted the connection.
    Connected(Connected),
    /// A subscribe has been answered, or cannot be any more: one result for each filter, in the
    /// order of the request.
    Subscribed(Ticket, Vec<Result<Granted>>),
    /// A subscription was refused when it was renewed; its filter.
    SubscriptionRefused(String, Error),
    /// An unsubscribe has been answered. The handler has no more claim to messages.
    Unsubscribed(Ticket, Result<()>),
    /// Every message published before this flush has ended.
    Flushed(Ticket),
}

/// A publish that has ended, and who wants to know.
pub struct Ended {
    /// Its number.
    pub number: u64,
    /// How.
    pub outcome: Outcome,
    /// What was given with the publish.
    pub completion: Option<Completion>,
    /// What [`Engine::watch`](super::Engine::watch) added.
    pub watchers: Vec<Completion>,
}

/// A received message: where it stands in the input, and who wants it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Index into [`Inbound::matches`].
    pub matched: u32,
    /// Where the payload stands.
    pub payload: Range<u32>,
    /// Where the property block stands (MQTT 5.0).
    pub properties: Range<u32>,
    /// The quality of service at which it came.
    pub qos: QoS,
    /// Whether it was a retained message (or, as published, is to be retained).
    pub retain: bool,
    /// Whether the broker had sent it before.
    pub duplicate: bool,
    /// What acknowledges it; none at QoS 0.
    pub receipt: Option<Receipt>,
}

/// The messages found in one piece of input. Positions count from the start of that piece.
#[derive(Debug, Default)]
pub struct Inbound {
    /// In the order of arrival.
    pub deliveries: Vec<Delivery>,
    /// Topics and routes, each once for a run of messages with the same topic.
    pub matches: Vec<Arc<Match>>,
}

/// Counts of what happened since the engine was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages accepted for publishing.
    pub published: u64,
    /// Messages received, without repetitions.
    pub received: u64,
    /// Received messages of QoS 0 that no subscription wanted.
    pub unrouted: u64,
    /// Outgoing messages dropped by the queue's policy.
    pub dropped: u64,
    /// Accepted messages that have not ended.
    pub outgoing_messages: usize,
    /// The bytes of their packets.
    pub outgoing_bytes: usize,
    /// Own messages of QoS 1 and 2 that have been sent and not confirmed.
    pub in_flight: usize,
    /// Received messages that have not been acknowledged.
    pub unacknowledged: usize,
    /// Subscriptions.
    pub subscriptions: usize,
}
