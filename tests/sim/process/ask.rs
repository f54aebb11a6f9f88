//! What the program asks for, and what it is told.

use std::time::Duration;

use mqttsession::{
    engine::{Completion, Event, Lifetime, Publication, Refused},
    error::Code,
    protocol::{Properties, PropertyBlock, QoS, SubscriptionOptions},
};

use super::{Home, Process};
use crate::{
    book::Ending,
    plan::{Acknowledging, TOPICS},
    program,
    scene::Scene,
    tally::Happening,
};

/// A payload that stands beside the buffer.
const LARGE: usize = 17 << 10;

impl Process {
    pub(crate) fn publish(&mut self, home: &mut Home, scene: &mut Scene) {
        let qos = [0, 1, 1, 2, 2, 2][scene.random.below(6) as usize];
        let topic = TOPICS[scene.random.below(TOPICS.len() as u64) as usize];
        let index = scene.book.owners[home.index].publications.len();
        let padding = match scene.random.below(60) {
            0 => LARGE,
            1..20 => 70,
            _ => 0,
        };
        let payload = program::payload(home.index, index, padding);
        let now = scene.clock.now();
        let time_to_live =
            scene.random.one_in(8).then(|| Duration::from_secs(1 + scene.random.below(60)));
        let lifetime = Lifetime { since: now, now, time_to_live };
        let publication = Publication {
            topic,
            payload: payload.into(),
            qos: QoS::from_u8(qos).expect("0, 1 or 2"),
            retain: false,
            properties: Properties::EMPTY,
            lifetime: time_to_live.is_some().then_some(lifetime),
        };
        let completion = Completion::new(|_, _| {});
        let waited = self.engine.outstanding(false);
        match self.engine.publish(&publication, &mut Some(completion), false) {
            Ok(number) => {
                scene.tell(&home.name, || {
                    format!("publishes {index} to {topic} at QoS {qos} as number {number}")
                });
                scene.tally.count(Happening::Published);
                assert_eq!(scene.book.publish(home.index, topic, qos, number), index);
                let before = self.numbers.insert(number, (home.index, index));
                assert_eq!(before, None, "number {number} is given twice");
                let limit = home.plan.settings.queue.messages.max(waited);
                let waiting = self.engine.outstanding(false);
                assert!(waiting <= limit, "{waiting} messages wait, and {limit} were allowed");
                if scene.random.one_in(3) {
                    self.await_stored(number, (home.index, index), home, scene);
                }
            }
            Err(Refused::Full) => scene.tally.count(Happening::LimitReached),
            Err(Refused::Because(error)) => {
                scene.tell(&home.name, || format!("cannot publish: {error}"));
            }
        }
        self.collect(home, scene);
    }

    fn await_stored(
        &mut self,
        number: u64,
        key: (usize, usize),
        home: &mut Home,
        scene: &mut Scene,
    ) {
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        match self.engine.await_stored(number, ticket) {
            Ok(()) => drop(self.awaiting.insert(ticket, key)),
            Err(error) => {
                scene.tell(&home.name, || format!("cannot wait for {number}: {error}"));
                assert!(home.fault || home.cannot_sync, "{error:?}");
            }
        }
    }

    /// Subscribes or unsubscribes something.
    pub(crate) fn change_mind(&mut self, home: &mut Home, scene: &mut Scene) {
        // What comes after an unsubscribe is acknowledged on receipt, too, and nobody handles it.
        if home.plan.acknowledging == Acknowledging::OnReceipt {
            return;
        }
        let topic = TOPICS[scene.random.below(TOPICS.len() as u64) as usize];
        if home.wanted.remove(topic).is_some() {
            return self.unsubscribe(topic, home, scene);
        }
        let qos = 1 + scene.random.below(2) as u8;
        home.wanted.insert(topic.to_owned(), qos);
        self.subscribe(topic, home, scene);
        self.collect(home, scene);
    }

    pub(super) fn subscribe(&mut self, filter: &str, home: &mut Home, scene: &mut Scene) {
        self.last_ticket += 1;
        let qos = home.wanted[filter];
        scene.tell(&home.name, || format!("subscribes {filter} at QoS {qos}"));
        let qos = QoS::from_u8(qos).expect("1 or 2");
        let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
        let asked =
            self.engine.subscribe(self.last_ticket, &[(filter, options)], PropertyBlock::new());
        asked.expect("a legal filter");
        home.uncertain.remove(filter);
        self.subscribing.insert(self.last_ticket, filter.to_owned());
    }

