//! Packet identifiers: which are in use, and for what.

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasherDefault,
};

use rustc_hash::FxHasher;

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

/// The identifiers of one session, shared by PUBLISH, SUBSCRIBE and UNSUBSCRIBE [MQTT-2.2.1-2].
///
/// They ascend from 1 and start over after 65,535; one that is in use is passed over, however
/// often the count has gone round [MQTT-2.2.1-3].
#[derive(Debug, Default)]
pub(super) struct PacketIds {
    used: HashMap<PacketId, Use, BuildHasherDefault<FxHasher>>,
    last: u16,
    /// Those that are retired, the oldest first.
    retired: VecDeque<PacketId>,
}

impl PacketIds {
    /// Takes the next free identifier; none is left when 65,535 are in use.
    pub(super) fn allocate(&mut self, use_for: Use) -> Option<PacketId> {
        if self.used.len() == usize::from(u16::MAX) {
            return None;
        }
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            let id = PacketId::new(self.last).expect("1 to 65,535");
            if let std::collections::hash_map::Entry::Vacant(free) = self.used.entry(id) {
                free.insert(use_for);
                return Some(id);
            }
        }
    }

    pub(super) fn get(&self, id: PacketId) -> Option<Use> {
        self.used.get(&id).copied()
    }

    pub(super) fn release(&mut self, id: PacketId) {
        if self.used.remove(&id) == Some(Use::Retired) {
            self.retired.retain(|&retired| retired != id);
        }
    }

    /// Takes this identifier, which an earlier process gave away.
    pub(super) fn reserve(&mut self, id: PacketId, use_for: Use) {
        self.used.insert(id, use_for);
    }

    /// Keeps an identifier from being used again as long as the broker keeps the session. The answer
    /// is one that may be used again for it, because too many are retired.
    pub(super) fn retire(&mut self, id: PacketId) -> Option<PacketId> {
        self.used.insert(id, Use::Retired);
        self.retired.push_back(id);
        if self.retired.len() <= RETIRED {
            return None;
        }
        let oldest = self.retired.pop_front()?;
        self.used.remove(&oldest);
        Some(oldest)
    }

    /// The broker's session is gone, and with it what it knew of retired identifiers.
    pub(super) fn release_retired(&mut self) {
        for id in std::mem::take(&mut self.retired) {
            self.used.remove(&id);
        }
    }

    pub(super) fn shrink(&mut self) {
        self.used.shrink_to_fit();
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
