//! Asking and answering: request and response of MQTT 5.0.

use std::{
    ffi::{c_char, c_void},
    sync::Arc,
};

use mqttsession::{
    client::{
        Granted, Handled, Message, Operation, OwnedMessage, Payload, RequestOptions, Responder,
        Response, Session,
    },
    error::{Code, Error, Result},
    protocol::SubscriptionOptions,
};

use crate::{
    boundary::{boundary, boundary_or},
    callback::{Inside, UserData, mqtt_destroy},
    handle::{self, Output},
    message::mqtt_message,
    operation::{self, Yield, mqtt_operation},
    property::mqtt_properties,
    publish::mqtt_publish_options,
    session::mqtt_session,
    status::mqtt_status,
    subscribe,
    value::{self, CENTURY},
};

/// How to ask, for mqtt_session_request. One object serves any number of requests.
#[derive(Default)]
pub struct mqtt_request_options(RequestOptions);

/// The answer that a responder gives; nothing is answered while nothing has been set.
#[derive(Default)]
pub struct mqtt_response(Option<Response>);

/// Answers the requests to a filter.
///
/// What it sets of the response is sent when it has returned: to the topic that the request names,
/// with the request's correlation data. To answer later it sets nothing, keeps the request
/// (mqtt_message_keep) and calls mqtt_session_reply. After mqtt_message_fail nothing is answered.
///
/// @param request Borrowed. Valid until the function returns; as in a mqtt_message_handler.
/// @param response Borrowed. The answer; valid until the function returns.
/// @param user_data Borrowed. The user data of the triple.
pub type mqtt_responder = Option<
    unsafe extern "C" fn(
        request: *const mqtt_message<'_>,
        response: *mut mqtt_response,
        user_data: *mut c_void,
    ),
>;

/// Makes request options: quality of service 1, no properties.
///
/// @param options Output. The options; free them with mqtt_request_options_free.
/// @return MQTT_OK.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_request_options_new(
    options: *mut *mut mqtt_request_options,
) -> mqtt_status {
    boundary(|| {
        let options = Output::required(options, "options")?;
        // SAFETY: the caller's place for a pointer.
        unsafe { options.write(handle::give(mqtt_request_options::default())) };
        Ok(())
    })
}

/// Frees request options. Requests that were made with them are not affected.
///
/// @param options Taken. The options, or NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_request_options_free(options: *mut mqtt_request_options) {
    boundary_or((), || {
        // SAFETY: the caller's options, by the conventions.
        drop(unsafe { handle::take(options) });
        Ok(())
    });
}

/// Sets the quality of service of the request; mqtt_session_respond answers at the same.
///
/// @param options Borrowed. The options.
/// @param qos Value. 0, 1 (the default) or 2.
/// @return MQTT_OK; MQTT_INVALID_QOS.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_request_options_set_qos(
    options: *mut mqtt_request_options,
    qos: i32,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { handle::borrow_mut(options, "options") }?;
        options.0.qos = value::qos(qos)?;
        Ok(())
    })
}

/// Sets the properties of the request. They are copied. Response topic and correlation data are the
/// library's own.
///
/// @param options Borrowed. The options.
/// @param properties Borrowed. The properties; NULL for none.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_request_options_set_properties(
    options: *mut mqtt_request_options,
    properties: *const mqtt_properties,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { handle::borrow_mut(options, "options") }?;
        // SAFETY: a list of the caller's, by the conventions.
        options.0.properties = unsafe { mqtt_properties::block_of(properties) };
        Ok(())
    })
}

/// Asks: publishes a request and waits for its answer (MQTT 5.0). Any number may be under way.
///
/// @param session Borrowed. The session, which must have been told to connect.
/// @param topic Borrowed. The topic on which somebody answers, without wildcards.
/// @param payload Borrowed. The payload; may be NULL when the size is 0.
/// @param size Value. The number of bytes.
/// @param options Borrowed. How to ask; NULL for the defaults.
/// @param timeout_ms Value. How long the answer may take, above 0; MQTT_FOREVER has no limit. When
///        it has passed the request is over, and a later answer is dropped.
/// @param answer Output. The answer; free it with mqtt_message_free.
/// @return MQTT_OK; MQTT_TIMEOUT; MQTT_NO_RESPONDER when the broker says that nobody has subscribed
///         to the topic; MQTT_NOT_SUPPORTED before MQTT 5.0; those of mqtt_session_publish, and the
///         errors with which a publish ends; MQTT_SUBSCRIBE_REFUSED for the topic of the answers;
///         MQTT_INVALID_ARGUMENT for a response topic or correlation data of one's own;
///         MQTT_WOULD_DEADLOCK; MQTT_CANCELLED; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any; an inline one must use mqtt_session_request_start.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_request(
    session: *const mqtt_session,
    topic: *const c_char,
    payload: *const c_void,
    size: usize,
    options: *const mqtt_request_options,
    timeout_ms: i64,
    answer: *mut *mut mqtt_message<'static>,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?.hold();
        let place = Output::required(answer, "answer")?;
        // SAFETY: what the caller gave, by the conventions.
        let asked = unsafe { ask(&session, topic, payload, size, options, timeout_ms) }?;
        // It ends by its own timeout.
        let answer = asked.wait(None)?;
        // SAFETY: the caller's place for a pointer.
        unsafe { place.write(handle::give(mqtt_message::kept(answer))) };
        Ok(())
    })
}

