//! The machine itself: what each packet and each command means in each phase.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Completion, Ended, Event, Match, Outcome, Output, Publication, Receipt, Refused, Route,
    RouteId, Settings, Ticket,
    alias::IncomingAliases,
    handshake,
    incoming::{Arrival, Incoming},
    outgoing::Outgoing,
    packet_id::{PacketIds, Use},
    request::Kind,
    server::ServerLimits,
    subscriptions::Subscriptions,
    timer::{Timer, Timers},
};
use crate::{
    error::{Code, Error, Result},
    protocol::{
        Ack, AckKind, Connack, Cut, Disconnect, Frame, Packet, PacketId, PacketType, Properties,
        PropertyBlock, QoS, RawPublish, ReasonCode, Sender, SubscriptionOptions, Version,
        Violation, cut, encode_pingreq, topic,
    },
};

/// The longest wait for the answer to a ping. Shorter than most keep-alive times, because an answer
/// that has not come by then will not come.
const PING_ANSWER: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Offline,
    Connecting,
    Online,
    Ending,
}

/// A received message: where it stands in the input, and who wants it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Index into [`Inbound::matches`].
    pub matched: u32,
    /// Where the payload stands.
    pub payload: Range<u32>,
    /// Where the property block stands (MQTT 5.0).
    pub properties: Range<u32>,
    /// The quality of service at which it came.
    pub qos: QoS,
    /// Whether it was a retained message (or, as published, is to be retained).
    pub retain: bool,
    /// Whether the broker had sent it before.
    pub duplicate: bool,
    /// What acknowledges it; none at QoS 0.
    pub receipt: Option<Receipt>,
}

/// The messages found in one piece of input. Positions count from the start of that piece.
#[derive(Debug, Default)]
pub struct Inbound {
    /// In the order of arrival.
    pub deliveries: Vec<Delivery>,
    /// Topics and routes, each once for a run of messages with the same topic.
    pub matches: Vec<Arc<Match>>,
}

/// Counts of what happened since the engine was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages accepted for publishing.
    pub published: u64,
    /// Messages received, without repetitions.
    pub received: u64,
    /// Received messages of QoS 0 that no subscription wanted.
    pub unrouted: u64,
    /// Outgoing messages dropped by the queue's policy.
    pub dropped: u64,
    /// Accepted messages that have not ended.
    pub outgoing_messages: usize,
    /// The bytes of their packets.
    pub outgoing_bytes: usize,
    /// Own messages of QoS 1 and 2 that have been sent and not confirmed.
    pub in_flight: usize,
    /// Received messages that have not been acknowledged.
    pub unacknowledged: usize,
    /// Subscriptions.
    pub subscriptions: usize,
}

/// The session state machine. The [module](super) tells how to drive it.
pub struct Engine {
    settings: Arc<Settings>,
    phase: Phase,
    client_id: String,
    /// What the last CONNECT asked for.
    clean_start: bool,
    server: ServerLimits,
    output: Output,
    outgoing: Outgoing,
    incoming: Incoming,
    subscriptions: Subscriptions,
    aliases: IncomingAliases,
    ids: PacketIds,
    timers: Timers,
    keep_alive: Duration,
    last_sent: Option<Instant>,
    last_received: Option<Instant>,
    paused: bool,
    /// The output holds a PINGREQ.
    ping_waits: bool,
    needed: usize,
    events: VecDeque<Event>,
    received: u64,
    unrouted: u64,
}

