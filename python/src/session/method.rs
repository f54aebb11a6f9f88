//! The methods of a session, as Python calls them.

use std::sync::{Arc, Mutex};

use mqttsession::{
    client::{self, State},
    error::{Code, Error},
    protocol::{PropertyBlock, SubscriptionOptions},
};
use pyo3::{
    exceptions::PyBaseException,
    prelude::*,
    types::{PyCFunction, PyDict, PyTuple},
};

use super::{Session, cancelled, farewell, lock};
use crate::{
    connected::Connected,
    error::{OrRaise, exception, invalid},
    message::{Given, Message, Quality},
    options::Settings,
    publish::{How, completion, in_room, publish_or_wait},
    request::{self, Asked, Responder, check_version},
    result::{self, PublishResult, SubscribeResult, UnsubscribeResult},
    statistics::Statistics,
    subscription::{self, Filters, Keywords, Subscription},
    wait::{self, Deadline, Seconds},
};

#[pymethods]
impl Session {
    #[new]
    #[pyo3(signature = (address="localhost", **options))]
    fn new(py: Python<'_>, address: &str, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let settings = Settings::new(py, address, options)?;
        // Detached, because it may have to read a store.
        let core = py.detach(|| client::Session::new(&settings.options)).or_raise(py)?;
        let this = Self {
            core: Arc::new(core),
            address: settings.options.address(),
            version: settings.version,
            connect_timeout: settings.options.connect_timeout(),
            wait_for_room: settings.wait_for_room(),
            has_store: settings.options.store().is_some(),
            manual: settings.manual,
            failure: settings.failure,
            raised: settings.raised,
            on_event: Mutex::default(),
        };
        this.listen(py, None)?;
        Ok(this)
    }

    /// Connects and waits for the broker's answer.
    #[pyo3(signature = (timeout=None))]
    fn connect(&self, py: Python<'_>, timeout: Option<Seconds>) -> PyResult<Connected> {
        let deadline = Deadline::after(timeout);
        let operation = py.detach(|| self.core.connect()).or_raise(py)?;
        wait::for_operation(py, &operation, deadline).map(Connected::from)
    }

    /// Authenticates anew on the live connection (MQTT 5.0).
    #[pyo3(signature = (timeout=None))]
    fn reauthenticate(&self, py: Python<'_>, timeout: Option<Seconds>) -> PyResult<()> {
        let deadline = Deadline::after(timeout);
        let operation = py.detach(|| self.core.reauthenticate()).or_raise(py)?;
        wait::for_operation(py, &operation, deadline)
    }

