//! The format of MetalLB's ConfigMap, up to 0.12.

use std::collections::BTreeMap;

use super::draft::{
    BgpDraft, Draft, Format, Key, L2Draft, PeerDraft, PoolDraft, ProfileDraft, Seniority,
};
use super::field::{Field, Mapping};
use super::report::{Place, Report};
use super::{advertisements, bfd_profiles, communities, own, peers, pools};
use crate::model::{BgpAdvertisement, L2Advertisement, PoolSelection, Protocol};

/// Reads the root of a document.
pub(crate) fn read(root: Field<'_>, report: &mut Report<'_>) -> Draft {
    let mut draft = Draft::new(Format::ConfigMap);
    let Some(root) = root.mapping(report) else { return draft };
    root.only(&KEYS, report);
    if let Some(list) = root.get(PEERS) {
        let items: Vec<_> = list.list(report).collect();
        let mut endpoints = BTreeMap::new();
        for item in items {
            draft.peers.extend(peer(item, &mut endpoints, report));
        }
    }
    if let Some(mapping) = root.get("bgp-communities") {
        draft.aliases = communities::mapping(mapping, report);
    }
    if let Some(list) = root.get(POOLS) {
        let items: Vec<_> = list.list(report).collect();
        for item in items {
            pool(item, &mut draft, report);
        }
    }
    if let Some(list) = root.get("bfd-profiles") {
        let items: Vec<_> = list.list(report).collect();
        for item in items {
            let Some(mapping) = item.mapping(report) else { continue };
            only(&mapping, &["name"], &bfd_profiles::KEYS, report);
            let name = name(&mapping, "the profile's name", report);
            let mut profile = bfd_profiles::read(&mapping, Format::ConfigMap, report);
            let Some((name, place)) = name else { continue };
            profile.name = name;
            draft.bfd_profiles.push(ProfileDraft { profile, place });
        }
    }
    draft
}

/// Returns true if a mapping without kind looks like such a text. Sections without a value count as empty ones.
pub(crate) fn looks_like(mapping: &Mapping<'_>) -> bool {
    mapping.fields().any(|(key, _)| KEYS.contains(&key))
}

/// Reads a peer; `endpoints` counts those at one address and port that were not given a name.
fn peer(
    item: Field<'_>,
    endpoints: &mut BTreeMap<String, u32>,
    report: &mut Report<'_>,
) -> Option<PeerDraft> {
    let mapping = item.mapping(report)?;
    let keys: Vec<&str> = ["name"].into_iter().chain(own::PEER_KEYS).collect();
    only(&mapping, &keys, &peers::KEYS, report);
    let given = mapping.get("name").and_then(|field| named(field, "the peer's name", report));
    let (mut draft, is_whole) = peers::read(&mapping, &item, Format::ConfigMap, report);
    own::read_peer(&mapping, "", &mut draft.peer, report);
    if !is_whole {
        return None;
    }
    if let Some((name, _)) = given {
        draft.peer.name = name;
        return Some(draft);
    }
    let endpoint = draft.peer.endpoint();
    let count = endpoints.entry(endpoint.clone()).or_default();
    *count += 1;
    draft.peer.name = match *count {
        1 => endpoint,
        count => format!("{endpoint}#{count}"),
    };
    Some(draft)
}

