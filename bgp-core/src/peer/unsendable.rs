//! The routes that the peer should have but its session cannot carry, with the reasons.
//!
//! Owns only the reasons and the counts. The Adj-RIB-Out keeps the routes that were skipped. A family that was not
//! negotiated needs no record, because none of its routes can be sent.

use crate::AfiSafi;
use crate::fsm::Negotiated;
use crate::peer::Peer;
use crate::rib::{RouteSet, Unsendable, UnsendableRoute, family_of};

/// The families of routes.
const FAMILIES: [AfiSafi; 2] = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];

/// A record of the routes that the session could not carry.
#[derive(Debug, Default)]
pub(super) struct UnsendableRecord {
    /// The distinct reasons in this session, each with the first route that it was found for.
    reasons: Vec<UnsendableRoute>,
    /// The number of changes of routes while a family was missing, and of sessions that began or ended.
    changes: u64,
}

impl Peer {
    /// The routes that the peer should have but the session cannot carry, IPv4 before IPv6. Empty while no session is up. Each
    /// call builds the list in a pass over these routes.
    #[must_use]
    pub fn unsendable(&self) -> Vec<UnsendableRoute> {
        let mut found: Vec<_> = self.adj_rib_out.withheld().collect();
        let desired = self.adj_rib_out.desired();
        for why in self.missing_families() {
            found.extend(routes_of(&desired, why));
        }
        found.sort_by_key(|route| (route.prefix, route.path_id));
        found
    }

    /// The number of routes that [`unsendable`](Self::unsendable) returns.
    #[must_use]
    pub fn unsendable_len(&self) -> usize {
        self.adj_rib_out.withheld_len() + self.missing_len()
    }

    /// A number that grows whenever the result of [`unsendable`](Self::unsendable) may have changed.
    #[must_use]
    pub fn unsendable_changes(&self) -> u64 {
        self.adj_rib_out.withheld_changes() + self.unsendable.changes
    }

    /// The reasons why routes could not be sent on the session, one of each kind and family, each with the first route that it
    /// was found for. They stay until the next session, even after the routes are gone.
    #[must_use]
    pub fn unsendable_reasons(&self) -> &[UnsendableRoute] {
        &self.unsendable.reasons
    }

    /// Changes the routes, and counts those whose family the session does not carry.
    pub(super) fn change_routes(&mut self, change: impl FnOnce(&mut Self)) {
        let before = self.missing_len();
        change(self);
        let missing = self.missing_len();
        if before > 0 || missing > 0 {
            self.unsendable.changes += 1;
            self.stats.prefixes_unsendable += missing.saturating_sub(before) as u64;
            self.record_missing_families();
        }
    }

    /// Records, when a session comes up, the routes whose family it does not carry.
    pub(super) fn begin_unsendable(&mut self) {
        self.unsendable.reasons.clear();
        self.unsendable.changes += 1;
        self.stats.prefixes_unsendable += self.missing_len() as u64;
        self.record_missing_families();
    }

    /// Records the end of the session: without a session no route is unsendable.
    pub(super) fn end_unsendable(&mut self) {
        self.unsendable.changes += 1;
    }

    /// Counts skipped routes, and records the reason if it is new.
    pub(super) fn record_skipped(&mut self, count: usize, why: Unsendable) {
        self.stats.prefixes_unsendable += count as u64;
        if self.is_new_reason(&why) {
            let first = self.adj_rib_out.withheld().find(|route| route.why == why);
            self.unsendable.reasons.extend(first);
        }
    }

    fn record_missing_families(&mut self) {
        let new: Vec<_> = self.missing_families().filter(|why| self.is_new_reason(why)).collect();
        for why in new {
            let desired = self.adj_rib_out.desired();
            self.unsendable.reasons.extend(routes_of(&desired, why).next());
        }
    }

    fn is_new_reason(&self, why: &Unsendable) -> bool {
        !self.unsendable.reasons.iter().any(|route| route.why.is_alike(why))
    }

    /// The families that the session does not carry although there are routes of them, as reasons.
    fn missing_families(&self) -> impl Iterator<Item = Unsendable> {
        let negotiated = self.negotiated();
        FAMILIES.into_iter().filter_map(move |family| {
            let negotiated = negotiated?;
            let missing =
                !negotiated.has_family(family) && self.adj_rib_out.desired_len(family) > 0;
            missing.then(|| reason_for(negotiated, family))
        })
    }

    fn missing_len(&self) -> usize {
        self.missing_families()
            .filter_map(|why| why.family())
            .map(|family| self.adj_rib_out.desired_len(family))
            .sum()
    }
}

/// The reason why a session with these parameters does not carry a family.
pub(super) fn reason_for(negotiated: &Negotiated, family: AfiSafi) -> Unsendable {
    if negotiated.remote_offers(family) {
        Unsendable::FamilyLeftOut { family }
    } else {
        Unsendable::FamilyNotOffered { family }
    }
}

/// The routes of the family that a reason is about.
fn routes_of(routes: &RouteSet, why: Unsendable) -> impl Iterator<Item = UnsendableRoute> {
    routes
        .iter()
        .with_path_ids()
        .filter(move |(prefix, ..)| Some(family_of(prefix)) == why.family())
        .map(move |(prefix, path_id, _)| UnsendableRoute { prefix, path_id, why })
}
