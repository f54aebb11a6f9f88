//! Messages from the broker: received, handed on, acknowledged in the order in which they came.
//!
//! ```text
//!           PUBLISH               handled, and all before it           PUBREL
//!  QoS 1  ──────────► waiting ─────────────────────────► PUBACK: gone
//!  QoS 2  ──────────► waiting ─────────────────────────► PUBREC: received ──────────► PUBCOMP: gone
//!
//!  connection lost: a waiting message keeps its entry. When the broker sends it again (same id, DUP,
//!  resumed session) it is not delivered twice; the entry takes its place in the new order, and the
//!  acknowledgement leaves on the new connection.
//! ```
//!
//! What has been handled out of its order is held back until all before it has been handled, too.

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasherDefault,
};

use rustc_hash::FxHasher;
use slab::Slab;

use super::Output;
use crate::protocol::{
    Ack, AckKind, PacketId, PacketType, Properties, PropertyBlock, PropertyIdentifier, QoS,
    ReasonCode, Version, Violation, encode_short,
};

const TOO_MANY: Violation = Violation::protocol_error(
    "above the receive maximum that this session announced",
    "MQTT-3.3.4-9",
)
.because(ReasonCode::ReceiveMaximumExceeded)
.on(PacketType::Publish);
const NO_ID_LEFT: Violation = Violation::protocol_error(
    "with 65,535 others unacknowledged, which is as many as there are packet ids",
    "MQTT-2.2.1-4",
)
.on(PacketType::Publish);
const TOO_EARLY: Violation =
    Violation::protocol_error("for a message that this session had not confirmed with PUBREC", "")
        .on(PacketType::Pubrel);

/// The right to acknowledge one received message; of no use on another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    key: u32,
    stamp: u32,
}

/// What is to be done with a message of QoS 1 or 2 that has arrived.
pub(super) enum Arrival {
    /// Hand it on; this receipt acknowledges it.
    Deliver(Receipt),
    /// It has been handed on before.
    Duplicate,
}

struct Waiting {
    packet_id: PacketId,
    qos: QoS,
    /// Tells the entries apart that used the same key after another.
    stamp: u32,
    /// Received on the present connection and listed in its order.
    current: bool,
    handled: Option<ReasonCode>,
}

/// The messages of one kind of acknowledgement.
#[derive(Default)]
struct Order {
    /// Keys in the order of arrival on this connection.
    keys: VecDeque<usize>,
    /// How many of them have been handled, and wait for those before them.
    held: usize,
    /// Acknowledgements have left since the last look.
    moved: bool,
    /// This standstill has been reported.
    told: bool,
}

/// What is known of a QoS 2 message between PUBLISH and PUBCOMP.
#[derive(Clone, Copy)]
enum Known {
    /// Waiting to be handled, by its key.
    Waiting(usize),
    /// PUBREC has been sent, PUBREL not yet received.
    Received {
        /// Its PUBLISH came on this connection and holds a place of the receive maximum.
        counted: bool,
    },
}

type ById<T> = HashMap<PacketId, T, BuildHasherDefault<FxHasher>>;

pub(super) struct Incoming {
    version: Version,
    waiting: Slab<Waiting>,
    stamp: u32,
    /// What a refusal says beside its reason, by the key of the message: rare.
    said: HashMap<usize, PropertyBlock, BuildHasherDefault<FxHasher>>,
    /// One order for each kind of acknowledgement [MQTT-4.6.0-2], [MQTT-4.6.0-3].
    order: [Order; 2],
    /// Keys of QoS 1 messages that an earlier connection left behind.
    left_behind: ById<usize>,
    exactly_once: ById<Known>,
    receive_maximum: u16,
    /// The largest packet that the broker takes.
    maximum_packet_size: usize,
    /// Messages of QoS 1 and 2 that the broker has in flight towards us.
    outstanding: u16,
}

impl Incoming {
    pub(super) fn new(version: Version, receive_maximum: u16) -> Self {
        Self {
            version,
            waiting: Slab::new(),
            stamp: 0,
            said: HashMap::default(),
            order: Default::default(),
            left_behind: HashMap::default(),
            exactly_once: HashMap::default(),
            receive_maximum,
            maximum_packet_size: usize::MAX,
            outstanding: 0,
        }
    }

    /// Takes in a PUBLISH of QoS 1 or 2.
    pub(super) fn publish(
        &mut self,
        packet_id: PacketId,
        qos: QoS,
        duplicate: bool,
        output: &mut Output,
    ) -> Result<Arrival, Violation> {
        if qos == QoS::ExactlyOnce {
            match self.exactly_once.get(&packet_id).copied() {
                // The message is here already; what got lost is the PUBREC [MQTT-4.3.3-10].
                Some(Known::Received { counted }) => {
                    if !counted {
                        self.count_one()?;
                    }
                    if self.order[list(qos)].keys.is_empty() {
                        self.exactly_once.insert(packet_id, Known::Received { counted: true });
                        encode_short(AckKind::Pubrec, packet_id, output.buffer());
                    } else {
                        // One before it was refused, and has come anew [MQTT-4.6.0-3].
                        self.enter(packet_id, qos, Some(ReasonCode::Success));
                    }
                    return Ok(Arrival::Duplicate);
                }
                Some(Known::Waiting(key)) => {
                    self.again(key, output)?;
                    return Ok(Arrival::Duplicate);
                }
                None => {}
            }
        } else if !self.left_behind.is_empty()
            && let Some(key) = self.left_behind.remove(&packet_id)
        {
            if duplicate {
                self.again(key, output)?;
                return Ok(Arrival::Duplicate);
            }
            // Without DUP the id has been given to another message.
            self.forget(key);
        }
        self.count_one()?;
        Ok(Arrival::Deliver(self.enter(packet_id, qos, None)))
    }

