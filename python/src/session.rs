//! The session as Python sees it: every waiting call detaches and minds Ctrl-C.

mod method;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use mqttsession::{
    client::{self, DisconnectOptions, Failure, State},
    error::{Code, Error, Result},
    protocol::{PropertyBlock, Version},
};
use pyo3::{prelude::*, types::PyDict};

use crate::{
    callback::{self, MessageHandler, Raised},
    closing,
    error::{OrRaise, invalid},
    message::reason,
    property,
    result::{self, UnsubscribeResult},
    subscription::{Filters, Subscription, start_unsubscribe},
    wait::{self, Deadline, Seconds},
};

/// A session with one MQTT broker.
#[pyclass(frozen, weakref, module = "mqttsession")]
pub(crate) struct Session {
    /// The only lasting handle: the session closes when it goes. Everything else that this module
    /// keeps refers to it weakly.
    core: Arc<client::Session>,
    address: String,
    version: Version,
    connect_timeout: Duration,
    wait_for_room: Option<Duration>,
    has_store: bool,
    manual: bool,
    failure: Failure,
    raised: Raised,
    on_event: Mutex<Option<Py<PyAny>>>,
}

impl Session {
    pub(crate) fn core(&self) -> &Arc<client::Session> {
        &self.core
    }

    pub(crate) fn is_manual(&self) -> bool {
        self.manual
    }

    pub(crate) fn is_polled(&self) -> bool {
        self.raised.is_polled()
    }

    /// What a try without waiting came to; None where the queue is full and the policy is to wait.
    pub(crate) fn unless_full<T>(&self, tried: Result<T>) -> Result<Option<T>> {
        match tried {
            Err(error) if error.code() == Code::QueueFull && self.wait_for_room.is_some() => {
                Ok(None)
            }
            tried => tried.map(Some),
        }
    }

    /// Raises where the session has no store, so that nothing is published in vain.
    pub(crate) fn check_store(&self, py: Python<'_>) -> PyResult<()> {
        if self.has_store {
            return Ok(());
        }
        Err(invalid(py, Code::NotSupported, "The session has no store; the option store gives one"))
    }

    /// How many messages the session, which is closed or about to be, leaves in its store.
    fn left_in_store(&self) -> usize {
        let statistics = self.core.statistics();
        let left = usize::try_from(statistics.left_in_store).unwrap_or(usize::MAX);
        // Inside a callback the closing may not have come to them yet.
        left.saturating_add(statistics.outgoing_messages)
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn failure(&self) -> Failure {
        self.failure
    }

    /// Whether nobody has told the session to connect: then no answer of a broker will come,
    /// however long a call waits.
    fn is_resting(&self) -> bool {
        self.core.state() == State::Disconnected
    }

    /// Takes the event handler out of a closed session: it may well refer to the session, and two
    /// that refer to each other stay for ever. To be dropped when no lock is held.
    fn forget_event_handler(&self) -> Option<Py<PyAny>> {
        lock(&self.on_event).take()
    }

    fn close_and_wait(&self, py: Python<'_>) -> PyResult<()> {
        if self.core.in_callback() {
            // In a callback it does not wait, and another thread would wait for this one.
            py.detach(|| self.core.close());
            return Ok(());
        }
        let (done, closed) = mpsc::channel();
        closing::close(client::Session::clone(&self.core), move || {
            // Without a receiver the caller has given up waiting.
            let _ = done.send(());
        })?;
        let closed = Mutex::new(closed);
        wait::in_slices(py, Deadline::NEVER, |slice| {
            match lock(&closed).recv_timeout(slice.unwrap_or(Duration::MAX)) {
                Err(RecvTimeoutError::Timeout) => Err(Error::from(Code::Timeout)),
                Ok(()) | Err(RecvTimeoutError::Disconnected) => Ok(()),
            }
        })
    }

    fn handler(&self, py: Python<'_>, handler: Py<PyAny>) -> PyResult<MessageHandler> {
        if !handler.bind(py).is_callable() {
            return Err(invalid(py, Code::InvalidArgument, "The handler cannot be called"));
        }
        Ok(MessageHandler::new(handler, self.manual, self.raised.clone()))
    }

    fn start_subscribe(
        &self,
        py: Python<'_>,
        filters: Filters,
        handler: Py<PyAny>,
        properties: PropertyBlock,
    ) -> PyResult<Subscription> {
        let handler = Arc::new(self.handler(py, handler)?);
        filters.start(py, &self.core, properties, handler)
    }

    fn unsubscribe_and_wait(
        &self,
        py: Python<'_>,
        filters: &[String],
        timeout: Option<Seconds>,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<Vec<UnsubscribeResult>>> {
        let deadline = Deadline::after(timeout);
        let resting = self.is_resting();
        let operation = start_unsubscribe(py, &self.core, filters, properties)?;
        if resting {
            return Ok(None);
        }
        let answers = wait::for_operation(py, &operation, deadline)?;
        Ok(Some(result::by_filter(filters, answers, |filter, answer| {
            UnsubscribeResult::new(py, filter, answer)
        })))
    }

    /// The events go to Python's log in any case; but what has to be polled for is only what the
    /// program wants.
    fn listen(&self, py: Python<'_>, callable: Option<&Py<PyAny>>) -> PyResult<()> {
        let handler = (callable.is_some() || !self.is_polled()).then(|| {
            let callable = callable.map(|callable| callable.clone_ref(py));
            callback::event_handler(callable, self.address.clone(), self.raised.clone())
        });
        py.detach(|| self.core.set_event_handler(handler)).or_raise(py)
    }
}

/// How to disconnect, from what a caller gave.
pub(crate) fn farewell(
    py: Python<'_>,
    Seconds(drain): Seconds,
    reason_code: u8,
    properties: Option<&Bound<'_, PyDict>>,
) -> PyResult<DisconnectOptions> {
    let (reason, properties) = (reason(py, reason_code)?, property::block(properties)?);
    Ok(DisconnectOptions { drain, reason, properties })
}

fn cancelled(messages: usize) -> String {
    format!("The session was left before {messages} of its messages had ended; they are cancelled")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
