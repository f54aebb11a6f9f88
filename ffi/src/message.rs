//! Received messages, and the right to acknowledge them later.

use std::{cell::Cell, sync::OnceLock};

use mqttsession::{
    client::{Acknowledgement, Handled, Message, OwnedMessage, ReplyAddress},
    error::{Code, Error, Result},
};

use crate::{
    boundary::{boundary, boundary_or},
    handle::{self, Output},
    property::mqtt_properties,
    status::mqtt_status,
    value::{self, mqtt_view},
};

/// A received message: borrowed by a handler for its call, or kept.
pub struct mqtt_message<'a> {
    source: Source<'a>,
    /// A copy that is made when the properties are first asked for.
    properties: OnceLock<mqtt_properties>,
}

/// The right to acknowledge one received message, later and from any thread.
pub struct mqtt_acknowledgement(Acknowledgement);

/// Gives the topic to which the message was published.
///
/// @param message Borrowed.
/// @return The topic, valid as long as the message; empty for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_message_topic(message: *const mqtt_message<'_>) -> mqtt_view {
    boundary_or(mqtt_view::EMPTY, || {
        // SAFETY: a message of ours, by the conventions.
        let message = unsafe { handle::borrow(message, "message") }?;
        Ok(mqtt_view::new(match &message.source {
            Source::Received(message, _) => message.topic().as_bytes(),
            Source::Kept(message) => message.topic().as_bytes(),
        }))
    })
}

/// Gives the payload of the message.
///
/// @param message Borrowed.
/// @return The payload, valid as long as the message; empty for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_message_payload(message: *const mqtt_message<'_>) -> mqtt_view {
    boundary_or(mqtt_view::EMPTY, || {
        // SAFETY: a message of ours, by the conventions.
        let message = unsafe { handle::borrow(message, "message") }?;
        Ok(mqtt_view::new(match &message.source {
            Source::Received(message, _) => message.payload(),
            Source::Kept(message) => message.payload(),
        }))
    })
}

/// Gives the quality of service with which the broker delivered the message.
///
/// @param message Borrowed.
/// @return 0, 1 or 2; -1 for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_message_qos(message: *const mqtt_message<'_>) -> i32 {
    boundary_or(-1, || {
        // SAFETY: a message of ours, by the conventions.
        let message = unsafe { handle::borrow(message, "message") }?;
        Ok(match &message.source {
            Source::Received(message, _) => message.qos() as i32,
            Source::Kept(message) => message.qos() as i32,
        })
    })
}

/// Says whether the message is one that the broker had retained, sent because of a new
/// subscription (or, with mqtt_subscribe_options_set_retain_as_published, was published so).
///
/// @param message Borrowed.
/// @return 1 if so, else 0; 0 for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_message_retain(message: *const mqtt_message<'_>) -> i32 {
    boundary_or(0, || {
        // SAFETY: a message of ours, by the conventions.
        let message = unsafe { handle::borrow(message, "message") }?;
        Ok(i32::from(match &message.source {
            Source::Received(message, _) => message.retain(),
            Source::Kept(message) => message.retain(),
        }))
    })
}

/// Says whether the broker marked the message as a repetition: it may have been delivered before.
///
/// @param message Borrowed.
/// @return 1 if so, else 0; 0 for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_message_duplicate(message: *const mqtt_message<'_>) -> i32 {
    boundary_or(0, || {
        // SAFETY: a message of ours, by the conventions.
        let message = unsafe { handle::borrow(message, "message") }?;
        Ok(i32::from(match &message.source {
            Source::Received(message, _) => message.duplicate(),
            Source::Kept(message) => message.duplicate(),
        }))
    })
}

