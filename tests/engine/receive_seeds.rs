//! Every message of QoS 1 or 2 from the broker is acknowledged in its turn, and one of QoS 2 is
//! delivered once, whatever happens in between (contract 5).
//!
//! The broker keeps its own rules: what it counts as in flight is never more than the session
//! announced, and a packet id is used again as soon as it is free.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use mqttsession::{
    engine::Receipt,
    protocol::{Cut, Packet, PropertyBlock, Publish, ReasonCode, Version, cut},
};
use mqttsession_tests::random::Random;

use crate::{
    packets::{connack, id, message1, message2, pubrel},
    pair::{Pair, VERSIONS, persist},
};

/// Each seed takes well under a millisecond.
const SEEDS: u64 = 1500;
const STEPS: usize = 120;
const RECEIVE_MAXIMUM: u16 = 3;

#[test]
fn every_received_message_is_acknowledged_in_its_turn_and_delivered_once() {
    let mut reached = [0; 4];
    for seed in 0..SEEDS {
        let run = std::panic::catch_unwind(|| Run::new(seed).play());
        let Ok(counts) = run else { panic!("seed {seed}") };
        reached.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    // What never happens is not tested.
    assert!(reached.iter().all(|count| *count > 100), "{reached:?}");
}

/// What is wrong with a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    TooLarge,
    Illegal,
}

/// A message that the broker has in flight.
#[derive(Clone)]
struct Flight {
    sequence: u64,
    qos: u8,
    payload: String,
    flaw: Flaw,
    released: bool,
}

