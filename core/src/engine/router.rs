//! From a topic to the subscriptions that want it.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::Arc,
};

use rustc_hash::FxHasher;

use crate::protocol::topic;

/// The key of a subscription's handler, never used twice in a session.
pub type RouteId = u64;

/// The topic of a message and the subscriptions whose filters match it.
#[derive(Debug)]
pub struct Match {
    /// The topic.
    pub topic: Box<str>,
    /// In the order in which they were subscribed.
    pub routes: Box<[Route]>,
}

/// One subscription as the router knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Its key.
    pub id: RouteId,
    /// The subscription identifier that the broker returns with its messages (5.0).
    pub identifier: Option<u32>,
}

/// How many matches are remembered: the topics of a busy session repeat, and a remembered one
/// costs a hash and a comparison whatever the number of subscriptions.
const REMEMBERED: usize = 256;

/// A tree of filter levels, with a memory of the latest matches before it.
#[derive(Debug, Default)]
pub(super) struct Router {
    root: Level,
    last: Option<Arc<Match>>,
    remembered: Vec<Option<Arc<Match>>>,
}

/// The filters that agree up to here. `#` also matches the level above it, so its routes stand
/// with that level.
#[derive(Debug, Default)]
struct Level {
    next: HashMap<Box<str>, Level, BuildHasherDefault<FxHasher>>,
    any: Option<Box<Level>>,
    rest: Vec<Route>,
    here: Vec<Route>,
}

impl Router {
    /// Adds a filter, without its `$share/…/` part.
    pub(super) fn add(&mut self, filter: &str, route: Route) {
        self.forget();
        let filter = plain(filter);
        let mut level = &mut self.root;
        for name in filter.split('/') {
            level = match name {
                "#" => return level.rest.push(route),
                "+" => level.any.get_or_insert_default(),
                _ => level.next.entry(name.into()).or_default(),
            };
        }
        level.here.push(route);
    }

    /// Takes a filter out again.
    pub(super) fn remove(&mut self, filter: &str, id: RouteId) {
        self.forget();
        self.root.remove(plain(filter), id);
    }

    /// The subscriptions that want a topic. `check` says whether a topic that is not remembered is
    /// a legal one; one that is has been checked before.
    #[inline]
    pub(super) fn find<E>(
        &mut self,
        topic: &[u8],
        check: impl FnOnce(&[u8]) -> Result<&str, E>,
    ) -> Result<Arc<Match>, E> {
        if let Some(last) = &self.last
            && last.topic.as_bytes() == topic
        {
            return Ok(last.clone());
        }
        self.find_other(topic, check)
    }

    fn find_other<E>(
        &mut self,
        topic: &[u8],
        check: impl FnOnce(&[u8]) -> Result<&str, E>,
    ) -> Result<Arc<Match>, E> {
        if self.remembered.is_empty() {
            self.remembered.resize(REMEMBERED, None);
        }
        let mut hasher = FxHasher::default();
        topic.hash(&mut hasher);
        let slot = hasher.finish() as usize % REMEMBERED;
        if let Some(found) = &self.remembered[slot]
            && found.topic.as_bytes() == topic
        {
            let found = found.clone();
            self.last = Some(found.clone());
            return Ok(found);
        }
        let topic = check(topic)?;
        let mut routes = Vec::new();
        // Wildcards do not match the first level of a topic that starts with `$` [MQTT-4.7.2-1].
        self.root.collect(topic, !topic.starts_with('$'), &mut routes);
        routes.sort_unstable();
        // Filters that were subscribed together share a route, and its handler is called once.
        routes.dedup();
        let found = Arc::new(Match { topic: topic.into(), routes: routes.into() });
        self.remembered[slot] = Some(found.clone());
        self.last = Some(found.clone());
        Ok(found)
    }

    fn forget(&mut self) {
        self.last = None;
        self.remembered = Vec::new();
    }
}

impl Level {
    fn collect(&self, rest: &str, wildcards: bool, into: &mut Vec<Route>) {
        if wildcards {
            into.extend_from_slice(&self.rest);
        }
        let (name, deeper) = match rest.split_once('/') {
            Some((name, deeper)) => (name, Some(deeper)),
            None => (rest, None),
        };
        let literal = self.next.get(name);
        let any = self.any.as_deref().filter(|_| wildcards);
        for level in literal.into_iter().chain(any) {
            match deeper {
                Some(deeper) => level.collect(deeper, true, into),
                None => {
                    into.extend_from_slice(&level.here);
                    // `sport/#` also matches `sport` [MQTT-4.7.1-2].
                    into.extend_from_slice(&level.rest);
                }
            }
        }
    }

    fn remove(&mut self, filter: &str, id: RouteId) {
        let (name, deeper) = match filter.split_once('/') {
            Some((name, deeper)) => (name, Some(deeper)),
            None => (filter, None),
        };
        if name == "#" {
            return self.rest.retain(|route| route.id != id);
        }
        let Some(level) = (match name {
            "+" => self.any.as_deref_mut(),
            _ => self.next.get_mut(name),
        }) else {
            return;
        };
        match deeper {
            Some(deeper) => level.remove(deeper, id),
            None => level.here.retain(|route| route.id != id),
        }
        if level.is_empty() {
            match name {
                "+" => self.any = None,
                _ => drop(self.next.remove(name)),
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.next.is_empty() && self.any.is_none() && self.rest.is_empty() && self.here.is_empty()
    }
}

fn plain(filter: &str) -> &str {
    topic::share_filter(filter).map_or(filter, |(_, inner)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(router: &mut Router, topic: &str) -> Vec<RouteId> {
        let found = router.find(topic.as_bytes(), std::str::from_utf8).unwrap();
        found.routes.iter().map(|route| route.id).collect()
    }

    #[test]
    fn agrees_with_the_definition_of_a_match() {
        let filters = [
            "a",
            "a/b",
            "a/+",
            "+/b",
            "+/+",
            "#",
            "a/#",
            "a/b/#",
            "+",
            "/",
            "+/",
            "/+",
            "a//b",
            "$SYS/#",
            "$SYS/+",
            "$share/g/a/+",
            "a/+/c",
            "+/+/+",
            "//",
        ];
        let topics =
            ["a", "a/b", "b", "a/b/c", "/", "//", "a//b", "$SYS", "$SYS/x", "$SYS/x/y", "/a", "a/"];
        let mut router = Router::default();
        for (id, filter) in filters.iter().enumerate() {
            router.add(filter, Route { id: id as u64, identifier: None });
        }
        for round in 0..2 {
            for topic in topics {
                let expected: Vec<_> = (0..filters.len())
                    .filter(|&id| topic::matches(plain(filters[id]), topic))
                    .map(|id| id as u64)
                    .collect();
                assert_eq!(found(&mut router, topic), expected, "{topic} in round {round}");
            }
        }
    }

    #[test]
    fn a_removed_filter_leaves_nothing_behind() {
        let mut router = Router::default();
        let filters = ["a/b/c", "a/+/#", "+/+", "#"];
        for (id, filter) in filters.iter().enumerate() {
            router.add(filter, Route { id: id as u64, identifier: None });
        }
        for (id, filter) in filters.iter().enumerate() {
            router.remove(filter, id as u64);
            router.remove(filter, id as u64);
        }
        assert!(router.root.is_empty());
        assert_eq!(found(&mut router, "a/b/c"), Vec::<u64>::new());
    }
}
