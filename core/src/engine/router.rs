//! From a topic to the subscriptions that want it.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::BuildHasherDefault,
    sync::Arc,
};

use rustc_hash::FxHasher;

use super::{narrow::Narrowing, recent::Recent};
use crate::protocol::{Properties, topic};

/// The key of a subscription's handler, never used twice in a session.
pub type RouteId = u64;

/// The topic of a message and the subscriptions whose filters match it.
#[derive(Debug)]
pub struct Match {
    /// The topic.
    pub topic: Box<str>,
    /// In the order in which they were subscribed.
    pub routes: Box<[Route]>,
    /// All that match the topic, where subscription identifiers left some of them out.
    pub(super) whole: Option<Arc<Match>>,
}

impl Match {
    /// Whether this subscription was there and wanted the topic when the message came, be it that the
    /// broker sends it a copy of its own.
    pub fn knew(&self, id: RouteId) -> bool {
        let all = self.whole.as_ref().map_or(&self.routes, |whole| &whole.routes);
        all.iter().any(|route| route.id == id)
    }
}

/// One subscription as the router knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Its key.
    pub id: RouteId,
    /// The subscription identifier that the broker returns with its messages (5.0).
    pub identifier: Option<u32>,
    /// Whether the broker is sure to return it. While it may still know the subscription under
    /// another one, or without any, a message with other identifiers may be meant, too.
    pub(super) confirmed: bool,
}

/// A tree of filter levels, with a memory of the latest matches before it.
#[derive(Debug)]
pub(super) struct Router {
    root: Level,
    /// How many filters it holds.
    filters: usize,
    last: Option<Arc<Match>>,
    recent: Recent,
    narrowing: Narrowing,
    /// How many filters use each identifier.
    identifiers: HashMap<u32, usize, BuildHasherDefault<FxHasher>>,
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

impl Default for Router {
    fn default() -> Self {
        Self {
            root: Level::default(),
            filters: 0,
            last: None,
            recent: Recent::new(0),
            narrowing: Narrowing::default(),
            identifiers: HashMap::default(),
        }
    }
}

impl Router {
    /// Adds a filter, without its `$share/…/` part.
    pub(super) fn add(&mut self, filter: &str, route: Route) {
        self.filters += 1;
        self.forget();
        if let Some(identifier) = route.identifier {
            *self.identifiers.entry(identifier).or_default() += 1;
        }
        self.root.routes(plain(filter)).push(route);
    }

    /// Takes a filter out again.
    pub(super) fn remove(&mut self, filter: &str, id: RouteId) -> Option<Route> {
        let removed = self.root.remove(plain(filter), id)?;
        self.filters -= 1;
        self.forget();
        if let Some(identifier) = removed.identifier
            && let Entry::Occupied(mut filters) = self.identifiers.entry(identifier)
        {
            *filters.get_mut() -= 1;
            if *filters.get() == 0 {
                filters.remove();
            }
        }
        Some(removed)
    }

    /// Says whether the broker has granted a filter with its identifier.
    pub(super) fn confirm(&mut self, filter: &str, id: RouteId, confirmed: bool) {
        let routes = self.root.routes(plain(filter));
        let changed =
            routes.iter_mut().find(|route| route.id == id && route.confirmed != confirmed);
        if let Some(route) = changed {
            route.confirmed = confirmed;
            self.forget();
        }
    }

    /// Whether a filter that has not been removed has this identifier.
    pub(super) fn uses(&self, identifier: u32) -> bool {
        self.identifiers.contains_key(&identifier)
    }

    /// Looks for the subscriptions that want a topic, which [`found`](Self::found) tells. `check` says
    /// whether a topic that is not remembered is a legal one; one that is has been checked before.
    #[inline]
    pub(super) fn find<E>(
        &mut self,
        topic: &[u8],
        check: impl FnOnce(&[u8]) -> Result<&str, E>,
    ) -> Result<(), E> {
        if let Some(last) = &self.last
            && last.topic.as_bytes() == topic
        {
            return Ok(());
        }
        self.find_other(topic, check)
    }

    /// What was found last.
    #[inline]
    pub(super) fn found(&self) -> &Arc<Match> {
        self.last.as_ref().expect("a topic has been looked for")
    }

