//! The engine's side of a store: records gathered into batches, and which of them have been stored.
//!
//! ```text
//!   record ──► open batch ──poll_records──► on its way to the disk ──handle_stored──► stored
//! ```
//!
//! One rule keeps every promise: a packet that follows from a record leaves only when the batch with
//! that record has been stored. So each [`Output`] knows the last batch that it depends on
//! ([`Output::require`]), and is handed out when that has been stored.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    Output, Recovered, Ticket,
    record::{Record, UnixMillis},
};
use crate::error::{Error, Result};

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

/// A batch on its way to the disk.
struct Underway {
    batch: u64,
    bytes: usize,
    /// How many messages it holds.
    messages: usize,
    /// The highest message number in it or before it.
    last_message: u64,
}

/// A session without a store has one, too, that keeps nothing.
#[derive(Default)]
pub(super) struct Journal {
    /// Of a session with a store.
    logbook: Option<Box<Logbook>>,
    /// What is to be told who waited for messages to be stored.
    told: VecDeque<(Ticket, Result<()>)>,
}

struct Logbook {
    clock: WallClock,
    records: Output,
    /// How many messages the records hold.
    messages: usize,
    /// The number of the open batch, from 1.
    open: u64,
    /// The last batch that has been stored.
    stored: u64,
    underway: VecDeque<Underway>,
    /// The highest message number recorded, and the highest stored.
    last_message: u64,
    stored_message: u64,
    /// Something is on record that ends with the broker's session.
    holds_session: bool,
    /// The batch that says that the broker has lost its session.
    loss: u64,
    /// Why the disk takes nothing at present.
    failure: Option<Error>,
    /// Who waits for which message to be stored.
    waiters: BTreeMap<u64, Vec<Ticket>>,
}

impl Logbook {
    fn record(&mut self, record: &Record<'_>) {
        record.encode(self.records.buffer());
        self.holds_session |= matches!(
            record,
            Record::Launched { .. }
                | Record::Retired { .. }
                | Record::Delivering { .. }
                | Record::Handled { .. }
                | Record::Granted { .. }
        );
    }
}

impl Journal {
    /// Of a session with a store that holds this.
    pub(super) fn new(clock: WallClock, recovered: &Recovered) -> Self {
        let is_in_flight = recovered.messages.values().any(|message| message.packet_id.is_some());
        let logbook = Logbook {
            clock,
            records: Output::default(),
            messages: 0,
            open: 1,
            stored: 0,
            underway: VecDeque::new(),
            last_message: recovered.last_number,
            stored_message: recovered.last_number,
            holds_session: is_in_flight
                || !recovered.retired.is_empty()
                || !recovered.received.is_empty()
                || !recovered.granted.is_empty()
                || recovered.doubtful,
            loss: 0,
            failure: None,
            waiters: BTreeMap::new(),
        };
        Self { logbook: Some(Box::new(logbook)), told: VecDeque::new() }
    }

