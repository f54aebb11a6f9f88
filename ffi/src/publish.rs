//! Publishing, and learning how it ended.

use std::{
    ffi::{c_char, c_void},
    sync::Arc,
    time::Duration,
};

use mqttsession::{
    client::{Lent, Payload, PublishOptions, Session},
    error::{Code, Error},
    protocol::{PropertyBlock, QoS},
};

use crate::{
    boundary::{boundary, boundary_or},
    callback::{self, UserData, mqtt_destroy, mqtt_publish_handler},
    handle::{self, Output},
    operation::{self, Yield, mqtt_operation},
    outcome::mqtt_outcome,
    property::mqtt_properties,
    session::mqtt_session,
    status::mqtt_status,
    value::{self, CENTURY},
};

/// How a message is published, for mqtt_session_publish_with, mqtt_session_publish_lent and
/// mqtt_session_reply. One object serves any number of publishes.
#[derive(Default)]
pub struct mqtt_publish_options {
    qos: QoS,
    retain: bool,
    properties: PropertyBlock,
    time_to_live: Option<Duration>,
}

/// Makes publish options: quality of service 0, not retained, no properties, the time to live that
/// the session's options say.
///
/// @param options Output. The options; free them with mqtt_publish_options_free.
/// @return MQTT_OK.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_publish_options_new(
    options: *mut *mut mqtt_publish_options,
) -> mqtt_status {
    boundary(|| {
        let options = Output::required(options, "options")?;
        // SAFETY: the caller's place for a pointer.
        unsafe { options.write(handle::give(mqtt_publish_options::default())) };
        Ok(())
    })
}

/// Frees publish options.
///
/// @param options Taken. The options, or NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_publish_options_free(options: *mut mqtt_publish_options) {
    boundary_or((), || {
        // SAFETY: the caller's options, by the conventions.
        drop(unsafe { handle::take(options) });
        Ok(())
    });
}

/// Sets the quality of service.
///
/// @param options Borrowed. The options.
/// @param qos Value. 0, 1 or 2.
/// @return MQTT_OK; MQTT_INVALID_QOS.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_publish_options_set_qos(
    options: *mut mqtt_publish_options,
    qos: i32,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { handle::borrow_mut(options, "options") }?;
        options.qos = value::qos(qos)?;
        Ok(())
    })
}

/// Says whether the broker keeps the message for later subscribers.
///
/// @param options Borrowed. The options.
/// @param retain Value. Yes to have it kept.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_publish_options_set_retain(
    options: *mut mqtt_publish_options,
    retain: i32,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { handle::borrow_mut(options, "options") }?;
        options.retain = retain != 0;
        Ok(())
    })
}

/// Sets the properties of the message (MQTT 5.0). They are copied.
///
/// @param options Borrowed. The options.
/// @param properties Borrowed. The properties; NULL for none.
/// @return MQTT_OK.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_publish_options_set_properties(
    options: *mut mqtt_publish_options,
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

/// Sets how long the message may wait for being sent. What has not been sent by then ends as
/// MQTT_EXPIRED. Until this is set, mqtt_options_set_time_to_live counts.
///
/// @param options Borrowed. The options.
/// @param time_to_live_ms Value. Milliseconds above 0; MQTT_FOREVER for no limit.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT when it is negative; MQTT_INVALID_OPTION when it is 0.
/// @threads One at a time for each options object.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_publish_options_set_time_to_live(
    options: *mut mqtt_publish_options,
    time_to_live_ms: i64,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { handle::borrow_mut(options, "options") }?;
        let time_to_live = value::optional_duration(time_to_live_ms, "time_to_live_ms")?;
        if time_to_live == Some(Duration::ZERO) {
            return Err(Error::new(Code::InvalidOption, "A time to live must not be zero"));
        }
        // Said for this message, "no limit" overrules one of the session.
        options.time_to_live = Some(time_to_live.unwrap_or(CENTURY).min(CENTURY));
        Ok(())
    })
}

