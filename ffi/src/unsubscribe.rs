//! Unsubscribing.

use std::ffi::c_char;

use mqttsession::{
    client::{Operation, Session, Unsubscribed},
    error::Result,
};

use crate::{
    handle,
    operation::{self, Yield, mqtt_operation},
    property::mqtt_properties,
    session::mqtt_session,
    status::mqtt_status,
    value,
};

/// Ends a subscription and waits for the broker's answer.
///
/// Outside callbacks it returns after a running call of the handler; then no further one comes.
///
/// @param session Borrowed. The session.
/// @param filter Borrowed. The filter, as it was subscribed to; an unknown one succeeds.
/// @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
/// @return MQTT_OK; MQTT_UNSUBSCRIBE_REFUSED; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8;
///         MQTT_TIMEOUT; MQTT_WOULD_DEADLOCK, after which it goes on; MQTT_CANCELLED; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any, the subscription's own handler too; an inline one can only start it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_unsubscribe(
    session: *const mqtt_session,
    filter: *const c_char,
    timeout_ms: i64,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    let begin = |session: &Session| session.unsubscribe(unsafe { value::text(filter, "filter") }?);
    // SAFETY: the same.
    unsafe { operation::run(session, timeout_ms, begin, |_| Ok(())) }
}

/// Starts to end a subscription, without waiting.
///
/// @param session Borrowed. The session.
/// @param filter Borrowed. The filter, as it was subscribed to.
/// @param operation Output. Ends with the broker's answer, of which mqtt_operation_outcome tells;
///        free it with mqtt_operation_free.
/// @return MQTT_OK; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_unsubscribe_start(
    session: *const mqtt_session,
    filter: *const c_char,
    operation: *mut *mut mqtt_operation,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    let begin = |session: &Session| session.unsubscribe(unsafe { value::text(filter, "filter") }?);
    // SAFETY: the same.
    unsafe { operation::start(session, operation, begin, Yield::end) }
}

/// Ends several subscriptions with one packet and waits for the broker's answer.
///
/// Otherwise as mqtt_session_unsubscribe.
///
/// @param session Borrowed. The session.
/// @param filters Borrowed. The filters, an array of texts.
/// @param count Value. The number of filters, at least 1.
/// @param properties Borrowed. The properties of the UNSUBSCRIBE (MQTT 5.0): user properties; NULL
///        for none.
/// @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
/// @param results Output, optional. An array of `count` numbers: for each filter
///        MQTT_REASON_SUCCESS or MQTT_REASON_NO_SUBSCRIPTION_EXISTED, or the negative status with
///        which it was refused.
/// @return MQTT_OK when the broker has answered, whatever it said: look at the results; otherwise
///         as mqtt_session_unsubscribe; MQTT_NOT_SUPPORTED for properties before MQTT 5.0.
/// @threads Any.
/// @callbacks Any; an inline one can only start it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_unsubscribe_many(
    session: *const mqtt_session,
    filters: *const *const c_char,
    count: usize,
    properties: *const mqtt_properties,
    timeout_ms: i64,
    results: *mut i32,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    let begin = |session: &Session| unsafe { many(session, filters, count, properties) };
    let end = |ends: Vec<Result<Unsubscribed>>| {
        let numbers = ends.iter().map(|end| match end {
            Ok(unsubscribed) => unsubscribed.reason.as_u8().into(),
            Err(error) => error.number(),
        });
        // SAFETY: the caller's array of `count` numbers, or NULL.
        unsafe { handle::write_array(results, count, numbers) };
        Ok(())
    };
    // SAFETY: the same.
    unsafe { operation::run(session, timeout_ms, begin, end) }
}

/// Starts to end several subscriptions with one packet, without waiting.
///
/// @param session Borrowed. The session.
/// @param filters Borrowed. The filters, an array of texts.
/// @param count Value. The number of filters, at least 1.
/// @param properties Borrowed. The properties of the UNSUBSCRIBE (MQTT 5.0); NULL for none.
/// @param operation Output. Ends with the broker's answer, of which mqtt_operation_outcome tells
///        for each filter; free it with mqtt_operation_free.
/// @return MQTT_OK; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8; MQTT_NOT_SUPPORTED for properties
///         before MQTT 5.0; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_unsubscribe_many_start(
    session: *const mqtt_session,
    filters: *const *const c_char,
    count: usize,
    properties: *const mqtt_properties,
    operation: *mut *mut mqtt_operation,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    let begin = |session: &Session| unsafe { many(session, filters, count, properties) };
    // SAFETY: the same.
    unsafe { operation::start(session, operation, begin, Yield::ends) }
}

/// Ends every subscription of the session and waits for the broker's answer.
///
/// @param session Borrowed. The session.
/// @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
/// @return As mqtt_session_unsubscribe.
/// @threads Any.
/// @callbacks Any; an inline one can only start it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_unsubscribe_all(
    session: *const mqtt_session,
    timeout_ms: i64,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::run(session, timeout_ms, Session::unsubscribe_all, none_refused) }
}

/// Starts to end every subscription of the session, without waiting.
///
/// @param session Borrowed. The session.
/// @param operation Output. Ends with the broker's answer; free it with mqtt_operation_free.
/// @return MQTT_OK; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_unsubscribe_all_start(
    session: *const mqtt_session,
    operation: *mut *mut mqtt_operation,
) -> mqtt_status {
    let yields = |ends| none_refused(ends).and_then(Yield::nothing);
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::start(session, operation, Session::unsubscribe_all, yields) }
}

/// Who does not know the filters cannot ask for each result: the first refusal is that of the call.
pub(crate) fn none_refused(ends: Vec<Result<Unsubscribed>>) -> Result<()> {
    ends.into_iter().try_for_each(|end| end.map(drop))
}

/// Unsubscribes all filters of an array.
///
/// # Safety
/// The pointers are what C gave, and keep the conventions.
unsafe fn many(
    session: &Session,
    filters: *const *const c_char,
    count: usize,
    properties: *const mqtt_properties,
) -> Result<Operation<Vec<Result<Unsubscribed>>>> {
    // SAFETY: an array of texts of the caller's, by the conventions.
    let filters = unsafe { value::texts(filters, count, "filters") }?;
    // SAFETY: a list of the caller's, by the conventions.
    let properties = unsafe { mqtt_properties::block_of(properties) };
    session.unsubscribe_many(&filters, properties)
}
