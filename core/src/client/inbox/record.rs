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
//! dies in between gets none again. Where messages are acknowledged on receipt, "handled" is written
//! before the first of them is called.

use std::sync::Arc;

use super::Batch;
use crate::{
    client::{keeper::Keeper, message::Parts, shared::Shared},
    engine::Receipt,
    error::Result,
    protocol::{QoS, ReasonCode},
};

/// The records of one run of handlers.
pub(super) struct Records<'s> {
    shared: &'s Arc<Shared>,
    keeper: Option<&'s Keeper>,
    /// A message whose handlers have returned, which is recorded with the next one's beginning.
    handled: Option<(Receipt, ReasonCode)>,
    /// What was handled by its receipt has been written.
    received: bool,
}

impl<'s> Records<'s> {
    pub(super) fn new(shared: &'s Arc<Shared>) -> Self {
        Self { shared, keeper: shared.keeper.as_ref(), handled: None, received: false }
    }

    /// Whether this message is recorded.
    #[inline]
    pub(super) fn concern(&self, parts: &Parts<'_>) -> bool {
        self.keeper.is_some() && parts.qos == QoS::ExactlyOnce
    }

    /// The handlers of a message are about to be called.
    ///
    /// # Errors
    /// The store's: they must not be.
    #[inline]
    pub(super) fn begin(&mut self, parts: &Parts<'_>) -> Result<()> {
        if !self.concern(parts) {
            self.end();
            return Ok(());
        }
        self.record_beginning(parts.receipt)
    }

    #[cold]
    fn record_beginning(&mut self, receipt: Option<Receipt>) -> Result<()> {
        let Some(keeper) = self.keeper else { return Ok(()) };
        let Some(receipt) = receipt else {
            if !self.received {
                self.shared.write_through()?;
                self.received = true;
            }
            return Ok(());
        };
        let mut core = self.shared.core.lock();
        let handled = self.handled.take();
        if let Some((receipt, reason)) = handled {
            core.engine.acknowledge(receipt, reason);
        }
        let mut batch = core.engine.begin_handling(receipt);
        if handled.is_some() {
            batch = batch.max(core.engine.newest_batch());
        }
        drop(core);
        let written = keeper.write_through(self.shared, batch);
        self.shared.settle(self.shared.core.lock());
        written
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

impl Batch {
    /// The messages from the next one on that a store would have to be told of.
    pub(super) fn recorded(&self) -> impl Iterator<Item = Receipt> {
        let rest = &self.inbound.deliveries[self.next..];
        let recorded = rest.iter().filter(|delivery| delivery.qos == QoS::ExactlyOnce);
        recorded.filter_map(|delivery| delivery.receipt)
    }
}
