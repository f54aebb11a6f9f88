//! The requests that have not been answered, and all that ends one: its answer, its time, the end of
//! its publish, the refusal of its response topic, the end of the session.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use tokio::{sync::Notify, time::timeout_at};

use crate::{
    client::{OwnedMessage, inbox::contain, message::Parts, operation::Cell, shared::Shared},
    engine::{Outcome, RouteId},
    error::{Code, Error, Result},
    protocol::{Place, Properties, ReasonCode},
    sync::Mutex,
};

/// The requests of a session that have not been answered.
#[derive(Default)]
pub(in crate::client) struct Requests {
    /// The response topic and its route, once it has been subscribed.
    pub(super) response: Mutex<Option<(Arc<str>, RouteId)>>,
    /// The same route, or 0.
    pub(super) route: AtomicU64,
    pending: Mutex<Pending>,
    /// A request is due before all others.
    sooner: Notify,
}

#[derive(Default)]
struct Pending {
    last_number: u64,
    waiting: HashMap<u64, Waiting>,
    /// The same, in the order in which their time runs out.
    due: BTreeSet<(Instant, u64)>,
    /// A task looks at the clock.
    watched: bool,
    /// The response topic that the broker refused last, and how.
    refused: Option<(RouteId, Error)>,
}

/// A request that has not been answered.
pub(super) struct Waiting {
    /// When its time is up.
    pub(super) at: Instant,
    /// Where its answer is to come.
    pub(super) route: RouteId,
    pub(super) cell: Arc<Cell<OwnedMessage>>,
}

impl Pending {
    fn take(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&number)?;
        self.due.remove(&(waiting.at, number));
        Some(waiting)
    }
}

impl Requests {
    /// Adds a request and gives it its number; the error of its response topic where that has been
    /// refused meanwhile.
    pub(super) fn add(&self, waiting: Waiting) -> Result<u64> {
        let mut pending = self.pending.lock();
        if let Some((route, error)) = &pending.refused
            && *route == waiting.route
        {
            return Err(error.clone());
        }
        pending.last_number += 1;
        let number = pending.last_number;
        let due = (waiting.at, number);
        pending.waiting.insert(number, waiting);
        pending.due.insert(due);
        let first = pending.due.first() == Some(&due);
        drop(pending);
        if first {
            self.sooner.notify_one();
        }
        Ok(number)
    }

    pub(super) fn take(&self, number: u64) -> Option<Waiting> {
        self.pending.lock().take(number)
    }

    pub(super) fn is_refused(&self, route: RouteId) -> bool {
        self.pending.lock().refused.as_ref().is_some_and(|(refused, _)| *refused == route)
    }

    /// The broker has refused a response topic: the requests whose answers were to come there end,
    /// and the next one tries another.
    pub(super) fn refused(&self, shared: &Arc<Shared>, route: RouteId, error: &Error) {
        let mut pending = self.pending.lock();
        pending.refused = Some((route, error.clone()));
        let lost = pending.waiting.iter().filter(|(_, waiting)| waiting.route == route);
        let lost: Vec<u64> = lost.map(|(number, _)| *number).collect();
        let lost: Vec<_> = lost.into_iter().filter_map(|number| pending.take(number)).collect();
        drop(pending);
        for waiting in lost {
            end(shared, &waiting.cell, Err(error.clone()));
        }
    }

    /// Sees to it that requests whose time runs out end.
    pub(super) fn watch_the_clock(&self, shared: &Arc<Shared>) {
        let mut pending = self.pending.lock();
        if pending.waiting.is_empty() || std::mem::replace(&mut pending.watched, true) {
            return;
        }
        drop(pending);
        shared.io_thread().handle.spawn(watch_the_clock(shared.clone()));
    }

    /// The requests whose time has run out, and when it does for the next; `None` when there is none,
    /// and nobody watches any more.
    fn take_overdue(&self, now: Instant) -> (Vec<Waiting>, Option<Instant>) {
        let mut pending = self.pending.lock();
        let mut overdue = Vec::new();
        while let Some(&(at, number)) = pending.due.first()
            && at <= now
        {
            overdue.extend(pending.take(number));
        }
        let next = pending.due.first().map(|(at, _)| *at);
        pending.watched = next.is_some();
        (overdue, next)
    }

    /// The route of the response topic, where it has been subscribed.
    pub(in crate::client) fn route(&self) -> Option<RouteId> {
        Some(self.route.load(Ordering::Acquire)).filter(|&route| route != 0)
    }

    /// A message has come to the response topic.
    pub(in crate::client) fn answered(&self, shared: &Arc<Shared>, parts: &Parts<'_>) {
        let properties = Properties::parse(parts.properties, Place::Publish);
        let correlation = properties.ok().and_then(|properties| properties.correlation_data());
        let number = correlation.and_then(|data| data.try_into().ok()).map(u64::from_be_bytes);
        // A second answer, or one that comes late, is nobody's.
        if let Some(waiting) = number.and_then(|number| self.take(number)) {
            end(shared, &waiting.cell, Ok(OwnedMessage::new(parts)));
        }
    }

    /// Ends every request with this error.
    pub(in crate::client) fn end_all(&self, shared: &Arc<Shared>, error: &Error) {
        let pending = {
            let mut pending = self.pending.lock();
            pending.due.clear();
            std::mem::take(&mut pending.waiting)
        };
        for waiting in pending.into_values() {
            end(shared, &waiting.cell, Err(error.clone()));
        }
        self.sooner.notify_one();
    }
}

/// Whoever awaits it is woken by the program's executor, whose panic must not keep the others from
/// ending.
fn end(shared: &Arc<Shared>, cell: &Cell<OwnedMessage>, result: Result<OwnedMessage>) {
    let callback = contain(|| cell.end(result)).flatten();
    callback.into_iter().for_each(|call| shared.call_back(call));
}

fn late() -> Error {
    Error::new(Code::Timeout, "The request was not answered in time")
}

/// Runs on the I/O thread until no request is left; closing the session ends them all.
async fn watch_the_clock(shared: Arc<Shared>) {
    loop {
        let (overdue, next) = shared.requests().take_overdue(Instant::now());
        for waiting in overdue {
            end(&shared, &waiting.cell, Err(late()));
        }
        let Some(next) = next else { break };
        let _either_way_it_looks_again =
            timeout_at(next.into(), shared.requests().sooner.notified()).await;
    }
    // This may be the last owner, and what it owns is the program's.
    shared.pool().clone().bury(shared);
}

/// The request has been published, or will not be.
pub(super) fn published(session: &Weak<Shared>, number: u64, outcome: Outcome) {
    let error = match outcome {
        Ok(delivered) if delivered.reason == ReasonCode::NoMatchingSubscribers => {
            Error::from(Code::NoResponder)
                .with_reason(delivered.reason.as_u8(), delivered.said.reason_string())
        }
        Ok(_) => return,
        Err(error) => error,
    };
    if let Some(shared) = session.upgrade()
        && let Some(waiting) = shared.requests().take(number)
    {
        // It expires when the request's time is up, or an expiry interval of its own.
        let is_late = error.code() == Code::Expired && waiting.at <= Instant::now();
        end(&shared, &waiting.cell, Err(if is_late { late() } else { error }));
    }
}
