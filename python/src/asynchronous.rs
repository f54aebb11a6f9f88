//! The calls of a session that answer with a future: what `mqttsession.aio` is made of.

use std::sync::Arc;

use mqttsession::{
    client::{self, Operation, PublishOptions},
    error::{Code, Result},
    protocol::QoS,
};
use pyo3::{IntoPyObjectExt, prelude::*, types::PyDict};

use crate::{
    closing,
    error::{OrRaise, exception, invalid},
    future::Mailbox,
    message::{Connected, Given, Quality},
    property,
    session::{Session, farewell, subscription},
    stream::Stream,
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

    /// Ends the connection in good order; a future of the number of messages cancelled.
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
            let _ = Python::try_attach(move |py| mailbox.post(py, closed, Ok(py.None())));
        })?;
        Ok(future)
    }

    /// Publishes: 0 when it is done with (QoS 0), a future of its reason code (QoS 1 and 2), or
    /// None where the queue is full and the policy is to wait for room.
    #[pyo3(signature = (topic, payload, qos, retain, properties))]
    fn publish(
        &self,
        py: Python<'_>,
        topic: &str,
        payload: Given<'_>,
        qos: Quality,
        retain: bool,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let session = self.session.get();
        let mut options = PublishOptions {
            qos: qos.0,
            retain,
            properties: property::block(properties)?,
            completion: None,
        };
        let mut answer = None;
        if qos.0 != QoS::AtMostOnce {
            let future = self.mailbox.future(py)?;
            let (mailbox, ended) = (Arc::clone(&self.mailbox), future.clone_ref(py));
            answer = Some(future);
            options.completion = Some(Box::new(move |_, outcome| {
                let _ = Python::try_attach(move |py| {
                    let reason = outcome
                        .map_err(|error| exception(py, &error))
                        .and_then(|delivered| delivered.reason.as_u8().into_py_any(py));
                    mailbox.post(py, ended, reason);
                });
            }));
        }
        match session.core().try_publish(topic, payload.payload()?, options) {
            Ok(_) => answer.map_or_else(|| 0.into_py_any(py), Ok).map(Some),
            Err(error) if error.code() == Code::QueueFull && session.wait_for_room().is_some() => {
                Ok(None)
            }
            Err(error) => Err(exception(py, &error)),
        }
    }

    /// Publishes, or raises where the queue is full; the number of the message.
    #[pyo3(signature = (topic, payload, qos, retain, properties))]
    fn publish_nowait(
        &self,
        py: Python<'_>,
        topic: &str,
        payload: Given<'_>,
        qos: Quality,
        retain: bool,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<u64> {
        let options = PublishOptions {
            qos: qos.0,
            retain,
            properties: property::block(properties)?,
            completion: None,
        };
        self.session.get().core().try_publish(topic, payload.payload()?, options).or_raise(py)
    }

    /// Done when every message published so far has ended.
    fn flush(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.start(py, client::Session::flush)
    }

    /// A queue for the messages of a subscription.
    fn stream(&self) -> Stream {
        let session = self.session.get();
        let core = Arc::downgrade(session.core());
        Stream::new(Arc::clone(&self.mailbox), core, session.is_manual())
    }

    /// Subscribes a stream; a future of the granted QoS.
    #[pyo3(signature = (filter, stream, qos, no_local, retain_as_published, retain_handling))]
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
    ) -> PyResult<Py<PyAny>> {
        let options = subscription(py, qos, no_local, retain_as_published, retain_handling)?;
        let Some(handler) = stream.subscribe(filter) else {
            return Err(invalid(py, Code::Busy, "This stream has its subscription already"));
        };
        let core = self.session.get().core();
        let operation = py.detach(|| core.subscribe(filter, options, handler)).or_raise(py)?;
        self.mailbox.future_of(py, operation, |py, granted| (granted.qos as u8).into_py_any(py))
    }

    /// Ends a subscription.
    fn unsubscribe(&self, py: Python<'_>, filter: &str) -> PyResult<Py<PyAny>> {
        self.start(py, |core| core.unsubscribe(filter))
    }

    /// Ends every subscription.
    fn unsubscribe_all(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.start(py, client::Session::unsubscribe_all)
    }
}
