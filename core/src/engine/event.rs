//! What the engine has to tell.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use super::{AuthenticationStep, Completion, Match, Receipt};
use crate::{
    error::{Code, Error, Result},
    protocol::{Properties, PropertyBlock, QoS, ReasonCode},
};

/// What the broker said beside a reason code: the properties of its answer, most often none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Said(Option<Arc<PropertyBlock>>);

impl Said {
    /// Keeps the properties of an answer.
    pub fn new(properties: Properties<'_>) -> Self {
        if properties.is_empty() {
            return Self::default();
        }
        let mut kept = PropertyBlock::new();
        for property in properties.iter() {
            kept.push(property).expect("a property that was decoded can be encoded");
        }
        Self(Some(Arc::new(kept)))
    }

    /// All of them: a reason string, user properties.
    pub fn properties(&self) -> Properties<'_> {
        self.0.as_ref().map_or(Properties::EMPTY, |kept| kept.as_properties())
    }

    /// The broker's own words.
    pub fn reason_string(&self) -> Option<&str> {
        self.properties().reason_string()
    }
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.reason_string())
    }
}

/// How a publish ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// `Success`, or `NoMatchingSubscribers` where a 5.0 broker said so.
    pub reason: ReasonCode,
    /// What the broker said beside it.
    pub said: Said,
}

impl Delivered {
    /// Whether it is more than a bare success.
    pub(super) fn has_something_to_tell(&self) -> bool {
        self.reason != ReasonCode::Success || self.said != Said::default()
    }

    /// Without a word from the broker.
    pub fn new(reason: ReasonCode) -> Self {
        Self { reason, said: Said::default() }
    }
}

/// How a publish ended: QoS 0 written, QoS 1 and 2 acknowledged, or the error that says why not.
pub type Outcome = Result<Delivered>;

/// What the broker said in CONNACK.
#[derive(Clone, Debug)]
pub struct Connected {
    /// Whether the broker had kept the session.
    pub session_present: bool,
    /// The client id in use: the one given, or the one that the broker assigned.
    pub client_id: Arc<str>,
    /// All properties of CONNACK (MQTT 5.0; empty before).
    pub properties: PropertyBlock,
}

impl Connected {
    /// What the broker said, in the properties of CONNACK.
    pub fn properties(&self) -> Properties<'_> {
        self.properties.as_properties()
    }

    /// How many of our messages of QoS 1 and 2 the broker takes at a time.
    pub fn receive_maximum(&self) -> u16 {
        self.properties().receive_maximum().unwrap_or(u16::MAX)
    }

    /// The highest quality of service that the broker takes.
    pub fn maximum_qos(&self) -> QoS {
        self.properties().maximum_qos().and_then(QoS::from_u8).unwrap_or(QoS::ExactlyOnce)
    }

    /// Whether the broker keeps retained messages.
    pub fn retain_available(&self) -> bool {
        self.properties().retain_available() != Some(0)
    }

    /// The largest packet that the broker takes, in bytes; `None` when it did not say.
    pub fn maximum_packet_size(&self) -> Option<u32> {
        self.properties().maximum_packet_size()
    }

    /// How many topic aliases the broker lets the session use.
    pub fn topic_alias_maximum(&self) -> u16 {
        self.properties().topic_alias_maximum().unwrap_or(0)
    }

    /// Whether the broker has wildcard subscriptions.
    pub fn wildcard_subscription_available(&self) -> bool {
        self.properties().wildcard_subscription_available() != Some(0)
    }

    /// Whether the broker has subscription identifiers.
    pub fn subscription_identifiers_available(&self) -> bool {
        self.properties().subscription_identifiers_available() != Some(0)
    }

    /// Whether the broker has shared subscriptions.
    pub fn shared_subscription_available(&self) -> bool {
        self.properties().shared_subscription_available() != Some(0)
    }

    /// The keep-alive time in seconds that the broker orders; `None` leaves the session's own.
    pub fn server_keep_alive(&self) -> Option<u16> {
        self.properties().server_keep_alive()
    }

    /// How many seconds the broker keeps the session after the connection; `None` leaves what the
    /// session asked for.
    pub fn session_expiry_interval(&self) -> Option<u32> {
        self.properties().session_expiry_interval()
    }

    /// The beginning of response topics that the broker suggests.
    pub fn response_information(&self) -> Option<&str> {
        self.properties().response_information()
    }

    /// The broker's own words.
    pub fn reason_string(&self) -> Option<&str> {
        self.properties().reason_string()
    }
}

/// What the broker granted for one filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The highest quality of service at which messages will come.
    pub qos: QoS,
    /// What the broker said beside it, for all filters of the request.
    pub said: Said,
}

