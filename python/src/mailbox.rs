//! asyncio: what happens on the library's threads comes to an event loop.
//!
//! A [`Mailbox`] belongs to one loop. Whatever ends on a callback thread is posted there together
//! with whom it concerns; the first post wakes the loop (`call_soon_threadsafe`, the one call that
//! every loop takes from foreign threads), later ones ride along until the loop has emptied it. So
//! a batch of a thousand messages costs one wake-up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use mqttsession::client::{self, Operation, Outcome};
use pyo3::{
    exceptions::{PyKeyboardInterrupt, PyRuntimeError, PySystemExit},
    intern,
    prelude::*,
    types::{PyDict, PyWeakrefMethods, PyWeakrefReference},
};

use crate::{error::exception, publication::Publication, result::PublishResult};

/// What is posted to a loop.
pub(crate) enum Letter {
    /// A future has its result.
    Ended(Py<PyAny>, PyResult<Py<PyAny>>),
    /// A publish has ended that is awaited.
    Published(Py<Publication>, u64, Outcome),
    /// A publish has ended, and a callable wants to be told how.
    Completed(Py<PyAny>, u64, Outcome),
}

impl Letter {
    /// On the loop. Fails only with what is meant to end the loop.
    fn open(self, py: Python<'_>, mailbox: &Mailbox) -> PyResult<()> {
        match self {
            Self::Ended(future, result) => {
                let future = future.bind(py);
                // Its task may have been cancelled in the meantime.
                if future.call_method0(intern!(py, "done"))?.is_truthy()? {
                    return Ok(());
                }
                match result {
                    Ok(value) => future.call_method1(intern!(py, "set_result"), (value,))?,
                    Err(error) => future
                        .call_method1(intern!(py, "set_exception"), (error.into_value(py),))?,
                };
                Ok(())
            }
            Self::Published(publication, number, outcome) => {
                let ended = Publication::end(&publication, py, number, outcome);
                ended.or_else(|error| mailbox.complain(py, "awaiting a publish raised", error))
            }
            Self::Completed(callable, number, outcome) => {
                let result = PublishResult::new(py, number, outcome);
                match callable.call1(py, (result,)) {
                    Ok(_) => Ok(()),
                    Err(error) => mailbox.complain(py, "a completion raised", error),
                }
            }
        }
    }

    /// Its loop is closed.
    fn abandon(self, py: Python<'_>) {
        match self {
            Self::Ended(future, _) => {
                // It says that the loop is closed, which is what brought us here.
                let _ = future.call_method0(py, intern!(py, "cancel"));
            }
            Self::Published(publication, ..) => publication.get().abandon(),
            // Where it was to be called there is nothing any more.
            Self::Completed(..) => {}
        }
    }
}

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
    letters: Vec<Letter>,
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

    /// The loop, while it is there.
    pub(crate) fn event_loop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
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
                mailbox.post(py, Letter::Ended(ended, result));
            });
        });
        Ok(future)
    }

    /// Has a letter opened on the loop, soon.
    pub(crate) fn post(self: &Arc<Self>, py: Python<'_>, letter: Letter) {
        let asleep = {
            let mut waiting = self.lock();
            waiting.letters.push(letter);
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
        let letters = std::mem::take(&mut self.lock().letters);
        letters.into_iter().for_each(|letter| letter.abandon(py));
        if let Some(session) = self.session.upgrade() {
            // In a callback it does not wait.
            py.detach(move || session.close());
        }
    }

    /// Tells the loop's exception handler, as a loop does with what a callback raises; hands back
    /// what is meant to end the loop.
    fn complain(&self, py: Python<'_>, message: &str, error: PyErr) -> PyResult<()> {
        if error.is_instance_of::<PyKeyboardInterrupt>(py)
            || error.is_instance_of::<PySystemExit>(py)
        {
            return Err(error);
        }
        let context = PyDict::new(py);
        context.set_item(intern!(py, "message"), message)?;
        context.set_item(intern!(py, "exception"), error.into_value(py))?;
        self.event_loop(py)?
            .call_method1(intern!(py, "call_exception_handler"), (context,))
            .map(drop)
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
        let letters = {
            let mut waiting = self.0.lock();
            waiting.awake = false;
            std::mem::take(&mut waiting.letters)
        };
        let mut letters = letters.into_iter();
        while let Some(letter) = letters.next() {
            let Err(error) = letter.open(py, &self.0) else { continue };
            // The loop stops here. Should it run again, it goes on with the next.
            let later = std::mem::take(&mut self.0.lock().letters);
            let rest: Vec<_> = letters.chain(later).collect();
            rest.into_iter().for_each(|letter| self.0.post(py, letter));
            return Err(error);
        }
        Ok(())
    }
}
