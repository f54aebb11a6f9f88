//! A session's way to its store: who writes, who syncs, and what happens while the disk takes nothing.
//!
//! ```text
//!             poll_records           append                  sync (by durability)
//!   engine ──────────────► the pen ──────────► written ──────────────────────────► stored
//!      ▲                                                                              │
//!      └──────────────────── handle_stored: what waited for it leaves ────────────────┘
//! ```
//!
//! The threads of a pool of its own write ([`job`]): publishing threads and the I/O thread only leave
//! records behind and have the session's job scheduled. A callback thread that may not go on before a
//! record is written takes the pen itself ([`Keeper::write_through`]); whoever has the pen writes
//! everything that is there, so nobody waits for more than one write. A sync runs without the pen: what
//! gathers meanwhile is the next batch.
//!
//! Locks are taken in this order: the pen, the storage, the session's. Nobody waits for the pen while it
//! holds the session lock, and nothing of the program's runs while the pen is held.

mod ending;
mod job;
mod opening;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

pub(super) use ending::save;
pub(super) use opening::{Opened, check, clock, open};

use super::{
    Durability, Event,
    shared::{Effects, Goal, Shared},
};
use crate::{
    engine::{Output, Receipt},
    error::{Code, Error, Result},
    store::Storage,
    sync::{Condvar, Mutex, MutexGuard, RwLock},
};

/// How much of a batch's memory is kept for the next one.
const KEPT: usize = 1 << 20;

/// What a session with a store has beside the engine.
pub(super) struct Keeper {
    durability: Durability,
    /// Nothing once it has been closed.
    storage: RwLock<Option<Box<dyn Storage>>>,
    pen: Mutex<Pen>,
    /// What the program is told before the first attempt to connect.
    announced: Mutex<Vec<Event>>,
    closed: Mutex<bool>,
    changed: Condvar,
    /// A timer will have the job run: to write again, to sync.
    retry_planned: AtomicBool,
    sync_planned: AtomicBool,
    sync_due: AtomicBool,
    /// A thread makes the store smaller.
    tidying: AtomicBool,
    /// Bytes written since it was last looked whether the store can be made smaller.
    untidied: AtomicU64,
    /// After how many it is.
    tidies_after: AtomicU64,
    size: AtomicU64,
    writes: AtomicU64,
    syncs: AtomicU64,
}

/// The right to write, one thread at a time.
#[derive(Default)]
struct Pen {
    /// The batch that is being written. One that could not be is kept, and offered again.
    batch: Output,
    number: u64,
    /// The last batch that has been written, and the last that has been synced.
    written: u64,
    synced: u64,
    /// A thread syncs, without the pen.
    syncing: bool,
    /// Why the store takes nothing at present.
    failure: Option<Error>,
    /// It will not take anything any more.
    broken: bool,
    /// The program has been told that it takes nothing.
    reported: bool,
}

/// Whether the store takes what it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Health {
    #[default]
    Well,
    /// Not at present.
    Failing,
    /// It never will again, or the session cannot wait until it does.
    Lost,
}

/// What has to be done when the pen has been put down.
#[derive(Default)]
struct News {
    effects: Vec<Effects>,
    events: Vec<Event>,
    /// The job is to be scheduled.
    job: bool,
    retry: bool,
    sync: bool,
}

impl Keeper {
    pub(super) fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Returns when this batch of records has been written, so that it survives the process. 0 is no
    /// batch.
    pub(super) fn write_through(&self, shared: &Arc<Shared>, batch: u64) -> Result<()> {
        if batch == 0 {
            return Ok(());
        }
        let mut pen = self.pen.lock();
        let mut news = News::default();
        let mut wrote = Ok(true);
        while pen.written < batch && matches!(wrote, Ok(true)) {
            wrote = self.write(shared, &mut pen, &mut news);
        }
        self.put_down(shared, pen, news);
        wrote.map(drop)
    }

    /// Writes the next batch; whether there was one.
    fn write(&self, shared: &Shared, pen: &mut Pen, news: &mut News) -> Result<bool> {
        let wrote = self.append(shared, pen);
        match &wrote {
            Ok(true) => self.note_written(shared, pen, news),
            Ok(false) => {}
            Err(error) => self.note_failure(shared, pen, error, news),
        }
        wrote
    }