/// Says whether a handler may have seen the message before: an earlier process, or the machine, went
/// down while it was being handled. Only with a store, and only at quality of service 2; without it a
/// message of quality of service 2 comes once.
///
/// @param message Borrowed.
/// @return 1 if so, else 0; 0 for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_message_redelivered(message: *const mqtt_message<'_>) -> i32 {
    boundary_or(0, || {
        // SAFETY: a message of ours, by the conventions.
        let message = unsafe { handle::borrow(message, "message") }?;
        Ok(i32::from(match &message.source {
            Source::Received(message, _) => message.redelivered(),
            Source::Kept(message) => message.redelivered(),
        }))
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
pub unsafe extern "C" fn mqtt_message_properties(
    message: *const mqtt_message<'_>,
) -> *const mqtt_properties {
    boundary_or(std::ptr::null(), || {
        // SAFETY: a message of ours, by the conventions.
        let message = unsafe { handle::borrow(message, "message") }?;
        if let Some(properties) = message.properties.get() {
            return Ok(&raw const *properties);
        }
        let copy = mqtt_properties::copy(match &message.source {
            Source::Received(message, _) => message.properties(),
            Source::Kept(message) => message.properties(),
        })?;
        Ok(&raw const *message.properties.get_or_init(|| copy))
    })
}

/// Keeps a message beyond the call of its handler. A small payload is copied, a large one shared.
///
/// Keeping has nothing to do with acknowledging: see mqtt_message_acknowledgement.
///
/// @param message Borrowed. A message that a handler was given, or a kept one.
/// @param kept Output. The kept message; free it with mqtt_message_free.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_message_keep(
    message: *const mqtt_message<'_>,
    kept: *mut *mut mqtt_message<'static>,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a message of ours, by the conventions.
        let message = unsafe { handle::borrow(message, "message") }?;
        let kept = Output::required(kept, "kept")?;
        let source = match &message.source {
            Source::Received(message, _) => message.keep(),
            Source::Kept(message) => message.clone(),
        };
        let copy =
            mqtt_message { source: Source::Kept(source), properties: message.properties.clone() };
        // SAFETY: the caller's place for a pointer.
        unsafe { kept.write(handle::give(copy)) };
        Ok(())
    })
}

/// Frees a kept message. Never for the message that a handler was given.
///
/// @param message Taken. A message from mqtt_message_keep or an answer to a request, or NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_message_free(message: *mut mqtt_message<'static>) {
    boundary_or((), || {
        // SAFETY: the caller's kept message, by the conventions.
        drop(unsafe { handle::take(message) });
        Ok(())
    });
}

/// Takes the right to acknowledge a message later: its handler returns, and the broker is told
/// nothing until mqtt_acknowledgement_send.
///
/// Acknowledgements leave in the order in which the messages arrived, so one that never comes
/// holds back the later ones of its kind. One that is freed unused acknowledges nothing: the
/// broker sends the message again on the next connection.
///
/// @param message Borrowed. The message that the handler was given, within the call.
/// @param acknowledgement Output. The right; end it with mqtt_acknowledgement_send,
///        mqtt_acknowledgement_refuse or mqtt_acknowledgement_free.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for NULL, for a kept message, or when it has been taken
///         already.
/// @threads The one on which the handler runs.
/// @callbacks The handler of the message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_message_acknowledgement(
    message: *const mqtt_message<'_>,
    acknowledgement: *mut *mut mqtt_acknowledgement,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a message of ours, by the conventions.
        let message = unsafe { handle::borrow(message, "message") }?;
        let acknowledgement = Output::required(acknowledgement, "acknowledgement")?;
        let Source::Received(received, verdict) = &message.source else {
            return Err(not_in_handler());
        };
        if verdict.replace(Handled::Deferred) == Handled::Deferred {
            return Err(Error::new(
                Code::InvalidArgument,
                "The acknowledgement of this message has been taken already",
            ));
        }
        let right = mqtt_acknowledgement(received.acknowledgement());
        // SAFETY: the caller's place for a pointer.
        unsafe { acknowledgement.write(handle::give(right)) };
        Ok(())
    })
}

/// Reports that the handler could not deal with the message. What becomes of it says
/// mqtt_options_set_on_failure.
///
/// @param message Borrowed. The message that the handler was given, within the call.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for NULL, for a kept message, or when its
///         acknowledgement has been taken.
/// @threads The one on which the handler runs.
/// @callbacks The handler of the message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_message_fail(message: *const mqtt_message<'_>) -> mqtt_status {
    boundary(|| {
        // SAFETY: a message of ours, by the conventions.
        let message = unsafe { handle::borrow(message, "message") }?;
        let Source::Received(_, verdict) = &message.source else {
            return Err(not_in_handler());
        };
        if verdict.get() == Handled::Deferred {
            return Err(Error::new(
                Code::InvalidArgument,
                "The acknowledgement of this message has been taken; refuse it instead",
            ));
        }
        verdict.set(Handled::Failed);
        Ok(())
    })
}

