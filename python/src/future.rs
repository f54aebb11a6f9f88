//! asyncio: results of the library's threads become results of an event loop's futures.
//!
//! A [`Mailbox`] belongs to one loop. Whatever ends on a callback thread is posted there together
//! with its future; the first post wakes the loop (`call_soon_threadsafe`, the one call that every
//! loop takes from foreign threads), later ones ride along until the loop has emptied it. So a
//! batch of a thousand messages costs one wake-up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use mqttsession::client::{self, Operation};
use pyo3::{
    exceptions::PyRuntimeError,
    intern,
    prelude::*,
    types::{PyWeakrefMethods, PyWeakrefReference},
};

use crate::error::exception;

type Ended = (Py<PyAny>, PyResult<Py<PyAny>>);

/// The way from any thread to one event loop.
pub(crate) struct Mailbox {
    /// Weakly, because the loop refers back to us by many ways, and none of them through here can
    /// be seen by the garbage collector.
    event_loop: Py<PyWeakrefReference>,
    session: Weak<client::Session>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    ended: Vec<Ended>,
    /// The loop knows that there is something.
    awake: bool,
}

impl Mailbox {
    pub(crate) fn new(
        event_loop: &Bound<'_, PyAny>,
        session: Weak<client::Session>,
    ) -> PyResult<Arc<Self>> {
        let event_loop = PyWeakrefReference::new(event_loop)?.unbind();
        Ok(Arc::new(Self { event_loop, session, waiting: Mutex::default() }))
    }

    fn event_loop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.event_loop
            .bind(py)
            .upgrade()
            .ok_or_else(|| PyRuntimeError::new_err("the event loop is gone"))
    }

    /// A future of this loop. To be called on the loop's thread.
    pub(crate) fn future(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.event_loop(py)?.call_method0(intern!(py, "create_future")).map(Bound::unbind)
    }

    /// The future of an operation. To be called on the loop's thread.
    pub(crate) fn future_of<T: Clone + Send + 'static>(
        self: &Arc<Self>,
        py: Python<'_>,
        operation: Operation<T>,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>> {
        let future = self.future(py)?;
        let (mailbox, ended) = (Arc::clone(self), future.clone_ref(py));
        operation.on_end(move |result| {
            let _ = Python::try_attach(move |py| {
                let result = result
                    .map_err(|error| exception(py, &error))
                    .and_then(|value| convert(py, value));
                mailbox.post(py, ended, result);
            });
        });
        Ok(future)
    }

    /// Ends a future on its loop, soon.
    pub(crate) fn post(
        self: &Arc<Self>,
        py: Python<'_>,
        future: Py<PyAny>,
        result: PyResult<Py<PyAny>>,
    ) {
        let asleep = {
            let mut waiting = self.lock();
            waiting.ended.push((future, result));
            !std::mem::replace(&mut waiting.awake, true)
        };
        // The only reason to fail is that the loop has been closed.
        if asleep && self.wake(py).is_err() {
            self.abandon(py);
        }
    }

    fn wake(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        let empty = Py::new(py, Delivery(Arc::clone(self)))?;
        self.event_loop(py)?.call_method1(intern!(py, "call_soon_threadsafe"), (empty,)).map(drop)
    }

    /// What waits on a closed loop is ended as far as that is possible, and the session with it:
    /// nobody can receive its messages or await anything of it.
    fn abandon(&self, py: Python<'_>) {
        let ended = std::mem::take(&mut self.lock().ended);
        for (future, _) in ended {
            // It says that the loop is closed, which is what brought us here.
            let _ = future.call_method0(py, intern!(py, "cancel"));
        }
        if let Some(session) = self.session.upgrade() {
            // In a callback it does not wait.
            py.detach(move || session.close());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the event loop calls to empty the mailbox.
#[pyclass(frozen, module = "mqttsession._native")]
struct Delivery(Arc<Mailbox>);

#[pymethods]
impl Delivery {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let ended = {
            let mut waiting = self.0.lock();
            waiting.awake = false;
            std::mem::take(&mut waiting.ended)
        };
        for (future, result) in ended {
            let future = future.bind(py);
            // Its task may have been cancelled in the meantime.
            if future.call_method0(intern!(py, "done"))?.is_truthy()? {
                continue;
            }
            match result {
                Ok(value) => future.call_method1(intern!(py, "set_result"), (value,))?,
                Err(error) => {
                    future.call_method1(intern!(py, "set_exception"), (error.into_value(py),))?
                }
            };
        }
        Ok(())
    }
}
