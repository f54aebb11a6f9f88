//! The task that keeps one session going: connects, runs the connection, waits, connects again.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::time::Sleep;

use super::{
    Dispatch, Event, State,
    connection::Connection,
    inbox::Item,
    reconnect::{Backoff, later},
    shared::{Farewell, Goal, Shared},
};
use crate::{
    error::{Code, Error, Result},
    transport::{self, ConnectOptions, Stream},
};

/// Runs until the session is closed.
pub(super) async fn drive(shared: Arc<Shared>) {
    let options = &shared.options;
    let mut backoff = Backoff::new(options.reconnect_delay, options.stable_time);
    // Whether a connection continues what an earlier one began.
    let mut resume = false;
    loop {
        match goal(&shared) {
            Goal::Close => return finish(&shared),
            Goal::Rest => {
                resume = false;
                let mut watch = Watch::new(&shared, Duration::MAX);
                poll_fn(|cx| watch.poll(cx, |goal| matches!(goal, Goal::Rest))).await;
            }
            Goal::Disconnect(farewell) if has_ended(&shared, &farewell) => rest(&shared, None),
            Goal::Connect | Goal::Disconnect(_) => {
                shared.report(Event::Connecting);
                let mut online = false;
                let result = connect_and_run(&shared, resume, &mut online).await;
                resume |= online;
                if online {
                    backoff.connected(Instant::now());
                }
                match result {
                    Ok(()) => rest(&shared, None),
                    Err(error) => after_loss(&shared, error, &mut backoff).await,
                }
            }
        }
    }
}

fn goal(shared: &Shared) -> Goal {
    shared.core.lock().goal.clone()
}

/// What the driver does while it has no connection: it watches the goal and the clock, and runs the
/// callbacks of an inline session.
struct Watch<'s> {
    shared: &'s Arc<Shared>,
    until: Instant,
    sleep: Pin<Box<Sleep>>,
}

/// What ended a watch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// The program wants something else by now, or its disconnect waits no longer.
    Goal,
    /// The time has come.
    Time,
}

impl<'s> Watch<'s> {
    fn new(shared: &'s Arc<Shared>, at_most: Duration) -> Self {
        let until = later(Instant::now(), at_most);
        Self { shared, until, sleep: Box::pin(tokio::time::sleep_until(until.into())) }
    }

    /// Ready when the goal is one for which `same` does not hold, or it is time.
    fn poll(&mut self, cx: &mut Context<'_>, same: impl Fn(&Goal) -> bool) -> Poll<Seen> {
        if self.shared.options.dispatch == Dispatch::Inline {
            self.shared.inbox.run_all_inline(self.shared);
        }
        let now = Instant::now();
        let mut until = self.until;
        let mut core = self.shared.core.lock();
        if !same(&core.goal) {
            return Poll::Ready(Seen::Goal);
        }
        if let Goal::Disconnect(farewell) = &core.goal {
            if farewell.is_due(&core, now) {
                return Poll::Ready(Seen::Goal);
            }
            until = until.min(farewell.until);
        }
        if !core.leave_waker(cx.waker()) {
            cx.waker().wake_by_ref();
        }
        drop(core);
        if self.sleep.deadline() != until.into() {
            self.sleep.as_mut().reset(until.into());
        }
        let seen = if until == self.until { Seen::Time } else { Seen::Goal };
        self.sleep.as_mut().poll(cx).map(|()| seen)
    }
}

/// Whether nothing is left to wait for before disconnecting.
fn has_ended(shared: &Shared, farewell: &Farewell) -> bool {
    let now = Instant::now();
    farewell.is_due(&shared.core.lock(), now)
}

/// One connection from the name lookup to its end; `Ok` when it ended because the program wanted it.
async fn connect_and_run(shared: &Arc<Shared>, resume: bool, online: &mut bool) -> Result<()> {
    let deadline = later(Instant::now(), shared.options.connect_timeout);
    let Some(stream) = open(shared).await? else { return Ok(()) };
    let now = Instant::now();
    let connection = {
        let mut core = shared.core.lock();
        core.reset_connection();
        core.engine.connect(resume, now)
    };
    let result = match connection {
        Err(error) => Err(error),
        Ok(()) => {
            let mut connection = Connection::new(shared, stream, deadline);
            let result = poll_fn(|cx| connection.poll(cx)).await;
            *online = connection.was_online();
            result
        }
    };
    let mut core = shared.core.lock();
    core.engine.handle_closed();
    core.reset_connection();
    let effects = core.collect();
    drop(core);
    shared.apply(effects);
    result
}