/// Publishes a message: hands it over and returns.
///
/// It is accepted also while the connection is lost, and sent when it is back. It ends exactly
/// once: written (quality of service 0), acknowledged (1 and 2), or with the error that says why
/// not. mqtt_session_wait tells of one message, mqtt_session_flush of all.
///
/// It waits only when the outgoing queue is full and its policy says so
/// (mqtt_options_set_outgoing_policy).
///
/// @param session Borrowed. The session, which must have been told to connect.
/// @param topic Borrowed. The topic, without wildcards, 1 to 65,535 bytes.
/// @param payload Borrowed. The payload; may be NULL when the size is 0.
/// @param size Value. The number of bytes; topic and payload fit in 268,435,455 together.
/// @param qos Value. 0, 1 or 2.
/// @param retain Value. Yes to have the broker keep it for later subscribers.
/// @param number Output, optional. The number of the message, above 0 and ascending.
/// @return MQTT_OK; MQTT_INVALID_TOPIC; MQTT_INVALID_UTF8; MQTT_INVALID_QOS;
///         MQTT_PAYLOAD_TOO_LARGE; MQTT_NOT_CONNECTED before mqtt_session_connect and after
///         mqtt_session_disconnect;
///         MQTT_QUEUE_FULL; MQTT_STORE_FULL, MQTT_STORE_READ_ONLY or MQTT_STORE_FAILED while the
///         session's store takes nothing (quality of service 1 and 2); MQTT_WOULD_DEADLOCK when it
///         would have to wait for the queue that this callback holds up; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_publish(
    session: *const mqtt_session,
    topic: *const c_char,
    payload: *const c_void,
    size: usize,
    qos: i32,
    retain: i32,
    number: *mut u64,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        // SAFETY: a text of the caller's, by the conventions.
        let topic = unsafe { value::text(topic, "topic") }?;
        // SAFETY: bytes of the caller's, by the conventions.
        let payload = unsafe { value::bytes(payload, size, "payload") }?;
        let qos = value::qos(qos)?;
        let options = || PublishOptions { qos, retain: retain != 0, ..PublishOptions::default() };
        // Most often there is room, and then the handle is borrowed only: no count is touched.
        let accepted = match session.inner.try_publish(topic, Payload::Borrowed(payload), options())
        {
            Err(error) if error.code() == Code::QueueFull => {
                session.hold().publish(topic, Payload::Borrowed(payload), options())?
            }
            done => done?,
        };
        // SAFETY: the caller's place for a number, or NULL.
        unsafe { Output::optional(number).write(accepted) };
        Ok(())
    })
}

/// Publishes a message with all there is to say about it, and calls back when it has ended.
///
/// Otherwise as mqtt_session_publish. The handler may be called before this function returns.
///
/// @param session Borrowed. The session, which must have been told to connect.
/// @param topic Borrowed. The topic, without wildcards, 1 to 65,535 bytes.
/// @param payload Borrowed. The payload; may be NULL when the size is 0.
/// @param size Value. The number of bytes.
/// @param options Borrowed. How it is published; NULL for the defaults.
/// @param handler Callback. Told once how it ended, in order with the session's other callbacks;
///        NULL for none.
/// @param user_data Taken. Its user data.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @param number Output, optional. The number of the message, above 0 and ascending.
/// @return As mqtt_session_publish; MQTT_NOT_SUPPORTED for properties before MQTT 5.0. After an
///         error the handler is not called; the user data is destroyed.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_publish_with(
    session: *const mqtt_session,
    topic: *const c_char,
    payload: *const c_void,
    size: usize,
    options: *const mqtt_publish_options,
    handler: mqtt_publish_handler,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
    number: *mut u64,
) -> mqtt_status {
    boundary(|| {
        let completion = callback::completion(handler, UserData::new(user_data, destroy));
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        // SAFETY: a text of the caller's, by the conventions.
        let topic = unsafe { value::text(topic, "topic") }?;
        // SAFETY: bytes of the caller's, by the conventions.
        let payload = unsafe { value::bytes(payload, size, "payload") }?;
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { mqtt_publish_options::read(options) };
        let options = PublishOptions { completion, ..options };
        let accepted = session.hold().publish(topic, Payload::Borrowed(payload), options)?;
        // SAFETY: the caller's place for a number, or NULL.
        unsafe { Output::optional(number).write(accepted) };
        Ok(())
    })
}

