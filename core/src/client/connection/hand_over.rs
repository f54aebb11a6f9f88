//! A connection's third step: from what was read to the handlers' queue.

use std::{sync::atomic::Ordering, time::Instant};

use super::{ACKNOWLEDGE_EVERY, Connection, Input};
use crate::{
    client::{
        Dispatch, OwnedMessage,
        inbox::{Batch, Handlers, Item},
        message::Parts,
    },
    engine::Inbound,
};

impl Connection<'_> {
    /// Step three: hands the messages to their handlers' queue.
    pub(super) fn hand_over(&mut self, input: Input, now: Instant) {
        let Input { mut inbound, chunk } = input;
        if !inbound.deliveries.is_empty() {
            if self.shared.claiming.load(Ordering::Acquire) > 0 {
                self.shared.claim();
            }
            if inbound.matches.iter().any(|found| found.routes.is_empty()) {
                self.set_unclaimed_apart(&mut inbound, &chunk);
            }
            if inbound.deliveries.iter().any(|delivery| delivery.receipt.is_some()) {
                self.acknowledge_at.get_or_insert(now + ACKNOWLEDGE_EVERY);
            }
            let handlers = Handlers::new(&inbound.matches, &self.shared.subscriptions.lock());
            let batch = Batch::new(chunk, inbound, handlers);
            if let Some(requests) = self.shared.requests.get()
                && let Some(route) = requests.route()
            {
                let is_answer = |parts: &Parts<'_>| {
                    parts.matched.routes.iter().any(|matched| matched.id == route)
                };
                for answer in batch.all_parts().filter(is_answer) {
                    requests.answered(self.shared, &answer);
                }
            }
            self.shared.inbox.push(self.shared, Item::Batch(batch));
        }
        if self.shared.options.dispatch == Dispatch::Inline {
            self.shared.inbox.run_inline(self.shared);
        }
    }

    /// Messages of QoS 1 and 2 that nobody wants stay unacknowledged until somebody does.
    #[cold]
    fn set_unclaimed_apart(&self, inbound: &mut Inbound, chunk: &bytes::Bytes) {
        let (unclaimed, wanted) = std::mem::take(&mut inbound.deliveries)
            .into_iter()
            .partition(|delivery| inbound.matches[delivery.matched as usize].routes.is_empty());
        inbound.deliveries = unclaimed;
        let unclaimed = std::mem::take(inbound);
        inbound.matches.clone_from(&unclaimed.matches);
        inbound.deliveries = wanted;
        let batch = Batch::new(chunk.clone(), unclaimed, Handlers::default());
        for parts in batch.all_parts() {
            let Some(receipt) = parts.receipt else { continue };
            self.shared.set_apart(OwnedMessage::new(&parts), receipt);
        }
    }
}
