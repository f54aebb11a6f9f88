//! What was stored arrives, and at QoS 2 once, over lost connections, lost sessions and dead processes;
//! what was not stored never leaves.
//!
//! The process dies between any two steps, with the batch that was on its way to the disk or without.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Instant,
};

use mqttsession::{
    engine::{Engine, Output, QueuePolicy, Record, Recovered, Settings, WallClock},
    protocol::{Cut, Packet, QoS, ReasonCode, Version, cut},
};
use mqttsession_tests::random::Random;

use crate::{
    packets::{because, connack, puback, pubcomp, pubrec},
    pair::{Pair, VERSIONS, limit, message, persist},
};

/// Each seed takes about a millisecond.
const SEEDS: u64 = 1000;
const STEPS: usize = 150;

#[test]
fn what_was_stored_arrives_and_what_was_not_never_leaves() {
    let mut reached = [0; 7];
    for seed in 0..SEEDS {
        let run = std::panic::catch_unwind(|| Run::new(seed).play());
        let Ok(counts) = run else { panic!("seed {seed}") };
        reached.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    // What never happens is not tested.
    assert!(reached.iter().all(|count| *count > 100), "{reached:?}");
}

/// The broker, as far as it takes messages.
#[derive(Default)]
struct Broker {
    /// What came of the packet that is not whole yet.
    partial: Vec<u8>,
    answers: VecDeque<Packet<'static>>,
    /// Messages of QoS 2 until their release.
    held: HashMap<u16, String>,
    /// The PUBLISHes of this connection that have no answer yet.
    unanswered: HashSet<u16>,
    delivered: HashMap<String, u32>,
    refused: HashSet<String>,
}

impl Broker {
    fn lose(&mut self, kept: bool) {
        self.partial.clear();
        self.answers.clear();
        self.unanswered.clear();
        if !kept {
            self.held.clear();
        }
    }

    fn read(&mut self, bytes: &[u8], version: Version) {
        self.partial.extend_from_slice(bytes);
        let input = std::mem::take(&mut self.partial);
        let mut rest = &input[..];
        while let Ok(Cut::Whole { frame, length }) = cut(rest, u32::MAX) {
            rest = &rest[length..];
            match Packet::decode(frame, version).expect("a legal packet") {
                Packet::Publish(publish) => {
                    let id = publish.packet_id.map_or(0, |id| id.get());
                    let payload = String::from_utf8_lossy(publish.payload).into_owned();
                    if id > 0 {
                        assert!(self.unanswered.insert(id), "{id} is in use [MQTT-2.2.1-3]");
                    }
                    self.take(publish.qos, id, payload, version);
                }
                Packet::Pubrel(ack) => {
                    self.held.remove(&ack.packet_id.get());
                    self.answers.push_back(pubcomp(ack.packet_id.get()));
                }
                _ => {}
            }
        }
        self.partial = rest.to_vec();
    }

    fn take(&mut self, qos: QoS, id: u16, payload: String, version: Version) {
        let refuses = version.is_v5() && payload.ends_with('7');
        let no = because(id.max(1), ReasonCode::QuotaExceeded);
        match qos {
            QoS::AtMostOnce => return,
            _ if refuses => {
                self.refused.insert(payload);
                let exactly_once = qos == QoS::ExactlyOnce;
                let answer = if exactly_once { Packet::Pubrec(no) } else { Packet::Puback(no) };
                return self.answers.push_back(answer);
            }
            QoS::AtLeastOnce => self.answers.push_back(puback(id)),
            QoS::ExactlyOnce => {
                self.answers.push_back(pubrec(id));
                if let Some(held) = self.held.insert(id, payload.clone()) {
                    assert_eq!(held, payload, "{id} stands for two messages [MQTT-2.2.1-4]");
                    return;
                }
            }
        }
        *self.delivered.entry(payload).or_default() += 1;
    }

    /// Its next answer.
    fn answer(&mut self) -> Option<Packet<'static>> {
        let answer = self.answers.pop_front()?;
        match &answer {
            Packet::Puback(ack) | Packet::Pubcomp(ack) | Packet::Pubrec(ack)
                if ack.reason.is_error() || !matches!(answer, Packet::Pubrec(_)) =>
            {
                self.unanswered.remove(&ack.packet_id.get());
            }
            _ => {}
        }
        Some(answer)
    }
}

