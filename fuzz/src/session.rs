//! What the fuzz target of the state machine asks of it.

use std::{
    io::IoSlice,
    sync::Arc,
    time::{Duration, Instant},
};

use mqttsession::{
    engine::{Engine, Inbound, Lifetime, Output, Publication, Receipt, Settings},
    error::Code,
    protocol::{
        Cut, Packet, Properties, Property, PropertyBlock, QoS, ReasonCode, Sender,
        SubscriptionOptions, Version, cut,
    },
};

struct Session {
    engine: Engine,
    version: Version,
    authenticates: bool,
    now: Instant,
    tickets: u64,
    /// Input of which the engine wants more.
    partial: Vec<u8>,
    receipts: Vec<Receipt>,
}

/// Plays a script. The first byte chooses version and options; then pieces follow that begin with
/// what is done (a byte) and how many bytes arrive thereafter (a byte).
pub fn play(input: &[u8]) {
    let Some((choice, mut script)) = input.split_first() else { return };
    let mut session = Session::new(*choice);
    session.come_back(true, false);
    while let [action, length, rest @ ..] = script {
        session.act(*action);
        session.drain();
        let (bytes, others) = rest.split_at(rest.len().min(usize::from(*length)));
        script = others;
        session.receive(bytes);
        session.drain();
    }
}

impl Session {
    fn new(choice: u8) -> Self {
        let version = [Version::V31, Version::V311, Version::V5][usize::from(choice % 3)];
        let mut settings = Settings { version, client_id: "me".into(), ..Settings::default() };
        settings.clean_session = false;
        settings.receive_maximum = 5;
        settings.maximum_packet_size = 60;
        settings.set_aside_after = 1;
        settings.topic_alias_limit = 2;
        settings.acknowledge_on_receipt = choice & 0x40 != 0;
        let authenticates = version.is_v5() && choice & 0x80 != 0;
        if version.is_v5() {
            let mut of = vec![Property::SessionExpiryInterval(60), Property::TopicAliasMaximum(2)];
            if authenticates {
                of.push(Property::AuthenticationMethod("M"));
            }
            of.iter().for_each(|&property| settings.properties.push(property).expect("legal"));
        }
        let engine = Engine::new(Arc::new(settings), false).expect("legal settings");
        Self {
            engine,
            version,
            authenticates,
            now: Instant::now(),
            tickets: 0,
            partial: Vec::new(),
            receipts: Vec::new(),
        }
    }

    /// Connects again; the broker may have accepted already, and kept the session.
    fn come_back(&mut self, accepted: bool, kept: bool) {
        self.engine.handle_closed(Some(&Code::ConnectionClosed.into()));
        self.drain();
        self.partial.clear();
        self.engine.connect(true, self.now).expect("the options fit");
        self.drain();
        if accepted {
            let mut connack = match self.version {
                Version::V5 if self.authenticates => b"\x20\x07\0\0\x04\x15\0\x01M".to_vec(),
                Version::V5 => b"\x20\x03\0\0\0".to_vec(),
                _ => b"\x20\x02\0\0".to_vec(),
            };
            connack[2] = (kept && self.version != Version::V31).into();
            self.receive(&connack);
            self.engine.authenticate(None, self.now).expect("nothing to say");
            assert!(self.engine.is_online());
        }
    }

    fn act(&mut self, action: u8) {
        let value = action >> 4;
        match action & 0x0f {
            0 => self.come_back(value & 1 == 0, value & 2 == 0),
            1 | 2 => self.publish(value),
            3 => self.subscribe(value),
            4 => {
                self.tickets += 1;
                let filters = [FILTERS[usize::from(value % 4)]];
                self.engine.unsubscribe(self.tickets, &filters, PropertyBlock::new());
            }
            5 if !self.receipts.is_empty() => {
                let receipt = self.receipts.swap_remove(usize::from(value) % self.receipts.len());
                let reason = [ReasonCode::Success, ReasonCode::QuotaExceeded];
                self.engine.acknowledge(receipt, reason[usize::from(value & 1)]);
            }
            6 => drop(self.engine.authenticate(Some(b"data"), self.now)),
            7 => drop(self.engine.reauthenticate()),
            8 => {
                self.now += Duration::from_secs(value.into());
                if self.engine.handle_timeout(self.now).is_err() {
                    self.come_back(true, true);
                }
            }
            9 => self.engine.pause(value & 1 == 0, self.now),
            10 => self.engine.flush(value.into()),
            _ => {}
        }
    }

    fn publish(&mut self, value: u8) {
        let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(value % 3)];
        let time_to_live = (value & 4 != 0).then_some(Duration::from_secs(3));
        let lifetime = Lifetime { since: self.now, now: self.now, time_to_live };
        let publication = Publication {
            topic: if value & 8 == 0 { "topic" } else { "other" },
            payload: b"x".into(),
            qos,
            retain: false,
            properties: Properties::EMPTY,
            lifetime: Some(lifetime),
        };
        drop(self.engine.publish(&publication, &mut Some(Box::new(|_, _| {})), false));
    }

    fn subscribe(&mut self, value: u8) {
        self.tickets += 1;
        let mut properties = PropertyBlock::new();
        if self.version.is_v5() && value & 8 != 0 {
            let identifier = Property::SubscriptionIdentifier(u32::from(value & 3) + 1);
            properties.push(identifier).expect("legal");
        }
        let filters = [(FILTERS[usize::from(value % 4)], SubscriptionOptions::default())];
        drop(self.engine.subscribe(self.tickets, &filters, properties));
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        let mut inbound = Inbound::default();
        match self.engine.handle_input(&self.partial, &mut inbound, self.now) {
            Ok(consumed) => drop(self.partial.drain(..consumed)),
            Err(error) => {
                self.drain();
                self.engine.handle_closed(Some(&error));
                self.come_back(true, true);
            }
        }
        for delivery in &inbound.deliveries {
            assert!(inbound.matches.len() > delivery.matched as usize);
            self.receipts.extend(delivery.receipt);
        }
    }

    /// Takes every output; what the session says is such as a client may say.
    fn drain(&mut self) {
        loop {
            let mut output = Output::default();
            self.engine.poll_output(&mut output, self.now);
            if output.is_empty() {
                break;
            }
            let concat =
                |slices: &[IoSlice<'_>]| slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let bytes: Vec<u8> = output.with_slices(concat);
            let mut rest = &bytes[..];
            while let Cut::Whole { frame, length } = cut(rest, u32::MAX).expect("whole packets") {
                // CONNECT names the version itself.
                if frame.first >> 4 != 1 {
                    Packet::decode_from(Sender::Client, frame, self.version).expect("a legal one");
                }
                rest = &rest[length..];
            }
            assert!(rest.is_empty());
            self.engine.handle_written(self.now);
        }
        let ended = self.engine.poll_ended();
        let called = ended.iter().filter(|end| end.completion.is_some()).count();
        self.engine.completions_taken(called);
        while self.engine.poll_event().is_some() {}
        self.engine.poll_refused();
        let counters = self.engine.counters();
        assert!(counters.in_flight <= counters.outgoing_messages);
        assert!(counters.held_back <= counters.unacknowledged);
    }
}

const FILTERS: [&str; 4] = ["a/+", "a/b", "#", "$share/g/a/b"];
