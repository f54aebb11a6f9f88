//! The sessions of the process: counted for leak tests, and closed together at its end.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{fork, session, shared::Shared};
use crate::error::{Code, Result};

static SESSIONS: Mutex<(u32, Vec<Weak<Shared>>)> = Mutex::new((0, Vec::new()));

pub(super) fn add(session: &Arc<Shared>) {
    let mut sessions = SESSIONS.lock();
    let generation = fork::generation();
    if sessions.0 != generation {
        // Those of the parent process; not even their counts may be touched.
        std::mem::forget(std::mem::take(&mut sessions.1));
        sessions.0 = generation;
    }
    sessions.1.retain(|session| session.strong_count() > 0);
    sessions.1.push(Arc::downgrade(session));
}

fn all() -> Vec<Arc<Shared>> {
    let sessions = SESSIONS.lock();
    if sessions.0 != fork::generation() {
        return Vec::new();
    }
    sessions.1.iter().filter_map(Weak::upgrade).collect()
}

/// How many sessions exist, closed ones whose memory is still held included; for leak tests.
pub fn live_sessions() -> usize {
    all().len()
}

/// Closes every session of the process and waits, at most this long (`None`: as long as it takes),
/// until no callback is running and none will. For a host that unloads the library or exits; to
/// be called outside callbacks.
///
/// # Errors
/// `TIMEOUT` when callbacks are still running; `WOULD_DEADLOCK` inside a callback.
pub fn shutdown(timeout: Option<Duration>) -> Result<()> {
    if super::runtime::on_io_thread() || super::inbox::Inbox::in_any_callback() {
        return Err(Code::WouldDeadlock.into());
    }
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let sessions = all();
    sessions.iter().for_each(session::begin_close);
    for session in &sessions {
        if !session.inbox.wait_until_finished_or(session, deadline) {
            return Err(Code::Timeout.into());
        }
    }
    Ok(())
}
