//! A process with a session: what the client does between program, engine, store and network, in small
//! steps that chance puts in order. It may die between any two of them, and in the middle of a write.

mod ask;
mod handle;
mod home;
mod keep;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mqttsession::{
    engine::{Completion, Engine, Receipt, Ticket},
    protocol::{Properties, ReasonCode},
    store::{Disk, Storage},
};

use self::{home::key_of, keep::Writer};
use crate::{network::LinkId, plan::Acknowledging, scene::Scene, tally::Happening, witness::End};

pub(crate) use home::Home;

/// A message that waits for its handler, or whose handler runs or has returned.
struct Item {
    copy: usize,
    qos: u8,
    receipt: Option<Receipt>,
    redelivered: bool,
}

/// One life.
pub(crate) struct Process {
    engine: Engine,
    disk: Disk,
    writer: Writer,
    link: Option<LinkId>,
    /// How many messages were in the store when it was opened: no limit refuses those.
    recovered: usize,
    /// It has been online.
    resumes: bool,
    input: Vec<u8>,
    /// What has been taken for writing and not been written.
    writing: Vec<u8>,
    inbox: VecDeque<Item>,
    running: Option<Item>,
    /// Handled, to be acknowledged later.
    held: Vec<Item>,
    last_ticket: Ticket,
    /// Who waits for a message to be stored.
    awaiting: BTreeMap<Ticket, (usize, usize)>,
    subscribing: BTreeMap<Ticket, String>,
    unsubscribing: BTreeSet<Ticket>,
    /// Filters that the broker has still to be rid of, and how many times; and those of each UNSUBSCRIBE
    /// on this connection.
    leaving: BTreeMap<String, usize>,
    unsubscribes: BTreeMap<u16, Vec<String>>,
    /// The filters that the broker was asked for.
    asked: BTreeSet<String>,
    /// Its messages, by number.
    numbers: BTreeMap<u64, (usize, usize)>,
    /// Of this connection: ids for which a PUBREC came, and the place of the last PUBREL in the order.
    confirmed_here: BTreeSet<u16>,
    last_release: Option<u64>,
}

impl Process {
    /// `recovered` is how many messages its store holds.
    fn new(engine: Engine, disk: Disk, recovered: usize) -> Self {
        Self {
            engine,
            disk,
            writer: Writer::default(),
            link: None,
            recovered,
            resumes: false,
            input: Vec::new(),
            writing: Vec::new(),
            inbox: VecDeque::new(),
            running: None,
            held: Vec::new(),
            last_ticket: 0,
            awaiting: BTreeMap::new(),
            subscribing: BTreeMap::new(),
            unsubscribing: BTreeSet::new(),
            leaving: BTreeMap::new(),
            unsubscribes: BTreeMap::new(),
            asked: BTreeSet::new(),
            numbers: BTreeMap::new(),
            confirmed_here: BTreeSet::new(),
            last_release: None,
        }
    }

    /// The program learns what is left of its messages, and says what it wants.
    fn pick_up(&mut self, home: &mut Home, scene: &mut Scene) {
        for (number, message) in &home.witness.stored().messages {
            let key = key_of(message);
            let publication = scene.book.publication(key);
            assert_eq!(
                (key.0, publication.number),
                (home.index, *number),
                "another number than it had"
            );
            self.numbers.insert(*number, key);
            let watcher = Completion::new(|_, _| {});
            let ended = self.engine.watch(*number, *number, &mut Some(watcher));
            assert!(ended.is_none(), "message {number} has ended already: {ended:?}");
        }
        let filters: Vec<String> = home.wanted.keys().cloned().collect();
        filters.iter().for_each(|filter| self.subscribe(filter, home, scene));
        let known = self.engine.filters();
        let stale = known.into_iter().filter(|filter| !home.wanted.contains_key(filter));
        for filter in stale.collect::<Vec<_>>() {
            self.unsubscribe(&filter, home, scene);
        }
        self.collect(home, scene);
    }

    // ---- getters

    pub(crate) fn link(&self) -> Option<LinkId> {
        self.link
    }

