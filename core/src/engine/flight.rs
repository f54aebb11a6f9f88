//! Messages of QoS 1 and 2 that have been sent and not confirmed.
//!
//! ```text
//!             launch            PUBACK
//!   (queue) ─────────► flight ──────────► landed                     QoS 1
//!                        │
//!                        │ PUBREC          PUBCOMP
//!                        └───────► released ──────► landed           QoS 2
//!
//!   connection lost: flight and released stay. On a resumed session they are sent again: PUBREL as
//!   it was, in the order of PUBREC; PUBLISH with DUP, in the order of the numbers. Session gone: the
//!   caller gets them back.
//! ```

use std::{collections::VecDeque, time::Instant};

use slab::Slab;

use super::{
    Delivered, Outcome, Output, Record, Said,
    journal::Journal,
    kept::Kept,
    outgoing::Tools,
    outgoing_alias::OutgoingAliases,
    packet_id::{PacketIds, Use},
    server::ServerLimits,
    spares::Spares,
};
use crate::{
    error::{Code, Error},
    protocol::{
        Ack, AckKind, PacketId, QoS, ReasonCode, Version, encode_pubrel_again, encode_short,
    },
};

/// So many places of messages that have landed are not worth a look.
const FEW: usize = 64;

const NOT_SENT: &str = "for a message that has not been sent again on this connection";

/// A message that has been sent at least once.
pub(super) struct Flight {
    pub(super) kept: Kept,
    packet_id: PacketId,
    /// The broker has taken the message (PUBREC): only its id matters now.
    pub(super) released: bool,
    /// Then: its place in the order in which the PUBRECs came.
    confirmed: u64,
    /// Its PUBLISH left on this connection and holds a place of the broker's receive maximum.
    counted: bool,
    /// The batch of records that has to be stored before it, or its release, may leave.
    gate: u64,
}

/// What sending a message takes beside the message.
pub(super) struct Wire<'e> {
    pub(super) server: &'e ServerLimits,
    pub(super) aliases: &'e mut OutgoingAliases,
    /// Without a clock no message with a lifetime is sent.
    pub(super) now: Option<Instant>,
    pub(super) output: &'e mut Output,
    pub(super) journal: &'e mut Journal,
}

/// A message that has ended.
pub(super) type Landed = (Kept, Outcome);

/// What has become of the next message to be sent again.
pub(super) enum Again {
    /// It has been sent.
    Sent,
    /// It waits for a place in the window, and all others behind it.
    Waits,
    /// This broker does not take it.
    Refused(Landed),
    /// All have been sent.
    Done,
}

pub(super) struct Flights {
    version: Version,
    flights: Slab<Flight>,
    /// Number and key of each in the order in which they were sent, which is that of the numbers. It
    /// begins with one that is still here; behind it there may be some that have landed, at most as
    /// many as there are in flight and a few.
    order: VecDeque<(u64, usize)>,
    /// The highest number among those of this connection that the broker has answered for.
    answered: u64,
    /// What a resumed session still has to send again, in this order.
    resend: VecDeque<usize>,
    /// How many PUBRECs have come.
    confirmations: u64,
    /// Ours; under 5.0 the broker's receive maximum may make the window smaller.
    limit: u16,
    window: u16,
    on_wire: u16,
    /// Those of them that stand in the output.
    unwritten: u16,
    /// Before 5.0 the broker cannot say how many messages of QoS 2 it remembers at a time.
    exactly_once_limit: u16,
    exactly_once: u16,
    weight: usize,
    pub(super) spares: Spares,
}

impl Flights {
    pub(super) fn new(version: Version, limit: u16, exactly_once_limit: u16) -> Self {
        Self {
            version,
            flights: Slab::new(),
            order: VecDeque::new(),
            answered: 0,
            resend: VecDeque::new(),
            confirmations: 0,
            limit,
            window: limit,
            on_wire: 0,
            unwritten: 0,
            exactly_once_limit: if version.is_v5() { u16::MAX } else { exactly_once_limit },
            exactly_once: 0,
            weight: 0,
            spares: Spares::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.flights.len()
    }

    /// The bytes of the messages that may have to be sent again.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.key(number).is_some()
    }

    fn key(&self, number: u64) -> Option<usize> {
        let at = self.order.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        let (number, key) = self.order[at];
        (self.number(key) == Some(number)).then_some(key)
    }

    /// The number of the message with this key.
    pub(super) fn number(&self, key: usize) -> Option<u64> {
        self.flights.get(key).map(|flight| flight.kept.number)
    }

