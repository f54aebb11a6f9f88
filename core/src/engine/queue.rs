//! Messages that wait to be sent for the first time (or anew), and the bounds of what is accepted.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    time::Instant,
};

use super::kept::Kept;
use crate::protocol::QoS;

/// What happens when the queue has reached a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueuePolicy {
    /// The call waits for room for a while, then it is refused.
    #[default]
    Block,
    /// The call is refused with `QUEUE_FULL`.
    Reject,
    /// The oldest message that has not been sent yet makes room and ends as dropped.
    DropOldest,
    /// The new message ends as dropped at once.
    DropNewest,
    /// Of the messages of one topic that have not been sent yet only the newest is kept; the others
    /// end as dropped. At the limit the oldest makes room.
    KeepLatest,
}

/// The bounds of what has been accepted and has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimit {
    /// Messages.
    pub messages: usize,
    /// Bytes of their packets.
    pub bytes: usize,
    /// What happens at a bound.
    pub policy: QueuePolicy,
}

impl QueueLimit {
    /// Whether one more of this weight fits beside so many messages and bytes. One that is larger
    /// than the limit is admitted when there is nothing else.
    pub(super) fn fits(&self, messages: usize, bytes: usize, weight: usize) -> bool {
        messages < self.messages && (bytes == 0 || bytes.saturating_add(weight) <= self.bytes)
    }

    /// Whether older messages make room for newer ones.
    pub(super) fn drops_older(&self) -> bool {
        matches!(self.policy, QueuePolicy::DropOldest | QueuePolicy::KeepLatest)
    }
}

/// The messages in the order of their numbers.
pub(super) struct Queue {
    /// The gaps are where a message was taken out of the middle; the first is never one.
    entries: VecDeque<(u64, Option<Kept>)>,
    gaps: usize,
    weight: usize,
    /// Those of QoS 1 and 2 among them, and their bytes: what a store holds of it.
    lasting: (usize, usize),
    /// Under [`QueuePolicy::KeepLatest`]: the newest message of each topic.
    latest: Option<BTreeMap<Box<[u8]>, u64>>,
    /// When which message expires. The first is one that is still here; behind it there may be some
    /// that are not, at most as many as there are messages and a few.
    expiring: BinaryHeap<Reverse<(Instant, u64)>>,
}

/// So many deadlines of messages that are gone are not worth a look.
const FEW: usize = 64;

impl Queue {
    pub(super) fn new(policy: QueuePolicy) -> Self {
        Self {
            entries: VecDeque::new(),
            gaps: 0,
            weight: 0,
            lasting: (0, 0),
            latest: (policy == QueuePolicy::KeepLatest).then(BTreeMap::new),
            expiring: BinaryHeap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.gaps
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of its messages.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// How many of them are of QoS 1 and 2, and their bytes.
    pub(super) fn lasting(&self) -> (usize, usize) {
        self.lasting
    }

    pub(super) fn front(&self) -> Option<&Kept> {
        self.entries.front().and_then(|(_, kept)| kept.as_ref())
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.index(number).is_some_and(|index| self.entries[index].1.is_some())
    }

    fn index(&self, number: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&number, |(number, _)| *number).ok()
    }

    /// A message comes.
    fn count(&mut self, kept: &Kept) {
        self.weight += kept.packet.weight();
        if kept.pending.qos != QoS::AtMostOnce {
            self.lasting.0 += 1;
            self.lasting.1 += kept.packet.weight();
        }
    }

    /// Adds a new message.
    pub(super) fn push_back(&mut self, kept: Kept) {
        self.count(&kept);
        if let Some(latest) = &mut self.latest {
            latest.insert(kept.packet.topic().into(), kept.pending.number);
        }
        self.entries.push_back((kept.pending.number, Some(kept)));
    }

    /// The message added last, if it is still here, stays for a while: it is to end when it expires.
    pub(super) fn settle(&mut self, number: u64) {
        if let Some((last, Some(kept))) = self.entries.back()
            && *last == number
            && let Some(at) = kept.packet.gives_up_at()
        {
            self.expiring.push(Reverse((at, number)));
        }
    }

    /// When the next message expires.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.expiring.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out a message that has expired.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<Kept> {
        let Reverse((at, number)) = *self.expiring.peek()?;
        if at > now {
            return None;
        }
        let expired = self.take(number);
        debug_assert!(expired.is_some(), "the first deadline is of a message that is here");
        expired
    }

