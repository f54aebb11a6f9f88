//! The matches of the topics that were looked up last: the topics of a busy session repeat, and one that is
//! remembered costs a hash and a comparison whatever the number of subscriptions.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use rustc_hash::FxHasher;

use super::router::Match;

/// The places of a topic: so many that a hundred topics which come again and again hardly ever displace
/// one another, and no more than a cache line, which one look takes in.
const WAYS: usize = 4;
const SETS: usize = 128;

#[derive(Clone, Debug, Default)]
struct Place {
    /// The half of the hash that does not say which set.
    tag: u32,
    found: Option<Arc<Match>>,
}

/// Where a topic would be.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    set: usize,
    tag: u32,
}

/// Empty until the first topic comes.
#[derive(Debug, Default)]
pub(super) struct Recent {
    sets: Vec<[Place; WAYS]>,
    /// Where the next one goes in a set that is full.
    turn: usize,
}

impl Recent {
    pub(super) fn spot(topic: &[u8]) -> Spot {
        let mut hasher = FxHasher::default();
        topic.hash(&mut hasher);
        let hash = hasher.finish();
        Spot { set: hash as usize % SETS, tag: (hash >> 32) as u32 }
    }

    #[inline]
    pub(super) fn get(&self, topic: &[u8], spot: Spot) -> Option<&Arc<Match>> {
        let is_it = |found: &&Arc<Match>| found.topic.as_bytes() == topic;
        let tagged = self.sets.get(spot.set)?.iter().filter(|place| place.tag == spot.tag);
        tagged.filter_map(|place| place.found.as_ref()).find(is_it)
    }

    /// Remembers one that is not there.
    pub(super) fn put(&mut self, spot: Spot, found: Arc<Match>) {
        if self.sets.is_empty() {
            self.sets.resize_with(SETS, Default::default);
        }
        self.turn = (self.turn + 1) % WAYS;
        let set = &mut self.sets[spot.set];
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
        let mut recent = Recent::default();
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
        assert_eq!(recent.sets.len(), SETS);
    }
}
