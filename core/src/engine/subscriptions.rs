//! What the program wants to receive, and what the broker has granted.

use std::collections::{BTreeMap, VecDeque};

use slab::Slab;

use super::{
    Event, Granted, Output, Route, RouteId, Ticket,
    packet_id::{PacketIds, Use},
    request::{Asked, Kind, Request, has_identifier, measure, unsubscribed},
    router::Router,
    server::ServerLimits,
};
use crate::{
    error::{Code, Error, Result},
    protocol::{
        PacketType, Properties, PropertyBlock, RetainHandling, SubscriptionOptions, Version,
        Violation,
    },
};

/// The most filters renewed in one SUBSCRIBE, and the most bytes of them: small enough for every
/// broker's packet limit, large enough that thousands of subscriptions take few packets.
const FILTERS: usize = 64;
const FILTER_BYTES: usize = 8 << 10;

/// A SUBSCRIBE is at most this much larger than its filters and properties: fixed header, packet id
/// and property length.
const OVERHEAD: usize = 5 + 2 + 4;

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
    /// Routes whose last filter was refused.
    refused: Vec<RouteId>,
}

impl Subscriptions {
    pub(super) fn new(version: Version) -> Self {
        Self {
            version,
            wanted: BTreeMap::new(),
            router: Router::default(),
            requests: Slab::new(),
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            refused: Vec::new(),
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
        server.allow_size(measure(self.version, filters, properties.as_properties())?)?;
        for (filter, _) in filters {
            server.allow_filter(filter, has_identifier(&properties))?;
        }
        let identifier = properties.as_properties().subscription_identifiers().next();
        let route = Route { id: ticket, identifier };
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
            if let Some(older) = self.wanted.insert(filter.to_owned(), subscription) {
                self.router.remove(filter, older.route.id);
                replaced.push(older.route.id);
            }
            self.router.add(filter, route);
        }
        let asked = filters.iter().map(|(filter, _)| Asked::new(filter, ticket)).collect();
        self.request(Request::new(Kind::Subscribe, Some(ticket), asked, properties));
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
        let mut asked = Vec::new();
        for &filter in filters {
            let Some(subscription) = self.wanted.remove(filter) else { continue };
            asked.push(Asked::new(filter, subscription.route.id));
        }
        // Offline it is done for the program; the broker is told on the next connection.
        let ticket = if online && !asked.is_empty() {
            Some(ticket)
        } else {
            events.push_back(Event::Unsubscribed(ticket, Ok(())));
            None
        };
        let routes = asked.iter().map(|asked| asked.route).collect();
        if !asked.is_empty() {
            self.request(Request::new(Kind::Unsubscribe, ticket, asked, properties));
        }
        self.unwanted(routes)
    }

    pub(super) fn take_refused(&mut self) -> Vec<RouteId> {
        std::mem::take(&mut self.refused)
    }

    /// Every filter that is subscribed.
    pub(super) fn filters(&self) -> Vec<String> {
        self.wanted.keys().cloned().collect()
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
        events: &mut VecDeque<Event>,
    ) {
        while let Some(&key) = self.waiting.front() {
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
                Ok(()) => self.sent.push_back(key),
                Err(error) => {
                    ids.release(packet_id);
                    self.give_up(key, &error, events);
                }
            }
        }
    }

    /// A connection begins: what the broker does not know (any more) is asked for.
    pub(super) fn connected(&mut self, known: bool, server: &ServerLimits) {
        let mut renewals: BTreeMap<Vec<u8>, Vec<Asked>> = BTreeMap::new();
        for (filter, subscription) in &mut self.wanted {
            if !known {
                subscription.repeated |= subscription.granted;
                subscription.granted = false;
            }
            if !subscription.granted && !subscription.requested {
                subscription.requested = true;
                let group = subscription.properties.as_properties().as_bytes().to_vec();
                renewals.entry(group).or_default().push(Asked::new(filter, subscription.route.id));
            }
        }
        for (properties, filters) in renewals {
            let room = server.maximum_packet_size.saturating_sub(OVERHEAD + properties.len());
            let room = room.min(FILTER_BYTES);
            let mut part = Vec::new();
            let mut bytes = 0;
            for asked in filters {
                // Its length in two bytes and its options in one.
                let size = asked.filter.len() + 3;
                if part.len() == FILTERS || bytes + size > room {
                    self.renew(std::mem::take(&mut part));
                    bytes = 0;
                }
                bytes += size;
                part.push(asked);
            }
            self.renew(part);
        }
    }

    fn renew(&mut self, asked: Vec<Asked>) {
        let Some(subscription) = asked.first().and_then(|asked| self.wanted.get(&asked.filter))
        else {
            return;
        };
        let properties = subscription.properties.clone();
        self.request(Request::new(Kind::Subscribe, None, asked, properties));
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
            Kind::Unsubscribe => self.unsubscribed(&request, Err(error.clone()), events),
        }
    }

    /// SUBACK or UNSUBACK for a request of ours.
    pub(super) fn acknowledged(
        &mut self,
        key: usize,
        kind: Kind,
        codes: &[u8],
        properties: Properties<'_>,
        ids: &mut PacketIds,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
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
        let said = properties.reason_string();
        match kind {
            Kind::Subscribe => self.subscribed(&request, request.results(codes, said), events),
            Kind::Unsubscribe => self.unsubscribed(&request, unsubscribed(codes, said), events),
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
        result: Result<()>,
        events: &mut VecDeque<Event>,
    ) {
        for asked in &request.asked {
            // Unless it has been subscribed again by now, with a route of its own.
            self.router.remove(&asked.filter, asked.route);
        }
        if let Some(ticket) = request.ticket {
            events.push_back(Event::Unsubscribed(ticket, result));
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

impl Subscription {
    /// What is asked of the broker. A repetition asks for retained messages only where the
    /// subscription is new to it; before 5.0 that cannot be said.
    fn options(&self, version: Version) -> SubscriptionOptions {
        let mut options = self.options;
        if self.repeated && version.is_v5() && options.retain_handling == RetainHandling::Send {
            options.retain_handling = RetainHandling::SendIfNew;
        }
        options
    }
}
