//! What happens to a session, and what it is doing.

use std::time::Duration;

use crate::{engine::Connected, error::Error};

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
    /// Subscriptions.
    pub subscriptions: usize,
}
