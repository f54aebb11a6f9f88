//! A look into a store that no session has open. Every call that touches its files detaches.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use mqttsession::{
    client::{self, StoredState},
    error::{Code, Error, Result},
};
use pyo3::{
    exceptions::PyOverflowError,
    prelude::*,
    types::{PyBytes, PyDateTime, PyDict, PyTuple},
};

use crate::{error::OrRaise, property};

/// The store of one client id, open to be looked into; no session can open it meanwhile.
#[pyclass(frozen, weakref, module = "mqttsession")]
pub(crate) struct Store {
    directory: PathBuf,
    client_id: String,
    /// Whose it is: the lock of the store does not hold in a child of fork.
    process: u32,
    /// None once it has been closed.
    core: Mutex<Option<client::Store>>,
}

impl Store {
    fn open(
        py: Python<'_>,
        directory: PathBuf,
        client_id: String,
        open: impl FnOnce(&Path, &str) -> Result<client::Store> + Send,
    ) -> PyResult<Self> {
        let core = py.detach(|| open(&directory, &client_id)).or_raise(py)?;
        let process = std::process::id();
        Ok(Self { directory, client_id, process, core: Mutex::new(Some(core)) })
    }

    /// Before the lock: one that another thread held at the fork stays locked for ever.
    fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    /// Uses the open store, detached: another thread may be in the middle of an export.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        then: impl FnOnce(&mut client::Store) -> Result<T> + Send,
    ) -> PyResult<T> {
        if self.is_inherited() {
            return Err(Error::from(Code::Forked)).or_raise(py);
        }
        py.detach(|| match &mut *self.core.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(core) => then(core),
            None => Err(Error::new(Code::Closed, "The store has been closed")),
        })
        .or_raise(py)
    }
}

#[pymethods]
impl Store {
    #[new]
    fn new(py: Python<'_>, directory: PathBuf, client_id: String) -> PyResult<Self> {
        Self::open(py, directory, client_id, client::Store::open)
    }

    /// Opens a damaged store with what can be read of it, and keeps the damaged files aside.
    #[staticmethod]
    fn repair(py: Python<'_>, directory: PathBuf, client_id: String) -> PyResult<Self> {
        Self::open(py, directory, client_id, client::Store::repair)
    }

    /// The directory that holds it, with those of other client ids.
    #[getter]
    fn directory(&self) -> &Path {
        &self.directory
    }

    /// The client id whose store it is.
    #[getter]
    fn client_id(&self) -> &str {
        &self.client_id
    }

    /// What it holds.
    #[getter]
    fn summary(&self, py: Python<'_>) -> PyResult<StoreSummary> {
        self.with(py, |core| Ok(core.summary())).map(StoreSummary)
    }

    /// Writes the messages into a new file, one JSON object a line, and returns how many.
    fn export(&self, py: Python<'_>, file: PathBuf) -> PyResult<usize> {
        self.with(py, |core| core.export(&file))
    }

    /// Forgets every message, received id and subscription.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, client::Store::clear)
    }

    /// Lets go of it, so that a session can open it.
    fn close(&self, py: Python<'_>) {
        if self.is_inherited() {
            return;
        }
        py.detach(|| drop(self.core.lock().unwrap_or_else(PoisonError::into_inner).take()));
    }

    /// The messages that have not ended, in the order of their numbers.
    fn __iter__(&self, py: Python<'_>) -> PyResult<StoredMessages> {
        // As they are now: what they refer to stays, whatever becomes of the store meanwhile.
        let messages: Vec<_> = self.with(py, |core| Ok(core.messages().collect()))?;
        Ok(StoredMessages(Mutex::new(messages.into_iter())))
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        format!("<mqttsession.Store {} in {}>", self.client_id, self.directory.display())
    }
}

/// The client ids that have a store below a directory.
#[pyfunction]
pub(crate) fn stores(py: Python<'_>, directory: PathBuf) -> PyResult<Vec<String>> {
    py.detach(|| client::stores(&directory)).or_raise(py)
}

