//! An own message in a store, as a look into it shows it.

use std::{
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use mqttsession::client::{StoredMessage, StoredState};

use crate::{
    boundary::boundary_or,
    handle,
    property::mqtt_properties,
    value::{MQTT_FOREVER, mqtt_view},
};

/// The message has not been sent.
pub const MQTT_STORED_WAITING: i32 = 0;
/// It may have been sent, and is not confirmed.
pub const MQTT_STORED_SENT: i32 = 1;
/// The broker has taken it; only the end of the exchange is missing.
pub const MQTT_STORED_RELEASED: i32 = 2;

/// A message that was accepted for publishing and has not ended.
pub struct mqtt_stored_message {
    message: StoredMessage,
    /// A copy that is made when the properties are first asked for.
    properties: OnceLock<mqtt_properties>,
}

/// Gives the number that publishing gave the message.
///
/// @param message Borrowed.
/// @return The number; 0 for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_stored_message_number(message: *const mqtt_stored_message) -> u64 {
    boundary_or(0, || {
        // SAFETY: a message of ours, by the conventions.
        Ok(unsafe { handle::borrow(message, "message") }?.message.number)
    })
}

/// Says how far the message has come.
///
/// @param message Borrowed.
/// @return An MQTT_STORED_...; -1 for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_stored_message_state(message: *const mqtt_stored_message) -> i32 {
    boundary_or(-1, || {
        // SAFETY: a message of ours, by the conventions.
        Ok(match unsafe { handle::borrow(message, "message") }?.message.state {
            StoredState::Waiting => MQTT_STORED_WAITING,
            StoredState::Sent => MQTT_STORED_SENT,
            StoredState::Released => MQTT_STORED_RELEASED,
        })
    })
}

/// Says when the message was accepted.
///
/// @param message Borrowed.
/// @return Milliseconds since the beginning of 1970, UTC; 0 for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_stored_message_accepted_ms(
    message: *const mqtt_stored_message,
) -> i64 {
    boundary_or(0, || {
        // SAFETY: a message of ours, by the conventions.
        Ok(unix_milliseconds(unsafe { handle::borrow(message, "message") }?.message.accepted))
    })
}

/// Says until when the message is worth sending.
///
/// @param message Borrowed.
/// @return Milliseconds since the beginning of 1970, UTC; MQTT_FOREVER when it always is, and for
///         NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_stored_message_expires_ms(
    message: *const mqtt_stored_message,
) -> i64 {
    boundary_or(MQTT_FOREVER, || {
        // SAFETY: a message of ours, by the conventions.
        let expires = unsafe { handle::borrow(message, "message") }?.message.expires;
        Ok(expires.map_or(MQTT_FOREVER, unix_milliseconds))
    })
}

/// Gives the topic to which the message is published.
///
/// @param message Borrowed.
/// @return The topic, valid as long as the message; empty for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_stored_message_topic(
    message: *const mqtt_stored_message,
) -> mqtt_view {
    boundary_or(mqtt_view::EMPTY, || {
        // SAFETY: a message of ours, by the conventions.
        let message = unsafe { handle::borrow(message, "message") }?;
        Ok(mqtt_view::new(message.message.topic.as_bytes()))
    })
}

/// Gives the payload of the message.
///
/// @param message Borrowed.
/// @return The payload, valid as long as the message; empty for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_stored_message_payload(
    message: *const mqtt_stored_message,
) -> mqtt_view {
    boundary_or(mqtt_view::EMPTY, || {
        // SAFETY: a message of ours, by the conventions.
        Ok(mqtt_view::new(&unsafe { handle::borrow(message, "message") }?.message.payload))
    })
}

/// Gives the quality of service with which the message is published.
///
/// @param message Borrowed.
/// @return 1 or 2; -1 for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_stored_message_qos(message: *const mqtt_stored_message) -> i32 {
    boundary_or(-1, || {
        // SAFETY: a message of ours, by the conventions.
        Ok(unsafe { handle::borrow(message, "message") }?.message.qos as i32)
    })
}

/// Says whether the broker is to keep the message for later subscribers.
///
/// @param message Borrowed.
/// @return 1 if so, else 0; 0 for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_stored_message_retain(message: *const mqtt_stored_message) -> i32 {
    boundary_or(0, || {
        // SAFETY: a message of ours, by the conventions.
        Ok(i32::from(unsafe { handle::borrow(message, "message") }?.message.retain))
    })
}

/// Gives the properties of the message (MQTT 5.0; before that there are none).
///
/// @param message Borrowed.
/// @return The properties, which belong to the message and live as long as it; never to be freed;
///         NULL only for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_stored_message_properties(
    message: *const mqtt_stored_message,
) -> *const mqtt_properties {
    boundary_or(std::ptr::null(), || {
        // SAFETY: a message of ours, by the conventions.
        let message = unsafe { handle::borrow(message, "message") }?;
        if let Some(properties) = message.properties.get() {
            return Ok(&raw const *properties);
        }
        let copy = mqtt_properties::copy(message.message.properties())?;
        Ok(&raw const *message.properties.get_or_init(|| copy))
    })
}

impl mqtt_stored_message {
    pub(crate) fn new(message: StoredMessage) -> Self {
        Self { message, properties: OnceLock::new() }
    }
}

/// A moment as C knows it; one before 1970 is its beginning.
pub(crate) fn unix_milliseconds(moment: SystemTime) -> i64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_is_milliseconds_since_1970_and_never_before() {
        assert_eq!(unix_milliseconds(UNIX_EPOCH + Duration::from_micros(1_500_999)), 1500);
        assert_eq!(unix_milliseconds(UNIX_EPOCH - Duration::from_secs(1)), 0);
    }
}
