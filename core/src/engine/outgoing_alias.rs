//! Topic aliases that this side sets (MQTT 5.0, 3.3.2.3.4).

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use rustc_hash::FxHasher;

/// What an alias costs in a packet: a topic that is not longer than that is never abbreviated.
const COST: usize = 3;

/// A longer topic gives its memory back when its alias is given to another one.
const KEPT: usize = 256;

/// The index of no entry.
const NONE: u16 = u16::MAX;

/// How the topic of a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As it is.
    Plain,
    /// With an alias that stands for it from then on.
    Introduced(u16),
    /// As the alias that stands for it.
    Abbreviated(u16),
}

impl Spelling {
    /// 0 without an alias.
    #[inline]
    pub(super) fn alias(self) -> u16 {
        match self {
            Self::Plain => 0,
            Self::Introduced(alias) | Self::Abbreviated(alias) => alias,
        }
    }

    /// The topic as it stands in the packet.
    #[inline]
    pub(super) fn of(self, topic: &str) -> &str {
        if let Self::Abbreviated(_) = self { "" } else { topic }
    }
}

/// The topics behind the aliases that the broker has been told on this connection; they end with it
/// [MQTT-3.3.2-7]. The topic that was not used for the longest time gives its alias to a new one.
///
/// It changes only with what is encoded, and what is encoded leaves in that order: an alias never
/// stands in front of the packet that introduced it.
pub(super) struct OutgoingAliases {
    limit: u16,
    /// The highest alias in use on this connection: ours and the broker's limit allow it. Without
    /// aliases, and so before 5.0, 0.
    maximum: u16,
    /// The entry of alias `n` stands at `n - 1`.
    entries: Vec<Entry>,
    by_hash: HashMap<u64, u16, BuildHasherDefault<Hashed>>,
    /// The ends of the list from the entry that was used last to the one that was used first.
    newest: u16,
    oldest: u16,
}

struct Entry {
    topic: Vec<u8>,
    hash: u64,
    newer: u16,
    older: u16,
}

impl OutgoingAliases {
    /// `limit` is that of the session.
    pub(super) fn new(limit: u16) -> Self {
        Self {
            limit,
            maximum: 0,
            entries: Vec::new(),
            by_hash: HashMap::default(),
            newest: NONE,
            oldest: NONE,
        }
    }

    /// A connection begins whose broker takes aliases up to `maximum`, or one has ended.
    pub(super) fn reset(&mut self, maximum: u16) {
        *self = Self { maximum: self.limit.min(maximum), ..Self::new(self.limit) };
    }

    /// How a topic is to be written next.
    #[inline]
    pub(super) fn spell(&mut self, topic: &[u8]) -> Spelling {
        if self.maximum == 0 || topic.len() <= COST {
            return Spelling::Plain;
        }
        match self.entries.get(usize::from(self.newest)) {
            Some(newest) if newest.topic == topic => Spelling::Abbreviated(self.newest + 1),
            _ => self.look_up(topic),
        }
    }

    fn look_up(&mut self, topic: &[u8]) -> Spelling {
        if let Some(&index) = self.by_hash.get(&hash(topic))
            && self.entries[usize::from(index)].topic == topic
        {
            self.use_now(index);
            return Spelling::Abbreviated(index + 1);
        }
        let free = self.entries.len() < usize::from(self.maximum);
        Spelling::Introduced(if free { self.entries.len() as u16 } else { self.oldest } + 1)
    }

    /// A packet has been encoded that sets an alias, which the program may have chosen.
    pub(super) fn set(&mut self, alias: u16, topic: &[u8]) {
        // One that is never given to another topic need not be known.
        if alias == 0 || alias > self.maximum {
            return;
        }
        let index = alias - 1;
        while self.entries.len() <= usize::from(index) {
            self.add();
        }
        let entry = &mut self.entries[usize::from(index)];
        if self.by_hash.get(&entry.hash) == Some(&index) {
            self.by_hash.remove(&entry.hash);
        }
        entry.topic.clear();
        if topic.len() <= KEPT {
            entry.topic.shrink_to(KEPT);
        }
        entry.topic.extend_from_slice(topic);
        entry.hash = hash(topic);
        self.by_hash.insert(entry.hash, index);
        self.use_now(index);
    }