    /// Waits until what was published has ended, then ends the connection in good order. Returns
    /// how many messages had not because `drain` had passed: cancelled, or kept by the store.
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
        let closed = self.close_and_wait(py);
        drop(self.forget_event_handler());
        closed
    }

    /// Publishes a message and returns its number at once.
    #[pyo3(
        signature = (topic, payload=Given::Nothing, qos=Quality::DEFAULT, retain=false, *, properties=None, time_to_live=None, on_complete=None),
        text_signature = "($self, topic, payload=b'', qos=0, retain=False, *, properties=None, time_to_live=None, on_complete=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "most of them are named")]
    fn publish(
        &self,
        py: Python<'_>,
        topic: &str,
        payload: Given<'_>,
        qos: Quality,
        retain: bool,
        properties: Option<&Bound<'_, PyDict>>,
        time_to_live: Option<Seconds>,
        on_complete: Option<Py<PyAny>>,
    ) -> PyResult<u64> {
        let how = How::new(qos, retain, properties, time_to_live)?;
        publish_or_wait(py, &self.core, self.wait_for_room, topic, &payload, || {
            how.options(completion(py, on_complete.as_ref(), &self.raised))
        })
    }

    /// Waits until a message has ended, and returns how.
    #[pyo3(signature = (number, timeout=None))]
    fn wait(
        &self,
        py: Python<'_>,
        number: u64,
        timeout: Option<Seconds>,
    ) -> PyResult<PublishResult> {
        let delivered =
            wait::in_slices(py, Deadline::after(timeout), |slice| self.core.wait(number, slice))?;
        Ok(PublishResult::new(py, number, Ok(delivered)))
    }

    /// Waits until a message is in the session's store.
    #[pyo3(signature = (number, timeout=None))]
    fn wait_stored(&self, py: Python<'_>, number: u64, timeout: Option<Seconds>) -> PyResult<()> {
        let deadline = Deadline::after(timeout);
        let operation = py.detach(|| self.core.stored(number)).or_raise(py)?;
        wait::for_operation(py, &operation, deadline)
    }

    /// Waits until every message published so far has ended.
    #[pyo3(signature = (timeout=None))]
    fn flush(&self, py: Python<'_>, timeout: Option<Seconds>) -> PyResult<()> {
        let deadline = Deadline::after(timeout);
        let operation = py.detach(|| self.core.flush()).or_raise(py)?;
        wait::for_operation(py, &operation, deadline)
    }

    /// Publishes a request and waits for its answer (MQTT 5.0).
    #[pyo3(
        signature = (topic, payload=Given::Nothing, timeout=Seconds::TEN, *, qos=Quality::AT_LEAST_ONCE, properties=None),
        text_signature = "($self, topic, payload=b'', timeout=10, *, qos=1, properties=None)"
    )]
    fn request(
        &self,
        py: Python<'_>,
        topic: &str,
        payload: Given<'_>,
        timeout: Seconds,
        qos: Quality,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<Message>> {
        let asked = Asked::new(topic, payload, timeout, qos, properties)?;
        let operation = in_room(py, &self.core, self.wait_for_room, || asked.attempt(&self.core))?;
        // It has a deadline of its own.
        let answer = wait::for_operation(py, &operation, Deadline::NEVER)?;
        Message::answer(py, &answer)
    }

    /// Subscribes a filter whose messages a function answers (MQTT 5.0).
    #[pyo3(
        signature = (filter, function, qos=Quality::AT_LEAST_ONCE, **keywords),
        text_signature = "($self, filter, function, qos=1, *, no_local=False, retain_as_published=False, retain_handling=0, properties=None, timeout=None)"
    )]
    fn respond(
        &self,
        py: Python<'_>,
        filter: &str,
        function: Py<PyAny>,
        qos: Quality,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<SubscribeResult>> {
        check_version(py, self.version)?;
        let Keywords { options, properties, deadline } = Keywords::read(qos, keywords)?;
        let handler = self.handler(py, function)?;
        let responder = Responder::new(handler, &self.core, self.wait_for_room);
        let resting = self.is_resting();
        let subscription =
            Filters::one(filter, options).start(py, &self.core, properties, responder)?;
        if resting { Ok(None) } else { subscription.result(py, deadline).map(Some) }
    }

    /// Publishes the answer to a request, and returns its number at once (MQTT 5.0).
    #[pyo3(
        signature = (request, payload=Given::Nothing, *, qos=None, properties=None, on_complete=None),
        text_signature = "($self, request, payload=b'', *, qos=None, properties=None, on_complete=None)"
    )]
    fn reply(
        &self,
        py: Python<'_>,
        request: &Message,
        payload: Given<'_>,
        qos: Option<Quality>,
        properties: Option<&Bound<'_, PyDict>>,
        on_complete: Option<Py<PyAny>>,
    ) -> PyResult<u64> {
        let (topic, how) = request::reply(py, request, qos, properties)?;
        publish_or_wait(py, &self.core, self.wait_for_room, topic, &payload, || {
            how.options(completion(py, on_complete.as_ref(), &self.raised))
        })
    }

    /// Subscribes, and waits for the broker's answer.
    #[pyo3(
        signature = (filter, handler, qos=Quality::DEFAULT, **keywords),
        text_signature = "($self, filter, handler, qos=0, *, no_local=False, retain_as_published=False, retain_handling=0, properties=None, timeout=None)"
    )]
    fn subscribe(
        &self,
        py: Python<'_>,
        filter: &str,
        handler: Py<PyAny>,
        qos: Quality,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<SubscribeResult>> {
        let Keywords { options, properties, deadline } = Keywords::read(qos, keywords)?;
        let resting = self.is_resting();
        let filter = Filters::one(filter, options);
        let subscription = self.start_subscribe(py, filter, handler, properties)?;
        if resting { Ok(None) } else { subscription.result(py, deadline).map(Some) }
    }

    /// Subscribes several filters with one handler, and waits for the broker's answers.
    #[pyo3(
        signature = (filters, handler, qos=Quality::DEFAULT, **keywords),
        text_signature = "($self, filters, handler, qos=0, *, no_local=False, retain_as_published=False, retain_handling=0, properties=None, timeout=None)"
    )]
    fn subscribe_many(
        &self,
        py: Python<'_>,
        filters: &Bound<'_, PyAny>,
        handler: Py<PyAny>,
        qos: Quality,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<Vec<SubscribeResult>>> {
        let Keywords { options, properties, deadline } = Keywords::read(qos, keywords)?;
        let filters = Filters::read(filters, options)?;
        let resting = self.is_resting();
        let subscription = self.start_subscribe(py, filters, handler, properties)?;
        if resting { Ok(None) } else { subscription.results(py, deadline).map(Some) }
    }

    /// Decorates a handler: subscribes it.
    #[pyo3(
        signature = (filter, qos=Quality::DEFAULT, **keywords),
        text_signature = "($self, filter, qos=0, *, no_local=False, retain_as_published=False, retain_handling=0, properties=None, timeout=None)"
    )]
    fn on(
        this: Py<Self>,
        py: Python<'_>,
        filter: String,
        qos: Quality,
        keywords: Option<Py<PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let subscribe = move |handlers: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
            let (handler,): (Bound<'_, PyAny>,) = handlers.extract()?;
            let py = handler.py();
            let keywords = keywords.as_ref().map(|keywords| keywords.bind(py));
            this.bind(py).call_method("subscribe", (&filter, &handler, qos.0 as u8), keywords)?;
            Ok::<_, PyErr>(handler.unbind())
        };
        Ok(PyCFunction::new_closure(py, Some(c"on"), None, subscribe)?.into_any().unbind())
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
        self.start_subscribe(py, Filters::one(filter, options), handler, PropertyBlock::new())
    }

    /// Ends a subscription. Outside callbacks no call of its handler runs after that.
    #[pyo3(signature = (filter, timeout=None, *, properties=None))]
    fn unsubscribe(
        &self,
        py: Python<'_>,
        filter: String,
        timeout: Option<Seconds>,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<UnsubscribeResult>> {
        self.unsubscribe_and_wait(py, &[filter], timeout, properties)?
            .map(|results| result::only(py, results, UnsubscribeResult::or_raise))
            .transpose()
    }

    /// Ends several subscriptions with one packet.
    #[pyo3(signature = (filters, timeout=None, *, properties=None))]
    fn unsubscribe_many(
        &self,
        py: Python<'_>,
        filters: &Bound<'_, PyAny>,
        timeout: Option<Seconds>,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<Vec<UnsubscribeResult>>> {
        self.unsubscribe_and_wait(py, &subscription::names(filters)?, timeout, properties)
    }

    /// Ends every subscription.
    #[pyo3(signature = (timeout=None))]
    fn unsubscribe_all(&self, py: Python<'_>, timeout: Option<Seconds>) -> PyResult<()> {
        let deadline = Deadline::after(timeout);
        let resting = self.is_resting();
        let operation = py.detach(|| self.core.unsubscribe_all()).or_raise(py)?;
        if resting {
            return Ok(());
        }
        result::first_error(wait::for_operation(py, &operation, deadline)?).or_raise(py)
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

    /// What the broker said when it accepted the present connection, or the last one.
    #[getter]
    fn connection(&self) -> Option<Connected> {
        self.core.connected().map(Connected::from)
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
        if callable.is_none() && self.core.state() == State::Closed {
            return Ok(());
        }
        self.listen(py, callable.as_ref())?;
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
        // What the store keeps is not lost: a later session sends it.
        match left?.saturating_sub(self.left_in_store()) {
            0 => closed,
            lost => Err(invalid(py, Code::Cancelled, cancelled(lost))),
        }
    }

    fn __repr__(&self) -> String {
        format!("<mqttsession.Session {} {}>", self.address, self.state())
    }
}