/// Asks without waiting: otherwise as mqtt_session_request.
///
/// @param session Borrowed. The session, which must have been told to connect.
/// @param topic Borrowed. The topic on which somebody answers, without wildcards.
/// @param payload Borrowed. The payload; may be NULL when the size is 0.
/// @param size Value. The number of bytes.
/// @param options Borrowed. How to ask; NULL for the defaults.
/// @param timeout_ms Value. How long the answer may take, above 0; MQTT_FOREVER has no limit.
/// @param operation Output. Ends with the answer, which mqtt_operation_message gives, or as
///        mqtt_session_request returns; free it with mqtt_operation_free.
/// @return MQTT_OK; MQTT_NOT_SUPPORTED before MQTT 5.0; those of mqtt_session_publish.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_request_start(
    session: *const mqtt_session,
    topic: *const c_char,
    payload: *const c_void,
    size: usize,
    options: *const mqtt_request_options,
    timeout_ms: i64,
    operation: *mut *mut mqtt_operation,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    let begin =
        |session: &Session| unsafe { ask(session, topic, payload, size, options, timeout_ms) };
    let yields = |answer| Ok(Yield::Answer(answer));
    // SAFETY: the same.
    unsafe { operation::start(session, operation, begin, yields) }
}

/// Subscribes to a filter whose messages are answered (MQTT 5.0), and waits for the broker's
/// answer. It is a subscription like any other: renewed when need be, ended by
/// mqtt_session_unsubscribe. For one with properties or with further choices, use
/// mqtt_session_subscribe_with and call mqtt_session_reply.
///
/// @param session Borrowed. The session.
/// @param filter Borrowed. The filter, as for mqtt_session_subscribe.
/// @param qos Value. The highest quality of service of requests and answers: 0, 1 or 2.
/// @param timeout_ms Value. The longest time to wait; 0 starts it, MQTT_FOREVER has no limit.
/// @param responder Callback. Answers the requests; NULL is MQTT_INVALID_ARGUMENT.
/// @param user_data Taken. Its user data, kept until the subscription ends.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @param granted Output, optional. The quality of service that the broker granted.
/// @return As mqtt_session_subscribe; MQTT_NOT_SUPPORTED before MQTT 5.0.
/// @threads Any.
/// @callbacks Any; an inline one can only start it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_respond(
    session: *const mqtt_session,
    filter: *const c_char,
    qos: i32,
    timeout_ms: i64,
    responder: mqtt_responder,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
    granted: *mut i32,
) -> mqtt_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: what the caller gave, by the conventions.
    let begin = |session: &Session| unsafe { answer(session, filter, qos, responder, user_data) };
    // SAFETY: the caller's place for a number, or NULL.
    let end = |grant| unsafe { subscribe::write(grant, granted) };
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::run(session, timeout_ms, begin, end) }
}

/// Starts to subscribe to a filter whose messages are answered, without waiting.
///
/// @param session Borrowed. The session.
/// @param filter Borrowed. The filter, as for mqtt_session_subscribe.
/// @param qos Value. The highest quality of service of requests and answers: 0, 1 or 2.
/// @param responder Callback. Answers the requests; NULL is MQTT_INVALID_ARGUMENT.
/// @param user_data Taken. Its user data, kept until the subscription ends.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @param operation Output. Ends with the broker's answer, of which mqtt_operation_granted tells;
///        free it with mqtt_operation_free.
/// @return MQTT_OK; MQTT_NOT_SUPPORTED before MQTT 5.0; MQTT_INVALID_FILTER; MQTT_INVALID_UTF8;
///         MQTT_INVALID_QOS; MQTT_TOO_MANY_SUBSCRIPTIONS; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_respond_start(
    session: *const mqtt_session,
    filter: *const c_char,
    qos: i32,
    responder: mqtt_responder,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
    operation: *mut *mut mqtt_operation,
) -> mqtt_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: what the caller gave, by the conventions.
    let begin = |session: &Session| unsafe { answer(session, filter, qos, responder, user_data) };
    // SAFETY: the same.
    unsafe { operation::start(session, operation, begin, Yield::end) }
}

/// Sets the payload of an answer.
///
/// @param response Borrowed. The response that the responder was given, within the call.
/// @param payload Borrowed. The payload, which is copied; may be NULL when the size is 0.
/// @param size Value. The number of bytes.
/// @return MQTT_OK.
/// @threads The one on which the responder runs.
/// @callbacks The responder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_response_set_payload(
    response: *mut mqtt_response,
    payload: *const c_void,
    size: usize,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: the responder's response, by the conventions.
        let response = unsafe { handle::borrow_mut(response, "response") }?;
        // SAFETY: bytes of the caller's, by the conventions.
        let payload = unsafe { value::bytes(payload, size, "payload") }?;
        response.0.get_or_insert_default().payload = payload.to_vec().into();
        Ok(())
    })
}