/// Acknowledges a message. With a store that of a message of QoS 2 survives the process when this
/// returns; where several handlers get the message, or several rights were taken, when the last of
/// them has returned or been used.
///
/// @param acknowledgement Taken. The right, which is used up whatever the result.
/// @return MQTT_OK; MQTT_SESSION_LOST when the broker has lost the session, so that there is nothing
///         left to acknowledge; MQTT_STORE_FULL, MQTT_STORE_READ_ONLY or MQTT_STORE_FAILED when the
///         store does not take the acknowledgement, which leaves when it does; MQTT_CLOSED when the
///         store has been closed.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_acknowledgement_send(
    acknowledgement: *mut mqtt_acknowledgement,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: the caller's right, by the conventions.
        unsafe { take(acknowledgement) }?.acknowledge()
    })
}

/// Acknowledges a message with a negative reason (MQTT 5.0; before, it is a plain acknowledgement):
/// the broker is told that it was not processed, and does not send it again.
///
/// @param acknowledgement Taken. The right, which is used up whatever the result.
/// @param reason Value. One of the MQTT_REASON_... of 128 and above that PUBACK and PUBREC allow.
/// @param properties Borrowed. What to say beside it: a reason string, user properties; NULL for
///        nothing.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for another reason, or a property that PUBACK cannot have;
///         MQTT_NOT_SUPPORTED for properties before MQTT 5.0; MQTT_SESSION_LOST; the
///         store's errors, as mqtt_acknowledgement_send.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_acknowledgement_refuse(
    acknowledgement: *mut mqtt_acknowledgement,
    reason: i32,
    properties: *const mqtt_properties,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: the caller's right, by the conventions.
        let acknowledgement = unsafe { take(acknowledgement) }?;
        // SAFETY: a list of the caller's, by the conventions.
        let properties = unsafe { mqtt_properties::block_of(properties) };
        acknowledgement.refuse(value::reason(reason)?, properties)
    })
}

/// Gives the right back without using it: the message stays unacknowledged, and the broker sends
/// it again on the next connection.
///
/// @param acknowledgement Taken. The right, or NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_acknowledgement_free(acknowledgement: *mut mqtt_acknowledgement) {
    boundary_or((), || {
        // SAFETY: the caller's right, by the conventions.
        drop(unsafe { handle::take(acknowledgement) });
        Ok(())
    });
}

impl<'a> mqtt_message<'a> {
    /// The message that a handler is given.
    #[inline]
    pub(crate) fn received(message: &'a Message<'a>) -> Self {
        let source = Source::Received(message, Cell::new(Handled::Done));
        Self { source, properties: OnceLock::new() }
    }

    /// One that is C's own.
    pub(crate) fn kept(message: OwnedMessage) -> mqtt_message<'static> {
        mqtt_message { source: Source::Kept(message), properties: OnceLock::new() }
    }

    /// Where an answer to it is to go.
    pub(crate) fn reply_address(&self) -> Option<ReplyAddress> {
        match &self.source {
            Source::Received(message, _) => message.reply_address(),
            Source::Kept(message) => message.reply_address(),
        }
    }

    /// What the handler has done with it.
    #[inline]
    pub(crate) fn handled(&self) -> Handled {
        match &self.source {
            Source::Received(_, verdict) => verdict.get(),
            Source::Kept(_) => Handled::Done,
        }
    }
}

enum Source<'a> {
    /// With what the handler says about it.
    Received(&'a Message<'a>, Cell<Handled>),
    Kept(OwnedMessage),
}

/// # Safety
/// As for [`handle::take`].
unsafe fn take(acknowledgement: *mut mqtt_acknowledgement) -> Result<Acknowledgement> {
    // SAFETY: the caller's promise.
    let taken = unsafe { handle::take(acknowledgement) };
    taken.map(|taken| taken.0).ok_or_else(|| handle::null("acknowledgement"))
}

fn not_in_handler() -> Error {
    Error::new(
        Code::InvalidArgument,
        "Only the message that a handler was given, and not a kept one, can be acknowledged",
    )
}
