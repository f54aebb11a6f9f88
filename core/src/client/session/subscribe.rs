//! Subscribing and unsubscribing.

use std::sync::{Arc, atomic::Ordering};

use super::{Session, check};
use crate::{
    client::{
        Granted, Handler, Operation, Unsubscribed,
        inbox::Subscription,
        shared::{Goal, Subscribing, Unsubscribing},
    },
    engine::RouteId,
    error::{Code, Error, Result},
    protocol::{Place, PropertyBlock, SubscriptionOptions, topic},
};

/// The most levels of a filter: routing steps down a stack frame for each. Brokers take fewer.
const FILTER_LEVELS: usize = 1000;

impl Session {
    /// Subscribes; the handler of an earlier subscription to the same filter is replaced. Legal
    /// before connect; the operation ends with the broker's answer.
    ///
    /// # Errors
    /// `INVALID_FILTER`, `NOT_SUPPORTED`, `CLOSED`, `FORKED`. The operation: `SUBSCRIBE_REFUSED`,
    /// `CANCELLED`.
    pub fn subscribe(
        &self,
        filter: &str,
        options: SubscriptionOptions,
        handler: Arc<dyn Handler>,
    ) -> Result<Operation<Granted>> {
        self.subscribe_route(filter, options, handler).map(|(operation, _)| operation)
    }

    /// Subscribes; the route of the subscription comes along.
    pub(in crate::client) fn subscribe_route(
        &self,
        filter: &str,
        options: SubscriptionOptions,
        handler: Arc<dyn Handler>,
    ) -> Result<(Operation<Granted>, RouteId)> {
        let (operation, cell) = Operation::new(self.shared());
        let subscribing = Subscribing::One(cell);
        let route =
            self.begin_subscribe(&[(filter, options)], PropertyBlock::new(), handler, subscribing)?;
        Ok((operation, route))
    }

    /// Subscribes several filters with one packet and one handler. The operation has a result for
    /// each, in order. Properties: a subscription identifier, user properties (MQTT 5.0).
    ///
    /// Under 5.0 every subscribe without a subscription identifier is given one, if the broker has
    /// such: where filters of several calls match the same message, each handler gets it once, be it
    /// that the broker sends one copy or one for each. A program that gives identifiers itself gives
    /// each call its own.
    ///
    /// # Errors
    /// Those of `subscribe`; `INVALID_ARGUMENT` without a filter.
    pub fn subscribe_many(
        &self,
        filters: &[(&str, SubscriptionOptions)],
        properties: PropertyBlock,
        handler: Arc<dyn Handler>,
    ) -> Result<Operation<Vec<Result<Granted>>>> {
        let (operation, cell) = Operation::new(self.shared());
        self.begin_subscribe(filters, properties, handler, Subscribing::Many(cell))?;
        Ok(operation)
    }

    fn begin_subscribe(
        &self,
        filters: &[(&str, SubscriptionOptions)],
        properties: PropertyBlock,
        handler: Arc<dyn Handler>,
        subscribing: Subscribing,
    ) -> Result<RouteId> {
        let shared = self.shared();
        shared.check_fork()?;
        if filters.is_empty() {
            return Err(Error::new(Code::InvalidArgument, "A subscribe needs at least one filter"));
        }
        for (filter, _) in filters {
            check_filter(filter)?;
        }
        let version = shared.options.settings.version;
        check::request(version, properties.as_properties(), Place::Subscribe)?;
        // The handler must be in its place before a message can find its route.
        let ticket = shared.core.lock().ticket();
        let subscription = Arc::new(Subscription::new(ticket, handler));
        shared.subscriptions.lock().insert(ticket, subscription);
        // From here on until they are claimed, new messages wait behind those that came before.
        shared.claiming.fetch_add(1, Ordering::Relaxed);
        let mut core = shared.core.lock();
        let subscribed = match core.goal {
            Goal::Close => Err(Code::Closed.into()),
            _ => core.engine.subscribe(ticket, filters, properties),
        };
        if subscribed.is_ok() {
            core.callers.make().subscribing.insert(ticket, subscribing);
        }
        shared.settle(core);
        if subscribed.is_ok() {
            shared.claim();
        }
        shared.claiming.fetch_sub(1, Ordering::Release);
        match subscribed {
            Ok(replaced) => self.end_subscriptions(&replaced),
            Err(error) => {
                // No message can have found it: it is dropped here and now, as by any failing call.
                drop(shared.end_subscriptions(&[ticket]));
                return Err(error);
            }
        }
        Ok(ticket)
    }

