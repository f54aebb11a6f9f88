//! A message of QoS 2 reaches its handler once, over lost connections, dead processes and power
//! failures; where it may have been seen before, it says so.
//!
//! The broker uses each packet id again as soon as it is free, which is when mistakes show.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Instant,
};

use mqttsession::{
    engine::{Engine, Output, Receipt, Record, Recovered, Settings, WallClock},
    protocol::{Cut, Packet, PropertyBlock, Publish, ReasonCode, Version, cut},
};
use mqttsession_tests::random::Random;

use crate::{
    packets::{connack, message2, pubrel, suback},
    pair::{Pair, VERSIONS, persist},
};

/// Each seed takes about a millisecond.
const SEEDS: u64 = 1000;
const STEPS: usize = 150;

#[test]
fn a_message_reaches_its_handler_once_or_is_marked() {
    let mut reached = [0; 6];
    for seed in 0..SEEDS {
        let run = std::panic::catch_unwind(|| Run::new(seed).play());
        let Ok(counts) = run else { panic!("seed {seed}") };
        reached.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    // What never happens is not tested.
    assert!(reached.iter().all(|count| *count > 100), "{reached:?}");
}

/// A message that the broker has in flight.
struct Flight {
    sequence: u64,
    payload: String,
    released: bool,
}

/// One that has arrived and waits for its handler.
struct Arrived {
    payload: String,
    receipt: Receipt,
    redelivered: bool,
}

/// A message that a handler has taken, and the batch of which the record is part.
struct Taken {
    payload: String,
    batch: u64,
}

/// Batches, as they were written; those up to `synced` survive a power failure.
#[derive(Default)]
struct Disk {
    batches: Vec<(u64, Vec<u8>)>,
    synced: usize,
    /// Where the last power failure came.
    failure: Option<usize>,
}

struct Run {
    random: Random,
    settings: Arc<Settings>,
    pair: Pair,
    disk: Disk,
    sent: u64,
    /// The broker's session has been asked for messages: before that it has none to send.
    subscribed: bool,
    flights: BTreeMap<u16, Flight>,
    queue: VecDeque<Arrived>,
    running: Option<(String, Receipt)>,
    taken: Vec<Taken>,
    process: u64,
    /// In which processes a handler was called with it.
    seen: HashMap<String, Vec<u64>>,
    /// Handled, and on a disk that the process does not take along.
    certain: HashSet<String>,
    /// Refused under 5.0: these are new messages if they come again.
    refused: HashSet<String>,
    failed_power: bool,
    counts: [u64; 6],
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let version = VERSIONS[random.below(3) as usize];
        let mut settings = Settings { version, ..Settings::default() };
        settings.keep_alive = 0;
        persist(&mut settings);
        let settings = Arc::new(settings);
        let mut run = Self {
            random,
            pair: process(&settings, Recovered::default()),
            settings,
            disk: Disk::default(),
            sent: 0,
            subscribed: false,
            flights: BTreeMap::new(),
            queue: VecDeque::new(),
            running: None,
            taken: Vec::new(),
            process: 0,
            seen: HashMap::new(),
            certain: HashSet::new(),
            refused: HashSet::new(),
            failed_power: false,
            counts: [0; 6],
        };
        run.go_online(false);
        run
    }

    /// How often a message was marked, refused and given back, and how often a process died, the power
    /// failed and the broker lost the session.
    fn play(mut self) -> [u64; 6] {
        for _ in 0..STEPS {
            match self.random.below(24) {
                0..5 => self.publish(),
                5..9 => self.begin(),
                9..12 => self.end(),
                12..15 => self.sync(),
                15..18 => self.read(),
                18 | 19 => self.reconnect(true),
                20 => self.give_back(),
                21 if self.settings.version != Version::V31 && self.random.one_in(3) => {
                    self.counts[5] += 1;
                    self.flights.clear();
                    self.reconnect(false);
                }
                22 => self.die(false),
                23 => self.die(true),
                _ => {}
            }
        }
        for _ in 0..1000 {
            if self.flights.is_empty() {
                break;
            }
            self.begin();
            self.end();
            self.sync();
            self.read();
        }
        self.sync();
        assert!(self.flights.is_empty(), "everything comes to its end");
        assert_eq!(self.pair.engine.counters().unacknowledged, 0);
        let found = self.disk.found(self.disk.batches.len());
        assert!(found.received.is_empty(), "and off the record: {:?}", found.received);
        self.counts
    }

    // ---- the broker

    fn publish(&mut self) {
        if !self.subscribed {
            return;
        }
        self.sent += 1;
        let number = (1..).find(|number| !self.flights.contains_key(number)).expect("a free id");
        let (sequence, payload) = (self.sent, self.sent.to_string());
        self.flights.insert(number, Flight { sequence, payload, released: false });
        // The first copy may get lost with its connection.
        match self.random.one_in(8) {
            true => self.reconnect(true),
            false => self.send(number, false),
        }
    }

    fn send(&mut self, number: u16, duplicate: bool) {
        let payload = self.flights[&number].payload.clone();
        let message = Publish { duplicate, ..message2(number, "a", &payload) };
        for message in self.pair.deliver(message) {
            assert_eq!(message.payload, payload);
            let receipt = message.receipt.expect("a message of QoS 2");
            let redelivered = message.redelivered;
            self.queue.push_back(Arrived { payload: message.payload, receipt, redelivered });
        }
    }

    /// Reads what the session wrote.
    fn read(&mut self) {
        let bytes = self.pair.sent_bytes();
        let mut rest = &bytes[..];
        while let Ok(Cut::Whole { frame, length }) = cut(rest, u32::MAX) {
            rest = &rest[length..];
            match Packet::decode(frame, self.pair.version).expect("a legal packet") {
                Packet::Pubrec(ack) => {
                    let number = ack.packet_id.get();
                    if ack.reason.is_error() {
                        self.flights.remove(&number).expect("a message in flight");
                        continue;
                    }
                    let flight = self.flights.get_mut(&number).expect("a message in flight");
                    // After it the broker does not send the message again.
                    assert!(self.certain.contains(&flight.payload), "{number} is not on record");
                    flight.released = true;
                    self.pair.receive(pubrel(number));
                }
                Packet::Pubcomp(ack) => {
                    let flight = self.flights.remove(&ack.packet_id.get()).expect("in flight");
                    assert!(flight.released);
                }
                Packet::Subscribe(subscribe) => {
                    self.subscribed = true;
                    self.pair.receive(suback(subscribe.packet_id.get(), &[2]));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    // ---- the connection

    fn reconnect(&mut self, kept: bool) {
        if self.random.one_in(2) {
            self.pair.sent_bytes();
        }
        self.pair.lose();
        self.go_online(kept);
    }

    fn go_online(&mut self, kept: bool) {
        self.pair.connect(self.process > 0);
        self.pair.sent_bytes();
        let present = kept && self.settings.version != Version::V31;
        self.pair.receive(connack(present));
        if !kept {
            // What its handlers do now is of no interest to the broker.
            self.queue.clear();
            self.running = None;
            self.taken.clear();
            self.subscribed = false;
        }
        let mut again: Vec<u16> = self.flights.keys().copied().collect();
        again.sort_unstable_by_key(|number| self.flights[number].sequence);
        for number in again {
            match self.flights[&number].released {
                true => drop(self.pair.receive(pubrel(number))),
                false => self.send(number, true),
            }
        }
        self.pair.events();
    }

    // ---- the program

    fn begin(&mut self) {
        if self.running.is_some() {
            return;
        }
        let Some(Arrived { payload, receipt, redelivered }) = self.queue.pop_front() else {
            return;
        };
        let Some(batch) = self.pair.engine.begin_handling(receipt) else { return };
        if batch > 0 {
            self.write();
        }
        assert!(!self.certain.contains(&payload), "{payload} had been handled");
        let seen = self.seen.entry(payload.clone()).or_default();
        let refused = self.refused.contains(&payload);
        let before = seen.iter().any(|process| *process < self.process);
        assert!(redelivered || seen.is_empty() || refused, "{payload} is not marked");
        assert!(!redelivered || before || refused || self.failed_power, "{payload} is marked");
        self.counts[0] += u64::from(redelivered);
        seen.push(self.process);
        self.running = Some((payload, receipt));
    }

    fn end(&mut self) {
        let Some((payload, receipt)) = self.running.take() else { return };
        let refuses = self.random.one_in(6);
        if refuses {
            self.counts[1] += 1;
            self.pair.engine.refuse(receipt, ReasonCode::QuotaExceeded, PropertyBlock::new());
        } else {
            self.pair.engine.acknowledge(receipt, ReasonCode::Success);
        }
        // Before 5.0 there is no refusal.
        if refuses && self.settings.version.is_v5() {
            self.refused.insert(payload);
        } else {
            let batch = self.pair.engine.newest_batch();
            self.taken.push(Taken { payload, batch });
        }
    }

    /// The disk does not take the record of the next message.
    fn give_back(&mut self) {
        if self.running.is_some() {
            return;
        }
        let Some(Arrived { receipt, .. }) = self.queue.pop_front() else { return };
        self.counts[2] += 1;
        self.pair.engine.begin_handling(receipt);
        self.pair.engine.abandon(receipt);
        self.reconnect(true);
    }

    // ---- the disk

    fn write(&mut self) {
        let mut output = Output::default();
        while let Some(batch) = self.pair.engine.poll_records(&mut output) {
            let bytes = output.with_slices(|slices| {
                slices.iter().flat_map(|slice| slice.iter().copied()).collect()
            });
            self.disk.batches.push((batch, bytes));
            output = Output::default();
        }
        let written = self.disk.batches.last().map_or(0, |(batch, _)| *batch);
        for taken in self.taken.extract_if(.., |taken| taken.batch <= written) {
            self.certain.insert(taken.payload);
        }
    }

    fn sync(&mut self) {
        self.write();
        self.disk.synced = self.disk.batches.len();
        if let Some((batch, _)) = self.disk.batches.last() {
            self.pair.engine.handle_stored(*batch, self.pair.now);
        }
    }

    /// The process dies; with `power`, so does the machine.
    fn die(&mut self, power: bool) {
        self.counts[3 + usize::from(power)] += 1;
        self.queue.clear();
        self.running = None;
        self.taken.clear();
        let survives = match power {
            false => self.disk.batches.len(),
            true => {
                let unsynced = self.disk.batches.len() - self.disk.synced;
                self.disk.synced + self.random.below(unsynced as u64 + 1) as usize
            }
        };
        if survives < self.disk.batches.len() {
            let found = self.disk.found(survives);
            // Those that the disk does not have are not certain any more.
            for (number, flight) in &self.flights {
                let id = mqttsession::protocol::PacketId::new(*number).expect("not 0");
                if found.received.get(&id) != Some(&mqttsession::engine::Receiving::Handled) {
                    self.certain.remove(&flight.payload);
                }
            }
        }
        self.failed_power |= power;
        self.disk.batches.truncate(survives);
        self.disk.synced = survives;
        if power {
            self.disk.failure = Some(survives);
        }
        let found = self.disk.found(survives);
        // Each process counts its batches from 1.
        self.disk.batches.iter_mut().for_each(|(batch, _)| *batch = 0);
        self.process += 1;
        self.pair = process(&self.settings, found);
        // A session of which no process knows that it is new would be taken for the old one.
        self.go_online(self.subscribed);
    }
}

impl Disk {
    fn found(&self, batches: usize) -> Recovered {
        let mut found = Recovered::default();
        for at in 0..=batches {
            found.doubtful |= self.failure == Some(at);
            for record in
                self.batches[..batches].get(at).iter().flat_map(|(_, all)| Record::all(all))
            {
                found.apply(&record.expect("a whole record"), 0);
            }
        }
        found
    }
}

fn process(settings: &Arc<Settings>, found: Recovered) -> Pair {
    let clock = WallClock { instant: Instant::now(), unix: 0 };
    let engine = Engine::with_store(settings.clone(), "me".into(), false, found, clock)
        .expect("legal settings");
    let mut pair = Pair::of(engine, settings.version, clock.instant);
    pair.subscribe(&["#:2"]);
    pair
}