    /// The key of the first message, if its number is not above this one.
    pub(super) fn any_through(&self, number: u64) -> Option<usize> {
        self.order.front().filter(|(first, _)| *first <= number).map(|(_, key)| *key)
    }

    /// How many have been sent on this connection and not been confirmed.
    pub(super) fn on_wire(&self) -> u16 {
        self.on_wire
    }

    /// The first message sent on this connection that the broker had not answered for, if it had not
    /// gone past it either.
    pub(super) fn first_unanswered(&self) -> Option<u64> {
        let unanswered = self.live().find(|flight| flight.counted && !flight.released)?;
        let number = unanswered.kept.number;
        (number > self.answered).then_some(number)
    }

    /// Whether the broker answered on this connection for a message after this one.
    pub(super) fn has_answered_after(&self, number: u64) -> bool {
        self.answered > number
    }

    /// Those in flight, in their order.
    fn live(&self) -> impl Iterator<Item = &Flight> {
        self.order.iter().filter_map(|&(number, key)| {
            self.flights.get(key).filter(|flight| flight.kept.number == number)
        })
    }

    /// Whether the window has a place for a message of this quality.
    pub(super) fn has_place(&self, qos: QoS) -> bool {
        self.on_wire < self.window
            && (qos != QoS::ExactlyOnce || self.exactly_once < self.exactly_once_limit)
    }

    /// Whether so many stand in the output that they had better be on their way: half of those that may
    /// be, so that the broker has one half while the program makes the other; or all.
    pub(super) fn is_write_due(&self) -> bool {
        let most = match self.exactly_once {
            0 => self.window,
            _ => self.window.min(self.exactly_once_limit),
        };
        !self.has_place(QoS::ExactlyOnce) || self.unwritten >= most.div_ceil(2)
    }

    /// The output is being written.
    pub(super) fn output_taken(&mut self) {
        self.unwritten = 0;
    }

    /// Takes a packet id for the message that is launched next; nothing if all are in use.
    pub(super) fn allocate(&self, ids: &mut PacketIds) -> Option<PacketId> {
        ids.allocate(Use::Message(self.flights.vacant_key()))
    }

    /// Whether nothing of a resumed session is left to be sent again.
    pub(super) fn has_resent(&self) -> bool {
        self.resend.is_empty()
    }

    /// Sends a message for the first time.
    pub(super) fn launch(&mut self, mut kept: Kept, packet_id: PacketId, wire: &mut Wire<'_>) {
        kept.write(Some(packet_id), wire);
        let number = kept.number;
        wire.journal.record(&Record::Launched { number, packet_id });
        // Should the record be lost, one of QoS 1 leaves once more as new, and that is allowed; one
        // of QoS 2 would arrive under two ids, and twice.
        let gate = match kept.qos {
            QoS::ExactlyOnce => wire.journal.newest(),
            _ => wire.journal.batch_of(number),
        };
        wire.output.require(gate);
        self.on_wire += 1;
        self.unwritten += 1;
        self.add(Flight { kept, packet_id, released: false, confirmed: 0, counted: true, gate });
    }

    /// Takes over one that an earlier process sent; those come in the order of their numbers.
    /// `released` is its place in the order of the releases, where the broker has it.
    pub(super) fn recover(
        &mut self,
        mut kept: Kept,
        packet_id: PacketId,
        released: Option<u64>,
        ids: &mut PacketIds,
    ) {
        if let Some(place) = released {
            drop(kept.release());
            self.confirmations = self.confirmations.max(place + 1);
        }
        ids.reserve(packet_id, Use::Message(self.flights.vacant_key()));
        let (released, confirmed) = (released.is_some(), released.unwrap_or(0));
        self.add(Flight { kept, packet_id, released, confirmed, counted: false, gate: 0 });
    }

    fn add(&mut self, flight: Flight) {
        self.exactly_once += u16::from(flight.kept.qos == QoS::ExactlyOnce);
        self.weight += flight.kept.weight();
        let number = flight.kept.number;
        let place = (number, self.flights.insert(flight));
        match self.order.back() {
            // A repair of the store has lost what was sent before it.
            Some((last, _)) if *last > number => {
                let at = self.order.partition_point(|(other, _)| *other < number);
                self.order.insert(at, place);
            }
            _ => self.order.push_back(place),
        }
    }

