//! What the session handle, its driver and its callback threads share.
//!
//! One lock, [`Shared::core`], guards the engine. Nothing is taken under it: no other lock, no system
//! call, no clock, no user code. Whoever changes the engine takes all its outputs before the lock is
//! released ([`Core::collect`]) and acts on them afterwards ([`Shared::apply`]). Who writes, and
//! when, stands in [`writer`].

mod callers;
mod effects;
mod goal;
mod publish;
mod unclaimed;
mod writer;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::Instant,
};

pub(super) use callers::{Callers, Subscribing, Unsubscribing};
pub(super) use effects::Effects;
pub(super) use goal::{Farewell, Goal};
pub(super) use writer::Wrote;

use super::{
    Connected, Event, EventHandler, Options, OwnedMessage, State, fork,
    inbox::{Inbox, Item, Subscription, Subscriptions},
    keeper::{self, Health, Keeper, Opened},
    lent::Loans,
    live,
    operation::Signal,
    pool::Pool,
    question::{Lane, Question},
    request::Requests,
    runtime::{self, IoThread},
};
use crate::{
    engine::{Engine, Output, Receipt, RouteId, Ticket},
    error::{Error, Result},
    protocol::{PropertyBlock, ReasonCode},
    seldom::Seldom,
    sync::Mutex,
    transport::Socket,
};

/// Everything under the session lock.
pub(super) struct Core {
    pub(super) engine: Engine,
    /// Publishing is allowed: the session is, or is to be, connected.
    pub(super) accepting: bool,
    pub(super) goal: Goal,
    /// Counts connections, so that a writer notices that its own is gone.
    pub(super) connection: u64,
    /// The socket for a direct write, while the connection has one.
    pub(super) direct: Option<Arc<Socket>>,
    writing: bool,
    /// The driver sleeps; new output has to wake it.
    pub(super) asleep: bool,
    /// The driver has been woken because output is made in quick succession.
    pub(super) streaming: bool,
    /// The driver pauses, and what is published meanwhile gathers.
    pub(super) gathering: bool,
    /// What was received is answered in the output, which nobody would publish more for.
    pub(super) answers: bool,
    waker: Option<Waker>,
    /// When the driver will look at the engine's deadlines.
    expects: Option<Instant>,
    wrote_directly: Option<Instant>,
    spare: Output,
    /// What a write could not finish.
    leftover: Option<Box<Output>>,
    /// Publishers that wait for room.
    blocked: Vec<Arc<Signal>>,
    next_ticket: Ticket,
    /// The program asks for an attempt to connect now, whatever the pause.
    pub(super) hurry: bool,
    /// The driver has been started.
    pub(super) driven: bool,
    /// The store's job has been scheduled, and will look for records before it ends.
    pub(super) storing: bool,
    pub(super) store: Health,
    /// Why the connection has to be ended.
    pub(super) fault: Option<Error>,
    /// Messages that disconnecting has cancelled.
    pub(super) cancelled: usize,
    /// What the broker said last when it accepted.
    pub(super) connected: Option<Connected>,
    /// What the authenticator is to be asked, until the driver does.
    pub(super) challenge: Option<Box<Question>>,
    pub(super) callers: Seldom<Callers>,
}

impl Core {
    fn new(engine: Engine) -> Self {
        Self {
            engine,
            accepting: false,
            goal: Goal::Rest,
            connection: 0,
            direct: None,
            writing: false,
            asleep: false,
            streaming: false,
            gathering: false,
            answers: false,
            waker: None,
            expects: None,
            wrote_directly: None,
            spare: Output::default(),
            leftover: None,
            blocked: Vec::new(),
            next_ticket: 0,
            hurry: false,
            driven: false,
            storing: false,
            store: Health::Well,
            fault: None,
            cancelled: 0,
            connected: None,
            challenge: None,
            callers: Seldom::default(),
        }
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// Whether a thread is writing. When it has written it wakes the driver if anything is left.
    pub(super) fn is_writing(&self) -> bool {
        self.writing
    }

    /// Whether something waits to be written.
    pub(super) fn has_output(&self) -> bool {
        self.leftover.is_some() || self.engine.output_length() > 0
    }

    /// Whether the output had better be written before more gathers.
    #[inline]
    pub(super) fn is_write_due(&self) -> bool {
        self.answers || self.engine.is_write_due()
    }

    /// Whether records wait to be stored and nobody sees to it yet: the caller does, without the lock.
    #[inline]
    #[must_use]
    pub(super) fn begin_storing(&mut self) -> bool {
        self.engine.has_records() && !std::mem::replace(&mut self.storing, true)
    }

    /// Whether [`collect`](Self::collect) would find something.
    pub(super) fn has_news(&mut self) -> bool {
        self.engine.has_news() || (self.engine.has_records() && !self.storing)
    }

    /// The publishers that have a chance now.
    fn take_unblocked(&mut self) -> Vec<Arc<Signal>> {
        match !self.blocked.is_empty() && (self.engine.has_room() || !self.accepting) {
            true => std::mem::take(&mut self.blocked),
            false => Vec::new(),
        }
    }

    /// Says how the driver is woken. It does so before it looks at anything: who changes something
    /// that it has looked at finds the waker in its place, and it looks again.
    pub(super) fn arm(&mut self, cx: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
    }

    /// The driver's waker, unless it has been woken already.
    pub(super) fn take_waker(&mut self) -> Option<Waker> {
        (self.asleep, self.gathering) = (false, false);
        self.waker.take()
    }

    /// The engine's next deadline, which the driver goes to sleep for.
    pub(super) fn expect(&mut self) -> Option<Instant> {
        self.expects = self.engine.poll_timeout();
        self.expects
    }

    /// A connection begins or ends. The socket of the last one is the answer, as dropping it may
    /// close it: not under the lock.
    #[must_use]
    pub(super) fn reset_connection(&mut self) -> Option<Arc<Socket>> {
        self.connection += 1;
        self.asleep = false;
        (self.streaming, self.gathering) = (false, false);
        self.answers = false;
        self.wrote_directly = None;
        self.challenge = None;
        self.fault = None;
        self.leftover = None;
        self.spare.clear(0);
        self.direct.take()
    }

    /// Gives memory back that a busy time left behind.
    pub(super) fn shrink(&mut self) {
        self.spare.clear(0);
    }
}

/// What may be read without the session lock.
pub(super) struct Status {
    pub(super) state: State,
    pub(super) last_error: Option<Error>,
    pub(super) event_handler: Option<EventHandler>,
}

/// Counts of system calls and bytes.
#[derive(Default)]
pub(super) struct Traffic {
    pub(super) reads: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) connections: AtomicU64,
}

