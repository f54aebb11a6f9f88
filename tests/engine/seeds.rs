//! Every accepted publish ends exactly once, whatever happens in between (contract 4).
//!
//! A small generator interleaves what a program, a broker and a network may do. A failure prints the
//! seed, and that seed alone fails again.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use mqttsession::{
    engine::{Completion, Failed, Lifetime, Publication, QueuePolicy, Refused},
    error::{Code, Error},
    protocol::{Connack, Packet, Properties, Property, PropertyBlock, ReasonCode, Version},
};
use mqttsession_tests::random::Random;

use crate::{
    model::{Broker, Frailty, Limits, Published},
    packets::properties,
    pair::{Pair, VERSIONS, limit, message, persist},
};

/// Each seed takes well under a millisecond.
const SEEDS: u64 = 1500;
const STEPS: usize = 120;

#[test]
fn every_accepted_publish_ends_exactly_once() {
    let mut reached = [0; 8];
    for seed in 0..SEEDS {
        let run = std::panic::catch_unwind(|| Run::new(seed).play());
        let Ok(counts) = run else { panic!("seed {seed}") };
        reached.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    // What never happens is not tested.
    assert!(reached.iter().all(|count| *count > 100), "{reached:?}");
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
    /// Subscribes and unsubscribes that have no answer.
    requests: usize,
    published: HashMap<Vec<u8>, Published>,
    broker: Broker,
    /// What was taken for writing and not written yet.
    unwritten: Option<Vec<u8>>,
    /// The broker lost its session at some time.
    session_lost: bool,
    /// After how many connections a message is set aside.
    set_aside_after: u32,
}

/// Short and long, so that some have no alias.
const TOPICS: [&str; 6] = ["a", "b", "topic/a", "topic/b", "topic/c", "topic/d"];

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
        let set_aside_after = random.below(4) as u32;
        let mut frailty = Frailty::default();
        if set_aside_after > 0 && random.one_in(2) {
            let poison = (0..1 + random.below(3)).map(|_| 1 + random.below(20));
            frailty.poison = poison.map(|number| number.to_string().into_bytes()).collect();
            frailty.stores = random.one_in(2);
        }
        if random.one_in(2) {
            frailty.lingers = random.one_in(2);
            let often = [0, 0, 2, 12];
            frailty.releases = often[random.below(4) as usize];
            frailty.requests = often[random.below(4) as usize];
            frailty.qos0 = often[random.below(4) as usize];
        }
        let pair = Pair::with(version, |settings| {
            if keeps {
                persist(settings);
            }
            settings.keep_alive = 0;
            settings.topic_alias_limit = random.below(4) as u16;
            settings.set_aside_after = set_aside_after;
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
            requests: 0,
            published: HashMap::new(),
            broker: Broker::new(frailty),
            unwritten: None,
            session_lost: false,
            set_aside_after,
        }
    }

    /// How many messages ended under each cause, and how many went without their topic.
    fn play(mut self) -> [u64; 8] {
        for _ in 0..STEPS {
            match self.random.below(25) {
                22 | 23 => self.request(),
                24 => self.hear_nonsense(),
                20 => self.elapse(),
                21 => self.account(),
                0..7 => self.publish(),
                7..10 => self.write(),
                10..14 => self.acknowledge(),
                14 => self.watch(),
                15 => {
                    self.pair.flush();
                    self.flushes += 1;
                }
                16 => self.lose(),
                17 if self.random.one_in(10) => self.cancel(),
                _ => self.connect(),
            }
            self.collect();
        }
        self.finish()
    }

    fn publish(&mut self) {
        let qos = self.random.below(3) as u8;
        let topic = TOPICS[self.random.below(6) as usize];
        let payload = format!("{}", self.accepted + 1);
        let told = !self.random.one_in(3);
        let mut completion: Option<Completion> = told.then(|| Completion::new(|_, _| {}));
        let now = self.pair.now;
        let (block, interval, own_alias) = self.properties();
        let time_to_live =
            self.random.one_in(4).then(|| Duration::from_secs(self.random.below(20)));
        let lifetime = Lifetime { since: now, now, time_to_live };
        let publication = Publication {
            properties: block.as_properties(),
            lifetime: (time_to_live.is_some() || interval.is_some()).then_some(lifetime),
            ..message(qos, topic, &payload)
        };
        let accepted = self.pair.engine.publish(&publication, &mut completion, false);
        match accepted {
            Ok(number) => {
                self.accepted += 1;
                assert_eq!(number, self.accepted, "numbers ascend without a gap");
                assert!(completion.is_none(), "an accepted publish takes its completion");
                if told {
                    self.completed.insert(number, 0);
                }
                let interval = interval.map(|seconds| (seconds, now));
                self.published.insert(payload.into_bytes(), Published { topic, interval });
            }
            Err(Refused::Full) => assert_eq!(completion.is_some(), told, "a refused one leaves it"),
            Err(Refused::Because(error)) => {
                let refuses = own_alias || qos > self.broker.limits.maximum_qos;
                assert!(refuses && error.code() == Code::NotSupported, "{error:?}");
            }
        }
    }

    /// Properties, the expiry interval among them, and whether there is an alias.
    fn properties(&mut self) -> (PropertyBlock, Option<u32>, bool) {
        if !self.pair.version.is_v5() {
            return (PropertyBlock::new(), None, false);
        }
        let interval = self.random.one_in(4).then(|| 1 + self.random.below(30) as u32);
        let alias = self.random.one_in(8).then(|| 1 + self.random.below(4) as u16);
        let mut of = vec![Property::ContentType("text")];
        of.extend(interval.map(Property::MessageExpiryInterval));
        of.extend(alias.map(Property::TopicAlias));
        (properties(&of), interval, alias.is_some())
    }

    /// Finishes one write, or begins the next.
    fn write(&mut self) {
        let now = self.pair.now;
        if let Some(bytes) = self.unwritten.take() {
            self.pair.engine.handle_written(now);
            if !self.broker.read(&bytes, self.pair.version, &self.published, now) {
                self.kick(&Code::ConnectionClosed.into());
            }
            return;
        }
        let bytes = self.pair.taken();
        self.unwritten = (!bytes.is_empty()).then_some(bytes);
    }

    fn acknowledge(&mut self) {
        if self.pair.engine.is_online()
            && let Some(answer) = self.broker.answer()
        {
            self.pair.receive(answer);
        }
        if self.broker.breaks_down() {
            self.kick(&Code::ConnectionClosed.into());
        }
    }

    /// The broker ends the connection.
    fn kick(&mut self, loss: &Error) {
        self.unwritten = None;
        self.broker.lose();
        self.pair.kicked(loss);
    }

    /// Subscribes or unsubscribes something.
    fn request(&mut self) {
        let filter = TOPICS[self.random.below(6) as usize];
        match self.random.one_in(3) {
            true => drop(self.pair.unsubscribe(&[filter])),
            false => drop(self.pair.subscribe(&[&format!("{filter}:0")])),
        }
        self.requests += 1;
    }

    /// The broker sends a message that breaks the rules.
    fn hear_nonsense(&mut self) {
        if self.pair.engine.is_online()
            && let Err(error) = self.pair.input(b"\x30\x03\0\x01+")
        {
            self.kick(&error);
        }
    }

    /// The program has had enough, and leaves.
    fn cancel(&mut self) {
        self.pair.engine.cancel_all();
        self.pair.engine.disconnect(ReasonCode::Success, Properties::EMPTY);
        self.lose();
    }

    /// Time passes, and what becomes due in it does.
    fn elapse(&mut self) {
        let until = self.pair.now + Duration::from_secs(self.random.below(10));
        while let Some(at) = self.pair.engine.poll_timeout().filter(|at| *at <= until) {
            self.pair.now = at.max(self.pair.now);
            if self.pair.engine.handle_timeout(self.pair.now).is_err() {
                return self.lose();
            }
            let next = self.pair.engine.poll_timeout();
            assert!(next.is_none_or(|next| next > at), "what was due has been done");
        }
        self.pair.now = until;
    }

    /// Every accepted message has ended well, or under one cause, or has not ended.
    fn account(&mut self) {
        let mut failed = Failed::default();
        for number in 1..=self.accepted {
            let Some(outcome) = self.pair.outcome(number) else { continue };
            let cause = match &outcome[..] {
                "ok" => continue,
                "DROPPED" => &mut failed.dropped,
                "EXPIRED" => &mut failed.expired,
                "NOT_SUPPORTED" => &mut failed.refused,
                refused if refused.starts_with("PUBLISH_REFUSED") => &mut failed.refused,
                "CONNECTION_CLOSED" => &mut failed.lost,
                "SESSION_LOST" => &mut failed.session_lost,
                "CANCELLED" => &mut failed.cancelled,
                "SET_ASIDE" => {
                    // One finding alone may hit a neighbour; from two on it is certain.
                    let poison = &self.broker.frailty.poison;
                    let guilty = poison.contains(&number.to_string().into_bytes());
                    assert!(guilty || self.set_aside_after == 1, "message {number} is innocent");
                    &mut failed.set_aside
                }
                other => panic!("message {number} ended as {other}"),
            };
            *cause += 1;
        }
        assert_eq!(self.pair.engine.counters().failed, failed);
    }

    fn watch(&mut self) {
        let number = 1 + self.random.below(self.accepted + 1);
        let mut watcher: Option<Completion> = Some(Completion::new(|_, _| {}));
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
        self.broker.lose();
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
        self.session_lost |= !kept;
        // The first session of a clean start cannot be present.
        let session_present = kept && self.pair.version != Version::V31;
        let mut announced = PropertyBlock::new();
        let mut limits = Limits::NONE;
        if self.pair.version.is_v5() {
            limits.aliases = self.random.below(4) as u16;
            limits.receive_maximum = 1 + self.random.below(5) as u16;
            limits.maximum_qos = if self.random.one_in(8) { 1 } else { 2 };
            announced = properties(&[
                Property::TopicAliasMaximum(limits.aliases),
                Property::ReceiveMaximum(limits.receive_maximum),
            ]);
            if limits.maximum_qos == 1 {
                announced.push(Property::MaximumQos(1)).expect("a first one");
            }
        }
        self.broker.accept(kept, limits);
        let properties = announced.as_properties();
        self.pair.receive(Packet::Connack(Connack { session_present, code: 0, properties }));
    }

    /// Counts what has ended.
    fn collect(&mut self) {
        let ended = self.pair.engine.poll_ended();
        for end in &ended {
            *self.completed.get_mut(&end.number).expect("an accepted message") += 1;
            assert_eq!(self.completed[&end.number], 1, "message {} ended again", end.number);
        }
        self.pair.engine.completions_taken(ended.len());
        for end in self.pair.engine.poll_watched() {
            *self.watched.entry(end.number).or_default() += end.watchers.len();
        }
        for event in self.pair.events() {
            match event.split_once(' ').map_or("", |(kind, _)| kind) {
                "flushed" => self.flushes -= 1,
                "subscribed" | "unsubscribed" => self.requests -= 1,
                _ => {}
            }
        }
    }

    /// The network heals and the broker answers: everything ends.
    fn finish(mut self) -> [u64; 8] {
        let Frailty { releases, requests, qos0, .. } = &mut self.broker.frailty;
        (*releases, *requests, *qos0) = (0, 0, 0);
        for _ in 0..10_000 {
            let counters = self.pair.engine.counters();
            let unended = counters.outgoing_messages + counters.outgoing_bytes + self.requests;
            if unended == 0 {
                break;
            }
            self.connect();
            self.write();
            self.acknowledge();
            self.collect();
        }
        // What is still being written belongs to no count of messages.
        self.write();
        self.write();
        self.collect();
        self.account();
        let unended: Vec<_> = self.completed.iter().filter(|(_, times)| **times != 1).collect();
        assert!(unended.is_empty(), "(message, ends) {unended:?}");
        self.watched.retain(|_, count| *count > 0);
        assert_eq!(self.watched, self.watchers, "every watcher was told once");
        assert_eq!(self.flushes, 0, "every flush was told once");
        assert_eq!(self.requests, 0, "every request was answered once");
        let counters = self.pair.engine.counters();
        assert_eq!((counters.outgoing_messages, counters.in_flight), (0, 0));
        assert_eq!(counters.outgoing_bytes, 0);
        if !self.session_lost {
            for (payload, times) in &self.broker.delivered {
                assert_eq!(*times, 1, "QoS 2 message {}", String::from_utf8_lossy(payload));
            }
        }
        let Failed {
            dropped,
            expired,
            refused,
            lost,
            session_lost,
            cancelled,
            set_aside,
            left_in_store,
        } = counters.failed;
        assert_eq!(left_in_store, 0, "there is no store");
        let abbreviated = self.broker.abbreviated;
        [dropped, expired, refused, lost, session_lost, cancelled, set_aside, abbreviated]
    }
}
