//! Every accepted publish ends exactly once, whatever happens in between (contract 4).
//!
//! A small generator interleaves what a program, a broker and a network may do. A failure prints the
//! seed, and that seed alone fails again.

use std::collections::{BTreeMap, HashMap, VecDeque};

use mqttsession::{
    engine::{Completion, QueuePolicy, Refused},
    protocol::{Cut, Packet, PacketId, QoS, Version, cut},
};

use crate::{
    packets::{connack, puback, pubcomp, pubrec},
    pair::{Pair, VERSIONS, limit, message, persist},
    random::Random,
};

/// Each seed takes well under a millisecond.
const SEEDS: u64 = 1500;
const STEPS: usize = 120;

#[test]
fn every_accepted_publish_ends_exactly_once() {
    for seed in 0..SEEDS {
        let run = std::panic::catch_unwind(|| Run::new(seed).play());
        assert!(run.is_ok(), "seed {seed}");
    }
}

struct Run {
    random: Random,
    pair: Pair,
    keeps: bool,
    accepted: u64,
    /// How often each message with a completion has ended.
    completed: BTreeMap<u64, usize>,
    watchers: HashMap<u64, usize>,
    watched: HashMap<u64, usize>,
    flushes: usize,
    /// Acknowledgements that the broker owes.
    owed: VecDeque<(QoS, PacketId)>,
    /// What was taken for writing and not written yet.
    unwritten: Option<Vec<u8>>,
    /// What the broker holds of QoS 2: message by packet id, until PUBREL.
    held: HashMap<PacketId, Vec<u8>>,
    /// How often each payload of QoS 2 reached the broker's subscribers.
    delivered: HashMap<Vec<u8>, usize>,
    /// The broker lost its session at some time.
    session_lost: bool,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let version = VERSIONS[random.below(3) as usize];
        let keeps = random.one_in(2);
        let policies = [
            QueuePolicy::Reject,
            QueuePolicy::DropNewest,
            QueuePolicy::DropOldest,
            QueuePolicy::KeepLatest,
        ];
        let policy = policies[random.below(4) as usize];
        let pair = Pair::with(version, |settings| {
            if keeps {
                persist(settings);
            }
            settings.in_flight_limit = 1 + random.below(4) as u16;
            settings.queue = limit(4 + random.below(8) as usize, 400, policy);
            settings.end_on_session_loss = random.one_in(4);
        });
        Self {
            random,
            pair,
            keeps,
            accepted: 0,
            completed: BTreeMap::new(),
            watchers: HashMap::new(),
            watched: HashMap::new(),
            flushes: 0,
            owed: VecDeque::new(),
            unwritten: None,
            held: HashMap::new(),
            delivered: HashMap::new(),
            session_lost: false,
        }
    }

    fn play(mut self) {
        for _ in 0..STEPS {
            match self.random.below(20) {
                0..7 => self.publish(),
                7..10 => self.write(),
                10..14 => self.acknowledge(),
                14 => self.watch(),
                15 => {
                    self.pair.flush();
                    self.flushes += 1;
                }
                16 => self.lose(),
                17 if self.random.one_in(10) => drop(self.pair.engine.cancel_all()),
                _ => self.connect(),
            }
            self.collect();
        }
        self.finish();
    }

    fn publish(&mut self) {
        let qos = self.random.below(3) as u8;
        let topic = ["a", "b", "c"][self.random.below(3) as usize];
        let payload = format!("{}", self.accepted + 1);
        let told = !self.random.one_in(3);
        let mut completion: Option<Completion> = told.then(|| Box::new(|_, _| {}) as Completion);
        let accepted =
            self.pair.engine.publish(message(qos, topic, &payload), &mut completion, false);
        match accepted {
            Ok(number) => {
                self.accepted += 1;
                assert_eq!(number, self.accepted, "numbers ascend without a gap");
                assert!(completion.is_none(), "an accepted publish takes its completion");
                if told {
                    self.completed.insert(number, 0);
                }
            }
            Err(Refused::Full) => assert_eq!(completion.is_some(), told, "a refused one leaves it"),
            Err(Refused::Because(error)) => panic!("{error}"),
        }
    }

    /// Finishes one write, or begins the next.
    fn write(&mut self) {
        if let Some(bytes) = self.unwritten.take() {
            self.pair.engine.handle_written();
            return self.broker_reads(&bytes);
        }
        let bytes = self.pair.taken();
        self.unwritten = (!bytes.is_empty()).then_some(bytes);
    }

    fn broker_reads(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Ok(Cut::Whole { frame, length }) = cut(rest, u32::MAX) {
            rest = &rest[length..];
            let packet = match frame.first >> 4 {
                1 => continue,
                _ => Packet::decode(frame, self.pair.version).expect("a legal packet"),
            };
            match packet {
                Packet::Publish(publish) => self.broker_takes(&publish),
                Packet::Pubrel(ack) => {
                    self.held.remove(&ack.packet_id);
                    self.owed.push_back((QoS::AtMostOnce, ack.packet_id));
                }
                _ => {}
            }
        }
    }

    fn broker_takes(&mut self, publish: &mqttsession::protocol::Publish<'_>) {
        let Some(id) = publish.packet_id else { return };
        if publish.qos == QoS::ExactlyOnce
            && self.held.insert(id, publish.payload.to_vec()).is_none()
        {
            *self.delivered.entry(publish.payload.to_vec()).or_default() += 1;
        }
        self.owed.push_back((publish.qos, id));
    }

    fn acknowledge(&mut self) {
        if !self.pair.engine.is_online() || self.owed.is_empty() {
            return;
        }
        let (kind, id) = self.owed.pop_front().expect("not empty");
        self.pair.receive(match kind {
            QoS::AtMostOnce => pubcomp(id.get()),
            QoS::AtLeastOnce => puback(id.get()),
            QoS::ExactlyOnce => pubrec(id.get()),
        });
    }

    fn watch(&mut self) {
        let number = 1 + self.random.below(self.accepted + 1);
        let mut watcher: Option<Completion> = Some(Box::new(|_, _| {}));
        let outcome = self.pair.engine.watch(number, number, &mut watcher);
        match outcome {
            None => *self.watchers.entry(number).or_default() += 1,
            Some(_) => assert!(watcher.is_some(), "an outcome or the watcher, not both"),
        }
        if let Some(times) = self.completed.get(&number) {
            let has_ended = *times == 1;
            let outcome = self.pair.engine.watch(number, 0, &mut None);
            assert_eq!(outcome.is_some(), has_ended, "message {number}");
        }
    }

    fn lose(&mut self) {
        self.unwritten = None;
        self.owed.clear();
        self.pair.lose();
    }

    fn connect(&mut self) {
        if self.pair.engine.is_online() || self.unwritten.is_some() {
            return;
        }
        if !self.pair.engine.is_connecting() {
            self.pair.connect(true);
            return self.write();
        }
        let kept = self.keeps && !self.random.one_in(4);
        // 3.1 has no way to tell that the session is gone.
        let kept = kept || self.keeps && self.pair.version == Version::V31;
        if !kept {
            self.held.clear();
            self.session_lost = true;
        }
        // The first session of a clean start cannot be present.
        let present = kept && self.pair.version != Version::V31;
        self.pair.receive(connack(present));
    }

    /// Counts what has ended.
    fn collect(&mut self) {
        let ended = self.pair.engine.poll_ended();
        let mut completions = 0;
        for end in ended {
            if end.completion.is_some() {
                completions += 1;
                *self.completed.get_mut(&end.number).expect("an accepted message") += 1;
                assert_eq!(self.completed[&end.number], 1, "message {} ended again", end.number);
            }
            *self.watched.entry(end.number).or_default() += end.watchers.len();
        }
        self.pair.engine.completions_taken(completions);
        self.flushes -=
            self.pair.events().iter().filter(|event| event.starts_with("flushed")).count();
    }

    /// The network heals and the broker answers: everything ends.
    fn finish(mut self) {
        for _ in 0..10_000 {
            let counters = self.pair.engine.counters();
            if counters.outgoing_messages == 0 && counters.outgoing_bytes == 0 {
                break;
            }
            self.connect();
            self.write();
            self.acknowledge();
            self.collect();
        }
        // What is still being written belongs to no count.
        self.write();
        self.write();
        self.collect();
        let unended: Vec<_> = self.completed.iter().filter(|(_, times)| **times != 1).collect();
        assert!(unended.is_empty(), "(message, ends) {unended:?}");
        self.watched.retain(|_, count| *count > 0);
        assert_eq!(self.watched, self.watchers, "every watcher was told once");
        assert_eq!(self.flushes, 0, "every flush was told once");
        let counters = self.pair.engine.counters();
        assert_eq!((counters.outgoing_messages, counters.in_flight), (0, 0));
        if !self.session_lost {
            for (payload, times) in self.delivered {
                assert_eq!(times, 1, "QoS 2 message {}", String::from_utf8_lossy(&payload));
            }
        }
    }
}
