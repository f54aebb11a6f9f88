//! What the program does with a received message.

use super::Engine;
use crate::{
    engine::{Receipt, Receiving},
    protocol::{PropertyBlock, ReasonCode},
};

impl Engine {
    /// A handler is about to be called with a received message of QoS 2. The answer is the batch of
    /// records that has to be written (it need not be synced) before that happens; 0 when none has to.
    /// Nothing when it must not be called: the message has been abandoned, and comes again.
    ///
    /// Where messages are acknowledged on receipt the record says that it has been handled, and the
    /// message is to be acknowledged as soon as that has been written, before its handler is called.
    pub fn begin_handling(&mut self, receipt: Receipt) -> Option<u64> {
        let receiving = match self.settings.acknowledge_on_receipt {
            true => Receiving::Handled,
            false => Receiving::Delivering,
        };
        let (incoming, _, journal) = self.incoming();
        incoming.begin(receipt, receiving, journal)
    }

    /// Whether a received message that waits for a handler has been abandoned: it comes again, and is to
    /// be let go of. To be asked once.
    pub fn is_abandoned(&mut self, receipt: Receipt) -> bool {
        self.incoming().0.is_abandoned(receipt)
    }

    /// A received message has been handled. `false` when there was nothing left to acknowledge.
    pub fn acknowledge(&mut self, receipt: Receipt, reason: ReasonCode) -> bool {
        let (incoming, output, journal) = self.incoming();
        incoming.handled(receipt, reason, &mut output.open, journal)
    }

    /// A received message has been refused: [`acknowledge`](Self::acknowledge) with a reason string
    /// and user properties, as far as the broker takes a packet of that size. Before 5.0 neither they
    /// nor the reason are sent.
    pub fn refuse(
        &mut self,
        receipt: Receipt,
        reason: ReasonCode,
        properties: PropertyBlock,
    ) -> bool {
        let (incoming, output, journal) = self.incoming();
        incoming.refused(receipt, reason, properties, &mut output.open, journal)
    }

    /// What [`begin_handling`](Self::begin_handling) asked for could not be written, and the connection
    /// is about to be closed for it. Nobody handles the message, nor any other of QoS 2 that has not been
    /// begun, so that none overtakes it; the broker's repetitions are delivered.
    pub fn abandon(&mut self, receipt: Receipt) {
        let (incoming, _, journal) = self.incoming();
        incoming.abandon(receipt, journal);
    }
}
