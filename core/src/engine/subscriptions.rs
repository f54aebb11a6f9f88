//! What the program wants to receive, and what the broker has granted.

mod grant;
mod identify;
mod renew;

use std::collections::{BTreeMap, VecDeque};

use slab::Slab;

use self::grant::Grants;
use super::{
    Event, Granted, Output, Route, RouteId, Said, Ticket, Unsubscribed,
    journal::Journal,
    packet_id::{PacketIds, Use},
    request::{Answer, Asked, Kind, Request, measure, with_identifier},
    router::Router,
    server::ServerLimits,
};
use crate::{
    error::{Code, Error, Result},
    protocol::{PacketType, PropertyBlock, ReasonCode, SubscriptionOptions, Version, Violation},
};

/// The route of a filter that is not subscribed: tickets begin at 1.
const NO_ROUTE: RouteId = 0;

const FOR_UNSUBSCRIBE: Violation =
    Violation::protocol_error("with the packet id of an UNSUBSCRIBE", "MQTT-2.2.1-6")
        .on(PacketType::Suback);
const FOR_SUBSCRIBE: Violation =
    Violation::protocol_error("with the packet id of a SUBSCRIBE", "MQTT-2.2.1-6")
        .on(PacketType::Unsuback);
const UNLIKE_SUBSCRIBE: Violation = Violation::protocol_error(
    "with another number of reason codes than there were filters",
    "MQTT-3.8.4-6",
)
.on(PacketType::Suback);
const UNLIKE_OLD_SUBSCRIBE: Violation = Violation::protocol_error(
    "with another number of return codes than there were filters",
    "MQTT-3.8.4-6",
)
.on(PacketType::Suback);
const UNLIKE_UNSUBSCRIBE: Violation = Violation::protocol_error(
    "with another number of reason codes than there were filters",
    "MQTT-3.11.3-1",
)
.on(PacketType::Unsuback);

/// A filter that the program has subscribed.
struct Subscription {
    route: Route,
    options: SubscriptionOptions,
    properties: PropertyBlock,
    /// Granted by the broker's present session.
    granted: bool,
    /// The broker knew of it at an earlier time: it is renewed without asking for retained messages
    /// again.
    repeated: bool,
    /// A request for it is under way or waits for a connection.
    requested: bool,
}

pub(super) struct Subscriptions {
    version: Version,
    wanted: BTreeMap<String, Subscription>,
    pub(super) router: Router,
    requests: Slab<Request>,
    /// Requests that wait for a connection or for a packet id, in order.
    waiting: VecDeque<usize>,
    /// Requests that wait for their answer, in the order in which they were sent.
    sent: VecDeque<usize>,
    grants: Grants,
    /// Routes whose last filter was refused.
    refused: Vec<RouteId>,
    /// Where the search for an unused subscription identifier begins.
    next_identifier: u32,
}

