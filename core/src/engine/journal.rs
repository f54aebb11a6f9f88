//! The engine's side of a store: records gathered into batches, and which of them have been stored.
//!
//! ```text
//!   record ──► open batch ──poll_journal──► on its way to the disk ──handle_stored──► stored
//! ```
//!
//! One rule keeps every promise: a packet that follows from a record leaves only when the batch with
//! that record has been stored. So each [`Output`] knows the last batch that it depends on
//! ([`Output::require`]), and is handed out when that has been stored.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    Output,
    record::{Record, UnixMillis},
};
use crate::error::Error;

/// A moment on both clocks, by which a deadline is carried from one process to the next.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    /// On the clock that never goes back.
    pub instant: Instant,
    /// The same moment on the one that other processes share.
    pub unix: UnixMillis,
}

impl WallClock {
    pub(super) fn to_unix(self, at: Instant) -> UnixMillis {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        match at.checked_duration_since(self.instant) {
            Some(later) => self.unix.saturating_add(millis(later)),
            None => self.unix.saturating_sub(millis(self.instant.duration_since(at))),
        }
    }

    /// Nothing when no [`Instant`] can be so late; one that is past may come out later than it was.
    pub(super) fn to_instant(self, at: UnixMillis) -> Option<Instant> {
        match at.checked_sub(self.unix) {
            Some(later) => self.instant.checked_add(Duration::from_millis(later)),
            None => {
                let earlier = Duration::from_millis(self.unix - at);
                Some(self.instant.checked_sub(earlier).unwrap_or(self.instant))
            }
        }
    }
}

/// How many bytes of records may wait for the disk before publishing has to wait, too: many times
/// what a disk takes at once, and little beside the messages themselves.
pub(super) const JOURNAL_LIMIT: usize = 16 << 20;

/// A session without a store has one, too, that keeps nothing.
#[derive(Default)]
pub(super) struct Journal {
    clock: Option<WallClock>,
    records: Output,
    /// The number of the open batch, from 1. 0 without a store.
    open: u64,
    /// The last batch that has been stored.
    stored: u64,
    /// Those on their way: number, bytes, and the highest message number in it or before it.
    underway: VecDeque<(u64, usize, u64)>,
    underway_bytes: usize,
    /// The highest message number recorded, and the highest stored.
    last_message: u64,
    stored_message: u64,
    /// Why the disk takes nothing at present.
    failure: Option<Error>,
}

impl Journal {
    /// Of a session with a store, which holds messages up to this number.
    pub(super) fn new(clock: WallClock, last_number: u64) -> Self {
        Self {
            clock: Some(clock),
            open: 1,
            last_message: last_number,
            stored_message: last_number,
            ..Self::default()
        }
    }

    /// Whether there is a store.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.open > 0
    }

    pub(super) fn clock(&self) -> Option<WallClock> {
        self.clock
    }

    /// Adds a record, where there is a store.
    #[inline]
    pub(super) fn record(&mut self, record: &Record<'_>) {
        if self.is_on() {
            record.encode(self.records.buffer());
        }
    }

    /// Where the record of the message with this number goes, behind which its packet follows.
    pub(super) fn message(&mut self, number: u64) -> &mut Output {
        debug_assert!(self.is_on() && number > self.last_message);
        self.last_message = number;
        &mut self.records
    }

    /// The batch that has to be stored before anything that follows from the last record may leave;
    /// 0 when it has been.
    pub(super) fn newest(&self) -> u64 {
        match self.records.is_empty() {
            false => self.open,
            true => self.underway.back().map_or(0, |(batch, ..)| *batch),
        }
    }

    /// The batch that has to be stored before this message, whose record has been written, may leave;
    /// 0 when it has been.
    pub(super) fn batch_of(&self, number: u64) -> u64 {
        if number <= self.stored_message {
            return 0;
        }
        let underway = self.underway.partition_point(|(.., last)| *last < number);
        self.underway.get(underway).map_or(self.open, |(batch, ..)| *batch)
    }

    /// Whether what depends on this batch may leave.
    #[inline]
    pub(super) fn has_stored(&self, batch: u64) -> bool {
        batch <= self.stored
    }

    /// The highest message number that has been stored.
    pub(super) fn stored_message(&self) -> u64 {
        self.stored_message
    }

    /// Whether records wait to be taken.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        !self.records.is_empty()
    }

    /// Whether every record has been stored.
    pub(super) fn is_stored(&self) -> bool {
        self.records.is_empty() && self.underway.is_empty()
    }

    /// The bytes that have not been stored.
    pub(super) fn unstored_bytes(&self) -> usize {
        self.records.len() + self.underway_bytes
    }

    /// Takes the open batch, into an empty `spare`; its number.
    pub(super) fn take(&mut self, spare: &mut Output) -> Option<u64> {
        if self.records.is_empty() {
            return None;
        }
        std::mem::swap(&mut self.records, spare);
        let batch = self.open;
        self.open += 1;
        self.underway.push_back((batch, spare.len(), self.last_message));
        self.underway_bytes += spare.len();
        Some(batch)
    }

    /// The batches up to this one have been stored.
    pub(super) fn stored(&mut self, through: u64) {
        self.failure = None;
        while let Some(&(batch, bytes, last)) = self.underway.front()
            && batch <= through
        {
            self.underway.pop_front();
            self.underway_bytes -= bytes;
            self.stored = batch;
            self.stored_message = last;
        }
    }

    /// The disk takes nothing at present.
    pub(super) fn failed(&mut self, error: Error) {
        self.failure = Some(error);
    }

    pub(super) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_the_same_on_both_clocks() {
        let instant = Instant::now() + Duration::from_secs(1000);
        let clock = WallClock { instant, unix: 5_000_000 };
        for unix in [4_500_000, 5_000_000, 5_000_001, 9_000_000] {
            assert_eq!(clock.to_unix(clock.to_instant(unix).unwrap()), unix);
        }
    }

    #[test]
    fn a_message_waits_for_the_batch_that_holds_it() {
        let mut journal = Journal::new(WallClock { instant: Instant::now(), unix: 0 }, 4);
        let message = |journal: &mut Journal, number| {
            journal.message(number).buffer().push(0);
        };
        assert_eq!((journal.batch_of(4), journal.newest()), (0, 0));
        message(&mut journal, 5);
        let mut spare = Output::default();
        assert_eq!(journal.take(&mut spare), Some(1));
        spare.clear(0);
        message(&mut journal, 9);
        assert_eq!((journal.batch_of(5), journal.batch_of(9), journal.newest()), (1, 2, 2));
        assert_eq!(journal.take(&mut spare), Some(2));
        assert_eq!((journal.take(&mut Output::default()), journal.newest()), (None, 2));
        journal.stored(1);
        assert_eq!((journal.batch_of(5), journal.batch_of(9), journal.newest()), (0, 2, 2));
        assert!(journal.has_stored(1) && !journal.has_stored(2) && !journal.is_stored());
        journal.stored(2);
        assert_eq!((journal.batch_of(9), journal.unstored_bytes()), (0, 0));
        assert!(journal.is_stored());
    }
}
