//! The object and its functions.

use std::{
    ffi::{c_char, c_void},
    sync::Arc,
};

use mqttsession::error::Result;

use super::{
    property::Property,
    session::{MessageProcedure, PublishProcedure, mqttSession},
};
use crate::{
    boundary::boundary_or,
    callback, error,
    handle::{self, Output},
    library, value,
};

/// Receives one message of a subscription. Session, topic and data are valid until it returns.
pub type mqttMessageProcedure = Option<
    unsafe extern "C" fn(
        session: *mut mqttSession,
        topic: *const c_char,
        data: *const c_void,
        size: usize,
        user_data: *mut c_void,
    ),
>;

/// Is told that a publication is complete: written (QoS 0, whose number is 0), or confirmed by the
/// broker (QoS 1 and 2).
pub type mqttPublishProcedure = Option<
    unsafe extern "C" fn(session: *mut mqttSession, message_number: i64, user_data: *mut c_void),
>;

/// Makes a session object.
///
/// @return The object, to be ended with mqttSessionFree; NULL when memory is out.
#[unsafe(no_mangle)]
pub extern "C" fn mqttSessionNew() -> *mut mqttSession {
    boundary_or(std::ptr::null_mut(), || {
        library::watch_forks();
        Ok(handle::share(Arc::new(mqttSession::new())))
    })
}

/// Ends a session object; disconnects it first if it is connected, as MQTTDisconnect does.
///
/// Outside procedures it returns after the last one has returned; inside one it does not wait, and
/// gives up what has not been confirmed. What the StoreDirectory holds stays there.
///
/// @param session The object, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqttSessionFree(session: *mut mqttSession) {
    boundary_or((), || {
        // SAFETY: the caller's object, which is not used again.
        match unsafe { handle::unshare(session) } {
            // What the parent of a fork owns is left alone, its user data too.
            Some(session) if session.is_inherited() => std::mem::forget(session),
            Some(session) => {
                session.end();
                callback::drop_outside(session);
            }
            None => {}
        }
        Ok(())
    });
}

/// Sets a property.
///
/// @param session The object.
/// @param property Its name.
/// @param value Its value as text: "1883", "true", "10 s", "optionSSL".
/// @return 1, or 0 for an unknown property or a value that it cannot take.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqttSessionSet(
    session: *mut mqttSession,
    property: *const c_char,
    value: *const c_char,
) -> i32 {
    boundary_or(0, || {
        // SAFETY: the caller's object.
        let session = unsafe { hold(session) }?;
        // SAFETY: a text of the caller's.
        let property = Property::named(unsafe { value::text(property, "property") }?)?;
        // SAFETY: a text of the caller's.
        let value = unsafe { value::text(value, "value") }?;
        session.change(|settings| settings.set(property, value))?;
        Ok(1)
    })
}

/// Reads a property back as text. Passwords and the text of a private key are never given.
///
/// @param session The object.
/// @param property Its name.
/// @param buffer Receives the text and its NUL, cut off if it is longer; may be NULL when the
///        capacity is 0.
/// @param capacity The size of the buffer in bytes.
/// @return The length of the whole text in bytes without the NUL, or -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqttSessionText(
    session: *const mqttSession,
    property: *const c_char,
    buffer: *mut c_char,
    capacity: usize,
) -> i64 {
    boundary_or(-1, || {
        // SAFETY: the caller's object.
        let session = unsafe { hold(session) }?;
        // SAFETY: a text of the caller's.
        let property = Property::named(unsafe { value::text(property, "property") }?)?;
        let text = session.settings().text(property)?;
        if capacity > 0 {
            let place = Output::required(buffer, "buffer")?;
            // SAFETY: the caller's buffer has this capacity.
            unsafe { place.write_text(&text, capacity) };
        }
        Ok(i64::try_from(text.len()).unwrap_or(i64::MAX))
    })
}

/// Connects, and has every subscription granted that was made before.
///
/// It returns when the broker has answered or ConnectionTimeout has passed. Afterwards the session
/// reconnects by itself when the connection is lost.
///
/// @param session The object.
/// @return 1, or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn MQTTConnect(session: *mut mqttSession) -> i32 {
    // SAFETY: the caller's object.
    truth(|| mqttSession::connect(&unsafe { hold(session) }?))
}

