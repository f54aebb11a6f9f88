//! The counters of a session.

use mqttsession::client;
use pyo3::prelude::*;

macro_rules! statistics {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// Counters and levels of a session at one moment.
        #[pyclass(frozen, get_all, module = "mqttsession")]
        pub(crate) struct Statistics {
            $($(#[$doc])* $name: $type,)*
        }

        impl From<client::Statistics> for Statistics {
            fn from(core: client::Statistics) -> Self {
                Self { $($name: core.$name,)* }
            }
        }

        #[pymethods]
        impl Statistics {
            fn __repr__(&self) -> String {
                let fields = [$(format!("{}={}", stringify!($name), self.$name),)*];
                format!("Statistics({})", fields.join(", "))
            }
        }
    };
}

statistics! {
    /// Messages accepted by publish().
    published: u64,
    /// Messages received, without repetitions.
    received: u64,
    /// Received messages that no handler wanted (QoS 0), dropped.
    unrouted: u64,
    /// Outgoing messages dropped by policy.
    dropped: u64,
    /// Outgoing messages whose time to live passed before they were sent.
    expired: u64,
    /// Outgoing messages that the broker refused, or did not take at all.
    refused: u64,
    /// Outgoing messages of QoS 0 that a lost connection took with it.
    lost: u64,
    /// Outgoing messages that ended because the broker had lost the session.
    session_lost: u64,
    /// Outgoing messages that were cancelled by a disconnect or close.
    cancelled: u64,
    /// Outgoing messages that were set aside.
    set_aside: u64,
    /// Received messages that were set aside: too large, or deadly.
    incoming_set_aside: u64,
    /// Events that were dropped because nobody polled for them.
    events_dropped: u64,
    /// Bytes written to the network.
    bytes_out: u64,
    /// Bytes read from the network.
    bytes_in: u64,
    /// Write calls.
    writes: u64,
    /// Read calls.
    reads: u64,
    /// Connections made.
    connections: u64,
    /// Outgoing messages that have not ended.
    outgoing_messages: usize,
    /// Their bytes.
    outgoing_bytes: usize,
    /// Received messages that have not been handled.
    incoming_messages: usize,
    /// Their bytes.
    incoming_bytes: usize,
    /// Own messages of QoS 1 and 2 that have been sent and not confirmed.
    in_flight: usize,
    /// Received messages of QoS 1 and 2 that have not been acknowledged.
    unacknowledged: usize,
    /// Those of them that have been handled and wait for the acknowledgement of an earlier one.
    held_back: usize,
    /// Subscriptions.
    subscriptions: usize,
    /// Outgoing messages that the end of the session left in the store.
    left_in_store: u64,
    /// Outgoing messages of QoS 1 and 2 that have been accepted and not been stored yet.
    unstored: usize,
    /// The bytes that the store's files take.
    store_size: u64,
    /// Batches that were written to the store.
    store_writes: u64,
    /// Times that the store was synced.
    store_syncs: u64,
}
