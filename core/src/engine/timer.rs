//! When the engine next wants to be called although nothing has happened.

use std::time::Instant;

/// What can become due. The number of the variant is its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// Nothing has been sent, or nothing received, for the keep-alive time: ping.
    KeepAlive,
    /// The answer to a ping is overdue: the connection is dead.
    PingAnswer,
    /// A look at whether acknowledgements stand still.
    Standstill,
}

/// In the order in which timers that are due together count: no ping for a dead connection.
const TIMERS: [Timer; 3] = [Timer::PingAnswer, Timer::KeepAlive, Timer::Standstill];

/// The table of deadlines.
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Instant>; TIMERS.len()]);

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer as usize] = Some(at);
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(super) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    /// The nearest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes a timer whose deadline has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = TIMERS
            .into_iter()
            .find(|&timer| self.0[timer as usize] <= Some(now) && self.is_set(timer))?;
        self.stop(due);
        Some(due)
    }
}
