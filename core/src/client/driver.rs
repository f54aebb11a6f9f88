//! The task that keeps one session going: connects, runs the connection, waits, connects again.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::time::Sleep;

use super::{
    Dispatch, Event, State,
    connection::Connection,
    inbox::Item,
    keeper, later,
    options::Shareable,
    question,
    reconnect::Backoff,
    redirect::Servers,
    shared::{Core, Farewell, Goal, Shared},
};
use crate::{
    engine::Identity,
    error::{Code, Error, Result},
    transport::{self, ConnectOptions, Endpoint, Stream, TlsOptions},
};

/// Starts the task.
pub(super) fn start(shared: &Arc<Shared>) {
    // Each task is as large as what it does.
    match shared.options.dispatch {
        Dispatch::Inline => spawn(shared, drive_inline),
        Dispatch::Dispatched | Dispatch::Polled => spawn(shared, drive),
    }
}

fn spawn<F>(shared: &Arc<Shared>, drive: fn(Arc<Shared>) -> F)
where
    F: Future<Output = Arc<Shared>> + Send + 'static,
{
    let fault = Fault(shared.clone());
    shared.io_thread().handle.spawn(async move {
        let shared = drive(fault.0.clone()).await;
        drop(fault);
        // This may be the last owner, and what it owns is the program's.
        shared.pool().clone().bury(shared);
    });
}

/// A fault of this library that ends the driver must not leave the program waiting for it.
struct Fault(Arc<Shared>);

impl Drop for Fault {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let closing = AssertUnwindSafe(|| finish(&self.0));
            let _nothing_more_can_be_done = catch_unwind(closing);
        }
    }
}

/// Where callbacks run on this thread: at the end of each turn, whatever has been queued.
async fn drive_inline(shared: Arc<Shared>) -> Arc<Shared> {
    let mut driving = pin!(drive(shared.clone()));
    poll_fn(|cx| {
        shared.inbox.begin_turn();
        let driven = driving.as_mut().poll(cx);
        shared.inbox.end_turn(&shared);
        driven
    })
    .await
}

/// Runs until the session is closed.
async fn drive(shared: Arc<Shared>) -> Arc<Shared> {
    let options = &shared.options;
    let mut backoff = Backoff::new(&options.habits.reconnect_delay, &options.habits.stable_time);
    let mut servers = Servers::new(&options.endpoint, options.habits.redirect_limit);
    // Whether a connection continues what an earlier one began.
    let mut resume = false;
    loop {
        match goal(&shared) {
            Goal::Close => {
                keeper::save(&shared).await;
                finish(&shared);
                return shared;
            }
            Goal::Rest => {
                resume = false;
                let mut sleep = Box::pin(tokio::time::sleep_until(Instant::now().into()));
                let over = |core: &Core| !matches!(core.goal, Goal::Rest);
                poll_fn(|cx| match poll_until(&shared, cx, over) {
                    Poll::Ready(()) => Poll::Ready(()),
                    Poll::Pending => poll_sleep(&shared, &mut sleep, None, cx),
                })
                .await;
            }
            Goal::Disconnect(farewell) if has_ended(&shared, &farewell) => rest(&shared, None),
            Goal::Connect | Goal::Disconnect(_) => {
                let announced = shared.keeper.iter().flat_map(|keeper| keeper.take_announced());
                announced.for_each(|event| shared.report(event));
                shared.report(Event::Connecting);
                let mut online = None;
                let deadline = later(Instant::now(), options.habits.connect_timeout);
                // What it takes to connect is gone when the session is connected.
                let reaching = Box::pin(reach(&shared, servers.next(&options.tls), deadline));
                let result =
                    run_connection(&shared, reaching.await, deadline, resume, &mut online).await;
                shared.questions.withdraw();
                if let Some(since) = online {
                    resume = true;
                    backoff.connected(since);
                    servers.accepted();
                    // Following takes no pause, so even a stable time of zero does not mean at once.
                    if since.elapsed()
                        >= options.habits.stable_time.max(options.habits.reconnect_delay.0)
                    {
                        servers.settled();
                    }
                }
                match result {
                    Ok(()) => rest(&shared, None),
                    Err(error) => match servers.follow(&error) {
                        Some(address) => {
                            shared.report(Event::Lost(error));
                            shared.report(Event::Redirected(address));
                        }
                        None => after_loss(&shared, error, resume, &mut backoff, &servers).await,
                    },
                }
            }
        }
    }
}

fn goal(shared: &Shared) -> Goal {
    shared.core.lock().goal.clone()
}

/// Ready when `done` holds; the driver is woken whenever that may have changed.
fn poll_until(shared: &Shared, cx: &Context<'_>, done: impl Fn(&Core) -> bool) -> Poll<()> {
    let mut core = shared.core.lock();
    core.arm(cx);
    if done(&core) { Poll::Ready(()) } else { Poll::Pending }
}