impl Engine {
    /// A session that is offline and has no state yet.
    ///
    /// # Errors
    /// What the version does not allow: `INVALID_CLIENT_ID`, `INVALID_OPTION`. `any_client_id` lets
    /// long ids pass under 3.1.
    pub fn new(settings: Arc<Settings>, any_client_id: bool) -> Result<Self> {
        handshake::check(&settings, any_client_id)?;
        let version = settings.version;
        Ok(Self {
            phase: Phase::Offline,
            client_id: settings.client_id.clone(),
            clean_start: settings.clean_session,
            server: ServerLimits::default(),
            output: Output::default(),
            outgoing: Outgoing::new(version, settings.in_flight_limit, settings.queue),
            incoming: Incoming::new(version, settings.receive_maximum),
            subscriptions: Subscriptions::new(version),
            aliases: IncomingAliases::default(),
            ids: PacketIds::default(),
            timers: Timers::default(),
            keep_alive: Duration::ZERO,
            last_sent: None,
            last_received: None,
            paused: false,
            ping_waits: false,
            needed: 0,
            events: VecDeque::new(),
            received: 0,
            unrouted: 0,
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

    /// How many bytes wait to be written.
    #[inline]
    pub fn output_length(&self) -> usize {
        self.output.len()
    }

    /// The whole length of the packet whose beginning the last input ended with; 0 when it is not
    /// known yet.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// Whether a publisher that was refused as full has a chance now.
    pub fn has_room(&self) -> bool {
        self.outgoing.has_room_for_waiting(&self.output)
    }

    /// Accepted messages that have not ended; with `called`, also those that have ended but whose
    /// completion has not been called yet.
    pub fn outstanding(&self, called: bool) -> usize {
        self.outgoing.outstanding(called)
    }

    /// The subscriptions that want a topic. The topic has been checked.
    pub fn find(&mut self, topic: &str) -> Arc<Match> {
        self.subscriptions
            .router
            .find(topic.as_bytes(), std::str::from_utf8)
            .expect("a str is valid UTF-8")
    }

    /// The filters that are subscribed.
    pub fn filters(&self) -> Vec<String> {
        self.subscriptions.filters()
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        Counters {
            published: self.outgoing.last_number(),
            received: self.received,
            unrouted: self.unrouted,
            dropped: self.outgoing.dropped,
            outgoing_messages: self.outgoing.messages(),
            outgoing_bytes: self.outgoing.bytes() + self.output.len(),
            in_flight: self.outgoing.in_flight(),
            unacknowledged: self.incoming.unacknowledged(),
            subscriptions: self.subscriptions.len(),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
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
        handshake::encode(&self.settings, &self.client_id, self.clean_start, self.output.buffer())?;
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
        publication: Publication<'_>,
        completion: &mut Option<Completion>,
        patient: bool,
    ) -> Result<u64, Refused> {
        self.outgoing.publish(
            publication,
            completion,
            self.phase == Phase::Online,
            patient,
            &mut self.ids,
            &mut self.output,
        )
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

    /// Ends subscriptions; the answer lists the routes that have no filter left.
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
                &mut self.output,
                &mut self.events,
            );
        }
    }

    /// Sends what the windows have room for: requests before messages, because their handlers are
    /// there and what is published may come back.
    fn pump(&mut self) {
        self.pump_requests();
        if self.phase == Phase::Online {
            self.outgoing.pump(&mut self.ids, &mut self.output);
        }
    }

    /// A received message has been handled. `false` when there was nothing left to acknowledge.
    pub fn acknowledge(&mut self, receipt: Receipt, reason: ReasonCode) -> bool {
        self.incoming.handled(receipt, reason, &mut self.output)
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

    /// Reading has been paused or resumed. While it is paused an answer to a ping may lie unread, so
    /// its deadline stands still.
    pub fn pause(&mut self, paused: bool, now: Instant) {
        self.paused = paused;
        if !paused && self.timers.is_set(Timer::PingAnswer) {
            self.expect_ping_answer(now);
        }
    }

    /// Completions that were polled and have been called give their places in the queue free.
    pub fn completions_taken(&mut self, count: usize) {
        self.outgoing.completions_taken(count);
    }

    /// Says good-bye; what waits in the output leaves before it, and nothing after it. Reason and
    /// properties are such as a client's DISCONNECT can carry. Before 5.0 it says nothing but
    /// [`Success`](ReasonCode::Success): with any other reason the connection just ends, which makes
    /// the broker publish the will.
    pub fn disconnect(&mut self, reason: ReasonCode, properties: Properties<'_>) {
        match self.phase {
            Phase::Offline => return,
            Phase::Online => self.say_disconnect(reason, properties),
            Phase::Connecting | Phase::Ending => {}
        }
        self.end_connection();
    }

    fn say_disconnect(&mut self, reason: ReasonCode, properties: Properties<'_>) {
        if !self.settings.version.is_v5() && reason != ReasonCode::Success {
            return;
        }
        Packet::Disconnect(Disconnect { reason, properties })
            .encode(self.settings.version, self.output.buffer())
            .expect("properties that were checked fit");
    }

    /// Ends every message as cancelled; how many there were, without those of QoS 0 that the output
    /// holds.
    pub fn cancel_all(&mut self) -> usize {
        let cancelled = self.outgoing.cancel_all(&mut self.ids, &mut self.output);
        self.flush_events();
        cancelled
    }

    /// Forgets every subscription; their requests end as cancelled.
    pub fn cancel_subscriptions(&mut self) {
        self.subscriptions.cancel_all(&mut self.ids, &mut self.events);
    }

    /// Gives back memory that a busy time left behind.
    pub fn shrink(&mut self) {
        self.outgoing.shrink();
        self.incoming.shrink();
        self.ids.shrink();
        self.events.shrink_to(4);
        if self.output.is_empty() {
            self.output.clear(0);
        }
    }

    // ---- what has to be done next

    /// Takes what is to be written, into an empty `spare`. `now` is when it will be written.
    pub fn poll_output(&mut self, spare: &mut Output, now: Instant) {
        debug_assert!(spare.is_empty());
        self.pump();
        if !self.output.is_empty() {
            self.last_sent = Some(now);
            // Not before: a long write that goes on is no sign that the broker is dead.
            if std::mem::take(&mut self.ping_waits) && !self.timers.is_set(Timer::PingAnswer) {
                self.expect_ping_answer(now);
            }
            self.outgoing.output_taken(&mut self.output);
            std::mem::swap(&mut self.output, spare);
        }
    }

    /// Takes the messages that have ended.
    pub fn poll_ended(&mut self) -> Vec<Ended> {
        self.outgoing.take_ended()
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.flush_events();
        self.events.pop_front()
    }

    fn flush_events(&mut self) {
        while let Some(ticket) = self.outgoing.take_flushed(&self.output) {
            self.events.push_back(Event::Flushed(ticket));
        }
    }

    /// Whether `poll_ended` or `poll_event` has something.
    pub fn has_news(&mut self) -> bool {
        self.flush_events();
        self.outgoing.has_ended() || !self.events.is_empty()
    }

    // ---- what comes from outside

    /// What was polled as output has been written.
    pub fn handle_written(&mut self) {
        self.outgoing.output_written();
        self.pump();
    }

    /// Takes in what was read; how many bytes of it were whole packets. The rest is to be given
    /// again, with what follows it.
    ///
    /// # Errors
    /// The connection has to be closed, after the output (which may hold a DISCONNECT) is written:
    /// the broker refused or ended it, or broke the protocol.
    pub fn handle_input(
        &mut self,
        input: &[u8],
        inbound: &mut Inbound,
        now: Instant,
    ) -> Result<usize> {
        if matches!(self.phase, Phase::Offline | Phase::Ending) {
            return Ok(input.len());
        }
        // Any byte shows that the broker lives.
        self.last_received = Some(now);
        self.timers.stop(Timer::PingAnswer);
        let mut from = 0;
        self.needed = 0;
        while from < input.len() {
            match cut(&input[from..], self.settings.maximum_packet_size) {
                Ok(Cut::Whole { frame, length }) => {
                    let result = if frame.first >> 4 == PacketType::Publish as u8
                        && self.phase == Phase::Online
                    {
                        self.handle_publish(frame, from + length, inbound).map_err(Fault::from)
                    } else {
                        self.handle_frame(frame, now)
                    };
                    result.map_err(|fault| self.fail(fault))?;
                    from += length;
                }
                // Something else may never send as much as its first bytes would mean in MQTT.
                Ok(Cut::Partial { .. })
                    if self.phase == Phase::Connecting
                        && input[from] >> 4 != PacketType::Connack as u8 =>
                {
                    return Err(self.fail(NO_CONNACK.into()));
                }
                Ok(Cut::Partial { header }) => {
                    self.needed = header.map_or(0, |(_, total)| total);
                    break;
                }
                Err(violation) => return Err(self.fail(violation.into())),
            }
        }
        Ok(from)
    }

    /// `end` is where the packet ends in the input.
    #[inline]
    fn handle_publish(
        &mut self,
        frame: Frame<'_>,
        end: usize,
        inbound: &mut Inbound,
    ) -> Result<(), Violation> {
        let publish = RawPublish::decode(frame, self.settings.version)?;
        let found = match publish.properties.topic_alias() {
            None => self.subscriptions.router.find(publish.topic, checked)?,
            Some(alias) => self.aliased(alias, publish.topic)?,
        };
        let receipt = match publish.packet_id {
            None => None,
            Some(id) => {
                match self.incoming.publish(id, publish.qos, publish.duplicate, &mut self.output)? {
                    Arrival::Deliver(receipt) => Some(receipt),
                    Arrival::Duplicate => return Ok(()),
                }
            }
        };
        self.received += 1;
        let receipt = match receipt {
            Some(receipt) if self.settings.acknowledge_on_receipt => {
                self.incoming.handled(receipt, ReasonCode::Success, &mut self.output);
                None
            }
            other => other,
        };
        if found.routes.is_empty() && receipt.is_none() {
            self.unrouted += 1;
            return Ok(());
        }
        let found = narrowed(found, publish.properties);
        let payload = end - publish.payload.len();
        let properties = publish.properties.as_bytes().len();
        match inbound.matches.last() {
            Some(last) if Arc::ptr_eq(last, &found) => {}
            _ => inbound.matches.push(found),
        }
        inbound.deliveries.push(Delivery {
            matched: inbound.matches.len() as u32 - 1,
            payload: payload as u32..end as u32,
            properties: (payload - properties) as u32..payload as u32,
            qos: publish.qos,
            retain: publish.retain,
            duplicate: publish.duplicate,
            receipt,
        });
        Ok(())
    }

    #[cold]
    fn aliased(&mut self, alias: u16, topic: &[u8]) -> Result<Arc<Match>, Violation> {
        if topic.is_empty() {
            let topic = self.aliases.topic(alias)?.as_bytes();
            return self.subscriptions.router.find(topic, checked);
        }
        let found = self.subscriptions.router.find(topic, checked)?;
        self.aliases.set(alias, &found.topic)?;
        Ok(found)
    }

    fn handle_frame(&mut self, frame: Frame<'_>, now: Instant) -> Result<(), Fault> {
        if self.phase == Phase::Connecting {
            return self.handle_first(frame, now);
        }
        let kind = frame.packet_type()?;
        match Packet::decode_from(Sender::Server, frame, self.settings.version)? {
            Packet::Puback(ack) => self.handle_ack(kind, &ack, Outgoing::acknowledged)?,
            Packet::Pubcomp(ack) => self.handle_ack(kind, &ack, Outgoing::completed)?,
            Packet::Pubrec(ack) => self.handle_pubrec(&ack)?,
            Packet::Pubrel(ack) => self.incoming.released(ack.packet_id, &mut self.output),
            Packet::Suback(ack) => {
                self.handle_request_ack(kind, ack.packet_id, ack.codes, ack.properties)?;
            }
            Packet::Unsuback(ack) => {
                self.handle_request_ack(kind, ack.packet_id, ack.codes, ack.properties)?;
            }
            Packet::Pingresp => {}
            Packet::Disconnect(disconnect) => {
                let said = disconnect.properties.reason_string();
                return Err(Fault::Ended(handshake::disconnected(disconnect.reason, said)));
            }
            // A second CONNACK; an AUTH for a session that asked for no authentication method.
            _ => return Err(Fault::out_of_place(kind, "at a moment that has no use for one")),
        }
        Ok(())
    }

    /// The first packet from the broker must be CONNACK [MQTT-3.2.0-1].
    fn handle_first(&mut self, frame: Frame<'_>, now: Instant) -> Result<(), Fault> {
        let kind = frame.packet_type()?;
        let Packet::Connack(connack) = Packet::decode(frame, self.settings.version)? else {
            return Err(Fault::out_of_place(kind, "before CONNACK"));
        };
        if !connack.is_accepted() {
            return Err(Fault::Ended(handshake::refused(&connack, self.settings.version)));
        }
        self.handle_accepted(&connack, now)
    }

    fn handle_accepted(&mut self, connack: &Connack<'_>, now: Instant) -> Result<(), Fault> {
        let version = self.settings.version;
        // [MQTT-3.2.2-2]
        if self.clean_start && connack.session_present {
            return Err(Fault::out_of_place(
                PacketType::Connack,
                "with session present for a clean start",
            ));
        }
        // MQTT 3.1 has no session-present flag: what was asked for is what is.
        let resumed = match version {
            Version::V31 => !self.settings.clean_session,
            _ => connack.session_present,
        };
        let connected = handshake::accepted(connack, &self.client_id);
        self.client_id.clone_from(&connected.client_id);
        self.server = ServerLimits::new(connack.properties);
        if let Some(seconds) = connack.properties.server_keep_alive() {
            self.keep_alive = Duration::from_secs(seconds.into());
        }
        self.phase = Phase::Online;
        self.incoming.connected(resumed);
        self.outgoing.connected(
            resumed,
            self.settings.end_on_session_loss,
            self.server,
            &mut self.ids,
        );
        self.subscriptions.connected(resumed && version != Version::V31, &self.server);
        self.events.push_back(Event::Connected(connected));
        if !self.keep_alive.is_zero() {
            self.timers.set(Timer::KeepAlive, now + self.keep_alive);
        }
        self.pump();
        Ok(())
    }

    fn handle_ack(
        &mut self,
        kind: PacketType,
        ack: &Ack<'_>,
        apply: impl FnOnce(&mut Outgoing, &Ack<'_>, usize, &mut PacketIds) -> Result<(), &'static str>,
    ) -> Result<(), Fault> {
        match self.ids.get(ack.packet_id) {
            Some(Use::Message(key)) => apply(&mut self.outgoing, ack, key, &mut self.ids)
                .map_err(|what| Fault::out_of_place(kind, what)),
            Some(Use::Request(_)) => Err(Fault::out_of_place(kind, FOR_A_REQUEST)),
            // Late or repeated: the message has ended already.
            None => Ok(()),
        }
    }

    fn handle_pubrec(&mut self, ack: &Ack<'_>) -> Result<(), Fault> {
        match self.ids.get(ack.packet_id) {
            Some(Use::Message(key)) => self
                .outgoing
                .received(ack, key, &mut self.ids, &mut self.output)
                .map_err(|what| Fault::out_of_place(PacketType::Pubrec, what)),
            Some(Use::Request(_)) => Err(Fault::out_of_place(PacketType::Pubrec, FOR_A_REQUEST)),
            None => {
                if !ack.reason.is_error() {
                    self.release_unknown(ack.packet_id);
                }
                Ok(())
            }
        }
    }

    /// There is nothing to release, but the broker waits for it.
    fn release_unknown(&mut self, packet_id: PacketId) {
        let reason = match self.settings.version.is_v5() {
            true => ReasonCode::PacketIdentifierNotFound,
            false => ReasonCode::Success,
        };
        Ack { packet_id, reason, properties: Properties::EMPTY }
            .encode_to(AckKind::Pubrel, self.settings.version, self.output.buffer())
            .expect("an acknowledgement without properties always fits");
    }

    fn handle_request_ack(
        &mut self,
        kind: PacketType,
        packet_id: PacketId,
        codes: &[u8],
        properties: Properties<'_>,
    ) -> Result<(), Fault> {
        match self.ids.get(packet_id) {
            Some(Use::Request(key)) => self
                .subscriptions
                .acknowledged(
                    key,
                    match kind {
                        PacketType::Suback => Kind::Subscribe,
                        _ => Kind::Unsubscribe,
                    },
                    codes,
                    properties,
                    &mut self.ids,
                    &mut self.events,
                )
                .map_err(|what| Fault::out_of_place(kind, what)),
            Some(Use::Message(_)) => {
                Err(Fault::out_of_place(kind, "with the packet id of a message"))
            }
            None => Ok(()),
        }
    }

    /// A deadline has come. The keep-alive runs from the last packet sent (so much the protocol
    /// asks for) and also from the last byte received: a session that only
    /// publishes at QoS 0 would never learn that nobody listens.
    ///
    /// # Errors
    /// `KEEP_ALIVE_TIMEOUT`: the connection is dead and has to be closed.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<()> {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::KeepAlive => {
                    let due = self.keep_alive_deadline(now);
                    if due > now {
                        self.timers.set(Timer::KeepAlive, due);
                        continue;
                    }
                    self.timers.set(Timer::KeepAlive, now + self.keep_alive);
                    if !self.ping_waits {
                        encode_pingreq(self.output.buffer());
                        self.ping_waits = true;
                    }
                    self.shrink();
                }
                Timer::PingAnswer if self.paused => self.expect_ping_answer(now),
                Timer::PingAnswer => {
                    self.end_connection();
                    // "Keep Alive timeout" is for the server to say (table 3-10).
                    self.say_disconnect(ReasonCode::UnspecifiedError, Properties::EMPTY);
                    return Err(Code::KeepAliveTimeout.into());
                }
            }
        }
        Ok(())
    }

