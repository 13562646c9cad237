//! Advertisements without effect, and references to unknown pools and peers.

use std::collections::{BTreeMap, BTreeSet};

use super::super::draft::{BgpAdvertisementDraft, Reference};
use super::super::key::Format;
use super::linter::Linter;
use crate::model::{BgpAdvertisement, Community, Peer};
use crate::spelling::did_you_mean;

/// Checks all advertisements.
pub(super) fn check(linter: &mut Linter<'_>) {
    let (draft, config) = (linter.draft, linter.config);
    let pools: BTreeSet<&str> = draft.pools.iter().map(|it| it.pool.name.as_str()).collect();
    let peers: BTreeMap<&str, &Peer> =
        config.peers.iter().map(|peer| (peer.name.as_str(), peer)).collect();
    let peer_names: BTreeSet<&str> = peers.keys().copied().collect();

    for (draft, advertisement) in draft.bgp_advertisements.iter().zip(&config.bgp_advertisements) {
        check_references(linter, &draft.pools, &pools, "pool");
        if linter.is_complete {
            check_references(linter, &draft.peers, &peer_names, "peer");
        }
        check_pool_selectors(linter, draft, advertisement);
        check_local_preference(linter, draft, advertisement, &peers);
        if advertisement.communities.contains(&Community(BLACKHOLE)) {
            let message = "the community 65535:666 asks routers to drop the traffic (RFC 7999)";
            linter.warn(&draft.place, message);
        }
    }
    check_l2_advertisements(linter, &pools);
}

fn check_references(
    linter: &mut Linter<'_>,
    references: &[Reference],
    known: &BTreeSet<&str>,
    kind: &str,
) {
    for reference in references {
        if known.contains(reference.name.as_str()) {
            continue;
        }
        let mut message = format!("no {kind} is named {:?}", reference.name);
        if let Some(hint) = did_you_mean(&reference.name, known.iter().copied()) {
            message.push_str(&format!(", {hint}"));
        }
        linter.warn(&reference.place, message);
    }
}

fn check_pool_selectors(
    linter: &mut Linter<'_>,
    draft: &BgpAdvertisementDraft,
    advertisement: &BgpAdvertisement,
) {
    if advertisement.pools.selectors.is_empty() || !draft.pools.is_empty() {
        return;
    }
    if !linter.config.pools.iter().any(|pool| advertisement.selects_pool(pool)) {
        linter.warn(&draft.place, "no effect: it selects no pool");
    }
}

fn check_local_preference(
    linter: &mut Linter<'_>,
    draft: &BgpAdvertisementDraft,
    advertisement: &BgpAdvertisement,
    peers: &BTreeMap<&str, &Peer>,
) {
    let (Some(place), Some(preference)) = (&draft.local_pref, advertisement.local_pref) else {
        return;
    };
    let selected: Vec<&Peer> = if advertisement.peers.is_empty() {
        peers.values().copied().collect()
    } else {
        advertisement.peers.iter().filter_map(|name| peers.get(name.as_str()).copied()).collect()
    };
    if !linter.is_complete || selected.is_empty() || selected.iter().any(|peer| peer.is_internal())
    {
        return;
    }

    let message = format!(
        "no effect: the local preference {preference} is only sent to internal peers, and all peers \
         of this advertisement are external"
    );
    linter.warn(place, message);
}

fn check_l2_advertisements(linter: &mut Linter<'_>, pools: &BTreeSet<&str>) {
    let draft = linter.draft;
    for it in &draft.l2_advertisements {
        check_references(linter, &it.pools, pools, "pool");

        // In a ConfigMap the pool has this warning.
        if draft.format == Format::Resources {
            let scope = if it.advertisement.pools.is_all() {
                ", and this advertisement is for all pools"
            } else {
                ""
            };
            linter.warn(&it.place, format!("FerroLB does not announce layer 2{scope}"));
        }
    }
}

/// The community 65535:666 of RFC 7999.
const BLACKHOLE: u32 = 0xffff_029a;
