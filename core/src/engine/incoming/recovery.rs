//! Messages of QoS 2 over the end of the process: what is put on record before a handler is called,
//! and what the records of an earlier process mean for what the broker sends again.
//!
//! ```text
//!  on record        PUBLISH with DUP                 PUBLISH without DUP
//!  delivering  ──►  delivered, as redelivered        another message: delivered
//!  handled     ──►  PUBREC, not delivered            another message: delivered
//!  nothing     ──►  delivered; in doubt,             delivered
//!                   as redelivered
//! ```
//!
//! DUP makes the difference because a broker that sends a message again sets it [MQTT-3.3.1-1].

use super::{Incoming, Known, Receipt, Stage, Waiting};
use crate::{
    engine::{Receiving, journal::Journal, record::Record},
    protocol::{PacketId, QoS},
};

/// Whether records of an earlier process may be missing, and about which packet ids.
#[derive(Default)]
pub(super) struct Doubt {
    /// A bit for each packet id about which this process has records of its own, or has seen that
    /// the broker uses it anew. Nothing where there is no doubt.
    settled: Option<Box<[u64; 1024]>>,
}

impl Doubt {
    fn new() -> Self {
        Self { settled: Some(Box::new([0; 1024])) }
    }

    pub(super) fn concerns(&self, packet_id: PacketId) -> bool {
        let (word, bit) = place(packet_id);
        self.settled.as_ref().is_some_and(|settled| settled[word] & bit == 0)
    }

    pub(super) fn settle(&mut self, packet_id: PacketId) {
        if let Some(settled) = &mut self.settled {
            let (word, bit) = place(packet_id);
            settled[word] |= bit;
        }
    }
}

fn place(packet_id: PacketId) -> (usize, u64) {
    let number = packet_id.get();
    (usize::from(number / 64), 1 << (number % 64))
}

impl Incoming {
    /// Goes on with what an earlier process had received. `doubtful`: records may be missing.
    pub(in crate::engine) fn recover(
        &mut self,
        received: impl IntoIterator<Item = (PacketId, Receiving)>,
        doubtful: bool,
    ) {
        for (packet_id, receiving) in received {
            let known = match receiving {
                Receiving::Delivering => Known::Begun,
                Receiving::Handled => Known::Received { counted: false, recovered: true },
            };
            self.exactly_once.insert(packet_id, known);
        }
        if doubtful {
            self.doubt = Doubt::new();
        }
    }

    /// A PUBLISH without DUP is no repetition: what an earlier process knew of its id is over.
    pub(super) fn replace_recovered(&mut self, packet_id: PacketId, journal: &mut Journal) {
        let known = self.exactly_once.get(&packet_id);
        if let Some(Known::Begun | Known::Received { recovered: true, .. }) = known {
            self.exactly_once.remove(&packet_id);
            // Or the new message would be taken for the old one after another crash.
            journal.record(&Record::Forgotten { packet_id });
        }
    }

    /// A handler is about to be called with a message of QoS 2, after which it will have been received
    /// this far, whatever becomes of the process: the batch of records that has to be written before, 0
    /// when none has to. Nothing when it has been abandoned.
    pub(in crate::engine) fn begin(
        &mut self,
        receipt: Receipt,
        receiving: Receiving,
        journal: &mut Journal,
    ) -> Option<u64> {
        if self.is_abandoned(receipt) {
            return None;
        }
        // Where nothing is found the broker has lost it, with its session: this is the last of it.
        match self.unhandled(receipt) {
            Some((_, entry))
                if journal.is_on()
                    && entry.qos == QoS::ExactlyOnce
                    && matches!(entry.stage, Stage::Untouched) =>
            {
                entry.stage = Stage::Begun(receiving);
                let packet_id = entry.packet_id;
                journal.record(&match receiving {
                    Receiving::Delivering => Record::Delivering { packet_id },
                    Receiving::Handled => Record::Handled { packet_id },
                });
                Some(journal.newest())
            }
            _ => Some(0),
        }
    }

    /// Whether a message has been abandoned, which the program knows then.
    pub(in crate::engine) fn is_abandoned(&mut self, receipt: Receipt) -> bool {
        let key = receipt.key as usize;
        let entry = self.waiting.get_mut(key).filter(|entry| entry.stamp == receipt.stamp);
        let Some(entry) = entry else { return false };
        let Stage::Abandoned { told } = &mut entry.stage else { return false };
        *told = true;
        if !entry.current {
            self.forget(key);
        }
        true
    }

    /// Nobody will handle this message, as the store did not take what has to be on record first, nor
    /// any other of QoS 2 that no handler has been called with: were one behind it handled, that would
    /// be out of order. Their connection is about to be closed, and on the next one the broker's
    /// repetitions are delivered.
    pub(in crate::engine) fn abandon(&mut self, receipt: Receipt, journal: &mut Journal) {
        let Some((key, _)) = self.unhandled(receipt) else { return };
        self.abandons = true;
        let mut over = Vec::new();
        for (other, entry) in &mut self.waiting {
            let told = other == key;
            if entry.qos != QoS::ExactlyOnce || !(told || matches!(entry.stage, Stage::Untouched)) {
                continue;
            }
            if let Stage::Begun(_) = entry.stage {
                // Should its record still be written, it is not true.
                let packet_id = entry.packet_id;
                journal.record(&match entry.redelivered {
                    true => Record::Delivering { packet_id },
                    false => Record::Forgotten { packet_id },
                });
            }
            entry.stage = Stage::Abandoned { told };
            // Until then it keeps what came behind it from being acknowledged first [MQTT-4.6.0-3].
            if !entry.current {
                over.push(other);
            }
        }
        over.into_iter().for_each(|key| self.give_back(key));
    }

    /// An abandoned message, whose connection is over, is one that may come again.
    pub(super) fn give_back(&mut self, key: usize) {
        let Waiting { packet_id, redelivered, stage, .. } = self.waiting[key];
        match redelivered {
            true => drop(self.exactly_once.insert(packet_id, Known::Begun)),
            false => drop(self.exactly_once.remove(&packet_id)),
        }
        if let Stage::Abandoned { told: true } = stage {
            self.forget(key);
        }
    }
}