fn pool(item: Field<'_>, draft: &mut Draft, report: &mut Report<'_>) {
    let Some(mapping) = item.mapping(report) else { return };
    let keys: Vec<&str> =
        ["name", "protocol", ADVERTISEMENTS].into_iter().chain(own::KEYS).collect();
    only(&mapping, &keys, &pools::KEYS, report);
    let name = name(&mapping, "the pool's name", report);
    let (mut pool, ranges) = pools::read(&mapping, Format::ConfigMap, report);
    let protocol = mapping.required("protocol", "bgp or layer2", report).and_then(|field| {
        field.choice(report, &[("bgp", Protocol::Bgp), ("layer2", Protocol::Layer2)])
    });
    own::read(&mapping, "", &mut pool, report);

    let listed = mapping.get(ADVERTISEMENTS);
    let mut advertisements: Vec<BgpDraft> = Vec::new();
    if let Some(list) = &listed {
        let items: Vec<_> = list.list(report).collect();
        for item in items {
            let Some(mapping) = item.mapping_or_null(report) else { continue };
            only(&mapping, &[], &advertisements::CONFIG_MAP_KEYS, report);
            advertisements.push(advertisements::bgp(&mapping, &item, Format::ConfigMap, report));
        }
    }
    if let (Some(Protocol::Layer2), Some(list)) = (protocol, &listed)
        && !list.is_empty_list()
    {
        list.error(report, "a layer2 pool has no BGP advertisements, expected protocol bgp");
    }

    // Placeholders stand in for unreadable values, so that the rest is compared with other pools.
    let place = report.place_of(&item);
    let (name, name_place) =
        name.unwrap_or_else(|| (format!("#{}", draft.pools.len()), place.clone()));
    let protocol = protocol.unwrap_or(Protocol::Bgp);
    match protocol {
        Protocol::Bgp if advertisements.is_empty() => advertisements.push(by_default(&place)),
        Protocol::Bgp => {}
        Protocol::Layer2 => draft.l2_advertisements.push(layer2(&name, draft, &place)),
    }
    if protocol == Protocol::Bgp {
        announce(&name, advertisements, draft);
    }

    (pool.name, pool.protocol) = (name, protocol);
    draft.pools.push(PoolDraft {
        pool,
        place: name_place,
        ranges,
        seniority: Seniority::default(),
    });
}

/// As in MetalLB, no list and an empty one mean host routes without attributes.
fn by_default(place: &Place) -> BgpDraft {
    BgpDraft {
        advertisement: BgpAdvertisement::new(""),
        place: place.clone(),
        communities: Vec::new(),
        length: None,
        length_v6: None,
        local_pref: None,
        pools: Vec::new(),
        peers: Vec::new(),
        seniority: Seniority::default(),
    }
}

fn layer2(pool: &str, draft: &Draft, place: &Place) -> L2Draft {
    let name = format!("l2advertisement{}", draft.l2_advertisements.len() + 1);
    let mut advertisement = L2Advertisement::new(name);
    advertisement.pools = PoolSelection::only(pool);
    L2Draft { advertisement, place: place.clone(), pools: Vec::new() }
}

/// Takes the advertisements of a pool, with the names that MetalLB's converter gives them.
fn announce(pool: &str, advertisements: Vec<BgpDraft>, draft: &mut Draft) {
    for mut it in advertisements {
        it.advertisement.name = format!("bgpadvertisement{}", draft.bgp_advertisements.len() + 1);
        it.advertisement.pools = PoolSelection::only(pool);
        draft.bgp_advertisements.push(it);
    }
}

fn only(mapping: &Mapping<'_>, words: &[&str], keys: &[Key], report: &mut Report<'_>) {
    let keys = keys.iter().map(|key| key.of(Format::ConfigMap));
    let known: Vec<&str> = words.iter().copied().chain(keys).collect();
    mapping.only(&known, report);
}

fn name(mapping: &Mapping<'_>, expected: &str, report: &mut Report<'_>) -> Option<(String, Place)> {
    named(mapping.required("name", expected, report)?, expected, report)
}

fn named(field: Field<'_>, expected: &str, report: &mut Report<'_>) -> Option<(String, Place)> {
    let name = field.text(report)?;
    if name.is_empty() {
        field.expected(report, expected);
        return None;
    }
    Some((name.to_owned(), report.place_of(&field)))
}

const PEERS: &str = "peers";
const POOLS: &str = "address-pools";
const ADVERTISEMENTS: &str = "bgp-advertisements";
const KEYS: [&str; 4] = [PEERS, "bgp-communities", POOLS, "bfd-profiles"];

#[cfg(test)]
#[path = "later_keys_tests.rs"]
mod later_keys_tests;
#[cfg(test)]
#[path = "configmap_tests.rs"]
mod tests;