    /// Gives a message its place in the order.
    fn enter(&mut self, packet_id: PacketId, qos: QoS, handled: Option<ReasonCode>) -> Receipt {
        self.stamp = self.stamp.wrapping_add(1);
        let entry = Waiting { packet_id, qos, stamp: self.stamp, current: true, handled };
        let key = self.waiting.insert(entry);
        let order = &mut self.order[list(qos)];
        order.keys.push_back(key);
        order.held += usize::from(handled.is_some());
        if qos == QoS::ExactlyOnce {
            self.exactly_once.insert(packet_id, Known::Waiting(key));
        }
        Receipt { key: key as u32, stamp: self.stamp }
    }

    /// The broker sent a waiting message again.
    fn again(&mut self, key: usize, output: &mut Output) -> Result<(), Violation> {
        if self.waiting[key].current {
            return Ok(());
        }
        self.count_one()?;
        let entry = &mut self.waiting[key];
        entry.current = true;
        let qos = entry.qos;
        let order = &mut self.order[list(qos)];
        order.keys.push_back(key);
        order.held += usize::from(entry.handled.is_some());
        self.acknowledge_in_order(qos, output);
        Ok(())
    }

    /// [MQTT-3.3.4-9]: the broker must not have more in flight than we announced; before 5.0, not
    /// more than there are packet ids, or what waits for its acknowledgement would grow for ever.
    fn count_one(&mut self) -> Result<(), Violation> {
        let v5 = self.version.is_v5();
        if self.outstanding < if v5 { self.receive_maximum } else { u16::MAX } {
            self.outstanding += 1;
            return Ok(());
        }
        Err(if v5 { TOO_MANY } else { NO_ID_LEFT })
    }

    /// A message has been handled. `false` when there is nothing left to acknowledge: it has been
    /// done, or the broker's session is gone.
    pub(super) fn handled(
        &mut self,
        receipt: Receipt,
        reason: ReasonCode,
        output: &mut Output,
    ) -> bool {
        let key = receipt.key as usize;
        let Some(entry) = self.waiting.get_mut(key) else { return false };
        if entry.stamp != receipt.stamp || entry.handled.is_some() {
            return false;
        }
        let kind =
            if entry.qos == QoS::ExactlyOnce { PacketType::Pubrec } else { PacketType::Puback };
        entry.handled = Some(match reason.allowed_in(kind) {
            true => reason,
            false => ReasonCode::UnspecifiedError,
        });
        // One of an earlier connection waits for the broker to send it again.
        if entry.current {
            let qos = entry.qos;
            let order = &mut self.order[list(qos)];
            order.held += 1;
            if order.keys.front() == Some(&key) {
                self.acknowledge_in_order(qos, output);
            }
        }
        true
    }

    /// A message has been handled, and its acknowledgement says something beside the reason.
    pub(super) fn refused(
        &mut self,
        receipt: Receipt,
        reason: ReasonCode,
        properties: PropertyBlock,
        output: &mut Output,
    ) -> bool {
        let key = receipt.key as usize;
        let waits = self
            .waiting
            .get(key)
            .is_some_and(|entry| entry.stamp == receipt.stamp && entry.handled.is_none());
        if waits && self.version.is_v5() && !properties.is_empty() {
            self.said.insert(key, properties);
        }
        self.handled(receipt, reason, output)
    }

    fn acknowledge_in_order(&mut self, qos: QoS, output: &mut Output) {
        while let Some(&key) = self.order[list(qos)].keys.front() {
            let Some(reason) = self.waiting[key].handled else { return };
            let order = &mut self.order[list(qos)];
            order.keys.pop_front();
            order.held -= 1;
            order.moved = true;
            let entry = self.waiting.remove(key);
            let id = entry.packet_id;
            let kind = if qos == QoS::ExactlyOnce { AckKind::Pubrec } else { AckKind::Puback };
            if self.version.is_v5() && (reason != ReasonCode::Success || !self.said.is_empty()) {
                self.explain(key, kind, id, reason, output);
            } else {
                encode_short(kind, id, output.buffer());
            }
            let over = self.version.is_v5() && reason.is_error();
            if qos == QoS::ExactlyOnce && !over {
                self.exactly_once.insert(id, Known::Received { counted: true });
                continue;
            }
            if qos == QoS::ExactlyOnce {
                self.exactly_once.remove(&id);
            }
            self.outstanding = self.outstanding.saturating_sub(1);
        }
    }