    fn expect_ping_answer(&mut self, now: Instant) {
        self.timers.set(Timer::PingAnswer, now + PING_ANSWER.min(self.keep_alive));
    }

    fn keep_alive_deadline(&self, now: Instant) -> Instant {
        let quiet_since = self.last_sent.min(self.last_received).unwrap_or(now);
        quiet_since + self.keep_alive
    }

    /// The stream is gone. Messages that were not confirmed stay for the next connection.
    pub fn handle_closed(&mut self) {
        if self.phase == Phase::Offline {
            return;
        }
        let closed_by_broker = self.phase == Phase::Online;
        self.end_connection();
        self.phase = Phase::Offline;
        self.needed = 0;
        self.paused = false;
        self.ping_waits = false;
        self.outgoing.disconnected(&mut self.output);
        self.output.clear(0);
        self.subscriptions.disconnected(closed_by_broker, &mut self.ids, &mut self.events);
        self.server = ServerLimits::default();
    }

    /// Ends the connection because of what the broker did; under 5.0 it is told why.
    fn fail(&mut self, fault: Fault) -> Error {
        let connecting = self.phase == Phase::Connecting;
        self.end_connection();
        match fault {
            Fault::Ended(error) => error,
            Fault::Violation(violation)
                if connecting && violation.packet != Some(PacketType::Connack) =>
            {
                Error::new(
                    Code::NotMqtt,
                    "The server does not speak MQTT on this port: its first bytes are no CONNACK",
                )
                .with_source(violation)
            }
            Fault::Violation(violation) => {
                self.say_disconnect(violation.reason, Properties::EMPTY);
                violated(violation)
            }
        }
    }

