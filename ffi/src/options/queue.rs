//! Options: the limits of the queues, where callbacks run, and what becomes of messages.

use mqttsession::client::{Acknowledge, Dispatch, Failure, QueuePolicy};

use super::{mqtt_options, set};
use crate::{handle, status::mqtt_status, value};

/// The call waits for room; the default.
pub const MQTT_POLICY_BLOCK: i32 = 0;
/// The call is refused with MQTT_QUEUE_FULL.
pub const MQTT_POLICY_REJECT: i32 = 1;
/// The oldest message that has not been sent yet makes room and ends as MQTT_DROPPED.
pub const MQTT_POLICY_DROP_OLDEST: i32 = 2;
/// The new message ends as MQTT_DROPPED at once.
pub const MQTT_POLICY_DROP_NEWEST: i32 = 3;
/// A message that has not been sent yet is replaced by a newer one of the same topic; without one
/// the oldest makes room.
pub const MQTT_POLICY_KEEP_LATEST: i32 = 4;

/// Callbacks run on the library's callback threads, one at a time and in order for each session;
/// the default.
pub const MQTT_DISPATCH_DISPATCHED: i32 = 0;
/// Callbacks run on the input and output thread: the lowest latency. One that takes long holds up
/// every session, and every call that would have to wait answers MQTT_WOULD_DEADLOCK there.
pub const MQTT_DISPATCH_INLINE: i32 = 1;
/// Callbacks run on the thread that calls mqtt_session_poll.
pub const MQTT_DISPATCH_POLLED: i32 = 2;

/// A message is acknowledged when all its handlers have returned; the default.
pub const MQTT_ACKNOWLEDGE_HANDLED: i32 = 0;
/// A message is acknowledged as soon as it has been received, before its handler runs.
pub const MQTT_ACKNOWLEDGE_ON_RECEIPT: i32 = 1;
/// A message is acknowledged with mqtt_acknowledgement_send only.
pub const MQTT_ACKNOWLEDGE_MANUAL: i32 = 2;

/// A message whose handler failed is acknowledged all the same; the default.
pub const MQTT_FAILURE_ACKNOWLEDGE: i32 = 0;
/// It is left unacknowledged: the broker sends it again on the next connection.
pub const MQTT_FAILURE_LEAVE: i32 = 1;
/// It is refused with a reason code (MQTT 5.0), and the broker does not send it again. Before 5.0
/// it is acknowledged.
pub const MQTT_FAILURE_REFUSE: i32 = 2;

/// Sets how many messages of QoS 1 and 2 may be on their way to the broker at the same time.
/// Under MQTT 5.0 the broker may allow fewer. Before, it cannot say how many of QoS 2 it remembers:
/// unless this is set, at most 20 are of QoS 2, as many as Mosquitto takes.
///
/// @param options Borrowed. The options.
/// @param limit Value. 1 to 65,535; 1000 by default.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT; MQTT_INVALID_OPTION when it is 0.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_in_flight_limit(
    options: *mut mqtt_options,
    limit: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_in_flight_limit(value::number(limit.into(), "limit")?).map(drop)
    })
}

/// Sets the limits of the outgoing queue, which holds the messages that have not been sent or
/// confirmed yet.
///
/// @param options Borrowed. The options.
/// @param messages Value. Messages above 0; 1,000,000 by default.
/// @param bytes Value. Bytes above 0; 256 MiB by default.
/// @return MQTT_OK; MQTT_INVALID_OPTION when one is 0.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_outgoing_limit(
    options: *mut mqtt_options,
    messages: usize,
    bytes: usize,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| options.set_outgoing_limit(messages, bytes).map(drop))
}

/// Says what a publish does when the outgoing queue has reached a limit.
///
/// @param options Borrowed. The options.
/// @param policy Value. An MQTT_POLICY_...
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_outgoing_policy(
    options: *mut mqtt_options,
    policy: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_outgoing_policy(match policy {
            MQTT_POLICY_BLOCK => QueuePolicy::Block,
            MQTT_POLICY_REJECT => QueuePolicy::Reject,
            MQTT_POLICY_DROP_OLDEST => QueuePolicy::DropOldest,
            MQTT_POLICY_DROP_NEWEST => QueuePolicy::DropNewest,
            MQTT_POLICY_KEEP_LATEST => QueuePolicy::KeepLatest,
            _ => return Err(value::out_of_range(policy.into(), "policy")),
        });
        Ok(())
    })
}

/// Sets how long a publish waits for room under MQTT_POLICY_BLOCK before it is refused with
/// MQTT_QUEUE_FULL.
///
/// @param options Borrowed. The options.
/// @param wait_ms Value. Milliseconds; 10,000 by default.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_outgoing_wait(
    options: *mut mqtt_options,
    wait_ms: i64,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_outgoing_wait(value::duration(wait_ms, "wait_ms")?);
        Ok(())
    })
}

