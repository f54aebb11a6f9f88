//! Messages from the broker: received, handed on, acknowledged in the order in which they came.
//!
//! ```text
//!           PUBLISH               handled, and all before it           PUBREL
//!  QoS 1  ──────────► waiting ─────────────────────────► PUBACK: gone
//!  QoS 2  ──────────► waiting ─────────────────────────► PUBREC: received ──────────► PUBCOMP: gone
//!  record            delivering      handled                                forgotten
//!
//!  connection lost: a waiting message keeps its entry. When the broker sends it again (same id, DUP,
//!  resumed session) it is not delivered twice; the entry takes its place in the new order, and the
//!  acknowledgement leaves on the new connection.
//! ```
//!
//! What has been handled out of its order is held back until all before it has been handled, too. With
//! a store the records of a QoS 2 message stand in the journal, and its PUBREC and PUBCOMP leave only
//! when they have been stored.

mod acknowledge;
mod order;
mod recovery;

use std::{collections::HashMap, hash::BuildHasherDefault};

use rustc_hash::FxHasher;
use slab::Slab;

use self::{order::Order, recovery::Doubt};
use super::{Output, Receiving, journal::Journal};
use crate::protocol::{
    AckKind, PacketId, PacketType, PropertyBlock, QoS, ReasonCode, Version, Violation, encode_short,
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

/// The right to acknowledge one received message; of no use on another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    key: u32,
    stamp: u32,
}

/// What is to be done with a message of QoS 1 or 2 that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Hand it on.
    Deliver {
        /// Acknowledges it.
        receipt: Receipt,
        /// A handler of an earlier process may have been called with it.
        redelivered: bool,
    },
    /// It has been handed on before.
    Duplicate,
}

#[derive(Clone, Copy)]
struct Waiting {
    packet_id: PacketId,
    qos: QoS,
    /// Tells the entries apart that used the same key after another.
    stamp: u32,
    /// Received on the present connection and listed in its order.
    current: bool,
    redelivered: bool,
    stage: Stage,
}

/// How far the program has come with a message.
#[derive(Clone, Copy)]
enum Stage {
    /// No handler has been called, or, where that is not recorded, none has returned.
    Untouched,
    /// This is on its way to the store, behind which its handlers are called.
    Begun(Receiving),
    Handled(ReasonCode),
    /// No handler will be called, and the program may know. It keeps its place while its connection
    /// lasts, and behind it until the program knows.
    Abandoned {
        told: bool,
    },
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
        /// Only the record of an earlier process says so.
        recovered: bool,
    },
    /// A handler of an earlier process was called with it and may not have returned.
    Begun,
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
    doubt: Doubt,
    receive_maximum: u16,
    /// The largest packet that the broker takes.
    maximum_packet_size: usize,
    /// Messages of QoS 1 and 2 that the broker has in flight towards us.
    outstanding: u16,
    /// The store took no record: until the connection ends nothing of QoS 2 is handed on.
    abandons: bool,
}

impl Incoming {
    pub(super) fn new(version: Version, receive_maximum: u16, maximum_packet_size: usize) -> Self {
        Self {
            version,
            waiting: Slab::new(),
            stamp: 0,
            said: HashMap::default(),
            order: Default::default(),
            left_behind: HashMap::default(),
            exactly_once: HashMap::default(),
            doubt: Doubt::default(),
            receive_maximum,
            maximum_packet_size,
            outstanding: 0,
            abandons: false,
        }
    }

    /// Takes in a PUBLISH of QoS 1 or 2.
    pub(super) fn publish(
        &mut self,
        packet_id: PacketId,
        qos: QoS,
        duplicate: bool,
        output: &mut Output,
        journal: &mut Journal,
    ) -> Result<Arrival, Violation> {
        let mut redelivered = false;
        if qos == QoS::ExactlyOnce {
            if !duplicate {
                self.replace_recovered(packet_id, journal);
            }
            match self.exactly_once.get(&packet_id).copied() {
                // The message is here already; what got lost is the PUBREC [MQTT-4.3.3-10].
                Some(Known::Received { counted, .. }) => {
                    if !counted {
                        self.count_one()?;
                    }
                    if self.order[list(qos)].is_empty() {
                        let known = Known::Received { counted: true, recovered: false };
                        self.exactly_once.insert(packet_id, known);
                        output.require(journal.newest());
                        encode_short(AckKind::Pubrec, packet_id, output.buffer());
                    } else {
                        // One before it was refused, and has come anew [MQTT-4.6.0-3].
                        let handled = Stage::Handled(ReasonCode::Success);
                        self.enter(packet_id, qos, false, handled);
                    }
                    return Ok(Arrival::Duplicate);
                }
                Some(Known::Waiting(key)) => {
                    self.again(key, output, journal)?;
                    return Ok(Arrival::Duplicate);
                }
                Some(Known::Begun) => redelivered = true,
                None => redelivered = duplicate && self.doubt.concerns(packet_id),
            }
        } else if !self.left_behind.is_empty()
            && let Some(key) = self.left_behind.remove(&packet_id)
        {
            if duplicate {
                self.again(key, output, journal)?;
                return Ok(Arrival::Duplicate);
            }
            // Without DUP the id has been given to another message.
            self.forget(key);
        }
        self.count_one()?;
        if self.abandons && qos == QoS::ExactlyOnce {
            self.enter(packet_id, qos, redelivered, Stage::Abandoned { told: true });
            return Ok(Arrival::Duplicate);
        }
        let receipt = self.enter(packet_id, qos, redelivered, Stage::Untouched);
        Ok(Arrival::Deliver { receipt, redelivered })
    }

