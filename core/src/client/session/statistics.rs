//! What a session has counted.

use std::sync::atomic::Ordering;

use super::Session;
use crate::{client::Statistics, engine::Failed};

impl Session {
    /// Counters and levels.
    pub fn statistics(&self) -> Statistics {
        let shared = self.shared();
        if shared.check_fork().is_err() {
            return Statistics::default();
        }
        let counters = shared.core.lock().engine.counters();
        let Failed {
            dropped,
            expired,
            refused,
            lost,
            session_lost,
            cancelled,
            set_aside,
            left_in_store,
        } = counters.failed;
        let (incoming_messages, incoming_bytes) = shared.inbox.level();
        let traffic = &shared.traffic;
        Statistics {
            published: counters.published,
            received: counters.received,
            unrouted: counters.unrouted,
            dropped,
            expired,
            refused,
            lost,
            session_lost,
            cancelled,
            set_aside,
            incoming_set_aside: counters.incoming_set_aside,
            events_dropped: shared.inbox.events_dropped(),
            bytes_out: traffic.bytes_out.load(Ordering::Relaxed),
            bytes_in: traffic.bytes_in.load(Ordering::Relaxed),
            writes: traffic.writes.load(Ordering::Relaxed),
            reads: traffic.reads.load(Ordering::Relaxed),
            connections: traffic.connections.load(Ordering::Relaxed),
            outgoing_messages: counters.outgoing_messages,
            outgoing_bytes: counters.outgoing_bytes,
            incoming_messages,
            incoming_bytes,
            in_flight: counters.in_flight,
            unacknowledged: counters.unacknowledged,
            held_back: counters.held_back,
            subscriptions: counters.subscriptions,
            left_in_store,
            unstored: counters.unstored,
            store_size: shared.keeper.as_ref().map_or(0, |keeper| keeper.size()),
            store_writes: shared.keeper.as_ref().map_or(0, |keeper| keeper.writes()),
            store_syncs: shared.keeper.as_ref().map_or(0, |keeper| keeper.syncs()),
        }
    }
}
