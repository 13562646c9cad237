//! The routes that the peer should have and that its session cannot carry: which they are, and why.
//!
//! Owns the answer alone. The Adj-RIB-Out keeps what was skipped; a family that was not negotiated needs no record,
//! since all of its routes are concerned.

use crate::AfiSafi;
use crate::fsm::Negotiated;
use crate::peer::Peer;
use crate::rib::{Unsendable, UnsendableRoute, family_of};

/// The families of which there are routes.
const FAMILIES: [AfiSafi; 2] = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];

/// How many reasons are kept with an example: more would tell nobody more.
const MOST_REASONS: usize = 8;

/// What a session has been found unable to carry.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// Reasons of this session, each with the first route that it was found for.
    reasons: Vec<UnsendableRoute>,
    /// How often the routes have changed while a family was missing.
    changes: u64,
}

impl Peer {
    /// The routes that the peer should have and that the session cannot carry, IPv4 before IPv6; none while no session
    /// is up. Made when it is asked for: it costs a pass over these routes.
    #[must_use]
    pub fn unsendable(&self) -> Vec<UnsendableRoute> {
        let mut found: Vec<_> = self.adj_rib_out.withheld().collect();
        for why in self.missing_families() {
            let desired = self.adj_rib_out.desired();
            let paths = desired.iter().with_path_ids();
            let paths = paths.filter(|(prefix, ..)| Some(family_of(prefix)) == why.family());
            found.extend(paths.map(|(prefix, path_id, _)| UnsendableRoute {
                prefix,
                path_id,
                why,
            }));
        }
        found.sort_by_key(|route| (route.prefix, route.path_id));
        found
    }

    /// How many routes [`unsendable`](Self::unsendable) tells.
    #[must_use]
    pub fn unsendable_len(&self) -> usize {
        self.adj_rib_out.withheld_len() + self.missing_len()
    }

    /// A number that differs whenever [`unsendable`](Self::unsendable) may tell something else.
    #[must_use]
    pub fn unsendable_changes(&self) -> u64 {
        self.adj_rib_out.withheld_changes() + self.unsent.changes
    }

    /// The reasons why routes could not be sent on the session, each with the first route that it was found for; the
    /// first eight of them. They stay until the next session, whatever has become of the routes.
    #[must_use]
    pub fn unsendable_reasons(&self) -> &[UnsendableRoute] {
        &self.unsent.reasons
    }

    /// Makes a change of the routes, and counts those that the session has no family for.
    pub(super) fn change_routes<T>(&mut self, change: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.missing_len();
        let changed = change(self);
        let missing = self.missing_len();
        if before > 0 || missing > 0 {
            self.unsent.changes += 1;
            self.stats.prefixes_unsendable += missing.saturating_sub(before) as u64;
            self.note_missing_families();
        }
        changed
    }

    /// A session is up: what it has no family for is known at once.
    pub(super) fn begin_unsent(&mut self) {
        self.unsent.reasons.clear();
        self.unsent.changes += 1;
        self.stats.prefixes_unsendable += self.missing_len() as u64;
        self.note_missing_families();
    }

    /// The session is over, and with it what is known of it.
    pub(super) fn end_unsent(&mut self) {
        self.unsent.changes += 1;
    }

    /// Routes were skipped.
    pub(super) fn note_skipped(&mut self, count: usize, why: Unsendable) {
        self.stats.prefixes_unsendable += count as u64;
        if self.is_new_reason(&why) {
            let first = self.adj_rib_out.withheld().find(|route| route.why == why);
            self.unsent.reasons.extend(first);
        }
    }

    fn note_missing_families(&mut self) {
        let missing: Vec<_> =
            self.missing_families().filter(|why| self.is_new_reason(why)).collect();
        for why in missing {
            let desired = self.adj_rib_out.desired();
            let mut paths = desired.iter().with_path_ids();
            let first = paths.find(|(prefix, ..)| Some(family_of(prefix)) == why.family());
            let first = first.map(|(prefix, path_id, _)| UnsendableRoute { prefix, path_id, why });
            self.unsent.reasons.extend(first);
        }
    }

    fn is_new_reason(&self, why: &Unsendable) -> bool {
        let known = &self.unsent.reasons;
        known.len() < MOST_REASONS && !known.iter().any(|route| route.why.is_alike(why))
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

/// Why a session that was negotiated so does not carry a family.
fn of_family(negotiated: &Negotiated, family: AfiSafi) -> Unsendable {
    match negotiated.remote_offers(family) {
        true => Unsendable::FamilyLeftOut { family },
        false => Unsendable::FamilyNotOffered { family },
    }
}
