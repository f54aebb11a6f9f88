//! The threads that run dispatched callbacks, shared by all sessions of the process, those that ask
//! questions (see [`question`](super::question)), and those that write to stores (see
//! [`keeper`](super::keeper)).
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

use super::shared::Shared;
use crate::{
    error::{Code, Error, Result},
    sync::{Condvar, Mutex},
};

/// Long beside a callback that computes, short beside one that waits.
const PATIENCE: Duration = Duration::from_millis(10);

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

static LIMIT: AtomicUsize = AtomicUsize::new(256);

/// Sets the most callback threads of this process; 256 by default. As many more may be at questions
/// (for credentials, to authenticators), and as many at stores.
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
    /// Of its threads.
    name: &'static str,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Work>,
    threads: usize,
    idle: usize,
    watched: bool,
}

struct Work {
    session: Arc<Shared>,
    since: Instant,
    /// What is to be done; whether there is more of it. The session is let go of afterwards, by a
    /// thread that may own it last.
    run: fn(&Arc<Shared>) -> bool,
}

impl Pool {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, state: Mutex::default(), work: Condvar::new() }
    }

    /// Has a session's callbacks run. Never waits.
    pub(super) fn schedule(self: &Arc<Self>, session: Arc<Shared>) {
        self.add(session, Shared::run_callbacks);
    }

    /// Has a session's question asked. Never waits.
    pub(super) fn ask(self: &Arc<Self>, session: Arc<Shared>) {
        self.add(session, Shared::run_questions);
    }

    /// Lets go of a session on a callback thread. Never waits.
    pub(super) fn bury(self: &Arc<Self>, session: Arc<Shared>) {
        self.add(session, |_| false);
    }

    /// Has something else done for a session; `run` says whether there is more. Never waits.
    pub(super) fn add(self: &Arc<Self>, session: Arc<Shared>, run: fn(&Arc<Shared>) -> bool) {
        let work = Work { session, since: Instant::now(), run };
        let wakes = self.enqueue(&mut self.state.lock(), work);
        // Without the lock, which is the first thing that the thread will want.
        if wakes {
            self.work.notify_one();
        }
    }

    /// Whether a thread is to be woken.
    #[must_use]
    fn enqueue(self: &Arc<Self>, state: &mut State, work: Work) -> bool {
        let io = work.session.io_thread().handle.clone();
        state.ready.push_back(work);
        // A thread that has been woken counts as idle until it runs, and it takes one session only.
        let mut at_hand = state.idle;
        let wakes = state.idle > 0;
        if !wakes && state.threads == 0 {
            self.start_thread(state);
            at_hand = state.threads;
        }
        let may_start = !state.watched && state.threads < LIMIT.load(Ordering::Relaxed);
        if state.ready.len() > at_hand && may_start {
            state.watched = true;
            io.spawn(watch(self.clone()));
        }
        wakes
    }

    /// When no thread can be started, the work is left to those there are, and to the watch.
    fn start_thread(self: &Arc<Self>, state: &mut State) {
        let pool = self.clone();
        let name = format!("{}-{}", self.name, state.threads);
        if std::thread::Builder::new().name(name).spawn(move || pool.run()).is_ok() {
            state.threads += 1;
        }
    }

    fn run(self: &Arc<Self>) {
        let mut state = self.state.lock();
        loop {
            while let Some(Work { session, run, .. }) = state.ready.pop_front() {
                drop(state);
                let more = run(&session);
                if session.is_inherited() {
                    // The callback forked, and this is the child, which has no callback threads.
                    return std::mem::forget(session);
                }
                if more {
                    state = self.state.lock();
                    state.ready.push_back(Work { session, since: Instant::now(), run });
                } else {
                    // Not under the lock: this may be the last owner.
                    drop(session);
                    state = self.state.lock();
                }
            }
            state.idle += 1;
            let timed_out = self.work.wait_for(&mut state, IDLE);
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
        let overdue = state.ready.front().is_some_and(|work| work.since.elapsed() >= PATIENCE);
        if overdue && state.idle == 0 && state.threads < LIMIT.load(Ordering::Relaxed) {
            pool.start_thread(&mut state);
        }
        if state.ready.is_empty() {
            state.watched = false;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Options;

    fn work() -> Work {
        let session = Shared::new(&Options::new(), |_| Ok(None)).unwrap();
        Work { session, since: Instant::now(), run: Shared::run_callbacks }
    }

    #[test]
    fn work_for_which_no_thread_is_at_hand_is_watched() {
        let pool = Arc::new(Pool::new("test"));
        assert!(!pool.enqueue(&mut pool.state.lock(), work()), "there is none to be woken");
        assert!(!pool.state.lock().watched, "the thread that was started takes it");
        while pool.state.lock().idle == 0 {
            std::thread::yield_now();
        }
        let mut state = pool.state.lock();
        assert!(pool.enqueue(&mut state, work()));
        assert!(!state.watched, "the idle thread takes it");
        // As if it had been woken and had not run yet.
        assert!(pool.enqueue(&mut state, work()));
        assert!(state.watched, "the first callback may wait for the second for ever");
    }
}