    fn append(&self, shared: &Shared, pen: &mut Pen) -> Result<bool> {
        if let Some(error) = pen.failure.as_ref().filter(|_| pen.broken) {
            return Err(error.clone());
        }
        let storage = self.storage.read();
        let storage = storage.as_ref().ok_or(Code::Closed)?;
        if pen.batch.is_empty() {
            let taken = shared.core.lock().engine.poll_records(&mut pen.batch);
            let Some(number) = taken else { return Ok(false) };
            pen.number = number;
        }
        if let Err(error) = storage.append(&pen.batch) {
            pen.broken |= storage.is_failed();
            return Err(error);
        }
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.size.store(storage.size(), Ordering::Relaxed);
        self.untidied.fetch_add(pen.batch.len() as u64, Ordering::Relaxed);
        Ok(true)
    }

    fn note_written(&self, shared: &Shared, pen: &mut Pen, news: &mut News) {
        pen.batch.clear(KEPT);
        pen.written = pen.number;
        // What has gathered meanwhile need not wait for the retry.
        news.job |= pen.failure.take().is_some();
        match self.durability {
            Durability::Message => {
                // With the pen in hand: the job looks at both before it ends.
                news.job |= !std::mem::replace(&mut shared.core.lock().storing, true);
            }
            Durability::Interval(_) => {
                news.sync |= !self.sync_planned.swap(true, Ordering::SeqCst);
                self.note_stored(shared, pen, pen.written, news);
            }
            Durability::System => self.note_stored(shared, pen, pen.written, news),
        }
    }

    /// The batches up to this one are as durable as the session wants them.
    fn note_stored(&self, shared: &Shared, pen: &mut Pen, through: u64, news: &mut News) {
        let now = Instant::now();
        let mut core = shared.core.lock();
        core.engine.handle_stored(through, now);
        match &pen.failure {
            // A later one could not be written meanwhile.
            Some(error) => core.engine.handle_store_failed(error.clone()),
            None => core.store = Health::Well,
        }
        news.effects.push(core.collect());
        drop(core);
        if pen.failure.is_none() && std::mem::take(&mut pen.reported) {
            news.events.push(Event::StoreRecovered);
        }
    }

    fn note_failure(&self, shared: &Shared, pen: &mut Pen, error: &Error, news: &mut News) {
        if error.code() == Code::Closed {
            return;
        }
        pen.failure = Some(error.clone());
        let mut core = shared.core.lock();
        core.engine.handle_store_failed(error.clone());
        // A session that is being closed does not wait for the disk to recover.
        let lost = pen.broken || matches!(core.goal, Goal::Close);
        core.store = if lost { Health::Lost } else { Health::Failing };
        // Nobody else has to see to what there is: the retry does.
        core.storing = true;
        news.effects.push(core.collect());
        drop(core);
        news.retry = !lost && !self.retry_planned.swap(true, Ordering::SeqCst);
        if !std::mem::replace(&mut pen.reported, true) {
            news.events.push(Event::StoreFailed(error.clone()));
        }
    }

    /// Puts the pen down and acts on what came of writing.
    fn put_down(&self, shared: &Arc<Shared>, pen: MutexGuard<'_, Pen>, news: News) {
        drop(pen);
        let told = !news.effects.is_empty();
        news.effects.into_iter().for_each(|effects| shared.apply(effects));
        news.events.into_iter().for_each(|event| shared.report(event));
        if told {
            shared.see_it_leave(shared.core.lock());
        }
        if news.job {
            shared.store_soon();
        }
        self.plan(shared, news.retry, news.sync);
        shared.give_back();
    }
}

impl Shared {
    /// Returns when everything that has happened until now survives the process.
    ///
    /// # Errors
    /// The store's, `CLOSED` when it has been closed.
    pub(super) fn write_through(self: &Arc<Self>) -> Result<()> {
        let Some(keeper) = &self.keeper else { return Ok(()) };
        let newest = self.core.lock().engine.newest_batch();
        keeper.write_through(self, newest)
    }

    /// A received message of QoS 2 cannot be handled, because the store takes nothing, nor can those
    /// behind it: the connection ends with this error, and the broker sends them again on the next one.
    pub(super) fn abandon(self: &Arc<Self>, receipt: Receipt, why: Error) {
        let mut core = self.core.lock();
        core.engine.abandon(receipt);
        core.fault = Some(why);
        let waker = core.take_waker();
        self.settle(core);
        waker.into_iter().for_each(std::task::Waker::wake);
        for (message, _) in self.take_abandoned_unclaimed() {
            self.release(1, message.payload().len());
        }
    }
}
