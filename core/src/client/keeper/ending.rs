//! How a session parts from its store: everything is written first, and the store is closed when the
//! last callback has returned, as that, too, may have had something to say.

use std::{
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use super::{Health, Keeper, News};
use crate::client::shared::{Core, Shared};

/// How long closing waits for a disk that neither takes what it is given nor says that it does not.
const PATIENCE: Duration = Duration::from_secs(10);

/// The driver's last act before the session ends: waits until everything has been stored, or cannot be.
pub(in crate::client) async fn save(shared: &Arc<Shared>) {
    if shared.keeper.is_none() {
        return;
    }
    // Also where a retry is planned: the store is offered everything once more.
    shared.store_soon();
    let mut sleep = Box::pin(tokio::time::sleep(PATIENCE));
    poll_fn(|cx| {
        let mut core = shared.core.lock();
        core.arm(cx);
        let over = |core: &Core| core.engine.is_stored() || core.store == Health::Lost;
        if over(&core) {
            return Poll::Ready(());
        }
        drop(core);
        sleep.as_mut().poll(cx)
    })
    .await;
}

impl Shared {
    /// The last callback has returned: has the store closed.
    pub(in crate::client) fn close_store(self: &Arc<Self>) {
        if self.keeper.is_some() {
            self.store_pool().add(self.clone(), Self::run_closing);
        }
    }

    pub(in crate::client) fn run_closing(self: &Arc<Self>) -> bool {
        if let Some(keeper) = &self.keeper {
            keeper.close(self);
        }
        false
    }

    /// Waits until the store has been closed and is free for others, or until then; whether it is.
    pub(in crate::client) fn wait_until_store_closed(&self, deadline: Option<Instant>) -> bool {
        let Some(keeper) = &self.keeper else { return true };
        let mut closed = keeper.closed.lock();
        while !*closed {
            match deadline {
                None => keeper.changed.wait(&mut closed),
                Some(deadline) => {
                    if keeper.changed.wait_until(&mut closed, deadline) {
                        return *closed;
                    }
                }
            }
        }
        true
    }
}

impl Keeper {
    fn close(&self, shared: &Arc<Shared>) {
        let mut news = News::default();
        let mut pen = self.pen.lock();
        while matches!(self.write(shared, &mut pen, &mut news), Ok(true)) {}
        // What the store has not taken it is not offered any more.
        pen.batch.clear(0);
        shared.core.lock().engine.poll_records(&mut pen.batch);
        pen.batch.clear(0);
        self.put_down(shared, pen, news);
        // Waits for a sync that is under way.
        let storage = self.storage.write().take();
        if let Some(storage) = storage
            && let Err(error) = storage.close()
        {
            // What was written stays; the next session looks at it as after the death of a process.
            tracing::warn!(target: "mqttsession", %error, "the store was not closed in good order");
        }
        *self.closed.lock() = true;
        self.changed.notify_all();
    }
}