    pub(super) fn unsubscribe(&mut self, filter: &str, home: &mut Home, scene: &mut Scene) {
        self.last_ticket += 1;
        scene.tell(&home.name, || format!("unsubscribes {filter}"));
        self.unsubscribing.insert(self.last_ticket);
        *self.leaving.entry(filter.to_owned()).or_default() += 1;
        self.engine.unsubscribe(self.last_ticket, &[filter], PropertyBlock::new());
        self.collect(home, scene);
    }

    /// What is due in time.
    pub(crate) fn look_at_clock(&mut self, home: &mut Home, scene: &mut Scene) {
        let now = scene.clock.now();
        if self.engine.poll_timeout().is_some_and(|at| at <= now) {
            let done = self.engine.handle_timeout(now);
            self.collect(home, scene);
            if let Err(error) = done {
                self.write_all(home, scene);
                self.lose(Some(&error), home, scene);
            }
        }
    }

    /// Takes what the engine has to tell.
    pub(super) fn collect(&mut self, home: &mut Home, scene: &mut Scene) {
        self.collect_loss(None, home, scene);
    }

    /// The same; `in_flight` is how many messages were, when the broker has just said that it has no session.
    pub(super) fn collect_loss(
        &mut self,
        in_flight: Option<usize>,
        home: &mut Home,
        scene: &mut Scene,
    ) {
        let mut lost = 0;
        let ended = self.engine.poll_ended();
        self.engine.completions_taken(ended.len());
        let ended = ended.into_iter().map(|end| (end.number, end.outcome));
        let watched = self.engine.poll_watched().into_iter();
        for (number, outcome) in ended.chain(watched.map(|end| (end.number, end.outcome))) {
            let key = self.numbers[&number];
            let ending = match &outcome {
                Ok(_) => Ending::Delivered,
                Err(error) => Ending::Failed(error.code()),
            };
            scene.tell(&home.name, || format!("learns that message {} ended: {ending:?}", key.1));
            match ending {
                Ending::Failed(Code::SessionLost) => lost += 1,
                Ending::Failed(Code::Dropped) => scene.tally.count(Happening::LimitReached),
                Ending::Failed(Code::Expired) => scene.tally.count(Happening::Expired),
                Ending::Failed(Code::SetAside) => scene.tally.count(Happening::SetAside),
                Ending::Failed(Code::PayloadTooLarge) => scene.tally.count(Happening::GivenUp),
                _ => {}
            }
            scene.book.end(key, ending);
        }
        let mut accounted = 0;
        while let Some(event) = self.engine.poll_event() {
            match event {
                Event::Stored(ticket, stored) => self.stored(ticket, stored.is_ok(), home, scene),
                Event::Subscribed(ticket, results) => {
                    assert!(results.iter().all(Result::is_ok), "{results:?}");
                    let filter =
                        self.subscribing.remove(&ticket).expect("a subscribe is answered once");
                    if !self.asked.contains(&filter) {
                        scene.tally.count(Happening::GrantReused);
                    }
                }
                Event::Unsubscribed(ticket, _) => {
                    assert!(self.unsubscribing.remove(&ticket), "an unsubscribe is answered once");
                }
                Event::SessionLost(loss) => {
                    scene.tell(&home.name, || format!("is told of {loss:?}"));
                    scene.tally.count(Happening::SessionLost);
                    assert_eq!(loss.unknown, lost, "messages that ended with the session");
                    accounted = loss.renewed + loss.unknown;
                }
                _ => {}
            }
        }
        if let Some(in_flight) = in_flight {
            assert_eq!(accounted, in_flight, "what was in flight when the session was lost");
        }
    }

    fn stored(&mut self, ticket: u64, stored: bool, home: &mut Home, scene: &mut Scene) {
        let key = self.awaiting.remove(&ticket).expect("a ticket is answered once");
        let publication = scene.book.publication(key);
        if !stored || publication.qos == 0 {
            return;
        }
        let life = scene.book.owners[home.index].fate.lives;
        let publication = scene.book.publication(key);
        let ended = publication.endings.iter().any(|(ended, _)| *ended == life);
        let kept = home.witness.stored().messages.contains_key(&publication.number);
        assert!(ended || kept, "message {} is called stored, and is not: {publication:?}", key.1);
        publication.confirmed |= kept;
        scene.tally.count(Happening::Confirmed);
    }
}
