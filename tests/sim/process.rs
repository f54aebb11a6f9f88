//! A process with a session: what the client does between program, engine, store and network, in small
//! steps that chance puts in order. It may die between any two of them, and in the middle of a write.

mod ask;
mod handle;
mod keep;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
    sync::Arc,
};

use mqttsession::{
    engine::{Completion, Engine, Receipt, Receiving, Recovered, RecoveredMessage, Ticket},
    protocol::{Properties, ReasonCode},
    store::{Disk, SimulatedFiles, Storage},
};
use mqttsession_tests::seen::Seen;

use crate::{
    book::{Ending, Owner},
    fuse::FusedFiles,
    network::LinkId,
    plan::{Acknowledging, SessionPlan},
    program,
    scene::Scene,
    tally::Happening,
    witness::{End, Witness},
};
use keep::Writer;

/// What is there whether the process lives or not: its disk, and what the program wants.
pub(crate) struct Home {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) plan: SessionPlan,
    pub(crate) simulated: SimulatedFiles,
    pub(crate) files: FusedFiles,
    pub(crate) witness: Witness,
    /// Something is wrong with the disk at present.
    pub(crate) fault: bool,
    /// It has failed to sync, or will, in the life of this process.
    pub(crate) cannot_sync: bool,
    pub(crate) wanted: BTreeMap<String, u8>,
    /// Filters whose unsubscribe had no answer when a process ended: the broker may have them still.
    pub(crate) uncertain: BTreeSet<String>,
    /// How the last process ended.
    end: End,
    /// Which copy of QoS 2 came last under which packet id.
    received: BTreeMap<u16, usize>,
    /// In which order the PUBRECs came.
    confirmed: BTreeMap<u16, u64>,
    confirmations: u64,
}

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
    /// Filters that the broker has still to be rid of, and those of each UNSUBSCRIBE on this connection.
    leaving: BTreeSet<String>,
    unsubscribes: BTreeMap<u16, Vec<String>>,
    /// The filters that the broker was asked for.
    asked: BTreeSet<String>,
    /// Its messages, by number.
    numbers: BTreeMap<u64, (usize, usize)>,
    /// Of this connection: ids for which a PUBREC came, and the place of the last PUBREL in the order.
    confirmed_here: BTreeSet<u16>,
    last_release: Option<u64>,
}

impl Home {
    pub(crate) fn new(index: usize, plan: SessionPlan) -> Self {
        let simulated = SimulatedFiles::default();
        Self {
            index,
            name: plan.settings.client_id.clone(),
            files: FusedFiles::new(simulated.clone()),
            simulated,
            witness: Witness::new(plan.durability),
            fault: false,
            cannot_sync: false,
            wanted: plan.filters.iter().map(|&(filter, qos)| (filter.to_owned(), qos)).collect(),
            uncertain: BTreeSet::new(),
            end: End::Closed,
            received: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            confirmations: 0,
            plan,
        }
    }

