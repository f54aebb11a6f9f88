//! What outlives a process: its disk, what the program wants, and what is known of its stores.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use mqttsession::{
    engine::{Engine, Receiving, Recovered, RecoveredMessage},
    error::Code,
    store::{Disk, SimulatedFiles},
};
use mqttsession_tests::seen::Seen;

use super::Process;
use crate::{
    book::{Ending, Owner},
    fuse::FusedFiles,
    plan::{Durability, SessionPlan},
    program,
    scene::Scene,
    tally::Happening,
    witness::{End, Witness},
};

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
    pub(super) end: End,
    /// Which copy of QoS 2 came last under which packet id.
    pub(super) received: BTreeMap<u16, usize>,
    /// In which order the PUBRECs came.
    pub(super) confirmed: BTreeMap<u16, u64>,
    pub(super) confirmations: u64,
}

impl Home {
    pub(crate) fn new(index: usize, plan: SessionPlan) -> Self {
        let simulated = SimulatedFiles::default();
        Self {
            index,
            name: plan.client_id.clone(),
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
        let client_id = &self.plan.client_id;
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
        let id = self.plan.client_id.as_str().into();
        let engine = Engine::with_store(settings, id, false, recovered, scene.clock.wall());
        let engine = engine.expect("legal settings");
        let mut process = Process::new(engine, disk, found);
        process.pick_up(self, scene);
        Some(process)
    }

    /// What the store holds is what it was given.
    fn look_at(&mut self, recovered: &Recovered, scene: &mut Scene) {
        scene.tell(&self.name, || {
            format!(
                "opens its store after {:?}: messages {:?}, received {:?}, retired {:?}, granted {:?}{}",
                self.end,
                recovered.messages.iter().map(describe).collect::<Vec<_>>(),
                recovered.received,
                recovered.retired,
                recovered.granted.keys(),
                if recovered.doubtful { ", doubtful" } else { "" },
            )
        });
        let lost = self.witness.opened(recovered, self.end);
        if lost && self.end == End::PowerCut && self.plan.durability != Durability::Message {
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
            let left = publication
                .endings
                .last()
                .is_some_and(|(_, ending)| *ending == Ending::Failed(Code::LeftInStore));
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
    pub(super) fn dies(&mut self, end: End, scene: &mut Scene) {
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

    pub(super) fn cut_power(&mut self, scene: &mut Scene) {
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

/// Number, packet id and place among the releases.
fn describe((number, message): (&u64, &RecoveredMessage)) -> (u64, Option<u16>, Option<u64>) {
    (*number, message.packet_id.map(|id| id.get()), message.released)
}

impl End {
    /// Of two ends in a row, the one that took more.
    fn max_with(self, other: Self) -> Self {
        if self == Self::PowerCut { self } else { other }
    }
}

/// Whose message it is that came out of a store, and which.
pub(super) fn key_of(message: &RecoveredMessage) -> (usize, usize) {
    match Seen::decode(&message.packet, message.version.level()) {
        Ok(Some((Seen::Publish(publish), length))) if length == message.packet.len() => {
            program::origin(&publish.payload)
        }
        other => panic!("the store gave back {other:?}"),
    }
}
