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

mod ring;

use std::{collections::VecDeque, time::Instant};

use super::{
    Delivered, Outcome, Output, Record, Said,
    encoded::Encoded,
    journal::Journal,
    kept::{Kept, Pending},
    outgoing::Tools,
    outgoing_alias::OutgoingAliases,
    packet_id::{PacketIds, Use},
    server::ServerLimits,
};
use crate::{
    error::{Code, Error},
    protocol::{
        Ack, AckKind, PacketId, QoS, ReasonCode, Version, encode_pubrel_again, encode_short,
    },
};
use ring::{Flight, Parcel, Ring};

const NOT_SENT: &str = "for a message that has not been sent again on this connection";

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
pub(super) type Landed = (Pending, Outcome);

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
    ring: Ring,
    /// The highest number among those of this connection that the broker has answered for.
    answered: u64,
    /// The numbers of what a resumed session still has to send again, in this order.
    resend: VecDeque<u64>,
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
}

impl Flights {
    pub(super) fn new(version: Version, limit: u16, exactly_once_limit: u16) -> Self {
        Self {
            version,
            ring: Ring::default(),
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
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    /// The bytes of the messages that may have to be sent again.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.ring.find(number).is_some()
    }

    /// The number of the message with this key.
    pub(super) fn number(&self, key: usize) -> Option<u64> {
        self.ring.number(key)
    }

    /// The first message, if its number is not above this one.
    pub(super) fn any_through(&self, number: u64) -> Option<u64> {
        self.ring.first().filter(|first| *first <= number)
    }

    /// How many have been sent on this connection and not been confirmed.
    pub(super) fn on_wire(&self) -> u16 {
        self.on_wire
    }

    /// The first message sent on this connection that the broker had not answered for, if it had not
    /// gone past it either.
    pub(super) fn first_unanswered(&self) -> Option<u64> {
        let (number, _) =
            self.ring.iter().find(|(_, flight)| flight.counted && !flight.released)?;
        (number > self.answered).then_some(number)
    }

    /// Whether the broker answered on this connection for a message after this one.
    pub(super) fn has_answered_after(&self, number: u64) -> bool {
        self.answered > number
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

    /// An empty buffer for a message; with memory, if one that has ended left it.
    #[inline]
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        self.ring.take_buffer()
    }

    /// Takes a packet id for the message that is launched next; nothing if all are in use.
    pub(super) fn allocate(&mut self, ids: &mut PacketIds) -> Option<PacketId> {
        let key = self.ring.next_key(ids);
        ids.allocate(Use::Message(key))
    }

    /// Whether nothing of a resumed session is left to be sent again.
    pub(super) fn has_resent(&self) -> bool {
        self.resend.is_empty()
    }

    /// Sends a message for the first time.
    pub(super) fn launch(
        &mut self,
        mut kept: Kept,
        packet_id: PacketId,
        ids: &mut PacketIds,
        wire: &mut Wire<'_>,
    ) {
        kept.packet.write(Some(packet_id), wire);
        let Pending { number, qos, .. } = kept.pending;
        wire.journal.record(&Record::Launched { number, packet_id });
        // Should the record be lost, one of QoS 1 leaves once more as new, and that is allowed; one
        // of QoS 2 would arrive under two ids, and twice.
        let gate = match qos {
            QoS::ExactlyOnce => wire.journal.newest(),
            _ => wire.journal.batch_of(number),
        };
        wire.output.require(gate);
        self.on_wire += 1;
        self.unwritten += 1;
        let weight = kept.packet.weight();
        let Kept { pending, packet } = kept;
        let flight = Flight {
            completion: pending.completion,
            packet_id,
            qos,
            weight,
            released: false,
            confirmed: 0,
            counted: true,
            is_worth_freeing: packet.is_worth_freeing(),
        };
        self.add(number, flight, Parcel { packet, gate }, ids);
    }

    /// Takes over one that an earlier process sent; those come in the order of their numbers.
    /// `released` is its place in the order of the releases, where the broker has it.
    pub(super) fn recover(
        &mut self,
        kept: Kept,
        packet_id: PacketId,
        released: Option<u64>,
        ids: &mut PacketIds,
    ) {
        let Kept { pending, mut packet } = kept;
        if let Some(place) = released {
            packet = Encoded::default();
            self.confirmations = self.confirmations.max(place + 1);
        }
        let flight = Flight {
            completion: pending.completion,
            packet_id,
            qos: pending.qos,
            weight: packet.weight(),
            released: released.is_some(),
            confirmed: released.unwrap_or(0),
            counted: false,
            is_worth_freeing: packet.is_worth_freeing(),
        };
        let key = self.ring.next_key(ids);
        ids.assign(packet_id, Use::Message(key));
        self.add(pending.number, flight, Parcel { packet, gate: 0 }, ids);
    }

    fn add(&mut self, number: u64, flight: Flight, parcel: Parcel, ids: &mut PacketIds) {
        self.exactly_once += u16::from(flight.qos == QoS::ExactlyOnce);
        self.weight += flight.weight;
        self.ring.push(number, flight, parcel, ids);
    }

    /// Sends the next message of a resumed session again [MQTT-4.4.0-1].
    pub(super) fn send_again(&mut self, ids: &mut PacketIds, wire: &mut Wire<'_>) -> Again {
        let Some(&number) = self.resend.front() else { return Again::Done };
        let Some(key) = self.ring.find(number) else {
            // The broker has completed it unasked, before its PUBREL left again.
            self.resend.pop_front();
            return Again::Sent;
        };
        let (flight, parcel) = self.ring.both_mut(key);
        if flight.released {
            self.resend.pop_front();
            // MQTT 3.1 marks a repeated PUBREL.
            wire.output.require(parcel.gate);
            let buffer = wire.output.buffer();
            match self.version == Version::V31 {
                true => encode_pubrel_again(flight.packet_id, buffer),
                false => encode_short(AckKind::Pubrel, flight.packet_id, buffer),
            }
            return Again::Sent;
        }
        if let Err(error) = parcel.packet.check(wire.server) {
            self.resend.pop_front();
            return Again::Refused(self.give_up(key, ids, wire.journal, error));
        }
        let no_clock = wire.now.is_none() && parcel.packet.has_lifetime();
        if self.on_wire >= self.window || no_clock {
            return Again::Waits;
        }
        self.resend.pop_front();
        parcel.packet.write_again(flight.packet_id, wire);
        wire.output.require(parcel.gate);
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
        let (number, flight) = self.ring.get_mut(key);
        if flight.qos != QoS::AtLeastOnce {
            return Err("for a message of QoS 2");
        }
        if !flight.counted {
            return Err(NOT_SENT);
        }
        self.answered = self.answered.max(number);
        Ok(self.land(key, ids, outcome(ack)))
    }

    /// PUBREC: the broker has the message, or refuses it, which ends it.
    pub(super) fn received(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        Tools { ids, output, journal }: &mut Tools<'_>,
    ) -> Result<Option<Landed>, &'static str> {
        let (number, flight) = self.ring.get_mut(key);
        if flight.qos != QoS::ExactlyOnce {
            return Err("for a message of QoS 1");
        }
        if !flight.released && !flight.counted {
            return Err(NOT_SENT);
        }
        self.answered = self.answered.max(number);
        if ack.reason.is_error() {
            return Ok(Some(self.land(key, ids, outcome(ack))));
        }
        let packet_id = flight.packet_id;
        if !flight.released {
            flight.released = true;
            flight.confirmed = self.confirmations;
            self.confirmations += 1;
            // The message must not be sent again [MQTT-4.3.3-7]: only the id matters.
            self.weight -= std::mem::take(&mut flight.weight);
            self.ring.free_packet(key);
            // Once it has been released the broker may forget it: sent again then, it would be new.
            if journal.is_on() {
                journal.record(&Record::Released { number });
                self.ring.parcel_mut(key).gate = journal.newest();
            }
        }
        if journal.is_on() {
            output.open.require(self.ring.parcel_mut(key).gate);
        }
        encode_short(AckKind::Pubrel, packet_id, output.open.buffer());
        Ok(None)
    }