/// Sleeps until then, or until the farewell's end where that is sooner. Meanwhile messages expire.
fn poll_sleep(
    shared: &Arc<Shared>,
    sleep: &mut Pin<Box<Sleep>>,
    until: Option<Instant>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    loop {
        let mut core = shared.core.lock();
        let farewell = match &core.goal {
            Goal::Disconnect(farewell) => Some(farewell.until),
            _ => None,
        };
        let expiry = core.expect();
        drop(core);
        let until = until.into_iter().chain(farewell).min();
        let Some(next) = until.into_iter().chain(expiry).min() else { return Poll::Pending };
        if sleep.deadline() != next.into() {
            sleep.as_mut().reset(next.into());
        }
        ready!(sleep.as_mut().poll(cx));
        if until.is_some_and(|until| until <= next) {
            return Poll::Ready(());
        }
        let now = Instant::now();
        let mut core = shared.core.lock();
        core.engine.handle_timeout(now).expect("without a connection nothing but lifetimes ends");
        let effects = core.collect();
        drop(core);
        shared.apply(effects);
    }
}

/// Whether nothing is left to wait for before disconnecting.
fn has_ended(shared: &Shared, farewell: &Farewell) -> bool {
    let now = Instant::now();
    farewell.is_due(&shared.core.lock(), now)
}

/// Who connects, and the open stream; `None` when the program changed its mind, or its farewell is
/// over.
async fn reach(
    shared: &Arc<Shared>,
    server: (Endpoint, Shareable<TlsOptions>),
    deadline: Instant,
) -> Result<Option<(Identity, Stream)>> {
    let Some(identity) = question::introduce(shared, deadline).await? else { return Ok(None) };
    Ok(open(shared, server, deadline).await?.map(|stream| (identity, stream)))
}

/// One connection from CONNECT to its end, where there is a broker that has been reached; `Ok` when it
/// ended because the program wanted it, or did not come about because the program changed its mind.
fn run_connection<'s>(
    shared: &'s Arc<Shared>,
    reached: Result<Option<(Identity, Stream)>>,
    deadline: Instant,
    resume: bool,
    online: &'s mut Option<Instant>,
) -> impl Future<Output = Result<()>> + use<'s> {
    let begin = |(identity, stream): (Identity, Stream)| {
        let mut core = shared.core.lock();
        let former = core.reset_connection();
        core.engine.identify(identity);
        let begun = core.engine.connect(resume, Instant::now());
        let number = core.connection;
        drop(core);
        drop(former);
        begun.map(|()| Connection::new(shared, number, stream, deadline))
    };
    let is_reached = matches!(reached, Ok(Some(_)));
    let mut connection = reached.and_then(|reached| reached.map(begin).transpose());
    async move {
        let result = match &mut connection {
            Err(error) => Err(error.clone()),
            Ok(None) => Ok(()),
            Ok(Some(connection)) => {
                let result = poll_fn(|cx| connection.poll(cx)).await;
                *online = connection.online_since();
                result
            }
        };
        drop(connection);
        if is_reached {
            end_connection(shared, &result);
        }
        result
    }
}

fn end_connection(shared: &Arc<Shared>, result: &Result<()>) {
    let mut core = shared.core.lock();
    core.engine.handle_closed(result.as_ref().err());
    let socket = core.reset_connection();
    let reauthenticating = core.callers.get_mut().and_then(|it| it.reauthenticating.take());
    let effects = core.collect();
    drop(core);
    drop(socket);
    shared.apply(effects);
    if let Some(cell) = reauthenticating {
        let error = result.as_ref().err().cloned().unwrap_or_else(|| Code::Cancelled.into());
        cell.end(Err(error)).into_iter().for_each(|call| shared.call_back(call));
    }
}

/// Opens the stream; `None` when the program changed its mind, or its farewell is over.
async fn open(
    shared: &Arc<Shared>,
    (endpoint, tls): (Endpoint, Shareable<TlsOptions>),
    deadline: Instant,
) -> Result<Option<Stream>> {
    let progress = transport::Progress::default();
    let connecting = async {
        let tls = match endpoint.tls() {
            false => None,
            true => {
                // It reads files.
                let built = tokio::task::spawn_blocking(move || tls.build()).await;
                Some(built.map_err(|error| Error::from(Code::Internal).with_source(error))??)
            }
        };
        let connect =
            ConnectOptions { tls, progress: progress.clone(), ..ConnectOptions::default() };
        transport::connect(&endpoint, &connect).await
    };
    let late = || progress.timeout_error(shared.options.habits.connect_timeout);
    unless_unwanted(shared, deadline, connecting, late).await
}

