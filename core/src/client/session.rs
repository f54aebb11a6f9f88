//! The session: the one object that a program holds.

pub(super) mod check;
mod statistics;
mod store;
mod subscribe;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Connected, Dispatch, EventHandler, Operation, Options, State, driver,
    keeper::{self, Opened},
    later,
    lent::Lent,
    live,
    operation::{self, Signal},
    runtime,
    shared::{Farewell, Goal, Shared},
};
use crate::{
    engine::{Completion, Outcome, Payload},
    error::{Code, Error, Result},
    protocol::{PropertyBlock, QoS, ReasonCode},
};

/// How a message is to be published.
#[derive(Default)]
pub struct PublishOptions {
    /// The quality of service.
    pub qos: QoS,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
    /// MQTT 5.0 properties; empty before.
    pub properties: PropertyBlock,
    /// How long it may wait for being sent; `None` is what the session's options say.
    pub time_to_live: Option<Duration>,
    /// Called once, on a callback thread, when the message has ended.
    pub completion: Option<Completion>,
}

/// How to disconnect.
#[derive(Clone, Debug)]
pub struct DisconnectOptions {
    /// How long to wait until every accepted publish has ended and its completion has returned
    /// (inside a callback, and where callbacks are polled for: has ended). What has not by then is
    /// cancelled; with a store only at QoS 0.
    pub drain: Duration,
    /// The reason to give (MQTT 5.0). `DisconnectWithWillMessage` has the broker publish the will.
    pub reason: ReasonCode,
    /// Properties (MQTT 5.0; empty before).
    pub properties: PropertyBlock,
}

impl Default for DisconnectOptions {
    /// Ten seconds to drain, a normal disconnection.
    fn default() -> Self {
        Self {
            drain: Duration::from_secs(10),
            reason: ReasonCode::Success,
            properties: PropertyBlock::new(),
        }
    }
}

/// A session with one broker.
///
/// Clones are the same session. Every method may be called from any thread and from inside any
/// callback. When the last clone is dropped the session closes as with [`close`](Self::close), but
/// nobody waits for it; what was left to be polled runs on the library's callback threads.
#[derive(Clone)]
pub struct Session(Arc<Handle>);

struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        if self.0.check_fork().is_err() {
            // The parent's memory: leaked, so that nothing of it runs here.
            std::mem::forget(self.0.clone());
            return;
        }
        begin_close(&self.0);
        self.0.inbox.abandon(&self.0);
    }
}

impl Session {
    /// Makes a session; nothing is sent. With [`set_store`](Options::set_store) it opens the store, and
    /// goes on with what an earlier session left there.
    ///
    /// # Errors
    /// Options that contradict each other or the version: `INVALID_CLIENT_ID` (a store needs one),
    /// `INVALID_OPTION`. `OUT_OF_MEMORY` when the library's threads cannot be started. The store's:
    /// `STORE_LOCKED` while another session or process has it open, `STORE_READ_ONLY`, `STORE_FULL`,
    /// `STORE_CORRUPT`, `STORE_VERSION`, `STORE_FOREIGN`, `STORE_FAILED`.
    pub fn new(options: &Options) -> Result<Self> {
        if options.store.is_some() {
            keeper::check(options)?;
        }
        Self::over(options, keeper::open)
    }