/// How the broker answered an unsubscribe for one filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribed {
    /// `Success`, or `NoSubscriptionExisted` where a 5.0 broker said so.
    pub reason: ReasonCode,
    /// What the broker said beside it, for all filters of the request.
    pub said: Said,
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
    Unsubscribed(Ticket, Vec<Result<Unsubscribed>>),
    /// Every message published before this flush has ended.
    Flushed(Ticket),
    /// The authenticator is to be asked: the step, and the broker's data.
    /// [`Engine::authenticate`](super::Engine::authenticate) takes its answer.
    Challenge(AuthenticationStep, Option<Bytes>),
    /// The broker has accepted the new authentication, and so has the authenticator.
    Reauthenticated,
    /// A message has been set aside.
    SetAside(SetAside),
    /// So many messages have been handled but cannot be acknowledged, because the acknowledgement of
    /// an earlier one has not come for ten seconds; once for each standstill.
    AcknowledgementHeld(usize),
    /// What [`Engine::await_stored`](super::Engine::await_stored) asked for: the message has been stored,
    /// or never will be.
    Stored(Ticket, Result<()>),
    /// The broker had lost a session in which something was unfinished.
    SessionLost(SessionLoss),
}

/// What the loss of the broker's session meant for unfinished messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionLoss {
    /// Own messages that are published once more, as new.
    pub renewed: usize,
    /// Own messages that ended with `SESSION_LOST`: whether they were delivered is unknown.
    pub unknown: usize,
    /// Received messages of QoS 2 that the broker had not released: should it send one again, it
    /// comes as new.
    pub forgotten: usize,
}

/// A message that was set aside.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SetAside {
    /// The number of an own message; `None` for a received one.
    pub number: Option<u64>,
    /// The topic, as far as it is known.
    pub topic: Option<String>,
    /// The bytes of its packet.
    pub size: usize,
    /// Why: `SET_ASIDE` or `PACKET_TOO_LARGE`, with the last loss as its cause.
    pub error: Error,
}

/// A publish that has ended, and who is told of it because the publish said so.
#[derive(Debug)]
pub struct Ended {
    /// Its number.
    pub number: u64,
    /// How.
    pub outcome: Outcome,
    /// What was given with the publish.
    pub completion: Completion,
}

/// A publish that has ended, and those who asked for it later, with
/// [`Engine::watch`](super::Engine::watch).
#[derive(Debug)]
pub struct Watched {
    /// Its number.
    pub number: u64,
    /// How.
    pub outcome: Outcome,
    /// One or more.
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
    /// A handler of an earlier process, or of an earlier life of the machine, may have seen it.
    pub redelivered: bool,
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
    /// Outgoing messages that did not end well.
    pub failed: Failed,
    /// Accepted messages that have not ended, without those of QoS 0 that the output holds and nobody
    /// asks for.
    pub outgoing_messages: usize,
    /// The bytes of all that have not ended.
    pub outgoing_bytes: usize,
    /// Own messages of QoS 1 and 2 that have been sent and not confirmed.
    pub in_flight: usize,
    /// Received messages that were set aside.
    pub incoming_set_aside: u64,
    /// Received messages that have not been acknowledged.
    pub unacknowledged: usize,
    /// Those of them that have been handled and wait for the acknowledgement of an earlier one.
    pub held_back: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Accepted messages of QoS 1 and 2 whose record has not been stored yet.
    pub unstored: usize,
}

/// Counts of own messages that did not end well, each under one cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// Dropped by the queue's policy.
    pub dropped: u64,
    /// Not sent within their lifetime.
    pub expired: u64,
    /// Refused by the broker, or more than this broker takes.
    pub refused: u64,
    /// Of QoS 0, taken along by a connection that was lost.
    pub lost: u64,
    /// Ended by the loss of the broker's session.
    pub session_lost: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Set aside.
    pub set_aside: u64,
    /// Left in the store by the end of the session.
    pub left_in_store: u64,
}

impl Failed {
    /// So many messages have ended with this error.
    pub(super) fn count(&mut self, error: &Error, messages: u64) {
        let cause = match error.code() {
            Code::Dropped => &mut self.dropped,
            Code::Expired => &mut self.expired,
            Code::ConnectionClosed => &mut self.lost,
            Code::SessionLost => &mut self.session_lost,
            Code::Cancelled => &mut self.cancelled,
            Code::SetAside => &mut self.set_aside,
            Code::LeftInStore => &mut self.left_in_store,
            _ => &mut self.refused,
        };
        *cause += messages;
    }
}
