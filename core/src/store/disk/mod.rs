//! The store on disk: one directory for each client id.
//!
//! ```text
//!   <directory>/<client id>/
//!      lock      held while a session has the store open
//!      log-7     batches of records, folded next          ─┐ what survived is what these
//!      log-8     batches of records, written to           ─┤ come to, in this order,
//!      base      what log-1 … log-6 came to               ─┘ behind the base
//! ```
//!
//! A batch is a frame of the newest log. When that has grown a new one is begun, and the old one is folded
//! into the base in one transaction that also says so; then it is removed. Whatever the process or the
//! machine dies at, one of both has it.

mod backend;
mod base;
mod contents;
mod fold;
mod frame;
mod header;
mod listing;
mod log;
mod name;
mod place;
mod reading;
mod scan;
mod start;

use std::{path::Path, sync::Arc};

use self::{
    base::Source,
    frame::Kind,
    header::{Header, Start},
    log::{Log, unix_now},
};
use super::{FileSystem, Storage};
use crate::{
    engine::{Output, Recovered},
    error::Result,
    sync::{Mutex, MutexGuard},
};

pub(super) use contents::Contents;
pub(super) use listing::client_id;
pub(super) use place::Place;
pub(super) use start::{clear, repair};

/// How a store on disk keeps house.
#[derive(Clone, Copy, Debug)]
pub struct DiskOptions {
    /// From how many bytes on a log is folded into the base.
    pub log_bytes: u64,
}

impl Default for DiskOptions {
    /// 16 MiB.
    fn default() -> Self {
        Self { log_bytes: 16 << 20 }
    }
}

/// So many logs may wait to be folded before a writer does it itself.
const PILE: usize = 4;

/// An open store.
#[derive(Debug)]
pub struct Disk {
    place: Place,
    options: DiskOptions,
    writer: Mutex<Writer>,
    /// Held while files are synced, and the writer's is not: of two who sync a file at once the system
    /// tells only one that it failed.
    syncing: Mutex<()>,
    /// Held while a log is folded. Never taken with the writer's, nor behind `syncing`.
    folding: Mutex<()>,
}

struct Writer {
    log: Log,
    /// Logs before it that have not been folded.
    closed: Vec<Closed>,
    /// The last frame that is known to have been synced.
    synced: u64,
    /// The directory has been synced since this log was begun.
    synced_log: u64,
    /// A sync has failed: what the disk has nobody knows.
    failed: bool,
    /// The logs could not be folded: a writer tries again when this one has grown to here.
    fold_at: u64,
    base_bytes: u64,
    machine: String,
    /// Gone when the store has been closed.
    lock: Option<Box<dyn Send + Sync>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("log", &self.log).field("closed", &self.closed).finish()
    }
}

#[derive(Debug)]
struct Closed {
    source: Source,
    is_synced: bool,
}

impl Disk {
    /// Opens the store of a client id below this directory, and makes it where there is none; with it
    /// comes what it holds.
    ///
    /// # Errors
    /// `STORE_LOCKED`, `STORE_READ_ONLY`, `STORE_FULL`, `STORE_CORRUPT`, `STORE_VERSION`,
    /// `STORE_FOREIGN`, `STORE_FAILED`. Nothing has been changed then, or only what does not count.
    pub fn open(
        files: Arc<dyn FileSystem>,
        directory: &Path,
        client_id: &str,
        options: DiskOptions,
    ) -> Result<(Self, Recovered)> {
        let place = Place::new(files, directory, client_id);
        let (writer, recovered) = start::open(&place, directory)?;
        let (writer, syncing, folding) = (Mutex::new(writer), Mutex::default(), Mutex::default());
        Ok((Self { place, options, writer, syncing, folding }, recovered))
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock()
    }
}

impl Writer {
    fn check(&self, place: &Place) -> Result<()> {
        match self.lock {
            None => Err(place.closed()),
            Some(_) if self.failed => Err(place.not_synced()),
            Some(_) => Ok(()),
        }
    }

    fn append(&mut self, place: &Place, kind: Kind, payload: &[&[u8]]) -> Result<()> {
        let appended = self.log.append(kind, unix_now(), self.synced, payload);
        appended.map_err(|error| place.failed("written", error))
    }

