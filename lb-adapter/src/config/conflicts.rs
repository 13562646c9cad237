//! Advertisements that contradict each other.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::Diagnostic;
use super::draft::{BgpDraft, Draft, Format, PoolDraft};
use super::report;
use crate::model::{BgpAdvertisement, IpFamily};

/// Reports advertisements of one pool that are alike, and those that give one prefix two local
/// preferences at one peer. In resources they are errors, as in MetalLB today; a ConfigMap with them
/// has always been taken, so that there they are warnings, and the first counts.
///
/// What depends on the labels of nodes, pools or Services is found when it happens.
pub(super) fn check(
    draft: &Draft,
    resolved: &[BgpAdvertisement],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut tell = |at: &BgpDraft, message: String| match draft.format {
        Format::ConfigMap => report::warning(diagnostics, &at.place, message),
        Format::Resources => report::error(diagnostics, &at.place, message),
    };
    let mut by_pool: BTreeMap<Option<&str>, Vec<(&BgpDraft, &BgpAdvertisement)>> = BTreeMap::new();
    for pair @ (_, advertisement) in draft.bgp_advertisements.iter().zip(resolved) {
        for name in &advertisement.pools.names {
            by_pool.entry(Some(name)).or_default().push(pair);
        }
        if advertisement.pools.names.is_empty() {
            by_pool.entry(None).or_default().push(pair);
        }
    }
    let pools: BTreeMap<&str, &PoolDraft> =
        draft.pools.iter().map(|it| (it.pool.name.as_str(), it)).collect();
    let mut told = BTreeSet::new();
    for (name, advertisements) in &by_pool {
        let pool = name.and_then(|name| pools.get(name));
        let has = |family: IpFamily| {
            pool.is_none_or(|it| it.pool.ranges.iter().any(|range| range.family() == family))
        };
        // Beyond this many the configuration is not one that a person wrote.
        for (at, (draft, one)) in advertisements.iter().enumerate().take(MOST) {
            for (other_draft, other) in advertisements.iter().take(at) {
                let Some(problem) = problem(one, other, &has) else { continue };
                if told.insert((&one.name, &other.name)) {
                    tell(draft, format!("{problem} {}", other_draft.place.shown()));
                }
            }
        }
    }
}

/// What is wrong between two advertisements of a pool; the place of the other one follows.
fn problem(
    one: &BgpAdvertisement,
    other: &BgpAdvertisement,
    has: &impl Fn(IpFamily) -> bool,
) -> Option<String> {
    if *one == (BgpAdvertisement { name: one.name.clone(), ..other.clone() }) {
        return Some("the same advertisement as at".to_owned());
    }
    let by_service = !one.service_selectors.is_empty() || !other.service_selectors.is_empty();
    let (Some(preference), Some(other_preference)) = (one.local_pref, other.local_pref) else {
        return None;
    };
    let same_prefix = [IpFamily::Ipv4, IpFamily::Ipv6].into_iter().any(|family| {
        has(family) && one.aggregation_length_for(family) == other.aggregation_length_for(family)
    });
    let same_pools = one.pools.selectors == other.pools.selectors;
    let same_nodes = one.node_selectors.is_empty()
        || other.node_selectors.is_empty()
        || one.node_selectors == other.node_selectors;
    let same_peers = one.peers.is_empty()
        || other.peers.is_empty()
        || one.peers.intersection(&other.peers).next().is_some();
    let conflict = preference != other_preference
        && same_prefix
        && same_pools
        && same_nodes
        && same_peers
        && !by_service;
    conflict.then(|| {
        format!("local preference {preference} for prefixes that have {other_preference} by")
    })
}

const MOST: usize = 100;
