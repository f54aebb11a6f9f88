//! Records on their way to the store, and the store's answers on their way to the engine.

use mqttsession::{
    engine::Output,
    error::{Code, Error},
    store::Storage,
};

use super::{Home, Process};
use crate::{plan::Durability, scene::Scene, witness::Witness};

/// How far records have come.
#[derive(Default)]
pub(super) struct Writer {
    /// A batch that the store has not taken.
    unwritten: Option<(u64, Output)>,
    written: u64,
    synced: u64,
    /// What the engine has been told.
    told: u64,
    /// A sync has failed: the store takes nothing more.
    broken: bool,
}

impl Writer {
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }
}

impl Process {
    /// Writes the next batch; whether there was one and the store took it.
    pub(crate) fn write_batch(&mut self, home: &mut Home, scene: &mut Scene) -> bool {
        if self.writer.broken {
            return false;
        }
        if self.writer.unwritten.is_none() {
            let mut output = Output::default();
            let Some(batch) = self.engine.poll_records(&mut output) else { return false };
            let bytes = bytes_of(&output);
            scene.tell(&home.name, || {
                format!("records in batch {batch}: {}", Witness::describe(&bytes))
            });
            home.witness.offer(bytes, scene.book.owners[home.index].met);
            self.writer.unwritten = Some((batch, output));
        }
        let Some((batch, output)) = &self.writer.unwritten else { return false };
        match self.disk.append(output) {
            _ if home.files.is_dead() => false,
            Ok(()) => {
                self.writer.written = *batch;
                self.writer.unwritten = None;
                home.witness.written();
                true
            }
            Err(error) => {
                scene.tell(&home.name, || format!("cannot write: {error}"));
                self.blame_disk(&error, home);
                self.engine.handle_store_failed(error);
                self.collect(home, scene);
                false
            }
        }
    }

    /// Makes sure that this batch is written before what comes next; whether it is.
    pub(super) fn write_through(&mut self, batch: u64, home: &mut Home, scene: &mut Scene) -> bool {
        while self.writer.written < batch {
            if !self.write_batch(home, scene) {
                return false;
            }
        }
        true
    }

    /// Syncs what has been written, if the program wants that at all.
    pub(crate) fn sync(&mut self, home: &mut Home, scene: &mut Scene) {
        if home.plan.durability != Durability::System {
            self.sync_anyway(home, scene);
        }
    }

    fn sync_anyway(&mut self, home: &mut Home, scene: &mut Scene) {
        if self.writer.broken || self.writer.synced == self.writer.written {
            return;
        }
        match self.disk.sync() {
            _ if home.files.is_dead() => {}
            Ok(()) => {
                scene.tell(&home.name, || {
                    format!("has synced through batch {}", self.writer.written)
                });
                self.writer.synced = self.writer.written;
                home.witness.synced();
            }
            Err(error) => {
                scene.tell(&home.name, || format!("cannot sync: {error}"));
                self.blame_disk(&error, home);
                self.writer.broken = true;
                self.engine.handle_store_failed(error);
                self.collect(home, scene);
            }
        }
    }

    /// Tells the engine what has been stored.
    pub(crate) fn tell_stored(&mut self, home: &mut Home, scene: &mut Scene) {
        let through = match home.plan.durability {
            Durability::Message => self.writer.synced,
            Durability::Interval | Durability::System => self.writer.written,
        };
        if through > self.writer.told && !self.writer.broken {
            self.writer.told = through;
            self.engine.handle_stored(through, scene.clock.now());
            self.collect(home, scene);
            let limit = home.plan.settings.store_limit.0.max(self.recovered);
            let holds = home.witness.stored().messages.len();
            assert!(holds <= limit, "the store holds {holds} messages, and {limit} were allowed");
        }
    }

    /// Nothing fails but what the disk makes fail: at present, or because it failed to sync once, in whatever
    /// call that was.
    fn blame_disk(&mut self, error: &Error, home: &Home) {
        let cannot_sync = home.cannot_sync && error.code() == Code::StoreFailed;
        assert!(home.fault || cannot_sync, "the store fails, and the disk is well: {error:?}");
        self.writer.broken |= cannot_sync;
    }

    /// Makes the store smaller.
    pub(crate) fn tidy(&mut self, home: &mut Home, scene: &mut Scene) {
        if self.writer.broken {
            return;
        }
        let tidied = self.disk.tidy();
        if let Err(error) = tidied
            && !home.files.is_dead()
        {
            scene.tell(&home.name, || format!("cannot tidy: {error}"));
            self.blame_disk(&error, home);
        }
    }

    /// Everything that a store job does, once; whether there is more to do.
    pub(super) fn save(&mut self, home: &mut Home, scene: &mut Scene) -> bool {
        let wrote = self.write_batch(home, scene);
        if home.files.is_dead() {
            return false;
        }
        self.sync_anyway(home, scene);
        if home.files.is_dead() {
            return false;
        }
        self.tell_stored(home, scene);
        wrote
    }
}

pub(super) fn bytes_of(output: &Output) -> Vec<u8> {
    // More than one vectored write would take: an output of a simulation is small.
    output.with_slices(|slices| slices.iter().flat_map(|slice| slice.iter().copied()).collect())
}
