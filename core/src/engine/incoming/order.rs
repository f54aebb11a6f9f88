//! The order in which acknowledgements leave, and whether they stand still.

use std::collections::VecDeque;

use super::Incoming;

/// The messages of one kind of acknowledgement.
#[derive(Default)]
pub(super) struct Order {
    /// Keys in the order of arrival on this connection.
    keys: VecDeque<usize>,
    /// How many of them have been handled, and wait for those before them.
    held: usize,
    /// Acknowledgements have left since the last look.
    moved: bool,
    /// This standstill has been reported.
    told: bool,
}

impl Order {
    /// Adds one that has arrived.
    pub(super) fn push(&mut self, key: usize, handled: bool) {
        self.keys.push_back(key);
        self.held += usize::from(handled);
    }

    /// One of them has been handled; whether it is the first.
    pub(super) fn handled(&mut self, key: usize) -> bool {
        self.held += 1;
        self.keys.front() == Some(&key)
    }

    pub(super) fn first(&self) -> Option<usize> {
        self.keys.front().copied()
    }

    /// The acknowledgement of the first one leaves.
    pub(super) fn pop(&mut self) {
        self.keys.pop_front();
        self.held -= 1;
        self.moved = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.held = 0;
    }

    pub(super) fn shrink(&mut self) {
        self.keys.shrink_to(4);
    }
}

impl Incoming {
    /// How many have been handled and wait for the acknowledgement of an earlier one.
    pub(in crate::engine) fn held_back(&self) -> usize {
        self.order.iter().map(|order| order.held).sum()
    }

    /// Begins to watch whether acknowledgements stand still.
    pub(in crate::engine) fn watch_order(&mut self) {
        for order in &mut self.order {
            (order.moved, order.told) = (false, false);
        }
    }

    /// A look at what has moved since the last one; how many are held back, once for each standstill.
    pub(in crate::engine) fn look_at_order(&mut self) -> Option<usize> {
        let mut held = 0;
        for order in &mut self.order {
            order.told &= !order.moved;
            if !std::mem::take(&mut order.moved) && order.held > 0 && !order.told {
                order.told = true;
                held += order.held;
            }
        }
        (held > 0).then_some(held)
    }

    /// Whether anything waits to be acknowledged on this connection.
    pub(in crate::engine) fn is_waiting(&self) -> bool {
        self.order.iter().any(|order| !order.is_empty())
    }
}
