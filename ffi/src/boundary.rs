//! Where C calls Rust: no panic crosses, and every error becomes a status.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use mqttsession::error::{Code, Error, Result};

use crate::{
    error,
    status::{MQTT_OK, mqtt_status},
};

/// Runs the body of a function that returns a status; a failure becomes the thread's last error.
#[inline]
pub(crate) fn boundary(body: impl FnOnce() -> Result<()>) -> mqtt_status {
    match catch(body) {
        Ok(()) => MQTT_OK,
        Err(error) => error::remember(error),
    }
}

/// Runs the body of a function that returns a value; a failure becomes the thread's last error
/// and gives the fallback.
#[inline]
pub(crate) fn boundary_or<T>(fallback: T, body: impl FnOnce() -> Result<T>) -> T {
    catch(body).unwrap_or_else(|error| {
        error::remember(error);
        fallback
    })
}

#[inline]
fn catch<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    // Unwind safe: what a panic leaves half done is behind locks of the core, which does not
    // expose it, or in an object that only the failing call was allowed to use.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(describe(panic)))
}

#[cold]
fn describe(panic: Box<dyn Any + Send>) -> Error {
    let text = panic.downcast::<&'static str>().map(|text| (*text).to_owned());
    let text = text.or_else(|panic| panic.downcast::<String>().map(|text| *text));
    let text = text.unwrap_or_else(|other| {
        // Never dropped: a payload of another type may panic in its drop, out of here.
        std::mem::forget(other);
        String::new()
    });
    Error::new(Code::Internal, format!("A fault in this library; please report it: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_internal_status_and_its_text_the_last_error() {
        assert_eq!(boundary(|| panic!("the impossible")), Code::Internal.number());
        let message = crate::error::mqtt_last_error_message();
        // SAFETY: the pointer is that of this thread's last error, which stays until the next one.
        let message = unsafe { std::ffi::CStr::from_ptr(message) };
        assert!(message.to_str().unwrap().ends_with("the impossible"));
    }

    #[test]
    fn a_failing_accessor_gives_its_fallback() {
        assert_eq!(boundary_or(7, || Err(Code::InvalidArgument.into())), 7);
        assert_eq!(crate::error::mqtt_last_error_status(), Code::InvalidArgument.number());
    }
}
