//! The messages of a subscription on an event loop: asked for one by one, or handed to a handler.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use mqttsession::{
    client::{self, Acknowledgement, Failure, Handled, Handler, Run, RunHandler},
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
    last_topic: Mutex<Option<Py<PyString>>>,
}

/// Whoever holds the lock neither waits for the interpreter nor makes or drops anything of Python's.
struct Shared {
    mailbox: Arc<Mailbox>,
    state: Mutex<State>,
}

/// What the core hands over: most often messages that were read together.
enum Arrived {
    Run(Run),
    /// One with an acknowledgement of its own.
    One(Py<Message>),
}

#[derive(Default)]
struct State {
    queue: VecDeque<Arrived>,
    /// The message that was given out last, and those that come with it: it is handled when the next is
    /// asked for.
    current: Option<Arrived>,
    /// The topic of the message whose handler has failed, or is awaited.
    topic: Option<Py<PyString>>,
    /// The future of the consumer that waits for the next.
    consumer: Option<Py<PyAny>>,
    /// What has been handled is reported in the loop's next turn.
    reporting: bool,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrive(&self, arrived: Arrived) {
        let mut state = self.lock();
        if state.ended {
            drop(state);
            drop(arrived);
            return;
        }
        state.queue.push_back(arrived);
        let consumer = state.consumer.take();
        drop(state);
        if let Some(consumer) = consumer {
            // Without an interpreter nobody waits any more.
            let _ = Python::try_attach(|py| {
                self.mailbox.post(py, Letter::Ended(consumer, Ok(py.None())));
            });
        }
    }

    /// Has the acknowledgements leave that wait.
    fn report(&self) {
        let mut state = self.lock();
        if let Some(Arrived::Run(run)) = &mut state.current {
            run.report();
        }
    }

