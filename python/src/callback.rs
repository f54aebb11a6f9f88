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
    error::exception,
    message::{Connected, Message},
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
    pub(crate) fn new(callable: Py<PyAny>, manual: bool, raised: Raised) -> Arc<Self> {
        Arc::new(Self { callable, manual, raised, last_topic: Mutex::default() })
    }

    fn call(&self, py: Python<'_>, message: &client::Message<'_>) -> PyResult<()> {
        let acknowledgement = self.manual.then(|| message.acknowledgement());
        let message = Message::new(py, message, &self.last_topic, acknowledgement)?;
        self.callable.call1(py, (message,)).map(drop)
    }
}

impl Handler for MessageHandler {
    fn handle(&self, message: &client::Message<'_>) -> Handled {
        let called = Python::try_attach(|py| {
            self.call(py, message).map_err(|error| self.raised.report(py, &self.callable, error))
        });
        match called {
            Some(Ok(())) if self.manual => Handled::Deferred,
            Some(Ok(())) => Handled::Done,
            Some(Err(())) | None => Handled::Failed,
        }
    }
}

/// `on_complete(number, error)`, called once when a publish has ended.
pub(crate) fn completion(callable: Py<PyAny>, raised: Raised) -> Completion {
    Box::new(move |number, outcome: Outcome| {
        // Without an interpreter there is nobody to tell any more.
        let _ = Python::try_attach(move |py| {
            let error = outcome.err().map(|error| exception(py, &error).into_value(py));
            if let Err(error) = callable.call1(py, (number, error)) {
                raised.report(py, &callable, error);
            }
        });
    })
}

/// `on_event(event)`.
pub(crate) fn event_handler(callable: Py<PyAny>, raised: Raised) -> EventHandler {
    Arc::new(move |event: &client::Event| {
        let _ = Python::try_attach(|py| {
            let called = Event::new(py, event).and_then(|event| callable.call1(py, (event,)));
            if let Err(error) = called {
                raised.report(py, &callable, error);
            }
        });
    })
}

/// What happened to a session.
#[pyclass(frozen, get_all, module = "mqttsession")]
pub(crate) struct Event {
    /// "connecting", "connected", "lost", "retrying", "disconnected" or "subscription_refused".
    kind: &'static str,
    /// Why; None after a disconnect that was asked for.
    error: Option<Py<PyAny>>,
    /// What the broker said ("connected").
    connected: Option<Py<Connected>>,
    /// The seconds until the next attempt ("retrying").
    delay: Option<f64>,
    /// The filter of the subscription ("subscription_refused").
    filter: Option<String>,
}

impl Event {
    fn new(py: Python<'_>, event: &client::Event) -> PyResult<Self> {
        let mut this = Self { kind: "", error: None, connected: None, delay: None, filter: None };
        let raised = |error| exception(py, error).into_value(py).into_any();
        this.kind = match event {
            client::Event::Connecting => "connecting",
            client::Event::Connected(connected) => {
                this.connected = Some(Py::new(py, Connected::from(connected.clone()))?);
                "connected"
            }
            client::Event::Lost(error) => {
                this.error = Some(raised(error));
                "lost"
            }
            client::Event::Retrying(delay) => {
                this.delay = Some(delay.as_secs_f64());
                "retrying"
            }
            client::Event::Disconnected(error) => {
                this.error = error.as_ref().map(raised);
                "disconnected"
            }
            client::Event::SubscriptionRefused(filter, error) => {
                this.filter = Some(filter.clone());
                this.error = Some(raised(error));
                "subscription_refused"
            }
            // The core may learn of more before this module does.
            _ => "other",
        };
        Ok(this)
    }
}

#[pymethods]
impl Event {
    fn __repr__(&self) -> String {
        format!("Event(kind='{}')", self.kind)
    }
}
