//! Advertisements that contradict each other.

use std::collections::BTreeSet;

use super::diagnostic::{Diagnostic, Severity};
use super::draft::{Draft, Format};
use super::report;
use crate::model::{BgpAdvertisement, IpFamily, Pool};

/// Reports advertisements of one pool that give one prefix two local preferences at one peer. In
/// resources they are errors, as in MetalLB today. A ConfigMap with them has always been accepted, so that
/// there they are warnings, and the first one counts. If two advertisements are alike, one is superfluous,
/// which is a warning in both formats.
///
/// Conflicts that depend on the labels of nodes or Services are found when they happen.
pub(super) fn check(
    draft: &Draft,
    resolved: &[BgpAdvertisement],
    diagnostics: &mut Vec<Diagnostic>,
) {
    // Where something is wrong, advertisements may be alike only because of that.
    let complete = diagnostics.iter().all(|it| it.severity != Severity::Error);
    let mut told = BTreeSet::new();

    for pool in &draft.pools {
        let advertisements = draft.bgp_advertisements.iter().zip(resolved);
        // Beyond this many the configuration is not one that a person wrote.
        let mut advertisements: Vec<_> =
            advertisements.filter(|(_, it)| it.selects_pool(&pool.pool)).take(MOST).collect();
        advertisements.sort_by_key(|(draft, _)| draft.seniority);

        for (at, (draft_of_one, one)) in advertisements.iter().enumerate() {
            for (draft_of_other, other) in advertisements.iter().take(at) {
                let Some(problem) = Problem::between(one, other, &pool.pool) else { continue };
                if !told.insert((&one.name, &other.name)) {
                    continue;
                }

                let message = problem.with(&draft_of_other.place.shown());
                match (problem, draft.format) {
                    (Problem::Same, _) if !complete => {}
                    (Problem::LocalPref(..), Format::Resources) => {
                        report::error(diagnostics, &draft_of_one.place, message);
                    }
                    _ => report::warning(diagnostics, &draft_of_one.place, message),
                }
            }
        }
    }
}

/// A problem between two advertisements of a pool.
#[derive(Clone, Copy, Debug)]
enum Problem {
    Same,
    /// The local preference of each.
    LocalPref(u32, u32),
}

impl Problem {
    /// Finds the problem by MetalLB's rule: a local preference that is not given is 0, and in a pool of both
    /// families neither length may be the same.
    fn between(one: &BgpAdvertisement, other: &BgpAdvertisement, pool: &Pool) -> Option<Self> {
        if *one == (BgpAdvertisement { name: one.name.clone(), ..other.clone() }) {
            return Some(Self::Same);
        }
        let [preference, of_other] = [one, other].map(|it| it.local_pref.unwrap_or(0));
        if preference == of_other {
            return None;
        }

        let same_length = |family: IpFamily| {
            pool.ranges.iter().any(|range| range.family() == family)
                && one.aggregation_length_for(family) == other.aggregation_length_for(family)
        };
        let by_service = !one.service_selectors.is_empty() || !other.service_selectors.is_empty();
        let same_nodes = one.node_selectors.is_empty()
            || other.node_selectors.is_empty()
            || one.node_selectors == other.node_selectors;
        let same_peers =
            one.peers.is_empty() || other.peers.is_empty() || !one.peers.is_disjoint(&other.peers);
        let conflict = [IpFamily::Ipv4, IpFamily::Ipv6].into_iter().any(same_length)
            && same_nodes
            && same_peers
            && !by_service;
        conflict.then_some(Self::LocalPref(preference, of_other))
    }

    /// Returns the message, with the place of the other advertisement.
    fn with(self, place: &str) -> String {
        let shown = |value: u32| match value {
            0 => "0 (not set)".to_owned(),
            value => value.to_string(),
        };
        match self {
            Self::Same => format!("the same advertisement as at {place}"),
            Self::LocalPref(one, other) => format!(
                "local preference {} contradicts the {} of the advertisement at {place}, for the same \
                 prefixes and peers",
                shown(one),
                shown(other)
            ),
        }
    }
}

/// The most advertisements of one pool that are compared.
const MOST: usize = 100;
