//! Closing a session waits for its last callback, for as long as that takes. So it happens on a
//! thread of its own: the main thread goes on seeing Ctrl-C, an event loop goes on turning.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use mqttsession::{
    client,
    error::{Code, Error, Result},
};

static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// How often [`finish`] looks. What it waits for has little left to do when it is asked.
const PAUSE: Duration = Duration::from_millis(1);

/// Counts a thread, until it has done all that it does.
struct Running;

impl Running {
    fn begin() -> Self {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
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
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    while RUNNING.load(Ordering::SeqCst) > 0 {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Error::from(Code::Timeout));
        }
        // No lock, because a child of fork() may have inherited it locked.
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// The threads of the parent process are not in its child.
pub(crate) fn forget() {
    RUNNING.store(0, Ordering::SeqCst);
}
