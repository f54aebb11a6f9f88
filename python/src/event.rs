//! What happened to a session, for its program and for Python's log.

use mqttsession::client;
use pyo3::{exceptions::PyBaseException, prelude::*, sync::PyOnceLock};

use crate::{connected::Connected, error::exception};

/// What happened to a session.
#[pyclass(frozen, get_all, module = "mqttsession")]
#[derive(Default)]
pub(crate) struct Event {
    /// "connecting", "connected", "lost", "retrying", "disconnected", "subscription_refused",
    /// "set_aside", "acknowledgement_held", "redirected", "restored", "session_lost",
    /// "store_without_session", "store_failed" or "store_recovered".
    kind: &'static str,
    /// Why; None after a disconnect that was asked for.
    error: Option<Py<PyBaseException>>,
    /// What the broker said ("connected").
    connected: Option<Py<Connected>>,
    /// The seconds until the next attempt ("retrying").
    delay: Option<f64>,
    /// The filter of the subscription ("subscription_refused").
    filter: Option<String>,
    /// The message's number, where it is an own one ("set_aside").
    number: Option<u64>,
    /// The message's topic, as far as it is known ("set_aside").
    topic: Option<String>,
    /// The bytes of the message's packet ("set_aside").
    size: Option<usize>,
    /// How many messages wait for an earlier acknowledgement ("acknowledgement_held").
    held: Option<usize>,
    /// The address of the next attempt ("redirected").
    address: Option<String>,
    /// What the store held ("restored").
    restored: Option<Py<Restored>>,
    /// What it means for unfinished messages ("session_lost").
    session_loss: Option<Py<SessionLoss>>,
}

impl Event {
    pub(crate) fn new(py: Python<'_>, event: &client::Event) -> PyResult<Py<Self>> {
        let raised = |error| Some(exception(py, error).into_value(py));
        let this = match event {
            client::Event::Connecting => Self { kind: "connecting", ..Self::default() },
            client::Event::Connected(connected) => Self {
                kind: "connected",
                connected: Some(Py::new(py, Connected::from(connected.clone()))?),
                ..Self::default()
            },
            client::Event::Lost(error) => {
                Self { kind: "lost", error: raised(error), ..Self::default() }
            }
            client::Event::Retrying(delay) => {
                Self { kind: "retrying", delay: Some(delay.as_secs_f64()), ..Self::default() }
            }
            client::Event::Disconnected(error) => Self {
                kind: "disconnected",
                error: error.as_ref().and_then(raised),
                ..Self::default()
            },
            client::Event::SubscriptionRefused(filter, error) => Self {
                kind: "subscription_refused",
                filter: Some(filter.clone()),
                error: raised(error),
                ..Self::default()
            },
            client::Event::SetAside(message) => Self {
                kind: "set_aside",
                number: message.number,
                topic: message.topic.clone(),
                size: Some(message.size),
                error: raised(&message.error),
                ..Self::default()
            },
            client::Event::AcknowledgementHeld(messages) => {
                Self { kind: "acknowledgement_held", held: Some(*messages), ..Self::default() }
            }
            client::Event::Redirected(address) => {
                Self { kind: "redirected", address: Some(address.clone()), ..Self::default() }
            }
            client::Event::Restored(restored) => Self {
                kind: "restored",
                restored: Some(Py::new(py, Restored::from(restored))?),
                ..Self::default()
            },
            client::Event::SessionLost(loss) => Self {
                kind: "session_lost",
                session_loss: Some(Py::new(py, SessionLoss::from(loss))?),
                ..Self::default()
            },
            client::Event::StoreWithoutSession => {
                Self { kind: "store_without_session", ..Self::default() }
            }
            client::Event::StoreFailed(error) => {
                Self { kind: "store_failed", error: raised(error), ..Self::default() }
            }
            client::Event::StoreRecovered => Self { kind: "store_recovered", ..Self::default() },
            // The core may learn of more before this module does.
            _ => Self { kind: "other", ..Self::default() },
        };
        Py::new(py, this)
    }
}

#[pymethods]
impl Event {
    fn __repr__(&self) -> String {
        format!("Event(kind='{}')", self.kind)
    }
}

/// What a store held when the session was made.
#[pyclass(frozen, get_all, module = "mqttsession")]
pub(crate) struct Restored {
    /// Own messages that have not ended.
    messages: usize,
    /// The bytes of their packets.
    bytes: u64,
    /// Those of them that may have been sent.
    in_flight: usize,
    /// Received messages of QoS 2 whose handler had not returned when the process died.
    interrupted: usize,
    /// Whether the machine went down without the session's end.
    after_power_loss: bool,
}

impl From<&client::Restored> for Restored {
    fn from(core: &client::Restored) -> Self {
        Self {
            messages: core.messages,
            bytes: core.bytes,
            in_flight: core.in_flight,
            interrupted: core.interrupted,
            after_power_loss: core.after_power_loss,
        }
    }
}

#[pymethods]
impl Restored {
    fn __repr__(&self) -> String {
        format!(
            "Restored(messages={}, bytes={}, in_flight={}, interrupted={}, after_power_loss={})",
            self.messages,
            self.bytes,
            self.in_flight,
            self.interrupted,
            if self.after_power_loss { "True" } else { "False" },
        )
    }
}

/// What the loss of the broker's session meant for unfinished messages.
#[pyclass(frozen, get_all, module = "mqttsession")]
pub(crate) struct SessionLoss {
    /// Own messages that are published once more, as new.
    renewed: usize,
    /// Own messages that ended with SESSION_LOST: whether they were delivered is unknown.
    unknown: usize,
    /// Received messages of QoS 2 that come as new, should the broker send them again.
    forgotten: usize,
}

impl From<&client::SessionLoss> for SessionLoss {
    fn from(core: &client::SessionLoss) -> Self {
        Self { renewed: core.renewed, unknown: core.unknown, forgotten: core.forgotten }
    }
}

#[pymethods]
impl SessionLoss {
    fn __repr__(&self) -> String {
        let Self { renewed, unknown, forgotten } = self;
        format!("SessionLoss(renewed={renewed}, unknown={unknown}, forgotten={forgotten})")
    }
}

/// Writes an event to the logger "mqttsession".
pub(crate) fn log(py: Python<'_>, address: &str, event: &Py<Event>) -> PyResult<()> {
    static LOG: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    LOG.import(py, "mqttsession.log", "_log_event")?.call1((address, event)).map(drop)
}
