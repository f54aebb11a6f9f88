//! `async for` over the messages of a subscription, without a frame of Python for each.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use mqttsession::error::Code;
use pyo3::{
    exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration},
    intern,
    prelude::*,
    types::{PyDict, PyTuple},
};

use crate::{
    error::invalid,
    stream::{Next, Stream},
};

/// What `mqttsession.aio.Messages` is made of.
#[pyclass(frozen, subclass, module = "mqttsession._native")]
pub(crate) struct MessageIterator {
    /// There from the moment of subscribing.
    stream: OnceLock<Py<Stream>>,
}

#[pymethods]
impl MessageIterator {
    /// The arguments are those of the class that is made of it.
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(_arguments: &Bound<'_, PyTuple>, _keywords: Option<&Bound<'_, PyDict>>) -> Self {
        Self { stream: OnceLock::new() }
    }

    /// The queue that it takes its messages from; None before it has subscribed.
    #[getter]
    fn _stream(&self, py: Python<'_>) -> Option<Py<Stream>> {
        self.stream.get().map(|stream| stream.clone_ref(py))
    }

    /// Has it take its messages from a queue, from now on.
    fn _begin(&self, py: Python<'_>, stream: Py<Stream>) -> PyResult<()> {
        self.stream
            .set(stream)
            .map_err(|_| invalid(py, Code::Busy, "This iterator has its subscription already"))
    }

    fn __aiter__(this: Py<Self>) -> Py<Self> {
        this
    }

    /// The next message, to be awaited; the one before is acknowledged.
    fn __anext__(this: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = this.py();
        match this.get().stream.get() {
            Some(stream) => {
                let stream = stream.clone_ref(py);
                Ok(Py::new(py, NextMessage { stream, over: AtomicBool::new(false) })?.into_any())
            }
            None => this.call_method0(intern!(py, "_first")).map(Bound::unbind),
        }
    }
}

/// The next message of a stream, as a coroutine: to be awaited once, or made a task.
//
// One is in use at a time, and the garbage collector does not look at it again and again.
#[pyclass(frozen, freelist = 2, module = "mqttsession._native")]
struct NextMessage {
    stream: Py<Stream>,
    over: AtomicBool,
}

#[pymethods]
impl NextMessage {
    fn __await__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    /// A future to wait for; what it has come to is raised, as iterators do.
    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if self.over.load(Ordering::Relaxed) {
            return Err(PyRuntimeError::new_err("this message has been awaited already"));
        }
        let next = self.stream.get().next(py);
        if let Ok(Next::Later(future)) = next {
            // So a task knows that it is awaited, not yielded by mistake.
            future.setattr(py, intern!(py, "_asyncio_future_blocking"), true)?;
            return Ok(future);
        }
        self.over.store(true, Ordering::Relaxed);
        Err(match next? {
            Next::Message(message) => PyStopIteration::new_err(message),
            Next::End | Next::Later(_) => PyStopAsyncIteration::new_err(()),
        })
    }

    fn send(&self, py: Python<'_>, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.__next__(py)
    }

    #[pyo3(signature = (kind, value=None, _traceback=None))]
    fn throw(
        &self,
        kind: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        self.over.store(true, Ordering::Relaxed);
        Err(PyErr::from_value(value.unwrap_or(kind)))
    }

    fn close(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
