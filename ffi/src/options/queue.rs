//! Options: the limits of the queues, where callbacks run, and when messages are acknowledged.

use mqttsession::client::{Acknowledge, Dispatch, QueuePolicy};

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

/// Says whether a message whose handler reported a failure (mqtt_message_fail) is acknowledged
/// all the same, or left for the broker to send again on the next connection.
///
/// @param options Borrowed. The options.
/// @param acknowledge Value. Yes, the default, to acknowledge it.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_acknowledge_failed(
    options: *mut mqtt_options,
    acknowledge: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_acknowledge_failed(acknowledge != 0);
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
