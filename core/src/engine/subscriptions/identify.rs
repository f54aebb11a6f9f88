//! Subscription identifiers (MQTT 5.0).
//!
//! Every subscribe has one, the program's or one of the engine's own, so that each copy that the broker
//! sends reaches the handlers that it is meant for. A renewal keeps it. A subscribe that takes over
//! everything that an earlier one had left takes over its identifier, too: what is on its way reaches
//! the new handler. One that takes over a part has another, which leaves nobody out until the broker
//! has granted it.

use super::{Subscription, Subscriptions};
use crate::{
    engine::{
        Route,
        request::{Asked, Kind, Request, has_identifier},
    },
    protocol::SubscriptionOptions,
};

/// The largest subscription identifier.
const LARGEST: u32 = 268_435_455;

impl Subscription {
    /// The identifier that the engine gave it.
    pub(super) fn added_identifier(&self) -> Option<u32> {
        self.route.identifier.filter(|_| !has_identifier(&self.properties))
    }
}

impl Subscriptions {
    /// The identifier for a subscribe of the program that has none.
    pub(super) fn identifier_for(
        &mut self,
        filters: &[(&str, SubscriptionOptions)],
    ) -> Option<u32> {
        if !self.version.is_v5() {
            return None;
        }
        let asked = |filter: &str| filters.iter().any(|&(asked, _)| asked == filter);
        let older = filters.iter().filter_map(|&(filter, _)| self.wanted.get(filter));
        let mut taken_over = older.filter(|older| {
            let all = self.wanted.iter();
            let mut left = all.filter(|(_, wanted)| wanted.route.id == older.route.id);
            left.all(|(filter, _)| asked(filter))
        });
        let identifier = taken_over.find_map(Subscription::added_identifier);
        let identifier = identifier.or_else(|| self.recovered_identifier(filters));
        Some(identifier.unwrap_or_else(|| self.unused_identifier()))
    }

    /// In ascending order, not the smallest: one that has just become free may still be on its way.
    /// There are far more than a session can have subscriptions.
    fn unused_identifier(&mut self) -> u32 {
        loop {
            let identifier = self.next_identifier;
            self.next_identifier = identifier % LARGEST + 1;
            if !self.router.uses(identifier) && !self.grants.reserves(identifier) {
                return identifier;
            }
        }
    }

    /// The program takes an identifier: a subscription to which the engine gave the same one gets
    /// another, or copies for the one would reach the other.
    pub(super) fn make_way(&mut self, identifier: u32) {
        if !self.router.uses(identifier) {
            return;
        }
        let found = |wanted: &&Subscription| wanted.added_identifier() == Some(identifier);
        let Some(subscription) = self.wanted.values().find(found) else { return };
        let id = subscription.route.id;
        let properties = subscription.properties.clone();
        let another = Some(self.unused_identifier());
        let mut asked = Vec::new();
        for (filter, subscription) in &mut self.wanted {
            if subscription.route.id == id {
                self.router.remove(filter, id);
                subscription.route.identifier = another;
                self.router.add(filter, Route { confirmed: false, ..subscription.route });
                // To the broker it is nothing new.
                subscription.repeated |= subscription.granted;
                subscription.requested = true;
                asked.push(Asked::new(filter, id));
            }
        }
        self.request(Request::new(Kind::Subscribe, None, asked, properties).identified_by(another));
    }
}
