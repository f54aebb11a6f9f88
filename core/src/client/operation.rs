//! Something that goes on and ends exactly once: a connect, a subscribe, a flush.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::{runtime, shared::Shared};
use crate::{
    error::{Code, Error, Result},
    sync::{Condvar, Mutex},
};

/// Something that goes on; ends exactly once. Dropping it cancels nothing.
///
/// It can be waited for with [`wait`](Self::wait), awaited as a future, or answered by a callback
/// with [`on_end`](Self::on_end).
pub struct Operation<T> {
    shared: Arc<Shared>,
    cell: Arc<Cell<T>>,
}

/// The part that whoever ends the operation holds.
pub(super) struct Cell<T> {
    slot: Mutex<Slot<T>>,
    signal: Arc<Signal>,
}

enum Slot<T> {
    Running { waker: Option<Waker>, callback: Option<Callback<T>> },
    Ended(Result<T>),
}

type Callback<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// Wakes a thread that waits in a call. It may be used while a session's or queue's lock is held: it
/// takes only its own.
#[derive(Default)]
pub(super) struct Signal {
    state: Mutex<SignalState>,
    changed: Condvar,
}

#[derive(Default)]
struct SignalState {
    done: bool,
    deadlocked: bool,
}

impl Signal {
    pub(super) fn done(&self) {
        self.state.lock().done = true;
        self.changed.notify_all();
    }

    /// A wait inside a callback begins; what an earlier one was told is past.
    pub(super) fn begin(&self) {
        self.state.lock().deadlocked = false;
    }

    /// The call must not wait any longer: it holds up the queue that would have to move.
    pub(super) fn deadlock(&self) {
        self.state.lock().deadlocked = true;
        self.changed.notify_all();
    }

    /// `inside` a callback of the session, the wait also ends by a deadlock.
    fn wait(&self, deadline: Option<Instant>, inside: bool) -> Result<()> {
        let mut state = self.state.lock();
        loop {
            if state.done {
                return Ok(());
            }
            if inside && state.deadlocked {
                return Err(holds_up_queue());
            }
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) => {
                    if self.changed.wait_until(&mut state, deadline) && !state.done {
                        return Err(Code::Timeout.into());
                    }
                }
            }
        }
    }
}

/// The error of a wait inside a callback whose queue is full beyond its overdraft.
pub(super) fn holds_up_queue() -> Error {
    Error::new(
        Code::WouldDeadlock,
        "This callback holds up the receiving queue, which is full; make the call on another \
         thread, or set higher limits for the queue",
    )
}

/// Waits for a signal as every waiting call does: never on an I/O thread or inside a question of the
/// session, and inside a callback only as long as the receiving queue's overdraft lasts.
pub(super) fn wait_for(
    shared: &Arc<Shared>,
    signal: &Arc<Signal>,
    timeout: Option<Duration>,
) -> Result<()> {
    if shared.questions.is_current() {
        return Err(Error::new(
            Code::WouldDeadlock,
            "A question of the session cannot wait: the session waits for its answer; make the call \
             on another thread",
        ));
    }
    if runtime::on_io_thread() {
        return Err(Error::new(
            Code::WouldDeadlock,
            "An inline callback cannot wait: it holds up the thread that would have to act; make \
             the call on another thread, or set another dispatch",
        ));
    }
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    if !shared.inbox.is_current() {
        return signal.wait(deadline, false);
    }
    shared.inbox.begin_waiting(shared, signal)?;
    let result = signal.wait(deadline, true);
    shared.inbox.end_waiting(signal);
    result
}

impl<T> Cell<T> {
    fn new() -> Self {
        Self {
            slot: Mutex::new(Slot::Running { waker: None, callback: None }),
            signal: Arc::default(),
        }
    }

    /// Ends the operation; not under a lock, as it wakes a future by whatever its executor does. A
    /// callback that waits for it is the answer, to be called outside all locks.
    #[must_use]
    pub(super) fn end(&self, result: Result<T>) -> Option<Box<dyn FnOnce() + Send>>
    where
        T: Clone + Send + 'static,
    {
        let mut slot = self.slot.lock();
        let Slot::Running { waker, callback } = &mut *slot else { return None };
        let (waker, callback) = (waker.take(), callback.take());
        *slot = Slot::Ended(result.clone());
        drop(slot);
        self.signal.done();
        if let Some(waker) = waker {
            waker.wake();
        }
        callback.map(|callback| Box::new(move || callback(result)) as Box<dyn FnOnce() + Send>)
    }

    fn result(&self) -> Option<Result<T>>
    where
        T: Clone,
    {
        match &*self.slot.lock() {
            Slot::Ended(result) => Some(result.clone()),
            Slot::Running { .. } => None,
        }
    }
}

impl<T: Clone + Send + 'static> Operation<T> {
    pub(super) fn new(shared: &Arc<Shared>) -> (Self, Arc<Cell<T>>) {
        let cell = Arc::new(Cell::new());
        (Self { shared: shared.clone(), cell: cell.clone() }, cell)
    }

    /// One that has ended already.
    pub(super) fn ended(shared: &Arc<Shared>, result: Result<T>) -> Self {
        let (operation, cell) = Self::new(shared);
        let callback = cell.end(result);
        debug_assert!(callback.is_none());
        operation
    }

    /// Waits for the end, at most this long; `None` is as long as it takes.
    ///
    /// # Errors
    /// The operation's own; `TIMEOUT`, after which it goes on and can be waited for again;
    /// `WOULD_DEADLOCK` on an I/O thread, in a question of the session, or in a callback whose
    /// receiving queue is full beyond its overdraft; `FORKED`.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<T> {
        self.shared.check_fork()?;
        if let Some(result) = self.cell.result() {
            return result;
        }
        let waited = wait_for(&self.shared, &self.cell.signal, timeout);
        match self.cell.result() {
            Some(result) => result,
            None => Err(waited.expect_err("the signal comes after the result")),
        }
    }

    /// Calls back once with the result, on the thread and in the order of the session's other
    /// callbacks.
    ///
    /// In a child of `fork` it calls back at once, with `FORKED`.
    pub fn on_end(self, callback: impl FnOnce(Result<T>) + Send + 'static) {
        if let Err(error) = self.shared.check_fork() {
            return callback(Err(error));
        }
        let mut slot = self.cell.slot.lock();
        match &mut *slot {
            Slot::Running { callback: waiting, .. } => *waiting = Some(Box::new(callback)),
            Slot::Ended(result) => {
                let result = result.clone();
                drop(slot);
                self.shared.call_back(Box::new(move || callback(result)));
            }
        }
    }
}

impl<T: Clone> Future for Operation<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.shared.check_fork()?;
        // A waker is the executor's code: it is cloned and dropped without the lock.
        let new = cx.waker().clone();
        let former = match &mut *self.cell.slot.lock() {
            Slot::Ended(result) => return Poll::Ready(result.clone()),
            Slot::Running { waker, .. } => waker.replace(new),
        };
        drop(former);
        Poll::Pending
    }
}
