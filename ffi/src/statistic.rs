//! Counters and levels of a session.

use crate::{
    boundary::boundary, handle::Output, session::mqtt_session, status::mqtt_status, value,
};

/// Messages that publish has accepted.
pub const MQTT_STATISTIC_PUBLISHED: i32 = 1;
/// Messages received, without repetitions.
pub const MQTT_STATISTIC_RECEIVED: i32 = 2;
/// Messages received that no handler wanted (quality of service 0), dropped.
pub const MQTT_STATISTIC_UNROUTED: i32 = 3;
/// Messages to publish that a policy dropped.
pub const MQTT_STATISTIC_DROPPED: i32 = 4;
/// Bytes written to the network.
pub const MQTT_STATISTIC_BYTES_OUT: i32 = 5;
/// Bytes read from the network.
pub const MQTT_STATISTIC_BYTES_IN: i32 = 6;
/// Write calls of the operating system.
pub const MQTT_STATISTIC_WRITES: i32 = 7;
/// Read calls of the operating system.
pub const MQTT_STATISTIC_READS: i32 = 8;
/// Connections made.
pub const MQTT_STATISTIC_CONNECTIONS: i32 = 9;
/// Messages to publish that have not ended, now.
pub const MQTT_STATISTIC_OUTGOING_MESSAGES: i32 = 10;
/// Their bytes, now.
pub const MQTT_STATISTIC_OUTGOING_BYTES: i32 = 11;
/// Messages received that have not been handled, now.
pub const MQTT_STATISTIC_INCOMING_MESSAGES: i32 = 12;
/// Their bytes, now.
pub const MQTT_STATISTIC_INCOMING_BYTES: i32 = 13;
/// Messages of quality of service 1 and 2 on their way to the broker, now.
pub const MQTT_STATISTIC_IN_FLIGHT: i32 = 14;
/// Messages received with quality of service 1 and 2 that have not been acknowledged, now.
pub const MQTT_STATISTIC_UNACKNOWLEDGED: i32 = 15;
/// Subscriptions, now.
pub const MQTT_STATISTIC_SUBSCRIPTIONS: i32 = 16;
/// Messages to publish whose time to live passed before they were sent.
pub const MQTT_STATISTIC_EXPIRED: i32 = 17;
/// Messages to publish that the broker refused.
pub const MQTT_STATISTIC_REFUSED: i32 = 18;
/// Messages to publish of quality of service 0 that a lost connection took with it.
pub const MQTT_STATISTIC_LOST: i32 = 19;
/// Messages to publish that ended because the broker had lost the session.
pub const MQTT_STATISTIC_SESSION_LOST: i32 = 20;
/// Messages to publish that a disconnect or a free gave up.
pub const MQTT_STATISTIC_CANCELLED: i32 = 21;
/// Messages to publish that were set aside (mqtt_options_set_set_aside_after).
pub const MQTT_STATISTIC_SET_ASIDE: i32 = 22;
/// Messages received that were set aside: too large, or deadly to the connection.
pub const MQTT_STATISTIC_INCOMING_SET_ASIDE: i32 = 23;
/// Events that were dropped because nobody polled for them.
pub const MQTT_STATISTIC_EVENTS_DROPPED: i32 = 24;
/// Messages received that have been handled and wait for the acknowledgement of an earlier one, now.
pub const MQTT_STATISTIC_HELD_BACK: i32 = 25;
/// Messages to publish that the end of the session left in its store.
pub const MQTT_STATISTIC_LEFT_IN_STORE: i32 = 26;
/// Messages to publish of quality of service 1 and 2 that have not been stored yet, now.
pub const MQTT_STATISTIC_UNSTORED: i32 = 27;
/// The bytes that the store's files take, now.
pub const MQTT_STATISTIC_STORE_SIZE: i32 = 28;
/// Batches written to the store.
pub const MQTT_STATISTIC_STORE_WRITES: i32 = 29;
/// Times that the store was synced.
pub const MQTT_STATISTIC_STORE_SYNCS: i32 = 30;

/// Gives one of the session's counters and levels.
///
/// @param session Borrowed. The session.
/// @param which Value. An MQTT_STATISTIC_...
/// @param number Output. Its value.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for one that does not exist.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_statistic(
    session: *const mqtt_session,
    which: i32,
    number: *mut u64,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        let place = Output::required(number, "number")?;
        let statistics = session.inner.statistics();
        let number = match which {
            MQTT_STATISTIC_PUBLISHED => statistics.published,
            MQTT_STATISTIC_RECEIVED => statistics.received,
            MQTT_STATISTIC_UNROUTED => statistics.unrouted,
            MQTT_STATISTIC_DROPPED => statistics.dropped,
            MQTT_STATISTIC_BYTES_OUT => statistics.bytes_out,
            MQTT_STATISTIC_BYTES_IN => statistics.bytes_in,
            MQTT_STATISTIC_WRITES => statistics.writes,
            MQTT_STATISTIC_READS => statistics.reads,
            MQTT_STATISTIC_CONNECTIONS => statistics.connections,
            MQTT_STATISTIC_OUTGOING_MESSAGES => statistics.outgoing_messages as u64,
            MQTT_STATISTIC_OUTGOING_BYTES => statistics.outgoing_bytes as u64,
            MQTT_STATISTIC_INCOMING_MESSAGES => statistics.incoming_messages as u64,
            MQTT_STATISTIC_INCOMING_BYTES => statistics.incoming_bytes as u64,
            MQTT_STATISTIC_IN_FLIGHT => statistics.in_flight as u64,
            MQTT_STATISTIC_UNACKNOWLEDGED => statistics.unacknowledged as u64,
            MQTT_STATISTIC_SUBSCRIPTIONS => statistics.subscriptions as u64,
            MQTT_STATISTIC_EXPIRED => statistics.expired,
            MQTT_STATISTIC_REFUSED => statistics.refused,
            MQTT_STATISTIC_LOST => statistics.lost,
            MQTT_STATISTIC_SESSION_LOST => statistics.session_lost,
            MQTT_STATISTIC_CANCELLED => statistics.cancelled,
            MQTT_STATISTIC_SET_ASIDE => statistics.set_aside,
            MQTT_STATISTIC_INCOMING_SET_ASIDE => statistics.incoming_set_aside,
            MQTT_STATISTIC_EVENTS_DROPPED => statistics.events_dropped,
            MQTT_STATISTIC_HELD_BACK => statistics.held_back as u64,
            MQTT_STATISTIC_LEFT_IN_STORE => statistics.left_in_store,
            MQTT_STATISTIC_UNSTORED => statistics.unstored as u64,
            MQTT_STATISTIC_STORE_SIZE => statistics.store_size,
            MQTT_STATISTIC_STORE_WRITES => statistics.store_writes,
            MQTT_STATISTIC_STORE_SYNCS => statistics.store_syncs,
            _ => return Err(value::out_of_range(which.into(), "which")),
        };
        // SAFETY: the caller's place for a number.
        unsafe { place.write(number) };
        Ok(())
    })
}