/// Disconnects in good order: waits until each accepted publish has ended and its procedure has
/// returned, at most ConnectionTimeout, then closes the connection.
///
/// @param session The object; one that is not connected succeeds.
/// @return 1, or 0 when something had to be given up, or stays in the StoreDirectory: MQTTErrorInfo
///         says how much. The next session with this StoreDirectory and ClientID sends it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn MQTTDisconnect(session: *mut mqttSession) -> i32 {
    // SAFETY: the caller's object.
    truth(|| unsafe { hold(session) }?.disconnect())
}

/// Publishes a message. While the connection is lost, it is queued.
///
/// With a StoreDirectory it returns, for QoS 1 and 2, when the message is on disk: it waits for that
/// for ConnectionTimeout at most, inside a procedure too.
///
/// @param session The object, which must have been connected once.
/// @param topic The topic.
/// @param data The message, any bytes; at most 256 MB with the topic.
/// @param size Its number of bytes.
/// @param to_store 1 to have the broker keep it for later subscribers.
/// @param quality An mqttQuality...
/// @param procedure Called when the publication is complete; may be NULL. It is not called for one
///        that fails.
/// @param user_data Given to the procedure.
/// @return The message number for QoS 1 and 2, 0 for QoS 0, -1 on error. A -1 because the message did
///         not come to the disk does not take it back: it may still be stored and sent, without its
///         procedure, until the session is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn MQTTPublish(
    session: *mut mqttSession,
    topic: *const c_char,
    data: *const c_void,
    size: usize,
    to_store: i32,
    quality: i32,
    procedure: mqttPublishProcedure,
    user_data: *mut c_void,
) -> i64 {
    boundary_or(-1, || {
        // SAFETY: the caller's object.
        let session = unsafe { hold(session) }?;
        // SAFETY: a text of the caller's.
        let topic = unsafe { value::text(topic, "topic") }?;
        // SAFETY: bytes of the caller's.
        let data = unsafe { value::bytes(data, size, "data") }?;
        let quality = value::qos(quality)?;
        let procedure = procedure.map(|function| PublishProcedure { function, user_data });
        session.publish(topic, data, to_store != 0, quality, procedure)
    })
}

/// Subscribes to a topic, with or without wildcards. Subscribing again replaces the procedure.
///
/// Before MQTTConnect it is legal and true; it is granted then.
///
/// @param session The object.
/// @param topic The topic.
/// @param quality An mqttQuality...
/// @param procedure Called once for each message.
/// @param user_data Given to the procedure.
/// @return 1 once the broker has granted it, or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn MQTTSubscribe(
    session: *mut mqttSession,
    topic: *const c_char,
    quality: i32,
    procedure: mqttMessageProcedure,
    user_data: *mut c_void,
) -> i32 {
    truth(|| {
        // SAFETY: the caller's object.
        let session = unsafe { hold(session) }?;
        // SAFETY: a text of the caller's.
        let topic = unsafe { value::text(topic, "topic") }?;
        let function = procedure.ok_or_else(|| handle::null("procedure"))?;
        session.subscribe(topic, value::qos(quality)?, MessageProcedure { function, user_data })
    })
}

/// Ends a subscription. An unknown topic is true.
///
/// @param session The object.
/// @param topic The topic, as it was subscribed to.
/// @return 1, or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn MQTTUnsubscribe(session: *mut mqttSession, topic: *const c_char) -> i32 {
    truth(|| {
        // SAFETY: the caller's object.
        let session = unsafe { hold(session) }?;
        // SAFETY: a text of the caller's.
        session.unsubscribe(unsafe { value::text(topic, "topic") }?)
    })
}

/// Ends every subscription of the session.
///
/// @param session The object.
/// @return 1, or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn MQTTUnsubscribeAll(session: *mut mqttSession) -> i32 {
    // SAFETY: the caller's object.
    truth(|| unsafe { hold(session) }?.unsubscribe_all())
}

/// Gives the text of this thread's last failure.
///
/// @return The text, "" if there was none; valid until this thread's next call.
#[unsafe(no_mangle)]
pub extern "C" fn MQTTErrorInfo() -> *const c_char {
    error::last_sentence()
}

/// The object for the length of a call, which it outlives when another thread frees it.
///
/// # Safety
/// The pointer is NULL or comes from `mqttSessionNew` and has not been freed.
unsafe fn hold(session: *const mqttSession) -> Result<Arc<mqttSession>> {
    // SAFETY: the caller's promise.
    let session = unsafe { handle::hold(session, "session") }?;
    session.check_owner()?;
    Ok(session)
}

fn truth(body: impl FnOnce() -> Result<()>) -> i32 {
    boundary_or(0, || body().map(|()| 1))
}
