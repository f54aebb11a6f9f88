//! The running of the receiving queue: one runner at a time, outside all locks.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    Batch, CURRENT, Inbox, Item, Run, Subscription,
    record::{Begin, Records},
};
use crate::{
    client::{Dispatch, Handled, Message, fork, message::Parts, shared::Shared},
    engine::{Delivery, Ended, Inbound, Receipt, RouteId},
    error::{Code, Error, Result},
    protocol::{QoS, ReasonCode},
};

/// How many callbacks of one session a callback thread runs before other sessions get their turn.
const SLICE: usize = 16 << 10;

/// How long handled messages may wait for those behind them before their acknowledgements leave.
pub(super) const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(1);

impl Inbox {
    /// Runs what is there, up to a slice; whether there is more. For the pool.
    pub(in crate::client) fn run_slice(&self, shared: &Arc<Shared>) -> bool {
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
    pub(in crate::client) fn poll(
        &self,
        shared: &Arc<Shared>,
        timeout: Option<Duration>,
        limit: usize,
    ) -> Result<usize> {
        if Self::in_any_callback() {
            return Err(Error::new(
                Code::Busy,
                "A callback cannot poll; call poll outside callbacks",
            ));
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.state.lock();
        if state.running || state.polled {
            return Err(polled_elsewhere());
        }
        state.polled = true;
        let mut timed_out = false;
        while state.queue.is_empty() && !state.finished && !timed_out {
            match deadline {
                None => self.changed.wait(&mut state),
                Some(at) => timed_out = self.changed.wait_until(&mut state, at),
            }
        }
        state.polled = false;
        drop(state);
        let ran = self.run(shared, limit);
        shared.check_fork()?;
        ran.ok_or_else(polled_elsewhere)
    }

    /// Runs everything, on the I/O thread.
    pub(in crate::client) fn run_inline(&self, shared: &Arc<Shared>) {
        while self.run(shared, SLICE).is_some_and(|ran| ran >= SLICE) {}
        if shared.is_inherited() {
            fork::end_child();
        }
    }

    /// The driver's turn begins: whatever is put in runs at its end without further ado.
    pub(in crate::client) fn begin_turn(&self) {
        self.state.lock().turning = true;
    }

    /// The driver's turn ends: runs everything, on the I/O thread.
    pub(in crate::client) fn end_turn(&self, shared: &Arc<Shared>) {
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
    pub(super) fn run(&self, shared: &Arc<Shared>, limit: usize) -> Option<usize> {
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
        let ran = self.run_items(shared, limit);
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

    /// What calls back runs inside of the scope, as much of it at a time as stands together.
    fn run_items(&self, shared: &Arc<Shared>, limit: usize) -> usize {
        let mut ran = 0;
        let pop = |ran| match ran < limit && !shared.is_inherited() {
            true => self.state.lock().pop(),
            false => None,
        };
        let mut next = pop(ran);
        while let Some(item) = next.take() {
            match &shared.options.callback_scope {
                Some(scope) if item.calls_back() => {
                    let mut within = Some(item);
                    scope(&mut || {
                        while let Some(item) = within.take() {
                            ran += self.run_item(shared, item, limit - ran);
                            (within, next) = match pop(ran) {
                                Some(item) if !item.calls_back() => (None, Some(item)),
                                more => (more, None),
                            };
                        }
                    });
                }
                _ => {
                    ran += self.run_item(shared, item, limit - ran);
                    next = pop(ran);
                }
            }
        }
        ran
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
                    let (messages, bytes) = (batch.len(), batch.bytes());
                    contain(|| drop(batch));
                    shared.release(messages, bytes);
                }
                ran
            }
            Item::Claimed(message, receipt, handlers) => {
                let parts = message.parts(Some(receipt));
                let mut records = Records::new(shared);
                self.handle_recorded(shared, &mut records, parts, &handlers);
                if shared.is_inherited() {
                    std::mem::forget(handlers);
                    return 1;
                }
                self.leave();
                records.end();
                self.acknowledge_handled(shared);
                shared.release(1, parts.payload.len());
                contain(|| drop(handlers));
                1
            }
            Item::Ended(mut ended) => {
                let rest = ended.split_off(ended.len().min(limit));
                let count = ended.len();
                let mut ended = ended.into_iter();
                while let Some(Ended { number, outcome, completion }) = ended.next() {
                    contain(|| completion.call(number, outcome));
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
            Item::Returned => shared.drop_returned(limit),
            Item::Last => {
                self.state.lock().finished = true;
                shared.close_store();
                1
            }
        }
    }

    fn run_batch(&self, shared: &Arc<Shared>, batch: &mut Batch, limit: usize) -> usize {
        let end = batch.len().min(batch.next.saturating_add(limit));
        let ran = end - batch.next;
        let mut since: Option<Instant> = None;
        let mut records = Records::new(shared);
        while batch.next < end {
            if batch.handlers.some_take_runs
                && let Some(handed_over) = self.hand_over_run(shared, batch, end)
            {
                batch.next += handed_over;
                continue;
            }
            let parts = batch.read.parts(batch.next);
            let matched = batch.read.inbound.deliveries[batch.next].matched as usize;
            let handlers = batch.handlers.of(matched);
            self.handle_recorded(shared, &mut records, parts, handlers);
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
        records.end();
        if since.is_some() {
            self.acknowledge_handled(shared);
        }
        ran
    }

    /// Hands the next messages over as a run, if there is one handler that takes it and has them for
    /// itself, and nothing is to be recorded; how many they were.
    fn hand_over_run(&self, shared: &Arc<Shared>, batch: &Batch, end: usize) -> Option<usize> {
        let Inbound { deliveries, matches } = &batch.read.inbound;
        let stores = shared.keeper.is_some();
        let taker = |delivery: &Delivery| {
            let matched = delivery.matched as usize;
            match batch.handlers.of(matched) {
                [sole]
                    if sole.takes_runs
                        && matches[matched].routes.len() == 1
                        && !(stores && delivery.qos == QoS::ExactlyOnce) =>
                {
                    Some(sole)
                }
                _ => None,
            }
        };
        let ahead = &deliveries[batch.next..end];
        let sole = taker(ahead.first()?)?;
        if self.closing.load(Ordering::Acquire) {
            return None;
        }
        self.enter(sole.route);
        let handler = sole.handler.run_handler()?;
        // Whose subscription has ended may have a successor for each message.
        if !sole.active.load(Ordering::SeqCst) {
            return None;
        }
        let mut former = ahead[0].matched;
        let same = |delivery: &&Delivery| {
            let same = delivery.matched == former
                || taker(delivery).is_some_and(|another| Arc::ptr_eq(another, sole));
            former = delivery.matched;
            same
        };
        let length = ahead.iter().take_while(same).count();
        let run = Run::new(shared, &batch.read, batch.next..batch.next + length);
        contain(|| handler.handle_run(run));
        Some(length)
    }

    /// Has the handlers of one message called, and what came of it recorded or acknowledged.
    #[inline]
    fn handle_recorded(
        &self,
        shared: &Arc<Shared>,
        records: &mut Records<'_>,
        mut parts: Parts<'_>,
        handlers: &[Arc<Subscription>],
    ) {
        // What a closing session has not handled is not acknowledged either: a broker that keeps
        // the session sends it again.
        if self.closing.load(Ordering::Acquire) {
            return;
        }
        match records.begin(&parts) {
            Begin::Call => {}
            Begin::CallAcknowledged => parts.receipt = None,
            Begin::Skip => return,
        }
        match self.handle(shared, parts, handlers) {
            Some((receipt, reason)) if records.concern(&parts) => records.handled(receipt, reason),
            Some(handled) => self.handled.lock().push(handled),
            None => {}
        }
    }

    /// Calls the handlers of one message; how it is to be acknowledged, if it is.
    #[inline]
    fn handle(
        &self,
        shared: &Arc<Shared>,
        parts: Parts<'_>,
        handlers: &[Arc<Subscription>],
    ) -> Option<(Receipt, ReasonCode)> {
        let routes = parts.matched.routes.len();
        let sole = Cell::new(routes <= 1 && handlers.len() == 1);
        let message = Message { parts, shared, deferred: RefCell::new(None), sole };
        let mut called = Called::default();
        self.call(&message, handlers, &mut called);
        if called.count < routes.max(1) && !shared.is_inherited() {
            self.call_successors(&message, &mut called);
        }
        if shared.is_inherited() {
            std::mem::forget(message.deferred);
            return None;
        }
        let failure = called.failed.then_some(shared.options.failure);
        if let Some(deferred) = message.deferred.into_inner() {
            deferred.handlers_returned(failure);
            return None;
        }
        let reason = match (called.count, called.failed) {
            // Where no handler is left, nobody could acknowledge it by hand.
            (0, _) => Some(ReasonCode::Success),
            (_, true) => shared.options.acknowledgement_after(Handled::Failed),
            (_, false) => shared.options.acknowledgement_after(Handled::Done),
        };
        parts.receipt.zip(reason)
    }

    /// Calls those of the handlers that are still there.
    #[inline]
    fn call(&self, message: &Message<'_>, handlers: &[Arc<Subscription>], called: &mut Called) {
        for subscription in handlers {
            // Said before the look at `active`, as whoever ends the subscription does the reverse:
            // one of the two sees the other.
            self.enter(subscription.route);
            if !subscription.active.load(Ordering::SeqCst) {
                continue;
            }
            let call = || subscription.handler.handle(message);
            called.count += 1;
            called.failed |= contain(call).unwrap_or(Handled::Failed) == Handled::Failed;
        }
    }

    /// A subscription has ended while the message waited. It is for those that have taken its place:
    /// that want the topic now, and did not yet when the message came. The others have been called,
    /// or get a copy of their own.
    #[cold]
    fn call_successors(&self, message: &Message<'_>, called: &mut Called) {
        let wanting = message.shared.handlers(message.topic());
        let came_later =
            |subscription: &&Arc<Subscription>| !message.parts.matched.knew(subscription.route);
        let successors: Vec<_> = wanting.iter().filter(came_later).cloned().collect();
        message.sole.set(called.count == 0 && successors.len() == 1);
        self.call(message, &successors, called);
        if message.shared.is_inherited() {
            std::mem::forget((wanting, successors));
        } else {
            contain(|| drop((wanting, successors)));
        }
    }

    #[inline]
    fn enter(&self, route: RouteId) {
        if self.route_in_call.load(Ordering::Relaxed) != route {
            self.route_in_call.store(route, Ordering::SeqCst);
            self.wake_leaving();
        }
    }

    pub(super) fn leave(&self) {
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
    pub(in crate::client) fn acknowledge_handled(&self, shared: &Arc<Shared>) {
        let handled = std::mem::take(&mut *self.handled.lock());
        if !handled.is_empty() {
            shared.acknowledge(&handled);
        }
    }

    /// Whether callbacks are running or wait to.
    pub(in crate::client) fn is_busy(&self) -> bool {
        let state = self.state.lock();
        state.running || !state.queue.is_empty()
    }
}

/// What came of calling the handlers of a message.
#[derive(Default)]
struct Called {
    count: usize,
    failed: bool,
}

/// A panic of a callback ends that callback only, and is nothing.
#[inline]
pub(in crate::client) fn contain<T>(callback: impl FnOnce() -> T) -> Option<T> {
    let returned = catch_unwind(AssertUnwindSafe(callback));
    if returned.is_err() {
        tracing::error!(target: "mqttsession", "a callback panicked");
    }
    returned.ok()
}

fn polled_elsewhere() -> Error {
    Error::new(Code::Busy, "Another thread polls this session; one at a time can")
}
