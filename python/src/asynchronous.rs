//! The calls of a session that answer with a future: what `mqttsession.aio` is made of.

use std::sync::Arc;

use mqttsession::{
    client::{self, Completion, Delivered, Operation},
    error::{Code, Result},
    protocol::{QoS, ReasonCode},
};
use pyo3::{IntoPyObjectExt, prelude::*, types::PyDict};

use crate::{
    closing,
    connected::Connected,
    error::{OrRaise, invalid},
    mailbox::{Letter, Mailbox},
    message::{Given, Message, Quality},
    property,
    publication::Publication,
    publish::How,
    request::{self, Asked},
    result::{self, PublishResult, SubscribeResult, UnsubscribeResult},
    session::{Session, farewell},
    stream::Stream,
    subscription::{self, Filters, start_unsubscribe},
    wait::Seconds,
};

/// A session seen from one event loop. Every call belongs on the loop's thread; none waits.
#[pyclass(frozen, module = "mqttsession._native")]
pub(crate) struct AsyncSession {
    session: Py<Session>,
    mailbox: Arc<Mailbox>,
}

impl AsyncSession {
    /// Starts an operation that has no value, detached: some wait for a running handler.
    fn start(
        &self,
        py: Python<'_>,
        start: impl FnOnce(&client::Session) -> Result<Operation<()>> + Send,
    ) -> PyResult<Py<PyAny>> {
        let core = self.session.get().core();
        let operation = py.detach(|| start(core)).or_raise(py)?;
        self.mailbox.future_of(py, operation, |py, ()| Ok(py.None()))
    }

    fn publish_as(
        &self,
        py: Python<'_>,
        topic: &str,
        payload: &Given<'_>,
        how: &How,
    ) -> PyResult<Option<Py<PyAny>>> {
        let session = self.session.get();
        if how.qos == QoS::AtMostOnce {
            let tried = session.core().try_publish(topic, payload.payload()?, how.options(None));
            let Some(number) = session.unless_full(tried).or_raise(py)? else { return Ok(None) };
            let done = Delivered::new(ReasonCode::Success);
            return PublishResult::new(py, number, Ok(done)).into_py_any(py).map(Some);
        }
        let publication = Py::new(py, Publication::new(Arc::clone(&self.mailbox)))?;
        let ended = publication.clone_ref(py);
        let completion = Completion::new(move |number, outcome| {
            let _ = Python::try_attach(move |py| {
                let mailbox = Arc::clone(ended.get().mailbox());
                mailbox.post(py, Letter::Published(ended, number, outcome));
            });
        });
        let options = how.options(Some(completion));
        let tried = session.core().try_publish(topic, payload.payload()?, options);
        Ok(session.unless_full(tried).or_raise(py)?.map(|_number| publication.into_any()))
    }

    /// `on_complete(result)`, called once on the loop when a publish has ended.
    fn completion(&self, callable: Py<PyAny>) -> Completion {
        let mailbox = Arc::clone(&self.mailbox);
        Completion::new(move |number, outcome| {
            let _ = Python::try_attach(move |py| {
                mailbox.post(py, Letter::Completed(callable, number, outcome));
            });
        })
    }