/// A session, behind its handle.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) core: Mutex<Core>,
    pub(super) inbox: Inbox,
    pub(super) questions: Lane,
    pub(super) subscriptions: Mutex<Subscriptions>,
    pub(super) status: Mutex<Status>,
    pub(super) traffic: Traffic,
    /// Messages of QoS 1 and 2 that no handler wants yet.
    pub(super) unclaimed: Mutex<Vec<(OwnedMessage, Receipt)>>,
    /// Subscribes that have their route and have not yet claimed what was there before.
    pub(super) claiming: AtomicUsize,
    /// From the first request on.
    pub(super) requests: OnceLock<Box<Requests>>,
    /// From the first payload on that the program lends.
    pub(super) loans: OnceLock<Arc<Loans>>,
    /// Of a session with a store.
    pub(super) keeper: Option<Box<Keeper>>,
    born: u32,
    io: IoThread,
    pool: Arc<Pool>,
    question_pool: Arc<Pool>,
    store_pool: Arc<Pool>,
}

impl Shared {
    /// A session with what `open` gives it as its store.
    pub(super) fn new(
        options: &Options,
        open: impl FnOnce(&Options) -> Result<Option<Opened>>,
    ) -> Result<Arc<Self>> {
        let mut options = options.clone();
        options.complete();
        options.check_authentication()?;
        let (settings, client_id) = (options.settings.shared(), options.client_id.clone());
        let mut engine = Engine::new(settings.clone(), client_id.clone(), options.any_client_id)?;
        let runtime = runtime::runtime()?;
        // Last: what cannot become a session leaves no directory behind.
        let mut keeper = None;
        if let Some((storage, recovered)) = open(&options)? {
            keeper = Some(Box::new(Keeper::new(&options, storage, &recovered)));
            let clock = keeper::clock();
            engine =
                Engine::with_store(settings, client_id, options.any_client_id, recovered, clock)?;
        }
        Ok(Arc::new(Self {
            inbox: Inbox::new(&options),
            questions: Lane::new(&mut options),
            options,
            core: Mutex::new(Core::new(engine)),
            subscriptions: Mutex::default(),
            status: Mutex::new(Status {
                state: State::Disconnected,
                last_error: None,
                event_handler: None,
            }),
            traffic: Traffic::default(),
            unclaimed: Mutex::default(),
            claiming: AtomicUsize::new(0),
            requests: OnceLock::new(),
            loans: OnceLock::new(),
            keeper,
            born: fork::generation(),
            io: runtime.next_io_thread(),
            pool: runtime.pool.clone(),
            question_pool: runtime.question_pool.clone(),
            store_pool: runtime.store_pool.clone(),
        }))
    }