    /// Adds what was found last to the matches of a batch, unless it is the latest of them already.
    /// Left are those for which the broker sent this copy of the message.
    #[inline]
    pub(super) fn add_found(&mut self, properties: Properties<'_>, to: &mut Vec<Arc<Match>>) {
        let narrowed = match properties.is_empty() {
            true => None,
            false => self.narrowing.narrow(self.last.as_ref().expect("found before"), properties),
        };
        let found = narrowed.as_ref().unwrap_or_else(|| self.found());
        // Most messages of a batch come under one topic: its count is touched once for all of them.
        if !to.last().is_some_and(|last| Arc::ptr_eq(last, found)) {
            to.push(found.clone());
        }
    }

    fn find_other<E>(
        &mut self,
        topic: &[u8],
        check: impl FnOnce(&[u8]) -> Result<&str, E>,
    ) -> Result<(), E> {
        let spot = Recent::spot(topic);
        if let Some(found) = self.recent.get(topic, spot) {
            self.last = Some(found.clone());
            return Ok(());
        }
        let topic = check(topic)?;
        let mut routes = Vec::new();
        // Wildcards do not match the first level of a topic that starts with `$` [MQTT-4.7.2-1].
        self.root.collect(topic, !topic.starts_with('$'), &mut routes);
        routes.sort_unstable();
        // Filters that were subscribed together share a route, and its handler is called once. One
        // that is not confirmed comes first, and counts.
        routes.dedup_by_key(|route| route.id);
        let found = Arc::new(Match { topic: topic.into(), routes: routes.into(), whole: None });
        self.recent.put(spot, found.clone());
        self.last = Some(found);
        Ok(())
    }

    fn forget(&mut self) {
        self.last = None;
        self.recent = Recent::new(self.filters);
        self.narrowing = Narrowing::default();
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

    /// The routes of a filter.
    fn routes(&mut self, filter: &str) -> &mut Vec<Route> {
        let mut level = self;
        for name in filter.split('/') {
            level = match name {
                "#" => return &mut level.rest,
                "+" => level.any.get_or_insert_default(),
                _ => level.next.entry(name.into()).or_default(),
            };
        }
        &mut level.here
    }

    fn remove(&mut self, filter: &str, id: RouteId) -> Option<Route> {
        let (name, deeper) = match filter.split_once('/') {
            Some((name, deeper)) => (name, Some(deeper)),
            None => (filter, None),
        };
        if name == "#" {
            return take(&mut self.rest, id);
        }
        let level = match name {
            "+" => self.any.as_deref_mut(),
            _ => self.next.get_mut(name),
        }?;
        let removed = match deeper {
            Some(deeper) => level.remove(deeper, id),
            None => take(&mut level.here, id),
        };
        if level.is_empty() {
            match name {
                "+" => self.any = None,
                _ => drop(self.next.remove(name)),
            }
        }
        removed
    }

    fn is_empty(&self) -> bool {
        self.next.is_empty() && self.any.is_none() && self.rest.is_empty() && self.here.is_empty()
    }
}

fn take(routes: &mut Vec<Route>, id: RouteId) -> Option<Route> {
    let at = routes.iter().position(|route| route.id == id)?;
    Some(routes.remove(at))
}

fn plain(filter: &str) -> &str {
    topic::share_filter(filter).map_or(filter, |(_, inner)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(router: &mut Router, topic: &str) -> Vec<RouteId> {
        router.find(topic.as_bytes(), std::str::from_utf8).unwrap();
        let found = router.found();
        found.routes.iter().map(|route| route.id).collect()
    }

    fn route(id: usize) -> Route {
        Route { id: id as u64, identifier: Some(id as u32 + 1), confirmed: true }
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
            router.add(filter, route(id));
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
            router.add(filter, route(id));
        }
        for (id, filter) in filters.iter().enumerate() {
            router.remove(filter, id as u64);
            router.remove(filter, id as u64);
        }
        assert!(router.root.is_empty() && router.identifiers.is_empty());
        assert_eq!(found(&mut router, "a/b/c"), Vec::<u64>::new());
    }
}