impl Subscriptions {
    pub(super) fn new(version: Version, first_identifier: u32) -> Self {
        Self {
            version,
            wanted: BTreeMap::new(),
            router: Router::default(),
            requests: Slab::new(),
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            grants: Grants::default(),
            refused: Vec::new(),
            next_identifier: first_identifier,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Adds or replaces subscriptions that share one route, the ticket. The answer lists the routes
    /// that have no filter left.
    pub(super) fn subscribe(
        &mut self,
        ticket: Ticket,
        filters: &[(&str, SubscriptionOptions)],
        properties: PropertyBlock,
        server: &ServerLimits,
    ) -> Result<Vec<RouteId>> {
        let given = properties.as_properties().subscription_identifiers().next();
        let added = if given.is_none() { self.identifier_for(filters) } else { None };
        let sent = with_identifier(&properties, added, server)?;
        server.allow_size(measure(self.version, filters, sent.as_properties())?)?;
        for (filter, _) in filters {
            server.allow_filter(filter, given.is_some())?;
        }
        drop(sent);
        given.into_iter().for_each(|given| self.make_way(given));
        let route = Route { id: ticket, identifier: given.or(added), confirmed: true };
        let mut replaced = Vec::new();
        for &(filter, options) in filters {
            let subscription = Subscription {
                route,
                options,
                properties: properties.clone(),
                granted: false,
                repeated: false,
                requested: true,
            };
            // The broker may know it under another identifier, since an earlier process.
            let recovered = self.grants.recovered(filter);
            let mut confirmed = recovered.is_none_or(|grant| grant.identifier == route.identifier);
            if let Some(older) = self.wanted.insert(filter.to_owned(), subscription) {
                let removed = self.router.remove(filter, older.route.id);
                replaced.push(older.route.id);
                // The broker does not yet know it under another identifier.
                confirmed = older.route.identifier == route.identifier
                    && removed.is_some_and(|removed| removed.confirmed);
            }
            self.router.add(filter, Route { confirmed, ..route });
        }
        let asked = filters.iter().map(|(filter, _)| Asked::new(filter, ticket)).collect();
        let request = Request::new(Kind::Subscribe, Some(ticket), asked, properties);
        self.request(request.identified_by(added));
        Ok(self.unwanted(replaced))
    }

    /// Those of the routes that have no filter left.
    fn unwanted(&self, mut routes: Vec<RouteId>) -> Vec<RouteId> {
        routes.sort_unstable();
        routes.dedup();
        routes.retain(|&route| self.wanted.values().all(|wanted| wanted.route.id != route));
        routes
    }

    /// Ends subscriptions. The broker is asked when it may know of them; until it has answered, what
    /// it still sends for them finds its route, whose handler is gone. The answer lists the routes
    /// that have no filter left.
    pub(super) fn unsubscribe(
        &mut self,
        ticket: Ticket,
        filters: &[&str],
        properties: PropertyBlock,
        online: bool,
        events: &mut VecDeque<Event>,
    ) -> Vec<RouteId> {
        let mut results = Vec::new();
        let mut asked = Vec::new();
        for &filter in filters {
            // One that is not subscribed may be left over from an earlier life of the session.
            let route = self.wanted.remove(filter).map_or(NO_ROUTE, |wanted| wanted.route.id);
            let existed = self.grants.disclaim(filter) || route != NO_ROUTE;
            let reason = match existed {
                true => ReasonCode::Success,
                false => ReasonCode::NoSubscriptionExisted,
            };
            results.push(Ok(Unsubscribed { reason, said: Said::default() }));
            asked.push(Asked::new(filter, route));
        }
        let routes = asked.iter().map(|asked| asked.route).filter(|&route| route != NO_ROUTE);
        let routes = self.unwanted(routes.collect());
        // Offline it is done for the program; the broker is told on the next connection.
        let waits = online && !asked.is_empty();
        if !waits {
            events.push_back(Event::Unsubscribed(ticket, results));
        }
        if !asked.is_empty() {
            let ticket = waits.then_some(ticket);
            self.request(Request::new(Kind::Unsubscribe, ticket, asked, properties));
        }
        routes
    }

    pub(super) fn take_refused(&mut self) -> Vec<RouteId> {
        std::mem::take(&mut self.refused)
    }

    /// Every filter that is subscribed, be it since an earlier process.
    pub(super) fn filters(&self) -> Vec<String> {
        let mut filters: Vec<_> =
            self.wanted.keys().chain(self.grants.filters()).cloned().collect();
        filters.sort_unstable();
        filters.dedup();
        filters
    }

    /// Whether a request waits for its answer.
    pub(super) fn is_asking(&self) -> bool {
        !self.sent.is_empty()
    }

    fn request(&mut self, request: Request) {
        let key = self.requests.insert(request);
        self.waiting.push_back(key);
    }

    /// Sends the requests that wait.
    pub(super) fn pump(
        &mut self,
        ids: &mut PacketIds,
        server: &ServerLimits,
        output: &mut Output,
        journal: &mut Journal,
        events: &mut VecDeque<Event>,
    ) {
        while let Some(&key) = self.waiting.front() {
            if self.take_over(key, events) {
                self.waiting.pop_front();
                continue;
            }
            let request = &mut self.requests[key];
            // What the broker does not have is not asked for: it would end the connection.
            if !request.check(server) {
                let nothing_sent = Code::NotSupported.into();
                self.waiting.pop_front();
                self.give_up(key, &nothing_sent, events);
                continue;
            }
            let Some(packet_id) = ids.allocate(Use::Request(key)) else { return };
            self.waiting.pop_front();
            let wanted = &self.wanted;
            // A filter that has been unsubscribed or subscribed anew in the meantime is asked for with
            // QoS 0: the request that follows gives it back or replaces it.
            let options = |asked: &Asked| match wanted.get(&asked.filter) {
                Some(current) if current.route.id == asked.route => current.options(self.version),
                _ => SubscriptionOptions::default(),
            };
            match request.send(self.version, packet_id, server, options, output.buffer()) {
                Ok(()) => {
                    request.sent().for_each(|asked| self.grants.revoke(&asked.filter, journal));
                    output.require(self.grants.revoked_in());
                    self.sent.push_back(key);
                }
                Err(error) => {
                    ids.release(packet_id);
                    self.give_up(key, &error, events);
                }
            }
        }
    }

    /// The connection is gone: what had not been answered is asked again on the next one. Under 3.1,
    /// which has no refusal in SUBACK, a broker that refuses a subscription closes the connection
    /// (`closed_by_broker`). A renewal had been granted before: there the network is the likelier
    /// cause.
    pub(super) fn disconnected(
        &mut self,
        closed_by_broker: bool,
        ids: &mut PacketIds,
        events: &mut VecDeque<Event>,
    ) {
        let refusals = closed_by_broker && self.version == Version::V31;
        while let Some(key) = self.sent.pop_back() {
            let request = &mut self.requests[key];
            request.lost().into_iter().for_each(|id| ids.release(id));
            if !refusals || request.kind == Kind::Unsubscribe || request.ticket.is_none() {
                self.waiting.push_front(key);
                continue;
            }
            let refusal = Error::new(
                Code::SubscribeRefused,
                "The broker closed the connection after the subscribe, which under MQTT 3.1 \
                 probably means that it refuses it",
            );
            self.give_up(key, &refusal, events);
        }
    }

    /// Ends a request that gets no answer.
    fn give_up(&mut self, key: usize, error: &Error, events: &mut VecDeque<Event>) {
        let request = self.requests.remove(key);
        match request.kind {
            Kind::Subscribe => self.subscribed(&request, request.failures(error), events),
            Kind::Unsubscribe => self.unsubscribed(&request, request.failures(error), events),
        }
    }

    /// SUBACK or UNSUBACK for a request of ours.
    pub(super) fn acknowledged(
        &mut self,
        key: usize,
        answer: &Answer<'_>,
        ids: &mut PacketIds,
        journal: &mut Journal,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        let &Answer { to: kind, codes, properties } = answer;
        let request = &self.requests[key];
        if kind != request.kind {
            return Err(match kind {
                Kind::Subscribe => FOR_UNSUBSCRIBE,
                Kind::Unsubscribe => FOR_SUBSCRIBE,
            });
        }
        // [MQTT-3.8.4-6] [MQTT-3.11.3-1]
        if codes.len() != request.expected_codes(self.version) {
            return Err(match kind {
                Kind::Subscribe if self.version.is_v5() => UNLIKE_SUBSCRIBE,
                Kind::Subscribe => UNLIKE_OLD_SUBSCRIBE,
                Kind::Unsubscribe => UNLIKE_UNSUBSCRIBE,
            });
        }
        let request = self.requests.remove(key);
        self.sent.retain(|&sent| sent != key);
        request.packet_id.into_iter().for_each(|id| ids.release(id));
        let said = &Said::new(properties);
        match kind {
            Kind::Subscribe => {
                let results = request.granted(codes, said);
                self.put_on_record(&request, &results, journal);
                self.subscribed(&request, results, events);
            }
            Kind::Unsubscribe => {
                self.unsubscribed(&request, request.unsubscribed(codes, said), events);
            }
        }
        Ok(())
    }

    fn subscribed(
        &mut self,
        request: &Request,
        results: Vec<Result<Granted>>,
        events: &mut VecDeque<Event>,
    ) {
        let mut refused = Vec::new();
        for (Asked { filter, route, .. }, result) in request.asked.iter().zip(&results) {
            // The answer is for the subscription that asked, not for one that replaced it.
            let wanted = self.wanted.get_mut(filter).filter(|wanted| wanted.route.id == *route);
            let Some(subscription) = wanted else { continue };
            subscription.requested = false;
            subscription.granted = result.is_ok();
            let confirmed = request.identified_as == subscription.route.identifier;
            self.router.confirm(filter, *route, confirmed);
            if let Err(error) = result {
                self.router.remove(filter, *route);
                self.wanted.remove(filter);
                refused.push(*route);
                if request.ticket.is_none() {
                    events.push_back(Event::SubscriptionRefused(filter.clone(), error.clone()));
                }
            }
        }
        let refused = self.unwanted(refused);
        self.refused.extend(refused);
        if let Some(ticket) = request.ticket {
            events.push_back(Event::Subscribed(ticket, results));
        }
    }

    fn unsubscribed(
        &mut self,
        request: &Request,
        results: Vec<Result<Unsubscribed>>,
        events: &mut VecDeque<Event>,
    ) {
        for asked in &request.asked {
            // Unless it has been subscribed again by now, with a route of its own.
            self.router.remove(&asked.filter, asked.route);
        }
        if let Some(ticket) = request.ticket {
            events.push_back(Event::Unsubscribed(ticket, results));
        }
    }

    /// Ends every request as cancelled and forgets every subscription.
    pub(super) fn cancel_all(&mut self, ids: &mut PacketIds, events: &mut VecDeque<Event>) {
        let cancelled = Code::Cancelled.into();
        let mut keys = std::mem::take(&mut self.sent);
        keys.append(&mut self.waiting);
        for key in keys {
            self.requests[key].packet_id.take().into_iter().for_each(|id| ids.release(id));
            // A renewal is nobody's call.
            match self.requests[key].ticket {
                Some(_) => self.give_up(key, &cancelled, events),
                None => drop(self.requests.remove(key)),
            }
        }
        self.wanted.clear();
        self.router = Router::default();
    }
}