    /// Sends the next message of a resumed session again [MQTT-4.4.0-1].
    pub(super) fn send_again(&mut self, ids: &mut PacketIds, wire: &mut Wire<'_>) -> Again {
        let Some(&key) = self.resend.front() else { return Again::Done };
        let Some(flight) = self.flights.get_mut(key) else {
            // The broker has completed it unasked, before its PUBREL left again.
            self.resend.pop_front();
            return Again::Sent;
        };
        if flight.released {
            self.resend.pop_front();
            // MQTT 3.1 marks a repeated PUBREL.
            wire.output.require(flight.gate);
            let buffer = wire.output.buffer();
            match self.version == Version::V31 {
                true => encode_pubrel_again(flight.packet_id, buffer),
                false => encode_short(AckKind::Pubrel, flight.packet_id, buffer),
            }
            return Again::Sent;
        }
        if let Err(error) = flight.kept.check(wire.server) {
            self.resend.pop_front();
            return Again::Refused(self.give_up(key, ids, wire.journal, error));
        }
        let no_clock = wire.now.is_none() && flight.kept.has_lifetime();
        if self.on_wire >= self.window || no_clock {
            return Again::Waits;
        }
        self.resend.pop_front();
        flight.kept.write_again(flight.packet_id, wire);
        wire.output.require(flight.gate);
        flight.counted = true;
        self.on_wire += 1;
        self.unwritten += 1;
        Again::Sent
    }

