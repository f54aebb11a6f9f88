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

use super::{Incoming, Known, Receipt};
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

    /// A handler is about to be called with a message: the batch of records that has to be written
    /// before, 0 when none has to.
    pub(in crate::engine) fn begin(&mut self, receipt: Receipt, journal: &mut Journal) -> u64 {
        if !journal.is_on() {
            return 0;
        }
        match self.unhandled(receipt) {
            Some((_, entry)) if entry.qos == QoS::ExactlyOnce => {
                journal.record(&Record::Delivering { packet_id: entry.packet_id });
                journal.newest()
            }
            _ => 0,
        }
    }

    /// Nobody will handle this message; its connection is about to be closed, and on the next one
    /// the broker's repetition is delivered.
    pub(in crate::engine) fn abandon(&mut self, receipt: Receipt, journal: &mut Journal) {
        let Some((key, entry)) = self.unhandled(receipt) else { return };
        entry.abandoned = true;
        // Should "delivering" still be written, it is not true.
        if entry.qos == QoS::ExactlyOnce && !entry.redelivered {
            journal.record(&Record::Forgotten { packet_id: entry.packet_id });
        }
        // Until then it keeps what came behind it from being acknowledged first [MQTT-4.6.0-3].
        if !entry.current {
            self.give_back(key);
        }
    }

    /// Forgets a message that has been abandoned.
    pub(super) fn give_back(&mut self, key: usize) {
        let entry = self.forget(key);
        let id = entry.packet_id;
        if entry.qos == QoS::AtLeastOnce {
            if self.left_behind.get(&id) == Some(&key) {
                self.left_behind.remove(&id);
            }
        } else if entry.redelivered {
            self.exactly_once.insert(id, Known::Begun);
        } else {
            self.exactly_once.remove(&id);
        }
    }
}