    /// Begins the next log. Nothing is synced here: [`Disk::sync`] makes the log's name survive before
    /// anything in it counts as synced.
    fn rotate(&mut self, place: &Place) -> Result<()> {
        let failed = |error| place.failed("written", error);
        let before = &self.log;
        let header = Header {
            number: before.number + 1,
            start: Start::Continued,
            first: before.next.sequence,
            chain: before.next.chain,
            salt: before.next.salt,
            created: unix_now(),
            client_id: place.client_id.as_ref().to_owned(),
            machine: self.machine.clone(),
        };
        let path = place.path(&name::of_log(header.number));
        let file = place.files.open(&path, true).map_err(failed)?;
        let log = match Log::create(file, &header) {
            Ok(log) => log,
            Err(error) => {
                // It holds nothing, and the next attempt begins it anew.
                let _ = place.files.remove(&path);
                return Err(failed(error));
            }
        };
        let before = std::mem::replace(&mut self.log, log);
        let is_synced = self.synced + 1 >= before.next.sequence;
        self.closed.push(Closed { source: before.into_source(), is_synced });
        Ok(())
    }
}

impl Storage for Disk {
    fn append(&self, batch: &Output) -> Result<()> {
        let mut writer = self.writer();
        if writer.closed.len() > PILE && writer.log.end >= writer.fold_at {
            drop(writer);
            // Where it fails the log grows instead, and who tidies up next is told why.
            let folded = self.fold();
            writer = self.writer();
            let again = writer.log.end.saturating_add(self.options.log_bytes);
            writer.fold_at = folded.map_or(again, |()| 0);
        }
        writer.check(&self.place)?;
        if writer.log.end > self.options.log_bytes && writer.closed.len() <= PILE {
            // Where no other can be begun this one grows on, and says itself what it cannot take.
            let _ = writer.rotate(&self.place);
        }
        let parts: Vec<&[u8]> = batch.parts().collect();
        writer.append(&self.place, Kind::Batch, &parts)
    }

    fn sync(&self) -> Result<()> {
        let _syncing = self.syncing.lock();
        let (files, last, log) = {
            let writer = self.writer();
            writer.check(&self.place)?;
            let last = writer.log.next.sequence - 1;
            if writer.synced == last && writer.synced_log == writer.log.number {
                return Ok(());
            }
            let closed = writer.closed.iter().filter(|closed| !closed.is_synced);
            let mut files: Vec<_> = closed.map(|closed| closed.source.file.clone()).collect();
            files.push(writer.log.file.clone());
            let log = (writer.synced_log != writer.log.number).then_some(writer.log.number);
            (files, last, log)
        };
        let directory = || match log {
            Some(_) => self.place.files.sync_directory(&self.place.directory),
            None => Ok(()),
        };
        let synced = files.iter().try_for_each(|file| file.sync()).and_then(|()| directory());
        let mut writer = self.writer();
        if let Err(error) = synced {
            writer.failed = true;
            return Err(self.place.not_synced().with_source(error));
        }
        writer.synced = writer.synced.max(last);
        writer.synced_log = writer.synced_log.max(log.unwrap_or(0));
        for closed in &mut writer.closed {
            closed.is_synced |= closed.source.end <= last + 1;
        }
        Ok(())
    }

    fn tidy(&self) -> Result<()> {
        self.fold()
    }

    fn close(&self) -> Result<()> {
        // A log that is being folded has to be let go of before the lock.
        let _folding = self.folding.lock();
        // The mark says that everything before it has been synced, so it must have been.
        let closed = self
            .sync()
            .and_then(|()| self.writer().append(&self.place, Kind::Closed, &[]))
            .and_then(|()| self.sync());
        self.writer().lock = None;
        closed
    }

    fn is_failed(&self) -> bool {
        self.writer().failed
    }

    fn size(&self) -> u64 {
        let writer = self.writer();
        let closed: u64 = writer.closed.iter().map(|closed| closed.source.bytes).sum();
        writer.log.end + closed + writer.base_bytes
    }
}
