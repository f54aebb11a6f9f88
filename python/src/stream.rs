//! The messages of a subscription on an event loop: asked for one by one, or handed to a handler.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use mqttsession::{
    client::{self, Acknowledgement, Failure, Handled, Handler},
    error::Code,
    protocol::PropertyBlock,
};
use pyo3::{intern, prelude::*, sync::PyOnceLock, types::PyString};

use crate::{
    error::invalid,
    mailbox::{Letter, Mailbox},
    message::Message,
    session::Session,
};

/// Messages that have been received and wait to be asked for.
///
/// Each keeps its place in the session's receiving queue until it has been handled, so a slow
/// consumer makes the session read no further; nothing piles up here beyond that limit.
#[pyclass(frozen, module = "mqttsession._native")]
pub(crate) struct Stream {
    shared: Arc<Shared>,
    session: Weak<client::Session>,
    filters: OnceLock<Vec<String>>,
    manual: bool,
    failure: Failure,
}

struct Shared {
    mailbox: Arc<Mailbox>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Py<Message>>,
    /// The one that was given out last: handled when the next is asked for.
    current: Option<Py<Message>>,
    /// Its topic, which a failure of its handler is told with.
    topic: Option<Py<PyString>>,
    /// The future of the consumer that waits for the next.
    consumer: Option<Py<PyAny>>,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether it had not ended before.
    fn end(&self, py: Python<'_>) -> bool {
        let (before, consumer) = {
            let mut state = self.lock();
            (std::mem::replace(&mut state.ended, true), state.consumer.take())
        };
        if let Some(consumer) = consumer {
            self.mailbox.post(py, Letter::Ended(consumer, Ok(py.None())));
        }
        !before
    }
}

impl Stream {
    pub(crate) fn new(mailbox: Arc<Mailbox>, session: &Session) -> Self {
        let shared = Arc::new(Shared { mailbox, state: Mutex::default() });
        Self {
            shared,
            session: Arc::downgrade(session.core()),
            filters: OnceLock::new(),
            manual: session.is_manual(),
            failure: session.failure(),
        }
    }

    /// What the core hands the messages of these filters to; None for a stream that is in use.
    pub(crate) fn subscribe(&self, filters: &[String]) -> Option<Arc<dyn Handler>> {
        self.filters.set(filters.to_vec()).ok()?;
        let shared = Arc::clone(&self.shared);
        Some(Arc::new(Entrance { shared, last_topic: Mutex::default() }))
    }

    fn handled(&self, py: Python<'_>, message: Option<Py<Message>>) {
        let Some(message) = message.as_ref().map(Py::get).filter(|_| !self.manual) else { return };
        if let Some(acknowledgement) = message.take_acknowledgement() {
            // On a connection that is gone it cannot be acknowledged; the broker sends it again.
            let _ = message.settle(py, acknowledgement, Acknowledgement::acknowledge);
        }
    }
}

/// What there is for who asks for the next message.
pub(crate) enum Next {
    Message(Py<Message>),
    /// Nothing yet: a future that is done when it is worth asking again.
    Later(Py<PyAny>),
    End,
}

impl Stream {
    /// The next message; with that the one before is handled.
    pub(crate) fn next(&self, py: Python<'_>) -> PyResult<Next> {
        let (before, next) = {
            let mut state = self.shared.lock();
            let next = state.queue.pop_front();
            let current = next.as_ref().map(|message| message.clone_ref(py));
            (std::mem::replace(&mut state.current, current), next)
        };
        self.handled(py, before);
        if let Some(message) = next {
            return Ok(Next::Message(message));
        }
        let future = self.shared.mailbox.future(py)?;
        let mut state = self.shared.lock();
        if state.ended && state.queue.is_empty() {
            return Ok(Next::End);
        }
        let arrived = !state.queue.is_empty();
        let earlier = if arrived { None } else { state.consumer.replace(future.clone_ref(py)) };
        drop(state);
        if arrived {
            future.call_method1(py, intern!(py, "set_result"), (py.None(),))?;
        }
        if let Some(earlier) = earlier
            && !earlier.call_method0(py, intern!(py, "done"))?.is_truthy(py)?
        {
            // Two tasks ask the same iterator: the first keeps waiting, the second hears why not.
            self.shared.lock().consumer = Some(earlier);
            let message = "Another task waits for the next message of this iterator already";
            return Err(invalid(py, Code::Busy, message));
        }
        Ok(Next::Later(future))
    }

