//! The broker's grants as a store has them on record, so that a new process need not ask again for
//! what the broker has kept.
//!
//! ```text
//!              SUBACK                      SUBSCRIBE or UNSUBSCRIBE is about to leave
//!  asked for ──────────► granted on record ──────────► not on record
//! ```
//!
//! What is on record has not been touched since by any request that may have reached the broker: the
//! request waits until that is stored. So a record may be missing for a subscription that the broker
//! has, which costs a SUBSCRIBE, but never stands for one that it does not have. The same is the price
//! of an unsubscribe whose answer the process did not live to see: the broker may still have the
//! subscription, and nobody knows.
//!
//! MQTT 3.1 does not say whether the broker has kept the session, so there nothing is on record.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Subscription, Subscriptions};
use crate::{
    engine::{
        Event, Grant, Granted, Said,
        journal::Journal,
        record::Record,
        request::{Kind, Request, has_identifier},
    },
    error::Result,
    protocol::{SubscriptionOptions, Version},
};

/// What is on record.
#[derive(Default)]
pub(super) struct Grants {
    on_record: BTreeMap<String, OnRecord>,
    /// The subscription identifiers that an earlier process used, until the broker's session is gone.
    reserved: BTreeSet<u32>,
    /// The batch with the last record that took grants back.
    revoked_in: u64,
}

struct OnRecord {
    grant: Grant,
    /// By an earlier process, and the program has neither subscribed it in this one nor ended it.
    recovered: bool,
}

impl Grants {
    /// What an earlier process left for this filter.
    pub(super) fn recovered(&self, filter: &str) -> Option<&Grant> {
        let on_record = self.on_record.get(filter).filter(|on_record| on_record.recovered);
        on_record.map(|on_record| &on_record.grant)
    }

    /// The filters that an earlier process left.
    pub(super) fn filters(&self) -> impl Iterator<Item = &String> {
        self.on_record.iter().filter(|(_, on_record)| on_record.recovered).map(|(filter, _)| filter)
    }

    /// Whether an earlier process used this identifier.
    pub(super) fn reserves(&self, identifier: u32) -> bool {
        self.reserved.contains(&identifier)
    }

    /// The program deals with a filter itself from now on; whether an earlier process had left it.
    pub(super) fn disclaim(&mut self, filter: &str) -> bool {
        let on_record = self.on_record.get_mut(filter);
        on_record.is_some_and(|on_record| std::mem::take(&mut on_record.recovered))
    }

    /// The broker is about to be asked for something else.
    pub(super) fn revoke(&mut self, filter: &str, journal: &mut Journal) {
        if self.on_record.remove(filter).is_some() {
            journal.record(&Record::Ungranted { filter });
            self.revoked_in = journal.newest();
        }
    }

    /// The batch that has to be stored before a request leaves: also before one that is repeated,
    /// because its first copy may never have left.
    pub(super) fn revoked_in(&self) -> u64 {
        self.revoked_in
    }

    fn put(&mut self, filter: &str, grant: Grant, journal: &mut Journal) {
        let Grant { options, identifier, qos } = grant;
        journal.record(&Record::Granted { filter, options, identifier, qos });
        self.on_record.insert(filter.to_owned(), OnRecord { grant, recovered: false });
    }
}

impl Subscriptions {
    /// Goes on with what the broker had granted to an earlier process.
    pub(in crate::engine) fn recover(
        &mut self,
        granted: impl IntoIterator<Item = (String, Grant)>,
    ) {
        for (filter, grant) in granted {
            self.grants.reserved.extend(grant.identifier);
            self.grants.on_record.insert(filter, OnRecord { grant, recovered: true });
        }
    }

    /// The broker's session is gone, which a record of its own says, or under 3.1 nobody knows.
    pub(super) fn forget_grants(&mut self, journal: &mut Journal) {
        if self.version == Version::V31 {
            let filters: Vec<String> = self.grants.on_record.keys().cloned().collect();
            filters.iter().for_each(|filter| self.grants.revoke(filter, journal));
        }
        self.grants.on_record.clear();
        self.grants.reserved.clear();
    }

    /// The broker has granted what a request asked for.
    pub(super) fn put_on_record(
        &mut self,
        request: &Request,
        results: &[Result<Granted>],
        journal: &mut Journal,
    ) {
        if !journal.is_on() || self.version == Version::V31 {
            return;
        }
        let identifier = request.identified_as;
        for (asked, result) in request.asked.iter().zip(results) {
            let Some(wanted) = self.wanted.get(&asked.filter) else { continue };
            // Not where another request for the filter is on its way.
            let last = wanted.route.id == asked.route
                && (identifier.is_none() || identifier == wanted.route.identifier);
            if let Ok(Granted { qos, .. }) = *result
                && last
            {
                let grant = Grant { options: wanted.options, identifier, qos };
                self.grants.put(&asked.filter, grant, journal);
            }
        }
    }

    /// The identifier under which an earlier process had subscribed all these filters, unless another
    /// subscription has taken it over.
    pub(super) fn recovered_identifier(
        &self,
        filters: &[(&str, SubscriptionOptions)],
    ) -> Option<u32> {
        let mut identifiers = filters.iter().map(|&(filter, _)| {
            let grant = self.grants.recovered(filter)?;
            grant.identifier.filter(|&identifier| !self.router.uses(identifier))
        });
        let first = identifiers.next()??;
        identifiers.all(|identifier| identifier == Some(first)).then_some(first)
    }

    /// Answers a subscribe whose every filter the broker has kept, and granted to an earlier process
    /// as it is wanted now; whether it did. The session is present.
    pub(super) fn take_over(&mut self, key: usize, events: &mut VecDeque<Event>) -> bool {
        let request = &self.requests[key];
        let Some(ticket) = request.ticket.filter(|_| request.kind == Kind::Subscribe) else {
            return false;
        };
        let kept = request.asked.iter().all(|asked| {
            let wanted = self.wanted.get(&asked.filter);
            let current = wanted.filter(|wanted| wanted.route.id == asked.route);
            let grant = self.grants.recovered(&asked.filter);
            current.zip(grant).is_some_and(|(wanted, grant)| wanted.is_met_by(grant, self.version))
        });
        if !kept {
            return false;
        }
        let request = self.requests.remove(key);
        let mut results = Vec::new();
        for asked in &request.asked {
            self.grants.disclaim(&asked.filter);
            let grant = &self.grants.on_record[&asked.filter].grant;
            if let Some(wanted) = self.wanted.get_mut(&asked.filter) {
                (wanted.granted, wanted.requested) = (true, false);
                let confirmed = grant.identifier == wanted.route.identifier;
                self.router.confirm(&asked.filter, asked.route, confirmed);
            }
            results.push(Ok(Granted { qos: grant.qos, said: Said::default() }));
        }
        events.push_back(Event::Subscribed(ticket, results));
        true
    }
}

impl Subscription {
    /// Whether the broker, which granted this, has what is wanted. What a SUBSCRIBE says beside
    /// options and identifier is not compared.
    fn is_met_by(&self, grant: &Grant, version: Version) -> bool {
        let identified = match grant.identifier {
            Some(_) if version.is_v5() => grant.identifier == self.route.identifier,
            Some(_) => true,
            // Without the program's own the broker sends none, and the topic decides.
            None => !has_identifier(&self.properties),
        };
        identified && grant.options == self.options
    }
}