    /// The same; those that are handled from now on until the loop's next turn leave then.
    fn report_in_turns(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        let begins = {
            let state = &mut *self.lock();
            match &mut state.current {
                Some(Arrived::Run(run)) if !state.reporting && run.unreported() > 0 => {
                    run.report();
                    state.reporting = true;
                    true
                }
                _ => false,
            }
        };
        if begins {
            let turn = Py::new(py, Turn(Arc::clone(self)))?;
            let event_loop = self.mailbox.event_loop(py)?;
            event_loop.call_method1(intern!(py, "call_soon"), (turn,))?;
        }
        Ok(())
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
            last_topic: Mutex::default(),
        }
    }

    /// What the core hands the messages of these filters to; None for a stream that is in use.
    pub(crate) fn subscribe(&self, filters: &[String]) -> Option<Arc<dyn Handler>> {
        self.filters.set(filters.to_vec()).ok()?;
        let shared = Arc::clone(&self.shared);
        Some(Arc::new(Entrance { shared, manual: self.manual, last_topic: Mutex::default() }))
    }

    /// The message that was given out last has been handled.
    fn handled(&self, py: Python<'_>, current: &mut Arrived) {
        match current {
            Arrived::Run(run) => run.settle(Handled::Done),
            Arrived::One(_) if self.manual => {}
            Arrived::One(message) => {
                let message = message.get();
                if let Some(acknowledgement) = message.take_acknowledgement() {
                    // On a connection that is gone it cannot be acknowledged; the broker sends it again.
                    let _ = message.settle(py, acknowledgement, Acknowledgement::acknowledge);
                }
            }
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
        let next = self.next_or_later(py)?;
        self.shared.report_in_turns(py)?;
        Ok(next)
    }

    /// The same, but what has been handled has to be reported.
    fn next_or_later(&self, py: Python<'_>) -> PyResult<Next> {
        let mut current = self.shared.lock().current.take();
        if let Some(current) = &mut current {
            self.handled(py, current);
        }
        let next = self.give_out(py, current)?;
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

    /// Takes a message out of what is being gone through, or of what has arrived behind it.
    fn give_out(
        &self,
        py: Python<'_>,
        mut current: Option<Arrived>,
    ) -> PyResult<Option<Py<Message>>> {
        loop {
            if let Some(Arrived::Run(run)) = &mut current
                && let Some(message) = run.lend()
            {
                let message = Message::new(py, &message, &self.last_topic, None);
                self.shared.lock().current = current;
                return message.map(Some);
            }
            // Those of it that have been handled are reported with this.
            drop(current);
            current = self.shared.lock().queue.pop_front();
            match &current {
                None => return Ok(None),
                Some(Arrived::Run(_)) => {}
                Some(Arrived::One(message)) => {
                    let message = message.clone_ref(py);
                    self.shared.lock().current = current;
                    return Ok(Some(message));
                }
            }
        }
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
const MESSAGES_A_TURN: usize = 1000;

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
        let served = self.serve_some(py, handler);
        self.shared.report();
        served
    }

    /// The handler of the message that was given out last failed: what becomes of the message is an
    /// option. Returns the message's topic.
    fn fail(&self, py: Python<'_>) -> Option<Py<PyString>> {
        let mut state = self.shared.lock();
        let topic = state.topic.as_ref().map(|topic| topic.clone_ref(py));
        if let Some(Arrived::Run(run)) = &mut state.current {
            run.settle(Handled::Failed);
            run.report();
            return topic;
        }
        if self.failure == Failure::Acknowledge {
            // It is acknowledged as soon as the next one is asked for.
            return topic;
        }
        let failed = state.current.take();
        drop(state);
        let Some(Arrived::One(message)) = &failed else { return topic };
        let message = message.get();
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
        let (mut current, rest) = {
            let mut state = self.shared.lock();
            (state.current.take(), std::mem::take(&mut state.queue))
        };
        current.iter_mut().for_each(|current| self.handled(py, current));
        drop((current, rest));
        self.shared.end(py) && self.filters.get().is_some()
    }
}

impl Stream {
    /// What has been handled has to be reported when this returns.
    fn serve_some(
        &self,
        py: Python<'_>,
        handler: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Py<PyAny>>> {
        for _ in 0..MESSAGES_A_TURN {
            let message = match self.next_or_later(py)? {
                Next::Message(message) => message,
                Next::Later(future) => return Ok(Some(future)),
                Next::End => return Ok(None),
            };
            let returned = handler.call1((&message,));
            if let Ok(returned) = &returned
                && !is_awaitable(returned)?
            {
                continue;
            }
            let topic = message.get().topic().clone_ref(py);
            let before = self.shared.lock().topic.replace(topic);
            drop(before);
            return returned.map(|awaitable| Some(awaitable.unbind()));
        }
        self.turn(py).map(Some)
    }
}

/// What the loop calls to have what was handled in its last turn reported.
#[pyclass(frozen, module = "mqttsession._native")]
struct Turn(Arc<Shared>);

#[pymethods]
impl Turn {
    fn __call__(&self) {
        let mut state = self.0.lock();
        state.reporting = false;
        if let Some(Arrived::Run(run)) = &mut state.current {
            run.report();
        }
    }
}

impl Drop for Stream {
    /// An iterator that a `break` left behind ends its subscription, without waiting for the
    /// broker to confirm that.
    fn drop(&mut self) {
        let (mut current, ended) = {
            let mut state = self.shared.lock();
            (state.current.take(), state.ended)
        };
        Python::attach(|py| {
            current.iter_mut().for_each(|current| self.handled(py, current));
            drop(current);
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
    manual: bool,
    last_topic: Mutex<Option<Py<PyString>>>,
}

impl Handler for Entrance {
    fn handle(&self, message: &client::Message<'_>) -> Handled {
        let made = Python::try_attach(|py| {
            let acknowledgement = Some(message.acknowledgement());
            Message::new(py, message, &self.last_topic, acknowledgement)
                .map_err(|error| error.write_unraisable(py, None))
        });
        let Some(Ok(message)) = made else { return Handled::Failed };
        self.shared.arrive(Arrived::One(message));
        Handled::Deferred
    }

    /// A program that acknowledges by hand needs an acknowledgement of each message.
    fn run_handler(&self) -> Option<&dyn RunHandler> {
        (!self.manual).then_some(self)
    }
}

impl RunHandler for Entrance {
    fn handle_run(&self, run: Run) {
        self.shared.arrive(Arrived::Run(run));
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        // The core drops handlers on callback threads, where waiting for the interpreter is right.
        let _ = Python::try_attach(|py| self.shared.end(py));
    }
}
