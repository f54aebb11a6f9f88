//! The threads that run dispatched callbacks, shared by all sessions of the process.
//!
//! Work is a session whose queue has something. A session is run by one thread at a time. One more
//! thread is started when work has waited [`PATIENCE`] while all threads were inside callbacks; a
//! thread with nothing to do ends after [`IDLE`].

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use super::shared::Shared;
use crate::error::{Code, Error, Result};

/// Long beside a callback that computes, short beside one that waits.
const PATIENCE: Duration = Duration::from_millis(10);

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

static LIMIT: AtomicUsize = AtomicUsize::new(256);

/// Sets the most callback threads of this process; 256 by default.
///
/// # Errors
/// `INVALID_ARGUMENT` for zero.
pub fn set_callback_threads(threads: usize) -> Result<()> {
    if threads == 0 {
        return Err(Error::new(
            Code::InvalidArgument,
            "There must be at least one callback thread",
        ));
    }
    LIMIT.store(threads, Ordering::Relaxed);
    Ok(())
}

pub(super) struct Pool {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<(Arc<Shared>, Instant)>,
    threads: usize,
    idle: usize,
    watched: bool,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), work: Condvar::new() }
    }

    /// Has a session's callbacks run. Never waits.
    pub(super) fn schedule(self: &Arc<Self>, session: Arc<Shared>) {
        let io = session.io_thread().handle.clone();
        let mut state = self.state.lock();
        state.ready.push_back((session, Instant::now()));
        // An idle thread that has been notified stays counted until it runs: each takes one only.
        if state.idle >= state.ready.len() {
            drop(state);
            self.work.notify_one();
        } else if state.threads == 0 {
            self.start_thread(&mut state);
        } else if !state.watched && state.threads < LIMIT.load(Ordering::Relaxed) {
            state.watched = true;
            io.spawn(watch(self.clone()));
        }
    }

    /// A failure to start a thread leaves the work to the threads there are, and to the next try.
    fn start_thread(self: &Arc<Self>, state: &mut State) {
        let pool = self.clone();
        let name = format!("mqtt-callback-{}", state.threads);
        if std::thread::Builder::new().name(name).spawn(move || pool.run()).is_ok() {
            state.threads += 1;
        }
    }

    fn run(self: &Arc<Self>) {
        let mut state = self.state.lock();
        loop {
            while let Some((session, _)) = state.ready.pop_front() {
                drop(state);
                let more = session.run_callbacks();
                state = self.state.lock();
                if more {
                    state.ready.push_back((session, Instant::now()));
                } else {
                    // Not under the lock: this may be the last owner.
                    drop(state);
                    drop(session);
                    state = self.state.lock();
                }
            }
            state.idle += 1;
            let timed_out = self.work.wait_for(&mut state, IDLE).timed_out();
            state.idle -= 1;
            if timed_out && state.ready.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

/// Looks after work that waits, until none does.
async fn watch(pool: Arc<Pool>) {
    loop {
        tokio::time::sleep(PATIENCE).await;
        let mut state = pool.state.lock();
        let overdue = state.ready.front().is_some_and(|(_, since)| since.elapsed() >= PATIENCE);
        if overdue && state.idle == 0 && state.threads < LIMIT.load(Ordering::Relaxed) {
            pool.start_thread(&mut state);
        }
        if state.ready.is_empty() {
            state.watched = false;
            return;
        }
    }
}