/// What a store held at one moment.
#[pyclass(frozen, module = "mqttsession")]
pub(crate) struct StoreSummary(client::StoreSummary);

#[pymethods]
impl StoreSummary {
    /// Own messages that have not ended.
    #[getter]
    fn messages(&self) -> usize {
        self.0.messages
    }

    /// The bytes of their packets.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Those of them that may have been sent.
    #[getter]
    fn in_flight(&self) -> usize {
        self.0.in_flight
    }

    /// Those of them that the broker has taken (QoS 2) and that only have to be completed.
    #[getter]
    fn released(&self) -> usize {
        self.0.released
    }

    /// When the oldest was accepted; None where there is none.
    #[getter]
    fn oldest<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        datetime(py, self.0.oldest)
    }

    /// Received messages of QoS 2 that the broker has not released.
    #[getter]
    fn received(&self) -> usize {
        self.0.received
    }

    /// The filters that the broker had granted.
    #[getter]
    fn subscriptions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.subscriptions)
    }

    /// The highest message number given so far.
    #[getter]
    fn last_number(&self) -> u64 {
        self.0.last_number
    }

    /// The bytes that its files take.
    #[getter]
    fn size(&self) -> u64 {
        self.0.size
    }

    fn __repr__(&self) -> String {
        let client::StoreSummary { messages, bytes, received, last_number, size, .. } = &self.0;
        format!(
            "StoreSummary(messages={messages}, bytes={bytes}, received={received}, \
             last_number={last_number}, size={size})"
        )
    }
}

/// A message that a store holds: one of the session's own that has not ended.
#[pyclass(frozen, module = "mqttsession")]
pub(crate) struct StoredMessage(client::StoredMessage);

#[pymethods]
impl StoredMessage {
    /// Its number.
    #[getter]
    fn number(&self) -> u64 {
        self.0.number
    }

    /// "waiting": not sent; "sent": it may have been, and is not confirmed; "released": the broker has
    /// taken it, and only the end of the exchange is missing (QoS 2).
    #[getter]
    fn state(&self) -> &'static str {
        match self.0.state {
            StoredState::Waiting => "waiting",
            StoredState::Sent => "sent",
            StoredState::Released => "released",
        }
    }

    /// When it was accepted.
    #[getter]
    fn accepted(&self) -> SystemTime {
        self.0.accepted
    }

    /// When it is not worth sending any more; None where that is never.
    #[getter]
    fn expires<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        datetime(py, self.0.expires)
    }

    /// The topic that it is published to.
    #[getter]
    fn topic(&self) -> &str {
        &self.0.topic
    }

    /// What is published.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.payload)
    }

    /// The quality of service: 1 or 2.
    #[getter]
    fn qos(&self) -> u8 {
        self.0.qos as u8
    }

    /// Whether the broker is to keep it.
    #[getter]
    fn retain(&self) -> bool {
        self.0.retain
    }

    /// The properties of MQTT 5.0, by name; empty before 5.0.
    #[getter]
    fn properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        property::to_dict(py, self.0.properties())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "StoredMessage(number={}, state='{}', topic={}, payload=<{} bytes>, qos={}, retain={})",
            self.0.number,
            self.state(),
            self.0.topic.as_str().into_pyobject(py)?.repr()?,
            self.0.payload.len(),
            self.qos(),
            if self.0.retain { "True" } else { "False" },
        ))
    }
}

/// The messages of a store, as they were when they were asked for.
#[pyclass(frozen, module = "mqttsession._native")]
pub(crate) struct StoredMessages(Mutex<std::vec::IntoIter<client::StoredMessage>>);

#[pymethods]
impl StoredMessages {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self) -> Option<StoredMessage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next().map(StoredMessage)
    }
}

/// A moment as an aware datetime in UTC. One that lies beyond what Python can say is as good as never.
fn datetime(py: Python<'_>, at: Option<SystemTime>) -> PyResult<Option<Bound<'_, PyDateTime>>> {
    match at.map(|at| at.into_pyobject(py)).transpose() {
        Err(error) if error.is_instance_of::<PyOverflowError>(py) => Ok(None),
        moment => moment,
    }
}