    /// Done in the loop's next turn.
    fn turn(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let turn = self.shared.mailbox.future(py)?;
        let ended = Letter::Ended(turn.clone_ref(py), Ok(py.None()));
        self.shared.mailbox.post(py, ended);
        Ok(turn)
    }
}

/// How many messages a handler gets before other tasks of its loop have their turn.
const TURN: usize = 1000;

fn is_awaitable(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    static IS_AWAITABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if object.is_none() {
        return Ok(false);
    }
    IS_AWAITABLE.import(object.py(), "inspect", "isawaitable")?.call1((object,))?.is_truthy()
}

#[pymethods]
impl Stream {
    /// Calls a handler with one message after the other. Returns what has to be awaited before the
    /// next call, and None at the end; raises what the handler raised, and may be called again.
    fn serve(&self, py: Python<'_>, handler: &Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
        for _ in 0..TURN {
            let message = match self.next(py)? {
                Next::Message(message) => message,
                Next::Later(future) => return Ok(Some(future)),
                Next::End => return Ok(None),
            };
            let before = self.shared.lock().topic.replace(message.get().topic().clone_ref(py));
            drop(before);
            let returned = handler.call1((message,))?;
            if is_awaitable(&returned)? {
                return Ok(Some(returned.unbind()));
            }
        }
        self.turn(py).map(Some)
    }

    /// The handler of the message that was given out last failed: what becomes of the message is an
    /// option. Returns the message's topic.
    fn fail(&self, py: Python<'_>) -> Option<Py<PyString>> {
        let mut state = self.shared.lock();
        let topic = state.topic.as_ref().map(|topic| topic.clone_ref(py));
        if self.failure == Failure::Acknowledge {
            // It is acknowledged as soon as the next one is asked for.
            return topic;
        }
        let failed = state.current.take();
        drop(state);
        let Some(message) = failed.as_ref().map(Py::get) else { return topic };
        let acknowledgement = message.take_acknowledgement();
        if let (Failure::Refuse(reason), Some(acknowledgement)) = (self.failure, acknowledgement) {
            // On a connection that is gone it cannot be refused; the broker sends it again.
            let _ = message.settle(py, acknowledgement, |acknowledgement| {
                acknowledgement.refuse(reason, PropertyBlock::new())
            });
        }
        topic
    }

    /// Ends it: the message that was given out last is handled, those that nobody asked for are
    /// left unacknowledged. Returns whether it was still subscribed.
    fn close(&self, py: Python<'_>) -> bool {
        let (current, rest) = {
            let mut state = self.shared.lock();
            (state.current.take(), std::mem::take(&mut state.queue))
        };
        self.handled(py, current);
        drop(rest);
        self.shared.end(py) && self.filters.get().is_some()
    }
}

impl Drop for Stream {
    /// An iterator that a `break` left behind ends its subscription, without waiting for the
    /// broker to confirm that.
    fn drop(&mut self) {
        let (current, ended) = {
            let mut state = self.shared.lock();
            (state.current.take(), state.ended)
        };
        Python::attach(|py| {
            self.handled(py, current);
            if let (false, Some(filters), Some(session)) =
                (ended, self.filters.get(), self.session.upgrade())
            {
                let filters: Vec<_> = filters.iter().map(String::as_str).collect();
                // Detached, because the entrance may be letting a message in.
                py.detach(|| drop(session.unsubscribe_many(&filters, PropertyBlock::new())));
            }
        });
    }
}

/// The end of a stream that the core holds; when the core lets go of it, no more will come.
struct Entrance {
    shared: Arc<Shared>,
    last_topic: Mutex<Option<Py<PyString>>>,
}

impl Handler for Entrance {
    fn handle(&self, message: &client::Message<'_>) -> Handled {
        let kept = Python::try_attach(|py| {
            let acknowledgement = Some(message.acknowledgement());
            let message = match Message::new(py, message, &self.last_topic, acknowledgement) {
                Ok(message) => message,
                Err(error) => {
                    error.write_unraisable(py, None);
                    return Handled::Failed;
                }
            };
            let consumer = {
                let mut state = self.shared.lock();
                if state.ended {
                    return Handled::Deferred;
                }
                state.queue.push_back(message);
                state.consumer.take()
            };
            if let Some(consumer) = consumer {
                self.shared.mailbox.post(py, Letter::Ended(consumer, Ok(py.None())));
            }
            Handled::Deferred
        });
        kept.unwrap_or(Handled::Failed)
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        // The core drops handlers on callback threads, where waiting for the interpreter is right.
        let _ = Python::try_attach(|py| self.shared.end(py));
    }
}