    /// PUBCOMP.
    pub(super) fn completed(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        ids: &mut PacketIds,
    ) -> Result<Landed, &'static str> {
        let (number, flight) = self.ring.get_mut(key);
        if !flight.released {
            return Err("for a message that it had not confirmed with PUBREC");
        }
        self.answered = self.answered.max(number);
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
        let (pending, flight) = self.ring.remove(key);
        ids.release(flight.packet_id);
        self.weight -= flight.weight;
        self.on_wire -= u16::from(flight.counted);
        self.exactly_once -= u16::from(flight.qos == QoS::ExactlyOnce);
        (pending, outcome)
    }

    /// The packet of a message.
    pub(super) fn packet(&mut self, number: u64) -> Option<&Encoded> {
        let key = self.ring.find(number)?;
        Some(&self.ring.parcel_mut(key).packet)
    }

    /// Gives up a message on which the broker ends the connection.
    pub(super) fn set_aside(
        &mut self,
        number: u64,
        ids: &mut PacketIds,
        journal: &mut Journal,
        error: Error,
    ) -> Option<Landed> {
        let key = self.ring.find(number)?;
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
        let packet_id = self.ring.get_mut(key).1.packet_id;
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
        self.ring.for_each(|flight| flight.counted = false);
    }

    /// A connection begins.
    pub(super) fn connected(&mut self, server: &ServerLimits) {
        self.window = self.limit.min(server.receive_maximum);
    }

    /// The broker still has the session: everything is sent again. PUBREL keeps the order of PUBREC
    /// [MQTT-4.6.0-4] and goes first, because it waits for no window [MQTT-3.3.4-8]; PUBLISH keeps
    /// its own order [MQTT-4.6.0-1].
    pub(super) fn resume(&mut self) {
        let (mut released, mut unconfirmed) = (Vec::new(), Vec::new());
        for (number, flight) in self.ring.iter() {
            match flight.released {
                true => released.push((flight.confirmed, number)),
                false => unconfirmed.push(number),
            }
        }
        released.sort_unstable();
        let released = released.into_iter().map(|(_, number)| number);
        self.resend = released.chain(unconfirmed).collect();
    }

    /// Whether the broker still owes a PUBCOMP.
    pub(super) fn is_releasing(&self) -> bool {
        self.ring.iter().any(|(_, flight)| flight.released)
    }

    /// Whether what is sent again next is a PUBREL.
    pub(super) fn release_is_next(&self) -> bool {
        let next = self.resend.front().map(|&number| self.ring.find(number));
        // One that is not there any more was one.
        next.is_some_and(|key| key.is_none_or(|key| self.ring.is_released(key)))
    }

    /// Gives up all of them, in the order of their numbers, each with whether it had been released. Of
    /// ids that are retired nothing is recorded: the broker's session is gone, or nothing survives this
    /// one.
    pub(super) fn take_all(&mut self, ids: &mut PacketIds) -> Vec<(Kept, bool)> {
        self.resend.clear();
        self.on_wire = 0;
        self.exactly_once = 0;
        self.weight = 0;
        let freed = self.ring.take_all().into_iter().map(|(kept, flight)| {
            ids.release(flight.packet_id);
            if flight.qos == QoS::ExactlyOnce {
                ids.retire(flight.packet_id);
            }
            (kept, flight.released)
        });
        freed.collect()
    }

    pub(super) fn shrink(&mut self, ids: &mut PacketIds) {
        self.ring.shrink(ids);
        self.resend.shrink_to(16);
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
