//! Subscribing.

use std::{
    ffi::{c_char, c_void},
    sync::Arc,
};

use mqttsession::{
    client::{Granted, Operation, Session},
    error::{Code, Result},
    protocol::{PropertyBlock, RetainHandling, SubscriptionOptions},
};

use crate::{
    boundary::{boundary, boundary_or},
    callback::{MessageHandler, UserData, mqtt_destroy, mqtt_message_handler},
    handle::{self, Output},
    operation::{self, Yield, mqtt_operation},
    property::mqtt_properties,
    session::mqtt_session,
    status::mqtt_status,
    value,
};

/// The broker sends its retained messages with each subscription; the default.
pub const MQTT_RETAIN_SEND: i32 = 0;
/// The broker sends its retained messages only with a subscription that is new to it.
pub const MQTT_RETAIN_SEND_IF_NEW: i32 = 1;
/// The broker does not send its retained messages.
pub const MQTT_RETAIN_DO_NOT_SEND: i32 = 2;

/// How filters are subscribed to, for mqtt_session_subscribe_with and its sisters.
#[derive(Default)]
pub struct mqtt_subscribe_options {
    options: SubscriptionOptions,
    properties: PropertyBlock,
}

/// Makes subscribe options: quality of service 0, and what the protocol has as defaults.
///
/// @param options Output. The options; free them with mqtt_subscribe_options_free.
/// @return MQTT_OK.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_subscribe_options_new(
    options: *mut *mut mqtt_subscribe_options,
) -> mqtt_status {
    boundary(|| {
        let options = Output::required(options, "options")?;
        // SAFETY: the caller's place for a pointer.
        unsafe { options.write(handle::give(mqtt_subscribe_options::default())) };
        Ok(())
    })
}

/// Frees subscribe options. Subscriptions that were made with them are not affected.
///
/// @param options Taken. The options, or NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_subscribe_options_free(options: *mut mqtt_subscribe_options) {
    boundary_or((), || {
        // SAFETY: the caller's options, by the conventions.
        drop(unsafe { handle::take(options) });
        Ok(())
    });
}

/// Sets the highest quality of service with which the broker may deliver.
///
/// @param options Borrowed. The options.
/// @param qos Value. 0, 1 or 2.
/// @return MQTT_OK; MQTT_INVALID_QOS.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_subscribe_options_set_qos(
    options: *mut mqtt_subscribe_options,
    qos: i32,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { handle::borrow_mut(options, "options") }?;
        options.options.qos = value::qos(qos)?;
        Ok(())
    })
}

/// Says whether the broker spares the session its own messages (MQTT 5.0).
///
/// @param options Borrowed. The options.
/// @param no_local Value. Yes to be spared.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_subscribe_options_set_no_local(
    options: *mut mqtt_subscribe_options,
    no_local: i32,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { handle::borrow_mut(options, "options") }?;
        options.options.no_local = no_local != 0;
        Ok(())
    })
}

/// Says whether messages keep the retain flag with which they were published (MQTT 5.0), instead
/// of having it only when they were sent because of the new subscription.
///
/// @param options Borrowed. The options.
/// @param retain_as_published Value. Yes to keep it.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_subscribe_options_set_retain_as_published(
    options: *mut mqtt_subscribe_options,
    retain_as_published: i32,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { handle::borrow_mut(options, "options") }?;
        options.options.retain_as_published = retain_as_published != 0;
        Ok(())
    })
}

/// Says when the broker sends the messages that it has retained (MQTT 5.0).
///
/// @param options Borrowed. The options.
/// @param retain_handling Value. An MQTT_RETAIN_...
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_subscribe_options_set_retain_handling(
    options: *mut mqtt_subscribe_options,
    retain_handling: i32,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { handle::borrow_mut(options, "options") }?;
        options.options.retain_handling = match retain_handling {
            MQTT_RETAIN_SEND => RetainHandling::Send,
            MQTT_RETAIN_SEND_IF_NEW => RetainHandling::SendIfNew,
            MQTT_RETAIN_DO_NOT_SEND => RetainHandling::DoNotSend,
            _ => return Err(value::out_of_range(retain_handling.into(), "retain_handling")),
        };
        Ok(())
    })
}

