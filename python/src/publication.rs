//! A publish that a task awaits.
//!
//! It is what an `asyncio.Future` is to the task that awaits it, and no more: nobody but a coroutine
//! of this package ever holds one. A future costs several times as much, because the loop makes it by
//! a call of its own, and tells its end to the task by a further turn. This one's end comes to the
//! loop in a letter, together with those of other publishes, and goes on to the task at once.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use mqttsession::client::Outcome;
use pyo3::{
    IntoPyObjectExt,
    exceptions::{
        PyRuntimeError, PyStopIteration,
        asyncio::{CancelledError, InvalidStateError},
    },
    intern,
    prelude::*,
    types::PyDict,
};

use crate::{mailbox::Mailbox, result::PublishResult};

/// A publish that a task awaits.
//
// As many as a usual window in flight: the garbage collector looks at all others.
#[pyclass(frozen, freelist = 1024, module = "mqttsession._native")]
pub(crate) struct Publication {
    mailbox: Arc<Mailbox>,
    state: Mutex<State>,
    /// What a task looks at to know that it was yielded by `await`.
    blocking: AtomicBool,
}

#[derive(Default)]
struct State {
    end: Option<End>,
    /// Whom to call at the end, and in which context.
    waiter: Option<(Py<PyAny>, Py<PyAny>)>,
}

enum End {
    Result(Py<PyAny>),
    /// Handed over once: its traceback will hold the frame that holds this.
    Error(Py<PyAny>),
    Raised,
    /// With the message that was given.
    Cancelled(Option<Py<PyAny>>),
}

impl Publication {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox, state: Mutex::default(), blocking: AtomicBool::new(false) }
    }

    /// The loop to whose thread it belongs.
    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Goes on with the task that awaits it. On the loop, outside of any task.
    pub(crate) fn end(
        this: &Py<Self>,
        py: Python<'_>,
        number: u64,
        outcome: Outcome,
    ) -> PyResult<()> {
        let end = match PublishResult::new(py, number, outcome).or_raise(py) {
            Ok(result) => End::Result(result.into_py_any(py)?),
            Err(error) => End::Error(error.into_value(py).into_any()),
        };
        let waiter = {
            let mut state = this.get().lock();
            if state.end.is_some() {
                // Its task was cancelled in the meantime.
                return Ok(());
            }
            state.end = Some(end);
            state.waiter.take()
        };
        let Some((waiter, context)) = waiter else { return Ok(()) };
        context.call_method1(py, intern!(py, "run"), (waiter, this)).map(drop)
    }

    /// The loop is closed, and nobody can be told.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.end.get_or_insert(End::Cancelled(None));
        let waiter = state.waiter.take();
        drop(state);
        drop(waiter);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it has come to; None before the end.
    fn ended(&self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>> {
        let mut state = self.lock();
        let end = state.end.as_mut()?;
        if let End::Error(_) = end
            && let End::Error(error) = std::mem::replace(end, End::Raised)
        {
            return Some(Err(PyErr::from_value(error.into_bound(py))));
        }
        Some(match end {
            End::Result(result) => Ok(result.clone_ref(py)),
            End::Cancelled(Some(message)) => Err(CancelledError::new_err((message.clone_ref(py),))),
            End::Cancelled(None) => Err(CancelledError::new_err(())),
            End::Error(_) | End::Raised => {
                Err(PyRuntimeError::new_err("this publish has raised its error already"))
            }
        })
    }
}

#[pymethods]
impl Publication {
    fn __await__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__(this: Py<Self>, py: Python<'_>) -> PyResult<Py<Self>> {
        match this.get().ended(py) {
            Some(Ok(result)) => Err(PyStopIteration::new_err(result)),
            Some(Err(error)) => Err(error),
            None => {
                this.get().blocking.store(true, Ordering::Relaxed);
                Ok(this)
            }
        }
    }

    #[getter]
    fn _asyncio_future_blocking(&self) -> bool {
        self.blocking.load(Ordering::Relaxed)
    }

    #[setter(_asyncio_future_blocking)]
    fn set_asyncio_future_blocking(&self, blocking: bool) {
        self.blocking.store(blocking, Ordering::Relaxed);
    }

    fn get_loop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.mailbox.event_loop(py)
    }

    /// Has the task called that awaits it.
    #[pyo3(signature = (callback, *, context))]
    fn add_done_callback(
        this: &Bound<'_, Self>,
        callback: Py<PyAny>,
        context: Py<PyAny>,
    ) -> PyResult<()> {
        let mut state = this.get().lock();
        if state.end.is_none() && state.waiter.is_none() {
            state.waiter = Some((callback, context));
            return Ok(());
        }
        let ended = state.end.is_some();
        drop(state);
        if !ended {
            return Err(PyRuntimeError::new_err("another task awaits this publish already"));
        }
        soon(this, callback, &context)
    }

    /// Ends the waiting, not the publish.
    #[pyo3(signature = (msg=None))]
    fn cancel(this: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        let waiter = {
            let mut state = this.get().lock();
            if state.end.is_some() {
                return Ok(false);
            }
            state.end = Some(End::Cancelled(msg));
            state.waiter.take()
        };
        // The task that cancels runs, so that the other one cannot.
        if let Some((waiter, context)) = waiter {
            soon(this, waiter, &context)?;
        }
        Ok(true)
    }

    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.ended(py)
            .unwrap_or_else(|| Err(InvalidStateError::new_err("this publish has not ended")))
    }
}

/// Has a callback called in the loop's next turn.
fn soon(
    publication: &Bound<'_, Publication>,
    callback: Py<PyAny>,
    context: &Py<PyAny>,
) -> PyResult<()> {
    let py = publication.py();
    let keywords = PyDict::new(py);
    keywords.set_item(intern!(py, "context"), context)?;
    let event_loop = publication.get().mailbox.event_loop(py)?;
    event_loop
        .call_method(intern!(py, "call_soon"), (callback, publication), Some(&keywords))
        .map(drop)
}
