//! Filters and their options, and subscriptions on their way.

use std::sync::Arc;

use mqttsession::{
    client::{self, Granted, Handler, Operation, Unsubscribed},
    error::{Code, Result},
    protocol::{PropertyBlock, RetainHandling, SubscriptionOptions, topic},
};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    pybacked::PyBackedStr,
    types::{PyDict, PyMapping, PyString},
};

use crate::{
    error::{OrRaise, invalid},
    message::Quality,
    property,
    result::{self, SubscribeResult},
    wait::{self, Deadline, Seconds},
};

/// The options of a subscription from what a caller gave.
pub(crate) fn options(
    py: Python<'_>,
    qos: Quality,
    no_local: bool,
    retain_as_published: bool,
    retain_handling: u8,
) -> PyResult<SubscriptionOptions> {
    let retain_handling = self::retain_handling(py, retain_handling)?;
    Ok(SubscriptionOptions { qos: qos.0, no_local, retain_as_published, retain_handling })
}

fn retain_handling(py: Python<'_>, number: u8) -> PyResult<RetainHandling> {
    match number {
        0 => Ok(RetainHandling::Send),
        1 => Ok(RetainHandling::SendIfNew),
        2 => Ok(RetainHandling::DoNotSend),
        _ => {
            let message = format!("retain_handling is 0, 1 or 2, not {number}");
            Err(invalid(py, Code::InvalidArgument, message))
        }
    }
}

/// The filters of one call, each with its options.
pub(crate) struct Filters {
    names: Vec<String>,
    options: Vec<SubscriptionOptions>,
}

impl Filters {
    /// A single one.
    pub(crate) fn one(filter: &str, options: SubscriptionOptions) -> Self {
        Self { names: vec![filter.to_owned()], options: vec![options] }
    }

    /// Their names.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Several: names, all with the same options; or a mapping of names to a QoS or to options,
    /// which complete those.
    pub(crate) fn read(filters: &Bound<'_, PyAny>, common: SubscriptionOptions) -> PyResult<Self> {
        let Ok(mapping) = filters.cast::<PyMapping>() else {
            let names = names(filters)?;
            return Ok(Self { options: vec![common; names.len()], names });
        };
        let (mut names, mut options) = (Vec::new(), Vec::new());
        for item in mapping.items()? {
            let (name, own): (String, Bound<'_, PyAny>) = item.extract()?;
            names.push(name);
            options.push(complete(&own, common)?);
        }
        Ok(Self { names, options })
    }

    /// Subscribes them all with one handler.
    pub(crate) fn start(
        self,
        py: Python<'_>,
        core: &client::Session,
        properties: PropertyBlock,
        handler: Arc<dyn Handler>,
    ) -> PyResult<Subscription> {
        let filters: Vec<_> =
            self.names.iter().map(String::as_str).zip(self.options.iter().copied()).collect();
        // Detached, because it waits for a running call of a handler that this one replaces.
        let operation =
            py.detach(|| core.subscribe_many(&filters, properties, handler)).or_raise(py)?;
        Ok(Subscription { filters: self.names, operation })
    }
}

/// The filters of one call without options.
pub(crate) fn names(filters: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    // Text is a sequence too, of its letters.
    if filters.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err("several filters are a list, not str"));
    }
    filters.try_iter()?.map(|filter| filter?.extract()).collect()
}

/// Ends several subscriptions.
pub(crate) fn start_unsubscribe(
    py: Python<'_>,
    core: &client::Session,
    filters: &[String],
    properties: Option<&Bound<'_, PyDict>>,
) -> PyResult<Operation<Vec<Result<Unsubscribed>>>> {
    let properties = property::block(properties)?;
    let filters: Vec<_> = filters.iter().map(String::as_str).collect();
    // Detached, because it waits for a running call of a handler.
    py.detach(|| core.unsubscribe_many(&filters, properties)).or_raise(py)
}

