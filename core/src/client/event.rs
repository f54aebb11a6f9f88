//! What happens to a session, and what it is doing.

use std::time::Duration;

use crate::{
    engine::{Connected, SessionLoss, SetAside},
    error::Error,
};

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not connected, and not trying.
    Disconnected,
    /// Trying to connect.
    Connecting,
    /// Connected.
    Connected,
    /// Waiting before it tries again.
    Retrying,
    /// Closed for good.
    Closed,
}

/// What happened to a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An attempt to connect begins.
    Connecting,
    /// The broker accepted the connection.
    Connected(Connected),
    /// An attempt failed, or the connection was lost.
    Lost(Error),
    /// The next attempt begins after this pause.
    Retrying(Duration),
    /// It stopped: because the program wanted it, or with the error that makes trying on senseless.
    Disconnected(Option<Error>),
    /// A subscription was refused when it was renewed after the broker had lost the session.
    SubscriptionRefused(String, Error),
    /// A message that the connection could not survive, or that is larger than the session accepts,
    /// has been set aside; the connection goes on without it.
    SetAside(SetAside),
    /// So many messages have been handled but cannot be acknowledged, because the acknowledgement of
    /// an earlier one has not come for ten seconds.
    AcknowledgementHeld(usize),
    /// The broker sends the session to another server; the next attempt goes to this address.
    Redirected(String),
    /// The store held this from an earlier session; reported once, before the first attempt to connect.
    Restored(Restored),
    /// The broker had lost the session, or had never kept it, while something was unfinished.
    SessionLost(SessionLoss),
    /// The session has a store, but the broker forgets the session with the connection: what had not been
    /// confirmed is published anew, so that a message of QoS 2 may come twice, or, half confirmed, ends
    /// with `SESSION_LOST`. Reported once, before the first attempt to connect.
    StoreWithoutSession,
    /// The store takes nothing at present: publishing at QoS 1 and 2 fails with this error until it
    /// does, which is tried again and again.
    StoreFailed(Error),
    /// The store takes messages again.
    StoreRecovered,
}

/// What a store held when the session was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Own messages that have not ended; [`wait`](super::Session::wait) takes their numbers.
    pub messages: usize,
    /// The bytes of their packets.
    pub bytes: u64,
    /// Those of them that may have been sent.
    pub in_flight: usize,
    /// Received messages of QoS 2 whose handler had not returned when the process died: they come again,
    /// marked as redelivered.
    pub interrupted: usize,
    /// The machine went down without the session's end: what had not been synced may be missing, and a
    /// message of QoS 2 that comes again may have been handled.
    pub after_power_loss: bool,
}

/// Counters and levels of a session.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Messages accepted by publish.
    pub published: u64,
    /// Messages received, without repetitions.
    pub received: u64,
    /// Received messages of QoS 0 that no subscription wanted.
    pub unrouted: u64,
    /// Outgoing messages dropped by the queue's policy.
    pub dropped: u64,
    /// Outgoing messages whose time to live passed before they were sent.
    pub expired: u64,
    /// Outgoing messages that the broker refused, or did not take at all.
    pub refused: u64,
    /// Outgoing messages of QoS 0 that a lost connection took with it.
    pub lost: u64,
    /// Outgoing messages that ended because the broker had lost the session.
    pub session_lost: u64,
    /// Outgoing messages that were cancelled by a disconnect or close.
    pub cancelled: u64,
    /// Outgoing messages that were set aside.
    pub set_aside: u64,
    /// Received messages that were set aside: too large, or deadly.
    pub incoming_set_aside: u64,
    /// Events that were dropped because nobody polled for them.
    pub events_dropped: u64,
    /// Bytes written to the network.
    pub bytes_out: u64,
    /// Bytes read from the network.
    pub bytes_in: u64,
    /// Writes that moved bytes.
    pub writes: u64,
    /// Reads that moved bytes.
    pub reads: u64,
    /// Connections that the broker accepted.
    pub connections: u64,
    /// Outgoing messages that have not ended.
    pub outgoing_messages: usize,
    /// Their bytes.
    pub outgoing_bytes: usize,
    /// Received messages that have not been handled.
    pub incoming_messages: usize,
    /// The bytes that were read with them.
    pub incoming_bytes: usize,
    /// Own messages of QoS 1 and 2 that have been sent and not confirmed.
    pub in_flight: usize,
    /// Received messages of QoS 1 and 2 that have not been acknowledged.
    pub unacknowledged: usize,
    /// Those of them that have been handled and wait for the acknowledgement of an earlier one.
    pub held_back: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Outgoing messages that the end of the session left in the store.
    pub left_in_store: u64,
    /// Outgoing messages of QoS 1 and 2 that have been accepted and not been stored yet.
    pub unstored: usize,
    /// The bytes that the store's files take.
    pub store_size: u64,
    /// Batches that were written to the store.
    pub store_writes: u64,
    /// Times that the store was synced.
    pub store_syncs: u64,
}
