//! Messages on their way to the broker, and the promise of each quality of service.
//!
//! ```text
//!              publish                window open
//!   (caller) ──────────► queue ─────────────────────► flight ─────────► ended         QoS 1, 2
//!                          │ room in the output                (flight.rs)
//!                          └───────────────────► output ──────► written: ended        QoS 0
//!
//!   Connection lost: what was not written ends, what is in flight stays. Session gone: what is in
//!   flight returns to the front of the queue as new messages; after PUBREC it ends as "session lost,
//!   delivery unknown".
//! ```

use super::{
    Completion, Ended, Outcome, Output, Publication, QueueLimit, QueuePolicy, Refused, Settings,
    Ticket,
    flight::{Again, Flights, Landed},
    ledger::Ledger,
    packet_id::PacketIds,
    publication::Stored,
    queue::Queue,
    server::ServerLimits,
};
use crate::{
    error::{Code, Error},
    protocol::{Ack, QoS, Version},
};

/// How much encoded output may wait for the socket. More would only grow the buffers out of the
/// processor's caches: what does not fit waits as a message or makes the caller wait.
pub(super) const OUTPUT_LIMIT: usize = 512 << 10;

/// A message that a flush found unended; as long as it is, nothing else needs a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Witness {
    Queue,
    Flight(usize, u64),
    Output,
}

struct Flush {
    ticket: Ticket,
    through: u64,
    witness: Witness,
}

pub(super) struct Outgoing {
    version: Version,
    limit: QueueLimit,
    server: ServerLimits,
    last_number: u64,
    queue: Queue,
    flights: Flights,
    ledger: Ledger,
    flushes: Vec<Flush>,
    pub(super) dropped: u64,
}

