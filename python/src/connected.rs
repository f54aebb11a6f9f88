//! What the broker said when it accepted a connection.

use mqttsession::client;
use pyo3::{
    IntoPyObjectExt,
    prelude::*,
    types::{PyDict, PyTuple},
};

use crate::property;

/// What the broker answered to CONNECT. Before MQTT 5.0 a broker says no more than the first two.
#[pyclass(frozen, module = "mqttsession")]
pub(crate) struct Connected(client::Connected);

impl From<client::Connected> for Connected {
    fn from(connected: client::Connected) -> Self {
        Self(connected)
    }
}

#[pymethods]
impl Connected {
    /// Whether the broker had kept the session.
    #[getter]
    fn session_present(&self) -> bool {
        self.0.session_present
    }

    /// The client id in use, the broker's choice where it made one.
    #[getter]
    fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// How many messages of QoS 1 and 2 the broker takes at a time.
    #[getter]
    fn receive_maximum(&self) -> u16 {
        self.0.receive_maximum()
    }

    /// The highest QoS that the broker takes.
    #[getter]
    fn maximum_qos(&self) -> u8 {
        self.0.maximum_qos() as u8
    }

    /// Whether the broker keeps retained messages.
    #[getter]
    fn retain_available(&self) -> bool {
        self.0.retain_available()
    }

    /// The largest packet that the broker takes, in bytes; None when it did not say.
    #[getter]
    fn maximum_packet_size(&self) -> Option<u32> {
        self.0.maximum_packet_size()
    }

    /// How many topic aliases the broker lets the session use.
    #[getter]
    fn topic_alias_maximum(&self) -> u16 {
        self.0.topic_alias_maximum()
    }

    /// Whether the broker has wildcard subscriptions.
    #[getter]
    fn wildcard_subscription_available(&self) -> bool {
        self.0.wildcard_subscription_available()
    }

    /// Whether the broker has subscription identifiers.
    #[getter]
    fn subscription_identifiers_available(&self) -> bool {
        self.0.subscription_identifiers_available()
    }

    /// Whether the broker has shared subscriptions.
    #[getter]
    fn shared_subscription_available(&self) -> bool {
        self.0.shared_subscription_available()
    }

    /// The keep-alive in seconds that the broker orders; None leaves the session's own.
    #[getter]
    fn server_keep_alive(&self) -> Option<u16> {
        self.0.server_keep_alive()
    }

    /// How many seconds the broker keeps the session after the connection; None leaves what the
    /// session asked for.
    #[getter]
    fn session_expiry_interval(&self) -> Option<u32> {
        self.0.session_expiry_interval()
    }

    /// The beginning of response topics that the broker suggests.
    #[getter]
    fn response_information(&self) -> Option<&str> {
        self.0.response_information()
    }

    /// The broker's own words.
    #[getter]
    fn reason_string(&self) -> Option<&str> {
        self.0.reason_string()
    }

    /// The user properties of CONNACK.
    #[getter]
    fn user_properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.properties().user_properties().collect::<Vec<_>>())
    }

    /// The properties of CONNACK as they came, by name.
    #[getter]
    fn properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        property::to_dict(py, self.0.properties())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "Connected(session_present={}, client_id={})",
            if self.0.session_present { "True" } else { "False" },
            (&*self.0.client_id).into_bound_py_any(py)?.repr()?,
        ))
    }
}
