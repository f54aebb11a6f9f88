//! Python callables as the core's callbacks.
//!
//! Three rules. Callbacks attach to the interpreter once for a whole run of them ([`scope`]); the
//! attaching in each callback is then only a look at a counter. Nothing attaches in order to drop:
//! a callable that goes away on a thread which is not attached waits in pyo3's pool until one is,
//! so that no lock of the core and no I/O thread ever waits for the interpreter. And an exception
//! is reported, never lost and never thrown into the core.

use std::sync::{Arc, Mutex, PoisonError};

use mqttsession::client::{
    self, CallbackScope, Completion, EventHandler, Handled, Handler, Outcome,
};
use pyo3::{exceptions::PyException, prelude::*, types::PyString};

use crate::{
    event::{self, Event},
    message::Message,
    result::PublishResult,
};

/// The wrapper round every run of callbacks.
pub(crate) fn scope() -> CallbackScope {
    Arc::new(|run| {
        if Python::try_attach(|_| run()).is_none() {
            // The interpreter has gone. The callbacks notice that too, and do nothing.
            run();
        }
    })
}

/// Where an exception goes that a callback raised.
///
/// On a thread of the library it can only be reported. In polled mode the caller is there to
/// receive what is meant to end the program, such as the KeyboardInterrupt of Ctrl-C.
#[derive(Clone, Default)]
pub(crate) struct Raised(Option<Arc<Mutex<Option<PyErr>>>>);

impl Raised {
    /// For a session that is polled.
    pub(crate) fn polled() -> Self {
        Self(Some(Arc::default()))
    }

    pub(crate) fn is_polled(&self) -> bool {
        self.0.is_some()
    }

    /// What `poll` is to raise.
    pub(crate) fn take(&self) -> Option<PyErr> {
        self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn report(&self, py: Python<'_>, callable: &Py<PyAny>, error: PyErr) {
        let Some(slot) = self.0.as_ref().filter(|_| !error.is_instance_of::<PyException>(py))
        else {
            error.write_unraisable(py, Some(callable.bind(py)));
            return;
        };
        let earlier = slot.lock().unwrap_or_else(PoisonError::into_inner).replace(error);
        if let Some(earlier) = earlier {
            earlier.write_unraisable(py, Some(callable.bind(py)));
        }
    }
}

/// A callable that receives the messages of a subscription.
pub(crate) struct MessageHandler {
    callable: Py<PyAny>,
    manual: bool,
    raised: Raised,
    last_topic: Mutex<Option<Py<PyString>>>,
}

impl MessageHandler {
    pub(crate) fn new(callable: Py<PyAny>, manual: bool, raised: Raised) -> Self {
        Self { callable, manual, raised, last_topic: Mutex::default() }
    }

    /// Calls it; `then` has what it returned, and may fail as it may.
    pub(crate) fn handle_with(
        &self,
        message: &client::Message<'_>,
        then: impl FnOnce(Python<'_>, &Message, Bound<'_, PyAny>) -> PyResult<()>,
    ) -> Handled {
        let called = Python::try_attach(|py| {
            let call = || {
                let acknowledgement = self.manual.then(|| message.acknowledgement());
                let message = Message::new(py, message, &self.last_topic, acknowledgement)?;
                let returned = self.callable.bind(py).call1((&message,))?;
                then(py, message.get(), returned)
            };
            call().map_err(|error| self.raised.report(py, &self.callable, error))
        });
        match called {
            Some(Ok(())) if self.manual => Handled::Deferred,
            Some(Ok(())) => Handled::Done,
            Some(Err(())) | None => Handled::Failed,
        }
    }
}

impl Handler for MessageHandler {
    fn handle(&self, message: &client::Message<'_>) -> Handled {
        self.handle_with(message, |_, _, _| Ok(()))
    }
}

/// `on_complete(result)`, called once when a publish has ended.
pub(crate) fn completion(callable: Py<PyAny>, raised: Raised) -> Completion {
    Completion::new(move |number, outcome: Outcome| {
        // Without an interpreter there is nobody to tell any more.
        let _ = Python::try_attach(move |py| {
            if let Err(error) = callable.call1(py, (PublishResult::new(py, number, outcome),)) {
                raised.report(py, &callable, error);
            }
        });
    })
}

/// Writes events to Python's log, and calls `on_event(event)` where there is such a callable.
pub(crate) fn event_handler(
    callable: Option<Py<PyAny>>,
    address: String,
    raised: Raised,
) -> EventHandler {
    Arc::new(move |event: &client::Event| {
        let _ = Python::try_attach(|py| {
            let event = match Event::new(py, event) {
                Ok(event) => event,
                Err(error) => return error.write_unraisable(py, None),
            };
            if let Err(error) = event::log(py, &address, &event) {
                error.write_unraisable(py, None);
            }
            let Some(callable) = &callable else { return };
            if let Err(error) = callable.call1(py, (event,)) {
                raised.report(py, callable, error);
            }
        });
    })
}
