//! The machine itself: what each packet and each command means in each phase.

mod aside;
mod authentication;
mod input;
mod receive;
mod store;
mod time;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Completion, Connected, Counters, Ended, Event, Identity, Match, Outcome, Output, Publication,
    Refused, RouteId, Settings, Ticket, Watched,
    alias::IncomingAliases,
    authentication::Exchange,
    handshake,
    incoming::Incoming,
    journal::Journal,
    outbox::Outbox,
    outgoing::{OUTPUT_LIMIT, Outgoing, Tools},
    packet_id::PacketIds,
    server::ServerLimits,
    subscriptions::Subscriptions,
    suspicion::Suspicion,
    timer::{Timer, Timers},
};
use crate::{
    error::{Error, Result},
    protocol::{Properties, PropertyBlock, ReasonCode, SubscriptionOptions},
};

/// Publishing stops adding to the output at its limit; as much again is left to acknowledgements.
const CHOKED: usize = 2 * OUTPUT_LIMIT;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Offline,
    Connecting,
    /// CONNACK has accepted, and the authenticator has still to accept the broker.
    Verifying,
    Online,
    Ending,
}

/// The session state machine. The [module](super) tells how to drive it.
pub struct Engine {
    settings: Arc<Settings>,
    phase: Phase,
    client_id: Arc<str>,
    /// Who the next CONNECT says that it is.
    identity: Option<Box<Identity>>,
    /// What the last CONNECT asked for.
    clean_start: bool,
    exchange: Exchange,
    /// What CONNACK said, until the authenticator has accepted it.
    accepted: Option<Box<Connected>>,
    server: ServerLimits,
    output: Outbox,
    journal: Journal,
    outgoing: Outgoing,
    /// From the first message of QoS 1 or 2 on.
    incoming: Option<Box<Incoming>>,
    subscriptions: Subscriptions,
    aliases: IncomingAliases,
    ids: PacketIds,
    timers: Timers,
    keep_alive: Duration,
    last_sent: Option<Instant>,
    last_received: Option<Instant>,
    paused: bool,
    /// An output that has not been taken holds a PINGREQ.
    ping_waits: bool,
    needed: usize,
    /// An oversized message of which the rest is still to be dropped.
    skipping: Option<Box<aside::Skipping>>,
    suspicion: Suspicion,
    events: VecDeque<Event>,
    received: u64,
    unrouted: u64,
    set_aside: u64,
}

impl Engine {
    /// A session that is offline and has no state yet.
    ///
    /// # Errors
    /// What the version does not allow: `INVALID_CLIENT_ID`, `INVALID_OPTION`. `any_client_id` lets
    /// long ids pass under 3.1; an empty one lets the broker choose.
    pub fn new(settings: Arc<Settings>, client_id: Arc<str>, any_client_id: bool) -> Result<Self> {
        handshake::check(&settings, &client_id, any_client_id)?;
        let version = settings.version;
        Ok(Self {
            phase: Phase::Offline,
            client_id,
            identity: None,
            clean_start: settings.clean_session,
            exchange: Exchange::None,
            accepted: None,
            server: ServerLimits::default(),
            output: Outbox::default(),
            journal: Journal::default(),
            outgoing: Outgoing::new(&settings),
            incoming: None,
            subscriptions: Subscriptions::new(version, settings.first_subscription_identifier),
            aliases: IncomingAliases::default(),
            ids: PacketIds::default(),
            timers: Timers::default(),
            keep_alive: Duration::ZERO,
            last_sent: None,
            last_received: None,
            paused: false,
            ping_waits: false,
            needed: 0,
            skipping: None,
            suspicion: Suspicion::default(),
            events: VecDeque::new(),
            received: 0,
            unrouted: 0,
            set_aside: 0,
            settings,
        })
    }

    // ---- getters

    /// Whether the broker has accepted the connection.
    pub fn is_online(&self) -> bool {
        self.phase == Phase::Online
    }

    /// Whether CONNECT waits for its answer.
    pub fn is_connecting(&self) -> bool {
        self.phase == Phase::Connecting
    }

    /// How many bytes wait to be written and may be: what follows from a record that has not been
    /// stored does not count yet.
    #[inline]
    pub fn output_length(&self) -> usize {
        self.output.leaving_len(&self.journal)
    }

    /// Whether more waits to be written than publishing ever makes: answers to a broker that asks
    /// and does not listen. While the socket takes nothing, reading on would only make more.
    pub fn is_choked(&self) -> bool {
        self.output.encoded_len() > CHOKED
    }

