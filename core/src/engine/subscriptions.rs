//! What the program wants to receive, and what the broker has granted.

use std::collections::{BTreeMap, VecDeque};

use slab::Slab;

use super::{
    Event, Granted, Output, Route, RouteId, Ticket,
    packet_id::{PacketIds, Use},
    router::Router,
};
use crate::{
    error::{Code, Error, Result},
    protocol::{
        PacketId, Properties, PropertyBlock, QoS, RetainHandling, SubscriptionOptions, Version,
        encode_subscribe, encode_unsubscribe,
    },
};

/// The most filters renewed in one SUBSCRIBE, and the most bytes of them: small enough for every
/// broker's packet limit, large enough that thousands of subscriptions take few packets.
const FILTERS: usize = 64;
const FILTER_BYTES: usize = 8 << 10;

/// A filter that the program has subscribed.
struct Subscription {
    route: Route,
    options: SubscriptionOptions,
    properties: PropertyBlock,
    /// Granted by the broker's present session.
    granted: bool,
    /// The broker knows of it from an earlier time: it is renewed without asking for retained
    /// messages again.
    repeated: bool,
    /// A request for it is under way or waits for a connection.
    requested: bool,
}

enum Kind {
    Subscribe,
    Unsubscribe,
}

/// One call of the program, or a renewal, until it has been answered.
struct Request {
    kind: Kind,
    /// None: a renewal, nobody waits.
    ticket: Option<Ticket>,
    filters: Vec<String>,
    properties: PropertyBlock,
    packet_id: Option<PacketId>,
    /// Sent before, on a connection that was lost.
    again: bool,
    /// For an unsubscribe: the routes that end with it.
    routes: Vec<RouteId>,
}

pub(super) struct Subscriptions {
    version: Version,
    wanted: BTreeMap<String, Subscription>,
    pub(super) router: Router,
    requests: Slab<Request>,
    /// Requests that wait for a connection or for a packet id, in order.
    waiting: VecDeque<usize>,
}

