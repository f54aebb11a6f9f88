//! Payloads that a program lends.
//!
//! The last reference to one may end wherever a message ends or has been written: under the session
//! lock, on the I/O thread, on a thread of the store. Nothing of the program's may run there. So the
//! owner of the bytes only goes into a channel there, which takes no lock, and whoever has left the
//! session lock sees to it that it is dropped where callbacks run ([`Shared::give_back`]).

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
    mpsc::{Receiver, Sender, channel},
};

use bytes::Bytes;

use super::{
    PublishOptions,
    inbox::{Item, contain},
    shared::Shared,
};
use crate::{
    engine::{LARGE_PAYLOAD, Payload},
    error::Result,
    sync::Mutex,
};

/// A payload that is lent: what owns its bytes, which stay where and as they are until it is dropped.
///
/// It is dropped once, when the session looks at the bytes no more: where callbacks run, or by the
/// call that it was given to. Its drop may call anything.
pub struct Lent(Arc<Owner>);

type Owner = Box<dyn AsRef<[u8]> + Send + Sync>;

impl Lent {
    /// Lends the bytes of this owner.
    pub fn new(owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Box::new(owner)))
    }

    fn as_slice(&self) -> &[u8] {
        (**self.0).as_ref()
    }
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lent(<{} bytes>)", self.as_slice().len())
    }
}

/// What comes back to the program of what a session has been lent.
pub(super) struct Loans {
    sender: Sender<Owner>,
    returned: Mutex<Receiver<Owner>>,
    /// How many have come back and not been dropped.
    waiting: AtomicUsize,
    /// The receiving queue has an item for them.
    queued: AtomicBool,
}

impl Loans {
    fn new() -> Arc<Self> {
        let (sender, returned) = channel();
        let (waiting, queued) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self { sender, returned: returned.into(), waiting, queued })
    }

    /// The bytes, to be shared by whatever keeps the message.
    fn lend(self: &Arc<Self>, lent: &Lent) -> Bytes {
        Bytes::from_owner(Loan { owner: Some(lent.0.clone()), loans: self.clone() })
    }

    /// The next that has come back. For one thread at a time.
    fn next(&self) -> Option<Owner> {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return None;
        }
        // Counted after it was sent, so what is counted is there.
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.returned.lock().try_recv().ok()
    }
}

/// All references to a payload inside the session together.
struct Loan {
    owner: Option<Arc<Owner>>,
    loans: Arc<Loans>,
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        self.owner.as_ref().map_or(&[], |owner| (***owner).as_ref())
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        // The publishing call may still hold it, and then drops it itself.
        let Some(owner) = self.owner.take().and_then(Arc::into_inner) else { return };
        let sent = self.loans.sender.send(owner);
        debug_assert!(sent.is_ok(), "both ends of the channel live as long as a loan");
        self.loans.waiting.fetch_add(1, Ordering::Release);
    }
}

impl Shared {
    /// Publishes a payload that is lent; see [`Session::publish_lent`](super::Session::publish_lent).
    pub(super) fn publish_lent(
        self: &Arc<Self>,
        topic: &str,
        lent: &Lent,
        options: PublishOptions,
    ) -> Result<u64> {
        let payload = match lent.as_slice() {
            small if small.len() < LARGE_PAYLOAD => Payload::Borrowed(small),
            _ => Payload::Shared(self.loans.get_or_init(Loans::new).lend(lent)),
        };
        self.publish(topic, payload, options, true)
    }

    /// Has what has come back dropped where callbacks run. Called without a lock by everybody who may
    /// have ended a message, or have written it.
    #[inline]
    pub(super) fn give_back(self: &Arc<Self>) {
        if let Some(loans) = self.loans.get()
            && loans.waiting.load(Ordering::Relaxed) > 0
            && !loans.queued.swap(true, Ordering::AcqRel)
        {
            self.inbox.push(self, Item::Returned);
        }
    }

    /// Drops what has come back, at most so many; how many that were. For the one thread that runs the
    /// receiving queue.
    pub(super) fn drop_returned(self: &Arc<Self>, limit: usize) -> usize {
        let Some(loans) = self.loans.get() else { return 0 };
        let mut count = 0;
        while count < limit
            && let Some(owner) = loans.next()
        {
            contain(|| drop(owner));
            count += 1;
            if self.is_inherited() {
                return count;
            }
        }
        // What comes back from here on is queued anew, as is what exceeds the limit.
        loans.queued.swap(false, Ordering::AcqRel);
        self.give_back();
        count
    }
}