    /// How many messages have been published, and how many are in flight: who compares it with what it was
    /// sees whether much has happened.
    pub fn progress(&self) -> (u64, usize) {
        (self.outgoing.published(), self.outgoing.in_flight())
    }

    /// Whether so many messages of QoS 1 and 2 stand in the output that it had better be written: half of
    /// those that may be on their way, or all that still may.
    #[inline]
    pub fn is_write_due(&self) -> bool {
        self.outgoing.is_write_due()
    }

    /// The whole length of the packet whose beginning the last input ended with; 0 when it is not
    /// known yet.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// Whether a publisher that was refused as full has a chance now.
    pub fn has_room(&self) -> bool {
        self.outgoing.has_room_for_waiting(&self.output, &self.journal)
    }

    /// Accepted messages that have not ended; with `called`, also those that have ended but whose
    /// completion has not been called yet.
    pub fn outstanding(&self, called: bool) -> usize {
        self.outgoing.outstanding(called)
    }

    /// The subscriptions that want a topic. The topic has been checked.
    pub fn find(&mut self, topic: &str) -> Arc<Match> {
        let router = &mut self.subscriptions.router;
        router.find(topic.as_bytes(), std::str::from_utf8).expect("a str is valid UTF-8");
        router.found().clone()
    }

    /// The filters that are subscribed, and those that the broker has granted to an earlier process
    /// with the same store.
    pub fn filters(&self) -> Vec<String> {
        self.subscriptions.filters()
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        Counters {
            published: self.outgoing.published(),
            received: self.received,
            unrouted: self.unrouted,
            failed: self.outgoing.failed(),
            outgoing_messages: self.outgoing.messages(),
            outgoing_bytes: self.outgoing.all_bytes(&self.output),
            in_flight: self.outgoing.in_flight(),
            incoming_set_aside: self.set_aside,
            unacknowledged: self.incoming.as_ref().map_or(0, |it| it.unacknowledged()),
            held_back: self.incoming.as_ref().map_or(0, |it| it.held_back()),
            subscriptions: self.subscriptions.len(),
            unstored: self.journal.unstored(),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next().into_iter().chain(self.outgoing.next_expiry()).min()
    }

    // ---- verbs

    /// Begins a connection on a fresh stream. `resume` says that it continues the session of an
    /// earlier connection of this engine.
    ///
    /// # Errors
    /// `INVALID_OPTION` when the options do not fit into a packet.
    pub fn connect(&mut self, resume: bool, now: Instant) -> Result<()> {
        debug_assert_eq!(self.phase, Phase::Offline);
        let keeps = handshake::outlives_connection(&self.settings);
        // Under 5.0 a clean start concerns the beginning only. Before, the flag also tells whether
        // the broker keeps the session afterwards, so it stays what it is.
        let resumes = resume && self.settings.version.is_v5() && keeps;
        self.clean_start = self.settings.clean_session && !resumes;
        let identity = self.identity.take().unwrap_or_default();
        handshake::encode(
            &self.settings,
            &identity,
            &self.client_id,
            self.clean_start,
            self.output.open.buffer(),
        )?;
        self.begin_exchange();
        self.aliases
            .reset(self.settings.properties.as_properties().topic_alias_maximum().unwrap_or(0));
        self.keep_alive = Duration::from_secs(self.settings.keep_alive.into());
        self.phase = Phase::Connecting;
        self.last_sent = Some(now);
        self.last_received = Some(now);
        Ok(())
    }

    /// Accepts a message and gives it its number. A completion is taken only on success. `patient`
    /// says that the caller would rather wait than queue a QoS 0 message while the socket is full.
    ///
    /// # Errors
    /// [`Refused::Full`] at a limit, else what the broker or the protocol does not take.
    #[inline]
    pub fn publish(
        &mut self,
        publication: &Publication<'_>,
        completion: &mut Option<Completion>,
        patient: bool,
    ) -> Result<u64, Refused> {
        let online = self.phase == Phase::Online;
        let (outgoing, tools) = self.outgoing();
        outgoing.publish(publication, completion, online, patient, tools)
    }

    /// Subscribes filters that have been checked; the ticket becomes the route of all of them. The
    /// answer lists the routes that lost their last filter to it.
    ///
    /// # Errors
    /// `NOT_SUPPORTED` for what the version does not have, or the broker said it does not;
    /// `INVALID_ARGUMENT` for what no SUBSCRIBE can hold. Nothing has changed then.
    pub fn subscribe(
        &mut self,
        ticket: Ticket,
        filters: &[(&str, SubscriptionOptions)],
        properties: PropertyBlock,
    ) -> Result<Vec<RouteId>> {
        // Offline these are the limits of no broker, that is none.
        let routes = self.subscriptions.subscribe(ticket, filters, properties, &self.server)?;
        self.pump_requests();
        Ok(routes)
    }

    /// Ends subscriptions; the answer lists the routes that have no filter left. Should the process
    /// die before the broker has answered, the next one does not know whether the broker still has
    /// them.
    pub fn unsubscribe(
        &mut self,
        ticket: Ticket,
        filters: &[&str],
        properties: PropertyBlock,
    ) -> Vec<RouteId> {
        let routes = self.subscriptions.unsubscribe(
            ticket,
            filters,
            properties,
            self.phase == Phase::Online,
            &mut self.events,
        );
        self.pump_requests();
        routes
    }

    fn pump_requests(&mut self) {
        if self.phase == Phase::Online {
            self.subscriptions.pump(
                &mut self.ids,
                &self.server,
                &mut self.output.open,
                &mut self.journal,
                &mut self.events,
            );
        }
    }

    /// Sends what the windows have room for: requests before messages, because their handlers are
    /// there and what is published may come back.
    fn pump(&mut self, now: Instant) {
        self.pump_requests();
        if self.phase == Phase::Online {
            let (outgoing, mut tools) = self.outgoing();
            outgoing.pump(Some(now), &mut tools);
        }
    }

    /// The own messages, and what they need of the rest.
    #[inline]
    fn outgoing(&mut self) -> (&mut Outgoing, Tools<'_>) {
        let Self { outgoing, ids, output, journal, .. } = self;
        (outgoing, Tools { ids, output, journal })
    }

    /// How a message ended; `None` while it has not, and `watcher` has been taken along.
    pub fn watch(
        &mut self,
        number: u64,
        ticket: Ticket,
        watcher: &mut Option<Completion>,
    ) -> Option<Outcome> {
        self.outgoing.watch(number, ticket, watcher, &self.output)
    }

    /// Gives back a watcher that has not been used.
    pub fn unwatch(&mut self, number: u64, ticket: Ticket) -> Option<Completion> {
        self.outgoing.unwatch(number, ticket)
    }

    /// Asks for [`Event::Flushed`] once every message published so far has ended.
    pub fn flush(&mut self, ticket: Ticket) {
        if !self.outgoing.flush(ticket, &self.output) {
            self.events.push_back(Event::Flushed(ticket));
        }
    }

    /// Completions that were polled and have been called give their places in the queue free.
    pub fn completions_taken(&mut self, count: usize) {
        self.outgoing.completions_taken(count);
    }

    /// Says good-bye; what waits in the output leaves before it (but for what waits for a store that
    /// takes nothing), and nothing after it. Reason and properties are such as a client's DISCONNECT can
    /// carry. Before 5.0 it says nothing but [`Success`](ReasonCode::Success): with any other reason the
    /// connection just ends, which makes the broker publish the will.
    pub fn disconnect(&mut self, reason: ReasonCode, properties: Properties<'_>) {
        match self.phase {
            Phase::Offline => return,
            Phase::Online | Phase::Verifying => self.say_disconnect(reason, properties),
            Phase::Connecting | Phase::Ending => {}
        }
        self.end_connection();
    }

    fn say_disconnect(&mut self, reason: ReasonCode, properties: Properties<'_>) {
        if !self.settings.version.is_v5() && reason != ReasonCode::Success {
            return;
        }
        if self.journal.has_failed() {
            // Or the broker would never hear it, and publish the will.
            self.output.withhold(&self.journal);
        }
        let out = self.output.open.buffer();
        handshake::say_disconnect(self.settings.version, &self.server, reason, properties, out);
    }

    /// Ends every message as cancelled; how many there were, without those of QoS 0 that the output
    /// holds. With a store only those of QoS 0 end; the others stay for the next connection, and
    /// count.
    pub fn cancel_all(&mut self) -> usize {
        let (outgoing, tools) = self.outgoing();
        let cancelled = outgoing.cancel_all(tools);
        self.flush_events();
        cancelled
    }

    /// Forgets every subscription; their requests end as cancelled.
    pub fn cancel_subscriptions(&mut self) {
        self.subscriptions.cancel_all(&mut self.ids, &mut self.events);
    }

    /// Gives back memory that a busy time left behind.
    pub fn shrink(&mut self) {
        self.outgoing.shrink(&mut self.ids);
        self.incoming.iter_mut().for_each(|incoming| incoming.shrink());
        self.ids.shrink();
        self.journal.shrink();
        // An empty output may still know for which record the next packet has to wait.
        if self.output.is_empty() && self.journal.is_stored() {
            self.output.clear();
        }
    }

    // ---- what has to be done next

    /// Takes what is to be written, into an empty `spare`. `now` is when it will be written.
    pub fn poll_output(&mut self, spare: &mut Output, now: Instant) {
        debug_assert!(spare.is_empty());
        self.output.take(spare, &self.journal);
        if !spare.is_empty() {
            self.last_sent = Some(now);
            // Not before: a long write that goes on is no sign that the broker is dead.
            if spare.holds_ping && !self.timers.is_set(Timer::PingAnswer) {
                self.expect_ping_answer(now);
            }
            self.ping_waits &= !spare.holds_ping;
            self.outgoing.output_taken(spare);
        }
    }

    /// Takes the messages that have ended and whose publish gave a completion.
    pub fn poll_ended(&mut self) -> Vec<Ended> {
        self.outgoing.take_ended()
    }

    /// Takes those of them that were asked for with [`watch`](Self::watch).
    pub fn poll_watched(&mut self) -> Vec<Watched> {
        self.outgoing.take_watched()
    }

    /// Takes the routes whose last filter the broker has refused: no message finds them any more.
    pub fn poll_refused(&mut self) -> Vec<RouteId> {
        self.subscriptions.take_refused()
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.flush_events();
        let event = self.events.pop_front();
        if self.events.is_empty() {
            // They are rare, and an idle session carries no room for them.
            self.events = VecDeque::new();
        }
        event
    }

    fn flush_events(&mut self) {
        while let Some(ticket) = self.outgoing.take_flushed(&self.output) {
            self.events.push_back(Event::Flushed(ticket));
        }
        while let Some((ticket, result)) = self.journal.take_told() {
            self.events.push_back(Event::Stored(ticket, result));
        }
    }

    /// Whether `poll_ended`, `poll_watched` or `poll_event` has something.
    pub fn has_news(&mut self) -> bool {
        self.flush_events();
        self.outgoing.has_ended() || !self.events.is_empty()
    }

    // ---- what comes from outside

    /// What was polled as output has been written.
    pub fn handle_written(&mut self, now: Instant) {
        self.outgoing.output_written();
        self.pump(now);
    }

    /// The stream is gone; `loss` is why, where it was not this side that wanted it. Messages that
    /// were not confirmed stay for the next connection.
    pub fn handle_closed(&mut self, loss: Option<&Error>) {
        if self.phase == Phase::Offline {
            return;
        }
        let closed_by_broker = self.phase == Phase::Online;
        self.end_connection();
        self.phase = Phase::Offline;
        self.needed = 0;
        self.skipping = None;
        self.paused = false;
        self.ping_waits = false;
        // What was received is no judgement on what was sent.
        let on_received = self.suspicion.disconnected();
        let asked = self.subscriptions.is_asking();
        let (outgoing, tools) = self.outgoing();
        let set_aside = outgoing.disconnected(loss.filter(|_| !on_received), asked, tools);
        self.events.extend(set_aside.map(Event::SetAside));
        self.output.clear();
        self.subscriptions.disconnected(closed_by_broker, &mut self.ids, &mut self.events);
        self.server = ServerLimits::default();
    }

    /// From here on nothing is accepted from the network and nothing follows what the output holds.
    fn end_connection(&mut self) {
        self.phase = Phase::Ending;
        self.end_exchange();
        self.timers.stop_all();
        // What is handled from now on cannot be acknowledged on this connection any more.
        self.incoming.iter_mut().for_each(|incoming| incoming.disconnected());
    }

    /// What receives messages of QoS 1 and 2, and what it needs.
    #[inline]
    fn incoming(&mut self) -> (&mut Incoming, &mut Outbox, &mut Journal) {
        let incoming = self.incoming.get_or_insert_with(|| {
            let Settings { version, receive_maximum, .. } = *self.settings;
            Box::new(Incoming::new(version, receive_maximum, self.server.maximum_packet_size))
        });
        (incoming, &mut self.output, &mut self.journal)
    }
}
