//! The session as Python sees it: every waiting call detaches and minds Ctrl-C.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use mqttsession::{
    client::{self, DisconnectOptions, Granted, Handler, Operation, PublishOptions, State},
    error::{Code, Error},
    protocol::{RetainHandling, SubscriptionOptions, topic},
};
use pyo3::{exceptions::PyBaseException, prelude::*, types::PyDict};

use crate::{
    callback::{self, MessageHandler, Raised},
    closing,
    error::{OrRaise, exception, invalid},
    message::{Connected, Given, Quality, reason},
    options::Settings,
    property,
    statistics::Statistics,
    wait::{self, Deadline, Seconds},
};

/// A session with one MQTT broker.
#[pyclass(frozen, weakref, module = "mqttsession")]
pub(crate) struct Session {
    /// The only lasting handle: the session closes when it goes. Everything else that this module
    /// keeps refers to it weakly.
    core: Arc<client::Session>,
    address: String,
    connect_timeout: Duration,
    wait_for_room: Option<Duration>,
    manual: bool,
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

    pub(crate) fn wait_for_room(&self) -> Option<Duration> {
        self.wait_for_room
    }

    /// Tries to publish without waiting; when the queue is full and the policy is to wait for
    /// room, waits detached. `options` is made anew for each try, because a try consumes it.
    fn publish_or_wait(
        &self,
        py: Python<'_>,
        topic: &str,
        payload: &Given<'_>,
        options: impl Fn() -> PublishOptions,
    ) -> PyResult<u64> {
        let deadline = Deadline::after(self.wait_for_room.map(Seconds));
        loop {
            match self.core.try_publish(topic, payload.payload()?, options()) {
                Err(error) if error.code() == Code::QueueFull && self.wait_for_room.is_some() => {
                    if deadline.has_come() {
                        return Err(exception(py, &error));
                    }
                    // When all of it has ended there is room for certain; with a broker that keeps
                    // up there is room before, so it is tried again after a slice in any case.
                    let emptied = self.core.flush().or_raise(py)?;
                    wait::one_slice(py, &emptied, deadline)?;
                }
                answer => return answer.or_raise(py),
            }
        }
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

    fn start_subscribe(
        &self,
        py: Python<'_>,
        filter: &str,
        handler: Py<PyAny>,
        options: SubscriptionOptions,
    ) -> PyResult<Operation<Granted>> {
        if !handler.bind(py).is_callable() {
            return Err(invalid(py, Code::InvalidArgument, "The handler cannot be called"));
        }
        let handler: Arc<dyn Handler> =
            MessageHandler::new(handler, self.manual, self.raised.clone());
        // Detached, because it waits for a running call of the handler that this one replaces.
        py.detach(|| self.core.subscribe(filter, options, handler)).or_raise(py)
    }
}

#[pymethods]
impl Session {
    #[new]
    #[pyo3(signature = (address="localhost", **options))]
    fn new(py: Python<'_>, address: &str, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let settings = Settings::new(py, address, options)?;
        Ok(Self {
            core: Arc::new(client::Session::new(&settings.options).or_raise(py)?),
            address: settings.options.address(),
            connect_timeout: settings.options.connect_timeout(),
            wait_for_room: settings.wait_for_room(),
            manual: settings.manual,
            raised: settings.raised,
            on_event: Mutex::default(),
        })
    }

    /// Connects and waits for the broker's answer.
    #[pyo3(signature = (timeout=None))]
    fn connect(&self, py: Python<'_>, timeout: Option<Seconds>) -> PyResult<Connected> {
        let deadline = Deadline::after(timeout);
        let operation = py.detach(|| self.core.connect()).or_raise(py)?;
        wait::for_operation(py, &operation, deadline).map(Connected::from)
    }

