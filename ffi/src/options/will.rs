//! Options: the will, and what CONNECT says under MQTT 5.0.

use std::ffi::{c_char, c_void};

use super::{mqtt_options, set};
use crate::{handle, property::mqtt_properties, status::mqtt_status, value};

/// Sets the will: the message that the broker publishes when this session is lost without a
/// disconnect. It replaces an earlier one.
///
/// @param options Borrowed. The options.
/// @param topic Borrowed. The topic, without wildcards.
/// @param payload Borrowed. The payload; may be NULL when the size is 0.
/// @param size Value. The number of bytes, at most 65,535.
/// @param qos Value. 0, 1 or 2.
/// @param retain Value. Yes to have it retained.
/// @param properties Borrowed. Its properties (MQTT 5.0; ignored before), or NULL.
/// @return MQTT_OK; MQTT_INVALID_TOPIC; MQTT_INVALID_UTF8; MQTT_INVALID_QOS;
///         MQTT_PAYLOAD_TOO_LARGE; MQTT_INVALID_OPTION for a property that a will cannot have.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_will(
    options: *mut mqtt_options,
    topic: *const c_char,
    payload: *const c_void,
    size: usize,
    qos: i32,
    retain: i32,
    properties: *const mqtt_properties,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: a text of the caller's, by the conventions.
        let topic = unsafe { value::text(topic, "topic") }?;
        // SAFETY: bytes of the caller's, by the conventions.
        let payload = unsafe { value::bytes(payload, size, "payload") }?;
        // SAFETY: a list of the caller's, by the conventions.
        let properties = unsafe { handle::borrow_optional(properties) };
        // On a copy, so that a property that is refused leaves the earlier will in place.
        let mut changed = options.clone();
        changed.clear_will();
        changed.set_will(topic, payload, value::qos(qos)?, retain != 0)?;
        for property in properties.into_iter().flat_map(mqtt_properties::iter) {
            changed.add_will_property(property)?;
        }
        *options = changed;
        Ok(())
    })
}

/// Takes the will back. By default there is none.
///
/// @param options Borrowed. The options.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_clear_will(options: *mut mqtt_options) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.clear_will();
        Ok(())
    })
}

/// Adds properties to CONNECT (MQTT 5.0; ignored before), for example
/// MQTT_PROPERTY_SESSION_EXPIRY_INTERVAL. Only properties that were added are sent.
///
/// @param options Borrowed. The options.
/// @param properties Borrowed. The properties.
/// @return MQTT_OK; MQTT_INVALID_OPTION for a property that CONNECT cannot have.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_add_connect_properties(
    options: *mut mqtt_options,
    properties: *const mqtt_properties,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        // SAFETY: a list of the caller's, by the conventions.
        let properties = unsafe { handle::borrow(properties, "properties") }?;
        // On a copy, so that one that is refused leaves none behind.
        let mut changed = options.clone();
        for property in properties.iter() {
            changed.add_connect_property(property)?;
        }
        *options = changed;
        Ok(())
    })
}

/// Sets the largest packet that the session accepts. By default it is the largest that the
/// protocol allows.
///
/// Under MQTT 5.0 the broker is told and drops what is larger. Before, a larger message is set
/// aside, of which MQTT_EVENT_SET_ASIDE tells, and the connection goes on.
///
/// @param options Borrowed. The options.
/// @param size Value. Bytes above 0.
/// @return MQTT_OK; MQTT_INVALID_OPTION.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_maximum_packet_size(
    options: *mut mqtt_options,
    size: u32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| options.set_maximum_packet_size(size).map(drop))
}

/// Sets how many unacknowledged messages the broker may send (MQTT 5.0). It is never more than
/// the receiving queue holds.
///
/// @param options Borrowed. The options.
/// @param maximum Value. 1 to 65,535, the default.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT; MQTT_INVALID_OPTION when it is 0.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_options_set_receive_maximum(
    options: *mut mqtt_options,
    maximum: i32,
) -> mqtt_status {
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_mut(options, "options") };
    set(options, |options| {
        options.set_receive_maximum(value::number(maximum.into(), "maximum")?).map(drop)
    })
}