/// A message, as the program knows it.
struct Message {
    qos: u8,
    /// A store has said that it has it.
    stored: bool,
    /// It was in no batch that any disk had when its process died.
    vanished: bool,
    /// Its end was told, and was not a good one.
    failed: bool,
}

struct Run {
    random: Random,
    settings: Arc<Settings>,
    pair: Pair,
    stored: Recovered,
    underway: Option<(u64, Vec<u8>)>,
    broker: Broker,
    /// By number, over all processes.
    messages: BTreeMap<u64, Message>,
    session_lost: bool,
    counts: [u64; 7],
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let version = VERSIONS[random.below(3) as usize];
        let mut settings = Settings { version, ..Settings::default() };
        persist(&mut settings);
        settings.keep_alive = 0;
        settings.in_flight_limit = 1 + random.below(4) as u16;
        if random.one_in(3) {
            settings.queue = limit(6, 400, QueuePolicy::DropOldest);
        }
        let settings = Arc::new(settings);
        let pair = process(&settings, Recovered::default());
        let mut run = Self {
            random,
            settings,
            pair,
            stored: Recovered::default(),
            underway: None,
            broker: Broker::default(),
            messages: BTreeMap::new(),
            session_lost: false,
            counts: [0; 7],
        };
        run.connect(false);
        run
    }

    /// How often a process died, with a batch on its way that the disk had and had not, a session was
    /// lost, and how many messages were dropped, refused and doubled at QoS 1.
    fn play(mut self) -> [u64; 7] {
        for _ in 0..STEPS {
            match self.random.below(32) {
                0..8 => self.publish(),
                8..13 => self.write(),
                13..17 => self.sync(),
                17..22 => self.send(),
                22..27 => self.hear(),
                27 | 28 => self.reconnect(true),
                29 if self.settings.version != Version::V31 && self.random.one_in(3) => {
                    self.counts[3] += 1;
                    self.session_lost = true;
                    self.reconnect(false);
                }
                30 => self.die(),
                _ => {}
            }
            self.collect();
        }
        for _ in 0..200 {
            self.write();
            self.sync();
            self.send();
            self.hear();
            self.collect();
        }
        self.judge()
    }

    fn publish(&mut self) {
        let qos = self.random.below(3) as u8;
        // The number that it is going to have, if it is taken.
        let number = self.messages.keys().next_back().map_or(1, |last| last + 1);
        let number = number.max(self.stored.last_number + 1);
        let payload = number.to_string();
        let Ok(given) = self.pair.try_publish(message(qos, "a", &payload)) else { return };
        assert_eq!(given, number);
        let message = Message { qos, stored: false, vanished: false, failed: false };
        self.messages.insert(number, message);
    }

    fn write(&mut self) {
        if self.underway.is_some() {
            return;
        }
        let mut batch = Output::default();
        if let Some(number) = self.pair.engine.poll_records(&mut batch) {
            self.underway = Some((number, batch.parts().collect::<Vec<_>>().concat()));
        }
    }

    fn sync(&mut self) {
        let Some((batch, bytes)) = self.underway.take() else { return };
        self.apply(&bytes);
        self.pair.engine.handle_stored(batch, self.pair.now);
    }

    /// The disk has these records.
    fn apply(&mut self, bytes: &[u8]) {
        for record in Record::all(bytes) {
            let record = record.expect("a whole record");
            self.stored.apply(&record, 0);
            if let Record::Message { number, .. } = record {
                self.messages.get_mut(&number).expect("an accepted message").stored = true;
            }
        }
    }

    /// Writes an output; the connection may break in its midst.
    fn send(&mut self) {
        let bytes = self.pair.taken();
        let broken = self.random.one_in(8);
        let arrives = if broken { self.random.below(bytes.len() as u64 + 1) } else { u64::MAX };
        self.broker.read(&bytes[..bytes.len().min(arrives as usize)], self.settings.version);
        match broken {
            true => self.reconnect(true),
            false => self.pair.engine.handle_written(self.pair.now),
        }
    }

    fn hear(&mut self) {
        if let Some(answer) = self.broker.answer() {
            self.pair.receive(answer);
        }
    }

    fn reconnect(&mut self, kept: bool) {
        self.pair.lose();
        self.broker.lose(kept);
        self.connect(kept);
    }

    fn connect(&mut self, kept: bool) {
        self.pair.connect(true);
        self.pair.sent();
        self.pair.receive(connack(kept && self.settings.version != Version::V31));
    }

    /// How messages of earlier processes ended nobody is told; whoever asks learns it.
    fn ask(&mut self) {
        for (&number, message) in &mut self.messages {
            let outcome = self.pair.outcome(number);
            let outcome = outcome.filter(|outcome| outcome != "ok" && outcome != "UNKNOWN_MESSAGE");
            message.failed |= outcome.is_some();
        }
    }

    fn die(&mut self) {
        self.ask();
        self.counts[0] += 1;
        if let Some((_, bytes)) = self.underway.take() {
            let survives = self.random.one_in(2);
            self.counts[1 + usize::from(survives)] += 1;
            if survives {
                self.apply(&bytes);
            }
        }
        for (number, message) in &mut self.messages {
            message.vanished |= message.qos > 0 && !message.stored;
            // Nobody promised these numbers to anybody: another process gives them again.
            message.vanished |= *number > self.stored.last_number;
        }
        // What left all the same would be found under another number.
        for (number, message) in &self.messages {
            if message.vanished && message.qos > 0 {
                assert_eq!(self.broker.delivered.get(&number.to_string()), None, "{number}");
            }
        }
        self.messages.retain(|_, message| !message.vanished);
        self.broker.lose(true);
        self.pair = process(&self.settings, self.stored.clone());
        self.connect(true);
    }

    fn collect(&mut self) {
        for line in self.pair.ended() {
            let (number, outcome) = line.split_once(": ").expect("number: outcome");
            let number: u64 = number.parse().expect("a number");
            let message = self.messages.get_mut(&number).expect("an accepted message");
            message.failed |= outcome != "ok";
            self.counts[4] += u64::from(outcome == "DROPPED");
        }
        self.pair.events();
    }

    fn judge(mut self) -> [u64; 7] {
        self.ask();
        assert!(self.pair.engine.is_stored());
        assert_eq!(self.pair.engine.outstanding(true), 0);
        assert_eq!(self.stored.messages.keys().collect::<Vec<_>>(), [&0; 0], "all have ended");
        self.counts[5] += self.broker.refused.len() as u64;
        for (number, message) in &self.messages {
            let payload = number.to_string();
            let times = self.broker.delivered.get(&payload).copied().unwrap_or(0);
            let ended = message.failed || self.broker.refused.contains(&payload);
            match message.qos {
                0 => continue,
                1 => self.counts[6] += u64::from(times > 1),
                _ if self.session_lost => {}
                _ => assert!(times <= 1, "{number} came {times} times"),
            }
            assert!(times > 0 || ended, "{number} never came");
        }
        self.counts
    }
}

fn process(settings: &Arc<Settings>, recovered: Recovered) -> Pair {
    let clock = WallClock { instant: Instant::now(), unix: 1_700_000_000_000 };
    let engine = Engine::with_store(settings.clone(), "me".into(), false, recovered, clock);
    Pair::of(engine.expect("legal settings"), settings.version, clock.instant)
}