    /// Takes back a message that is older than all that wait, but where a repair of the store has lost
    /// that an even older one was sent. It has been sent once: a newer one of its topic does not
    /// replace it.
    pub(super) fn take_back(&mut self, kept: Kept) {
        self.count(&kept);
        let at = match self.front() {
            Some(first) if first.pending.number < kept.pending.number => {
                self.entries.partition_point(|(number, _)| *number < kept.pending.number)
            }
            _ => 0,
        };
        self.entries.insert(at, (kept.pending.number, Some(kept)));
    }

    pub(super) fn pop_front(&mut self) -> Option<Kept> {
        let (_, kept) = self.entries.pop_front()?;
        self.close_gaps();
        let kept = kept?;
        self.forget(&kept);
        Some(kept)
    }

    /// Takes out those of QoS 0, the oldest first.
    pub(super) fn take_qos0(&mut self) -> Vec<Kept> {
        let qos0 = |kept: &&Kept| kept.pending.qos == QoS::AtMostOnce;
        let numbers = self.entries.iter().filter_map(|(_, kept)| kept.as_ref()).filter(qos0);
        let numbers: Vec<u64> = numbers.map(|kept| kept.pending.number).collect();
        numbers.into_iter().filter_map(|number| self.take(number)).collect()
    }

    /// Takes out the message that a newer one of this topic replaces.
    pub(super) fn take_replaced(&mut self, topic: &[u8]) -> Option<Kept> {
        let number = *self.latest.as_ref()?.get(topic)?;
        self.take(number)
    }

    /// Takes a message out of the middle.
    fn take(&mut self, number: u64) -> Option<Kept> {
        let index = self.index(number)?;
        let kept = self.entries[index].1.take()?;
        self.gaps += 1;
        self.close_gaps();
        self.forget(&kept);
        Some(kept)
    }

    /// A message is gone.
    fn forget(&mut self, kept: &Kept) {
        self.weight -= kept.packet.weight();
        if kept.pending.qos != QoS::AtMostOnce {
            self.lasting.0 -= 1;
            self.lasting.1 -= kept.packet.weight();
        }
        if let Some(latest) = &mut self.latest
            && latest.get(kept.packet.topic()) == Some(&kept.pending.number)
        {
            latest.remove(kept.packet.topic());
        }
        while let Some(deadline) = self.expiring.peek()
            && !self.holds(deadline)
        {
            self.expiring.pop();
        }
        if self.expiring.len() > 2 * self.len() + FEW {
            let mut expiring = std::mem::take(&mut self.expiring);
            expiring.retain(|deadline| self.holds(deadline));
            self.expiring = expiring;
        }
    }

    /// Whether this deadline is that of a message that is here. One that was sent and came back has
    /// none any more.
    fn holds(&self, &Reverse((at, number)): &Reverse<(Instant, u64)>) -> bool {
        let kept = self.index(number).and_then(|index| self.entries[index].1.as_ref());
        kept.is_some_and(|kept| kept.packet.gives_up_at() == Some(at))
    }

    /// Gaps at the front go at once, the others when they are more than the messages: each costs a
    /// constant time, and the queue is never more than twice as long as it has to be.
    fn close_gaps(&mut self) {
        while let Some((_, None)) = self.entries.front() {
            self.entries.pop_front();
            self.gaps -= 1;
        }
        if self.gaps > self.entries.len() / 2 {
            self.entries.retain(|(_, kept)| kept.is_some());
            self.gaps = 0;
        }
    }

    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to(16);
        self.expiring.shrink_to(16);
    }
}
