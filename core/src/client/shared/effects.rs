//! What the engine had to tell: taken under the lock, acted on without it.

use std::{sync::Arc, task::Waker};

use super::{Callers, Core, Goal, Shared, Subscribing, Unsubscribing};
use crate::{
    client::{
        Event,
        inbox::Item,
        operation::{Cell, Signal},
        question::Question,
    },
    engine::{self, Ended, RouteId, Watched},
    error::Result,
};

/// What the engine had to tell, to be acted on without the lock.
#[derive(Default)]
pub(in crate::client) struct Effects {
    ended: Vec<Ended>,
    watched: Vec<Watched>,
    events: Vec<Event>,
    /// Each ends an operation.
    endings: Vec<Box<dyn FnOnce() -> Option<Callback> + Send>>,
    /// Routes whose subscriptions the broker refused.
    refused: Vec<RouteId>,
    unblocked: Vec<Arc<Signal>>,
    wakes: Option<Waker>,
    /// Records have to be stored.
    stores: bool,
}

type Callback = Box<dyn FnOnce() + Send>;

impl Effects {
    fn end<T: Clone + Send + 'static>(&mut self, cell: Arc<Cell<T>>, result: Result<T>) {
        self.endings.push(Box::new(move || cell.end(result)));
    }
}

impl Core {
    /// Takes every output of the engine but the bytes.
    pub(in crate::client) fn collect(&mut self) -> Effects {
        let (ended, watched) = (self.engine.poll_ended(), self.engine.poll_watched());
        let mut effects = Effects { ended, watched, ..Effects::default() };
        while let Some(event) = self.engine.poll_event() {
            self.translate(event, &mut effects);
        }
        if !effects.endings.is_empty() {
            self.callers.free_if(Callers::is_empty);
        }
        effects.refused = self.engine.poll_refused();
        effects.unblocked = self.take_unblocked();
        effects.stores = self.begin_storing();
        // The driver asks: it knows when a question has lost its connection. And it is the driver that
        // waits until everything has ended, or has been stored.
        let leaves = matches!(self.goal, Goal::Disconnect(_) | Goal::Close);
        if leaves || self.challenge.is_some() {
            effects.wakes = self.take_waker();
        }
        effects
    }

    fn translate(&mut self, event: engine::Event, effects: &mut Effects) {
        match event {
            engine::Event::Connected(connected) => {
                self.connected = Some(connected.clone());
                for cell in
                    self.callers.get_mut().into_iter().flat_map(|it| it.connecting.drain(..))
                {
                    effects.end(cell, Ok(connected.clone()));
                }
                effects.events.push(Event::Connected(connected));
            }
            engine::Event::Subscribed(ticket, results) => {
                match self.callers.make().subscribing.remove(&ticket) {
                    Some(Subscribing::One(cell)) => {
                        let result = results.into_iter().next().expect("one filter has one result");
                        effects.end(cell, result);
                    }
                    Some(Subscribing::Many(cell)) => effects.end(cell, Ok(results)),
                    None => {}
                }
            }
            engine::Event::SubscriptionRefused(filter, error) => {
                effects.events.push(Event::SubscriptionRefused(filter, error));
            }
            engine::Event::Unsubscribed(ticket, results) => {
                match self.callers.make().unsubscribing.remove(&ticket) {
                    Some(Unsubscribing::One(cell)) => {
                        let result = results.into_iter().next().expect("one filter has one result");
                        effects.end(cell, result);
                    }
                    Some(Unsubscribing::Many(cell)) => effects.end(cell, Ok(results)),
                    None => {}
                }
            }
            engine::Event::SetAside(what) => effects.events.push(Event::SetAside(what)),
            engine::Event::AcknowledgementHeld(count) => {
                effects.events.push(Event::AcknowledgementHeld(count));
            }
            engine::Event::Flushed(ticket) => {
                if let Some(cell) = self.callers.make().flushing.remove(&ticket) {
                    effects.end(cell, Ok(()));
                }
            }
            engine::Event::Stored(ticket, result) => {
                if let Some(cell) = self.callers.make().awaiting_store.remove(&ticket) {
                    effects.end(cell, result);
                }
            }
            engine::Event::SessionLost(loss) => effects.events.push(Event::SessionLost(loss)),
            engine::Event::Challenge(step, data) => {
                self.challenge = Some(Box::new(Question::Authentication(step, data)));
            }
            engine::Event::Reauthenticated => {
                if let Some(cell) = self.callers.make().reauthenticating.take() {
                    effects.end(cell, Ok(()));
                }
            }
        }
    }
}

impl Shared {
    /// Acts on what the engine had to tell: messages first, as a flush ends after them; operations
    /// last, so that whoever waited for one finds the state that it led to.
    pub(in crate::client) fn apply(self: &Arc<Self>, effects: Effects) {
        let Effects { ended, watched, events, endings, refused, unblocked, wakes, stores } =
            effects;
        if stores {
            self.store_soon();
        }
        unblocked.iter().for_each(|signal| signal.done());
        wakes.into_iter().for_each(Waker::wake);
        for Watched { number, outcome, watchers } in watched {
            for watcher in watchers {
                watcher.call(number, outcome.clone());
            }
        }
        if !ended.is_empty() {
            self.inbox.push(self, Item::Ended(ended));
        }
        for event in events {
            self.report(event);
        }
        for end in endings {
            end().into_iter().for_each(|call| self.call_back(call));
        }
        let refused = self.end_subscriptions(&refused);
        if !refused.is_empty() {
            self.drop_there(refused);
        }
        self.give_back();
    }
}