    /// Whether everything has come to its end. Where `forgiven`, the broker may never send again what waits
    /// for that.
    pub(crate) fn is_idle(&self, forgiven: bool) -> bool {
        self.engine.is_online()
            && self.engine.outstanding(false) == 0
            && self.engine.is_stored()
            && self.engine.output_length() == 0
            && self.writing.is_empty()
            && self.inbox.is_empty()
            && self.running.is_none()
            && self.held.is_empty()
            && self.subscribing.is_empty()
            && self.unsubscribing.is_empty()
            && self.leaving.is_empty()
            && (forgiven || self.engine.counters().unacknowledged == 0)
    }

    /// Whether the store takes nothing more until it is opened again.
    pub(crate) fn is_broken(&self) -> bool {
        self.writer.is_broken()
    }

    /// What keeps it from being idle.
    pub(crate) fn describe(&self) -> String {
        format!(
            "online {}, outstanding {}, stored {}, output {}, inbox {}, held {}, subscribing {:?}, \
             leaving {:?}, {:?}",
            self.engine.is_online(),
            self.engine.outstanding(false),
            self.engine.is_stored(),
            self.engine.output_length(),
            self.inbox.len(),
            self.held.len(),
            self.subscribing,
            self.leaving,
            self.engine.counters(),
        )
    }

    /// How many bytes its store takes.
    pub(crate) fn store_size(&self) -> u64 {
        self.disk.size()
    }

    // ---- how it ends

    fn leaves_behind(&mut self, home: &mut Home, scene: &mut Scene) {
        home.uncertain.extend(std::mem::take(&mut self.leaving).into_keys());
        if let Some(link) = self.link.take() {
            scene.links.leave_session(link);
        }
    }

    /// It is killed.
    pub(crate) fn kill(mut self, home: &mut Home, scene: &mut Scene) {
        scene.tell(&home.name, || "is killed");
        scene.tally.count(Happening::Killed);
        self.leaves_behind(home, scene);
        home.simulated.kill();
        home.dies(End::Killed, scene);
    }

    /// Its machine loses power.
    pub(crate) fn lose_power(mut self, home: &mut Home, scene: &mut Scene) {
        scene.tell(&home.name, || "loses power");
        // The other side does not learn of it from the machine.
        if let Some(link) = self.link {
            scene.links.cut(link, &mut scene.random);
        }
        self.leaves_behind(home, scene);
        home.cut_power(scene);
        home.dies(End::PowerCut, scene);
    }

    /// It ends in good order: what has not ended stays in the store. Whether it got so far.
    pub(crate) fn close(mut self, home: &mut Home, scene: &mut Scene) -> Option<Self> {
        scene.tell(&home.name, || "closes");
        self.engine.disconnect(ReasonCode::Success, Properties::EMPTY);
        while self.write_all(home, scene) {}
        self.lose(None, home, scene);
        while self.save(home, scene) {}
        if home.files.is_dead() {
            return Some(self);
        }
        self.engine.leave_in_store();
        self.collect(home, scene);
        // What follows from leaving is on nobody's record but the store's.
        while self.save(home, scene) {}
        home.witness.closes();
        let closed = self.disk.close();
        if home.files.is_dead() {
            return Some(self);
        }
        for publication in &scene.book.owners[home.index].publications {
            let life = scene.book.owners[home.index].fate.lives;
            let ended = publication.endings.iter().any(|(ended, _)| *ended == life);
            assert!(publication.life < life || ended, "closed, and {publication:?} has not ended");
        }
        self.leaves_behind(home, scene);
        let end = match closed {
            Ok(()) => {
                scene.tally.count(Happening::ClosedInOrder);
                End::Closed
            }
            Err(error) => {
                assert!(home.fault || home.cannot_sync, "the store cannot be closed: {error:?}");
                End::Killed
            }
        };
        home.simulated.kill();
        home.dies(end, scene);
        None
    }
}

/// Whether acknowledging is the program's business.
fn is_later(home: &Home) -> bool {
    home.plan.acknowledging == Acknowledging::Later
}

/// Whether what comes is acknowledged before it is handled.
fn on_receipt(home: &Home) -> bool {
    home.plan.acknowledging == Acknowledging::OnReceipt
}
