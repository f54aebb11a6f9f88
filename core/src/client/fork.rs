//! A child of `fork` inherits this library's memory but none of its threads. It learns of it by a
//! generation that a handler in the child counts up; every entry compares before it takes a lock.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Code, Result};

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// To be called in the child after a fork, before anything else of this library: from
/// `pthread_atfork`, or Python's `os.register_at_fork`. Safe in a signal handler.
///
/// Sessions of the parent answer `FORKED` from then on, and are leaked when they are dropped; new
/// ones work.
pub fn after_fork_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// An inline callback has forked and returned in the child, whose only thread is a copy of the I/O
/// thread: whatever it did next it would do to the parent's sockets. So it ends, and with its last
/// thread the process, as where a callback thread's copy returns.
pub(super) fn end_child() -> ! {
    std::process::exit(0)
}

/// The process as this library counts them.
pub(super) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// `FORKED` when `born` is not the present generation.
#[inline]
pub(super) fn check(born: u32) -> Result<()> {
    if born == generation() { Ok(()) } else { Err(Code::Forked.into()) }
}