    /// Encodes an acknowledgement with reason and properties.
    #[cold]
    fn explain(
        &mut self,
        key: usize,
        kind: AckKind,
        packet_id: PacketId,
        reason: ReasonCode,
        output: &mut Output,
    ) {
        let mut said = self.said.remove(&key).unwrap_or_default();
        // What makes the packet larger than the broker takes is left out, first what the program
        // adds for other programs [MQTT-3.4.2-2], [MQTT-3.4.2-3], [MQTT-3.5.2-2], [MQTT-3.5.2-3].
        for optional in [PropertyIdentifier::UserProperty, PropertyIdentifier::ReasonString] {
            let start = output.buffer().len();
            let ack = Ack { packet_id, reason, properties: said.as_properties() };
            let encoded = ack.encode_to(kind, self.version, output.buffer());
            if encoded.is_ok() && output.buffer().len() - start <= self.maximum_packet_size {
                return;
            }
            output.buffer().truncate(start);
            said.remove(optional);
        }
        Ack { packet_id, reason, properties: Properties::EMPTY }
            .encode_to(kind, self.version, output.buffer())
            .expect("an acknowledgement without properties always fits");
    }

    /// Nothing is left to acknowledge.
    fn forget(&mut self, key: usize) {
        self.waiting.remove(key);
        self.said.remove(&key);
    }

    /// PUBREL: the broker will not send this message again.
    pub(super) fn released(
        &mut self,
        packet_id: PacketId,
        output: &mut Output,
    ) -> Result<(), Violation> {
        let known = self.exactly_once.get(&packet_id).copied();
        match known {
            // To complete it now would free the id for a message that we then took for this one.
            Some(Known::Waiting(_)) => return Err(TOO_EARLY),
            Some(Known::Received { counted }) => {
                self.exactly_once.remove(&packet_id);
                self.outstanding = self.outstanding.saturating_sub(u16::from(counted));
            }
            None => {}
        }
        if known.is_none() && self.version.is_v5() {
            let reason = ReasonCode::PacketIdentifierNotFound;
            let ack = Ack { packet_id, reason, properties: Properties::EMPTY };
            ack.encode_to(AckKind::Pubcomp, self.version, output.buffer())
                .expect("an acknowledgement without properties always fits");
            return Ok(());
        }
        // [MQTT-4.3.3-11]: also for an id that we do not know, or the broker would ask for ever.
        encode_short(AckKind::Pubcomp, packet_id, output.buffer());
        Ok(())
    }

    /// The connection is over; what it delivered may still be handled. The broker's count of what it
    /// has in flight begins anew with the next one (section 4.9).
    pub(super) fn disconnected(&mut self) {
        for order in &mut self.order {
            order.keys.clear();
            order.held = 0;
        }
        self.outstanding = 0;
        for known in self.exactly_once.values_mut() {
            if let Known::Received { counted } = known {
                *counted = false;
            }
        }
        let mut surplus = Vec::new();
        self.left_behind.clear();
        for (key, entry) in &mut self.waiting {
            entry.current = false;
            if entry.qos == QoS::AtLeastOnce {
                surplus.extend(self.left_behind.insert(entry.packet_id, key));
            }
        }
        // A broker that uses an id twice at the same time cannot send both messages again.
        for key in surplus {
            self.forget(key);
        }
    }

    /// A connection begins, to a broker that takes packets of at most this size.
    pub(super) fn connected(&mut self, resumed: bool, maximum_packet_size: usize) {
        self.maximum_packet_size = maximum_packet_size;
        if !resumed {
            self.waiting.clear();
            self.said.clear();
            self.left_behind.clear();
            self.exactly_once.clear();
        }
    }

    /// Received messages that have not been acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        self.waiting.len()
    }

    /// How many have been handled and wait for the acknowledgement of an earlier one.
    pub(super) fn held_back(&self) -> usize {
        self.order.iter().map(|order| order.held).sum()
    }

    /// Begins to watch whether acknowledgements stand still.
    pub(super) fn watch_order(&mut self) {
        for order in &mut self.order {
            (order.moved, order.told) = (false, false);
        }
    }

    /// A look at what has moved since the last one; how many are held back, once for each standstill.
    pub(super) fn look_at_order(&mut self) -> Option<usize> {
        let mut held = 0;
        for order in &mut self.order {
            order.told &= !order.moved;
            if !std::mem::take(&mut order.moved) && order.held > 0 && !order.told {
                order.told = true;
                held += order.held;
            }
        }
        (held > 0).then_some(held)
    }

    /// Whether anything waits to be acknowledged on this connection.
    pub(super) fn is_waiting(&self) -> bool {
        self.order.iter().any(|order| !order.keys.is_empty())
    }

    pub(super) fn shrink(&mut self) {
        self.order.iter_mut().for_each(|order| order.keys.shrink_to(4));
        self.waiting.shrink_to_fit();
    }
}

fn list(qos: QoS) -> usize {
    usize::from(qos == QoS::ExactlyOnce)
}
