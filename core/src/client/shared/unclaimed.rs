//! Messages of QoS 1 and 2 that no handler wants yet: unacknowledged until one does.

use std::sync::Arc;

use super::Shared;
use crate::{
    client::{OwnedMessage, inbox::Item},
    engine::Receipt,
};

impl Shared {
    /// Keeps a message that nobody wants, unless a handler has come meanwhile.
    pub(in crate::client) fn set_apart(self: &Arc<Self>, message: OwnedMessage, receipt: Receipt) {
        self.inbox.hold(1, message.payload().len());
        let mut unclaimed = self.unclaimed.lock();
        let wanted = !self.handlers(message.topic()).is_empty();
        unclaimed.push((message, receipt));
        if wanted {
            self.hand_out(&mut unclaimed);
        }
    }

    /// Gives messages that nobody wanted to handlers that have come since.
    pub(in crate::client) fn claim(self: &Arc<Self>) {
        self.hand_out(&mut self.unclaimed.lock());
    }

    /// With the lock held throughout: what the handlers get next must not overtake these.
    fn hand_out(self: &Arc<Self>, unclaimed: &mut Vec<(OwnedMessage, Receipt)>) {
        unclaimed.retain(|(message, receipt)| {
            let handlers = self.handlers(message.topic());
            if handlers.is_empty() {
                return true;
            }
            self.inbox.push(self, Item::Claimed(message.clone(), *receipt, handlers));
            false
        });
    }

    /// Those that have been abandoned: the broker sends them again. One of a later connection, which
    /// may have come meanwhile, stays.
    pub(in crate::client) fn take_abandoned_unclaimed(&self) -> Vec<(OwnedMessage, Receipt)> {
        let mut unclaimed = self.unclaimed.lock();
        let mut core = self.core.lock();
        unclaimed.extract_if(.., |(_, receipt)| core.engine.is_abandoned(*receipt)).collect()
    }
}
