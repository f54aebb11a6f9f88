//! The receiving queue of a session: what waits to be called back, how much that may be, and the
//! running of it.
//!
//! Who waits for whom: the driver puts things in and never waits; a runner (a callback thread, the
//! I/O thread inline, or whoever polls) takes them out, one runner at a time, and holds no lock
//! while it calls. A full queue stops the driver from reading; a runner that makes room wakes it.
//! A call that waits inside a callback opens an overdraft as large as the queue, so that what it
//! waits for can still be read; when that is full too, the call ends with `WOULD_DEADLOCK`. Events
//! are bounded by dropping: the newest of each kind stays.

mod record;
mod run;
mod runner;

pub use run::Run;
pub(super) use runner::contain;

use std::{
    cell::RefCell,
    collections::VecDeque,
    mem::discriminant,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::{
    Dispatch, Event, EventHandler, Handler, Options, OwnedMessage, fork,
    message::Parts,
    operation::{Signal, holds_up_queue},
    question,
    readiness::Readiness,
    runtime,
    shared::Shared,
};
use crate::{
    engine::{Ended, Inbound, Match, Receipt, RouteId},
    error::Result,
    protocol::ReasonCode,
    sync::{Condvar, Mutex, MutexGuard},
};
use run::Read;

/// How many events wait at most: far more than a program that looks at them leaves lying, and little
/// enough for one that never does.
const EVENTS: usize = 1000;

/// A handler in its place.
pub(super) struct Subscription {
    pub(super) route: RouteId,
    handler: Arc<dyn Handler>,
    takes_runs: bool,
    active: AtomicBool,
}

impl Subscription {
    pub(super) fn new(route: RouteId, handler: Arc<dyn Handler>) -> Self {
        let takes_runs = handler.run_handler().is_some();
        Self { route, handler, takes_runs, active: AtomicBool::new(true) }
    }

    /// No further call begins.
    pub(super) fn end(&self) {
        self.active.store(false, Ordering::SeqCst);
    }
}

/// The subscriptions of a session.
pub(super) type Subscriptions = FxHashMap<RouteId, Arc<Subscription>>;

/// The handlers of each match of a batch, those of the first one first.
#[derive(Default)]
pub(super) struct Handlers {
    all: Vec<Arc<Subscription>>,
    /// Where those of each match end.
    ends: Vec<u32>,
    /// Whether some of them, and whether all, take messages as runs.
    some_take_runs: bool,
    all_take_runs: bool,
}

impl Handlers {
    /// Those that are still subscribed.
    pub(super) fn new(matches: &[Arc<Match>], subscriptions: &Subscriptions) -> Self {
        let mut all = Vec::with_capacity(matches.len());
        let mut ends = Vec::with_capacity(matches.len());
        for found in matches {
            all.extend(
                found.routes.iter().filter_map(|route| subscriptions.get(&route.id)).cloned(),
            );
            ends.push(all.len() as u32);
        }
        let some_take_runs = all.iter().any(|subscription| subscription.takes_runs);
        let all_take_runs = all.iter().all(|subscription| subscription.takes_runs);
        Self { all, ends, some_take_runs, all_take_runs }
    }

    fn of(&self, matched: usize) -> &[Arc<Subscription>] {
        let from = matched.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.all[from as usize..self.ends[matched] as usize]
    }
}

/// Messages that were read together.
pub(super) struct Batch {
    read: Arc<Read>,
    handlers: Handlers,
    next: usize,
}

impl Batch {
    pub(super) fn new(chunk: Bytes, inbound: Inbound, handlers: Handlers) -> Self {
        Self { read: Arc::new(Read { chunk, inbound }), handlers, next: 0 }
    }

    /// Every message of it.
    pub(super) fn all_parts(&self) -> impl Iterator<Item = Parts<'_>> {
        (0..self.len()).map(|index| self.read.parts(index))
    }

    fn len(&self) -> usize {
        self.read.inbound.deliveries.len()
    }

    fn bytes(&self) -> usize {
        self.read.chunk.len()
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
    /// Payloads that were lent have come back.
    Returned,
    /// Nothing comes after it.
    Last,
}

impl Item {
    /// Whether something of the program's is called other than what takes messages as runs.
    fn calls_back(&self) -> bool {
        !matches!(self, Self::Batch(batch) if batch.handlers.all_take_runs)
    }
}

#[derive(Default)]
struct State {
    queue: VecDeque<Item>,
    messages: usize,
    bytes: usize,
    events: usize,
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

impl State {
    fn pop(&mut self) -> Option<Item> {
        let item = self.queue.pop_front()?;
        self.events -= usize::from(matches!(item, Item::Event(..)));
        Some(item)
    }

    /// Takes an event out that a newer one stands for: the oldest of its kind; where there is none,
    /// the oldest after which another of the same kind comes. So the last of each kind stays, and with
    /// it the state that the session has come to.
    fn take_event_like(&mut self, newer: &Event) -> Option<(Event, EventHandler)> {
        let kind = |item: &Item| match item {
            Item::Event(event, _) => Some(discriminant(event)),
            _ => None,
        };
        let same = |kind_of| self.queue.iter().position(|item| kind(item) == Some(kind_of));
        let at = same(discriminant(newer)).or_else(|| {
            let mut kinds =
                self.queue.iter().enumerate().filter_map(|(at, item)| Some((at, kind(item)?)));
            let comes_again = |&(at, of): &(usize, _)| {
                self.queue.range(at + 1..).any(|item| kind(item) == Some(of))
            };
            kinds.find(comes_again).map(|(at, _)| at)
        })?;
        let Some(Item::Event(event, handler)) = self.queue.remove(at) else { return None };
        self.events -= 1;
        Some((event, handler))
    }
}

pub(super) struct Inbox {
    dispatch: Dispatch,
    most_messages: usize,
    most_bytes: usize,
    state: Mutex<State>,
    changed: Condvar,
    /// The route whose handler is being called, 0 for none.
    route_in_call: AtomicU64,
    /// No further message is handed to a handler.
    closing: AtomicBool,
    /// Events that made room for newer ones.
    events_dropped: AtomicU64,
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
            most_messages: options.habits.incoming_messages,
            most_bytes: options.habits.incoming_bytes,
            state: Mutex::default(),
            changed: Condvar::new(),
            route_in_call: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            events_dropped: AtomicU64::new(0),
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

    /// Whether this thread is inside a callback, or a question, of any session.
    pub(super) fn in_any_callback() -> bool {
        let here = fork::generation();
        CURRENT.with_borrow(|current| current.iter().any(|&(_, process)| process == here))
            || question::is_asked()
    }

    pub(super) fn events_dropped(&self) -> u64 {
        self.events_dropped.load(Ordering::Relaxed)
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
        let mut dropped = None;
        match &item {
            Item::Batch(batch) => {
                state.messages += batch.len();
                state.bytes += batch.bytes();
            }
            Item::Event(event, _) => {
                if state.events >= EVENTS {
                    dropped = state.take_event_like(event);
                    self.events_dropped.fetch_add(dropped.is_some().into(), Ordering::Relaxed);
                }
                state.events += 1;
            }
            Item::Claimed(..) | Item::Ended(_) | Item::Call(_) | Item::Returned | Item::Last => {}
        }
        // A handler that may be held by nothing else is let go of on a callback thread; that of the new
        // event has just been put in again.
        let (dropped, of_dropped) = dropped.unzip();
        let another = match (&item, of_dropped) {
            (Item::Event(_, handler), Some(of_dropped)) => {
                (!Arc::ptr_eq(handler, &of_dropped)).then_some(of_dropped)
            }
            _ => None,
        };
        state.queue.push_back(item);
        if let Some(handler) = another {
            state.queue.push_back(Item::Call(Box::new(move || drop(handler))));
        }
        if self.is_overdrawn(&state) {
            state.waiting.iter().for_each(|signal| signal.deadlock());
        }
        if self.is_for_pool(&state) {
            self.schedule(shared, state);
        } else {
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
        if let Some(Event::Lost(error) | Event::Disconnected(Some(error))) = dropped {
            shared.questions.let_go(error);
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

    /// The session is being closed: no further handler is called, so that a program may free what
    /// its handlers use as soon as `close` has returned, inside a callback too.
    pub(super) fn begin_close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Messages that outlive their batch keep their places.
    pub(super) fn hold(&self, messages: usize, bytes: usize) {
        let mut state = self.state.lock();
        state.messages += messages;
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
            return Err(holds_up_queue());
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

    /// Returns when the last callback has run, and whatever came after it.
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
        while !state.finished || state.running || !state.queue.is_empty() {
            if self.dispatch == Dispatch::Polled && !state.queue.is_empty() && !state.running {
                drop(state);
                self.run(shared, usize::MAX);
                state = self.state.lock();
                continue;
            }
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) => {
                    if self.changed.wait_until(&mut state, deadline) {
                        return state.finished && !state.running && state.queue.is_empty();
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
