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

/// So many buffers are kept for the next outputs that are held: a session whose disk is slower than
/// its program has one on its way to the disk, and one behind it.
const SPARE: usize = 2;

/// The outputs of a session.
#[derive(Default)]
pub(super) struct Outbox {
    /// Where packets are encoded.
    pub(super) open: Output,
    held: VecDeque<Output>,
    /// The bytes of those that are held, with and without large payloads.
    held_length: usize,
    held_encoded: usize,
    /// The messages of QoS 0 in outputs that are not there any more and were not written.
    withheld: Vec<Numbers>,
    spare: Vec<Output>,
}

impl Outbox {
    /// The bytes of all.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.held_length + self.open.len()
    }

    /// The bytes of all, without the large payloads.
    pub(super) fn encoded_len(&self) -> usize {
        self.held_encoded + self.open.encoded_len()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that may leave now.
    #[inline]
    pub(super) fn leaving_len(&self, journal: &Journal) -> usize {
        let may_leave = |output: &&Output| journal.has_stored(output.gate());
        if self.held.is_empty() {
            return Some(&self.open).filter(may_leave).map_or(0, Output::len);
        }
        self.held.iter().chain([&self.open]).take_while(may_leave).map(Output::len).sum()
    }

    /// The messages of QoS 0 in each of them.
    pub(super) fn qos0(&self) -> impl Iterator<Item = &Numbers> {
        self.held.iter().chain([&self.open]).map(|output| &output.qos0).chain(&self.withheld)
    }

    /// Takes them out, because they will not be written.
    pub(super) fn take_qos0(&mut self) -> impl Iterator<Item = Numbers> {
        let all = self.held.iter_mut().chain([&mut self.open]);
        all.map(|output| std::mem::take(&mut output.qos0)).chain(self.withheld.drain(..))
    }

    /// Seals what has been encoded, if it has to wait for the store: what comes next does not hold it
    /// up.
    #[inline]
    pub(super) fn seal(&mut self, journal: &Journal) {
        if self.open.is_empty() || journal.has_stored(self.open.gate()) {
            return;
        }
        self.held_length += self.open.len();
        self.held_encoded += self.open.encoded_len();
        let fresh = self.spare.pop().unwrap_or_default();
        self.held.push_back(std::mem::replace(&mut self.open, fresh));
    }

    /// The output into which goes what need not wait for the store, nor for what does: at the very
    /// front.
    pub(super) fn overtaking(&mut self, encode: impl FnOnce(&mut Output), journal: &Journal) {
        if self.held.is_empty() && journal.has_stored(self.open.gate()) {
            return encode(&mut self.open);
        }
        let mut first = self.spare.pop().unwrap_or_default();
        encode(&mut first);
        self.held_length += first.len();
        self.held_encoded += first.encoded_len();
        self.held.push_front(first);
    }

    /// Forgets what the store still holds up, and what is behind it: on this connection it leaves no
    /// more.
    pub(super) fn withhold(&mut self, journal: &Journal) {
        let leaves =
            self.held.iter().take_while(|output| journal.has_stored(output.gate())).count();
        if leaves == self.held.len() && journal.has_stored(self.open.gate()) {
            return;
        }
        for output in self.held.drain(leaves..) {
            self.held_length -= output.len();
            self.held_encoded -= output.encoded_len();
            self.withheld.push(output.qos0);
        }
        self.withheld.push(std::mem::take(&mut self.open).qos0);
    }

    /// Takes the next output that may leave, into an empty `spare`.
    #[inline]
    pub(super) fn take(&mut self, spare: &mut Output, journal: &Journal) {
        if !self.held.is_empty() {
            return self.take_held(spare, journal);
        }
        if !self.open.is_empty() && journal.has_stored(self.open.gate()) {
            std::mem::swap(&mut self.open, spare);
        }
    }

    #[cold]
    fn take_held(&mut self, spare: &mut Output, journal: &Journal) {
        if let Some(first) = self.held.pop_front_if(|first| journal.has_stored(first.gate())) {
            self.held_length -= first.len();
            self.held_encoded -= first.encoded_len();
            let unused = std::mem::replace(spare, first);
            if self.spare.len() < SPARE {
                self.spare.push(unused);
            }
        }
    }

    /// Forgets all and gives the memory back.
    pub(super) fn clear(&mut self) {
        self.open.clear(0);
        self.held = VecDeque::new();
        (self.held_length, self.held_encoded) = (0, 0);
        (self.withheld, self.spare) = Default::default();
    }
}
