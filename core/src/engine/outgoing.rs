//! Messages on their way to the broker, and the promise of each quality of service.
//!
//! ```text
//!              publish                window open
//!   (caller) ──────────► queue ─────────────────────► flight ─────────► ended         QoS 1, 2
//!                        │ │ room in the output                (flight.rs)
//!                        │ └───────────────────► output ──────► written: ended        QoS 0
//!                        └──► lifetime over: ended
//!
//!   Connection lost: what was not written ends, what is in flight stays. Session gone: what is in
//!   flight returns to the front of the queue as new messages; after PUBREC it ends as "session lost,
//!   delivery unknown".
//! ```

mod connection;
mod room;
mod suspicion;
mod telling;

use std::time::Instant;

use super::{
    Completion, Failed, Output, Publication, QueueLimit, QueuePolicy, Record, Recovered, Refused,
    Settings,
    encoded::Encoded,
    flight::{Again, Flights, Landed, Wire},
    journal::{Journal, WallClock},
    kept::{Kept, Pending},
    ledger::Ledger,
    outbox::Outbox,
    outgoing_alias::OutgoingAliases,
    output::Numbers,
    packet_id::PacketIds,
    queue::Queue,
    server::ServerLimits,
};
use crate::{
    error::{Code, Result},
    protocol::{Ack, PacketId, QoS, Version},
    seldom::Seldom,
};
use suspicion::{Isolation, Suspicion};
use telling::Flush;

/// How much encoded output may wait for the socket. More would only grow the buffers out of the
/// processor's caches: what does not fit waits as a message or makes the caller wait.
pub(super) const OUTPUT_LIMIT: usize = 512 << 10;

/// What the engine lends: its packet ids, where packets go, and where records go.
pub(super) struct Tools<'e> {
    pub(super) ids: &'e mut PacketIds,
    pub(super) output: &'e mut Outbox,
    pub(super) journal: &'e mut Journal,
}

pub(super) struct Outgoing {
    version: Version,
    limit: QueueLimit,
    /// What a store holds at most, where there is one.
    store_limit: QueueLimit,
    server: ServerLimits,
    aliases: OutgoingAliases,
    last_number: u64,
    /// The last number that an earlier process gave.
    recovered: u64,
    queue: Queue,
    flights: Flights,
    suspicion: Suspicion,
    isolation: Isolation,
    ledger: Ledger,
    flushes: Vec<Flush>,
    failed: Seldom<Failed>,
}

