//! The receiving queue of a session: what waits to be called back, how much that may be, and the
//! running of it.
//!
//! Who waits for whom: the driver puts things in and never waits; a runner (a callback thread, the
//! I/O thread inline, or whoever polls) takes them out, one runner at a time, and holds no lock
//! while it calls. A full queue stops the driver from reading; a runner that makes room wakes it.
//! A call that waits inside a callback opens an overdraft as large as the queue, so that what it
//! waits for can still be read; when that is full too, the call ends with `WOULD_DEADLOCK`.

use std::{
    cell::RefCell,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{
    Dispatch, Event, EventHandler, Handled, Handler, Message, Options, OwnedMessage, fork,
    message::Parts, operation::Signal, readiness::Readiness, runtime, shared::Shared,
};
use crate::{
    engine::{Ended, Inbound, Receipt, RouteId},
    error::{Code, Result},
    protocol::ReasonCode,
};

/// How many callbacks of one session a callback thread runs before other sessions get their turn.
const SLICE: usize = 16 << 10;

/// How long handled messages may wait for those behind them before their acknowledgements leave.
const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(1);

/// A handler in its place.
pub(super) struct Subscription {
    pub(super) route: RouteId,
    handler: Arc<dyn Handler>,
    active: AtomicBool,
}

impl Subscription {
    pub(super) fn new(route: RouteId, handler: Arc<dyn Handler>) -> Self {
        Self { route, handler, active: AtomicBool::new(true) }
    }

    /// No further call begins.
    pub(super) fn end(&self) {
        self.active.store(false, Ordering::SeqCst);
    }
}

/// Messages that were read together.
pub(super) struct Batch {
    chunk: Bytes,
    inbound: Inbound,
    /// For each match, the handlers of its routes.
    handlers: Vec<Box<[Arc<Subscription>]>>,
    next: usize,
    bytes: usize,
}

impl Batch {
    pub(super) fn new(
        chunk: Bytes,
        inbound: Inbound,
        handlers: Vec<Box<[Arc<Subscription>]>>,
    ) -> Self {
        let bytes = chunk.len();
        Self { chunk, inbound, handlers, next: 0, bytes }
    }

    /// Every message of it.
    pub(super) fn all_parts(&self) -> impl Iterator<Item = Parts<'_>> {
        (0..self.len()).map(|index| self.parts(index))
    }

    fn len(&self) -> usize {
        self.inbound.deliveries.len()
    }

    fn parts(&self, index: usize) -> Parts<'_> {
        let delivery = &self.inbound.deliveries[index];
        let range =
            |range: &std::ops::Range<u32>| &self.chunk[range.start as usize..range.end as usize];
        Parts {
            matched: &self.inbound.matches[delivery.matched as usize],
            payload: range(&delivery.payload),
            properties: range(&delivery.properties),
            chunk: &self.chunk,
            qos: delivery.qos,
            retain: delivery.retain,
            duplicate: delivery.duplicate,
            receipt: delivery.receipt,
        }
    }
}

/// One thing to call back.
pub(super) enum Item {
    Batch(Batch),
    /// A message that had waited for a handler.
    Claimed(OwnedMessage, Receipt, Vec<Arc<Subscription>>),
    Ended(Vec<Ended>),
    Event(Event, EventHandler),
    Call(Box<dyn FnOnce() + Send>),
    /// Nothing comes after it.
    Last,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Item>,
    messages: usize,
    bytes: usize,
    /// Given to the pool, or being run.
    scheduled: bool,
    running: bool,
    /// A thread waits in `poll`.
    polled: bool,
    /// The driver has stopped reading.
    paused: bool,
    /// Calls that wait inside callbacks.
    waiting: Vec<Arc<Signal>>,
    readiness: Option<Readiness>,
    /// The driver is in its turn, at the end of which it looks here (inline).
    turning: bool,
    /// Nobody holds the session any more who could poll it.
    abandoned: bool,
    finished: bool,
}

pub(super) struct Inbox {
    dispatch: Dispatch,
    most_messages: usize,
    most_bytes: usize,
    state: Mutex<State>,
    changed: Condvar,
    /// The route whose handler is being called, 0 for none.
    route_in_call: AtomicU64,
    /// Threads that wait for a handler to return.
    leaving: AtomicUsize,
    /// Handled, and not yet told the engine.
    handled: Mutex<Vec<(Receipt, ReasonCode)>>,
}

