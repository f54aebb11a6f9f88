//! The sessions of the process: counted for leak tests, and closed together at its end.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::{runtime::sessions, session, shared::Shared};
use crate::error::{Code, Error, Result};

pub(super) fn add(session: &Arc<Shared>) {
    let mut sessions = sessions().lock();
    sessions.retain(|session| session.strong_count() > 0);
    sessions.push(Arc::downgrade(session));
}

fn all() -> Vec<Arc<Shared>> {
    sessions().lock().iter().filter_map(Weak::upgrade).collect()
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
            && session.wait_until_store_closed(deadline);
        if !finished {
            return Err(Code::Timeout.into());
        }
    }
    Ok(())
}
