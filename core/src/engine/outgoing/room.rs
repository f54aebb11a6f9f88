//! Room for one more message: in the output, within the limits, in the store; and who makes it.

use super::{Encoded, OUTPUT_LIMIT, Outbox, Outgoing};
use crate::{engine::journal::Journal, error::Code};

impl Outgoing {
    /// Whether a waiting publisher has a chance now.
    pub(in crate::engine) fn has_room_for_waiting(
        &self,
        output: &Outbox,
        journal: &Journal,
    ) -> bool {
        // Where the disk takes nothing there is none, but an error.
        journal.has_failed()
            || (output.len() < OUTPUT_LIMIT
                && self.limit.fits(self.messages(), self.bytes(), 1)
                && (!journal.is_on() || self.has_room_in_store(1, journal)))
    }

    /// Whether the store takes one more of this weight, and its records may wait for the disk.
    fn has_room_in_store(&self, weight: usize, journal: &Journal) -> bool {
        let (messages, bytes) = self.queue.lasting();
        let (messages, bytes) = (messages + self.flights.len(), bytes + self.flights.weight());
        journal.has_room(weight) && self.store_limit.fits(messages, bytes, weight)
    }

    /// Makes room for a message as the policy says; `false` when there is none, and then nothing has
    /// been dropped. `stores` says that the store needs room for it, too.
    pub(super) fn make_room(
        &mut self,
        newer: &Encoded,
        stores: bool,
        journal: &mut Journal,
    ) -> bool {
        let weight = newer.weight();
        if !self.limit.drops_older() {
            return self.limit.fits(self.messages(), self.bytes(), weight)
                && (!stores || self.has_room_in_store(weight, journal));
        }
        // What is in flight or being written cannot be dropped. A dropped message gives its place to
        // the newer one although its completion has not been called: else a program that is slow to
        // take completions would lose everything.
        let (flights, bytes) = (self.flights.len(), self.flights.weight());
        let possible = self.limit.fits(flights + self.ledger.unwritten(), bytes, weight)
            && (!stores
                || self.store_limit.fits(flights, bytes, weight) && journal.has_room(weight));
        if self.is_deaf() || !possible {
            return false;
        }
        if let Some(replaced) = self.queue.take_replaced(newer.topic()) {
            self.end((replaced.pending, Err(Code::Dropped.into())), journal);
        }
        loop {
            let (messages, bytes) = self.queue.lasting();
            let (messages, bytes) = (messages + flights, bytes + self.flights.weight());
            if self.limit.fits(self.outstanding(false), self.bytes(), weight)
                && (!stores || self.store_limit.fits(messages, bytes, weight))
            {
                return true;
            }
            let Some(oldest) = self.queue.pop_front() else { return false };
            self.end((oldest.pending, Err(Code::Dropped.into())), journal);
        }
    }

    /// Whether so many completions have not been called that dropping would grow them without bound.
    pub(super) fn is_deaf(&self) -> bool {
        self.ledger.completing() >= self.limit.messages
    }
}