/// Sets the properties of the SUBSCRIBE (MQTT 5.0): user properties. They are copied.
///
/// @param options Borrowed. The options.
/// @param properties Borrowed. The properties; NULL for none.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_subscribe_options_set_properties(
    options: *mut mqtt_subscribe_options,
    properties: *const mqtt_properties,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { handle::borrow_mut(options, "options") }?;
        // SAFETY: a list of the caller's, by the conventions.
        options.properties = unsafe { mqtt_properties::block_of(properties) };
        Ok(())
    })
}

/// Subscribes to a filter and waits for the broker's answer.
///
/// The subscription belongs to the session: it is renewed whenever the broker has forgotten it. A
/// second subscription to the same filter replaces the handler of the first. Each message goes to
/// every handler whose filter matches it, once to each.
///
/// Subscribing before mqtt_session_connect is legal, with a timeout of 0; the handler is then in
/// place before the first message can come.
///
/// @param session Borrowed. The session.
/// @param filter Borrowed. The filter, 1 to 65,535 bytes: a topic, in which `+` stands for one
///        level and a last `#` for all the rest; `$share/name/filter` shares it with others.
/// @param qos Value. The highest quality of service with which the broker may deliver: 0, 1 or 2.
/// @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
/// @param handler Callback. Receives the messages; NULL is MQTT_INVALID_ARGUMENT.
/// @param user_data Taken. Its user data, kept until the subscription ends.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @param granted Output, optional. The quality of service that the broker granted.
/// @return MQTT_OK; MQTT_SUBSCRIBE_REFUSED; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8;
///         MQTT_INVALID_QOS; MQTT_TOO_MANY_SUBSCRIPTIONS; MQTT_TIMEOUT, after which the
///         subscription goes on; MQTT_WOULD_DEADLOCK, likewise; MQTT_CANCELLED; MQTT_CLOSED. After
///         an error other than MQTT_TIMEOUT and MQTT_WOULD_DEADLOCK there is no subscription, and
///         the user data is destroyed.
/// @threads Any.
/// @callbacks Any; an inline one can only start it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_subscribe(
    session: *const mqtt_session,
    filter: *const c_char,
    qos: i32,
    timeout_ms: i64,
    handler: mqtt_message_handler,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
    granted: *mut i32,
) -> mqtt_status {
    let user_data = UserData::new(user_data, destroy);
    let begin = |session: &Session| {
        let handler = MessageHandler::new(handler, user_data)?;
        // SAFETY: a text of the caller's, by the conventions.
        let filter = unsafe { value::text(filter, "filter") }?;
        let options = SubscriptionOptions { qos: value::qos(qos)?, ..Default::default() };
        session.subscribe(filter, options, Arc::new(handler))
    };
    // SAFETY: the caller's place for a number, or NULL.
    let end = |grant| unsafe { write(grant, granted) };
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::run(session, timeout_ms, begin, end) }
}

/// Subscribes to a filter with all there is to say about it, and waits for the broker's answer.
///
/// Otherwise as mqtt_session_subscribe.
///
/// @param session Borrowed. The session.
/// @param filter Borrowed. The filter, 1 to 65,535 bytes.
/// @param options Borrowed. How to subscribe; NULL for the defaults.
/// @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
/// @param handler Callback. Receives the messages; NULL is MQTT_INVALID_ARGUMENT.
/// @param user_data Taken. Its user data, kept until the subscription ends.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @param granted Output, optional. The quality of service that the broker granted.
/// @return As mqtt_session_subscribe; MQTT_NOT_SUPPORTED for properties before MQTT 5.0.
/// @threads Any.
/// @callbacks Any; an inline one can only start it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_subscribe_with(
    session: *const mqtt_session,
    filter: *const c_char,
    options: *const mqtt_subscribe_options,
    timeout_ms: i64,
    handler: mqtt_message_handler,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
    granted: *mut i32,
) -> mqtt_status {
    let user_data = UserData::new(user_data, destroy);
    let begin = |session: &Session| {
        let handler = MessageHandler::new(handler, user_data)?;
        // SAFETY: what the caller gave, by the conventions; one filter is an array of one.
        unsafe { many(session, &raw const filter, 1, options, handler) }
    };
    let end = |grants: Vec<Result<Granted>>| {
        let grant = grants.into_iter().next().ok_or(Code::Internal)??;
        // SAFETY: the caller's place for a number, or NULL.
        unsafe { write(grant, granted) }
    };
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::run(session, timeout_ms, begin, end) }
}

