//! The engine and the peer at the other end of its connection.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mqttsession::{
    engine::{
        Completion, Engine, Inbound, Output, Publication, QueueLimit, QueuePolicy, Receipt,
        Refused, RouteId, Settings, Ticket,
    },
    error::{Error, Result},
    protocol::{
        Packet, Properties, PropertyBlock, Publish, ReasonCode, SubscriptionOptions, Version,
    },
};

use crate::{
    packets::connack,
    trace::{self, qos},
};

pub(crate) const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// A message that came out of the engine.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) routes: Vec<RouteId>,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) duplicate: bool,
    pub(crate) retain: bool,
    pub(crate) redelivered: bool,
}

/// One engine, its peer and their clock.
pub(crate) struct Pair {
    pub(crate) engine: Engine,
    pub(crate) version: Version,
    pub(crate) now: Instant,
    /// Input that is not a whole packet yet.
    partial: Vec<u8>,
    tickets: Ticket,
}

impl Pair {
    pub(crate) fn new(version: Version) -> Self {
        Self::with(version, |_| {})
    }

    /// An engine whose settings differ from the defaults by what `change` does.
    pub(crate) fn with(version: Version, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings { version, set_aside_after: 3, ..Settings::default() };
        change(&mut settings);
        let engine = Engine::new(Arc::new(settings), "me".into(), false).expect("legal settings");
        Self::of(engine, version, Instant::now())
    }

    pub(crate) fn of(engine: Engine, version: Version, now: Instant) -> Self {
        Self { engine, version, now, partial: Vec::new(), tickets: 0 }
    }

    /// One that has connected for the first time, to a broker that has no session.
    pub(crate) fn online(version: Version) -> Self {
        Self::with(version, |_| {}).connected()
    }

    /// One whose broker keeps the session, connected for the first time.
    pub(crate) fn persistent(version: Version) -> Self {
        Self::with(version, persist).connected()
    }

    pub(crate) fn connected(mut self) -> Self {
        self.connect(false);
        assert_eq!(self.sent().len(), 1, "a new session sends nothing but CONNECT");
        self.receive(connack(false));
        self
    }

    /// Loses the connection and makes another; the answer is what follows CONNECT.
    pub(crate) fn reconnect(&mut self, session_present: bool) -> Vec<String> {
        self.lose();
        self.connect(true);
        assert!(self.sent()[0].starts_with("CONNECT"));
        // 3.1 has no such flag: a session that was asked for is there.
        self.receive(connack(session_present && self.version != Version::V31));
        self.sent()
    }

    pub(crate) fn connect(&mut self, resume: bool) {
        self.engine.connect(resume, self.now).expect("options fit into CONNECT");
    }

    pub(crate) fn lose(&mut self) {
        self.partial.clear();
        self.engine.handle_closed(None);
    }

    /// The broker ends the connection.
    pub(crate) fn kicked(&mut self, loss: &Error) {
        self.partial.clear();
        self.engine.handle_closed(Some(loss));
    }

    // ---- what the peer does

    /// The peer sends a packet, and it is in order.
    pub(crate) fn receive(&mut self, packet: Packet<'_>) -> Vec<Received> {
        let bytes = self.encoded(packet);
        self.input(&bytes)
            .unwrap_or_else(|error| panic!("{packet:?} ends the connection: {error:?}"))
    }

    pub(crate) fn deliver(&mut self, message: Publish<'_>) -> Vec<Received> {
        self.receive(Packet::Publish(message))
    }

    /// The peer sends a packet that ends the connection; the answer is why.
    pub(crate) fn fault(&mut self, packet: Packet<'_>) -> Error {
        let bytes = self.encoded(packet);
        self.fault_of(&bytes)
    }

    pub(crate) fn fault_of(&mut self, bytes: &[u8]) -> Error {
        self.input(bytes).expect_err("the connection should have ended")
    }

    /// The peer's bytes arrive.
    pub(crate) fn input(&mut self, bytes: &[u8]) -> Result<Vec<Received>> {
        self.partial.extend_from_slice(bytes);
        let mut inbound = Inbound::default();
        let consumed = self.engine.handle_input(&self.partial, &mut inbound, self.now)?;
        let received = inbound.deliveries.iter().map(|delivery| {
            let matched = &inbound.matches[delivery.matched as usize];
            let payload = delivery.payload.start as usize..delivery.payload.end as usize;
            Received {
                topic: matched.topic.to_string(),
                payload: String::from_utf8_lossy(&self.partial[payload]).into_owned(),
                routes: matched.routes.iter().map(|route| route.id).collect(),
                receipt: delivery.receipt,
                duplicate: delivery.duplicate,
                retain: delivery.retain,
                redelivered: delivery.redelivered,
            }
        });
        let received = received.collect();
        self.partial.drain(..consumed);
        Ok(received)
    }