    /// From here on nothing is accepted from the network and nothing follows what the output holds.
    fn end_connection(&mut self) {
        self.phase = Phase::Ending;
        self.timers.stop_all();
        // What is handled from now on cannot be acknowledged on this connection any more.
        self.incoming.disconnected();
    }
}

/// The first packet from the broker must be CONNACK [MQTT-3.2.0-1].
const NO_CONNACK: Violation = Violation {
    reason: ReasonCode::ProtocolError,
    packet: None,
    detail: "the beginning of another packet before CONNACK",
    statement: "MQTT-3.2.0-1",
};

const FOR_A_REQUEST: &str = "with the packet id of a subscribe or unsubscribe";

fn checked(topic: &[u8]) -> Result<&str, Violation> {
    topic::check_name(topic)
        .map_err(|error| Violation { packet: Some(PacketType::Publish), ..error.violation() })
}

/// Why a connection cannot go on.
enum Fault {
    /// The broker ended it in good order.
    Ended(Error),
    /// The broker broke the rules; it is told the reason.
    Violation(Violation),
}

impl Fault {
    fn out_of_place(packet: PacketType, detail: &'static str) -> Self {
        Violation { reason: ReasonCode::ProtocolError, packet: Some(packet), detail, statement: "" }
            .into()
    }
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

fn violated(violation: Violation) -> Error {
    let code = match violation.reason {
        ReasonCode::MalformedPacket => Code::MalformedPacket,
        ReasonCode::PacketTooLarge => Code::PacketTooLarge,
        ReasonCode::ReceiveMaximumExceeded => Code::ReceiveMaximumExceeded,
        ReasonCode::TopicAliasInvalid => Code::TopicAliasInvalid,
        _ => Code::ProtocolError,
    };
    Error::new(code, format!("The broker sent {violation}"))
}

/// Subscription identifiers narrow the match: a copy that the broker sent for one of several
/// overlapping subscriptions reaches the handler of that one. Identifiers that leave nobody are of
/// an earlier subscription; then the topic alone decides.
fn narrowed(found: Arc<Match>, properties: Properties<'_>) -> Arc<Match> {
    if properties.is_empty() || found.routes.iter().all(|route| route.identifier.is_none()) {
        return found;
    }
    let identifiers: Vec<u32> = properties.subscription_identifiers().collect();
    if identifiers.is_empty() {
        return found;
    }
    let meant = |route: &&Route| {
        route.identifier.is_none_or(|identifier| identifiers.contains(&identifier))
    };
    match found.routes.iter().filter(meant).count() {
        0 => found,
        all if all == found.routes.len() => found,
        _ => {
            let routes = found.routes.iter().filter(meant).copied().collect();
            Arc::new(Match { topic: found.topic.clone(), routes })
        }
    }
}