/// What was given for one filter, with the common options where it says nothing.
fn complete(
    given: &Bound<'_, PyAny>,
    common: SubscriptionOptions,
) -> PyResult<SubscriptionOptions> {
    let mut options = common;
    if given.is_none() {
        return Ok(options);
    }
    let Ok(given) = given.cast::<PyDict>() else {
        let Quality(qos) = given.extract()?;
        return Ok(SubscriptionOptions { qos, ..options });
    };
    for (name, value) in given {
        match &*name.extract::<PyBackedStr>()? {
            "qos" => Quality(options.qos) = value.extract()?,
            name => set(&mut options, name, &value)?,
        }
    }
    Ok(options)
}

fn set(options: &mut SubscriptionOptions, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    match name {
        "no_local" => options.no_local = value.extract()?,
        "retain_as_published" => options.retain_as_published = value.extract()?,
        "retain_handling" => {
            options.retain_handling = retain_handling(value.py(), value.extract()?)?;
        }
        _ => {
            let message = format!("a subscription has no option '{name}'");
            return Err(PyTypeError::new_err(message));
        }
    }
    Ok(())
}

/// The keyword arguments of a subscribe.
pub(crate) struct Keywords {
    pub(crate) options: SubscriptionOptions,
    pub(crate) properties: PropertyBlock,
    pub(crate) deadline: Deadline,
}

impl Keywords {
    pub(crate) fn read(qos: Quality, given: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut options = SubscriptionOptions { qos: qos.0, ..SubscriptionOptions::default() };
        let mut properties = PropertyBlock::new();
        let mut timeout = None;
        for (name, value) in given.into_iter().flatten() {
            match &*name.extract::<PyBackedStr>()? {
                "properties" => {
                    let given: Option<Bound<'_, PyDict>> = value.extract()?;
                    properties = property::block(given.as_ref())?;
                }
                "timeout" => timeout = value.extract()?,
                name => set(&mut options, name, &value)?,
            }
        }
        Ok(Self { options, properties, deadline: Deadline::after(timeout) })
    }
}

/// A subscription on its way.
#[pyclass(frozen, module = "mqttsession._native")]
pub(crate) struct Subscription {
    filters: Vec<String>,
    operation: Operation<Vec<Result<Granted>>>,
}

impl Subscription {
    /// Waits for the broker's answers, one for each filter.
    pub(crate) fn results(
        &self,
        py: Python<'_>,
        deadline: Deadline,
    ) -> PyResult<Vec<SubscribeResult>> {
        let answers = wait::for_operation(py, &self.operation, deadline)?;
        Ok(results(py, &self.filters, answers))
    }

    /// Waits for the broker's answer to a single filter.
    pub(crate) fn result(&self, py: Python<'_>, deadline: Deadline) -> PyResult<SubscribeResult> {
        result::only(py, self.results(py, deadline)?, SubscribeResult::or_raise)
    }

    /// Its parts, for who does not wait.
    pub(crate) fn into_parts(self) -> (Vec<String>, Operation<Vec<Result<Granted>>>) {
        (self.filters, self.operation)
    }
}

#[pymethods]
impl Subscription {
    /// Waits for the broker's answer; a refusal raises.
    #[pyo3(name = "wait", signature = (timeout=None))]
    fn wait_for_result(
        &self,
        py: Python<'_>,
        timeout: Option<Seconds>,
    ) -> PyResult<SubscribeResult> {
        self.result(py, Deadline::after(timeout))
    }
}

/// The answers of several filters as Python sees them.
pub(crate) fn results(
    py: Python<'_>,
    filters: &[String],
    answers: Vec<Result<Granted>>,
) -> Vec<SubscribeResult> {
    result::by_filter(filters, answers, |filter, answer| SubscribeResult::new(py, filter, answer))
}

/// Raises where this filter or QoS cannot be subscribed.
#[pyfunction]
pub(crate) fn check_subscription(py: Python<'_>, filter: &str, qos: Quality) -> PyResult<()> {
    let Quality(_) = qos;
    topic::check_filter(filter.as_bytes()).map(drop).map_err(|error| {
        invalid(py, Code::InvalidFilter, format!("The filter cannot be used: {error}"))
    })
}
