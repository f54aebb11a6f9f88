//! The task that keeps one session going: connects, runs the connection, waits, connects again.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{
    Event, State,
    connection::Connection,
    inbox::Item,
    reconnect::Backoff,
    shared::{Farewell, Goal, Shared},
};
use crate::{
    error::{Code, Error, Result},
    transport::{self, ConnectOptions, Stream},
};

/// A connect timeout above this is as good as none, and would be too much for the clock.
const LONGEST_CONNECT: Duration = Duration::from_secs(365 * 86_400);

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
                goal_other_than(&shared, |goal| matches!(goal, Goal::Rest)).await;
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

/// Waits until the goal is one for which `same` does not hold.
async fn goal_other_than(shared: &Shared, same: impl Fn(&Goal) -> bool) {
    poll_fn(|cx| poll_goal(shared, &same, cx)).await;
}

fn poll_goal(shared: &Shared, same: impl Fn(&Goal) -> bool, cx: &mut Context<'_>) -> Poll<()> {
    let mut core = shared.core.lock();
    if !same(&core.goal) {
        return Poll::Ready(());
    }
    core.arm(cx);
    Poll::Pending
}

/// Whether nothing is left to wait for before disconnecting.
fn has_ended(shared: &Shared, farewell: &Farewell) -> bool {
    let now = Instant::now();
    farewell.is_due(&shared.core.lock(), now)
}

/// One connection from the name lookup to its end; `Ok` when it ended because the program wanted it.
async fn connect_and_run(shared: &Arc<Shared>, resume: bool, online: &mut bool) -> Result<()> {
    let deadline = Instant::now() + shared.options.connect_timeout.min(LONGEST_CONNECT);
    let Some(stream) = open(shared, deadline).await? else { return Ok(()) };
    let now = Instant::now();
    let (begun, former, number) = {
        let mut core = shared.core.lock();
        let former = core.reset_connection();
        (core.engine.connect(resume, now), former, core.connection)
    };
    drop(former);
    let result = match begun {
        Err(error) => Err(error),
        Ok(()) => {
            let mut connection = Connection::new(shared, number, stream, deadline);
            let result = poll_fn(|cx| connection.poll(cx)).await;
            *online = connection.was_online();
            result
        }
    };
    let mut core = shared.core.lock();
    core.engine.handle_closed();
    let socket = core.reset_connection();
    let effects = core.collect();
    drop(core);
    drop(socket);
    shared.apply(effects);
    result
}

/// Opens the stream; `None` when the program changed its mind.
async fn open(shared: &Arc<Shared>, deadline: Instant) -> Result<Option<Stream>> {
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
    let mut timeout = Box::pin(tokio::time::sleep_until(deadline.into()));
    poll_fn(|cx| {
        let wanted = |goal: &Goal| !matches!(goal, Goal::Close | Goal::Rest);
        if poll_goal(shared, wanted, cx).is_ready() {
            return Poll::Ready(Ok(None));
        }
        if let Poll::Ready(result) = connecting.as_mut().poll(cx) {
            return Poll::Ready(result.map(Some));
        }
        timeout
            .as_mut()
            .poll(cx)
            .map(|()| Err(progress.timeout_error(shared.options.connect_timeout)))
    })
    .await
}

/// What an error means for the session: it stops, or waits and tries again.
async fn after_loss(shared: &Arc<Shared>, error: Error, backoff: &mut Backoff) {
    let now = Instant::now();
    let (first, leaving) = {
        let core = shared.core.lock();
        (!core.connecting.is_empty(), matches!(core.goal, Goal::Disconnect(_)))
    };
    shared.report(Event::Lost(error.clone()));
    if first || !shared.options.reconnect || !error.is_retryable() {
        return rest(shared, Some(error));
    }
    let pause = backoff.pause(now, fastrand::f64());
    shared.report(Event::Retrying(pause));
    let mut sleep = Box::pin(tokio::time::sleep_until((now + pause).into()));
    poll_fn(|cx| {
        let same = |goal: &Goal| match goal {
            Goal::Connect => !leaving,
            Goal::Disconnect(farewell) => leaving && Instant::now() < farewell.until,
            Goal::Rest | Goal::Close => false,
        };
        match poll_goal(shared, same, cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => sleep.as_mut().poll(cx),
        }
    })
    .await;
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
    for cell in connecting {
        cell.end(Err(error.clone())).into_iter().for_each(|call| shared.call_back(call));
    }
    for cell in disconnecting {
        cell.end(Ok(cancelled)).into_iter().for_each(|call| shared.call_back(call));
    }
}

/// The session is closed: everything ends, and its last callback is queued.
pub(super) fn finish(shared: &Arc<Shared>) {
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
    let gone = || Error::from(Code::Closed);
    for cell in connecting {
        cell.end(Err(gone())).into_iter().for_each(|call| shared.call_back(call));
    }
    for cell in disconnecting {
        cell.end(Ok(cancelled)).into_iter().for_each(|call| shared.call_back(call));
    }
    let subscriptions = std::mem::take(&mut *shared.subscriptions.lock());
    subscriptions.values().for_each(|subscription| subscription.end());
    let unclaimed = std::mem::take(&mut *shared.unclaimed.lock());
    let event_handler = {
        let mut status = shared.status.lock();
        status.state = State::Closed;
        status.event_handler.take()
    };
    shared.drop_there((subscriptions, unclaimed, event_handler));
    shared.inbox.push(shared, Item::Last);
    if shared.options.dispatch == super::Dispatch::Inline {
        shared.inbox.run_inline(shared);
    }
}
