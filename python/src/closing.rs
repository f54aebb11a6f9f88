//! Closing a session waits for its last callback, for as long as that takes. So it happens on a
//! thread of its own: the main thread goes on seeing Ctrl-C, an event loop goes on turning.

use std::{
    io,
    sync::{
        Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mqttsession::{
    client,
    error::{Code, Error, Result},
};

/// The closing threads of one process. A child of fork has none of them, and may have inherited the
/// lock while somebody held it; it counts in one of its own.
struct Closing {
    process: usize,
    running: Mutex<usize>,
    finished: Condvar,
    next: OnceLock<&'static Closing>,
}

static FIRST: Closing = Closing::new(0);
static PROCESS: AtomicUsize = AtomicUsize::new(0);

impl Closing {
    const fn new(process: usize) -> Self {
        Self { process, running: Mutex::new(0), finished: Condvar::new(), next: OnceLock::new() }
    }

    /// That of this process.
    fn present() -> &'static Self {
        let process = PROCESS.load(Ordering::Relaxed);
        let mut closing = &FIRST;
        while closing.process != process {
            closing =
                closing.next.get_or_init(|| Box::leak(Box::new(Self::new(closing.process + 1))));
        }
        closing
    }

    fn running(&self) -> MutexGuard<'_, usize> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a thread, until it has done all that it does.
struct Running(&'static Closing);

impl Running {
    fn begin() -> Self {
        let closing = Closing::present();
        *closing.running() += 1;
        Self(closing)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.running() -= 1;
        self.0.finished.notify_all();
    }
}

/// Closes a session; `then` runs on the same thread afterwards, and may attach to the interpreter.
pub(crate) fn close(
    session: client::Session,
    then: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let running = Running::begin();
    thread::Builder::new()
        .name("mqttsession-close".to_owned())
        .spawn(move || {
            session.close();
            then();
            drop(running);
        })
        .map(drop)
}

/// Waits until none of these threads runs, because none may attach to an interpreter that has gone.
pub(crate) fn finish(timeout: Option<Duration>) -> Result<()> {
    let closing = Closing::present();
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut running = closing.running();
    while *running > 0 {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Error::from(Code::Timeout));
        }
        let left = left.unwrap_or(Duration::MAX);
        running = match closing.finished.wait_timeout(running, left) {
            Ok((running, _)) => running,
            Err(poisoned) => poisoned.into_inner().0,
        };
    }
    Ok(())
}

/// The threads of the parent process are not in its child.
pub(crate) fn forget() {
    PROCESS.fetch_add(1, Ordering::Relaxed);
}
