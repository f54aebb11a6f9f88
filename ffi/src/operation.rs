//! Something that has been started and goes on: connecting, subscribing, flushing.

use std::{ffi::c_void, time::Duration};

use mqttsession::{
    client::{Connected, Granted, Operation},
    error::{Code, Error, Result},
};

use crate::{
    boundary::{boundary, boundary_or},
    callback::{Inside, UserData, mqtt_destroy},
    error,
    handle::{self, Output},
    session,
    status::{MQTT_OK, mqtt_status},
    value::{self, Wait},
};

/// Something that a session has been told to do and that ends exactly once.
///
/// The mqtt_session_..._start functions give one; several can be started and then waited for.
pub struct mqtt_operation(Progress);

/// Is told, exactly once, how an operation has ended.
///
/// @param operation Borrowed. The ended operation, valid until the function returns; for
///        mqtt_operation_granted.
/// @param status Value. What mqtt_operation_wait would return.
/// @param user_data Borrowed. The user data of the triple.
pub type mqtt_operation_handler = Option<
    unsafe extern "C" fn(
        operation: *const mqtt_operation,
        status: mqtt_status,
        user_data: *mut c_void,
    ),
>;

/// Waits until an operation has ended.
///
/// @param operation Borrowed. The operation; several threads may wait for it, again and again.
/// @param timeout_ms Value. The longest time to wait; 0 asks, MQTT_FOREVER has no limit.
/// @return What the waiting function of the same name returns; MQTT_TIMEOUT when it goes on;
///         MQTT_WOULD_DEADLOCK when it goes on and this thread must not wait.
/// @threads Any.
/// @callbacks Any; an inline one can only ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_operation_wait(
    operation: *const mqtt_operation,
    timeout_ms: i64,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: an operation of the caller's, by the conventions.
        let operation = unsafe { handle::borrow(operation, "operation") }?;
        operation.0.wait(value::timeout(timeout_ms)?).map(drop)
    })
}

/// Gives the result for one filter of a subscribing operation that has ended.
///
/// @param operation Borrowed. An operation from mqtt_session_subscribe_start.
/// @param place Value. Which of the filters, from 0.
/// @param granted Output, optional. The quality of service that the broker granted.
/// @return MQTT_OK; MQTT_SUBSCRIBE_REFUSED; MQTT_TIMEOUT when the operation goes on;
///         MQTT_INVALID_ARGUMENT when there is no such filter; else the error with which the whole
///         operation ended.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_operation_granted(
    operation: *const mqtt_operation,
    place: usize,
    granted: *mut i32,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: an operation of the caller's, by the conventions.
        let operation = unsafe { handle::borrow(operation, "operation") }?;
        let grants = operation.0.wait(Some(Duration::ZERO))?;
        let grant = grants.get(place).ok_or_else(|| {
            Error::new(Code::InvalidArgument, format!("The operation has no filter {place}"))
        })?;
        let qos = grant.as_ref().map_err(Error::clone)?.qos;
        // SAFETY: the caller's place for a number, or NULL.
        unsafe { Output::optional(granted).write(qos as i32) };
        Ok(())
    })
}

/// Has a function called when an operation ends, at once if it already has, in order with the
/// session's other callbacks.
///
/// @param operation Taken. The operation, which needs no free any more.
/// @param handler Callback. The function; NULL is MQTT_INVALID_ARGUMENT.
/// @param user_data Taken. Its user data.
/// @param destroy Callback. Ends the user data; may be NULL.
/// @return MQTT_OK.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_operation_on_end(
    operation: *mut mqtt_operation,
    handler: mqtt_operation_handler,
    user_data: *mut c_void,
    destroy: mqtt_destroy,
) -> mqtt_status {
    boundary(|| {
        let user_data = UserData::new(user_data, destroy);
        // SAFETY: the caller's operation, by the conventions.
        let operation = unsafe { handle::take(operation) };
        let operation = operation.ok_or_else(|| handle::null("operation"))?;
        let handler = handler.ok_or_else(|| handle::null("handler"))?;
        operation.0.on_end(move |ended| {
            let _inside = Inside::enter();
            let status = match &ended {
                Ok(_) => MQTT_OK,
                Err(error) => error::remember(error.clone()),
            };
            let operation = mqtt_operation(Progress::Ended(ended));
            // Captured whole, so that the destroy comes after the call.
            let user_data = &user_data;
            // SAFETY: the triple is the caller's promise; the operation outlives the call.
            unsafe { handler(&raw const operation, status, user_data.data) };
        });
        Ok(())
    })
}

/// Frees an operation. What it stands for goes on.
///
/// @param operation Taken. The operation, or NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_operation_free(operation: *mut mqtt_operation) {
    boundary_or((), || {
        // SAFETY: the caller's operation, by the conventions.
        drop(unsafe { handle::take(operation) });
        Ok(())
    });
}

/// Gives a started operation to C.
///
/// # Safety
/// The place is writable.
pub(crate) unsafe fn give(operation: impl Into<Progress>, place: Output<*mut mqtt_operation>) {
    // SAFETY: the caller's promise.
    unsafe { place.write(handle::give(mqtt_operation(operation.into()))) };
}

/// Waits for a started operation, unless the caller wants none of that.
pub(crate) fn finish<T>(operation: &Operation<T>, wait: Wait) -> Result<Option<T>>
where
    T: Clone + Send + 'static,
{
    match wait {
        Wait::No => Ok(None),
        Wait::For(timeout) => operation.wait(timeout).map(Some),
    }
}

/// The results of the filters; empty for what is no subscription.
type Grants = Vec<Result<Granted>>;

fn disconnected(cancelled: usize) -> Result<Grants> {
    session::all_ended(cancelled).map(|()| Grants::new())
}

/// An operation of the core, whatever it yields, or its end.
pub(crate) enum Progress {
    Connect(Operation<Connected>),
    Plain(Operation<()>),
    Disconnect(Operation<usize>),
    Subscribe(Operation<Grants>),
    Ended(Result<Grants>),
}

impl Progress {
    fn wait(&self, timeout: Option<Duration>) -> Result<Grants> {
        match self {
            Self::Connect(operation) => operation.wait(timeout).map(|_| Grants::new()),
            Self::Plain(operation) => operation.wait(timeout).map(|()| Grants::new()),
            Self::Disconnect(operation) => operation.wait(timeout).and_then(disconnected),
            Self::Subscribe(operation) => operation.wait(timeout),
            Self::Ended(result) => result.clone(),
        }
    }

    fn on_end(self, end: impl FnOnce(Result<Grants>) + Send + 'static) {
        match self {
            Self::Connect(operation) => operation.on_end(|it| end(it.map(|_| Grants::new()))),
            Self::Plain(operation) => operation.on_end(|it| end(it.map(|()| Grants::new()))),
            Self::Disconnect(operation) => operation.on_end(|it| end(it.and_then(disconnected))),
            Self::Subscribe(operation) => operation.on_end(end),
            Self::Ended(result) => end(result),
        }
    }
}

impl From<Operation<Connected>> for Progress {
    fn from(operation: Operation<Connected>) -> Self {
        Self::Connect(operation)
    }
}

impl From<Operation<()>> for Progress {
    fn from(operation: Operation<()>) -> Self {
        Self::Plain(operation)
    }
}

impl From<Operation<usize>> for Progress {
    fn from(operation: Operation<usize>) -> Self {
        Self::Disconnect(operation)
    }
}

impl From<Operation<Grants>> for Progress {
    fn from(operation: Operation<Grants>) -> Self {
        Self::Subscribe(operation)
    }
}