    fn start_subscribe(
        &self,
        py: Python<'_>,
        filters: Filters,
        stream: &Stream,
        properties: Option<&Bound<'_, PyDict>>,
        convert: impl FnOnce(Python<'_>, Vec<SubscribeResult>) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>> {
        let properties = property::block(properties)?;
        let Some(handler) = stream.subscribe(filters.names()) else {
            return Err(invalid(py, Code::Busy, "This stream has its subscription already"));
        };
        let subscription = filters.start(py, self.session.get().core(), properties, handler)?;
        let (filters, operation) = subscription.into_parts();
        self.mailbox.future_of(py, operation, move |py, answers| {
            convert(py, subscription::results(py, &filters, answers))
        })
    }

    fn start_unsubscribe(
        &self,
        py: Python<'_>,
        filters: Vec<String>,
        properties: Option<&Bound<'_, PyDict>>,
        convert: impl FnOnce(Python<'_>, Vec<UnsubscribeResult>) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>> {
        let core = self.session.get().core();
        let operation = start_unsubscribe(py, core, &filters, properties)?;
        self.mailbox.future_of(py, operation, move |py, answers| {
            let new = |filter, answer| UnsubscribeResult::new(py, filter, answer);
            convert(py, result::by_filter(&filters, answers, new))
        })
    }
}

#[pymethods]
impl AsyncSession {
    #[new]
    fn new(py: Python<'_>, session: Py<Session>, event_loop: &Bound<'_, PyAny>) -> PyResult<Self> {
        if session.get().is_polled() {
            let message = "dispatch=\"polled\" and an event loop exclude each other";
            return Err(invalid(py, Code::InvalidOption, message));
        }
        let mailbox = Mailbox::new(event_loop, Arc::downgrade(session.get().core()))?;
        Ok(Self { session, mailbox })
    }

    /// Connects.
    fn connect(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let core = self.session.get().core();
        let operation = py.detach(|| core.connect()).or_raise(py)?;
        self.mailbox
            .future_of(py, operation, |py, connected| Connected::from(connected).into_py_any(py))
    }

    /// Authenticates anew on the live connection.
    fn reauthenticate(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.start(py, client::Session::reauthenticate)
    }

    /// Ends the connection in good order; a future of the number of messages that had not ended.
    fn disconnect(
        &self,
        py: Python<'_>,
        drain: Seconds,
        reason_code: u8,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let options = farewell(py, drain, reason_code, properties)?;
        let core = self.session.get().core();
        let operation = py.detach(|| core.disconnect(options)).or_raise(py)?;
        self.mailbox.future_of(py, operation, |py, cancelled| cancelled.into_py_any(py))
    }

    /// Closes the session for good.
    fn close(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let future = self.mailbox.future(py)?;
        let (mailbox, closed) = (Arc::clone(&self.mailbox), future.clone_ref(py));
        closing::close(client::Session::clone(self.session.get().core()), move || {
            let _ = Python::try_attach(move |py| {
                mailbox.post(py, Letter::Ended(closed, Ok(py.None())));
            });
        })?;
        Ok(future)
    }

    /// Publishes: the result where it is done with (QoS 0), an awaitable of it (QoS 1 and 2), or
    /// None where the queue is full and the policy is to wait for room.
    #[expect(clippy::too_many_arguments, reason = "they are one call's arguments")]
    #[pyo3(signature = (topic, payload, qos, retain, properties, time_to_live))]
    fn publish(
        &self,
        py: Python<'_>,
        topic: &str,
        payload: Given<'_>,
        qos: Quality,
        retain: bool,
        properties: Option<&Bound<'_, PyDict>>,
        time_to_live: Option<Seconds>,
    ) -> PyResult<Option<Py<PyAny>>> {
        self.publish_as(py, topic, &payload, &How::new(qos, retain, properties, time_to_live)?)
    }

    /// Publishes, or raises where the queue is full; the number of the message. `on_complete` is
    /// called on the loop.
    #[expect(clippy::too_many_arguments, reason = "they are one call's arguments")]
    #[pyo3(
        signature = (topic, payload=Given::Nothing, qos=Quality::DEFAULT, retain=false, *, properties=None, time_to_live=None, on_complete=None),
        text_signature = "($self, topic, payload=b'', qos=0, retain=False, *, properties=None, time_to_live=None, on_complete=None)"
    )]
    fn publish_nowait(
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
        let completion = on_complete.map(|callable| self.completion(callable));
        let core = self.session.get().core();
        core.try_publish(topic, payload.payload()?, how.options(completion)).or_raise(py)
    }

    /// Publishes; a future of the number, done when the message is in the store, or None where the
    /// queue is full and the policy is to wait for room.
    #[expect(clippy::too_many_arguments, reason = "they are one call's arguments")]
    #[pyo3(signature = (topic, payload, qos, retain, properties, time_to_live))]
    fn publish_stored(
        &self,
        py: Python<'_>,
        topic: &str,
        payload: Given<'_>,
        qos: Quality,
        retain: bool,
        properties: Option<&Bound<'_, PyDict>>,
        time_to_live: Option<Seconds>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let session = self.session.get();
        session.check_store(py)?;
        let how = How::new(qos, retain, properties, time_to_live)?;
        let tried = session.core().try_publish(topic, payload.payload()?, how.options(None));
        let Some(number) = session.unless_full(tried).or_raise(py)? else { return Ok(None) };
        let stored = py.detach(|| session.core().stored(number)).or_raise(py)?;
        self.mailbox.future_of(py, stored, move |py, ()| number.into_py_any(py)).map(Some)
    }