impl Outgoing {
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings { version, in_flight_limit, exactly_once_limit, queue: limit, .. } = *settings;
        Self {
            version,
            limit,
            server: ServerLimits::default(),
            last_number: 0,
            queue: Queue::new(limit.policy),
            flights: Flights::new(version, in_flight_limit, exactly_once_limit),
            ledger: Ledger::default(),
            flushes: Vec::new(),
            dropped: 0,
        }
    }

    // ---- getters

    pub(super) fn last_number(&self) -> u64 {
        self.last_number
    }

    /// Messages that have not ended; with `called`, also those whose completion has not been called.
    pub(super) fn outstanding(&self, called: bool) -> usize {
        self.queue.len()
            + self.flights.len()
            + self.ledger.unwritten()
            + if called { self.ledger.completing() } else { 0 }
    }

    /// Messages that keep a place in the limit.
    pub(super) fn messages(&self) -> usize {
        self.outstanding(true)
    }

    pub(super) fn bytes(&self) -> usize {
        self.queue.weight() + self.flights.weight()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Whether a waiting publisher has a chance now.
    pub(super) fn has_room_for_waiting(&self, output: &Output) -> bool {
        output.len() < OUTPUT_LIMIT && self.limit.fits(self.messages(), self.bytes(), 1)
    }

    // ---- publishing

    /// Accepts a message. `online` says that packets may be sent; `patient`, that the caller would
    /// rather wait than queue while the output is full.
    #[inline]
    pub(super) fn publish(
        &mut self,
        publication: Publication<'_>,
        completion: &mut Option<Completion>,
        online: bool,
        patient: bool,
        ids: &mut PacketIds,
        output: &mut Output,
    ) -> Result<u64, Refused> {
        if online && publication.qos == QoS::AtMostOnce && self.queue.is_empty() {
            if output.len() >= OUTPUT_LIMIT {
                if patient {
                    return Err(Refused::Full);
                }
            } else if completion.is_none() || self.messages() < self.limit.messages {
                return self.publish_now(publication, completion, output);
            }
        }
        let number = self.last_number + 1;
        let mut stored =
            Stored::new(number, self.version, publication).map_err(Refused::Because)?;
        if online {
            stored.check(&self.server).map_err(Refused::Because)?;
        }
        if !self.make_room(&stored) {
            if self.limit.policy != QueuePolicy::DropNewest || self.is_deaf() {
                return Err(Refused::Full);
            }
            self.last_number = number;
            stored.completion = completion.take();
            self.drop_stored(stored);
            return Ok(number);
        }
        self.last_number = number;
        stored.completion = completion.take();
        self.queue.push_back(stored);
        if online {
            self.pump(ids, output);
        }
        Ok(number)
    }

    /// QoS 0 straight into the output: one copy, nothing kept.
    #[inline]
    fn publish_now(
        &mut self,
        publication: Publication<'_>,
        completion: &mut Option<Completion>,
        output: &mut Output,
    ) -> Result<u64, Refused> {
        publication.write(self.version, &self.server, output).map_err(Refused::Because)?;
        self.last_number += 1;
        self.put(self.last_number, completion.take(), output);
        Ok(self.last_number)
    }

    /// A message of QoS 0 stands in the output.
    #[inline]
    fn put(&mut self, number: u64, completion: Option<Completion>, output: &mut Output) {
        output.qos0.push(number);
        self.ledger.put(number, completion);
    }

    /// Makes room for a message as the policy says; `false` when there is none, and then nothing has
    /// been dropped.
    fn make_room(&mut self, newer: &Stored) -> bool {
        let weight = newer.weight();
        if !self.limit.drops_older() {
            return self.limit.fits(self.messages(), self.bytes(), weight);
        }
        // What is in flight or being written cannot be dropped. A dropped message gives its place to
        // the newer one although its completion has not been called: else a program that is slow to
        // take completions would lose everything.
        let fixed = self.flights.len() + self.ledger.unwritten();
        if self.is_deaf() || !self.limit.fits(fixed, self.flights.weight(), weight) {
            return false;
        }
        if let Some(replaced) = self.queue.take_replaced(newer.topic()) {
            self.drop_stored(replaced);
        }
        while !self.limit.fits(self.outstanding(false), self.bytes(), weight) {
            let Some(oldest) = self.queue.pop_front() else { return false };
            self.drop_stored(oldest);
        }
        true
    }

    /// Whether so many completions have not been called that dropping would grow them without bound.
    fn is_deaf(&self) -> bool {
        self.ledger.completing() >= self.limit.messages
    }

    fn drop_stored(&mut self, stored: Stored) {
        self.dropped += 1;
        self.end((stored, Err(Code::Dropped.into())));
    }

    fn end(&mut self, (stored, outcome): Landed) {
        self.ledger.end(stored.number, stored.completion, outcome);
    }

    /// Sends what the window and the output have room for.
    pub(super) fn pump(&mut self, ids: &mut PacketIds, output: &mut Output) {
        while output.len() < OUTPUT_LIMIT {
            match self.flights.send_again(&self.server, ids, output) {
                Again::Sent => continue,
                Again::Waits => return,
                Again::Refused(landed) => {
                    self.end(landed);
                    continue;
                }
                Again::Done => {}
            }
            let Some(next) = self.queue.front() else { return };
            let qos0 = next.qos == QoS::AtMostOnce;
            if !qos0 && !self.flights.has_place(next.qos) {
                return;
            }
            // It may have been accepted before this broker said what it takes.
            let allowed = next.check(&self.server);
            let packet_id = match allowed.is_ok() && !qos0 {
                true => match self.flights.allocate(ids) {
                    None => return,
                    allocated => allocated,
                },
                false => None,
            };
            let Some(stored) = self.queue.pop_front() else { return };
            match (allowed, packet_id) {
                (Err(error), _) => self.end((stored, Err(error))),
                (Ok(()), Some(id)) => self.flights.launch(stored, id, output),
                (Ok(()), None) => {
                    stored.write(None, false, output);
                    self.put(stored.number, stored.completion, output);
                }
            }
        }
    }

    /// The output has been taken for writing; its QoS 0 messages end when it has been written.
    pub(super) fn output_taken(&mut self, output: &mut Output) {
        self.ledger.output_taken(&mut output.qos0);
    }

    /// What was taken has been written.
    pub(super) fn output_written(&mut self) {
        self.ledger.output_written();
    }

    // ---- the broker's answers

    /// PUBACK.
    pub(super) fn acknowledged(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        ids: &mut PacketIds,
    ) -> Result<(), &'static str> {
        let landed = self.flights.acknowledged(ack, key, ids)?;
        self.end(landed);
        Ok(())
    }

    /// PUBREC.
    pub(super) fn received(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        ids: &mut PacketIds,
        output: &mut Output,
    ) -> Result<(), &'static str> {
        if let Some(landed) = self.flights.received(ack, key, ids, output)? {
            self.end(landed);
        }
        Ok(())
    }

    /// PUBCOMP.
    pub(super) fn completed(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        ids: &mut PacketIds,
    ) -> Result<(), &'static str> {
        let landed = self.flights.completed(ack, key, ids)?;
        self.end(landed);
        Ok(())
    }

    // ---- connections

    /// The connection is gone. QoS 0 messages that had not been written are gone with it.
    pub(super) fn disconnected(&mut self, output: &mut Output) {
        self.flights.disconnected();
        let lost = Error::new(
            Code::ConnectionClosed,
            "The connection was lost before the message was written",
        );
        self.ledger.output_lost(&mut output.qos0, &Err(lost));
    }

    /// A connection begins: the broker still has the session, or it does not.
    pub(super) fn connected(
        &mut self,
        resumed: bool,
        end_on_loss: bool,
        server: ServerLimits,
        ids: &mut PacketIds,
    ) {
        self.server = server;
        self.flights.connected(&server);
        if resumed {
            return self.flights.resume();
        }
        let (ending, returning): (Vec<_>, Vec<_>) = self
            .flights
            .take_all(ids)
            .into_iter()
            .partition(|flight| flight.released || end_on_loss);
        for flight in ending {
            self.end((flight.stored, Err(Code::SessionLost.into())));
        }
        // Newest first, so that the front of the queue ends up in the original order.
        for flight in returning.into_iter().rev() {
            self.queue.push_front(flight.stored);
        }
    }

    /// Ends everything that has not ended; how many messages that were, without those of QoS 0 in
    /// the output.
    pub(super) fn cancel_all(&mut self, ids: &mut PacketIds, output: &mut Output) -> usize {
        let cancelled: Outcome = Err(Code::Cancelled.into());
        self.ledger.output_lost(&mut output.qos0, &cancelled);
        let flights = self.flights.take_all(ids).into_iter().map(|flight| flight.stored);
        let mut ending: Vec<Stored> = flights.collect();
        ending.extend(std::iter::from_fn(|| self.queue.pop_front()));
        let count = ending.len();
        for stored in ending {
            self.end((stored, cancelled.clone()));
        }
        count
    }

    // ---- telling

    /// How a message ended, or `watcher` taken along until it does.
    pub(super) fn watch(
        &mut self,
        number: u64,
        ticket: Ticket,
        watcher: &mut Option<Completion>,
        output: &Output,
    ) -> Option<Outcome> {
        if number == 0 || number > self.last_number {
            return Some(Err(Error::new(
                Code::UnknownMessage,
                format!("No message has the number {number}; a number is what publish returns"),
            )));
        }
        let kept = self.queue.contains(number) || self.flights.contains(number);
        self.ledger.watch(number, ticket, watcher, kept, &output.qos0)
    }

    /// Gives a watcher back.
    pub(super) fn unwatch(&mut self, number: u64, ticket: Ticket) -> Option<Completion> {
        self.ledger.unwatch(number, ticket)
    }

    /// Completions that were taken and called give their places free.
    pub(super) fn completions_taken(&mut self, count: usize) {
        self.ledger.completions_taken(count);
    }

    pub(super) fn take_ended(&mut self) -> Vec<Ended> {
        self.ledger.take_ended()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ledger.has_ended()
    }

    /// Starts a flush; `false` when there is nothing to wait for.
    pub(super) fn flush(&mut self, ticket: Ticket, output: &Output) -> bool {
        let through = self.last_number;
        let Some(witness) = self.unended(through, output) else { return false };
        self.flushes.push(Flush { ticket, through, witness });
        true
    }

    /// A flush whose messages have all ended.
    pub(super) fn take_flushed(&mut self, output: &Output) -> Option<Ticket> {
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

    fn is_unended(&self, witness: Witness, through: u64, output: &Output) -> bool {
        match witness {
            Witness::Queue => self.queue.front().is_some_and(|stored| stored.number <= through),
            Witness::Flight(key, number) => self.flights.number(key) == Some(number),
            Witness::Output => [self.ledger.first_writing(), output.qos0.first()]
                .into_iter()
                .flatten()
                .any(|first| first <= through),
        }
    }

    fn unended(&self, through: u64, output: &Output) -> Option<Witness> {
        let flight = || {
            let key = self.flights.any_through(through)?;
            Some(Witness::Flight(key, self.flights.number(key)?))
        };
        [Witness::Queue, Witness::Output]
            .into_iter()
            .find(|&witness| self.is_unended(witness, through, output))
            .or_else(flight)
    }

    /// Gives memory back after a busy time.
    pub(super) fn shrink(&mut self) {
        self.queue.shrink();
        self.flights.shrink();
        self.ledger.shrink();
    }
}
