//! Messages that are handed over together.

use std::{
    cell::{Cell, RefCell},
    fmt,
    ops::Range,
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;

use super::runner::ACKNOWLEDGE_AFTER;
use crate::{
    client::{Handled, Message, message::Parts, shared::Shared},
    engine::{Delivery, Inbound, Receipt},
    protocol::ReasonCode,
};

/// The bytes of a run of at most so many are copied, so that a consumer that lags behind does not keep
/// read buffers of many times the size.
const COPIED: usize = 4 << 10;

/// Bytes that were read, and the messages in them.
pub(super) struct Read {
    pub(super) chunk: Bytes,
    pub(super) inbound: Inbound,
}

impl Read {
    #[inline]
    pub(super) fn parts(&self, index: usize) -> Parts<'_> {
        let delivery = &self.inbound.deliveries[index];
        let range = |range: &Range<u32>| &self.chunk[range.start as usize..range.end as usize];
        Parts {
            matched: &self.inbound.matches[delivery.matched as usize],
            payload: range(&delivery.payload),
            properties: range(&delivery.properties),
            chunk: &self.chunk,
            qos: delivery.qos,
            retain: delivery.retain,
            duplicate: delivery.duplicate,
            receipt: delivery.receipt,
            redelivered: delivery.redelivered,
        }
    }

    /// Where the payloads and properties of these messages stand: from the first to the last.
    fn extent(&self, messages: Range<usize>) -> Range<usize> {
        let deliveries = &self.inbound.deliveries[messages];
        let of = |delivery: &Delivery| {
            let Delivery { payload, properties, .. } = delivery;
            match properties.is_empty() {
                true => payload.clone(),
                false => properties.start..payload.end,
            }
        };
        let [first, .., last] = deliveries else {
            let only = deliveries.first().map(of).unwrap_or_default();
            return only.start as usize..only.end as usize;
        };
        of(first).start as usize..of(last).end as usize
    }

    /// These messages alone, and the bytes of them.
    fn copy(&self, messages: Range<usize>, extent: Range<usize>) -> Self {
        let deliveries = &self.inbound.deliveries[messages];
        let base = extent.start as u32;
        let moved = |range: &Range<u32>| match range.is_empty() {
            true => 0..0,
            false => range.start - base..range.end - base,
        };
        // A match is there once for messages that follow one another.
        let first = deliveries.first().map_or(0, |delivery| delivery.matched);
        let last = deliveries.last().map_or(0, |delivery| delivery.matched);
        let matches = self.inbound.matches[first as usize..=last as usize].to_vec();
        let deliveries = deliveries.iter().map(|delivery| Delivery {
            matched: delivery.matched - first,
            payload: moved(&delivery.payload),
            properties: moved(&delivery.properties),
            ..delivery.clone()
        });
        let inbound = Inbound { deliveries: deliveries.collect(), matches };
        Self { chunk: Bytes::copy_from_slice(&self.chunk[extent]), inbound }
    }
}

/// Messages that were read together, one behind the other, and are for one handler alone. It goes to
/// wherever they are handled, and lends them one by one.
///
/// Each keeps its place in the receiving queue until it has been settled, and that has been reported. What
/// was settled is reported when the run is dropped; the rest is then left unacknowledged.
pub struct Run(Option<Box<Held>>);

struct Held {
    shared: Arc<Shared>,
    read: Arc<Read>,
    /// Those that have not been lent yet.
    left: Range<usize>,
    /// What acknowledges the message that was lent last and has not been settled.
    lent: Option<Option<Receipt>>,
    /// Settled, and not reported yet.
    settled: usize,
    acknowledged: Vec<(Receipt, ReasonCode)>,
    /// When the first of them was.
    since: Option<Instant>,
    /// What is still held of the receiving queue.
    messages: usize,
    bytes: usize,
}

impl Run {
    /// Takes places in the receiving queue for these messages.
    pub(super) fn new(shared: &Arc<Shared>, read: &Arc<Read>, messages: Range<usize>) -> Self {
        let extent = read.extent(messages.clone());
        let bytes = extent.len();
        shared.inbox.hold(messages.len(), bytes);
        let (read, left) = match bytes <= COPIED {
            true => (Arc::new(read.copy(messages.clone(), extent)), 0..messages.len()),
            false => (read.clone(), messages.clone()),
        };
        Self(Some(Box::new(Held {
            shared: shared.clone(),
            read,
            left,
            lent: None,
            settled: 0,
            acknowledged: Vec::new(),
            since: None,
            messages: messages.len(),
            bytes,
        })))
    }

    /// How many have not been lent yet.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |held| held.left.len())
    }

    /// Whether all have been lent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lends the next message. The one before has to be settled; one that is not is left
    /// unacknowledged.
    pub fn lend(&mut self) -> Option<Message<'_>> {
        let held = self.0.as_mut()?;
        let index = held.left.next()?;
        let parts = held.read.parts(index);
        held.lent = Some(parts.receipt);
        let (deferred, sole) = (RefCell::new(None), Cell::new(true));
        Some(Message { parts, shared: &held.shared, deferred, sole })
    }

    /// Says what was done with the message that was lent last, as [`Handler::handle`](crate::client::Handler::handle)
    /// does. That is reported at once where others have waited for a millisecond to be.
    pub fn settle(&mut self, handled: Handled) {
        let Some(held) = &mut self.0 else { return };
        let Some(receipt) = held.lent.take() else { return };
        held.settled += 1;
        let reason = held.shared.options.acknowledgement_after(handled);
        let Some(acknowledged) = receipt.zip(reason) else { return };
        held.acknowledged.push(acknowledged);
        if held.since.get_or_insert_with(Instant::now).elapsed() > ACKNOWLEDGE_AFTER {
            held.report();
        }
    }

    /// How many acknowledgements wait to be reported.
    pub fn unreported(&self) -> usize {
        self.0.as_ref().map_or(0, |held| held.acknowledged.len())
    }

    /// Has the acknowledgements of what has been settled leave, and gives its places free.
    pub fn report(&mut self) {
        if let Some(held) = &mut self.0 {
            held.report();
        }
    }
}

impl Held {
    fn report(&mut self) {
        if !self.acknowledged.is_empty() {
            // What a broker without this session could not be told it will send again.
            let _all = self.shared.acknowledge(&self.acknowledged);
            self.acknowledged.clear();
            self.since = None;
        }
        let settled = std::mem::take(&mut self.settled);
        if settled > 0 {
            self.messages -= settled;
            self.shared.release(settled, 0);
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let Some(mut held) = self.0.take() else { return };
        if held.shared.is_inherited() {
            // Nothing of the parent's may be touched or dropped here.
            std::mem::forget(held);
            return;
        }
        held.report();
        held.shared.release(held.messages, held.bytes);
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({} messages)", self.len())
    }
}
