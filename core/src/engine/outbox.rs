//! What waits to be written: the output that is being encoded, and in front of it those that the
//! store holds up.
//!
//! ```text
//!   leaves first                                       encoded last
//!   held (batch 7) ─ held (batch 8) ─ ... ─ held (batch 9) ─ open
//! ```
//!
//! An output leaves when the last batch of records that it depends on has been stored, and nothing
//! overtakes it. When a batch is taken for the disk, what has been encoded so far is sealed: else what
//! comes next, and follows from a later batch, would hold it up, too.

use std::collections::VecDeque;

use super::{Output, journal::Journal, output::Numbers};
use crate::seldom::Seldom;

/// So many buffers are kept for the next outputs that are held: a session whose disk is slower than
/// its program has one on its way to the disk, and one behind it.
const SPARE: usize = 2;

/// The outputs of a session.
#[derive(Default)]
pub(super) struct Outbox {
    /// Where packets are encoded.
    pub(super) open: Output,
    held: Seldom<Held>,
}

/// What the store holds up, where there is one.
#[derive(Default)]
struct Held {
    outputs: VecDeque<Output>,
    /// Their bytes, with and without large payloads.
    length: usize,
    encoded: usize,
    /// The messages of QoS 0 in outputs that are not there any more and were not written.
    withheld: Vec<Numbers>,
    spare: Vec<Output>,
}

impl Held {
    /// Counts one that comes.
    fn count(&mut self, output: &Output) {
        self.length += output.len();
        self.encoded += output.encoded_len();
    }

    /// Counts one that goes.
    fn discount(&mut self, output: &Output) {
        self.length -= output.len();
        self.encoded -= output.encoded_len();
    }
}

impl Outbox {
    /// The bytes of all.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.held.get().map_or(0, |held| held.length) + self.open.len()
    }

    /// The bytes of all, without the large payloads.
    pub(super) fn encoded_len(&self) -> usize {
        self.held.get().map_or(0, |held| held.encoded) + self.open.encoded_len()
    }

    /// Whether the store holds something up.
    #[inline]
    fn is_held_up(&self) -> bool {
        self.held.get().is_some_and(|held| !held.outputs.is_empty())
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that may leave now.
    #[inline]
    pub(super) fn leaving_len(&self, journal: &Journal) -> usize {
        let may_leave = |output: &&Output| journal.has_stored(output.gate());
        let Some(held) = self.held.get() else {
            return Some(&self.open).filter(may_leave).map_or(0, Output::len);
        };
        held.outputs.iter().chain([&self.open]).take_while(may_leave).map(Output::len).sum()
    }

    /// The messages of QoS 0 in each of them.
    pub(super) fn qos0(&self) -> impl Iterator<Item = &Numbers> {
        let held = self.held.get();
        let outputs = held.into_iter().flat_map(|held| &held.outputs).chain([&self.open]);
        outputs.map(|output| &output.qos0).chain(held.into_iter().flat_map(|held| &held.withheld))
    }

    /// Takes them out, because they will not be written.
    pub(super) fn take_qos0(&mut self) -> Vec<Numbers> {
        let mut taken = Vec::new();
        let mut withheld = Vec::new();
        if let Some(held) = self.held.get_mut() {
            taken.extend(held.outputs.iter_mut().map(|output| std::mem::take(&mut output.qos0)));
            withheld = std::mem::take(&mut held.withheld);
        }
        taken.push(std::mem::take(&mut self.open.qos0));
        taken.extend(withheld);
        taken
    }

    /// Seals what has been encoded, if it has to wait for the store: what comes next does not hold it
    /// up.
    #[inline]
    pub(super) fn seal(&mut self, journal: &Journal) {
        if self.open.is_empty() || journal.has_stored(self.open.gate()) {
            return;
        }
        let held = self.held.make();
        let fresh = held.spare.pop().unwrap_or_default();
        let sealed = std::mem::replace(&mut self.open, fresh);
        held.count(&sealed);
        held.outputs.push_back(sealed);
    }

    /// The output into which goes what need not wait for the store, nor for what does: at the very
    /// front.
    pub(super) fn overtaking(&mut self, encode: impl FnOnce(&mut Output), journal: &Journal) {
        if !self.is_held_up() && journal.has_stored(self.open.gate()) {
            return encode(&mut self.open);
        }
        let held = self.held.make();
        let mut first = held.spare.pop().unwrap_or_default();
        encode(&mut first);
        held.count(&first);
        held.outputs.push_front(first);
    }

    /// Forgets what the store still holds up, and what is behind it: on this connection it leaves no
    /// more.
    pub(super) fn withhold(&mut self, journal: &Journal) {
        let open_leaves = journal.has_stored(self.open.gate());
        if open_leaves && !self.is_held_up() {
            return;
        }
        let held = self.held.make();
        let leaves = held.outputs.iter().take_while(|it| journal.has_stored(it.gate())).count();
        if leaves == held.outputs.len() && open_leaves {
            return;
        }
        for output in held.outputs.split_off(leaves) {
            held.discount(&output);
            held.withheld.push(output.qos0);
        }
        held.withheld.push(std::mem::take(&mut self.open).qos0);
    }

    /// Takes the next output that may leave, into an empty `spare`.
    #[inline]
    pub(super) fn take(&mut self, spare: &mut Output, journal: &Journal) {
        if self.is_held_up() {
            return self.take_held(spare, journal);
        }
        if !self.open.is_empty() && journal.has_stored(self.open.gate()) {
            std::mem::swap(&mut self.open, spare);
        }
    }

    #[cold]
    fn take_held(&mut self, spare: &mut Output, journal: &Journal) {
        let held = self.held.make();
        if let Some(first) = held.outputs.pop_front_if(|first| journal.has_stored(first.gate())) {
            held.discount(&first);
            let unused = std::mem::replace(spare, first);
            if held.spare.len() < SPARE {
                held.spare.push(unused);
            }
        }
    }

    /// Forgets all and gives the memory back.
    pub(super) fn clear(&mut self) {
        self.open.clear(0);
        drop(self.held.take());
    }
}