    pub(crate) fn encoded(&self, packet: Packet<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes).expect("the peer sends what can be encoded");
        bytes
    }

    // ---- what the program does

    /// Publishes with a completion, and the message is accepted.
    pub(crate) fn publish(&mut self, qos: u8, topic: &str, payload: &str) -> u64 {
        self.try_publish(message(qos, topic, payload)).expect("the message is accepted")
    }

    pub(crate) fn try_publish(&mut self, publication: Publication<'_>) -> Result<u64, Refused> {
        let completion = Completion::new(|_, _| {});
        self.engine.publish(&publication, &mut Some(completion), false)
    }

    /// Subscribes filters written as `filter:qos`; the answer is the ticket, which is also the route.
    pub(crate) fn subscribe(&mut self, filters: &[&str]) -> Ticket {
        self.subscribe_with(filters, |_| {}, PropertyBlock::new())
    }

    pub(crate) fn subscribe_with(
        &mut self,
        filters: &[&str],
        change: impl Fn(&mut SubscriptionOptions),
        properties: PropertyBlock,
    ) -> Ticket {
        self.tickets += 1;
        let filters: Vec<_> = filters.iter().map(|text| asked(text, &change)).collect();
        let answer = self.engine.subscribe(self.tickets, &filters, properties);
        answer.expect("the filters are accepted");
        self.tickets
    }

    pub(crate) fn unsubscribe(&mut self, filters: &[&str]) -> (Ticket, Vec<RouteId>) {
        self.tickets += 1;
        (self.tickets, self.engine.unsubscribe(self.tickets, filters, PropertyBlock::new()))
    }

    /// Subscribes, and the peer grants it.
    pub(crate) fn granted(&mut self, filter: &str) -> RouteId {
        let route = self.subscribe(&[filter]);
        let sent = self.sent();
        let number = sent[0].split(['#', ' ']).nth(2).expect("SUBSCRIBE #id filter");
        let code = [filter.as_bytes()[filter.len() - 1] - b'0'];
        self.receive(crate::packets::suback(number.parse().expect("a packet id"), &code));
        self.events();
        route
    }

    pub(crate) fn handled(&mut self, message: &Received) -> bool {
        let receipt = message.receipt.expect("a message of QoS 1 or 2");
        self.engine.acknowledge(receipt, ReasonCode::Success)
    }

    // ---- what the engine has for them

    /// The packets that the engine had to write; they have been written now.
    pub(crate) fn sent(&mut self) -> Vec<String> {
        trace::lines(&self.sent_bytes(), self.version)
    }

    pub(crate) fn sent_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let next = self.taken();
            if next.is_empty() {
                return bytes;
            }
            bytes.extend(next);
            self.engine.handle_written(self.now);
        }
    }

    /// One output, taken for writing and not written yet.
    pub(crate) fn taken(&mut self) -> Vec<u8> {
        let mut output = Output::default();
        self.engine.poll_output(&mut output, self.now);
        let length = output.len();
        let mut bytes = Vec::with_capacity(length);
        while !output.is_empty() {
            let wrote = output.with_slices(|slices| {
                slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
                slices.iter().map(|slice| slice.len()).sum()
            });
            output.advance(wrote);
        }
        assert_eq!(bytes.len(), length);
        bytes
    }

    /// How publishes ended: `number: outcome`; last those that are only watched. Their completions have
    /// been called.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let ended = self.engine.poll_ended();
        self.engine.completions_taken(ended.len());
        let mut told: Vec<_> = ended.into_iter().map(|end| (end.number, end.outcome)).collect();
        for end in self.engine.poll_watched() {
            if told.iter().all(|(number, _)| *number != end.number) {
                told.push((end.number, end.outcome));
            }
        }
        told.iter()
            .map(|(number, outcome)| format!("{number}: {}", trace::outcome(outcome)))
            .collect()
    }

    pub(crate) fn events(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.engine.poll_event()).map(|event| trace::event(&event)).collect()
    }

    /// How a message ended, if it has.
    pub(crate) fn outcome(&mut self, number: u64) -> Option<String> {
        let outcome = self.engine.watch(number, 0, &mut None);
        outcome.map(|outcome| trace::outcome(&outcome))
    }

    pub(crate) fn flush(&mut self) -> Ticket {
        self.tickets += 1;
        self.engine.flush(self.tickets);
        self.tickets
    }

    /// The line of a SUBSCRIBE to which the engine adds this identifier, under 5.0.
    pub(crate) fn identified(&self, line: &str, identifier: u32) -> String {
        identified(self.version, line, identifier)
    }

    // ---- time

    pub(crate) fn elapse(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// Seconds until the engine wants to be called.
    pub(crate) fn due(&self) -> Option<u64> {
        self.engine.poll_timeout().map(|at| at.duration_since(self.now).as_secs())
    }

    /// Jumps to the next deadline and calls the engine.
    pub(crate) fn timeout(&mut self) -> Result<()> {
        self.now = self.engine.poll_timeout().expect("a deadline");
        self.engine.handle_timeout(self.now)
    }
}

/// The line of a SUBSCRIBE to which the engine adds this identifier, under 5.0.
pub(crate) fn identified(version: Version, line: &str, identifier: u32) -> String {
    match version.is_v5() {
        true => format!("{line} [SubscriptionIdentifier({identifier})]"),
        false => line.to_owned(),
    }
}

/// Settings under which the broker keeps the session.
pub(crate) fn persist(settings: &mut Settings) {
    settings.clean_session = false;
    if settings.version.is_v5() {
        let expiry = mqttsession::protocol::Property::SessionExpiryInterval(3600);
        settings.properties.push(expiry).expect("a first property");
    }
}

pub(crate) fn message<'a>(number: u8, topic: &'a str, payload: &'a str) -> Publication<'a> {
    Publication {
        topic,
        payload: payload.into(),
        qos: qos(number),
        retain: false,
        properties: Properties::EMPTY,
        lifetime: None,
    }
}

pub(crate) fn limit(messages: usize, bytes: usize, policy: QueuePolicy) -> QueueLimit {
    QueueLimit { messages, bytes, policy }
}

fn asked(text: &str, change: impl Fn(&mut SubscriptionOptions)) -> (&str, SubscriptionOptions) {
    let (filter, number) = text.rsplit_once(':').expect("filter:qos");
    let qos = qos(number.parse().expect("a number"));
    let mut options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
    change(&mut options);
    (filter, options)
}
