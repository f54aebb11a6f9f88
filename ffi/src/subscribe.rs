//! Subscribing and unsubscribing.

use std::{
    ffi::{c_char, c_void},
    sync::Arc,
};

use mqttsession::{
    client::{Granted, Operation},
    error::{Code, Error, Result},
    protocol::{PropertyBlock, RetainHandling, SubscriptionOptions},
};

use crate::{
    boundary::{boundary, boundary_or},
    callback::{MessageHandler, UserData, mqtt_destroy, mqtt_message_handler},
    handle::{self, Output},
    operation::{self, finish, mqtt_operation},
    property::mqtt_properties,
    session::mqtt_session,
    status::mqtt_status,
    value::{self, Wait},
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
        let properties = unsafe { handle::borrow_optional(properties) };
        options.properties = properties.map(|list| list.block().clone()).unwrap_or_default();
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
    boundary(|| {
        let handler = MessageHandler::new(handler, UserData::new(user_data, destroy))?;
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        // SAFETY: a text of the caller's, by the conventions.
        let filter = unsafe { value::text(filter, "filter") }?;
        let options = SubscriptionOptions { qos: value::qos(qos)?, ..Default::default() };
        let wait = Wait::new(timeout_ms)?;
        let operation = session.0.subscribe(filter, options, Arc::new(handler))?;
        if let Some(grant) = finish(&operation, wait)? {
            // SAFETY: the caller's place for a number, or NULL.
            unsafe { Output::optional(granted).write(grant.qos as i32) };
        }
        Ok(())
    })
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
    boundary(|| {
        let handler = MessageHandler::new(handler, UserData::new(user_data, destroy))?;
        let wait = Wait::new(timeout_ms)?;
        // SAFETY: what the caller gave, by the conventions; one filter is an array of one.
        let operation = unsafe { start(session, &raw const filter, 1, options, handler) }?;
        if let Some(grants) = finish(&operation, wait)? {
            let grant = grants.into_iter().next().ok_or(Code::Internal)??;
            // SAFETY: the caller's place for a number, or NULL.
            unsafe { Output::optional(granted).write(grant.qos as i32) };
        }
        Ok(())
    })
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
    boundary(|| {
        let handler = MessageHandler::new(handler, UserData::new(user_data, destroy))?;
        let wait = Wait::new(timeout_ms)?;
        // SAFETY: what the caller gave, by the conventions.
        let operation = unsafe { start(session, filters, count, options, handler) }?;
        let grants = finish(&operation, wait)?.unwrap_or_default();
        for (place, grant) in grants.iter().take(count).enumerate() {
            let result = match grant {
                Ok(granted) => granted.qos as i32,
                Err(error) => error.number(),
            };
            if !results.is_null() {
                // SAFETY: the caller's array of `count` numbers; this is one of them.
                let result_place = unsafe { results.add(place) };
                // SAFETY: the same.
                unsafe { Output::optional(result_place).write(result) };
            }
        }
        Ok(())
    })
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
/// @param operation Output. Ends with the broker's answer, of which mqtt_operation_granted tells;
///        free it with mqtt_operation_free.
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
    boundary(|| {
        let handler = MessageHandler::new(handler, UserData::new(user_data, destroy))?;
        let place = Output::required(operation, "operation")?;
        // SAFETY: what the caller gave, by the conventions.
        let operation = unsafe { start(session, filters, count, options, handler) }?;
        // SAFETY: the caller's place for a pointer.
        unsafe { operation::give(operation, place) };
        Ok(())
    })
}

/// Ends a subscription and waits for the broker's answer.
///
/// Outside callbacks it returns after a running call of the handler; then no further one comes.
///
/// @param session Borrowed. The session.
/// @param filter Borrowed. The filter, as it was subscribed to; an unknown one succeeds at once.
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
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        // SAFETY: a text of the caller's, by the conventions.
        let filter = unsafe { value::text(filter, "filter") }?;
        let wait = Wait::new(timeout_ms)?;
        finish(&session.0.unsubscribe(filter)?, wait).map(drop)
    })
}

/// Starts to end a subscription, without waiting.
///
/// @param session Borrowed. The session.
/// @param filter Borrowed. The filter, as it was subscribed to.
/// @param operation Output. Ends with the broker's answer; free it with mqtt_operation_free.
/// @return MQTT_OK; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_unsubscribe_start(
    session: *const mqtt_session,
    filter: *const c_char,
    operation: *mut *mut mqtt_operation,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        // SAFETY: a text of the caller's, by the conventions.
        let filter = unsafe { value::text(filter, "filter") }?;
        let place = Output::required(operation, "operation")?;
        // SAFETY: the caller's place for a pointer.
        unsafe { operation::give(session.0.unsubscribe(filter)?, place) };
        Ok(())
    })
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
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        let wait = Wait::new(timeout_ms)?;
        finish(&session.0.unsubscribe_all()?, wait).map(drop)
    })
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
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        let place = Output::required(operation, "operation")?;
        // SAFETY: the caller's place for a pointer.
        unsafe { operation::give(session.0.unsubscribe_all()?, place) };
        Ok(())
    })
}

/// Subscribes to all filters of an array in one packet.
///
/// # Safety
/// The pointers are what C gave, and keep the conventions.
unsafe fn start(
    session: *const mqtt_session,
    filters: *const *const c_char,
    count: usize,
    options: *const mqtt_subscribe_options,
    handler: MessageHandler,
) -> Result<Operation<Vec<Result<Granted>>>> {
    // SAFETY: a session of the caller's, by the conventions.
    let session = unsafe { mqtt_session::borrow(session) }?;
    // SAFETY: an array of the caller's, by the conventions.
    let filters = unsafe { handle::array(filters, count, "filters") }?;
    if filters.is_empty() {
        return Err(Error::new(Code::InvalidArgument, "There must be at least one filter"));
    }
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_optional(options) };
    let choices = options.map(|it| it.options).unwrap_or_default();
    let properties = options.map(|it| it.properties.clone()).unwrap_or_default();
    let filters = filters
        .iter()
        // SAFETY: a text of the caller's, by the conventions.
        .map(|&filter| Ok((unsafe { value::text(filter, "filter") }?, choices)))
        .collect::<Result<Vec<_>>>()?;
    session.0.subscribe_many(&filters, properties, Arc::new(handler))
}