    /// Adds an entry without a topic, the first to be used.
    fn add(&mut self) {
        let index = self.entries.len() as u16;
        self.entries.push(Entry { topic: Vec::new(), hash: 0, newer: self.oldest, older: NONE });
        match self.entries.get_mut(usize::from(self.oldest)) {
            Some(oldest) => oldest.older = index,
            None => self.newest = index,
        }
        self.oldest = index;
    }

    /// Moves an entry to the front of the list.
    fn use_now(&mut self, index: u16) {
        if self.newest == index {
            return;
        }
        let Entry { newer, older, .. } = self.entries[usize::from(index)];
        self.entries[usize::from(newer)].older = older;
        match self.entries.get_mut(usize::from(older)) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
        self.entries[usize::from(self.newest)].newer = index;
        let entry = &mut self.entries[usize::from(index)];
        (entry.newer, entry.older) = (NONE, self.newest);
        self.newest = index;
    }
}

/// The hash of a key that is one already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("the key is a number");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

fn hash(topic: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(topic);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The alias and whether the topic goes with it, for each of these topics in turn.
    fn spelled(aliases: &mut OutgoingAliases, topics: &[&str]) -> Vec<(u16, bool)> {
        let mut spelled = Vec::new();
        for topic in topics {
            let spelling = aliases.spell(topic.as_bytes());
            if let Spelling::Introduced(alias) = spelling {
                aliases.set(alias, topic.as_bytes());
            }
            spelled.push((spelling.alias(), spelling.of(topic) == *topic));
        }
        spelled
    }

    fn table(limit: u16, maximum: u16) -> OutgoingAliases {
        let mut aliases = OutgoingAliases::new(limit);
        aliases.reset(maximum);
        aliases
    }

    #[test]
    fn the_topic_not_used_for_the_longest_time_gives_its_alias_away() {
        let mut aliases = table(2, 9);
        let topics = ["aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb", "cccc", "cccc"];
        let expected = [
            (1, true),
            (2, true),
            (1, false),
            (2, true),
            (1, false),
            (2, true),
            (1, true),
            (1, false),
        ];
        assert_eq!(spelled(&mut aliases, &topics), expected);
        aliases.reset(9);
        assert_eq!(spelled(&mut aliases, &["cccc"]), [(1, true)], "no memory of the last time");
    }

    #[test]
    fn what_saves_nothing_is_not_abbreviated() {
        assert_eq!(spelled(&mut table(2, 2), &["aaa", "aaa"]), [(0, true); 2]);
        for (limit, maximum) in [(0, 2), (2, 0)] {
            assert_eq!(spelled(&mut table(limit, maximum), &["aaaa", "aaaa"]), [(0, true); 2]);
        }
    }

    #[test]
    fn an_alias_that_the_program_sets_is_that_of_its_topic() {
        let mut aliases = table(4, 4);
        spelled(&mut aliases, &["aaaa"]);
        aliases.set(3, b"bbbb");
        aliases.set(1, b"cccc");
        aliases.set(9, b"dddd");
        let topics = ["bbbb", "cccc", "aaaa", "dddd"];
        assert_eq!(spelled(&mut aliases, &topics), [(3, false), (1, false), (4, true), (2, true)]);
        // Two aliases for one topic: the later one counts, and the other is given away first.
        aliases.set(4, b"dddd");
        assert_eq!(spelled(&mut aliases, &["dddd", "eeee"]), [(4, false), (3, true)]);
    }

    #[test]
    fn the_list_holds_every_entry_once_in_the_order_of_use() {
        let mut aliases = table(7, 7);
        let mut order: Vec<u16> = Vec::new();
        for step in 0..1000_u32 {
            let topic = format!("topic {}", step.wrapping_mul(2_654_435_761) >> 28);
            let alias = match aliases.spell(topic.as_bytes()) {
                Spelling::Introduced(alias) => {
                    aliases.set(alias, topic.as_bytes());
                    alias
                }
                other => other.alias(),
            };
            order.retain(|&other| other != alias);
            order.push(alias);
            let mut listed = Vec::new();
            let mut index = aliases.oldest;
            while index != NONE {
                listed.push(index + 1);
                index = aliases.entries[usize::from(index)].newer;
            }
            assert_eq!(listed, order, "step {step}");
            assert_eq!(aliases.by_hash.len(), order.len());
        }
    }
}
