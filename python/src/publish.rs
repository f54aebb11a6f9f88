//! Publishing: how, and what happens when the queue is full.

use std::time::Duration;

use mqttsession::{
    client::{self, Completion, PublishOptions},
    error::{Code, Result},
    protocol::{PropertyBlock, QoS},
};
use pyo3::{prelude::*, types::PyDict};

use crate::{
    callback::{self, Raised},
    error::{OrRaise, exception},
    message::{Given, Quality},
    property,
    wait::{self, Deadline, Seconds},
};

/// How a caller wants a message to be published.
pub(crate) struct How {
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) properties: PropertyBlock,
    pub(crate) time_to_live: Option<Duration>,
}

impl How {
    pub(crate) fn new(
        qos: Quality,
        retain: bool,
        properties: Option<&Bound<'_, PyDict>>,
        time_to_live: Option<Seconds>,
    ) -> PyResult<Self> {
        let time_to_live = time_to_live.map(|Seconds(duration)| duration);
        Ok(Self { qos: qos.0, retain, properties: property::block(properties)?, time_to_live })
    }

    /// What the core takes. A try consumes it, so it is made anew for each.
    pub(crate) fn options(&self, completion: Option<Completion>) -> PublishOptions {
        PublishOptions {
            qos: self.qos,
            retain: self.retain,
            properties: self.properties.clone(),
            time_to_live: self.time_to_live,
            completion,
        }
    }
}

/// Publishes, and waits detached where the queue is full and the policy is to wait for room (`room`
/// says how long).
pub(crate) fn publish_or_wait(
    py: Python<'_>,
    core: &client::Session,
    room: Option<Duration>,
    topic: &str,
    payload: &Given<'_>,
    options: impl Fn() -> PublishOptions,
) -> PyResult<u64> {
    in_room(py, core, room, || Ok(core.try_publish(topic, payload.payload()?, options())))
}

/// Repeats a try that does not wait until the outgoing queue has room for it.
pub(crate) fn in_room<T>(
    py: Python<'_>,
    core: &client::Session,
    room: Option<Duration>,
    attempt: impl Fn() -> PyResult<Result<T>>,
) -> PyResult<T> {
    // The clock is not looked at before there is something to wait for.
    let mut deadline = None;
    loop {
        match attempt()? {
            Err(error) if error.code() == Code::QueueFull && room.is_some() => {
                let deadline = *deadline.get_or_insert_with(|| Deadline::after(room.map(Seconds)));
                if deadline.has_come() {
                    return Err(exception(py, &error));
                }
                // When all of it has ended there is room for certain; with a broker that keeps up
                // there is room before, so it is tried again after a slice in any case.
                let emptied = core.flush().or_raise(py)?;
                wait::one_slice(py, &emptied, deadline)?;
            }
            answer => return answer.or_raise(py),
        }
    }
}

/// The completion of a publish that a caller gave a callable for.
pub(crate) fn completion(
    py: Python<'_>,
    on_complete: Option<&Py<PyAny>>,
    raised: &Raised,
) -> Option<Completion> {
    on_complete.map(|callable| callback::completion(callable.clone_ref(py), raised.clone()))
}
