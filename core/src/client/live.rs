//! The sessions of the process: counted for leak tests, and closed together at its end.

use std::{
    ptr,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::{runtime::sessions, session, shared::Shared};
use crate::error::{Code, Error, Result};

pub(super) fn add(session: &Arc<Shared>) {
    sessions().lock().insert(Arc::as_ptr(session).addr(), Arc::downgrade(session));
}

/// A session ends. Remembered, it would keep its memory.
pub(super) fn remove(session: &Shared) {
    // Dropped without the lock, though it is the last to know of the session only.
    let _forgotten = sessions().lock().remove(&ptr::from_ref(session).addr());
}

fn all() -> Vec<Arc<Shared>> {
    sessions().lock().values().filter_map(Weak::upgrade).collect()
}

/// How many sessions exist, closed ones whose memory is still held included; for leak tests.
pub fn live_sessions() -> usize {
    all().len()
}

/// Closes every session of the process and waits, at most this long (`None`: as long as it takes),
/// until no callback is running and none will, and their stores have been closed. For a host that unloads the library or exits; to
/// be called outside callbacks.
///
/// # Errors
/// `TIMEOUT` when callbacks are still running, or a disk does not answer; `WOULD_DEADLOCK` inside a callback.
pub fn shutdown(timeout: Option<Duration>) -> Result<()> {
    if super::runtime::on_io_thread() || super::inbox::Inbox::in_any_callback() {
        return Err(Error::new(
            Code::WouldDeadlock,
            "A callback cannot shut the library down: it would wait for itself; call it outside \
             callbacks",
        ));
    }
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let sessions = all();
    sessions.iter().for_each(session::begin_close);
    for session in &sessions {
        let finished = session.inbox.wait_until_finished_or(session, deadline)
            && session.questions.wait_until_idle(deadline)
            && session.wait_until_store_closed(deadline)
            && session.inbox.wait_until_finished_or(session, deadline);
        if !finished {
            return Err(Code::Timeout.into());
        }
    }
    Ok(())
}