    /// Done when a message is in the store.
    fn wait_stored(&self, py: Python<'_>, number: u64) -> PyResult<Py<PyAny>> {
        self.start(py, |core| core.stored(number))
    }

    /// Publishes the answer to a request, as `publish` does.
    #[pyo3(signature = (request, payload, qos, properties))]
    fn reply(
        &self,
        py: Python<'_>,
        request: &Message,
        payload: Given<'_>,
        qos: Option<Quality>,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let (topic, how) = request::reply(py, request, qos, properties)?;
        self.publish_as(py, topic, &payload, &how)
    }

    /// Publishes a request; a future of the answering message, or None where the queue is full and
    /// the policy is to wait for room.
    #[pyo3(signature = (topic, payload, timeout, qos, properties))]
    fn request(
        &self,
        py: Python<'_>,
        topic: &str,
        payload: Given<'_>,
        timeout: Seconds,
        qos: Quality,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let session = self.session.get();
        let asked = Asked::new(topic, payload, timeout, qos, properties)?;
        let Some(operation) = session.unless_full(asked.attempt(session.core())?).or_raise(py)?
        else {
            return Ok(None);
        };
        self.mailbox
            .future_of(py, operation, |py, answer| Message::answer(py, &answer)?.into_py_any(py))
            .map(Some)
    }

    /// Raises where the session's version has no request and response.
    fn check_requests(&self, py: Python<'_>) -> PyResult<()> {
        request::check_version(py, self.session.get().version())
    }

    /// Done when every message published so far has ended.
    fn flush(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.start(py, client::Session::flush)
    }

    /// A queue for the messages of a subscription.
    fn stream(&self) -> Stream {
        Stream::new(Arc::clone(&self.mailbox), self.session.get())
    }

    /// Subscribes a stream; a future of the result.
    #[pyo3(signature = (filter, stream, qos, no_local, retain_as_published, retain_handling, properties))]
    #[expect(clippy::too_many_arguments, reason = "they are one call's arguments")]
    fn subscribe(
        &self,
        py: Python<'_>,
        filter: &str,
        stream: &Stream,
        qos: Quality,
        no_local: bool,
        retain_as_published: bool,
        retain_handling: u8,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let options =
            subscription::options(py, qos, no_local, retain_as_published, retain_handling)?;
        self.start_subscribe(
            py,
            Filters::one(filter, options),
            stream,
            properties,
            |py, results| result::only(py, results, SubscribeResult::or_raise)?.into_py_any(py),
        )
    }

    /// Subscribes a stream to several filters; a future of the list of results.
    #[pyo3(signature = (filters, stream, qos, no_local, retain_as_published, retain_handling, properties))]
    #[expect(clippy::too_many_arguments, reason = "they are one call's arguments")]
    fn subscribe_many(
        &self,
        py: Python<'_>,
        filters: &Bound<'_, PyAny>,
        stream: &Stream,
        qos: Quality,
        no_local: bool,
        retain_as_published: bool,
        retain_handling: u8,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let common =
            subscription::options(py, qos, no_local, retain_as_published, retain_handling)?;
        let filters = Filters::read(filters, common)?;
        self.start_subscribe(py, filters, stream, properties, |py, results| results.into_py_any(py))
    }

    /// Ends a subscription; a future of the result.
    #[pyo3(signature = (filter, properties))]
    fn unsubscribe(
        &self,
        py: Python<'_>,
        filter: String,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        self.start_unsubscribe(py, vec![filter], properties, |py, results| {
            result::only(py, results, UnsubscribeResult::or_raise)?.into_py_any(py)
        })
    }

    /// Ends several subscriptions with one packet; a future of the list of results.
    #[pyo3(signature = (filters, properties))]
    fn unsubscribe_many(
        &self,
        py: Python<'_>,
        filters: &Bound<'_, PyAny>,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let filters = subscription::names(filters)?;
        self.start_unsubscribe(py, filters, properties, |py, results| results.into_py_any(py))
    }

    /// Ends every subscription.
    fn unsubscribe_all(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let core = self.session.get().core();
        let operation = py.detach(|| core.unsubscribe_all()).or_raise(py)?;
        self.mailbox.future_of(py, operation, |py, answers| {
            result::first_error(answers).or_raise(py)?;
            Ok(py.None())
        })
    }
}