impl Outgoing {
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings { version, in_flight_limit, exactly_once_limit, queue: limit, .. } = *settings;
        let (messages, bytes) = settings.store_limit;
        Self {
            version,
            limit,
            store_limit: QueueLimit { messages, bytes, ..limit },
            server: ServerLimits::default(),
            aliases: OutgoingAliases::new(settings.topic_alias_limit),
            last_number: 0,
            recovered: 0,
            queue: Queue::new(limit.policy),
            flights: Flights::new(version, in_flight_limit, exactly_once_limit),
            suspicion: Suspicion::new(settings.set_aside_after),
            isolation: Isolation::No,
            ledger: Ledger::default(),
            flushes: Vec::new(),
            failed: Seldom::default(),
        }
    }

    /// Goes on with what an earlier process left in its store: what has a packet id is in flight, and
    /// the rest waits. The limits have no say in it.
    pub(super) fn recover(
        &mut self,
        recovered: &Recovered,
        ids: &mut PacketIds,
        clock: WallClock,
    ) -> Result<()> {
        (self.last_number, self.recovered) = (recovered.last_number, recovered.last_number);
        self.ledger = Ledger::recover(recovered.last_number);
        for (&number, message) in &recovered.messages {
            let (packet, qos) = Encoded::recover(number, self.version, message, clock)?;
            let kept = Kept { pending: Pending { number, qos, completion: None }, packet };
            match message.packet_id {
                Some(id) => self.flights.recover(kept, id, message.released, ids),
                None => {
                    self.queue.push_back(kept);
                    self.queue.settle(number);
                }
            }
        }
        for &packet_id in &recovered.retired {
            ids.retire(packet_id);
        }
        Ok(())
    }

    // ---- getters

    /// How many messages have been accepted in this process.
    pub(super) fn published(&self) -> u64 {
        self.last_number - self.recovered
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

    /// The bytes that keep a place in the limit.
    fn bytes(&self) -> usize {
        self.queue.weight() + self.flights.weight()
    }

    /// The bytes of all messages that have not ended.
    pub(super) fn all_bytes(&self, output: &Outbox) -> usize {
        let waiting: usize = output.qos0().map(Numbers::bytes).sum();
        self.bytes() + self.ledger.bytes_writing() + waiting
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    pub(super) fn is_write_due(&self) -> bool {
        self.flights.is_write_due()
    }

    pub(super) fn failed(&self) -> Failed {
        self.failed.get().copied().unwrap_or_default()
    }

    /// Whether a ping has to show that the connection lives before anything else is sent.
    pub(super) fn asks_for_ping(&self) -> bool {
        self.isolation == Isolation::Asking
    }

    /// When the next message expires.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.queue.next_expiry()
    }

    // ---- publishing

    /// Accepts a message. `online` says that packets may be sent; `patient`, that the caller would
    /// rather wait than queue while the output is full.
    #[inline]
    pub(super) fn publish(
        &mut self,
        publication: &Publication<'_>,
        completion: &mut Option<Completion>,
        online: bool,
        patient: bool,
        tools: Tools<'_>,
    ) -> Result<u64, Refused> {
        publication.check().map_err(Refused::Because)?;
        let qos0 = publication.qos == QoS::AtMostOnce;
        if online && qos0 && self.queue.is_empty() && self.isolation == Isolation::No {
            // What has waited for room carries less than its whole lifetime.
            let fresh = publication.lifetime.is_none_or(|lifetime| lifetime.is_whole());
            if tools.output.len() >= OUTPUT_LIMIT {
                if patient {
                    return Err(Refused::Full);
                }
            } else if fresh && (completion.is_none() || self.messages() < self.limit.messages) {
                return self.publish_now(publication, completion, tools.output);
            }
        }
        self.publish_kept(publication, completion, online, tools)
    }

    /// QoS 0 straight into the output: one copy, nothing kept.
    #[inline]
    fn publish_now(
        &mut self,
        publication: &Publication<'_>,
        completion: &mut Option<Completion>,
        output: &mut Outbox,
    ) -> Result<u64, Refused> {
        let bytes = publication
            .write(self.version, &self.server, &mut self.aliases, &mut output.open)
            .map_err(Refused::Because)?;
        self.last_number += 1;
        self.put(self.last_number, bytes, completion.take(), output);
        Ok(self.last_number)
    }

    /// A message of QoS 0 stands in the output.
    #[inline]
    fn put(
        &mut self,
        number: u64,
        bytes: usize,
        completion: Option<Completion>,
        output: &mut Outbox,
    ) {
        output.open.qos0.push(number, bytes);
        self.ledger.put(number, completion);
    }

    /// By way of the queue, which it may leave at once.
    fn publish_kept(
        &mut self,
        publication: &Publication<'_>,
        completion: &mut Option<Completion>,
        online: bool,
        mut tools: Tools<'_>,
    ) -> Result<u64, Refused> {
        let stores = tools.journal.is_on() && publication.qos != QoS::AtMostOnce;
        if stores && let Some(failure) = tools.journal.failure() {
            return Err(Refused::Because(failure.clone()));
        }
        let number = self.last_number + 1;
        let now = publication.lifetime.map(|lifetime| lifetime.now);
        let buffer = self.flights.take_buffer();
        let packet = Encoded::new(self.version, publication, buffer).map_err(Refused::Because)?;
        if online {
            packet.check(&self.server).map_err(Refused::Because)?;
        }
        let has_room = self.make_room(&packet, stores, tools.journal);
        let qos = publication.qos;
        if !has_room {
            if self.limit.policy != QueuePolicy::DropNewest || self.is_deaf() {
                return Err(Refused::Full);
            }
            self.last_number = number;
            let pending = Pending { number, qos, completion: completion.take() };
            // There is no record of it.
            self.conclude((pending, Err(Code::Dropped.into())), tools.journal);
            return Ok(number);
        }
        self.last_number = number;
        if stores {
            packet.record(number, self.version, tools.journal);
        }
        let kept = Kept { pending: Pending { number, qos, completion: completion.take() }, packet };
        if online && let Some(id) = self.place_for_next(&kept, tools.ids, tools.output) {
            let Tools { ids, output, journal } = tools;
            let (server, aliases, output) = (&self.server, &mut self.aliases, &mut output.open);
            let mut wire = Wire { server, aliases, now, output, journal };
            self.flights.launch(kept, id, ids, &mut wire);
            return Ok(number);
        }
        self.queue.push_back(kept);
        if online {
            self.pump(now, &mut tools);
        }
        if now.is_some() {
            self.queue.settle(number);
        }
        Ok(number)
    }

    /// A packet id for the newest message, where it may leave without having waited in the queue: most
    /// of QoS 1 and 2 do.
    fn place_for_next(
        &mut self,
        newest: &Kept,
        ids: &mut PacketIds,
        output: &Outbox,
    ) -> Option<PacketId> {
        let at_once = newest.pending.qos != QoS::AtMostOnce
            && !newest.packet.has_lifetime()
            && self.queue.is_empty()
            && self.flights.has_resent()
            && self.flights.has_place(newest.pending.qos)
            && self.isolation == Isolation::No
            && output.len() < OUTPUT_LIMIT;
        at_once.then(|| self.flights.allocate(ids))?
    }

    /// A message that was queued or in flight has ended.
    fn end(&mut self, landed: Landed, journal: &mut Journal) {
        if landed.0.qos != QoS::AtMostOnce {
            journal.record(&Record::Ended { number: landed.0.number });
        }
        self.conclude(landed, journal);
    }

    /// A message has ended for this process.
    fn conclude(&mut self, (pending, outcome): Landed, journal: &mut Journal) {
        let Pending { number, completion, .. } = pending;
        if let Err(error) = &outcome {
            journal.end_waiters(number, error);
            self.failed.make().count(error, 1);
        }
        self.acquit(number);
        self.ledger.end(number, completion, outcome);
    }

    /// The broker has survived this message, or will not see it again.
    #[inline]
    fn acquit(&mut self, number: u64) {
        if self.suspicion.clear(number) {
            self.isolation = Isolation::No;
        }
    }

    /// Sends what the window and the output have room for. Without a clock, what has a lifetime waits
    /// for whoever has one, and what is behind it waits, too.
    pub(super) fn pump(&mut self, now: Option<Instant>, tools: &mut Tools<'_>) {
        let Tools { ids, output, journal } = tools;
        while output.len() < OUTPUT_LIMIT {
            match self.isolation {
                Isolation::No => {}
                Isolation::Alone if self.flights.on_wire() == 0 => {}
                // A release may be what the broker ends on, too.
                Isolation::Asking if self.flights.release_is_next() => {}
                Isolation::Asking | Isolation::Alone => return,
            }
            let (server, aliases) = (&self.server, &mut self.aliases);
            let mut wire = Wire { server, aliases, now, output: &mut output.open, journal };
            match self.flights.send_again(ids, &mut wire) {
                Again::Sent => continue,
                Again::Waits => return,
                Again::Refused(landed) => {
                    self.end(landed, journal);
                    continue;
                }
                Again::Done => {}
            }
            let Some(next) = self.queue.front() else { return };
            if next.packet.has_lifetime() && now.is_none() {
                return;
            }
            // It may have been accepted before this broker said what it takes, and there is always
            // a moment between a deadline and its timer.
            let late =
                next.packet.gives_up_at().zip(now).is_some_and(|(deadline, now)| deadline < now);
            let allowed = match late {
                true => Err(Code::Expired.into()),
                false => next.packet.check(&self.server),
            };
            let qos0 = next.pending.qos == QoS::AtMostOnce;
            let mut packet_id = None;
            if allowed.is_ok() && !qos0 {
                if !self.flights.has_place(next.pending.qos) {
                    return;
                }
                packet_id = self.flights.allocate(ids);
                if packet_id.is_none() {
                    return;
                }
            }
            let Some(mut kept) = self.queue.pop_front() else { return };
            match (allowed, packet_id) {
                (Err(error), _) => self.end((kept.pending, Err(error)), journal),
                (Ok(()), Some(id)) => self.flights.launch(kept, id, ids, &mut wire),
                (Ok(()), None) => {
                    let bytes = kept.packet.write(None, &mut wire);
                    let Pending { number, completion, .. } = kept.pending;
                    self.put(number, bytes, completion, output);
                }
            }
        }
    }

    /// Ends the messages that have waited too long.
    pub(super) fn expire(&mut self, now: Instant, journal: &mut Journal) {
        while let Some(expired) = self.queue.take_expired(now) {
            self.end((expired.pending, Err(Code::Expired.into())), journal);
        }
    }

    /// The output has been taken for writing; its QoS 0 messages end when it has been written.
    pub(super) fn output_taken(&mut self, output: &mut Output) {
        self.ledger.output_taken(&mut output.qos0);
        self.flights.output_taken();
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
        Tools { ids, journal, .. }: Tools<'_>,
    ) -> Result<(), &'static str> {
        let landed = self.flights.acknowledged(ack, key, ids)?;
        self.end(landed, journal);
        Ok(())
    }

    /// PUBREC.
    pub(super) fn received(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        mut tools: Tools<'_>,
    ) -> Result<(), &'static str> {
        match self.flights.received(ack, key, &mut tools)? {
            Some(landed) => self.end(landed, tools.journal),
            None => self.acquit(self.flights.number(key).unwrap_or_default()),
        }
        Ok(())
    }

    /// PUBCOMP.
    pub(super) fn completed(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        Tools { ids, journal, .. }: Tools<'_>,
    ) -> Result<(), &'static str> {
        let landed = self.flights.completed(ack, key, ids)?;
        self.end(landed, journal);
        Ok(())
    }

    /// PINGRESP. To a message that is alone it is the answer of a broker that lives on with it: that
    /// ping was sent because nothing had come for the keep-alive time.
    pub(super) fn ping_answered(&mut self) {
        match self.isolation {
            Isolation::Asking => self.isolation = Isolation::Alone,
            Isolation::Alone if self.flights.on_wire() > 0 => {
                self.acquit(self.suspicion.number().unwrap_or_default());
            }
            Isolation::Alone | Isolation::No => {}
        }
    }

    /// Gives memory back after a busy time.
    pub(super) fn shrink(&mut self, ids: &mut PacketIds) {
        self.queue.shrink();
        self.flights.shrink(ids);
        self.ledger.shrink();
    }
}