/// Subscribes to several filters in one packet with one handler, and waits for the broker's
/// answer.
///
/// Otherwise as mqtt_session_subscribe. The user data is destroyed when the last of the
/// subscriptions has ended.
///
/// @param session Borrowed. The session.
/// @param filters Borrowed. The filters, an array of texts.
/// @param count Value. The number of filters, at least 1.
/// @param options Borrowed. How to subscribe to each; NULL for the defaults.
/// @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
/// @param handler Callback. Receives the messages; NULL is MQTT_INVALID_ARGUMENT.
/// @param user_data Taken. Its user data, kept until the last subscription ends.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @param results Output, optional. An array of `count` numbers: for each filter the quality of
///        service that the broker granted, or the negative status with which it was refused.
/// @return MQTT_OK when the broker has answered, whatever it granted: look at the results;
///         otherwise as mqtt_session_subscribe_with.
/// @threads Any.
/// @callbacks Any; an inline one can only start it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_subscribe_many(
    session: *const mqtt_session,
    filters: *const *const c_char,
    count: usize,
    options: *const mqtt_subscribe_options,
    timeout_ms: i64,
    handler: mqtt_message_handler,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
    results: *mut i32,
) -> mqtt_status {
    let user_data = UserData::new(user_data, destroy);
    let begin = |session: &Session| {
        let handler = MessageHandler::new(handler, user_data)?;
        // SAFETY: what the caller gave, by the conventions.
        unsafe { many(session, filters, count, options, handler) }
    };
    let end = |grants: Vec<Result<Granted>>| {
        let numbers = grants.iter().map(|grant| match grant {
            Ok(granted) => granted.qos as i32,
            Err(error) => error.number(),
        });
        // SAFETY: the caller's array of `count` numbers, or NULL.
        unsafe { handle::write_array(results, count, numbers) };
        Ok(())
    };
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::run(session, timeout_ms, begin, end) }
}

/// Starts to subscribe to one or several filters, without waiting.
///
/// @param session Borrowed. The session.
/// @param filters Borrowed. The filters, an array of texts.
/// @param count Value. The number of filters, at least 1.
/// @param options Borrowed. How to subscribe to each; NULL for the defaults.
/// @param handler Callback. Receives the messages; NULL is MQTT_INVALID_ARGUMENT.
/// @param user_data Taken. Its user data, kept until the last subscription ends.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @param operation Output. Ends with the broker's answer, of which mqtt_operation_granted and
///        mqtt_operation_outcome tell for each filter; free it with mqtt_operation_free.
/// @return MQTT_OK; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8; MQTT_NOT_SUPPORTED for properties
///         before MQTT 5.0; MQTT_TOO_MANY_SUBSCRIPTIONS; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_subscribe_start(
    session: *const mqtt_session,
    filters: *const *const c_char,
    count: usize,
    options: *const mqtt_subscribe_options,
    handler: mqtt_message_handler,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
    operation: *mut *mut mqtt_operation,
) -> mqtt_status {
    let user_data = UserData::new(user_data, destroy);
    let begin = |session: &Session| {
        let handler = MessageHandler::new(handler, user_data)?;
        // SAFETY: what the caller gave, by the conventions.
        unsafe { many(session, filters, count, options, handler) }
    };
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::start(session, operation, begin, Yield::ends) }
}

/// Writes what was granted.
///
/// # Safety
/// The place is NULL or writable.
pub(crate) unsafe fn write(grant: Granted, place: *mut i32) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { Output::optional(place).write(grant.qos as i32) };
    Ok(())
}

/// Subscribes to all filters of an array in one packet.
///
/// # Safety
/// The pointers are what C gave, and keep the conventions.
unsafe fn many(
    session: &Session,
    filters: *const *const c_char,
    count: usize,
    options: *const mqtt_subscribe_options,
    handler: MessageHandler,
) -> Result<Operation<Vec<Result<Granted>>>> {
    // SAFETY: an array of texts of the caller's, by the conventions.
    let filters = unsafe { value::texts(filters, count, "filters") }?;
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_optional(options) };
    let choices = options.map(|it| it.options).unwrap_or_default();
    let properties = options.map(|it| it.properties.clone()).unwrap_or_default();
    let filters: Vec<_> = filters.into_iter().map(|filter| (filter, choices)).collect();
    session.subscribe_many(&filters, properties, Arc::new(handler))
}