/// A part of an attempt to connect; `None` when the program changed its mind, or its farewell is
/// over.
pub(super) async fn unless_unwanted<T>(
    shared: &Arc<Shared>,
    deadline: Instant,
    part: impl Future<Output = Result<T>>,
    late: impl Fn() -> Error,
) -> Result<Option<T>> {
    let mut part = Box::pin(part);
    let mut timeout = Box::pin(tokio::time::sleep_until(deadline.into()));
    poll_fn(|cx| {
        let now = Instant::now();
        let unwanted = |core: &Core| match &core.goal {
            Goal::Connect => false,
            Goal::Disconnect(farewell) => farewell.is_due(core, now),
            Goal::Rest | Goal::Close => true,
        };
        if poll_until(shared, cx, unwanted).is_ready() {
            return Poll::Ready(Ok(None));
        }
        if let Poll::Ready(result) = part.as_mut().poll(cx) {
            return Poll::Ready(result.map(Some));
        }
        poll_sleep(shared, &mut timeout, Some(deadline), cx).map(|()| {
            match Instant::now() < deadline {
                true => Ok(None),
                false => Err(late()),
            }
        })
    })
    .await
}

/// What an error means for the session: it stops, or waits and tries again.
async fn after_loss(
    shared: &Arc<Shared>,
    error: Error,
    resume: bool,
    backoff: &mut Backoff<'_>,
    servers: &Servers<'_>,
) {
    let options = &shared.options;
    let now = Instant::now();
    let (first, waiting, leaving) = {
        let mut core = shared.core.lock();
        let callers = core.callers.get_mut();
        let waited_for = callers.as_ref().is_some_and(|callers| !callers.connecting.is_empty());
        let first = !resume && waited_for && !options.habits.retry_first_connect;
        // Who asked to connect a session that reconnects anyway learns how this attempt ended.
        let waiting = match callers.filter(|_| resume) {
            None => Vec::new(),
            Some(callers) => std::mem::take(&mut callers.connecting),
        };
        core.hurry = false;
        (first, waiting, matches!(core.goal, Goal::Disconnect(_)))
    };
    shared.report(Event::Lost(error.clone()));
    for cell in waiting {
        cell.end(Err(error.clone())).into_iter().for_each(|call| shared.call_back(call));
    }
    // The next of the servers that a broker has named is worth its attempt whatever became of this.
    if servers.is_redirected() {
        return;
    }
    if first || !options.habits.reconnect || !options.retries(error.code()) {
        return rest(shared, Some(error));
    }
    // A program that is disconnecting has nothing to come back for.
    if let Goal::Disconnect(farewell) = goal(shared)
        && has_ended(shared, &farewell)
    {
        return;
    }
    let pause = backoff.pause(now, fastrand::f64());
    shared.report(Event::Retrying(pause));
    let until = later(now, pause);
    let mut sleep = Box::pin(tokio::time::sleep_until(until.into()));
    poll_fn(|cx| {
        let now = Instant::now();
        let over = |core: &Core| match &core.goal {
            Goal::Connect => core.hurry,
            // One that begins now is worth one attempt at once.
            Goal::Disconnect(farewell) => !leaving || farewell.is_due(core, now),
            Goal::Rest | Goal::Close => true,
        };
        match poll_until(shared, cx, over) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => poll_sleep(shared, &mut sleep, Some(until), cx),
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
    let (mut connecting, mut disconnecting) = Default::default();
    if let Some(callers) = core.callers.get_mut() {
        std::mem::swap(&mut connecting, &mut callers.connecting);
        std::mem::swap(&mut disconnecting, &mut callers.disconnecting);
    }
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
    let cancelled = core.engine.leave_in_store() + std::mem::take(&mut core.cancelled);
    core.engine.cancel_subscriptions();
    let effects = core.collect();
    // Those of the engine have been told with what it had to tell.
    let callers = core.callers.take();
    drop(core);
    shared.apply(effects);
    let gone = || Error::from(Code::Closed);
    for cell in callers.awaiting_store.into_values() {
        cell.end(Err(gone())).into_iter().for_each(|call| shared.call_back(call));
    }
    for cell in callers.connecting {
        cell.end(Err(gone())).into_iter().for_each(|call| shared.call_back(call));
    }
    for cell in callers.disconnecting {
        cell.end(Ok(cancelled)).into_iter().for_each(|call| shared.call_back(call));
    }
    if let Some(requests) = shared.requests.get() {
        requests.end_all(shared, &Code::Cancelled.into());
    }
    if let Some(cell) = callers.reauthenticating {
        cell.end(Err(gone())).into_iter().for_each(|call| shared.call_back(call));
    }
    let subscriptions = std::mem::take(&mut *shared.subscriptions.lock());
    subscriptions.values().for_each(|subscription| subscription.end());
    let unclaimed = std::mem::take(&mut *shared.unclaimed.lock());
    let event_handler = {
        let mut status = shared.status.lock();
        status.state = State::Closed;
        status.event_handler.take()
    };
    shared.drop_there((subscriptions, unclaimed, event_handler, shared.questions.close()));
    shared.inbox.push(shared, Item::Last);
}
