//! Advertisements that conflict with each other.

use std::collections::BTreeSet;

use super::diagnostic::{Diagnostic, Severity};
use super::draft::{BgpAdvertisementDraft, Draft, PoolDraft};
use super::key::Format;
use super::report;
use crate::model::{AdvertisementIndex, BgpAdvertisement, IpFamily, Pool};

/// Reports advertisements of one pool that give a prefix two local preferences at one peer. In resources this is an error, as in
/// current MetalLB. A ConfigMap with such advertisements has always been accepted, so it is only a warning there, and the first
/// advertisement counts. If two advertisements are equal, one is superfluous, which is a warning in both formats.
///
/// Conflicts that depend on the labels of nodes or Services are found when they happen.
pub(super) fn check(
    draft: &Draft,
    resolved: &[BgpAdvertisement],
    diagnostics: &mut Vec<Diagnostic>,
) {
    // If some values could not be read, advertisements may seem equal only because of that.
    let is_complete = diagnostics.iter().all(|it| it.severity != Severity::Error);
    let mut reported = BTreeSet::new();
    let index = AdvertisementIndex::new(resolved);

    for pool in &draft.pools {
        let compared = advertisements_of(pool, draft, resolved, &index, diagnostics);

        for (index, (draft_of_one, one)) in compared.iter().enumerate() {
            for (draft_of_other, other) in compared.iter().take(index) {
                let Some(conflict) = Conflict::between(one, other, &pool.pool) else { continue };
                if !reported.insert((&one.name, &other.name)) {
                    continue;
                }

                let message = conflict.message(&draft_of_other.place.to_string());
                match (conflict, draft.format) {
                    (Conflict::Duplicate, _) if !is_complete => {}
                    (Conflict::LocalPref(..), Format::Resources) => {
                        report::error(diagnostics, &draft_of_one.place, message);
                    }
                    _ => report::warning(diagnostics, &draft_of_one.place, message),
                }
            }
        }
    }
}

/// Returns the advertisements that select a pool, in order of seniority. If there are too many to compare, warns about the
/// number that is left out.
fn advertisements_of<'a>(
    pool: &PoolDraft,
    draft: &'a Draft,
    resolved: &'a [BgpAdvertisement],
    index: &AdvertisementIndex,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(&'a BgpAdvertisementDraft, &'a BgpAdvertisement)> {
    let mut selecting = Vec::new();
    for position in index.selecting(&pool.pool, resolved) {
        if let (Some(draft), Some(advertisement)) =
            (draft.bgp_advertisements.get(position), resolved.get(position))
        {
            selecting.push((draft, advertisement));
        }
    }

    if let Some(left_out) = selecting.len().checked_sub(MOST_COMPARED)
        && left_out > 0
    {
        let message = format!(
            "only the first {MOST_COMPARED} advertisements of this pool are compared with each \
             other, {left_out} more are not"
        );
        report::warning(diagnostics, &pool.place, message);
        selecting.truncate(MOST_COMPARED);
    }
    selecting.sort_by_key(|(draft, _)| draft.seniority);
    selecting
}

/// A conflict between two advertisements of a pool.
#[derive(Clone, Copy, Debug)]
enum Conflict {
    /// Both are equal.
    Duplicate,
    /// The local preferences of both.
    LocalPref(u32, u32),
}

impl Conflict {
    /// Finds the conflict by MetalLB's rule: a local preference that is not set is 0, and in a pool of both families neither
    /// length may be the same.
    fn between(one: &BgpAdvertisement, other: &BgpAdvertisement, pool: &Pool) -> Option<Self> {
        if *one == (BgpAdvertisement { name: one.name.clone(), ..other.clone() }) {
            return Some(Self::Duplicate);
        }
        let [preference, of_other] = [one, other].map(|it| it.local_pref.unwrap_or(0));
        if preference == of_other {
            return None;
        }

        // Service selectors decide for each Service.
        if !one.service_selectors.is_empty() || !other.service_selectors.is_empty() {
            return None;
        }
        let conflicts =
            share_a_prefix(one, other, pool) && share_nodes(one, other) && share_a_peer(one, other);
        conflicts.then_some(Self::LocalPref(preference, of_other))
    }

    /// Returns the message, with the place of the other advertisement.
    fn message(self, place: &str) -> String {
        match self {
            Self::Duplicate => format!("duplicate of the advertisement at {place}"),
            Self::LocalPref(one, other) => format!(
                "local preference {} conflicts with {} of the advertisement at {place}, for the same \
                 prefixes and peers",
                shown(one),
                shown(other)
            ),
        }
    }
}

fn share_a_prefix(one: &BgpAdvertisement, other: &BgpAdvertisement, pool: &Pool) -> bool {
    [IpFamily::Ipv4, IpFamily::Ipv6].into_iter().any(|family| {
        pool.ranges.iter().any(|range| range.family() == family)
            && one.aggregation_length_for(family) == other.aggregation_length_for(family)
    })
}

fn share_nodes(one: &BgpAdvertisement, other: &BgpAdvertisement) -> bool {
    one.node_selectors.is_empty()
        || other.node_selectors.is_empty()
        || one.node_selectors == other.node_selectors
}

fn share_a_peer(one: &BgpAdvertisement, other: &BgpAdvertisement) -> bool {
    one.peers.is_empty() || other.peers.is_empty() || !one.peers.is_disjoint(&other.peers)
}

fn shown(preference: u32) -> String {
    match preference {
        0 => "0 (not set)".to_owned(),
        preference => preference.to_string(),
    }
}

/// The most advertisements of one pool that are compared: comparing takes the square of their number.
const MOST_COMPARED: usize = 100;
