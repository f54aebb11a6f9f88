//! What the events of a store, and of a session that the broker lost, tell.

use mqttsession::client::{Event, Restored, SessionLoss};

use crate::{boundary::boundary_or, event::mqtt_event, handle};

/// Gives how many own messages the store held that had not ended, for MQTT_EVENT_RESTORED.
/// mqtt_session_wait takes their numbers.
///
/// @param event Borrowed.
/// @return The number of messages; 0 for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_messages(event: *const mqtt_event<'_>) -> usize {
    // SAFETY: the handler's event, by the conventions.
    unsafe { restored(event, |held| held.messages) }
}

/// Gives the bytes of the packets of those messages, for MQTT_EVENT_RESTORED.
///
/// @param event Borrowed.
/// @return Bytes; 0 for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_bytes(event: *const mqtt_event<'_>) -> u64 {
    // SAFETY: the handler's event, by the conventions.
    unsafe { restored(event, |held| held.bytes) }
}

/// Gives how many of those messages may have been sent, for MQTT_EVENT_RESTORED.
///
/// @param event Borrowed.
/// @return The number of messages; 0 for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_in_flight(event: *const mqtt_event<'_>) -> usize {
    // SAFETY: the handler's event, by the conventions.
    unsafe { restored(event, |held| held.in_flight) }
}

/// Gives how many received messages of QoS 2 were being handled when the process died, for
/// MQTT_EVENT_RESTORED. They come again, marked (mqtt_message_redelivered).
///
/// @param event Borrowed.
/// @return The number of messages; 0 for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_interrupted(event: *const mqtt_event<'_>) -> usize {
    // SAFETY: the handler's event, by the conventions.
    unsafe { restored(event, |held| held.interrupted) }
}

/// Says whether the machine went down without the end of the session, for MQTT_EVENT_RESTORED: what
/// had not been synced may be missing, and a message of QoS 2 that comes again may have been handled.
///
/// @param event Borrowed.
/// @return 1 if so, else 0; 0 for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_after_power_loss(event: *const mqtt_event<'_>) -> i32 {
    // SAFETY: the handler's event, by the conventions.
    unsafe { restored(event, |held| i32::from(held.after_power_loss)) }
}

/// Gives how many own messages are published once more, as new, for MQTT_EVENT_SESSION_LOST.
///
/// @param event Borrowed.
/// @return The number of messages; 0 for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_renewed(event: *const mqtt_event<'_>) -> usize {
    // SAFETY: the handler's event, by the conventions.
    unsafe { lost(event, |loss| loss.renewed) }
}

/// Gives how many own messages ended as MQTT_SESSION_LOST, for MQTT_EVENT_SESSION_LOST: whether they
/// were delivered is unknown.
///
/// @param event Borrowed.
/// @return The number of messages; 0 for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_unknown(event: *const mqtt_event<'_>) -> usize {
    // SAFETY: the handler's event, by the conventions.
    unsafe { lost(event, |loss| loss.unknown) }
}

/// Gives how many received messages of QoS 2 the broker had not released, for
/// MQTT_EVENT_SESSION_LOST: should it send one again, it comes as new.
///
/// @param event Borrowed.
/// @return The number of messages; 0 for other events.
/// @threads Any, while the handler runs.
/// @callbacks The event's handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_event_forgotten(event: *const mqtt_event<'_>) -> usize {
    // SAFETY: the handler's event, by the conventions.
    unsafe { lost(event, |loss| loss.forgotten) }
}

/// A number of an event that tells what the store held; nothing for other events.
///
/// # Safety
/// The event is NULL or the one of a handler that runs.
unsafe fn restored<T: Default>(
    event: *const mqtt_event<'_>,
    number: impl FnOnce(&Restored) -> T,
) -> T {
    boundary_or(T::default(), || {
        // SAFETY: the caller's promise.
        let event = unsafe { handle::borrow(event, "event") }?;
        Ok(match event.event {
            Event::Restored(held) => number(held),
            _ => T::default(),
        })
    })
}

/// A number of an event that tells what a lost session meant; nothing for other events.
///
/// # Safety
/// As for [`restored`].
unsafe fn lost<T: Default>(
    event: *const mqtt_event<'_>,
    number: impl FnOnce(&SessionLoss) -> T,
) -> T {
    boundary_or(T::default(), || {
        // SAFETY: the caller's promise.
        let event = unsafe { handle::borrow(event, "event") }?;
        Ok(match event.event {
            Event::SessionLost(loss) => number(loss),
            _ => T::default(),
        })
    })
}
