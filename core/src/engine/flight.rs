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

use std::collections::VecDeque;

use slab::Slab;

use super::{
    Delivered, Outcome, Output, Said,
    packet_id::{PacketIds, Use},
    publication::Stored,
    server::ServerLimits,
};
use crate::{
    error::{Code, Error},
    protocol::{
        Ack, AckKind, PacketId, QoS, ReasonCode, Version, encode_pubrel_again, encode_short,
    },
};

const NOT_SENT: &str = "for a message that has not been sent again on this connection";

/// A message that has been sent at least once.
pub(super) struct Flight {
    pub(super) stored: Stored,
    packet_id: PacketId,
    /// The broker has taken the message (PUBREC): only its id matters now.
    pub(super) released: bool,
    /// Then: its place in the order in which the PUBRECs came.
    confirmed: u64,
    /// Its PUBLISH left on this connection and holds a place of the broker's receive maximum.
    counted: bool,
}

/// A message that has ended.
pub(super) type Landed = (Stored, Outcome);

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
    /// What a resumed session still has to send again, in this order.
    resend: VecDeque<usize>,
    /// How many PUBRECs have come.
    confirmations: u64,
    /// Ours; under 5.0 the broker's receive maximum may make the window smaller.
    limit: u16,
    window: u16,
    on_wire: u16,
    /// Before 5.0 the broker cannot say how many messages of QoS 2 it remembers at a time.
    exactly_once_limit: u16,
    exactly_once: u16,
    weight: usize,
}

impl Flights {
    pub(super) fn new(version: Version, limit: u16, exactly_once_limit: u16) -> Self {
        Self {
            version,
            flights: Slab::new(),
            resend: VecDeque::new(),
            confirmations: 0,
            limit,
            window: limit,
            on_wire: 0,
            exactly_once_limit: if version.is_v5() { u16::MAX } else { exactly_once_limit },
            exactly_once: 0,
            weight: 0,
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
        self.flights.iter().any(|(_, flight)| flight.stored.number == number)
    }

    /// The number of the message with this key.
    pub(super) fn number(&self, key: usize) -> Option<u64> {
        self.flights.get(key).map(|flight| flight.stored.number)
    }

    /// The key of some message up to this number.
    pub(super) fn any_through(&self, number: u64) -> Option<usize> {
        self.flights.iter().find(|(_, flight)| flight.stored.number <= number).map(|(key, _)| key)
    }

    /// Whether the window has a place for a message of this quality.
    pub(super) fn has_place(&self, qos: QoS) -> bool {
        self.on_wire < self.window
            && (qos != QoS::ExactlyOnce || self.exactly_once < self.exactly_once_limit)
    }

    /// Takes a packet id for the message that is launched next; nothing if all are in use.
    pub(super) fn allocate(&self, ids: &mut PacketIds) -> Option<PacketId> {
        ids.allocate(Use::Message(self.flights.vacant_key()))
    }

    /// Sends a message for the first time.
    pub(super) fn launch(&mut self, stored: Stored, packet_id: PacketId, output: &mut Output) {
        stored.write(Some(packet_id), false, output);
        self.on_wire += 1;
        self.exactly_once += u16::from(stored.qos == QoS::ExactlyOnce);
        self.weight += stored.weight();
        let flight = Flight { stored, packet_id, released: false, confirmed: 0, counted: true };
        self.flights.insert(flight);
    }

    /// Sends the next message of a resumed session again [MQTT-4.4.0-1].
    pub(super) fn send_again(
        &mut self,
        server: &ServerLimits,
        ids: &mut PacketIds,
        output: &mut Output,
    ) -> Again {
        let Some(&key) = self.resend.front() else { return Again::Done };
        let Some(flight) = self.flights.get_mut(key) else {
            // The broker has completed it unasked, before its PUBREL left again.
            self.resend.pop_front();
            return Again::Sent;
        };
        if flight.released {
            self.resend.pop_front();
            // MQTT 3.1 marks a repeated PUBREL.
            match self.version == Version::V31 {
                true => encode_pubrel_again(flight.packet_id, output.buffer()),
                false => encode_short(AckKind::Pubrel, flight.packet_id, output.buffer()),
            }
            return Again::Sent;
        }
        if let Err(error) = flight.stored.check(server) {
            self.resend.pop_front();
            return Again::Refused(self.land(key, ids, Err(error)));
        }
        if self.on_wire >= self.window {
            return Again::Waits;
        }
        self.resend.pop_front();
        flight.stored.write(Some(flight.packet_id), true, output);
        flight.counted = true;
        self.on_wire += 1;
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
        if flight.stored.qos != QoS::AtLeastOnce {
            return Err("for a message of QoS 2");
        }
        if !flight.counted {
            return Err(NOT_SENT);
        }
        Ok(self.land(key, ids, outcome(ack)))
    }

    /// PUBREC: the broker has the message, or refuses it, which ends it.
    pub(super) fn received(
        &mut self,
        ack: &Ack<'_>,
        key: usize,
        ids: &mut PacketIds,
        output: &mut Output,
    ) -> Result<Option<Landed>, &'static str> {
        let flight = &mut self.flights[key];
        if flight.stored.qos != QoS::ExactlyOnce {
            return Err("for a message of QoS 1");
        }
        if !flight.released && !flight.counted {
            return Err(NOT_SENT);
        }
        if ack.reason.is_error() {
            return Ok(Some(self.land(key, ids, outcome(ack))));
        }
        if !flight.released {
            flight.released = true;
            flight.confirmed = self.confirmations;
            self.confirmations += 1;
            // The message must not be sent again [MQTT-4.3.3-7]: free it, only the id matters.
            self.weight -= flight.stored.weight();
            flight.stored.release();
        }
        encode_short(AckKind::Pubrel, flight.packet_id, output.buffer());
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
        self.weight -= flight.stored.weight();
        self.on_wire -= u16::from(flight.counted);
        self.exactly_once -= u16::from(flight.stored.qos == QoS::ExactlyOnce);
        (flight.stored, outcome)
    }

    /// The connection is gone.
    pub(super) fn disconnected(&mut self) {
        self.on_wire = 0;
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
            self.keys_in_order().into_iter().partition(is_released);
        released.sort_unstable_by_key(|&key| self.flights[key].confirmed);
        self.resend = released.into_iter().chain(unconfirmed).collect();
    }

    /// Gives up all of them, in the order of their numbers.
    pub(super) fn take_all(&mut self, ids: &mut PacketIds) -> Vec<Flight> {
        self.resend.clear();
        self.on_wire = 0;
        self.exactly_once = 0;
        self.weight = 0;
        let keys = self.keys_in_order();
        let flights = keys.into_iter().map(|key| self.flights.remove(key));
        flights.inspect(|flight| ids.release(flight.packet_id)).collect()
    }

    fn keys_in_order(&self) -> Vec<usize> {
        let mut keys: Vec<usize> = self.flights.iter().map(|(key, _)| key).collect();
        keys.sort_unstable_by_key(|&key| self.flights[key].stored.number);
        keys
    }

    pub(super) fn shrink(&mut self) {
        self.flights.shrink_to_fit();
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