    /// Whether there is a store.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.logbook.is_some()
    }

    pub(super) fn clock(&self) -> Option<WallClock> {
        self.logbook.as_ref().map(|logbook| logbook.clock)
    }

    /// Adds a record, where there is a store.
    #[inline]
    pub(super) fn record(&mut self, record: &Record<'_>) {
        if let Some(logbook) = &mut self.logbook {
            logbook.record(record);
        }
    }

    /// The broker has lost its session: recorded where anything on record ends with that.
    pub(super) fn session_lost(&mut self) {
        if let Some(logbook) = &mut self.logbook
            && std::mem::take(&mut logbook.holds_session)
        {
            logbook.record(&Record::SessionLost);
            logbook.loss = logbook.open;
        }
    }

    /// The batch that has to be stored before anything leaves that belongs to the broker's present
    /// session, and not to one that it has lost.
    pub(super) fn loss(&self) -> u64 {
        self.logbook.as_ref().map_or(0, |logbook| logbook.loss)
    }

    /// Where the record of the message with this number goes, behind which its packet follows; nowhere
    /// without a store.
    pub(super) fn message(&mut self, number: u64) -> Option<&mut Output> {
        let logbook = self.logbook.as_mut()?;
        debug_assert!(number > logbook.last_message);
        logbook.last_message = number;
        logbook.messages += 1;
        Some(&mut logbook.records)
    }

    /// The batch that has to be stored before anything that follows from the last record may leave;
    /// 0 when it has been.
    #[inline]
    pub(super) fn newest(&self) -> u64 {
        let Some(logbook) = &self.logbook else { return 0 };
        match logbook.records.is_empty() {
            false => logbook.open,
            true => logbook.underway.back().map_or(0, |last| last.batch),
        }
    }

    /// The batch that has to be stored before this message, whose record has been written, may leave;
    /// 0 when it has been.
    #[inline]
    pub(super) fn batch_of(&self, number: u64) -> u64 {
        let Some(logbook) = &self.logbook else { return 0 };
        if number <= logbook.stored_message {
            return 0;
        }
        let at = logbook.underway.partition_point(|underway| underway.last_message < number);
        logbook.underway.get(at).map_or(logbook.open, |underway| underway.batch)
    }

    /// Whether what depends on this batch may leave.
    #[inline]
    pub(super) fn has_stored(&self, batch: u64) -> bool {
        batch == 0 || self.logbook.as_ref().is_some_and(|logbook| batch <= logbook.stored)
    }

    /// Whether records wait to be taken.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        self.logbook.as_ref().is_some_and(|logbook| !logbook.records.is_empty())
    }

    /// Whether every record has been stored.
    pub(super) fn is_stored(&self) -> bool {
        self.logbook
            .as_ref()
            .is_none_or(|logbook| logbook.records.is_empty() && logbook.underway.is_empty())
    }

    /// How many messages have not been stored.
    pub(super) fn unstored(&self) -> usize {
        self.logbook.as_ref().map_or(0, |logbook| {
            logbook.messages
                + logbook.underway.iter().map(|underway| underway.messages).sum::<usize>()
        })
    }

    /// Whether the record of one more message of this weight may wait for the disk. One that is larger
    /// than the limit may when nothing else does.
    pub(super) fn has_room(&self, weight: usize) -> bool {
        let Some(logbook) = &self.logbook else { return true };
        let underway: usize = logbook.underway.iter().map(|underway| underway.bytes).sum();
        let bytes = logbook.records.len() + underway;
        bytes == 0 || bytes.saturating_add(weight) <= JOURNAL_LIMIT
    }

    /// Takes the open batch, into an empty `spare`; its number.
    pub(super) fn take(&mut self, spare: &mut Output) -> Option<u64> {
        let logbook = self.logbook.as_mut().filter(|logbook| !logbook.records.is_empty())?;
        std::mem::swap(&mut logbook.records, spare);
        let batch = logbook.open;
        logbook.open += 1;
        logbook.underway.push_back(Underway {
            batch,
            bytes: spare.len(),
            messages: std::mem::take(&mut logbook.messages),
            last_message: logbook.last_message,
        });
        Some(batch)
    }

    /// The batches up to this one have been stored.
    pub(super) fn stored(&mut self, through: u64) {
        let Some(logbook) = &mut self.logbook else { return };
        logbook.failure = None;
        while let Some(first) = logbook.underway.pop_front_if(|first| first.batch <= through) {
            logbook.stored = first.batch;
            logbook.stored_message = first.last_message;
        }
        let later = match logbook.waiters.is_empty() {
            true => return,
            false => logbook.waiters.split_off(&(logbook.stored_message + 1)),
        };
        for ticket in std::mem::replace(&mut logbook.waiters, later).into_values().flatten() {
            self.told.push_back((ticket, Ok(())));
        }
    }

    /// The disk takes nothing at present.
    pub(super) fn failed(&mut self, error: Error) {
        let Some(logbook) = &mut self.logbook else { return };
        for ticket in std::mem::take(&mut logbook.waiters).into_values().flatten() {
            self.told.push_back((ticket, Err(error.clone())));
        }
        logbook.failure = Some(error);
    }

    pub(super) fn failure(&self) -> Option<&Error> {
        self.logbook.as_ref()?.failure.as_ref()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure().is_some()
    }

    // ---- who waits for a message to be stored

    /// Takes along who waits for a message, or tells at once what is known: `outcome` is how it ended,
    /// if it has. One of which there is no record has nothing to wait for.
    ///
    /// # Errors
    /// Why the disk takes nothing at present.
    pub(super) fn wait(
        &mut self,
        number: u64,
        ticket: Ticket,
        outcome: Option<Result<()>>,
    ) -> Result<()> {
        let (last, stored) = self
            .logbook
            .as_ref()
            .map_or((0, 0), |logbook| (logbook.last_message, logbook.stored_message));
        // One that has ended well has been stored, or, of QoS 0, did not have to be.
        let is_stored = number <= stored || matches!(outcome, Some(Ok(())));
        if let Some(error) = outcome.and_then(Result::err).filter(|_| !is_stored) {
            self.told.push_back((ticket, Err(error)));
        } else if let Some(logbook) = &mut self.logbook
            && !is_stored
            && number <= last
        {
            if let Some(failure) = &logbook.failure {
                return Err(failure.clone());
            }
            logbook.waiters.entry(number).or_default().push(ticket);
        } else {
            self.told.push_back((ticket, Ok(())));
        }
        Ok(())
    }

    /// A message has ended with this error: who still waits for it to be stored waits in vain.
    #[inline]
    pub(super) fn end_waiters(&mut self, number: u64, error: &Error) {
        if let Some(logbook) = &mut self.logbook
            && !logbook.waiters.is_empty()
        {
            let tickets = logbook.waiters.remove(&number).into_iter().flatten();
            self.told.extend(tickets.map(|ticket| (ticket, Err(error.clone()))));
        }
    }

    /// Takes the next answer to one that waited.
    pub(super) fn take_told(&mut self) -> Option<(Ticket, Result<()>)> {
        self.told.pop_front()
    }

    pub(super) fn shrink(&mut self) {
        self.told.shrink_to(4);
        let Some(logbook) = &mut self.logbook else { return };
        logbook.underway.shrink_to(4);
        if logbook.records.is_empty() {
            logbook.records.clear(0);
        }
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
        let clock = WallClock { instant: Instant::now(), unix: 0 };
        let recovered = Recovered { last_number: 4, ..Recovered::default() };
        let mut journal = Journal::new(clock, &recovered);
        let message = |journal: &mut Journal, number| {
            journal.message(number).unwrap().buffer().push(0);
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
        assert_eq!((journal.batch_of(9), journal.unstored()), (0, 0));
        assert!(journal.is_stored());
    }
}
