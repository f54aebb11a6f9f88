//! What a store adds to the machine: records to be stored, and what waits until they have been.

use std::{sync::Arc, time::Instant};

use super::Engine;
use crate::{
    engine::{Output, Recovered, Settings, Ticket, WallClock, journal::Journal},
    error::{Code, Error, Result},
};

impl Engine {
    /// A session that is offline and goes on with what an earlier one left in its store. `clock` is
    /// now.
    ///
    /// # Errors
    /// Those of [`new`](Self::new); `STORE_CORRUPT` for a message that is none, `PAYLOAD_TOO_LARGE` for
    /// one that no packet of this version can hold.
    pub fn with_store(
        settings: Arc<Settings>,
        client_id: Arc<str>,
        any_client_id: bool,
        recovered: Recovered,
        clock: WallClock,
    ) -> Result<Self> {
        let mut engine = Self::new(settings, client_id, any_client_id)?;
        engine.journal = Journal::new(clock, &recovered);
        engine.outgoing.recover(&recovered, &mut engine.ids, clock)?;
        if recovered.doubtful || !recovered.received.is_empty() {
            engine.incoming().0.recover(recovered.received, recovered.doubtful);
        }
        engine.subscriptions.recover(recovered.granted);
        Ok(engine)
    }

    // ---- getters

    /// Whether records wait to be taken with [`poll_records`](Self::poll_records).
    #[inline]
    pub fn has_records(&self) -> bool {
        self.journal.is_waiting()
    }

    /// Whether every record so far has been stored. Without a store it always is.
    pub fn is_stored(&self) -> bool {
        self.journal.is_stored()
    }

    // ---- verbs

    /// Asks for [`Event::Stored`](crate::engine::Event::Stored) once the message with this number, if it
    /// is of QoS 1 or 2, has been stored; at once where it has been.
    ///
    /// # Errors
    /// `NOT_SUPPORTED` without a store, `UNKNOWN_MESSAGE` for a number that has not been given, and
    /// while the store takes nothing its error.
    pub fn await_stored(&mut self, number: u64, ticket: Ticket) -> Result<()> {
        if !self.journal.is_on() {
            let sentence = "This session has no store; give it one with its options";
            return Err(Error::new(Code::NotSupported, sentence));
        }
        self.outgoing.check_number(number)?;
        let outcome = self.outgoing.watch(number, ticket, &mut None, &self.output);
        self.journal.wait(number, ticket, outcome.map(|outcome| outcome.map(drop)))
    }

    /// The last batch of records that has been begun: what has to be written so that everything that
    /// happened until now survives the process. 0 when all has been stored.
    pub fn newest_batch(&self) -> u64 {
        self.journal.newest()
    }

    /// The session ends and its store stays: every message of QoS 1 and 2 ends here as left in the
    /// store (one that has not been stored as `STORE_FAILED`), all others as cancelled. How many there
    /// were, without those of QoS 0 that the output holds. Without a store all end as cancelled.
    pub fn leave_in_store(&mut self) -> usize {
        if !self.journal.is_on() {
            return self.cancel_all();
        }
        let (outgoing, tools) = self.outgoing();
        let left = outgoing.leave_in_store(tools);
        self.flush_events();
        left
    }

    // ---- what has to be done next

    /// Takes the records that have to be stored next, in one piece, into an empty `spare`; the number
    /// of the batch, counted from 1. Batches are stored in their order.
    pub fn poll_records(&mut self, spare: &mut Output) -> Option<u64> {
        debug_assert!(spare.is_empty());
        if !self.journal.is_waiting() {
            return None;
        }
        self.output.seal(&self.journal);
        self.journal.take(spare)
    }

    // ---- what comes from outside

    /// The batches up to this one have been stored, as durably as the session wants it: what follows
    /// from them may leave.
    pub fn handle_stored(&mut self, through: u64, now: Instant) {
        self.journal.stored(through);
        // A message with a lifetime may have waited for no more than a clock.
        self.pump(now);
    }

    /// The store takes nothing at present; what has been taken will be offered to it again. Until
    /// the next [`handle_stored`](Self::handle_stored) no message of QoS 1 or 2 is accepted, and who
    /// waits for one to be stored learns why it is not.
    pub fn handle_store_failed(&mut self, error: Error) {
        self.journal.failed(error);
    }
}