    /// Waits until what was published has ended, then ends the connection in good order. Returns
    /// how many messages had to be cancelled because `drain` had passed.
    #[pyo3(
        signature = (drain=Seconds::TEN, *, reason_code=0, properties=None),
        text_signature = "($self, drain=10, *, reason_code=0, properties=None)"
    )]
    fn disconnect(
        &self,
        py: Python<'_>,
        drain: Seconds,
        reason_code: u8,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<usize> {
        let options = farewell(py, drain, reason_code, properties)?;
        let operation = py.detach(|| self.core.disconnect(options)).or_raise(py)?;
        wait::for_operation(py, &operation, Deadline::NEVER)
    }

    /// Closes the session for good and waits until its last callback has returned.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.core.in_callback() {
            // In a callback it does not wait, and another thread would wait for this one.
            py.detach(|| self.core.close());
            drop(self.forget_event_handler());
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
        })?;
        drop(self.forget_event_handler());
        Ok(())
    }

    /// Publishes a message and returns its number at once.
    #[pyo3(
        signature = (topic, payload=Given::Nothing, qos=Quality::DEFAULT, retain=false, *, properties=None, on_complete=None),
        text_signature = "($self, topic, payload=b'', qos=0, retain=False, *, properties=None, on_complete=None)"
    )]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are one call's arguments, most of them named"
    )]
    fn publish(
        &self,
        py: Python<'_>,
        topic: &str,
        payload: Given<'_>,
        qos: Quality,
        retain: bool,
        properties: Option<&Bound<'_, PyDict>>,
        on_complete: Option<Py<PyAny>>,
    ) -> PyResult<u64> {
        let properties = property::block(properties)?;
        self.publish_or_wait(py, topic, &payload, || PublishOptions {
            qos: qos.0,
            retain,
            properties: properties.clone(),
            completion: on_complete
                .as_ref()
                .map(|callable| callback::completion(callable.clone_ref(py), self.raised.clone())),
        })
    }

    /// Waits until a message has ended, and returns the broker's reason code.
    #[pyo3(signature = (number, timeout=None))]
    fn wait(&self, py: Python<'_>, number: u64, timeout: Option<Seconds>) -> PyResult<u8> {
        let delivered =
            wait::in_slices(py, Deadline::after(timeout), |slice| self.core.wait(number, slice))?;
        Ok(delivered.reason.as_u8())
    }

    /// Waits until every message published so far has ended.
    #[pyo3(signature = (timeout=None))]
    fn flush(&self, py: Python<'_>, timeout: Option<Seconds>) -> PyResult<()> {
        let deadline = Deadline::after(timeout);
        let operation = py.detach(|| self.core.flush()).or_raise(py)?;
        wait::for_operation(py, &operation, deadline)
    }

    /// Subscribes, and waits for the QoS that the broker grants.
    #[pyo3(
        signature = (filter, handler, qos=Quality::DEFAULT, *, no_local=false, retain_as_published=false, retain_handling=0, timeout=None),
        text_signature = "($self, filter, handler, qos=0, *, no_local=False, retain_as_published=False, retain_handling=0, timeout=None)"
    )]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are one call's arguments, most of them named"
    )]
    fn subscribe(
        &self,
        py: Python<'_>,
        filter: &str,
        handler: Py<PyAny>,
        qos: Quality,
        no_local: bool,
        retain_as_published: bool,
        retain_handling: u8,
        timeout: Option<Seconds>,
    ) -> PyResult<Option<u8>> {
        let deadline = Deadline::after(timeout);
        let options = subscription(py, qos, no_local, retain_as_published, retain_handling)?;
        let resting = self.is_resting();
        let operation = self.start_subscribe(py, filter, handler, options)?;
        if resting {
            return Ok(None);
        }
        wait::for_operation(py, &operation, deadline).map(|granted| Some(granted.qos as u8))
    }

    /// Subscribes without waiting.
    #[pyo3(
        signature = (filter, handler, qos=Quality::DEFAULT),
        text_signature = "($self, filter, handler, qos=0)"
    )]
    fn start_subscription(
        &self,
        py: Python<'_>,
        filter: &str,
        handler: Py<PyAny>,
        qos: Quality,
    ) -> PyResult<Subscription> {
        let options = SubscriptionOptions { qos: qos.0, ..SubscriptionOptions::default() };
        self.start_subscribe(py, filter, handler, options).map(Subscription)
    }

    /// Ends a subscription. Outside callbacks no call of its handler runs after that.
    #[pyo3(signature = (filter, timeout=None))]
    fn unsubscribe(&self, py: Python<'_>, filter: &str, timeout: Option<Seconds>) -> PyResult<()> {
        let deadline = Deadline::after(timeout);
        let resting = self.is_resting();
        let operation = py.detach(|| self.core.unsubscribe(filter)).or_raise(py)?;
        if resting { Ok(()) } else { wait::for_operation(py, &operation, deadline) }
    }

    /// Ends every subscription.
    #[pyo3(signature = (timeout=None))]
    fn unsubscribe_all(&self, py: Python<'_>, timeout: Option<Seconds>) -> PyResult<()> {
        let deadline = Deadline::after(timeout);
        let resting = self.is_resting();
        let operation = py.detach(|| self.core.unsubscribe_all()).or_raise(py)?;
        if resting { Ok(()) } else { wait::for_operation(py, &operation, deadline) }
    }

    /// Runs queued callbacks on this thread and returns how many (dispatch="polled").
    #[pyo3(
        signature = (timeout=Some(Seconds::ZERO), limit=None),
        text_signature = "($self, timeout=0, limit=None)"
    )]
    fn poll(
        &self,
        py: Python<'_>,
        timeout: Option<Seconds>,
        limit: Option<usize>,
    ) -> PyResult<usize> {
        let deadline = Deadline::after(timeout);
        let limit = limit.unwrap_or(usize::MAX);
        let ran = wait::in_slices(py, deadline, |slice| match self.core.poll(slice, limit)? {
            // Nothing came in this slice; there may be another.
            0 if !deadline.has_come() => Err(Error::from(Code::Timeout)),
            ran => Ok(ran),
        });
        match self.raised.take() {
            Some(raised) => Err(raised),
            None => ran,
        }
    }

    /// A descriptor that is readable while callbacks wait for poll() (Unix).
    #[cfg(unix)]
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        self.core.descriptor().or_raise(py)
    }

    /// What the session is doing.
    #[getter]
    pub(crate) fn state(&self) -> &'static str {
        match self.core.state() {
            State::Disconnected => "disconnected",
            State::Connecting => "connecting",
            State::Connected => "connected",
            State::Retrying => "retrying",
            State::Closed => "closed",
        }
    }

    /// The last failure of the connection, readable while the session still tries.
    #[getter]
    fn last_error(&self, py: Python<'_>) -> Option<Py<PyBaseException>> {
        self.core.last_error().map(|error| exception(py, &error).into_value(py))
    }

    /// Counters and levels, as they are now.
    #[getter]
    fn statistics(&self) -> Statistics {
        Statistics::from(self.core.statistics())
    }

    /// Whether this thread is inside a callback of this session.
    #[getter]
    fn in_callback(&self) -> bool {
        self.core.in_callback()
    }

    /// Called with each Event, in order with the other callbacks; None for nobody.
    #[getter]
    fn on_event(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.on_event).as_ref().map(|callable| callable.clone_ref(py))
    }

    #[setter]
    fn set_on_event(&self, py: Python<'_>, callable: Option<Py<PyAny>>) -> PyResult<()> {
        if callable.as_ref().is_some_and(|callable| !callable.bind(py).is_callable()) {
            return Err(invalid(py, Code::InvalidArgument, "The event handler cannot be called"));
        }
        let handler = callable
            .as_ref()
            .map(|callable| callback::event_handler(callable.clone_ref(py), self.raised.clone()));
        if handler.is_none() && self.core.state() == State::Closed {
            return Ok(());
        }
        py.detach(|| self.core.set_event_handler(handler)).or_raise(py)?;
        let before = std::mem::replace(&mut *lock(&self.on_event), callable);
        // Dropped when no lock is held any more: a destructor may well set another handler.
        drop(before);
        Ok(())
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        let connected = this.connect(this.py(), None);
        if connected.is_err() {
            this.close(this.py())?;
        }
        connected.map(|_| this)
    }

    /// Without an exception: waits until everything published has ended, then takes leave.
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let left = if self.core.state() == State::Closed {
            Ok(0)
        } else {
            let drain = if kind.is_none() { Seconds(self.connect_timeout) } else { Seconds::ZERO };
            self.disconnect(py, drain, 0, None)
        };
        let closed = self.close(py);
        if !kind.is_none() {
            // An exception of the block is worth more than our own about leaving it.
            return Ok(());
        }
        match left? {
            0 => closed,
            lost => Err(invalid(py, Code::Cancelled, cancelled(lost))),
        }
    }

    fn __repr__(&self) -> String {
        format!("<mqttsession.Session {} {}>", self.address, self.state())
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

/// A subscription on its way.
#[pyclass(frozen, module = "mqttsession._native")]
pub(crate) struct Subscription(Operation<Granted>);

#[pymethods]
impl Subscription {
    /// Waits for the QoS that the broker grants.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<Seconds>) -> PyResult<u8> {
        let granted = wait::for_operation(py, &self.0, Deadline::after(timeout))?;
        Ok(granted.qos as u8)
    }
}

/// Raises where this filter or QoS cannot be subscribed.
#[pyfunction]
pub(crate) fn check_subscription(py: Python<'_>, filter: &str, qos: Quality) -> PyResult<()> {
    let Quality(_) = qos;
    topic::check_filter(filter.as_bytes()).map(drop).map_err(|error| {
        invalid(py, Code::InvalidFilter, format!("The filter cannot be used: {error}"))
    })
}

/// The options of a subscription from what a caller gave.
pub(crate) fn subscription(
    py: Python<'_>,
    qos: Quality,
    no_local: bool,
    retain_as_published: bool,
    retain_handling: u8,
) -> PyResult<SubscriptionOptions> {
    let retain_handling = match retain_handling {
        0 => RetainHandling::Send,
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => {
            let message = format!("retain_handling is 0, 1 or 2, not {retain_handling}");
            return Err(invalid(py, Code::InvalidArgument, message));
        }
    };
    Ok(SubscriptionOptions { qos: qos.0, no_local, retain_as_published, retain_handling })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
