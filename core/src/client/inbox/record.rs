//! What a session with a store records round the handlers of a message of QoS 2.
//!
//! ```text
//!                 on disk                                          PUBREC for n leaves
//!   handler of n  delivering n  │ returns │  handled n, delivering n+1 │ handler of n+1
//!                               │         │  (one write)               │
//! ```
//!
//! "Delivering" is written before the handlers are called, and "handled" before anything else is. So a
//! process that dies inside of a handler gets that one message again, and knows that it does; one that
//! dies in between gets none again. Where messages are acknowledged on receipt, "handled" is what is
//! written before the handlers are called, and PUBREC leaves then.

use std::sync::Arc;

use crate::{
    client::{keeper::Keeper, message::Parts, shared::Shared},
    engine::Receipt,
    protocol::{QoS, ReasonCode},
};

/// The records of one run of handlers.
pub(super) struct Records<'s> {
    shared: &'s Arc<Shared>,
    keeper: Option<&'s Keeper>,
    /// A message whose handlers have returned, which is recorded with the next one's beginning.
    handled: Option<(Receipt, ReasonCode)>,
}

/// Whether a message's handlers are called.
pub(super) enum Begin {
    Call,
    /// They are, and the message has been acknowledged.
    CallAcknowledged,
    /// The store had no room for it, or for one before it: the broker sends it again.
    Skip,
}

impl<'s> Records<'s> {
    pub(super) fn new(shared: &'s Arc<Shared>) -> Self {
        Self { shared, keeper: shared.keeper.as_deref(), handled: None }
    }

    /// Whether this message is recorded.
    #[inline]
    pub(super) fn concern(&self, parts: &Parts<'_>) -> bool {
        self.keeper.is_some() && parts.qos == QoS::ExactlyOnce
    }

    /// The handlers of a message are about to be called.
    #[inline]
    pub(super) fn begin(&mut self, parts: &Parts<'_>) -> Begin {
        match parts.receipt {
            Some(receipt) if self.concern(parts) => self.record_beginning(receipt),
            _ => {
                self.end();
                Begin::Call
            }
        }
    }

    #[cold]
    fn record_beginning(&mut self, receipt: Receipt) -> Begin {
        let Some(keeper) = self.keeper else { return Begin::Call };
        let mut core = self.shared.core.lock();
        let Some(mut batch) = core.engine.begin_handling(receipt) else { return Begin::Skip };
        if let Some((receipt, reason)) = self.handled.take() {
            core.engine.acknowledge(receipt, reason);
            batch = batch.max(core.engine.newest_batch());
        }
        drop(core);
        if let Err(error) = keeper.write_through(self.shared, batch) {
            self.shared.abandon(receipt, error);
            return Begin::Skip;
        }
        let mut core = self.shared.core.lock();
        let acknowledges = self.shared.options.settings.acknowledge_on_receipt;
        if acknowledges {
            core.engine.acknowledge(receipt, ReasonCode::Success);
        }
        self.shared.settle(core);
        match acknowledges {
            true => Begin::CallAcknowledged,
            false => Begin::Call,
        }
    }

    /// The handlers of a message that is recorded have returned.
    pub(super) fn handled(&mut self, receipt: Receipt, reason: ReasonCode) {
        debug_assert!(self.handled.is_none());
        self.handled = Some((receipt, reason));
    }

    /// Something else follows than a message that is recorded.
    #[inline]
    pub(super) fn end(&mut self) {
        if let Some(handled) = self.handled.take() {
            self.record_end(handled);
        }
    }

    fn record_end(&self, (receipt, reason): (Receipt, ReasonCode)) {
        let mut core = self.shared.core.lock();
        core.engine.acknowledge(receipt, reason);
        drop(core);
        // Where that fails the session says so, and PUBREC waits until it does not.
        let _reported = self.shared.write_through();
        self.shared.settle(self.shared.core.lock());
    }
}