    /// A process begins: opens the store and goes on with what it holds. It may not come about: the disk is
    /// at fault, or the process dies over it.
    pub(crate) fn begin(&mut self, scene: &mut Scene) -> Option<Process> {
        let files = Arc::new(self.files.clone());
        let client_id = &self.plan.settings.client_id;
        let opened = Disk::open(files, Path::new("store"), client_id, self.plan.disk);
        if self.files.is_dead() {
            scene.tell(&self.name, || "dies over its store");
            drop(opened);
            self.dies(self.end.max_with(End::Killed), scene);
            return None;
        }
        let (disk, recovered) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                scene.tell(&self.name, || format!("cannot open its store: {error}"));
                assert!(self.fault, "the store cannot be opened, and the disk is well: {error:?}");
                return None;
            }
        };
        scene.book.owners[self.index].fate.lives += 1;
        self.cannot_sync &= self.fault;
        self.look_at(&recovered, scene);
        let found = recovered.messages.len();
        let settings = Arc::clone(&self.plan.settings);
        let engine = Engine::with_store(settings, false, recovered, scene.clock.wall());
        let mut process = Process {
            engine: engine.expect("legal settings"),
            disk,
            writer: Writer::default(),
            link: None,
            recovered: found,
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
            leaving: BTreeSet::new(),
            unsubscribes: BTreeMap::new(),
            asked: BTreeSet::new(),
            numbers: BTreeMap::new(),
            confirmed_here: BTreeSet::new(),
            last_release: None,
        };
        process.pick_up(self, scene);
        Some(process)
    }

    /// What the store holds is what it was given.
    fn look_at(&mut self, recovered: &Recovered, scene: &mut Scene) {
        scene.tell(&self.name, || {
            format!(
                "opens its store after {:?}: messages {:?}, received {:?}, retired {:?}, granted {:?}{}",
                self.end,
                recovered.messages.iter().map(|(n, m)| (*n, m.packet_id.map(|id| id.get()), m.released)).collect::<Vec<_>>(),
                recovered.received,
                recovered.retired,
                recovered.granted.keys(),
                if recovered.doubtful { ", doubtful" } else { "" },
            )
        });
        let lost = self.witness.opened(recovered, self.end);
        if lost
            && self.end == End::PowerCut
            && self.plan.durability != crate::plan::Durability::Message
        {
            scene.tell(&self.name, || "has lost what was not synced");
            scene.book.forgive(self.index);
        }
        // Of a session that began when nothing of it could be stored any more, this process knows nothing.
        scene.book.owners[self.index].met = self.witness.session().unwrap_or(0);
        scene.book.owners[self.index].doubtful = recovered.doubtful;
        scene.tally.add(Happening::Recovered, recovered.messages.len() as u64);
        let life = scene.book.owners[self.index].fate.lives;
        let Owner { publications, .. } = &mut scene.book.owners[self.index];
        for (index, publication) in publications.iter_mut().enumerate() {
            let left = publication.endings.last().is_some_and(|(_, ending)| {
                *ending == Ending::Failed(mqttsession::error::Code::LeftInStore)
            });
            let unended = publication.endings.is_empty() || left;
            let found = recovered.messages.get(&publication.number);
            let found = found.is_some_and(|found| key_of(found) == (self.index, index));
            if publication.qos > 0 && publication.life < life && unended && !found {
                publication.vanished = true;
                publication.confirmed |= left;
            }
        }
        for (id, how) in &recovered.received {
            if *how == Receiving::Handled
                && let Some(copy) = self.received.get(&id.get())
                && !scene.book.copies[*copy].starts.is_empty()
            {
                scene.book.copies[*copy].settled = true;
            }
        }
    }

    /// The process has ended.
    fn dies(&mut self, end: End, scene: &mut Scene) {
        // What was never there cannot miss anything.
        let made = scene.book.owners[self.index].fate.lives > 0;
        self.end = if made { end } else { End::Closed };
        self.files.put_out();
        if end == End::PowerCut {
            scene.book.owners[self.index].fate.power_cuts += 1;
        }
    }

    /// The machine loses power, and no process of it lives.
    pub(crate) fn lose_power(&mut self, scene: &mut Scene) {
        scene.tell(&self.name, || "loses power, and was not running");
        self.cut_power(scene);
        // What was closed in order has been synced.
        if self.end != End::Closed {
            self.dies(End::PowerCut, scene);
        }
    }

    fn cut_power(&mut self, scene: &mut Scene) {
        scene.tally.count(Happening::CutPower);
        let random = &mut scene.random;
        let kind = random.below(3);
        self.simulated.cut_power(&mut |length| match kind {
            0 => 0,
            1 => {
                if random.one_in(2) {
                    length
                } else {
                    0
                }
            }
            _ => random.below(length as u64 + 1) as usize,
        });
    }
}

impl End {
    /// Of two ends in a row, the one that took more.
    fn max_with(self, other: Self) -> Self {
        if self == Self::PowerCut { self } else { other }
    }
}

/// Whose message it is that came out of a store, and which.
fn key_of(message: &RecoveredMessage) -> (usize, usize) {
    match Seen::decode(&message.packet, message.version.level()) {
        Ok(Some((Seen::Publish(publish), length))) if length == message.packet.len() => {
            program::origin(&publish.payload)
        }
        other => panic!("the store gave back {other:?}"),
    }
}

impl Process {
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
            let watcher: Completion = Box::new(|_, _| {});
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
        home.uncertain.append(&mut self.leaving);
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