/// Opens the stream; `None` when the program changed its mind.
async fn open(shared: &Arc<Shared>) -> Result<Option<Stream>> {
    let options = &shared.options;
    let progress = transport::Progress::default();
    let mut connecting: Pin<Box<_>> = Box::pin(async {
        let tls = match options.endpoint.tls() {
            false => None,
            true => {
                let tls = options.tls.clone();
                // It reads files.
                let built = tokio::task::spawn_blocking(move || tls.build()).await;
                Some(built.map_err(|error| Error::from(Code::Internal).with_source(error))??)
            }
        };
        let connect =
            ConnectOptions { tls, progress: progress.clone(), ..ConnectOptions::default() };
        transport::connect(&options.endpoint, &connect).await
    });
    let mut watch = Watch::new(shared, options.connect_timeout);
    poll_fn(|cx| {
        let wanted = |goal: &Goal| !matches!(goal, Goal::Close | Goal::Rest);
        match watch.poll(cx, wanted) {
            Poll::Ready(Seen::Goal) => Poll::Ready(Ok(None)),
            Poll::Ready(Seen::Time) => {
                Poll::Ready(Err(progress.timeout_error(options.connect_timeout)))
            }
            Poll::Pending => connecting.as_mut().poll(cx).map(|result| result.map(Some)),
        }
    })
    .await
}

/// What an error means for the session: it stops, or waits and tries again.
async fn after_loss(shared: &Arc<Shared>, error: Error, backoff: &mut Backoff) {
    let now = Instant::now();
    let (first, goal) = {
        let core = shared.core.lock();
        (!core.connecting.is_empty(), core.goal.clone())
    };
    shared.report(Event::Lost(error.clone()));
    let over = match &goal {
        Goal::Close => true,
        Goal::Disconnect(farewell) => has_ended(shared, farewell),
        Goal::Connect | Goal::Rest => false,
    };
    if over {
        return;
    }
    if first || !shared.options.reconnect || !error.is_retryable() {
        return rest(shared, Some(error));
    }
    let pause = backoff.pause(now, fastrand::f64());
    shared.report(Event::Retrying(pause));
    // Who disconnects does not wait for the end of a pause that had begun before.
    let same = |now: &Goal| std::mem::discriminant(now) == std::mem::discriminant(&goal);
    let mut watch = Watch::new(shared, pause);
    poll_fn(|cx| watch.poll(cx, same)).await;
}

/// The session rests, because it was disconnected or because trying on makes no sense.
fn rest(shared: &Arc<Shared>, error: Option<Error>) {
    let mut core = shared.core.lock();
    if matches!(core.goal, Goal::Close) {
        return;
    }
    let cancelled = match core.goal {
        Goal::Disconnect(_) => core.engine.cancel_all() + std::mem::take(&mut core.cancelled),
        _ => 0,
    };
    core.goal = Goal::Rest;
    core.accepting = false;
    let disconnecting = std::mem::take(&mut core.disconnecting);
    let connecting = std::mem::take(&mut core.connecting);
    let effects = core.collect();
    drop(core);
    shared.apply(effects);
    shared.report(Event::Disconnected(error.clone()));
    let error = error.unwrap_or_else(|| Code::Cancelled.into());
    connecting.iter().for_each(|cell| cell.end(shared, Err(error.clone())));
    disconnecting.iter().for_each(|cell| cell.end(shared, Ok(cancelled)));
}

/// The session is closed: everything ends, and its last callback is queued.
pub(super) fn finish(shared: &Arc<Shared>) {
    let event_handler = {
        let mut status = shared.status.lock();
        status.state = State::Closed;
        status.event_handler.take()
    };
    let mut core = shared.core.lock();
    core.goal = Goal::Close;
    core.accepting = false;
    core.engine.cancel_all();
    core.engine.cancel_subscriptions();
    let cancelled = std::mem::take(&mut core.cancelled);
    let disconnecting = std::mem::take(&mut core.disconnecting);
    let connecting = std::mem::take(&mut core.connecting);
    let effects = core.collect();
    drop(core);
    shared.apply(effects);
    connecting.iter().for_each(|cell| cell.end(shared, Err(Code::Closed.into())));
    disconnecting.iter().for_each(|cell| cell.end(shared, Ok(cancelled)));
    let subscriptions = std::mem::take(&mut *shared.subscriptions.lock());
    subscriptions.values().for_each(|subscription| subscription.end(false));
    let unclaimed = std::mem::take(&mut *shared.unclaimed.lock());
    shared.drop_there((subscriptions, unclaimed, event_handler));
    shared.inbox.push(shared, Item::Last);
    if shared.options.dispatch == Dispatch::Inline {
        shared.inbox.run_all_inline(shared);
    }
}