    /// Gives a message its place in the order.
    fn enter(&mut self, packet_id: PacketId, qos: QoS, redelivered: bool, stage: Stage) -> Receipt {
        self.stamp = self.stamp.wrapping_add(1);
        let stamp = self.stamp;
        let entry = Waiting { packet_id, qos, stamp, current: true, redelivered, stage };
        let key = self.waiting.insert(entry);
        self.order[list(qos)].push(key, matches!(stage, Stage::Handled(_)));
        if qos == QoS::ExactlyOnce {
            self.exactly_once.insert(packet_id, Known::Waiting(key));
            self.doubt.settle(packet_id);
        }
        Receipt { key: key as u32, stamp }
    }

    /// The broker sent a waiting message again.
    fn again(
        &mut self,
        key: usize,
        output: &mut Output,
        journal: &mut Journal,
    ) -> Result<(), Violation> {
        if self.waiting[key].current {
            return Ok(());
        }
        self.count_one()?;
        let entry = &mut self.waiting[key];
        entry.current = true;
        let qos = entry.qos;
        self.order[list(qos)].push(key, matches!(entry.stage, Stage::Handled(_)));
        self.acknowledge_in_order(qos, output, journal);
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

    /// The key and entry of a message that waits to be handled.
    fn unhandled(&mut self, receipt: Receipt) -> Option<(usize, &mut Waiting)> {
        let key = receipt.key as usize;
        let entry = self.waiting.get_mut(key)?;
        let waits = matches!(entry.stage, Stage::Untouched | Stage::Begun(_));
        (waits && entry.stamp == receipt.stamp).then_some((key, entry))
    }

    /// Nothing is left to acknowledge.
    fn forget(&mut self, key: usize) -> Waiting {
        self.said.remove(&key);
        self.waiting.remove(key)
    }

    /// The connection is over; what it delivered may still be handled. The broker's count of what it
    /// has in flight begins anew with the next one (section 4.9).
    pub(super) fn disconnected(&mut self) {
        self.order.iter_mut().for_each(Order::clear);
        self.outstanding = 0;
        self.abandons = false;
        for known in self.exactly_once.values_mut() {
            if let Known::Received { counted, .. } = known {
                *counted = false;
            }
        }
        let mut surplus = Vec::new();
        let mut abandoned = Vec::new();
        self.left_behind.clear();
        for (key, entry) in &mut self.waiting {
            let was_current = std::mem::take(&mut entry.current);
            if let Stage::Abandoned { .. } = entry.stage {
                abandoned.extend(was_current.then_some(key));
            } else if entry.qos == QoS::AtLeastOnce {
                surplus.extend(self.left_behind.insert(entry.packet_id, key));
            }
        }
        // A broker that uses an id twice at the same time cannot send both messages again.
        for key in surplus {
            self.forget(key);
        }
        for key in abandoned {
            self.give_back(key);
        }
    }

    /// A connection begins, to a broker that takes packets of at most this size. How many messages of
    /// QoS 2 are forgotten because the broker's session is gone.
    pub(super) fn connected(&mut self, resumed: bool, maximum_packet_size: usize) -> usize {
        self.maximum_packet_size = maximum_packet_size;
        self.abandons = false;
        if resumed {
            return 0;
        }
        let forgotten = self.exactly_once.len();
        self.waiting.clear();
        self.said.clear();
        self.left_behind.clear();
        self.exactly_once.clear();
        self.doubt = Doubt::default();
        forgotten
    }

    /// Received messages that have not been acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        let abandoned = |waiting: &Waiting| matches!(waiting.stage, Stage::Abandoned { .. });
        let over = |waiting: &Waiting| abandoned(waiting) && !waiting.current;
        self.waiting.iter().filter(|(_, waiting)| !over(waiting)).count()
    }

    pub(super) fn shrink(&mut self) {
        self.order.iter_mut().for_each(Order::shrink);
        self.waiting.shrink_to_fit();
    }
}

fn list(qos: QoS) -> usize {
    usize::from(qos == QoS::ExactlyOnce)
}