/// Publishes a message whose payload is lent: from 16 KiB on it is never copied, however long it waits
/// and however often it is sent. (A connection with TLS encrypts it into memory of its own.)
///
/// Otherwise as mqtt_session_publish_with. The payload has to stay where and as it is until `destroy`
/// is called: exactly once, whatever becomes of the message, when the handler has returned and the
/// library has done with the payload. It has done with it when the message has been written (quality
/// of service 0), acknowledged (1), confirmed for the first time (2), or has ended in another way, and
/// has been stored where it had to be. With a smaller payload, which is copied, it has done when this
/// call returns. When mqtt_session_free has returned, outside callbacks, every `destroy` has.
///
/// `destroy` runs where the session's callbacks run, after or between them, or in this function before
/// it returns: when it fails, and when the library has done with the payload by then. So hold no lock
/// during the call that `destroy` takes. It may call any function, as callbacks may.
///
/// A program that needs no handler gives NULL for it, and as `destroy` what frees the buffer:
/// mqtt_session_publish_lent(session, topic, buffer, size, options, NULL, buffer, free, NULL).
///
/// @param session Borrowed. The session, which must have been told to connect.
/// @param topic Borrowed. The topic, without wildcards, 1 to 65,535 bytes.
/// @param payload Lent. The payload; may be NULL when the size is 0.
/// @param size Value. The number of bytes.
/// @param options Borrowed. How it is published; NULL for the defaults.
/// @param handler Callback. Told once how it ended, in order with the session's other callbacks;
///        NULL for none.
/// @param user_data Taken. Its user data, and the payload's.
/// @param destroy Callback. Ends the user data and the loan; NULL for a payload that is never freed or
///        changed.
/// @param number Output, optional. The number of the message, above 0 and ascending.
/// @return As mqtt_session_publish_with. After an error the handler is not called; the loan has ended
///         and the user data is destroyed.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_publish_lent(
    session: *const mqtt_session,
    topic: *const c_char,
    payload: *const c_void,
    size: usize,
    options: *const mqtt_publish_options,
    handler: mqtt_publish_handler,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
    number: *mut u64,
) -> mqtt_status {
    boundary(|| {
        let user_data = Arc::new(UserData::new(user_data, destroy));
        let completion = callback::completion(handler, user_data.clone());
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        // SAFETY: a text of the caller's, by the conventions.
        let topic = unsafe { value::text(topic, "topic") }?;
        // SAFETY: bytes that the caller lends until the user data is destroyed, by the conventions.
        let bytes = unsafe { value::bytes(payload, size, "payload") }?;
        let payload = Lent::new(LentBytes { bytes, _until_destroyed: user_data });
        // SAFETY: options of the caller's, by the conventions.
        let options = unsafe { mqtt_publish_options::read(options) };
        let options = PublishOptions { completion, ..options };
        let accepted = session.hold().publish_lent(topic, payload, options)?;
        // SAFETY: the caller's place for a number, or NULL.
        unsafe { Output::optional(number).write(accepted) };
        Ok(())
    })
}

/// Waits until a message has ended.
///
/// @param session Borrowed. The session.
/// @param number Value. The number of the message, from a publish of this session.
/// @param timeout_ms Value. The longest time to wait; 0 asks, MQTT_FOREVER has no limit.
/// @param outcome Output, optional. What the broker answered; free it with mqtt_outcome_free.
/// @return MQTT_OK when it was written (quality of service 0) or acknowledged (1 and 2);
///         MQTT_TIMEOUT when it goes on; MQTT_PUBLISH_REFUSED, MQTT_EXPIRED, MQTT_DROPPED,
///         MQTT_SET_ASIDE, MQTT_STORE_FAILED, MQTT_SESSION_LOST, MQTT_LEFT_IN_STORE or MQTT_CANCELLED
///         when it ended so, about which mqtt_last_error_reason_code and its sisters tell what the
///         broker said;
///         MQTT_UNKNOWN_MESSAGE; MQTT_WOULD_DEADLOCK when it goes on and this thread must not wait.
/// @threads Any.
/// @callbacks Any; an inline one can only ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_wait(
    session: *const mqtt_session,
    number: u64,
    timeout_ms: i64,
    outcome: *mut *mut mqtt_outcome,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        let delivered = session.hold().wait(number, value::timeout(timeout_ms)?)?;
        if !outcome.is_null() {
            let made = handle::give(mqtt_outcome::new(Ok(delivered)));
            // SAFETY: the caller's place for a pointer.
            unsafe { Output::optional(outcome).write(made) };
        }
        Ok(())
    })
}