impl Subscriptions {
    pub(super) fn new(version: Version) -> Self {
        Self {
            version,
            wanted: BTreeMap::new(),
            router: Router::default(),
            requests: Slab::new(),
            waiting: VecDeque::new(),
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
    ) -> Vec<RouteId> {
        let identifier = properties.as_properties().subscription_identifiers().next();
        let mut replaced = Vec::new();
        for &(filter, options) in filters {
            let route = Route { id: ticket, identifier };
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
        replaced.retain(|&route| !self.is_wanted(route));
        replaced.dedup();
        self.request(Request {
            kind: Kind::Subscribe,
            ticket: Some(ticket),
            filters: filters.iter().map(|(filter, _)| (*filter).to_owned()).collect(),
            properties,
            packet_id: None,
            again: false,
            routes: Vec::new(),
        });
        replaced
    }

    fn is_wanted(&self, route: RouteId) -> bool {
        self.wanted.values().any(|subscription| subscription.route.id == route)
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
        let mut routes = Vec::new();
        for &filter in filters {
            let Some(subscription) = self.wanted.remove(filter) else { continue };
            routes.push(subscription.route.id);
            asked.push(filter.to_owned());
        }
        // Offline it is done for the program; the broker is told on the next connection.
        let ticket = if online && !asked.is_empty() {
            Some(ticket)
        } else {
            events.push_back(Event::Unsubscribed(ticket, Ok(())));
            None
        };
        if asked.is_empty() {
            return routes;
        }
        let ended = routes.iter().copied().filter(|&route| !self.is_wanted(route)).collect();
        self.request(Request {
            kind: Kind::Unsubscribe,
            ticket,
            filters: asked,
            properties,
            packet_id: None,
            again: false,
            routes,
        });
        ended
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
    pub(super) fn pump(&mut self, ids: &mut PacketIds, output: &mut Output) {
        while let Some(&key) = self.waiting.front() {
            let Some(packet_id) = ids.allocate(Use::Request(key)) else { return };
            self.waiting.pop_front();
            let request = &mut self.requests[key];
            request.packet_id = Some(packet_id);
            let duplicate = request.again && self.version == Version::V31;
            let buffer = output.buffer();
            let properties = request.properties.as_properties();
            match request.kind {
                Kind::Subscribe => {
                    // A filter that was unsubscribed in the meantime is asked for with QoS 0 and
                    // given back by the unsubscribe that follows.
                    let wanted = &self.wanted;
                    let filters = request.filters.iter().map(|filter| {
                        let options = wanted.get(filter).map(|subscription| {
                            renewed(subscription.options, subscription.repeated)
                        });
                        (filter.as_str(), options.unwrap_or_default())
                    });
                    encode_subscribe(
                        self.version,
                        duplicate,
                        packet_id,
                        properties,
                        filters,
                        buffer,
                    )
                }
                Kind::Unsubscribe => {
                    let filters = request.filters.iter().map(String::as_str);
                    encode_unsubscribe(
                        self.version,
                        duplicate,
                        packet_id,
                        properties,
                        filters,
                        buffer,
                    )
                }
            }
            .expect("the size of the request was checked when it was made");
        }
    }

    /// A connection begins: what the broker does not know (any more) is asked for.
    pub(super) fn connected(&mut self, known: bool) {
        let mut renewals: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
        for (filter, subscription) in &mut self.wanted {
            if !known {
                subscription.repeated |= subscription.granted;
                subscription.granted = false;
            }
            if !subscription.granted && !subscription.requested {
                subscription.requested = true;
                let group = subscription.properties.as_properties().as_bytes().to_vec();
                renewals.entry(group).or_default().push(filter.clone());
            }
        }
        for filters in renewals.into_values() {
            let mut part = Vec::new();
            let mut bytes = 0;
            for filter in filters {
                if part.len() == FILTERS || bytes + filter.len() > FILTER_BYTES {
                    self.renew(std::mem::take(&mut part));
                    bytes = 0;
                }
                bytes += filter.len() + 3;
                part.push(filter);
            }
            self.renew(part);
        }
    }

    fn renew(&mut self, filters: Vec<String>) {
        let Some(subscription) = filters.first().and_then(|filter| self.wanted.get(filter)) else {
            return;
        };
        let properties = subscription.properties.clone();
        self.request(Request {
            kind: Kind::Subscribe,
            ticket: None,
            filters,
            properties,
            packet_id: None,
            again: false,
            routes: Vec::new(),
        });
    }

    /// The connection is gone: what had not been answered is asked again on the next one. Under 3.1,
    /// which has no refusal in SUBACK, a broker that refuses a subscription closes the connection.
    pub(super) fn disconnected(&mut self, ids: &mut PacketIds, events: &mut VecDeque<Event>) {
        let mut unanswered: Vec<(PacketId, usize)> = self
            .requests
            .iter()
            .filter_map(|(key, request)| request.packet_id.map(|id| (id, key)))
            .collect();
        // Requests are keyed by a slab whose order says nothing; ids ascend but for a wrap.
        unanswered.sort_unstable();
        for &(id, key) in unanswered.iter().rev() {
            ids.release(id);
            let request = &mut self.requests[key];
            request.packet_id = None;
            request.again = true;
            if self.version == Version::V31 && matches!(request.kind, Kind::Subscribe) {
                let request = self.requests.remove(key);
                let refusal = Error::new(
                    Code::SubscribeRefused,
                    "The broker closed the connection after the subscribe, which under MQTT 3.1 \
                     probably means that it refuses it",
                );
                let results = request.filters.iter().map(|_| Err(refusal.clone())).collect();
                self.answered(request, results, events);
            } else {
                self.waiting.push_front(key);
            }
        }
    }

    /// SUBACK or UNSUBACK for a request of ours.
    pub(super) fn acknowledged(
        &mut self,
        key: usize,
        subscribe: bool,
        codes: &[u8],
        properties: Properties<'_>,
        ids: &mut PacketIds,
        events: &mut VecDeque<Event>,
    ) -> Result<(), &'static str> {
        let request = &self.requests[key];
        if subscribe != matches!(request.kind, Kind::Subscribe) {
            return Err("of the wrong kind for the request of this packet id");
        }
        // UNSUBACK has no codes before 5.0.
        let expected = if subscribe || self.version.is_v5() { request.filters.len() } else { 0 };
        if codes.len() != expected {
            return Err("with another number of results than there were filters");
        }
        let request = self.requests.remove(key);
        ids.release(request.packet_id.expect("a request that was sent"));
        let said = properties.reason_string();
        if subscribe {
            let results = codes.iter().zip(&request.filters);
            let results = results.map(|(&code, filter)| granted(code, filter, said)).collect();
            self.answered(request, results, events);
        } else {
            self.unsubscribed(request, codes, said, events);
        }
        Ok(())
    }

    fn answered(
        &mut self,
        request: Request,
        results: Vec<Result<Granted>>,
        events: &mut VecDeque<Event>,
    ) {
        for (filter, result) in request.filters.iter().zip(&results) {
            let Some(subscription) = self.wanted.get_mut(filter) else { continue };
            subscription.requested = false;
            subscription.granted = result.is_ok();
            if let Err(error) = result {
                let route = subscription.route.id;
                self.router.remove(filter, route);
                self.wanted.remove(filter);
                if request.ticket.is_none() {
                    events.push_back(Event::SubscriptionRefused(filter.clone(), error.clone()));
                }
            }
        }
        if let Some(ticket) = request.ticket {
            events.push_back(Event::Subscribed(ticket, results));
        }
    }

    fn unsubscribed(
        &mut self,
        request: Request,
        codes: &[u8],
        said: Option<&str>,
        events: &mut VecDeque<Event>,
    ) {
        for filter in &request.filters {
            for &route in &request.routes {
                // Unless it has been subscribed again by now, with a route of its own.
                self.router.remove(filter, route);
            }
        }
        // 0x11, no subscription existed, is what the program wanted.
        let refused = codes.iter().find(|&&code| code >= 0x80);
        let result = match refused {
            None => Ok(()),
            Some(&code) => Err(Error::new(
                Code::UnsubscribeRefused,
                format!("The broker refused to end the subscription: {}", reason_name(code)),
            )
            .with_reason(code, said)),
        };
        if let Some(ticket) = request.ticket {
            events.push_back(Event::Unsubscribed(ticket, result));
        }
    }

    /// Ends every request as cancelled and forgets every subscription.
    pub(super) fn cancel_all(&mut self, ids: &mut PacketIds, events: &mut VecDeque<Event>) {
        for request in self.requests.drain() {
            if let Some(id) = request.packet_id {
                ids.release(id);
            }
            let Some(ticket) = request.ticket else { continue };
            events.push_back(match request.kind {
                Kind::Subscribe => {
                    let results = request.filters.iter().map(|_| Err(Code::Cancelled.into()));
                    Event::Subscribed(ticket, results.collect())
                }
                Kind::Unsubscribe => Event::Unsubscribed(ticket, Err(Code::Cancelled.into())),
            });
        }
        self.waiting.clear();
        self.wanted.clear();
        self.router = Router::default();
    }
}

/// A renewed subscription asks for retained messages only where it is new to the broker.
fn renewed(mut options: SubscriptionOptions, repeated: bool) -> SubscriptionOptions {
    if repeated && options.retain_handling == RetainHandling::Send {
        options.retain_handling = RetainHandling::SendIfNew;
    }
    options
}

fn granted(code: u8, filter: &str, said: Option<&str>) -> Result<Granted> {
    QoS::from_u8(code).map(|qos| Granted { qos }).ok_or_else(|| {
        Error::new(
            Code::SubscribeRefused,
            format!("The broker refused the subscription to {filter}: {}", reason_name(code)),
        )
        .with_reason(code, said)
    })
}

fn reason_name(code: u8) -> &'static str {
    crate::protocol::ReasonCode::from_u8(code).map_or("no such reason code", |reason| reason.name())
}
