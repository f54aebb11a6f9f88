//! Who wants to know how messages ended: watchers, and flushes that wait for all.

use super::{
    super::{Completion, Ended, Outcome, Ticket, Watched, output::Numbers},
    Outbox, Outgoing,
};
use crate::error::{Code, Error, Result};

/// A message that a flush found unended; as long as it is, nothing else needs a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Witness {
    Queue,
    Flight(u64),
    Output,
}

pub(super) struct Flush {
    ticket: Ticket,
    through: u64,
    witness: Witness,
}

impl Outgoing {
    /// How a message ended, or `watcher` taken along until it does.
    pub(in crate::engine) fn watch(
        &mut self,
        number: u64,
        ticket: Ticket,
        watcher: &mut Option<Completion>,
        output: &Outbox,
    ) -> Option<Outcome> {
        if let Err(unknown) = self.check_number(number) {
            return Some(Err(unknown));
        }
        let kept = self.queue.contains(number) || self.flights.contains(number);
        let waiting = output.qos0().any(|numbers| numbers.contains(number));
        self.ledger.watch(number, ticket, watcher, kept, waiting)
    }

    /// Whether this number has been given to a message.
    ///
    /// # Errors
    /// `UNKNOWN_MESSAGE`.
    pub(in crate::engine) fn check_number(&self, number: u64) -> Result<()> {
        if (1..=self.last_number).contains(&number) {
            return Ok(());
        }
        Err(Error::new(
            Code::UnknownMessage,
            format!("No message has the number {number}; a number is what publish returns"),
        ))
    }

    /// Gives a watcher back.
    pub(in crate::engine) fn unwatch(&mut self, number: u64, ticket: Ticket) -> Option<Completion> {
        self.ledger.unwatch(number, ticket)
    }

    /// Completions that were taken and called give their places free.
    pub(in crate::engine) fn completions_taken(&mut self, count: usize) {
        self.ledger.completions_taken(count);
    }

    pub(in crate::engine) fn take_ended(&mut self) -> Vec<Ended> {
        self.ledger.take_ended()
    }

    pub(in crate::engine) fn take_watched(&mut self) -> Vec<Watched> {
        self.ledger.take_watched()
    }

    pub(in crate::engine) fn has_ended(&self) -> bool {
        self.ledger.has_ended()
    }

    /// Starts a flush; `false` when there is nothing to wait for.
    pub(in crate::engine) fn flush(&mut self, ticket: Ticket, output: &Outbox) -> bool {
        let through = self.last_number;
        let Some(witness) = self.unended(through, output) else { return false };
        self.flushes.push(Flush { ticket, through, witness });
        true
    }

    /// A flush whose messages have all ended.
    pub(in crate::engine) fn take_flushed(&mut self, output: &Outbox) -> Option<Ticket> {
        for index in 0..self.flushes.len() {
            let Flush { ticket, through, witness } = self.flushes[index];
            if self.is_unended(witness, through, output) {
                continue;
            }
            match self.unended(through, output) {
                Some(witness) => self.flushes[index].witness = witness,
                None => {
                    self.flushes.remove(index);
                    return Some(ticket);
                }
            }
        }
        None
    }

    fn is_unended(&self, witness: Witness, through: u64, output: &Outbox) -> bool {
        match witness {
            Witness::Queue => self.queue.front().is_some_and(|kept| kept.pending.number <= through),
            Witness::Flight(number) => self.flights.contains(number),
            Witness::Output => {
                let mut first = output.qos0().filter_map(Numbers::first);
                self.ledger.first_writing().into_iter().chain(&mut first).any(|n| n <= through)
            }
        }
    }

    fn unended(&self, through: u64, output: &Outbox) -> Option<Witness> {
        let flight = || self.flights.any_through(through).map(Witness::Flight);
        [Witness::Queue, Witness::Output]
            .into_iter()
            .find(|&witness| self.is_unended(witness, through, output))
            .or_else(flight)
    }
}
