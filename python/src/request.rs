//! Request and response (MQTT 5.0): asking, and answering what others have asked.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use mqttsession::{
    client::{self, Handled, Handler, Operation, OwnedMessage, RequestOptions},
    error::{Code, Result},
    protocol::{Property, Version},
};
use pyo3::{prelude::*, types::PyDict};

use crate::{
    callback::MessageHandler,
    error::invalid,
    message::{Given, Message, Quality},
    property,
    publish::{How, publish_or_wait},
    wait::Seconds,
};

/// How a caller asks.
pub(crate) struct Asked<'a, 'py> {
    pub(crate) topic: &'a str,
    pub(crate) payload: Given<'py>,
    pub(crate) options: RequestOptions,
}

impl<'a, 'py> Asked<'a, 'py> {
    pub(crate) fn new(
        topic: &'a str,
        payload: Given<'py>,
        Seconds(timeout): Seconds,
        qos: Quality,
        properties: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        let properties = property::block(properties)?;
        Ok(Self { topic, payload, options: RequestOptions { timeout, qos: qos.0, properties } })
    }

    /// Publishes the request, without waiting; the operation is its answer.
    pub(crate) fn attempt(
        &self,
        core: &client::Session,
    ) -> PyResult<Result<Operation<OwnedMessage>>> {
        Ok(core.try_request(self.topic, self.payload.payload()?, self.options.clone()))
    }
}

/// Before MQTT 5.0 a message cannot say where its answer is to go.
pub(crate) fn check_version(py: Python<'_>, version: Version) -> PyResult<()> {
    if version.is_v5() {
        return Ok(());
    }
    Err(invalid(py, Code::NotSupported, "Before MQTT 5.0 there is no request and response"))
}

/// Where the answer to a request goes and how, or the error that it wants none.
pub(crate) fn reply<'a>(
    py: Python<'_>,
    request: &'a Message,
    qos: Option<Quality>,
    properties: Option<&Bound<'_, PyDict>>,
) -> PyResult<(&'a str, How)> {
    let Some((topic, correlation)) = request.reply_address() else {
        let message = "This message asks for no answer: it has no response topic";
        return Err(invalid(py, Code::InvalidArgument, message));
    };
    let mut how = How::new(qos.unwrap_or(request.quality()), false, properties, None)?;
    if let Some(correlation) = correlation {
        how.properties.push(Property::CorrelationData(correlation)).map_err(|error| {
            invalid(py, Code::InvalidArgument, format!("The answer cannot be sent: {error}"))
        })?;
    }
    Ok((topic, how))
}

/// A callable that answers the messages of a subscription.
///
/// The core's own responders publish while the callback runs. Here that would be attached to the
/// interpreter, for as long as a full queue takes, so the answer is published from this side.
pub(crate) struct Responder {
    handler: MessageHandler,
    session: Weak<client::Session>,
    room: Option<Duration>,
}

impl Responder {
    pub(crate) fn new(
        handler: MessageHandler,
        session: &Arc<client::Session>,
        room: Option<Duration>,
    ) -> Arc<Self> {
        Arc::new(Self { handler, session: Arc::downgrade(session), room })
    }

    fn answer(&self, py: Python<'_>, request: &Message, answer: &Bound<'_, PyAny>) -> PyResult<()> {
        if answer.is_none() || request.reply_address().is_none() {
            return Ok(());
        }
        let (payload, properties): (Given<'_>, Option<Bound<'_, PyDict>>) =
            match answer.extract::<(Given<'_>, Bound<'_, PyDict>)>() {
                Ok((payload, properties)) => (payload, Some(properties)),
                Err(_) => (answer.extract()?, None),
            };
        let (topic, how) = reply(py, request, None, properties.as_ref())?;
        let Some(session) = self.session.upgrade() else { return Ok(()) };
        publish_or_wait(py, &session, self.room, topic, &payload, || how.options(None)).map(drop)
    }
}

impl Handler for Responder {
    fn handle(&self, message: &client::Message<'_>) -> Handled {
        self.handler.handle_with(message, |py, request, answer| self.answer(py, request, &answer))
    }
}
