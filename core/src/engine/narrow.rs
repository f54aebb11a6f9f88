//! Which of several matching subscriptions a copy of a message is for.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use rustc_hash::FxHasher;

use super::{Match, Route};
use crate::protocol::{Properties, PropertyIdentifier};

/// How many narrowed matches are remembered: a broker that sends a copy for each of some overlapping
/// subscriptions sends the same few sets of identifiers again and again.
const REMEMBERED: usize = 64;

/// A message with more identifiers than this is narrowed each time anew.
const IDENTIFIERS: usize = 16;

/// Subscription identifiers narrow a match: a copy that the broker sent for one of several
/// overlapping subscriptions reaches the handler of that one. Identifiers that leave nobody are of an
/// earlier subscription; then the topic alone decides.
#[derive(Debug, Default)]
pub(super) struct Narrowing {
    remembered: Vec<Option<Narrowed>>,
}

/// A match as it was narrowed.
#[derive(Debug)]
struct Narrowed {
    identifiers: Box<[u32]>,
    part: Arc<Match>,
}

impl Narrowing {
    /// Nothing where the match stays as it is.
    #[inline]
    pub(super) fn narrow(
        &mut self,
        found: &Arc<Match>,
        properties: Properties<'_>,
    ) -> Option<Arc<Match>> {
        let identified = properties.contains(PropertyIdentifier::SubscriptionIdentifier);
        (identified && found.routes.len() > 1).then(|| self.choose(found, properties))
    }

    fn choose(&mut self, found: &Arc<Match>, properties: Properties<'_>) -> Arc<Match> {
        let identifiers = || properties.subscription_identifiers();
        let mut hasher = FxHasher::default();
        found.topic.hash(&mut hasher);
        identifiers().take(IDENTIFIERS).for_each(|identifier| hasher.write_u32(identifier));
        let slot = hasher.finish() as usize % REMEMBERED;
        if let Some(Some(narrowed)) = self.remembered.get(slot)
            && narrowed.part.topic == found.topic
            && identifiers().eq(narrowed.identifiers.iter().copied())
        {
            return narrowed.part.clone();
        }
        let part = part(found, &identifiers().collect::<Vec<_>>());
        if identifiers().nth(IDENTIFIERS).is_none() {
            if self.remembered.is_empty() {
                self.remembered.resize_with(REMEMBERED, || None);
            }
            let narrowed = Narrowed { identifiers: identifiers().collect(), part: part.clone() };
            self.remembered[slot] = Some(narrowed);
        }
        part
    }
}

fn part(found: &Arc<Match>, identifiers: &[u32]) -> Arc<Match> {
    let meant = |route: &&Route| {
        let known = route.identifier.filter(|_| route.confirmed);
        known.is_none_or(|identifier| identifiers.contains(&identifier))
    };
    match found.routes.iter().filter(meant).count() {
        0 => found.clone(),
        all if all == found.routes.len() => found.clone(),
        _ => {
            let routes = found.routes.iter().filter(meant).copied().collect();
            Arc::new(Match { topic: found.topic.clone(), routes, whole: Some(found.clone()) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Property, PropertyBlock};

    fn identifiers(of: impl IntoIterator<Item = u32>) -> PropertyBlock {
        let mut block = PropertyBlock::new();
        let mut push = |identifier| block.push(Property::SubscriptionIdentifier(identifier));
        of.into_iter().for_each(|identifier| push(identifier).expect("a legal identifier"));
        block
    }

    fn overlapping(count: u32) -> Arc<Match> {
        let route =
            |number| Route { id: u64::from(number), identifier: Some(number), confirmed: true };
        Arc::new(Match { topic: "a".into(), routes: (1..=count).map(route).collect(), whole: None })
    }

    #[test]
    fn what_was_narrowed_before_is_remembered() {
        let mut narrowing = Narrowing::default();
        let found = overlapping(3);
        let copies = [vec![1], vec![2], vec![3], vec![1, 3], vec![3, 1]];
        let mut narrow = |of: &Vec<u32>| {
            let block = identifiers(of.iter().copied());
            narrowing.narrow(&found, block.as_properties()).unwrap_or_else(|| found.clone())
        };
        for copy in &copies {
            let first = narrow(copy);
            let ids: Vec<u64> = first.routes.iter().map(|route| route.id).collect();
            let mut expected: Vec<u64> = copy.iter().copied().map(u64::from).collect();
            expected.sort_unstable();
            assert_eq!(ids, expected);
            assert!(Arc::ptr_eq(&first, &narrow(copy)), "{copy:?} is made anew");
            assert!(first.knew(1) && first.knew(3) && !first.knew(4));
        }
    }

    #[test]
    fn a_single_route_needs_no_look_at_the_identifiers() {
        let mut narrowing = Narrowing::default();
        for identifier in [1, 9] {
            let block = identifiers([identifier]);
            assert!(narrowing.narrow(&overlapping(1), block.as_properties()).is_none());
        }
        assert!(narrowing.remembered.is_empty());
    }

    #[test]
    fn a_message_of_very_many_identifiers_is_not_remembered() {
        let mut narrowing = Narrowing::default();
        let block = identifiers(2..100);
        let narrowed = narrowing.narrow(&overlapping(3), block.as_properties()).unwrap();
        assert_eq!(narrowed.routes.len(), 2);
        assert!(narrowing.remembered.is_empty());
    }
}
