//! Who writes, and when. One thread at a time holds the right to ([`Core::writing`](super::Core)).
//! The driver writes when it is awake. When it sleeps and the session has been quiet, the thread
//! that made output writes it itself, with one non-blocking call; a thread that makes output in
//! quick succession wakes the driver instead, which then writes what gathers.

use std::{
    io::{self, IoSlice},
    sync::{Arc, atomic::Ordering},
    task::Waker,
    time::{Duration, Instant},
};

use super::{Core, Goal, Shared};
use crate::{engine::Output, sync::MutexGuard};

/// A thread that wrote directly less than this ago publishes in quick succession: from now on the
/// driver gathers. Far below the time in which any answer could have come back.
const QUICK: Duration = Duration::from_micros(8);

/// How much of a buffer is kept between two writes.
const KEPT: usize = 1 << 20;

/// How far a write came.
pub(in crate::client) enum Wrote {
    /// Nothing is left.
    All,
    /// The socket takes no more for now.
    Blocked,
    /// There is more, for the next turn.
    More,
    /// Another thread is writing and will see to what is there, or the connection is gone.
    Elsewhere,
    Failed(io::Error),
}

impl Shared {
    /// After a change of the engine: acts on what it has to tell, and sees to it that its output
    /// leaves. The one way out of the session lock for everybody but the driver and the writers.
    #[inline]
    pub(in crate::client) fn settle(self: &Arc<Self>, mut core: MutexGuard<'_, Core>) {
        if !core.engine.has_news() {
            return self.see_it_leave(core);
        }
        let effects = core.collect();
        drop(core);
        self.apply(effects);
        self.see_it_leave(self.core.lock());
    }

    /// Sees to it that records are stored, and that output leaves.
    #[inline]
    pub(in crate::client) fn see_it_leave(self: &Arc<Self>, mut core: MutexGuard<'_, Core>) {
        let stores = core.begin_storing();
        let waits = core.asleep || core.gathering && core.is_write_due();
        let leaves = waits && !core.writing && core.has_output();
        drop(core);
        if stores {
            self.store_soon();
        }
        if leaves {
            self.kick();
        }
        self.give_back();
    }

    /// The driver sleeps or pauses and there is output: writes it, or wakes the driver.
    fn kick(self: &Arc<Self>) {
        let now = Instant::now();
        let mut core = self.core.lock();
        let due = core.is_write_due();
        let waits = core.asleep || core.gathering && due;
        if !waits || core.writing || !core.has_output() {
            return;
        }
        let quick = core.wrote_directly.is_some_and(|wrote| now.duration_since(wrote) < QUICK);
        let direct = core.direct.clone().filter(|_| due || !quick);
        if let Some(stream) = direct {
            let connection = core.connection;
            let write = |slices: &[IoSlice<'_>]| stream.try_write_vectored(slices);
            let wrote = self.write_out(core, connection, now, 1, write);
            let finished = Instant::now();
            let mut core = self.core.lock();
            core.wrote_directly = Some(finished);
            let leaving = matches!(core.goal, Goal::Disconnect(_));
            if matches!(wrote, Wrote::All) && !core.has_output() && !leaving {
                return;
            }
            let waker = core.take_waker();
            drop(core);
            waker.into_iter().for_each(Waker::wake);
            return;
        }
        core.streaming |= quick && !core.answers;
        let waker = core.take_waker();
        drop(core);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Writes what there is to the stream of this connection, at most this many times a whole
    /// buffer. `now` is the time of the first write.
    pub(in crate::client) fn write_out<'s>(
        self: &'s Arc<Self>,
        core: MutexGuard<'s, Core>,
        connection: u64,
        now: Instant,
        rounds: usize,
        write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Wrote {
        let wrote = self.write_rounds(core, connection, now, rounds, write);
        self.give_back();
        wrote
    }

    fn write_rounds<'s>(
        self: &'s Arc<Self>,
        mut core: MutexGuard<'s, Core>,
        connection: u64,
        now: Instant,
        rounds: usize,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Wrote {
        // Whoever comes late must not write to the former stream what the next one is to carry.
        if core.writing || core.connection != connection {
            return Wrote::Elsewhere;
        }
        for _ in 0..rounds {
            let mut output = match core.leftover.take() {
                Some(leftover) => *leftover,
                None => {
                    let mut spare = std::mem::take(&mut core.spare);
                    core.engine.poll_output(&mut spare, now);
                    core.answers = false;
                    spare
                }
            };
            if output.is_empty() {
                core.spare = output;
                return Wrote::All;
            }
            core.writing = true;
            // The buffer is free for more while this one is being written.
            let unblocked = core.take_unblocked();
            drop(core);
            unblocked.iter().for_each(|signal| signal.done());
            let wrote = self.write_whole(&mut output, &mut write);
            let written_at = Instant::now();
            if wrote.is_ok() {
                // Without the lock: large payloads may end here.
                output.clear(KEPT);
            }
            core = self.core.lock();
            if core.connection != connection {
                // Its connection is gone; the driver of the next one is woken by the caller.
                core.writing = false;
                return Wrote::Elsewhere;
            }
            if let Err(error) = wrote {
                core.leftover = Some(Box::new(output));
                core.writing = false;
                return match error.kind() {
                    io::ErrorKind::WouldBlock => Wrote::Blocked,
                    _ => Wrote::Failed(error),
                };
            }
            core.engine.handle_written(written_at);
            core.spare = output;
            if core.has_news() {
                // Still holding the right to write, so that completions keep their order.
                let effects = core.collect();
                drop(core);
                self.apply(effects);
                core = self.core.lock();
            }
            core.writing = false;
        }
        if core.has_output() { Wrote::More } else { Wrote::All }
    }

    fn write_whole(
        &self,
        output: &mut Output,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        while !output.is_empty() {
            let written = match output.with_slices(&mut write) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            output.advance(written);
            self.traffic.writes.fetch_add(1, Ordering::Relaxed);
            self.traffic.bytes_out.fetch_add(written as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}