thread_local! {
    /// The inboxes whose callbacks this thread is inside of, and in which process: a child of fork
    /// is inside none.
    static CURRENT: RefCell<Vec<(usize, u32)>> = const { RefCell::new(Vec::new()) };
}

impl Inbox {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            dispatch: options.dispatch,
            most_messages: options.incoming_messages,
            most_bytes: options.incoming_bytes,
            state: Mutex::default(),
            changed: Condvar::new(),
            route_in_call: AtomicU64::new(0),
            leaving: AtomicUsize::new(0),
            handled: Mutex::default(),
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether this thread is inside a callback of this session.
    pub(super) fn is_current(&self) -> bool {
        CURRENT.with_borrow(|current| current.contains(&(self.address(), fork::generation())))
    }

    /// Whether this thread is inside a callback of any session.
    pub(super) fn in_any_callback() -> bool {
        let here = fork::generation();
        CURRENT.with_borrow(|current| current.iter().any(|&(_, process)| process == here))
    }

    /// Messages and bytes that have not been handled.
    pub(super) fn level(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.messages, state.bytes)
    }

    // ---- putting in

    /// Puts something in; whoever runs it is told.
    pub(super) fn push(&self, shared: &Arc<Shared>, item: Item) {
        let mut state = self.state.lock();
        match &item {
            Item::Batch(batch) => {
                state.messages += batch.len();
                state.bytes += batch.bytes;
            }
            Item::Claimed(..) | Item::Ended(_) | Item::Event(..) | Item::Call(_) | Item::Last => {}
        }
        state.queue.push_back(item);
        if self.is_overdrawn(&state) {
            state.waiting.iter().for_each(|signal| signal.deadlock());
        }
        if self.is_for_pool(&state) {
            return self.schedule(shared, state);
        }
        if let Some(readiness) = &mut state.readiness {
            readiness.set();
        }
        let wakes = self.dispatch == Dispatch::Inline && !state.turning;
        drop(state);
        self.changed.notify_all();
        if wakes {
            shared.wake_driver();
        }
    }

    /// Whether callback threads run what is there: always, or because the driver has ended, or
    /// because nobody is left who polls.
    fn is_for_pool(&self, state: &State) -> bool {
        match self.dispatch {
            Dispatch::Dispatched => true,
            Dispatch::Inline => state.finished,
            Dispatch::Polled => state.abandoned,
        }
    }

    fn schedule(&self, shared: &Arc<Shared>, mut state: MutexGuard<'_, State>) {
        // A runner looks again before it leaves.
        if state.scheduled || state.running || state.queue.is_empty() {
            return;
        }
        state.scheduled = true;
        drop(state);
        shared.pool().schedule(shared.clone());
    }

    /// Nobody can poll any more.
    pub(super) fn abandon(&self, shared: &Arc<Shared>) {
        let mut state = self.state.lock();
        state.abandoned = true;
        if self.is_for_pool(&state) {
            self.schedule(shared, state);
        }
    }

    /// A message that outlives its batch keeps a place.
    pub(super) fn hold(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.messages += 1;
        state.bytes += bytes;
    }

    /// Places become free. `true` when the driver waits for them.
    #[must_use]
    pub(super) fn release(&self, messages: usize, bytes: usize) -> bool {
        let mut state = self.state.lock();
        state.messages -= messages;
        state.bytes -= bytes;
        let wakes = state.paused && self.has_room(&state);
        state.paused &= !wakes;
        wakes
    }

    /// Whether the driver may read; if not, it will be woken when it may.
    pub(super) fn may_read(&self) -> bool {
        let mut state = self.state.lock();
        let may = self.has_room(&state);
        state.paused = !may;
        may
    }

    /// One message larger than the limit is let in when nothing else is there.
    fn has_room(&self, state: &State) -> bool {
        let times = if state.waiting.is_empty() { 1 } else { 2 };
        state.messages < times * self.most_messages && state.bytes < times * self.most_bytes
    }

    fn is_overdrawn(&self, state: &State) -> bool {
        state.messages >= 2 * self.most_messages || state.bytes >= 2 * self.most_bytes
    }

    // ---- calls that wait inside a callback

    pub(super) fn begin_waiting(&self, shared: &Arc<Shared>, signal: &Arc<Signal>) -> Result<()> {
        let mut state = self.state.lock();
        if self.is_overdrawn(&state) {
            return Err(Code::WouldDeadlock.into());
        }
        signal.begin();
        state.waiting.push(signal.clone());
        let wakes = state.paused && self.has_room(&state);
        state.paused &= !wakes;
        drop(state);
        // What has been handled so far may be what the broker waits for.
        self.acknowledge_handled(shared);
        if wakes {
            shared.wake_driver();
        }
        Ok(())
    }

    pub(super) fn end_waiting(&self, signal: &Arc<Signal>) {
        self.state.lock().waiting.retain(|waiting| !Arc::ptr_eq(waiting, signal));
    }

    // ---- running

    /// Runs what is there, up to a slice; whether there is more. For the pool.
    pub(super) fn run_slice(&self, shared: &Arc<Shared>) -> bool {
        self.run(shared, SLICE);
        if shared.is_inherited() {
            return false;
        }
        let mut state = self.state.lock();
        // Whoever else is running it looks again before it leaves.
        state.scheduled = !state.queue.is_empty() && !state.running;
        state.scheduled
    }

    /// Runs on the calling thread, at most `limit` callbacks, waiting up to `timeout` for the first.
    pub(super) fn poll(
        &self,
        shared: &Arc<Shared>,
        timeout: Option<Duration>,
        limit: usize,
    ) -> Result<usize> {
        if Self::in_any_callback() {
            return Err(Code::Busy.into());
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.state.lock();
        if state.running || state.polled {
            return Err(Code::Busy.into());
        }
        state.polled = true;
        let mut timed_out = false;
        while state.queue.is_empty() && !state.finished && !timed_out {
            match deadline {
                None => self.changed.wait(&mut state),
                Some(at) => timed_out = self.changed.wait_until(&mut state, at).timed_out(),
            }
        }
        state.polled = false;
        drop(state);
        let ran = self.run(shared, limit);
        shared.check_fork()?;
        ran.ok_or_else(|| Code::Busy.into())
    }

    /// Runs everything, on the I/O thread.
    pub(super) fn run_inline(&self, shared: &Arc<Shared>) {
        while self.run(shared, SLICE).is_some_and(|ran| ran >= SLICE) {}
    }

    /// The driver's turn begins: whatever is put in runs at its end without further ado.
    pub(super) fn begin_turn(&self) {
        self.state.lock().turning = true;
    }

    /// The driver's turn ends: runs everything, on the I/O thread.
    pub(super) fn end_turn(&self, shared: &Arc<Shared>) {
        loop {
            self.run_inline(shared);
            let mut state = self.state.lock();
            if state.queue.is_empty() || state.running {
                state.turning = false;
                return;
            }
        }
    }

    /// Runs at most `limit` callbacks; `None` when another thread does.
    fn run(&self, shared: &Arc<Shared>, limit: usize) -> Option<usize> {
        let mut state = self.state.lock();
        if state.running {
            return None;
        }
        if state.queue.is_empty() {
            return Some(0);
        }
        state.running = true;
        drop(state);
        CURRENT.with_borrow_mut(|current| current.push((self.address(), fork::generation())));
        let mut ran = 0;
        let mut run_all = || {
            while ran < limit && !shared.is_inherited() {
                let Some(item) = self.state.lock().queue.pop_front() else { break };
                ran += self.run_item(shared, item, limit - ran);
            }
        };
        match &shared.options.callback_scope {
            None => run_all(),
            Some(scope) => scope(&mut run_all),
        }
        CURRENT.with_borrow_mut(|current| current.pop());
        if shared.is_inherited() {
            return Some(ran);
        }
        let mut state = self.state.lock();
        state.running = false;
        if state.queue.is_empty()
            && let Some(readiness) = &mut state.readiness
        {
            readiness.clear();
        }
        // It may have been abandoned by one of its own callbacks.
        match self.dispatch == Dispatch::Polled && state.abandoned {
            true => self.schedule(shared, state),
            false => drop(state),
        }
        self.changed.notify_all();
        Some(ran)
    }

    /// Runs one item, or as much of it as the limit allows; the rest goes back to the front.
    ///
    /// A callback that forks returns here in the child, too: there nothing is touched any more, and
    /// what the item holds is leaked.
    fn run_item(&self, shared: &Arc<Shared>, item: Item, limit: usize) -> usize {
        match item {
            Item::Batch(mut batch) => {
                let ran = self.run_batch(shared, &mut batch, limit);
                if shared.is_inherited() {
                    std::mem::forget(batch);
                } else if batch.next < batch.len() {
                    self.state.lock().queue.push_front(Item::Batch(batch));
                } else {
                    let (messages, bytes) = (batch.len(), batch.bytes);
                    contain(|| drop(batch));
                    shared.release(messages, bytes);
                }
                ran
            }
            Item::Claimed(message, receipt, handlers) => {
                let parts = message.parts(Some(receipt));
                self.handle(shared, parts, &handlers);
                if shared.is_inherited() {
                    std::mem::forget(handlers);
                    return 1;
                }
                self.leave();
                self.acknowledge_handled(shared);
                shared.release(1, parts.payload.len());
                contain(|| drop(handlers));
                1
            }
            Item::Ended(mut ended) => {
                let rest = ended.split_off(ended.len().min(limit));
                let count = ended.len();
                let mut ended = ended.into_iter();
                while let Some(Ended { number, outcome, completion, .. }) = ended.next() {
                    let Some(completion) = completion else { continue };
                    contain(|| completion(number, outcome));
                    if shared.is_inherited() {
                        std::mem::forget((ended, rest));
                        return count;
                    }
                }
                if !rest.is_empty() {
                    self.state.lock().queue.push_front(Item::Ended(rest));
                }
                shared.completions_taken(count);
                count
            }
            Item::Event(event, handler) => {
                contain(|| handler(&event));
                if shared.is_inherited() {
                    std::mem::forget(handler);
                } else {
                    contain(|| drop(handler));
                }
                1
            }
            Item::Call(call) => {
                contain(call);
                1
            }
            Item::Last => {
                self.state.lock().finished = true;
                1
            }
        }
    }

    fn run_batch(&self, shared: &Arc<Shared>, batch: &mut Batch, limit: usize) -> usize {
        let end = batch.len().min(batch.next.saturating_add(limit));
        let ran = end - batch.next;
        let mut since: Option<Instant> = None;
        while batch.next < end {
            let parts = batch.parts(batch.next);
            let matched = batch.inbound.deliveries[batch.next].matched as usize;
            self.handle(shared, parts, &batch.handlers[matched]);
            if shared.is_inherited() {
                return ran;
            }
            let acknowledges = parts.receipt.is_some();
            batch.next += 1;
            if acknowledges && since.get_or_insert_with(Instant::now).elapsed() > ACKNOWLEDGE_AFTER
            {
                since = None;
                self.acknowledge_handled(shared);
            }
        }
        self.leave();
        if since.is_some() {
            self.acknowledge_handled(shared);
        }
        ran
    }

    /// Calls the handlers of one message.
    #[inline]
    fn handle(&self, shared: &Arc<Shared>, parts: Parts<'_>, handlers: &[Arc<Subscription>]) {
        let message = Message { parts, shared, deferred: RefCell::new(None) };
        let mut called = self.call(&message, handlers);
        if called.is_none() {
            called = self.call_successors(&message);
        }
        if shared.is_inherited() {
            return std::mem::forget(message.deferred);
        }
        let keeps = called == Some(Handled::Failed) && !shared.options.acknowledge_failed;
        if let Some(deferred) = message.deferred.into_inner() {
            return deferred.handlers_returned(keeps);
        }
        let Some(receipt) = parts.receipt else { return };
        // Where no handler is left, nobody could acknowledge it by hand.
        let manual = shared.options.manual && called.is_some();
        if !keeps && !manual {
            self.handled.lock().push((receipt, ReasonCode::Success));
        }
    }

    /// Calls those of the handlers that are still there; `Failed` when one of them failed, nothing
    /// when there was none.
    #[inline]
    fn call(&self, message: &Message<'_>, handlers: &[Arc<Subscription>]) -> Option<Handled> {
        let mut called = None;
        for subscription in handlers {
            // Said before the look at `active`, as whoever ends the subscription does the reverse:
            // one of the two sees the other.
            self.enter(subscription.route);
            if !subscription.active.load(Ordering::SeqCst) {
                continue;
            }
            let call = || subscription.handler.handle(message);
            if contain(call).unwrap_or(Handled::Failed) == Handled::Failed {
                called = Some(Handled::Failed);
            } else {
                called.get_or_insert(Handled::Done);
            }
        }
        called
    }

    /// The subscription has ended while the message waited. If another one took its place the message
    /// is for that; else nobody wants it any more.
    #[cold]
    fn call_successors(&self, message: &Message<'_>) -> Option<Handled> {
        let successors = message.shared.handlers(message.topic());
        let called = self.call(message, &successors);
        if message.shared.is_inherited() {
            std::mem::forget(successors);
        } else {
            contain(|| drop(successors));
        }
        called
    }

    #[inline]
    fn enter(&self, route: RouteId) {
        if self.route_in_call.load(Ordering::Relaxed) != route {
            self.route_in_call.store(route, Ordering::SeqCst);
            self.wake_leaving();
        }
    }

    fn leave(&self) {
        self.route_in_call.store(0, Ordering::SeqCst);
        self.wake_leaving();
    }

    fn wake_leaving(&self) {
        if self.leaving.load(Ordering::SeqCst) > 0 {
            drop(self.state.lock());
            self.changed.notify_all();
        }
    }

    /// Tells the engine what has been handled; the acknowledgements leave.
    pub(super) fn acknowledge_handled(&self, shared: &Arc<Shared>) {
        let handled = std::mem::take(&mut *self.handled.lock());
        if !handled.is_empty() {
            shared.acknowledge(&handled);
        }
    }

    /// Whether callbacks are running or wait to.
    pub(super) fn is_busy(&self) -> bool {
        let state = self.state.lock();
        state.running || !state.queue.is_empty()
    }

    // ---- waiting for callbacks to end

    /// Returns when no call of these (ended) subscriptions is running; at once inside a callback,
    /// were it another session's: two that waited for each other would never return.
    pub(super) fn wait_until_left(&self, routes: &[RouteId]) {
        if runtime::on_io_thread() || Self::in_any_callback() {
            return;
        }
        self.leaving.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state.lock();
        while routes.contains(&self.route_in_call.load(Ordering::SeqCst)) {
            self.changed.wait(&mut state);
        }
        drop(state);
        self.leaving.fetch_sub(1, Ordering::SeqCst);
    }

    /// Returns when the last callback has run.
    pub(super) fn wait_until_finished(&self, shared: &Arc<Shared>) {
        self.wait_until_finished_or(shared, None);
    }

    /// Waits until the last callback has run, or until then; whether it has.
    pub(super) fn wait_until_finished_or(
        &self,
        shared: &Arc<Shared>,
        deadline: Option<Instant>,
    ) -> bool {
        let mut state = self.state.lock();
        while !state.finished || state.running {
            if self.dispatch == Dispatch::Polled && !state.queue.is_empty() && !state.running {
                drop(state);
                self.run(shared, usize::MAX);
                state = self.state.lock();
                continue;
            }
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) => {
                    if self.changed.wait_until(&mut state, deadline).timed_out() {
                        return state.finished && !state.running;
                    }
                }
            }
        }
        true
    }

    /// The descriptor that is readable while something is queued.
    #[cfg(unix)]
    pub(super) fn descriptor(&self) -> Result<std::os::fd::RawFd> {
        let mut state = self.state.lock();
        if state.readiness.is_none() {
            let mut readiness = Readiness::new()?;
            if !state.queue.is_empty() {
                readiness.set();
            }
            state.readiness = Some(readiness);
        }
        Ok(state.readiness.as_ref().expect("set above").descriptor())
    }
}

/// A panic of a callback ends that callback only, and is nothing.
#[inline]
fn contain<T>(callback: impl FnOnce() -> T) -> Option<T> {
    let returned = catch_unwind(AssertUnwindSafe(callback));
    if returned.is_err() {
        tracing::error!(target: "mqttsession", "a callback panicked");
    }
    returned.ok()
}
