//! The matches of the topics that were looked up last: the topics of a busy session repeat, and one that is
//! remembered costs a hash and a comparison whatever the number of subscriptions.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use rustc_hash::FxHasher;

use super::router::Match;

/// The places of a topic: no more than a cache line, which one look takes in.
const WAYS: usize = 4;

/// So many sets at least that a hundred topics which come again and again hardly ever displace one
/// another.
const LEAST_SETS: usize = 128;

/// At most 262,144 topics are remembered.
const MOST_SETS: usize = 65_536;

#[derive(Clone, Debug, Default)]
struct Place {
    /// The half of the hash that does not say which set.
    tag: u32,
    found: Option<Arc<Match>>,
}

/// Where a topic would be.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    /// The half of the hash that says which set.
    set: u32,
    tag: u32,
}

/// Empty until the first topic comes.
#[derive(Debug)]
pub(super) struct Recent {
    sets: Vec<[Place; WAYS]>,
    /// How many there are once a topic has come: a power of two.
    count: usize,
    /// Where the next one goes in a set that is full.
    turn: usize,
}

impl Recent {
    /// Room for the topics of so many filters: twice as many, so that they seldom displace one another
    /// where each filter has one.
    pub(super) fn new(filters: usize) -> Self {
        let count = (2 * filters).div_ceil(WAYS).next_power_of_two();
        Self { sets: Vec::new(), count: count.clamp(LEAST_SETS, MOST_SETS), turn: 0 }
    }

    pub(super) fn spot(topic: &[u8]) -> Spot {
        let mut hasher = FxHasher::default();
        topic.hash(&mut hasher);
        let hash = hasher.finish();
        Spot { set: hash as u32, tag: (hash >> 32) as u32 }
    }

    #[inline]
    pub(super) fn get(&self, topic: &[u8], spot: Spot) -> Option<&Arc<Match>> {
        let is_it = |found: &&Arc<Match>| found.topic.as_bytes() == topic;
        let tagged = self.sets.get(self.set(spot))?.iter().filter(|place| place.tag == spot.tag);
        tagged.filter_map(|place| place.found.as_ref()).find(is_it)
    }

    fn set(&self, spot: Spot) -> usize {
        spot.set as usize & (self.count - 1)
    }

    /// Remembers one that is not there.
    pub(super) fn put(&mut self, spot: Spot, found: Arc<Match>) {
        if self.sets.is_empty() {
            self.sets.resize_with(self.count, Default::default);
        }
        self.turn = (self.turn + 1) % WAYS;
        let at = self.set(spot);
        let set = &mut self.sets[at];
        let way = set.iter().position(|place| place.found.is_none()).unwrap_or(self.turn);
        set[way] = Place { tag: spot.tag, found: Some(found) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(topic: &str) -> Arc<Match> {
        Arc::new(Match { topic: topic.into(), routes: Box::default(), whole: None })
    }

    #[test]
    fn a_hundred_topics_stay_and_thousands_take_no_more_room() {
        let mut recent = Recent::new(1);
        let topics: Vec<String> = (0..100).map(|number| format!("a/{number}/b")).collect();
        let mut misses = [0, 0];
        for round in &mut misses {
            for topic in &topics {
                let spot = Recent::spot(topic.as_bytes());
                match recent.get(topic.as_bytes(), spot) {
                    Some(found) => assert_eq!(*found.topic, **topic),
                    None => {
                        *round += 1;
                        recent.put(spot, found(topic));
                    }
                }
            }
        }
        assert_eq!(misses[0], 100);
        assert!(misses[1] <= 2, "{} came again in vain", misses[1]);
        (0..10_000).for_each(|number| {
            let topic = number.to_string();
            recent.put(Recent::spot(topic.as_bytes()), found(&topic));
        });
        assert_eq!(recent.sets.len(), LEAST_SETS);
    }

    #[test]
    fn there_is_room_for_the_topics_of_all_filters_within_reason() {
        let places = |filters| WAYS * Recent::new(filters).count;
        assert_eq!(places(0), WAYS * LEAST_SETS);
        for filters in [1_000, 10_000, 100_000] {
            assert!((2 * filters..=4 * filters).contains(&places(filters)), "{filters}");
        }
        assert_eq!(places(10_000_000), WAYS * MOST_SETS);
    }
}
