//! Packet identifiers: which are in use, and for what.

use std::{collections::VecDeque, num::NonZeroU32};

use crate::protocol::PacketId;

/// What a packet id of ours stands for until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A message in flight, by its key.
    Message(usize),
    /// A SUBSCRIBE or UNSUBSCRIBE, by its key.
    Request(usize),
    /// A message of QoS 2 that was given up: the broker may still wait for its release, and would
    /// take the next message under this id for a repetition [MQTT-4.3.3-2].
    Retired,
}

/// The most identifiers that are retired at a time: the oldest is used again before the others run
/// out. A broker that still waits for so many releases has other troubles.
const RETIRED: usize = 1024;

/// So many identifiers stand in one page of the table.
const PAGE: usize = 256;

/// What each identifier is in use for, in pages that are there only where one is. Identifiers are
/// taken in ascending order, so those in use lie side by side.
#[derive(Debug, Default)]
struct Table {
    pages: Vec<Option<Box<Page>>>,
    used: usize,
}

#[derive(Debug)]
struct Page {
    uses: [Option<Packed>; PAGE],
    used: usize,
}

/// A [`Use`] in four bytes. A key takes its upper 30 bits: each stands for a message or a request in
/// flight, of which there are at most 65,535.
#[derive(Clone, Copy, Debug)]
struct Packed(NonZeroU32);

impl Packed {
    fn new(use_for: Use) -> Self {
        let (kind, key) = match use_for {
            Use::Message(key) => (1, key),
            Use::Request(key) => (2, key),
            Use::Retired => (3, 0),
        };
        debug_assert!(key < 1 << 30);
        Self(NonZeroU32::new((key as u32) << 2 | kind).expect("no kind is 0"))
    }

    fn unpack(self) -> Use {
        let key = (self.0.get() >> 2) as usize;
        match self.0.get() & 3 {
            1 => Use::Message(key),
            2 => Use::Request(key),
            _ => Use::Retired,
        }
    }
}

/// Page and place.
fn place(id: PacketId) -> (usize, usize) {
    let id = usize::from(id.get());
    (id / PAGE, id % PAGE)
}

impl Table {
    #[inline]
    fn get(&self, id: PacketId) -> Option<Use> {
        let (page, place) = place(id);
        self.pages.get(page)?.as_ref()?.uses[place].map(Packed::unpack)
    }

    fn insert(&mut self, id: PacketId, use_for: Use) {
        let (page, place) = place(id);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let page =
            self.pages[page].get_or_insert_with(|| Box::new(Page { uses: [None; PAGE], used: 0 }));
        if page.uses[place].replace(Packed::new(use_for)).is_none() {
            page.used += 1;
            self.used += 1;
        }
    }

    fn remove(&mut self, id: PacketId) -> Option<Use> {
        let (number, place) = place(id);
        let slot = self.pages.get_mut(number)?;
        let page = slot.as_mut()?;
        let gone = page.uses[place].take()?;
        page.used -= 1;
        self.used -= 1;
        if page.used == 0 && place == PAGE - 1 {
            // The count has gone past it.
            *slot = None;
        }
        Some(gone.unpack())
    }

    fn shrink(&mut self) {
        for page in &mut self.pages {
            page.take_if(|page| page.used == 0);
        }
        if self.used == 0 {
            self.pages = Vec::new();
        }
    }
}

/// The identifiers of one session, shared by PUBLISH, SUBSCRIBE and UNSUBSCRIBE [MQTT-2.2.1-2].
///
/// They ascend from 1 and start over after 65,535; one that is in use is passed over, however
/// often the count has gone round [MQTT-2.2.1-3].
#[derive(Debug, Default)]
pub(super) struct PacketIds {
    table: Table,
    last: u16,
    /// Those that are retired, the oldest first.
    retired: VecDeque<PacketId>,
}

impl PacketIds {
    /// Takes the next free identifier; none is left when 65,535 are in use.
    pub(super) fn allocate(&mut self, use_for: Use) -> Option<PacketId> {
        if self.table.used == usize::from(u16::MAX) {
            return None;
        }
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            let id = PacketId::new(self.last).expect("1 to 65,535");
            if self.table.get(id).is_none() {
                self.table.insert(id, use_for);
                return Some(id);
            }
        }
    }

    #[inline]
    pub(super) fn get(&self, id: PacketId) -> Option<Use> {
        self.table.get(id)
    }

    pub(super) fn release(&mut self, id: PacketId) {
        if self.table.remove(id) == Some(Use::Retired) {
            self.retired.retain(|&retired| retired != id);
        }
    }

    /// Says what this identifier is in use for: one that an earlier process gave away, or whose message
    /// has another key now.
    pub(super) fn assign(&mut self, id: PacketId, use_for: Use) {
        self.table.insert(id, use_for);
    }

    /// Keeps an identifier from being used again as long as the broker keeps the session. The answer
    /// is one that may be used again for it, because too many are retired.
    pub(super) fn retire(&mut self, id: PacketId) -> Option<PacketId> {
        self.table.insert(id, Use::Retired);
        self.retired.push_back(id);
        if self.retired.len() <= RETIRED {
            return None;
        }
        let oldest = self.retired.pop_front()?;
        self.table.remove(oldest);
        Some(oldest)
    }

    /// The broker's session is gone, and with it what it knew of retired identifiers.
    pub(super) fn release_retired(&mut self) {
        for id in std::mem::take(&mut self.retired) {
            self.table.remove(id);
        }
    }

    pub(super) fn shrink(&mut self) {
        self.table.shrink();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_in_use_is_passed_over_after_the_count_went_round() {
        let mut ids = PacketIds::default();
        let stuck = ids.allocate(Use::Message(0)).unwrap();
        assert_eq!(stuck.get(), 1);
        for _ in 0..3 {
            for expected in 2..=u16::MAX {
                let id = ids.allocate(Use::Message(1)).unwrap();
                assert_eq!(id.get(), expected);
                ids.release(id);
            }
        }
    }

    #[test]
    fn memory_follows_what_is_in_use() {
        let mut ids = PacketIds::default();
        let kept = ids.allocate(Use::Request(7)).unwrap();
        for _ in 0..100_000 {
            let id = ids.allocate(Use::Message(1)).unwrap();
            ids.release(id);
            let pages = ids.table.pages.iter().flatten().count();
            assert!(pages <= 3, "{pages} pages for two identifiers");
        }
        assert_eq!(ids.get(kept), Some(Use::Request(7)));
        ids.release(kept);
        ids.shrink();
        assert!(ids.table.pages.is_empty());
    }

    #[test]
    fn all_identifiers_can_be_in_use_and_none_is_given_twice() {
        let mut ids = PacketIds::default();
        let mut seen = std::collections::HashSet::new();
        while let Some(id) = ids.allocate(Use::Request(0)) {
            assert!(seen.insert(id));
        }
        assert_eq!(seen.len(), 65_535);
        ids.release(PacketId::new(777).unwrap());
        assert_eq!(ids.allocate(Use::Request(0)).unwrap().get(), 777);
    }
}