    fn over(
        options: &Options,
        open: impl FnOnce(&Options) -> Result<Option<Opened>>,
    ) -> Result<Self> {
        let shared = Shared::new(options, open)?;
        live::add(&shared);
        // Callbacks on the I/O thread are the driver's to run, also before the first connect. And it is
        // the driver that waits for the store when the session ends.
        if shared.options.dispatch == Dispatch::Inline || shared.keeper.is_some() {
            shared.core.lock().driven = true;
            driver::start(&shared);
        }
        Ok(Self(Arc::new(Handle(shared))))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    /// Starts to connect, and from then on keeps the session connected. The operation ends with the
    /// broker's answer. When the first attempt fails the session rests again, unless
    /// [`set_retry_first_connect`](Options::set_retry_first_connect) says otherwise; later, losses
    /// are followed by attempts with a growing pause, unless the error makes that senseless
    /// ([`Options::set_retry`]).
    ///
    /// On a connected session it ends at once; one that waits before its next attempt makes it now.
    ///
    /// # Errors
    /// `CLOSED`; `BUSY` while it disconnects; `FORKED`. The operation: the error of the layer that
    /// failed.
    pub fn connect(&self) -> Result<Operation<Connected>> {
        let shared = self.shared();
        shared.check_fork()?;
        let (operation, cell) = Operation::new(shared);
        let mut core = shared.core.lock();
        match core.goal {
            Goal::Close => return Err(Code::Closed.into()),
            Goal::Disconnect(_) => {
                return Err(check::being_disconnected());
            }
            Goal::Connect if core.engine.is_online() => {
                let connected = core.connected.clone();
                drop(core);
                return Ok(Operation::ended(
                    shared,
                    connected.ok_or_else(|| Code::Internal.into()),
                ));
            }
            Goal::Connect | Goal::Rest => {}
        }
        core.hurry = matches!(core.goal, Goal::Connect);
        core.goal = Goal::Connect;
        core.accepting = true;
        core.callers.make().connecting.push(cell);
        let starts = !std::mem::replace(&mut core.driven, true);
        let waker = core.take_waker();
        drop(core);
        if let Some(waker) = waker {
            waker.wake();
        }
        if starts {
            driver::start(shared);
        }
        Ok(operation)
    }

    /// Waits until what was accepted has ended, at most `drain`, sends DISCONNECT and stops
    /// reconnecting. The operation ends when the connection is closed, with the number of messages
    /// that had to be cancelled. Subscriptions stay, for the next connect; with a store so do messages of
    /// QoS 1 and 2, which are counted all the same.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a reason or a property that DISCONNECT cannot carry, `NOT_SUPPORTED`
    /// for properties before 5.0, `CLOSED`, `BUSY` while it disconnects already, `FORKED`.
    pub fn disconnect(&self, options: DisconnectOptions) -> Result<Operation<usize>> {
        let shared = self.shared();
        shared.check_fork()?;
        check::farewell(&shared.options.settings, &options)?;
        let until = later(Instant::now(), options.drain);
        // Completions that only this thread could call are not waited for.
        let called = !shared.inbox.is_current() && shared.options.dispatch != Dispatch::Polled;
        let (operation, cell) = Operation::new(shared);
        let mut core = shared.core.lock();
        match core.goal {
            Goal::Close => return Err(Code::Closed.into()),
            Goal::Disconnect(_) => {
                return Err(check::being_disconnected());
            }
            Goal::Rest => {
                // Nothing is connected; what a failed connection left behind ends here.
                let cancelled = core.engine.cancel_all();
                let effects = core.collect();
                drop(core);
                shared.apply(effects);
                return Ok(Operation::ended(shared, Ok(cancelled)));
            }
            Goal::Connect => {}
        }
        let DisconnectOptions { reason, properties, .. } = options;
        core.goal = Goal::Disconnect(Box::new(Farewell { until, called, reason, properties }));
        core.accepting = false;
        core.callers.make().disconnecting.push(cell);
        let effects = core.collect();
        let waker = core.take_waker();
        drop(core);
        shared.apply(effects);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(operation)
    }

    /// Queues a message and returns its number (from 1, ascending) at once. A completion is dropped
    /// unused only when this fails.
    ///
    /// Under [`QueuePolicy::Block`](super::QueuePolicy) it waits for room.
    ///
    /// # Errors
    /// `INVALID_TOPIC`, `PAYLOAD_TOO_LARGE`, `NOT_SUPPORTED` (properties before 5.0, or what the
    /// broker does not take), `NOT_CONNECTED` before connect and after disconnect, `QUEUE_FULL`,
    /// `WOULD_DEADLOCK`, `CLOSED`, `FORKED`.
    pub fn publish(
        &self,
        topic: &str,
        payload: Payload<'_>,
        options: PublishOptions,
    ) -> Result<u64> {
        self.shared().publish(topic, payload, options, true)
    }

    /// [`publish`](Self::publish) that never waits: `QUEUE_FULL` where it would.
    ///
    /// # Errors
    /// Those of `publish`.
    pub fn try_publish(
        &self,
        topic: &str,
        payload: Payload<'_>,
        options: PublishOptions,
    ) -> Result<u64> {
        self.shared().publish(topic, payload, options, false)
    }

    /// [`publish`](Self::publish) of a payload that is lent, which the session never copies from 16 KiB
    /// on, however long the message waits and however often it is sent.
    ///
    /// Its owner is dropped once, when the session has done with it: where the session's callbacks run, or
    /// by this call before it returns, when that fails, or the payload is small, or has left by then. When
    /// [`close`](Self::close) has waited, all have been dropped.
    ///
    /// # Errors
    /// Those of `publish`.
    pub fn publish_lent(&self, topic: &str, payload: Lent, options: PublishOptions) -> Result<u64> {
        // Dropped here at the earliest, outside all locks.
        self.shared().publish_lent(topic, &payload, options)
    }

    /// Waits until a message has ended, at most this long; `None` is as long as it takes. A timeout
    /// does not cancel it, and waiting may be repeated.
    ///
    /// # Errors
    /// The error with which it ended; `TIMEOUT`; `UNKNOWN_MESSAGE`; `WOULD_DEADLOCK`; `FORKED`.
    pub fn wait(&self, number: u64, timeout: Option<Duration>) -> Outcome {
        let shared = self.shared();
        shared.check_fork()?;
        let signal = Arc::new(Signal::default());
        let outcome = Arc::new(crate::sync::Mutex::new(None));
        let mut watcher: Option<Completion> = Some(Completion::new({
            let (signal, outcome) = (signal.clone(), outcome.clone());
            move |_, how| {
                *outcome.lock() = Some(how);
                signal.done();
            }
        }));
        let mut core = shared.core.lock();
        let ticket = core.ticket();
        if let Some(outcome) = core.engine.watch(number, ticket, &mut watcher) {
            return outcome;
        }
        shared.settle(core);
        let waited = operation::wait_for(shared, &signal, timeout);
        if let Err(error) = waited {
            let unused = shared.core.lock().engine.unwatch(number, ticket);
            drop(unused);
            if outcome.lock().is_none() {
                return Err(error);
            }
        }
        outcome.lock().take().expect("the signal comes after the outcome")
    }

    /// What the broker said when it accepted the present connection, or the last one.
    pub fn connected(&self) -> Option<Connected> {
        match self.shared().check_fork() {
            Ok(()) => self.shared().core.lock().connected.clone(),
            Err(_) => None,
        }
    }

    /// Authenticates anew on the live connection, with the method of the options (MQTT 5.0). The
    /// operation ends when the broker has accepted; when it refuses, it ends the connection.
    ///
    /// # Errors
    /// `NOT_SUPPORTED` without an authenticator, `NOT_CONNECTED`, `BUSY` while an exchange is under
    /// way, `CLOSED`, `FORKED`. The operation: `AUTHENTICATION_FAILED`, the error of the loss,
    /// `CANCELLED` by a disconnect or close.
    pub fn reauthenticate(&self) -> Result<Operation<()>> {
        let shared = self.shared();
        shared.check_fork()?;
        if !shared.questions.has_authenticator() {
            return Err(Error::new(Code::NotSupported, "The session has no authenticator"));
        }
        let (operation, cell) = Operation::new(shared);
        let mut core = shared.core.lock();
        if matches!(core.goal, Goal::Close) {
            return Err(Code::Closed.into());
        }
        core.engine.reauthenticate()?;
        core.callers.make().reauthenticating = Some(cell);
        shared.settle(core);
        Ok(operation)
    }

    /// Ends when every publish that was accepted before has ended.
    ///
    /// # Errors
    /// `CLOSED`, `FORKED`.
    pub fn flush(&self) -> Result<Operation<()>> {
        let shared = self.shared();
        shared.check_fork()?;
        let (operation, cell) = Operation::new(shared);
        let mut core = shared.core.lock();
        if matches!(core.goal, Goal::Close) {
            return Err(Code::Closed.into());
        }
        let ticket = core.ticket();
        core.callers.make().flushing.insert(ticket, cell);
        core.engine.flush(ticket);
        shared.settle(core);
        Ok(operation)
    }

    /// With [`Dispatch::Polled`]: runs at most `limit` queued callbacks on this thread, after
    /// waiting up to `timeout` for the first (`None`: as long as it takes); how many ran.
    ///
    /// # Errors
    /// `BUSY` inside a callback or while another thread polls; `NOT_SUPPORTED` for another
    /// dispatch; `FORKED`.
    pub fn poll(&self, timeout: Option<Duration>, limit: usize) -> Result<usize> {
        let shared = self.shared();
        shared.check_fork()?;
        self.check_polled()?;
        shared.inbox.poll(shared, timeout, limit)
    }

    /// With [`Dispatch::Polled`]: a descriptor that is readable while callbacks are queued, to be
    /// waited for in an event loop. It belongs to the session. Unix only.
    ///
    /// # Errors
    /// `NOT_SUPPORTED` for another dispatch; `OUT_OF_MEMORY` when there are no more descriptors;
    /// `FORKED`.
    #[cfg(unix)]
    pub fn descriptor(&self) -> Result<std::os::fd::RawFd> {
        self.shared().check_fork()?;
        self.check_polled()?;
        self.shared().inbox.descriptor()
    }

    fn check_polled(&self) -> Result<()> {
        if self.shared().options.dispatch == Dispatch::Polled {
            return Ok(());
        }
        Err(Error::new(
            Code::NotSupported,
            "Only a session whose options set the dispatch to polled can be polled",
        ))
    }

    /// Sets the receiver of events, or none.
    ///
    /// # Errors
    /// `CLOSED`, `FORKED`.
    pub fn set_event_handler(&self, handler: Option<EventHandler>) -> Result<()> {
        let shared = self.shared();
        shared.check_fork()?;
        let mut status = shared.status.lock();
        if status.state == State::Closed {
            return Err(Code::Closed.into());
        }
        let former = std::mem::replace(&mut status.event_handler, handler);
        drop(status);
        if former.is_some() {
            shared.drop_there(former);
        }
        Ok(())
    }

    /// What it is doing.
    pub fn state(&self) -> State {
        match self.shared().check_fork() {
            Ok(()) => self.shared().status.lock().state,
            Err(_) => State::Closed,
        }
    }

    /// The last failure of the connection, readable while it still retries.
    pub fn last_error(&self) -> Option<Error> {
        match self.shared().check_fork() {
            Ok(()) => self.shared().status.lock().last_error.clone(),
            Err(error) => Some(error),
        }
    }

    /// Closes for good: calls no further handler (what was received and not handled stays
    /// unacknowledged), sends DISCONNECT if it is connected, ends everything outstanding as
    /// cancelled (with a store, messages of QoS 1 and 2 as `LEFT_IN_STORE`: the next session that opens
    /// it sends them), lets go of every handler. Outside callbacks it returns after the last callback of
    /// the session and its last question, without a time limit, and when the store is free for others;
    /// inside any callback it does not wait.
    pub fn close(&self) {
        let shared = self.shared();
        if shared.check_fork().is_err() {
            return;
        }
        begin_close(shared);
        if !runtime::on_io_thread() && !super::inbox::Inbox::in_any_callback() {
            shared.inbox.wait_until_finished(shared);
            shared.questions.wait_until_idle(None);
            shared.wait_until_store_closed(None);
            // The store may have been the last to need what was lent.
            shared.inbox.wait_until_finished(shared);
        }
    }

    /// Whether this thread is inside a callback, or a question, of this session.
    pub fn in_callback(&self) -> bool {
        self.shared().inbox.is_current() || self.shared().questions.is_current()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({}, {:?})", self.shared().options.address(), self.state())
    }
}

/// Has the driver, or without one this thread, close the session; the second time does nothing.
pub(super) fn begin_close(shared: &Arc<Shared>) {
    let mut core = shared.core.lock();
    if matches!(core.goal, Goal::Close) {
        return;
    }
    core.goal = Goal::Close;
    core.accepting = false;
    let driven = core.driven;
    let waker = core.take_waker();
    drop(core);
    shared.inbox.begin_close();
    if let Some(waker) = waker {
        waker.wake();
    }
    if !driven {
        driver::finish(shared);
    }
}
