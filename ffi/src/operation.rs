//! Something that has been started and goes on: connecting, subscribing, asking, flushing.

use std::{ffi::c_void, sync::OnceLock, time::Duration};

use mqttsession::{
    client::{Operation, OwnedMessage, Session},
    error::{Code, Error, Result},
};

use crate::{
    boundary::{boundary, boundary_or},
    callback::{Inside, UserData, mqtt_destroy},
    error,
    handle::{self, Output},
    message::mqtt_message,
    outcome::{End, mqtt_outcome},
    session::mqtt_session,
    status::{MQTT_OK, mqtt_status},
    value::{self, Wait},
};

/// Something that a session has been told to do and that ends exactly once.
///
/// The mqtt_session_..._start functions give one; several can be started and then waited for.
pub struct mqtt_operation {
    progress: Box<dyn Progress>,
    /// Made when they are first asked for.
    outcomes: OnceLock<Vec<mqtt_outcome>>,
}

/// Is told, exactly once, how an operation has ended.
///
/// @param operation Borrowed. The ended operation, valid until the function returns; for
///        mqtt_operation_granted, mqtt_operation_outcome and mqtt_operation_message.
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
        operation.progress.wait(value::timeout(timeout_ms)?).map(drop)
    })
}

/// Gives the result for one filter of a subscribing operation that has ended.
///
/// @param operation Borrowed. An operation from mqtt_session_subscribe_start or
///        mqtt_session_respond_start.
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
        let outcome = operation.outcomes()?.get(place);
        if let Some(error) = outcome.and_then(mqtt_outcome::error) {
            return Err(error.clone());
        }
        let qos = outcome.and_then(mqtt_outcome::granted).ok_or_else(|| {
            Error::new(
                Code::InvalidArgument,
                format!("The operation has not subscribed to a filter {place}"),
            )
        })?;
        // SAFETY: the caller's place for a number, or NULL.
        unsafe { Output::optional(granted).write(qos) };
        Ok(())
    })
}

/// Gives all that the broker answered for one filter of a subscribing or unsubscribing operation
/// that has ended.
///
/// @param operation Borrowed. The operation.
/// @param place Value. Which of the filters, from 0.
/// @return The outcome, which belongs to the operation and lives as long as it; never to be freed;
///         NULL when there is no such filter, when the operation goes on or ended with an error as
///         a whole, and for NULL.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_operation_outcome(
    operation: *const mqtt_operation,
    place: usize,
) -> *const mqtt_outcome {
    boundary_or(std::ptr::null(), || {
        // SAFETY: an operation of the caller's, by the conventions.
        let operation = unsafe { handle::borrow(operation, "operation") }?;
        let outcome = operation.outcomes()?.get(place);
        Ok(outcome.map_or(std::ptr::null(), |outcome| &raw const *outcome))
    })
}

/// Gives the answer to a request whose operation has ended.
///
/// @param operation Borrowed. An operation from mqtt_session_request_start.
/// @param message Output. The answer; free it with mqtt_message_free.
/// @return MQTT_OK; MQTT_INVALID_ARGUMENT for another operation; otherwise as
///         mqtt_operation_wait with a timeout of 0.
/// @threads Any.
/// @callbacks Any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mqtt_operation_message(
    operation: *const mqtt_operation,
    message: *mut *mut mqtt_message<'static>,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: an operation of the caller's, by the conventions.
        let operation = unsafe { handle::borrow(operation, "operation") }?;
        let place = Output::required(message, "message")?;
        let Yield::Answer(answer) = operation.progress.wait(Some(Duration::ZERO))? else {
            return Err(Error::new(Code::InvalidArgument, "The operation is not a request"));
        };
        // SAFETY: the caller's place for a pointer.
        unsafe { place.write(handle::give(mqtt_message::kept(answer))) };
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
        operation.progress.on_end(Box::new(move |ended| {
            let _inside = Inside::enter();
            let status = match &ended {
                Ok(_) => MQTT_OK,
                Err(error) => error::remember(error.clone()),
            };
            let operation = mqtt_operation::new(Ended(ended));
            // Captured whole, so that the destroy comes after the call.
            let user_data = &user_data;
            // SAFETY: the triple is the caller's promise; the operation outlives the call.
            unsafe { handler(&raw const operation, status, user_data.data) };
        }));
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

