//! What the program does with a received message.

use super::Engine;
use crate::{
    engine::Receipt,
    protocol::{PropertyBlock, ReasonCode},
};

impl Engine {
    /// A handler is about to be called with a received message. The answer is the batch of records that
    /// has to be written (it need not be synced) before that happens; 0 when none has to.
    pub fn begin_handling(&mut self, receipt: Receipt) -> u64 {
        self.incoming.begin(receipt, &mut self.journal)
    }

    /// A received message has been handled. `false` when there was nothing left to acknowledge.
    pub fn acknowledge(&mut self, receipt: Receipt, reason: ReasonCode) -> bool {
        self.incoming.handled(receipt, reason, &mut self.output.open, &mut self.journal)
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
        let (output, journal) = (&mut self.output.open, &mut self.journal);
        self.incoming.refused(receipt, reason, properties, output, journal)
    }

    /// A received message cannot be handled, and the connection is about to be closed for it: forgets
    /// it, so that the broker's repetition is delivered.
    pub fn abandon(&mut self, receipt: Receipt) {
        self.incoming.abandon(receipt, &mut self.journal);
    }
}