    /// Ends a subscription. The broker is asked also about a filter that this process has not
    /// subscribed, which may be left over from an earlier life of the session; without a connection
    /// it ends at once, and the broker is told on the next one. No call of the handler begins after
    /// this has returned; outside callbacks, none is running either.
    ///
    /// # Errors
    /// `INVALID_FILTER`, `CLOSED`, `FORKED`. The operation: `UNSUBSCRIBE_REFUSED`, `CANCELLED`.
    pub fn unsubscribe(&self, filter: &str) -> Result<Operation<Unsubscribed>> {
        let (operation, cell) = Operation::new(self.shared());
        let properties = PropertyBlock::new();
        self.begin_unsubscribe(&[filter], properties, Unsubscribing::One(cell))?;
        Ok(operation)
    }

    /// Ends several subscriptions with one packet. The operation has a result for each, in order.
    /// Properties: user properties (MQTT 5.0).
    ///
    /// # Errors
    /// Those of `unsubscribe`; `INVALID_ARGUMENT` without a filter, `NOT_SUPPORTED` for properties
    /// before 5.0.
    pub fn unsubscribe_many(
        &self,
        filters: &[&str],
        properties: PropertyBlock,
    ) -> Result<Operation<Vec<Result<Unsubscribed>>>> {
        if filters.is_empty() {
            let sentence = "An unsubscribe needs at least one filter";
            return Err(Error::new(Code::InvalidArgument, sentence));
        }
        let (operation, cell) = Operation::new(self.shared());
        self.begin_unsubscribe(filters, properties, Unsubscribing::Many(cell))?;
        Ok(operation)
    }

    /// Ends every subscription, with one packet; the operation has a result for each.
    ///
    /// # Errors
    /// Those of `unsubscribe`.
    pub fn unsubscribe_all(&self) -> Result<Operation<Vec<Result<Unsubscribed>>>> {
        self.shared().check_fork()?;
        let filters = self.shared().core.lock().engine.filters();
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        let (operation, cell) = Operation::new(self.shared());
        self.begin_unsubscribe(&filters, PropertyBlock::new(), Unsubscribing::Many(cell))?;
        Ok(operation)
    }

    fn begin_unsubscribe(
        &self,
        filters: &[&str],
        properties: PropertyBlock,
        unsubscribing: Unsubscribing,
    ) -> Result<()> {
        let shared = self.shared();
        shared.check_fork()?;
        filters.iter().try_for_each(|filter| check_filter(filter))?;
        let version = shared.options.settings.version;
        check::request(version, properties.as_properties(), Place::Unsubscribe)?;
        let mut core = shared.core.lock();
        if matches!(core.goal, Goal::Close) {
            return Err(Code::Closed.into());
        }
        let ticket = core.ticket();
        core.callers.make().unsubscribing.insert(ticket, unsubscribing);
        let ended = core.engine.unsubscribe(ticket, filters, properties);
        shared.settle(core);
        self.end_subscriptions(&ended);
        Ok(())
    }

    /// No further call of these handlers begins; outside callbacks none is running afterwards.
    fn end_subscriptions(&self, routes: &[RouteId]) {
        let ended = self.shared().end_subscriptions(routes);
        if ended.is_empty() {
            return;
        }
        self.shared().inbox.wait_until_left(routes);
        self.shared().drop_there(ended);
    }
}

fn check_filter(filter: &str) -> Result<()> {
    if filter.split('/').count() > FILTER_LEVELS {
        let sentence =
            format!("The filter cannot be used: it has more than {FILTER_LEVELS} levels");
        return Err(Error::new(Code::InvalidFilter, sentence));
    }
    topic::check_filter(filter.as_bytes()).map(drop).map_err(|error| {
        Error::new(
            Code::InvalidFilter,
            format!("The filter {} cannot be used: {error}", shown(filter)),
        )
    })
}

/// A filter as it stands in a sentence: it may be long, and hold anything.
fn shown(filter: &str) -> String {
    const LONGEST: usize = 80;
    match filter.char_indices().nth(LONGEST) {
        None => format!("{filter:?}"),
        Some((end, _)) => format!("{:?}…", &filter[..end]),
    }
}
