//! The routes that the peer should have and that its session cannot carry, with the reasons.
//!
//! Owns only the reasons and the counts. The Adj-RIB-Out keeps the routes that were skipped; a family that was not
//! negotiated needs no record, since none of its routes can be sent.

use crate::AfiSafi;
use crate::fsm::Negotiated;
use crate::peer::Peer;
use crate::rib::{RouteSet, Unsendable, UnsendableRoute, family_of};

/// The families that routes can have.
const FAMILIES: [AfiSafi; 2] = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];

/// The record of what the session could not carry.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// The reasons in this session, each with the first route that it was found for; no two are alike.
    reasons: Vec<UnsendableRoute>,
    /// The number of changes of the routes while a family was missing, and of sessions that began or ended.
    changes: u64,
}

impl Peer {
    /// The routes that the peer should have and that the session cannot carry, IPv4 before IPv6; none while no session
    /// is up. Each call makes the list, with a pass over these routes.
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

    /// A number that grows whenever the outcome of [`unsendable`](Self::unsendable) may have changed.
    #[must_use]
    pub fn unsendable_changes(&self) -> u64 {
        self.adj_rib_out.withheld_changes() + self.unsent.changes
    }

    /// The reasons why routes could not be sent on the session, one of each kind and family, each with the first route that
    /// it was found for. They stay until the next session, even when the routes are gone.
    #[must_use]
    pub fn unsendable_reasons(&self) -> &[UnsendableRoute] {
        &self.unsent.reasons
    }

    /// Makes a change of the routes, and counts those that the session has no family for.
    pub(super) fn change_routes(&mut self, change: impl FnOnce(&mut Self)) {
        let before = self.missing_len();
        change(self);
        let missing = self.missing_len();
        if before > 0 || missing > 0 {
            self.unsent.changes += 1;
            self.stats.prefixes_unsendable += missing.saturating_sub(before) as u64;
            self.note_missing_families();
        }
    }

    /// Notes, when a session comes up, the routes that it has no family for.
    pub(super) fn begin_unsent(&mut self) {
        self.unsent.reasons.clear();
        self.unsent.changes += 1;
        self.stats.prefixes_unsendable += self.missing_len() as u64;
        self.note_missing_families();
    }

    /// Notes that the session is over: without one no route is unsendable.
    pub(super) fn end_unsent(&mut self) {
        self.unsent.changes += 1;
    }

    /// Counts routes that were skipped, and keeps the reason if it is new.
    pub(super) fn note_skipped(&mut self, count: usize, why: Unsendable) {
        self.stats.prefixes_unsendable += count as u64;
        if self.is_new_reason(&why) {
            let first = self.adj_rib_out.withheld().find(|route| route.why == why);
            self.unsent.reasons.extend(first);
        }
    }

    fn note_missing_families(&mut self) {
        let new: Vec<_> = self.missing_families().filter(|why| self.is_new_reason(why)).collect();
        for why in new {
            let desired = self.adj_rib_out.desired();
            self.unsent.reasons.extend(routes_of(&desired, why).next());
        }
    }

    fn is_new_reason(&self, why: &Unsendable) -> bool {
        !self.unsent.reasons.iter().any(|route| route.why.is_alike(why))
    }

    /// The families of routes that the session does not carry.
    fn missing_families(&self) -> impl Iterator<Item = Unsendable> {
        let negotiated = self.negotiated();
        FAMILIES.into_iter().filter_map(move |family| {
            let negotiated = negotiated?;
            let missing =
                !negotiated.has_family(family) && self.adj_rib_out.desired_len(family) > 0;
            missing.then(|| of_family(negotiated, family))
        })
    }

    fn missing_len(&self) -> usize {
        let families = self.missing_families().filter_map(|why| why.family());
        families.map(|family| self.adj_rib_out.desired_len(family)).sum()
    }
}

/// The reason why a session with these parameters does not carry a family.
fn of_family(negotiated: &Negotiated, family: AfiSafi) -> Unsendable {
    if negotiated.remote_offers(family) {
        Unsendable::FamilyLeftOut { family }
    } else {
        Unsendable::FamilyNotOffered { family }
    }
}

/// The routes of the family that a reason is about.
fn routes_of(routes: &RouteSet, why: Unsendable) -> impl Iterator<Item = UnsendableRoute> {
    let paths = routes.iter().with_path_ids();
    let paths = paths.filter(move |(prefix, ..)| Some(family_of(prefix)) == why.family());
    paths.map(move |(prefix, path_id, _)| UnsendableRoute { prefix, path_id, why })
}