/// Sets the limits of the receiving queue, which holds the messages that have not been handled
/// yet. A full queue pauses reading and loses nothing.
///
/// @param options Borrowed. The options.
/// @param messages Value. Messages above 0; 65,535 by default.
/// @param bytes Value. Bytes above 0; 16 MiB by default. A larger message is admitted when the
///         queue is empty.
/// @return MQTT_OK; MQTT_INVALID_OPTION when one is 0.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_incoming_limit(
    options: *mut mqtt_options,
    messages: usize,
    bytes: usize,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| options.set_incoming_limit(messages, bytes).map(drop))
}

/// Says where the callbacks of the session run.
///
/// @param options Borrowed. The options.
/// @param dispatch Value. An MQTT_DISPATCH_...
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_dispatch(
    options: *mut mqtt_options,
    dispatch: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_dispatch(match dispatch {
            MQTT_DISPATCH_DISPATCHED => Dispatch::Dispatched,
            MQTT_DISPATCH_INLINE => Dispatch::Inline,
            MQTT_DISPATCH_POLLED => Dispatch::Polled,
            _ => return Err(value::out_of_range(dispatch.into(), "dispatch")),
        });
        Ok(())
    })
}

/// Says when received messages of QoS 1 and 2 are acknowledged.
///
/// @param options Borrowed. The options.
/// @param acknowledge Value. An MQTT_ACKNOWLEDGE_...
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_acknowledge(
    options: *mut mqtt_options,
    acknowledge: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_acknowledge(match acknowledge {
            MQTT_ACKNOWLEDGE_HANDLED => Acknowledge::Handled,
            MQTT_ACKNOWLEDGE_ON_RECEIPT => Acknowledge::OnReceipt,
            MQTT_ACKNOWLEDGE_MANUAL => Acknowledge::Manual,
            _ => return Err(value::out_of_range(acknowledge.into(), "acknowledge")),
        });
        Ok(())
    })
}

/// Says what becomes of a message whose handler reported a failure (mqtt_message_fail).
///
/// @param options Borrowed. The options.
/// @param failure Value. An MQTT_FAILURE_...
/// @param reason Value. For MQTT_FAILURE_REFUSE one of the MQTT_REASON_... of 128 and above that
///        PUBACK and PUBREC allow; otherwise not looked at.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT; MQTT_INVALID_OPTION for a reason that refuses nothing.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_on_failure(
    options: *mut mqtt_options,
    failure: i32,
    reason: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        let failure = match failure {
            MQTT_FAILURE_ACKNOWLEDGE => Failure::Acknowledge,
            MQTT_FAILURE_LEAVE => Failure::Leave,
            MQTT_FAILURE_REFUSE => Failure::Refuse(value::reason(reason)?),
            _ => return Err(value::out_of_range(failure.into(), "failure")),
        };
        options.set_on_failure(failure).map(drop)
    })
}

/// Sets how long a message may wait for being sent, for every publish whose options do not say it
/// themselves. What has not been sent by then ends as MQTT_EXPIRED.
///
/// It is local and works under every version. The Message Expiry Interval of MQTT 5.0 counts here,
/// too, and goes on counting at the broker.
///
/// @param options Borrowed. The options.
/// @param time_to_live_ms Value. Milliseconds above 0; MQTT_FOREVER, the default, for no limit.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative; MQTT_INVALID_OPTION when it is 0.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_time_to_live(
    options: *mut mqtt_options,
    time_to_live_ms: i64,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        let time_to_live = value::optional_duration(time_to_live_ms, "time_to_live_ms")?;
        options.set_time_to_live(time_to_live).map(drop)
    })
}

/// Sets how many topic aliases the session uses for its own messages (MQTT 5.0), as far as the
/// broker allows: the topics published to last then take two bytes in a packet.
///
/// @param options Borrowed. The options.
/// @param limit Value. 0 to 65,535; 16 by default; 0 uses none.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_topic_alias_limit(
    options: *mut mqtt_options,
    limit: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_topic_alias_limit(value::number(limit.into(), "limit")?);
        Ok(())
    })
}

/// Sets after how many connections in a row that ended on the same message this message is set
/// aside: one of the session's own ends as MQTT_SET_ASIDE, a received one is skipped, and
/// MQTT_EVENT_SET_ASIDE tells of both. So no message can make an endless loop of reconnections.
///
/// @param options Borrowed. The options.
/// @param connections Value. 10 by default; 0 sets none aside.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_set_aside_after(
    options: *mut mqtt_options,
    connections: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_set_aside_after(value::number(connections.into(), "connections")?);
        Ok(())
    })
}

/// Says what becomes of unconfirmed messages of QoS 1 and 2 when the broker has lost the session:
/// they are published again as new ones, or they end as MQTT_SESSION_LOST.
///
/// @param options Borrowed. The options.
/// @param end Value. Yes to end them; no is the default.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_end_on_session_loss(
    options: *mut mqtt_options,
    end: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_end_on_session_loss(end != 0);
        Ok(())
    })
}
