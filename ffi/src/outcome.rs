//! How a publish, a subscription or an unsubscribe ended, and what the broker said about it.

use std::{
    ffi::{CString, c_char},
    sync::OnceLock,
};

use mqttsession::{
    client::{Delivered, Granted, Outcome, Unsubscribed},
    error::{Error, Result},
    protocol::Properties,
};

use crate::{
    boundary::boundary_or,
    error, handle,
    property::mqtt_properties,
    status::{MQTT_INVALID_ARGUMENT, MQTT_OK, mqtt_status},
    value::mqtt_view,
};

/// How something ended that the broker answers: well or not, and all that the broker said.
pub struct mqtt_outcome {
    end: End,
    // Made when they are asked for.
    properties: OnceLock<mqtt_properties>,
    message: OnceLock<CString>,
}

/// Says whether it ended well.
///
/// @param outcome Borrowed.
/// @return MQTT_OK, or the error with which it ended; MQTT_INVALID_ARGUMENT for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_outcome_status(outcome: *const mqtt_outcome) -> mqtt_status {
    boundary_or(MQTT_INVALID_ARGUMENT, || {
        // SAFETY: an outcome of ours, by the conventions.
        Ok(unsafe { handle::borrow(outcome, "outcome") }?.status())
    })
}

/// Gives the sentence about it: what was tried, what came back, what to check.
///
/// @param outcome Borrowed.
/// @return NUL-terminated text, valid as long as the outcome; "" when it ended well, and for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_outcome_message(outcome: *const mqtt_outcome) -> *const c_char {
    boundary_or(c"".as_ptr(), || {
        // SAFETY: an outcome of ours, by the conventions.
        let outcome = unsafe { handle::borrow(outcome, "outcome") }?;
        Ok(match &outcome.end {
            End::Failed(error) => {
                outcome.message.get_or_init(|| error::c_text(&error.to_string())).as_ptr()
            }
            _ => c"".as_ptr(),
        })
    })
}

/// Gives the reason code with which the broker answered.
///
/// @param outcome Borrowed.
/// @return For a publish MQTT_REASON_SUCCESS, or MQTT_REASON_NO_MATCHING_SUBSCRIBERS where an MQTT
///         5.0 broker says so; for a subscription the quality of service granted, 0 to 2; for an
///         unsubscribe MQTT_REASON_SUCCESS or MQTT_REASON_NO_SUBSCRIPTION_EXISTED; for a refusal
///         the broker's reason code; -1 when the broker did not answer, and for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_outcome_reason(outcome: *const mqtt_outcome) -> i32 {
    boundary_or(-1, || {
        // SAFETY: an outcome of ours, by the conventions.
        let outcome = unsafe { handle::borrow(outcome, "outcome") }?;
        Ok(outcome.end.reason().map_or(-1, i32::from))
    })
}

/// Gives the broker's own words: the Reason String of MQTT 5.0.
///
/// @param outcome Borrowed.
/// @return The words, valid as long as the outcome; empty when the broker gave none, and for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_outcome_reason_string(outcome: *const mqtt_outcome) -> mqtt_view {
    boundary_or(mqtt_view::EMPTY, || {
        // SAFETY: an outcome of ours, by the conventions.
        let outcome = unsafe { handle::borrow(outcome, "outcome") }?;
        let words = match outcome.end.said() {
            Said::Answer(properties) => properties.reason_string(),
            Said::Error(error) => error.reason_string(),
        };
        Ok(words.map_or(mqtt_view::EMPTY, |words| mqtt_view::new(words.as_bytes())))
    })
}

/// Gives the properties of the broker's answer (MQTT 5.0): reason string, user properties.
///
/// @param outcome Borrowed.
/// @return The properties, which belong to the outcome and live as long as it; never to be freed;
///         NULL only for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_outcome_properties(
    outcome: *const mqtt_outcome,
) -> *const mqtt_properties {
    boundary_or(std::ptr::null(), || {
        // SAFETY: an outcome of ours, by the conventions.
        let outcome = unsafe { handle::borrow(outcome, "outcome") }?;
        if let Some(properties) = outcome.properties.get() {
            return Ok(&raw const *properties);
        }
        let copy = match outcome.end.said() {
            Said::Answer(properties) => mqtt_properties::copy(properties),
            Said::Error(error) => mqtt_properties::of_error(error),
        }?;
        Ok(&raw const *outcome.properties.get_or_init(|| copy))
    })
}

/// Frees an outcome from mqtt_session_wait; never one that a handler or an operation shows.
///
/// @param outcome Taken. The outcome, or NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_outcome_free(outcome: *mut mqtt_outcome) {
    boundary_or((), || {
        // SAFETY: the caller's outcome, by the conventions.
        drop(unsafe { handle::take(outcome) });
        Ok(())
    });
}

impl mqtt_outcome {
    pub(crate) fn new(end: impl Into<End>) -> Self {
        Self { end: end.into(), properties: OnceLock::new(), message: OnceLock::new() }
    }

    pub(crate) fn status(&self) -> mqtt_status {
        self.error().map_or(MQTT_OK, Error::number)
    }

    pub(crate) fn error(&self) -> Option<&Error> {
        match &self.end {
            End::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// The quality of service that the broker granted, where this is about a subscription.
    pub(crate) fn granted(&self) -> Option<i32> {
        match &self.end {
            End::Granted(granted) => Some(granted.qos as i32),
            _ => None,
        }
    }
}

/// The end itself.
#[derive(Clone)]
pub(crate) enum End {
    Delivered(Delivered),
    Granted(Granted),
    Unsubscribed(Unsubscribed),
    Failed(Error),
}

/// Where the broker's words about an end stand.
enum Said<'a> {
    Answer(Properties<'a>),
    Error(&'a Error),
}

impl End {
    fn reason(&self) -> Option<u8> {
        match self {
            Self::Delivered(delivered) => Some(delivered.reason.as_u8()),
            Self::Granted(granted) => Some(granted.qos as u8),
            Self::Unsubscribed(unsubscribed) => Some(unsubscribed.reason.as_u8()),
            Self::Failed(error) => error.reason_code(),
        }
    }

    fn said(&self) -> Said<'_> {
        match self {
            Self::Delivered(delivered) => Said::Answer(delivered.said.properties()),
            Self::Granted(granted) => Said::Answer(granted.said.properties()),
            Self::Unsubscribed(unsubscribed) => Said::Answer(unsubscribed.said.properties()),
            Self::Failed(error) => Said::Error(error),
        }
    }
}

impl From<Outcome> for End {
    fn from(outcome: Outcome) -> Self {
        outcome.map_or_else(Self::Failed, Self::Delivered)
    }
}

impl From<Result<Granted>> for End {
    fn from(granted: Result<Granted>) -> Self {
        granted.map_or_else(Self::Failed, Self::Granted)
    }
}

impl From<Result<Unsubscribed>> for End {
    fn from(unsubscribed: Result<Unsubscribed>) -> Self {
        unsubscribed.map_or_else(Self::Failed, Self::Unsubscribed)
    }
}