    /// PUBACK.
    pub(super) fn acknowledged(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        ids: &mut PacketIds,
    ) -> Result<Landed, &'static str> {
        let flight = &self.flights[key];
        if flight.kept.qos != QoS::AtLeastOnce {
            return Err("for a message of QoS 2");
        }
        if !flight.counted {
            return Err(NOT_SENT);
        }
        self.answered = self.answered.max(flight.kept.number);
        Ok(self.land(key, ids, outcome(ack)))
    }

    /// PUBREC: the broker has the message, or refuses it, which ends it.
    pub(super) fn received(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        Tools { ids, output, journal }: &mut Tools<'_>,
    ) -> Result<Option<Landed>, &'static str> {
        let flight = &mut self.flights[key];
        if flight.kept.qos != QoS::ExactlyOnce {
            return Err("for a message of QoS 1");
        }
        if !flight.released && !flight.counted {
            return Err(NOT_SENT);
        }
        self.answered = self.answered.max(flight.kept.number);
        if ack.reason.is_error() {
            return Ok(Some(self.land(key, ids, outcome(ack))));
        }
        if !flight.released {
            flight.released = true;
            flight.confirmed = self.confirmations;
            self.confirmations += 1;
            // The message must not be sent again [MQTT-4.3.3-7]: free it, only the id matters.
            self.weight -= flight.kept.weight();
            self.spares.give(flight.kept.release());
            // Once it has been released the broker may forget it: sent again then, it would be new.
            journal.record(&Record::Released { number: flight.kept.number });
            flight.gate = journal.newest();
        }
        output.open.require(flight.gate);
        encode_short(AckKind::Pubrel, flight.packet_id, output.open.buffer());
        Ok(None)
    }

    /// PUBCOMP.
    pub(super) fn completed(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        ids: &mut PacketIds,
    ) -> Result<Landed, &'static str> {
        let flight = &self.flights[key];
        if !flight.released {
            return Err("for a message that it had not confirmed with PUBREC");
        }
        self.answered = self.answered.max(flight.kept.number);
        // A PUBREL that was sent again may find that the first one had completed it: then only the
        // PUBCOMP got lost (section 3.7.2.1).
        let completed_before =
            !flight.counted && ack.reason == ReasonCode::PacketIdentifierNotFound;
        let outcome = match completed_before {
            true => Ok(Delivered::new(ReasonCode::Success)),
            false => outcome(ack),
        };
        Ok(self.land(key, ids, outcome))
    }

    fn land(&mut self, key: usize, ids: &mut PacketIds, outcome: Outcome) -> Landed {
        let flight = self.flights.remove(key);
        ids.release(flight.packet_id);
        self.weight -= flight.kept.weight();
        self.on_wire -= u16::from(flight.counted);
        self.exactly_once -= u16::from(flight.kept.qos == QoS::ExactlyOnce);
        self.close_gaps();
        (flight.kept, outcome)
    }

    /// Those that have landed go at once where they are first, the others when they are more than
    /// those in flight: each costs a constant time.
    fn close_gaps(&mut self) {
        let flights = &self.flights;
        let is_live = |&(number, key): &(u64, usize)| {
            flights.get(key).is_some_and(|flight| flight.kept.number == number)
        };
        while self.order.front().is_some_and(|first| !is_live(first)) {
            self.order.pop_front();
        }
        if self.order.len() > 2 * flights.len() + FEW {
            self.order.retain(is_live);
        }
    }

    /// Gives up a message on which the broker ends the connection.
    pub(super) fn set_aside(
        &mut self,
        number: u64,
        ids: &mut PacketIds,
        journal: &mut Journal,
        error: Error,
    ) -> Option<Landed> {
        let key = self.key(number)?;
        Some(self.give_up(key, ids, journal, error))
    }

    /// Gives up a message that was sent on an earlier connection. Its id is free, but the broker may
    /// have taken it at QoS 2 all the same, and would take another one under this id for the same.
    fn give_up(
        &mut self,
        key: usize,
        ids: &mut PacketIds,
        journal: &mut Journal,
        error: Error,
    ) -> Landed {
        let packet_id = self.flights[key].packet_id;
        let landed = self.land(key, ids, Err(error));
        if landed.0.qos == QoS::ExactlyOnce {
            journal.record(&Record::Retired { packet_id });
            if let Some(packet_id) = ids.retire(packet_id) {
                journal.record(&Record::Freed { packet_id });
            }
        }
        landed
    }

    /// The connection is gone.
    pub(super) fn disconnected(&mut self) {
        self.on_wire = 0;
        self.unwritten = 0;
        self.answered = 0;
        self.resend.clear();
        for (_, flight) in &mut self.flights {
            flight.counted = false;
        }
    }

    /// A connection begins.
    pub(super) fn connected(&mut self, server: &ServerLimits) {
        self.window = self.limit.min(server.receive_maximum);
    }

    /// The broker still has the session: everything is sent again. PUBREL keeps the order of PUBREC
    /// [MQTT-4.6.0-4] and goes first, because it waits for no window [MQTT-3.3.4-8]; PUBLISH keeps
    /// its own order [MQTT-4.6.0-1].
    pub(super) fn resume(&mut self) {
        let is_released = |key: &usize| self.flights[*key].released;
        let (mut released, unconfirmed): (Vec<usize>, Vec<usize>) =
            self.keys().into_iter().partition(is_released);
        released.sort_unstable_by_key(|&key| self.flights[key].confirmed);
        self.resend = released.into_iter().chain(unconfirmed).collect();
    }

    /// Whether the broker still owes a PUBCOMP.
    pub(super) fn is_releasing(&self) -> bool {
        self.flights.iter().any(|(_, flight)| flight.released)
    }

    /// Whether what is sent again next is a PUBREL.
    pub(super) fn release_is_next(&self) -> bool {
        let next = self.resend.front().map(|&key| self.flights.get(key));
        next.is_some_and(|flight| flight.is_none_or(|flight| flight.released))
    }

    /// Gives up all of them, in the order of their numbers. Of ids that are retired nothing is recorded:
    /// the broker's session is gone, or nothing survives this one.
    pub(super) fn take_all(&mut self, ids: &mut PacketIds) -> Vec<Flight> {
        self.resend.clear();
        self.on_wire = 0;
        self.exactly_once = 0;
        self.weight = 0;
        let keys = self.keys();
        self.order.clear();
        let flights = keys.into_iter().map(|key| self.flights.remove(key));
        let freed = flights.inspect(|flight| {
            ids.release(flight.packet_id);
            if flight.kept.qos == QoS::ExactlyOnce {
                ids.retire(flight.packet_id);
            }
        });
        freed.collect()
    }

    /// In the order of the numbers.
    fn keys(&self) -> Vec<usize> {
        let all = self.order.iter().filter(|(number, key)| self.number(*key) == Some(*number));
        all.map(|(_, key)| *key).collect()
    }

    pub(super) fn shrink(&mut self) {
        self.flights.shrink_to_fit();
        self.order.shrink_to(16);
        self.resend.shrink_to(16);
        self.spares.shrink();
    }
}

fn outcome(ack: &Ack<'_>) -> Outcome {
    if !ack.reason.is_error() {
        return Ok(Delivered { reason: ack.reason, said: Said::new(ack.properties) });
    }
    let error = Error::new(
        Code::PublishRefused,
        format!("The broker refused the message: {}", ack.reason.name()),
    );
    Err(error
        .with_reason(ack.reason.as_u8(), ack.properties.reason_string())
        .with_user_properties(ack.properties.user_properties()))
}
