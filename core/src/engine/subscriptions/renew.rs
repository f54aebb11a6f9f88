//! Subscriptions that the broker does not know any more are asked for again.

use std::collections::BTreeMap;

use super::{Subscription, Subscriptions};
use crate::{
    engine::{
        journal::Journal,
        request::{Asked, Kind, Request},
        server::ServerLimits,
    },
    protocol::{RetainHandling, SubscriptionOptions, Version},
};

/// The most filters renewed in one SUBSCRIBE, and the most bytes of them: small enough for every
/// broker's packet limit, large enough that thousands of subscriptions take few packets.
const FILTERS: usize = 64;
const FILTER_BYTES: usize = 8 << 10;

/// A SUBSCRIBE is at most this much larger than its filters and properties: fixed header, packet id
/// and property length.
const OVERHEAD: usize = 5 + 2 + 4;

/// A subscription identifier in the properties takes at most this many bytes.
const IDENTIFIER: usize = 5;

impl Subscription {
    /// What is asked of the broker. A repetition asks for retained messages only where the
    /// subscription is new to it; before 5.0 that cannot be said.
    pub(super) fn options(&self, version: Version) -> SubscriptionOptions {
        let mut options = self.options;
        if self.repeated && version.is_v5() && options.retain_handling == RetainHandling::Send {
            options.retain_handling = RetainHandling::SendIfNew;
        }
        options
    }
}

impl Subscriptions {
    /// A connection begins: what the broker does not know (any more) is asked for.
    /// `known` says that the broker has kept the session.
    pub(in crate::engine) fn connected(
        &mut self,
        known: bool,
        server: &ServerLimits,
        journal: &mut Journal,
    ) {
        if !known {
            self.forget_grants(journal);
        }
        let mut renewals: BTreeMap<(Vec<u8>, Option<u32>), Vec<Asked>> = BTreeMap::new();
        for (filter, subscription) in &mut self.wanted {
            if !known {
                subscription.repeated |= subscription.granted;
                subscription.granted = false;
            }
            if !subscription.granted && !subscription.requested {
                subscription.requested = true;
                let properties = subscription.properties.as_properties().as_bytes().to_vec();
                let added = subscription.added_identifier().filter(|_| server.identifiers);
                renewals
                    .entry((properties, added))
                    .or_default()
                    .push(Asked::new(filter, subscription.route.id));
            }
        }
        for ((properties, added), filters) in renewals {
            let overhead = OVERHEAD + added.map_or(0, |_| IDENTIFIER) + properties.len();
            let room = server.maximum_packet_size.saturating_sub(overhead);
            let room = room.min(FILTER_BYTES);
            let mut part = Vec::new();
            let mut bytes = 0;
            for asked in filters {
                // Its length in two bytes and its options in one.
                let size = asked.filter.len() + 3;
                if part.len() == FILTERS || bytes + size > room {
                    self.renew(std::mem::take(&mut part), added);
                    bytes = 0;
                }
                bytes += size;
                part.push(asked);
            }
            self.renew(part, added);
        }
    }

    fn renew(&mut self, asked: Vec<Asked>, added: Option<u32>) {
        let Some(subscription) = asked.first().and_then(|asked| self.wanted.get(&asked.filter))
        else {
            return;
        };
        let properties = subscription.properties.clone();
        let request = Request::new(Kind::Subscribe, None, asked, properties);
        self.request(request.identified_by(added));
    }
}