struct Run {
    random: Random,
    pair: Pair,
    sent: u64,
    flights: BTreeMap<u16, Flight>,
    /// The ids of this connection, in the order in which their acknowledgements have to come.
    order: [VecDeque<u16>; 2],
    /// What counts towards the receive maximum on this connection.
    window: HashSet<u16>,
    /// What is still to be sent again.
    again: VecDeque<u16>,
    /// Messages whose handler has not returned.
    receipts: Vec<(String, Receipt)>,
    delivered: HashMap<String, u32>,
    /// These may come again: they were refused, or the broker's session was lost.
    forgiven: HashSet<String>,
    refused: u64,
    repeated: u64,
    lost: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let version = VERSIONS[random.below(3) as usize];
        let mut pair = Pair::with(version, |settings| {
            persist(settings);
            settings.keep_alive = 0;
            settings.receive_maximum = RECEIVE_MAXIMUM;
            settings.maximum_packet_size = 40;
            settings.set_aside_after = 1;
            settings.acknowledge_on_receipt = random.one_in(8);
        })
        .connected();
        pair.granted("#:2");
        Self {
            random,
            pair,
            sent: 0,
            flights: BTreeMap::new(),
            order: Default::default(),
            window: HashSet::new(),
            again: VecDeque::new(),
            receipts: Vec::new(),
            delivered: HashMap::new(),
            forgiven: HashSet::new(),
            refused: 0,
            repeated: 0,
            lost: 0,
        }
    }

    /// How often a message was set aside, refused, sent again and lost.
    fn play(mut self) -> [u64; 4] {
        for _ in 0..STEPS {
            match self.random.below(12) {
                0..4 => self.send_new(),
                4..6 => self.send_again(),
                6..8 => self.handle(),
                8..11 => self.read(),
                _ => self.lose(),
            }
        }
        for _ in 0..1000 {
            if self.flights.is_empty() && self.receipts.is_empty() {
                break;
            }
            self.send_again();
            self.handle();
            self.read();
        }
        assert!(self.flights.is_empty(), "everything has been acknowledged");
        let counters = self.pair.engine.counters();
        assert_eq!((counters.unacknowledged, counters.held_back), (0, 0));
        for (payload, times) in &self.delivered {
            assert!(*times == 1 || self.forgiven.contains(payload), "{payload}: {times} times");
        }
        [counters.incoming_set_aside, self.refused, self.repeated, self.lost]
    }

    fn has_room(&self) -> bool {
        self.window.len() < usize::from(RECEIVE_MAXIMUM)
    }

    fn send_new(&mut self) {
        if !self.has_room() || !self.again.is_empty() {
            return;
        }
        self.sent += 1;
        let flaw = match self.random.below(12) {
            0 => Flaw::TooLarge,
            1 => Flaw::Illegal,
            _ => Flaw::None,
        };
        let qos = 1 + self.random.below(2) as u8;
        let width = if flaw == Flaw::TooLarge { 50 } else { 1 };
        let payload = format!("{:0width$}", self.sent);
        let number = (1..).find(|number| !self.flights.contains_key(number)).expect("a free id");
        self.flights
            .insert(number, Flight { sequence: self.sent, qos, payload, flaw, released: false });
        self.send(number, false);
    }

    /// Sends the next that an earlier connection left behind.
    fn send_again(&mut self) {
        let Some(&number) = self.again.front() else { return };
        if self.flights[&number].released {
            self.again.pop_front();
            self.pair.receive(pubrel(number));
        } else if self.has_room() {
            self.again.pop_front();
            self.repeated += 1;
            self.send(number, true);
        }
    }

    fn send(&mut self, number: u16, duplicate: bool) {
        let Flight { qos, payload, flaw, .. } = self.flights[&number].clone();
        self.window.insert(number);
        self.order[usize::from(qos) - 1].push_back(number);
        let message = match qos {
            1 => message1(number, "a", &payload),
            _ => message2(number, "a", &payload),
        };
        let mut bytes = self.pair.encoded(Packet::Publish(Publish { duplicate, ..message }));
        if flaw == Flaw::Illegal {
            bytes[4] = b'+';
        }
        match self.pair.input(&bytes) {
            Err(error) => {
                assert!(flaw != Flaw::None, "{error}");
                self.come_back();
            }
            Ok(received) => {
                for message in received {
                    assert!(flaw == Flaw::None && message.payload == payload);
                    if qos == 2 {
                        *self.delivered.entry(payload.clone()).or_default() += 1;
                    }
                    self.receipts.extend(message.receipt.map(|receipt| (payload.clone(), receipt)));
                }
            }
        }
    }

    fn handle(&mut self) {
        if self.receipts.is_empty() {
            return;
        }
        let at = self.random.below(self.receipts.len() as u64) as usize;
        let (payload, receipt) = self.receipts.swap_remove(at);
        if self.random.one_in(5) {
            self.refused += 1;
            self.forgiven.insert(payload);
            self.pair.engine.refuse(receipt, ReasonCode::QuotaExceeded, PropertyBlock::new());
        } else {
            self.pair.engine.acknowledge(receipt, ReasonCode::Success);
        }
    }

    /// The broker reads what the session wrote.
    fn read(&mut self) {
        let bytes = self.pair.sent_bytes();
        let mut rest = &bytes[..];
        while let Ok(Cut::Whole { frame, length }) = cut(rest, u32::MAX) {
            rest = &rest[length..];
            match Packet::decode(frame, self.pair.version).expect("a legal packet") {
                Packet::Puback(ack) => {
                    assert_eq!(self.order[0].pop_front(), Some(ack.packet_id.get()));
                    self.end(ack.packet_id.get());
                }
                Packet::Pubrec(ack) => {
                    let number = ack.packet_id.get();
                    assert_eq!(self.order[1].pop_front(), Some(number));
                    if ack.reason.is_error() {
                        self.end(number);
                        continue;
                    }
                    self.flights.get_mut(&number).expect("a message in flight").released = true;
                    self.pair.receive(pubrel(number));
                }
                Packet::Pubcomp(ack) => {
                    assert!(self.flights[&ack.packet_id.get()].released);
                    self.end(ack.packet_id.get());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn end(&mut self, number: u16) {
        self.window.remove(&number);
        assert!(self.flights.remove(&number).is_some(), "{} is in flight", id(number));
    }

    /// The network breaks; what was on its way arrives or does not.
    fn lose(&mut self) {
        if self.random.one_in(2) {
            self.read();
        }
        self.come_back();
    }

    fn come_back(&mut self) {
        let kept = self.pair.version == Version::V31 || !self.random.one_in(6);
        self.pair.lose();
        self.pair.connect(true);
        self.pair.sent_bytes();
        self.pair.receive(connack(kept && self.pair.version != Version::V31));
        self.pair.sent_bytes();
        self.order = Default::default();
        self.window.clear();
        if !kept {
            self.lost += self.flights.len() as u64;
            self.flights.clear();
        }
        let mut again: Vec<u16> = self.flights.keys().copied().collect();
        again.sort_unstable_by_key(|number| self.flights[number].sequence);
        self.again = again.into();
        self.pair.events();
    }
}
