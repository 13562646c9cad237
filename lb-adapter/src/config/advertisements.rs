//! How addresses are announced: entries of `bgp-advertisements` in the ConfigMap, BGPAdvertisement
//! and L2Advertisement resources.

use std::collections::BTreeSet;

use super::draft::{BgpDraft, Format, Key, L2Draft, Reference, Seniority};
use super::field::{Field, Mapping};
use super::labels;
use super::peers::reference;
use super::report::Report;
use crate::model::{BgpAdvertisement, IpFamily, L2Advertisement, PoolSelection};

/// Reads an advertisement by BGP, without its name. Which pools it is for only resources say.
pub(crate) fn bgp(
    mapping: &Mapping<'_>,
    at: &Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> BgpDraft {
    let mut advertisement = BgpAdvertisement::new("");
    let least = match format {
        Format::ConfigMap => 0,
        Format::Resources => 1,
    };
    let length = mapping.get(LENGTH.of(format));
    if let Some(length) = length.and_then(|it| it.integer(report, least..=IpFamily::Ipv4.bits())) {
        advertisement.aggregation_length = length;
    }
    let length_v6 = mapping.get(LENGTH_V6.of(format));
    if let Some(length) = length_v6.and_then(|it| it.integer(report, 0..=IpFamily::Ipv6.bits())) {
        advertisement.aggregation_length_v6 = length;
    }
    let local_pref = mapping.get(LOCAL_PREF.of(format));
    // As in MetalLB, 0 is not configured.
    advertisement.local_pref =
        local_pref.and_then(|field| field.integer(report, 0..=u32::MAX)).filter(|it| *it != 0);
    let communities = references(mapping, COMMUNITIES.of(format), format, report);
    advertisement.node_selectors =
        labels::selectors(mapping, NODE_SELECTORS.of(format), format, report);
    advertisement.service_selectors =
        labels::selectors(mapping, SERVICE_SELECTORS.of(format), format, report);
    let host_routes =
        (advertisement.aggregation_length, advertisement.aggregation_length_v6) == (32, 128);
    if let Some(field) = mapping.get(SERVICE_SELECTORS.of(format))
        && !advertisement.service_selectors.is_empty()
        && !host_routes
    {
        field.error(report, "only host routes can be for some Services, expected no aggregation");
    }
    let peers = references(mapping, PEERS.of(format), format, report);
    advertisement.peers = peers.iter().map(|peer| peer.name.clone()).collect();
    let (selection, pools) = pools(mapping, format, report);
    advertisement.pools = selection;
    let placed = |field: Option<Field<'_>>| field.map(|field| report.place_of(&field));
    BgpDraft {
        length: placed(length),
        length_v6: placed(length_v6),
        local_pref: placed(local_pref),
        advertisement,
        place: report.place_of(at),
        communities,
        pools,
        peers,
        seniority: Seniority::default(),
    }
}

/// Reads an L2Advertisement, without its name.
pub(crate) fn l2(mapping: &Mapping<'_>, at: &Field<'_>, report: &mut Report<'_>) -> L2Draft {
    let format = Format::Resources;
    let mut advertisement = L2Advertisement::new("");
    let (selection, pools) = pools(mapping, format, report);
    advertisement.pools = selection;
    advertisement.node_selectors =
        labels::selectors(mapping, NODE_SELECTORS.of(format), format, report);
    advertisement.service_selectors =
        labels::selectors(mapping, SERVICE_SELECTORS.of(format), format, report);
    advertisement.interfaces =
        references(mapping, INTERFACES, format, report).into_iter().map(|it| it.name).collect();
    preferred_nodes(mapping, report);
    L2Draft { advertisement, place: report.place_of(at), pools }
}

/// Which node answers matters to those who do it; here it need only be right.
fn preferred_nodes(mapping: &Mapping<'_>, report: &mut Report<'_>) {
    let Some(list) = mapping.get(PREFERRED_NODES) else { return };
    let items: Vec<_> = list.list(report).collect();
    for item in items {
        let Some(entry) = item.mapping(report) else { continue };
        entry.only(&["weight", "preference"], report);
        if let Some(weight) = entry.required("weight", "a number from 1 to 100", report) {
            weight.integer(report, 1..=100_u8);
        }
        if let Some(preference) = entry.required("preference", "a label selector", report) {
            labels::selector(preference, Format::Resources, report);
        }
    }
}

fn pools(
    mapping: &Mapping<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> (PoolSelection, Vec<Reference>) {
    let named = references(mapping, POOLS.of(format), format, report);
    let selection = PoolSelection {
        names: named.iter().map(|pool| pool.name.clone()).collect(),
        selectors: labels::selectors(mapping, POOL_SELECTORS.of(format), format, report),
    };
    (selection, named)
}

/// A list of names; one that is listed twice is an error in a resource.
fn references(
    mapping: &Mapping<'_>,
    key: &str,
    format: Format,
    report: &mut Report<'_>,
) -> Vec<Reference> {
    let Some(list) = mapping.get(key) else { return Vec::new() };
    let items: Vec<_> = list.list(report).collect();
    let mut seen = BTreeSet::new();
    let mut references = Vec::new();
    for item in items {
        let Some(reference) = reference(item, format, report) else { continue };
        if !seen.insert(reference.name.clone()) && format == Format::Resources {
            item.error(report, format!("{} is listed twice", item.shown()));
        }
        references.push(reference);
    }
    references
}

const LENGTH: Key = Key("aggregation-length", "aggregationLength");
const LENGTH_V6: Key = Key("aggregation-length-v6", "aggregationLengthV6");
const LOCAL_PREF: Key = Key("localpref", "localPref");
const COMMUNITIES: Key = Key("communities", "communities");
const NODE_SELECTORS: Key = Key("node-selectors", "nodeSelectors");
const PEERS: Key = Key("peers", "peers");
const SERVICE_SELECTORS: Key = Key("service-selectors", "serviceSelectors");
/// In the ConfigMap an advertisement is the pool's that it is written in.
const POOLS: Key = Key("", "ipAddressPools");
const POOL_SELECTORS: Key = Key("", "ipAddressPoolSelectors");
const INTERFACES: &str = "interfaces";
const PREFERRED_NODES: &str = "preferredNodeSelectors";

/// The keys of an entry of `bgp-advertisements`.
pub(crate) const CONFIG_MAP_KEYS: [Key; 7] =
    [LENGTH, LENGTH_V6, LOCAL_PREF, COMMUNITIES, NODE_SELECTORS, PEERS, SERVICE_SELECTORS];
/// The keys of a BGPAdvertisement.
pub(crate) const BGP_KEYS: [Key; 9] = [
    LENGTH,
    LENGTH_V6,
    LOCAL_PREF,
    COMMUNITIES,
    POOLS,
    POOL_SELECTORS,
    NODE_SELECTORS,
    PEERS,
    SERVICE_SELECTORS,
];
/// The keys of an L2Advertisement.
pub(crate) const L2_KEYS: [&str; 6] =
    [POOLS.1, POOL_SELECTORS.1, NODE_SELECTORS.1, INTERFACES, SERVICE_SELECTORS.1, PREFERRED_NODES];