    pub(super) fn io_thread(&self) -> &IoThread {
        &self.io
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    pub(super) fn question_pool(&self) -> &Arc<Pool> {
        &self.question_pool
    }

    pub(super) fn store_pool(&self) -> &Arc<Pool> {
        &self.store_pool
    }

    pub(super) fn requests(&self) -> &Requests {
        self.requests.get_or_init(Box::default)
    }

    #[inline]
    pub(super) fn check_fork(&self) -> Result<()> {
        fork::check(self.born)
    }

    /// Whether this is a child of fork, and the session its parent's.
    #[inline]
    pub(super) fn is_inherited(&self) -> bool {
        self.check_fork().is_err()
    }

    pub(super) fn wake_driver(&self) {
        let waker = self.core.lock().take_waker();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// A message with a lifetime may have been queued: the driver must not sleep longer than that.
    pub(super) fn expect_expiry(&self) {
        let mut core = self.core.lock();
        let sooner = match (core.engine.poll_timeout(), core.expects) {
            (Some(deadline), Some(expected)) => deadline < expected,
            (deadline, None) => deadline.is_some(),
            (None, _) => false,
        };
        let waker = if sooner { core.take_waker() } else { None };
        drop(core);
        waker.into_iter().for_each(Waker::wake);
    }

    /// For the pool: runs callbacks; whether there are more.
    pub(super) fn run_callbacks(self: &Arc<Self>) -> bool {
        self.inbox.run_slice(self)
    }

    /// For the pool: asks a question; whether there are more.
    pub(super) fn run_questions(self: &Arc<Self>) -> bool {
        self.questions.run(self)
    }

    /// Queues one callback.
    pub(super) fn call_back(self: &Arc<Self>, call: Box<dyn FnOnce() + Send>) {
        self.inbox.push(self, Item::Call(call));
    }

    /// Places of the receiving queue become free.
    pub(super) fn release(&self, messages: usize, bytes: usize) {
        if self.inbox.release(messages, bytes) {
            self.wake_driver();
        }
    }

    /// Completions have been called and give their places free.
    pub(super) fn completions_taken(self: &Arc<Self>, count: usize) {
        let mut core = self.core.lock();
        core.engine.completions_taken(count);
        let effects = core.collect();
        drop(core);
        self.apply(effects);
    }

    /// Acknowledges received messages; the acknowledgements leave. `false` when there was nothing
    /// left to acknowledge.
    pub(super) fn acknowledge(self: &Arc<Self>, handled: &[(Receipt, ReasonCode)]) -> bool {
        let mut core = self.core.lock();
        let before = core.engine.output_length();
        let mut all = true;
        for &(receipt, reason) in handled {
            all &= core.engine.acknowledge(receipt, reason);
        }
        core.answers |= core.engine.output_length() > before;
        self.see_it_leave(core);
        all
    }

    /// Refuses a received message. `false` when there was nothing left to refuse.
    pub(super) fn refuse(
        self: &Arc<Self>,
        receipt: Receipt,
        reason: ReasonCode,
        properties: PropertyBlock,
    ) -> bool {
        let mut core = self.core.lock();
        let before = core.engine.output_length();
        let refused = core.engine.refuse(receipt, reason, properties);
        core.answers |= core.engine.output_length() > before;
        self.see_it_leave(core);
        refused
    }

    /// No further call of these handlers begins. The answer is theirs, to be dropped on a callback
    /// thread.
    #[must_use]
    pub(super) fn end_subscriptions(&self, routes: &[RouteId]) -> Vec<Arc<Subscription>> {
        if routes.is_empty() {
            return Vec::new();
        }
        let ended: Vec<_> = {
            let mut subscriptions = self.subscriptions.lock();
            routes.iter().filter_map(|route| subscriptions.remove(route)).collect()
        };
        ended.iter().for_each(|subscription: &Arc<Subscription>| subscription.end());
        ended
    }

    /// The handlers that want a topic now.
    pub(super) fn handlers(&self, topic: &str) -> Vec<Arc<Subscription>> {
        let found = self.core.lock().engine.find(topic);
        let subscriptions = self.subscriptions.lock();
        found.routes.iter().filter_map(|route| subscriptions.get(&route.id).cloned()).collect()
    }

    /// Keeps what an event says about the state, and hands it on.
    pub(super) fn report(self: &Arc<Self>, event: Event) {
        let mut status = self.status.lock();
        let mut former = None;
        match &event {
            Event::Connecting => status.state = State::Connecting,
            Event::Connected(_) => {
                status.state = State::Connected;
                self.traffic.connections.fetch_add(1, Ordering::Relaxed);
            }
            Event::Lost(error) => former = status.last_error.replace(error.clone()),
            Event::Retrying(_) => status.state = State::Retrying,
            Event::Disconnected(error) => {
                status.state = State::Disconnected;
                if let Some(error) = error {
                    former = status.last_error.replace(error.clone());
                }
            }
            Event::SubscriptionRefused(..)
            | Event::SetAside(_)
            | Event::AcknowledgementHeld(_)
            | Event::Redirected(_)
            | Event::Restored(_)
            | Event::SessionLost(_)
            | Event::StoreWithoutSession
            | Event::StoreFailed(_)
            | Event::StoreRecovered => {}
        }
        let handler = status.event_handler.clone();
        drop(status);
        former.into_iter().for_each(|former| self.questions.let_go(former));
        tracing::debug!(target: "mqttsession", event = ?event, "session event");
        if let Some(handler) = handler {
            self.inbox.push(self, Item::Event(event, handler));
        }
    }

    /// Drops a program's object on a callback thread.
    pub(super) fn drop_there(self: &Arc<Self>, object: impl Send + 'static) {
        self.call_back(Box::new(move || drop(object)));
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        live::remove(self);
    }
}
