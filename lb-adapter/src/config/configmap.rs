//! The format of MetalLB's ConfigMap, up to 0.12.

use std::collections::BTreeMap;

use super::draft::{
    BfdProfileDraft, BgpAdvertisementDraft, Draft, L2AdvertisementDraft, PeerDraft, PoolDraft,
    Seniority,
};
use super::field::{Field, Mapping};
use super::key::{Format, Key};
use super::place::Place;
use super::report::Report;
use super::{advertisements, bfd_profiles, communities, extensions, peers, pools};
use crate::model::{L2Advertisement, PoolSelection, Protocol};

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
            draft.bfd_profiles.extend(bfd_profile(item, report));
        }
    }
    draft
}

/// Returns true if a mapping without kind looks like a configuration in this format. Sections without a value count as empty.
pub(crate) fn looks_like(mapping: &Mapping<'_>) -> bool {
    mapping.fields().any(|(key, _)| KEYS.contains(&key))
}

/// Reads a peer. `endpoints` counts the peers without a name at each address and port.
fn peer(
    item: Field<'_>,
    endpoints: &mut BTreeMap<String, u32>,
    report: &mut Report<'_>,
) -> Option<PeerDraft> {
    let mapping = item.mapping(report)?;
    let words: Vec<&str> = ["name"].into_iter().chain(extensions::PEER_KEYS).collect();
    only(&mapping, &words, &peers::KEYS, report);

    let name = mapping.get("name").and_then(|field| name(field, "the peer's name", report));
    let (mut draft, is_complete) = peers::read(&mapping, &item, Format::ConfigMap, report);
    extensions::read_peer(&mapping, "", &mut draft.peer, report);
    if !is_complete {
        return None;
    }
    if let Some((name, _)) = name {
        draft.peer.name = name;
        return Some(draft);
    }

    // Peers without a name are numbered from the second one at an endpoint.
    let endpoint = draft.peer.endpoint();
    let count = endpoints.entry(endpoint.clone()).or_default();
    *count += 1;
    draft.peer.name = match *count {
        1 => endpoint,
        count => format!("{endpoint}#{count}"),
    };
    Some(draft)
}

/// Reads a pool and its advertisements.
fn pool(item: Field<'_>, draft: &mut Draft, report: &mut Report<'_>) {
    let Some(mapping) = item.mapping(report) else { return };
    let words = ["name", "protocol", ADVERTISEMENTS];
    let words: Vec<&str> = words.into_iter().chain(extensions::POOL_KEYS).collect();
    only(&mapping, &words, &pools::KEYS, report);

    let name = required_name(&mapping, "the pool's name", report);
    let (mut pool, ranges) = pools::read(&mapping, Format::ConfigMap, report);
    let protocol = mapping.required("protocol", "bgp or layer2", report).and_then(|field| {
        field.choice(report, &[("bgp", Protocol::Bgp), ("layer2", Protocol::Layer2)])
    });
    extensions::read_pool(&mapping, "", &mut pool, report);
    let advertisements = advertisements(&mapping, protocol, report);

    // Placeholders stand in for unreadable values, so that the pool is still compared with others.
    let place = item.place(report);
    let (name, name_place) =
        name.unwrap_or_else(|| (format!("#{}", draft.pools.len()), place.clone()));
    let protocol = protocol.unwrap_or(Protocol::Bgp);
    match protocol {
        Protocol::Bgp => add_bgp_advertisements(&name, advertisements, &place, draft),
        Protocol::Layer2 => add_l2_advertisement(&name, &place, draft),
    }

    (pool.name, pool.protocol) = (name, protocol);
    draft.pools.push(PoolDraft {
        pool,
        place: name_place,
        ranges,
        seniority: Seniority::default(),
    });
}

fn advertisements(
    pool: &Mapping<'_>,
    protocol: Option<Protocol>,
    report: &mut Report<'_>,
) -> Vec<BgpAdvertisementDraft> {
    let Some(list) = pool.get(ADVERTISEMENTS) else { return Vec::new() };
    let items: Vec<_> = list.list(report).collect();

    let mut advertisements = Vec::new();
    for item in items {
        let Some(mapping) = item.mapping_or_null(report) else { continue };
        only(&mapping, &[], &advertisements::CONFIG_MAP_KEYS, report);
        advertisements.push(advertisements::bgp(&mapping, &item, Format::ConfigMap, report));
    }

    if protocol == Some(Protocol::Layer2) && !list.is_empty_list() {
        list.error(report, "a layer2 pool has no BGP advertisements, expected protocol bgp");
    }
    advertisements
}

/// Adds the advertisements of a pool, with the names that MetalLB's converter gives them. As in MetalLB, a pool without
/// advertisements has one of host routes without attributes.
fn add_bgp_advertisements(
    pool: &str,
    mut advertisements: Vec<BgpAdvertisementDraft>,
    place: &Place,
    draft: &mut Draft,
) {
    if advertisements.is_empty() {
        advertisements.push(default_advertisement(place));
    }
    for mut added in advertisements {
        let number = draft.bgp_advertisements.len() + 1;
        added.advertisement.name = format!("bgpadvertisement{number}");
        added.advertisement.pools = PoolSelection::only(pool);
        draft.bgp_advertisements.push(added);
    }
}

fn default_advertisement(place: &Place) -> BgpAdvertisementDraft {
    BgpAdvertisementDraft::new(place.clone())
}

fn add_l2_advertisement(pool: &str, place: &Place, draft: &mut Draft) {
    let name = format!("l2advertisement{}", draft.l2_advertisements.len() + 1);
    let mut advertisement = L2Advertisement::new(name);
    advertisement.pools = PoolSelection::only(pool);
    let pools = Vec::new();
    draft.l2_advertisements.push(L2AdvertisementDraft {
        advertisement,
        place: place.clone(),
        pools,
    });
}

fn bfd_profile(item: Field<'_>, report: &mut Report<'_>) -> Option<BfdProfileDraft> {
    let mapping = item.mapping(report)?;
    only(&mapping, &["name"], &bfd_profiles::KEYS, report);
    let name = required_name(&mapping, "the profile's name", report);
    let mut profile = bfd_profiles::read(&mapping, Format::ConfigMap, report);

    let (name, place) = name?;
    profile.name = name;
    Some(BfdProfileDraft { profile, place })
}

/// Reports every key that is neither one of the words nor one of the keys.
fn only(mapping: &Mapping<'_>, words: &[&str], keys: &[Key], report: &mut Report<'_>) {
    let keys = keys.iter().map(|key| key.of(Format::ConfigMap));
    let known: Vec<&str> = words.iter().copied().chain(keys).collect();
    mapping.only(&known, report);
}

fn required_name(
    mapping: &Mapping<'_>,
    expected: &str,
    report: &mut Report<'_>,
) -> Option<(String, Place)> {
    name(mapping.required("name", expected, report)?, expected, report)
}

fn name(field: Field<'_>, expected: &str, report: &mut Report<'_>) -> Option<(String, Place)> {
    let name = field.text(report)?;
    if name.is_empty() {
        field.expected(report, expected);
        return None;
    }
    Some((name.to_owned(), field.place(report)))
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
