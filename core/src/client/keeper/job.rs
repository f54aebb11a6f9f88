//! The store's job of a session, on the threads of the store's pool: writes and syncs until nothing is
//! left. Scheduled once, however many leave records behind meanwhile (`Core::storing`). Two of them at
//! the same time do no harm: one writes, one syncs.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Keeper, News};
use crate::client::{Durability, shared::Shared};

/// How many batches are written for one session before other sessions get their turn.
const ROUNDS: usize = 64;

/// How long a store that takes nothing is left alone: somebody is making room, or has to be called.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// After so many bytes it is looked whether the store can be made smaller.
pub(super) const TIDY_AFTER: u64 = 256 << 10;

/// After so many, where it could not be: each attempt may read and write all that there is.
const TIDY_AGAIN_AFTER: u64 = 16 << 20;

/// What comes after a round.
enum Round {
    Another,
    /// Nothing is left.
    Done,
}

impl Shared {
    /// Records have to be stored.
    pub(in crate::client) fn store_soon(self: &Arc<Self>) {
        self.store_pool().add(self.clone(), Self::run_store);
    }

    /// For the pool; whether there is more.
    pub(in crate::client) fn run_store(self: &Arc<Self>) -> bool {
        let Some(keeper) = &self.keeper else { return false };
        let more = (0..ROUNDS).all(|_| matches!(keeper.round(self), Round::Another));
        if keeper.untidied.load(Ordering::Relaxed) >= keeper.tidies_after.load(Ordering::Relaxed)
            && !keeper.tidying.swap(true, Ordering::SeqCst)
        {
            // On its own, as it may take long.
            self.store_pool().add(self.clone(), Self::run_tidying);
        }
        more
    }

    fn run_tidying(self: &Arc<Self>) -> bool {
        let Some(keeper) = &self.keeper else { return false };
        keeper.untidied.store(0, Ordering::Relaxed);
        if let Some(storage) = &*keeper.storage.read() {
            let tidied = storage.tidy().inspect_err(|error| {
                // It stays larger than it has to be; where that fills the disk, writing says so.
                tracing::warn!(target: "mqttsession", %error, "the store could not be made smaller");
            });
            let after = tidied.map_or(TIDY_AGAIN_AFTER, |()| TIDY_AFTER);
            keeper.tidies_after.store(after, Ordering::Relaxed);
            keeper.size.store(storage.size(), Ordering::Relaxed);
        }
        keeper.tidying.store(false, Ordering::SeqCst);
        false
    }
}

impl Keeper {
    /// Writes one batch and syncs what the durability asks for.
    fn round(&self, shared: &Arc<Shared>) -> Round {
        let mut pen = self.pen.lock();
        let mut news = News::default();
        let wrote = self.write(shared, &mut pen, &mut news);
        // One sync at a time: of two at once the other one may be told of an error that concerns this
        // one, too. Whoever syncs looks again afterwards. And what has been closed has been synced.
        let may_sync = !pen.broken && !pen.syncing && self.storage.read().is_some();
        let syncs = may_sync
            && match self.durability {
                Durability::Message => pen.written > pen.synced,
                Durability::Interval(_) => self.sync_due.swap(false, Ordering::SeqCst),
                Durability::System => false,
            };
        let round = match wrote {
            Ok(true) => Round::Another,
            _ if syncs => Round::Another,
            Ok(false) => {
                let mut core = shared.core.lock();
                // Whoever leaves something behind from now on has the job scheduled.
                core.storing = core.engine.has_records();
                match core.storing {
                    true => Round::Another,
                    false => {
                        // A session that rests has no buffer.
                        pen.batch.clear(0);
                        Round::Done
                    }
                }
            }
            Err(_) => Round::Done,
        };
        let through = pen.written;
        pen.syncing |= syncs;
        self.put_down(shared, pen, news);
        if syncs {
            self.sync(shared, through);
        }
        round
    }

    /// Syncs what has been written, up to this batch and perhaps beyond.
    fn sync(&self, shared: &Arc<Shared>, through: u64) {
        // What is written from here on needs a sync of its own.
        self.sync_planned.store(false, Ordering::SeqCst);
        let synced = self.storage.read().as_ref().map(|storage| storage.sync());
        let mut news = News::default();
        let mut pen = self.pen.lock();
        pen.syncing = false;
        match synced {
            None => {}
            Some(Ok(())) => {
                self.syncs.fetch_add(1, Ordering::Relaxed);
                pen.synced = pen.synced.max(through);
                if self.durability == Durability::Message {
                    self.note_stored(shared, &mut pen, through, &mut news);
                }
            }
            Some(Err(error)) => {
                // What the disk did not keep it may not say another time.
                pen.broken = true;
                self.note_failure(shared, &mut pen, &error, &mut news);
            }
        }
        self.put_down(shared, pen, news);
    }

    /// Has the job run when it is time to write again, or to sync.
    pub(super) fn plan(&self, shared: &Arc<Shared>, retry: bool, sync: bool) {
        if retry {
            after(shared, RETRY_AFTER, |keeper| {
                keeper.retry_planned.store(false, Ordering::SeqCst)
            });
        }
        if let Durability::Interval(interval) = self.durability
            && sync
        {
            after(shared, interval, |keeper| keeper.sync_due.store(true, Ordering::SeqCst));
        }
    }
}

/// Has the job run that much later, if there still is a session then. The I/O thread's timer neither
/// waits nor owns it.
fn after(shared: &Arc<Shared>, pause: Duration, note: fn(&Keeper)) {
    let session = Arc::downgrade(shared);
    shared.io_thread().handle.spawn(async move {
        tokio::time::sleep(pause).await;
        let Some(shared) = session.upgrade() else { return };
        shared.keeper.as_deref().into_iter().for_each(note);
        // The pool lets go of the session, not this thread.
        let pool = shared.store_pool().clone();
        pool.add(shared, Shared::run_store);
    });
}