/// The body of every function that starts something on a session and waits for it, as long as the
/// caller wants to.
///
/// # Safety
/// The session is what C gave, and keeps the conventions.
pub(crate) unsafe fn run<T: Clone + Send + 'static>(
    session: *const mqtt_session,
    timeout_ms: i64,
    begin: impl FnOnce(&Session) -> Result<Operation<T>>,
    end: impl FnOnce(T) -> Result<()>,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?.hold();
        let wait = Wait::new(timeout_ms)?;
        let operation = begin(&session)?;
        match wait {
            Wait::No => Ok(()),
            Wait::For(timeout) => operation.wait(timeout).and_then(end),
        }
    })
}

/// The body of every function that starts something on a session and gives C the operation.
///
/// # Safety
/// The pointers are what C gave, and keep the conventions.
pub(crate) unsafe fn start<T: Clone + Send + 'static>(
    session: *const mqtt_session,
    operation: *mut *mut mqtt_operation,
    begin: impl FnOnce(&Session) -> Result<Operation<T>>,
    yields: fn(T) -> Result<Yield>,
) -> mqtt_status {
    boundary(|| {
        // SAFETY: a session of the caller's, by the conventions.
        let session = unsafe { mqtt_session::borrow(session) }?.hold();
        let place = Output::required(operation, "operation")?;
        let running = Running { operation: begin(&session)?, yields };
        // SAFETY: the caller's place for a pointer.
        unsafe { place.write(handle::give(mqtt_operation::new(running))) };
        Ok(())
    })
}

/// What an operation yields to C beside its status.
#[derive(Clone)]
pub(crate) enum Yield {
    Nothing,
    /// One for each filter.
    Ends(Vec<End>),
    /// Of a request.
    Answer(OwnedMessage),
}

impl Yield {
    /// Of an operation of which C learns no more than that it is done.
    pub(crate) fn nothing<T>(_: T) -> Result<Self> {
        Ok(Self::Nothing)
    }

    /// Of an operation on one filter.
    pub(crate) fn end<T>(end: T) -> Result<Self>
    where
        End: From<Result<T>>,
    {
        Ok(Self::Ends(vec![Ok(end).into()]))
    }

    /// Of an operation on several filters.
    pub(crate) fn ends<T>(ends: Vec<Result<T>>) -> Result<Self>
    where
        End: From<Result<T>>,
    {
        Ok(Self::Ends(ends.into_iter().map(End::from).collect()))
    }
}

impl mqtt_operation {
    fn new(progress: impl Progress + 'static) -> Self {
        Self { progress: Box::new(progress), outcomes: OnceLock::new() }
    }

    /// One for each filter; none when it is about none.
    fn outcomes(&self) -> Result<&[mqtt_outcome]> {
        if let Some(outcomes) = self.outcomes.get() {
            return Ok(outcomes);
        }
        let ends = match self.progress.wait(Some(Duration::ZERO))? {
            Yield::Ends(ends) => ends,
            Yield::Nothing | Yield::Answer(_) => Vec::new(),
        };
        let outcomes = ends.into_iter().map(mqtt_outcome::new).collect();
        Ok(self.outcomes.get_or_init(|| outcomes))
    }
}

type Ending = Box<dyn FnOnce(Result<Yield>) + Send>;

/// An operation, whatever the core's yields, or its end.
trait Progress: Send + Sync {
    fn wait(&self, timeout: Option<Duration>) -> Result<Yield>;

    fn on_end(self: Box<Self>, end: Ending);
}

struct Running<T> {
    operation: Operation<T>,
    yields: fn(T) -> Result<Yield>,
}

impl<T: Clone + Send + 'static> Progress for Running<T> {
    fn wait(&self, timeout: Option<Duration>) -> Result<Yield> {
        self.operation.wait(timeout).and_then(self.yields)
    }

    fn on_end(self: Box<Self>, end: Ending) {
        let yields = self.yields;
        self.operation.on_end(move |ended| end(ended.and_then(yields)));
    }
}

/// What a handler is shown.
struct Ended(Result<Yield>);

impl Progress for Ended {
    fn wait(&self, _: Option<Duration>) -> Result<Yield> {
        self.0.clone()
    }

    fn on_end(self: Box<Self>, end: Ending) {
        end(self.0);
    }
}