/// Sets the properties of an answer. They are copied; the request's correlation data is added.
///
/// @param response Borrowed. The response that the responder was given, within the call.
/// @param properties Borrowed. The properties; NULL for none.
/// @return MQTT_OK.
/// @threads The one on which the responder runs.
/// @callbacks The responder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_response_set_properties(
    response: *mut mqtt_response,
    properties: *const mqtt_properties,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: the responder's response, by the conventions.
        let response = unsafe { handle::borrow_mut(response, "response") }?;
        // SAFETY: a list of the caller's, by the conventions.
        let properties = unsafe { mqtt_properties::block_of(properties) };
        response.0.get_or_insert_default().properties = properties;
        Ok(())
    })
}

/// Answers a request: publishes to the topic that it names, with its correlation data.
///
/// @param session Borrowed. The session, which must have been told to connect.
/// @param request Borrowed. The request, lent to a handler or kept.
/// @param payload Borrowed. The payload; may be NULL when the size is 0.
/// @param size Value. The number of bytes.
/// @param options Borrowed. How it is published; NULL for the defaults.
/// @param number Output, optional. The number of the message, for mqtt_session_wait.
/// @return As mqtt_session_publish; MQTT_INVALID_ARGUMENT when the message asks for no answer.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_reply(
    session: *const mqtt_session,
    request: *const mqtt_message<'_>,
    payload: *const c_void,
    size: usize,
    options: *const mqtt_publish_options,
    number: *mut u64,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        // SAFETY: a message of ours, by the conventions.
        let request = unsafe { handle::borrow(request, "request") }?;
        // SAFETY: bytes of the caller's, by the conventions.
        let payload = unsafe { value::bytes(payload, size, "payload") }?;
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { mqtt_publish_options::read(options) };
        let address = request.reply_address().ok_or_else(|| {
            Error::new(Code::InvalidArgument, "The message names no topic for an answer")
        })?;
        let accepted = session.hold().reply(&address, Payload::Borrowed(payload), options)?;
        // SAFETY: the caller's place for a number, or NULL.
        unsafe { Output::optional(number).write(accepted) };
        Ok(())
    })
}

/// Publishes a request.
///
/// # Safety
/// The pointers are what C gave, and keep the conventions.
unsafe fn ask(
    session: &Session,
    topic: *const c_char,
    payload: *const c_void,
    size: usize,
    options: *const mqtt_request_options,
    timeout_ms: i64,
) -> Result<Operation<OwnedMessage>> {
    // SAFETY: a text of the caller's, by the conventions.
    let topic = unsafe { value::text(topic, "topic") }?;
    // SAFETY: bytes of the caller's, by the conventions.
    let payload = unsafe { value::bytes(payload, size, "payload") }?;
    if timeout_ms == 0 {
        return Err(Error::new(Code::InvalidArgument, "An answer takes longer than no time"));
    }
    let timeout = value::timeout(timeout_ms)?.unwrap_or(CENTURY).min(CENTURY);
    // SAFETY: options of the caller's, by the conventions.
    let options = unsafe { handle::borrow_optional(options) };
    let options = options.map(|options| options.0.clone()).unwrap_or_default();
    let options = RequestOptions { timeout, ..options };
    session.request(topic, Payload::Borrowed(payload), options)
}

/// Subscribes a responder.
///
/// # Safety
/// The pointers are what C gave, and keep the conventions.
unsafe fn answer(
    session: &Session,
    filter: *const c_char,
    qos: i32,
    responder: mqtt_responder,
    user_data: UserData,
) -> Result<Operation<Granted>> {
    let function = responder.ok_or_else(|| handle::null("responder"))?;
    // SAFETY: a text of the caller's, by the conventions.
    let filter = unsafe { value::text(filter, "filter") }?;
    let options = SubscriptionOptions { qos: value::qos(qos)?, ..Default::default() };
    session.respond(filter, options, Arc::new(Answering { function, user_data }))
}

/// A C function as a responder.
struct Answering {
    function: unsafe extern "C" fn(*const mqtt_message<'_>, *mut mqtt_response, *mut c_void),
    user_data: UserData,
}

impl Responder for Answering {
    fn respond(&self, request: &Message<'_>) -> Result<Option<Response>> {
        let _inside = Inside::enter();
        let request = mqtt_message::received(request);
        let mut response = mqtt_response::default();
        // SAFETY: the triple is the caller's promise; request and response outlive the call.
        unsafe { (self.function)(&raw const request, &raw mut response, self.user_data.data) };
        match request.handled() {
            Handled::Failed => {
                Err(Error::new(Code::Cancelled, "The responder gave the request up"))
            }
            Handled::Done | Handled::Deferred => Ok(response.0),
        }
    }
}