/// Waits until a message is in the session's store (mqtt_options_set_store): from then on it survives
/// the process, and whatever else mqtt_options_set_durability asked for.
///
/// Nothing of quality of service 0 is stored; for such a message it succeeds at once.
///
/// @param session Borrowed. The session.
/// @param number Value. The number of the message, from a publish of this session.
/// @param timeout_ms Value. The longest time to wait; 0 asks, MQTT_FOREVER has no limit.
/// @return MQTT_OK; MQTT_TIMEOUT when it goes on; MQTT_NOT_SUPPORTED without a store; MQTT_STORE_FULL,
///         MQTT_STORE_READ_ONLY or MQTT_STORE_FAILED while the store takes nothing, after which it may
///         be waited for again; the error with which the message ended before it was stored;
///         MQTT_UNKNOWN_MESSAGE; MQTT_WOULD_DEADLOCK when it goes on and this thread must not wait;
///         MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any; an inline one can only ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_wait_stored(
    session: *const mqtt_session,
    number: u64,
    timeout_ms: i64,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        session.hold().wait_stored(number, value::timeout(timeout_ms)?)
    })
}

/// Starts to wait until a message is in the session's store, without waiting here.
///
/// @param session Borrowed. The session.
/// @param number Value. The number of the message, from a publish of this session.
/// @param operation Output. Ends as mqtt_session_wait_stored returns; free it with
///        mqtt_operation_free.
/// @return MQTT_OK; MQTT_NOT_SUPPORTED without a store; MQTT_UNKNOWN_MESSAGE; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_wait_stored_start(
    session: *const mqtt_session,
    number: u64,
    operation: *mut *mut mqtt_operation,
) -> mqtt_status {
    let begin = |session: &Session| session.stored(number);
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::start(session, operation, begin, Yield::nothing) }
}

/// Waits until every message that was accepted before this call has ended.
///
/// @param session Borrowed. The session.
/// @param timeout_ms Value. The longest time to wait; 0 asks, MQTT_FOREVER has no limit.
/// @return MQTT_OK, however the messages ended; MQTT_TIMEOUT when some go on; MQTT_WOULD_DEADLOCK
///         when some go on and this thread must not wait; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any; an inline one can only ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_flush(
    session: *const mqtt_session,
    timeout_ms: i64,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?;
        let timeout = value::timeout(timeout_ms)?;
        session.hold().flush()?.wait(timeout)
    })
}

/// Starts to wait for every message that was accepted before this call, without waiting here.
///
/// @param session Borrowed. The session.
/// @param operation Output. Ends when all have ended; free it with mqtt_operation_free.
/// @return MQTT_OK; MQTT_CLOSED.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_session_flush_start(
    session: *const mqtt_session,
    operation: *mut *mut mqtt_operation,
) -> mqtt_status {
    // SAFETY: what the caller gave, by the conventions.
    unsafe { operation::start(session, operation, Session::flush, Yield::nothing) }
}

impl mqtt_publish_options {
    /// What the options say; the defaults for NULL.
    ///
    /// # Safety
    /// The pointer is NULL or points to living options that nobody changes during the call.
    pub(crate) unsafe fn read(options: *const Self) -> PublishOptions {
        // SAFETY: the caller's promise.
        match unsafe { handle::borrow_optional(options) } {
            None => PublishOptions::default(),
            Some(options) => PublishOptions {
                qos: options.qos,
                retain: options.retain,
                properties: options.properties.clone(),
                time_to_live: options.time_to_live,
                completion: None,
            },
        }
    }
}

/// A payload that C lends, with what says for how long.
struct LentBytes {
    /// Not longer, and only in here.
    bytes: &'static [u8],
    _until_destroyed: Arc<UserData>,
}

impl AsRef<[u8]> for LentBytes {
    fn as_ref(&self) -> &[u8] {
        self.bytes
    }
}
