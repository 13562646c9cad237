//! Advertisements: entries of `bgp-advertisements` in the ConfigMap, BGPAdvertisement and L2Advertisement resources.

use std::collections::BTreeSet;

use super::draft::{BgpAdvertisementDraft, L2AdvertisementDraft, Reference};
use super::field::{Field, Mapping};
use super::key::{Format, Key};
use super::report::Report;
use super::selectors;
use crate::model::{IpFamily, L2Advertisement, PoolSelection};

/// Reads a BGP advertisement, without its name. Only resources select pools.
pub(crate) fn bgp(
    mapping: &Mapping<'_>,
    at: &Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> BgpAdvertisementDraft {
    let mut draft = BgpAdvertisementDraft::new(at.place(report));
    attributes(mapping, &mut draft, format, report);
    draft.communities = references(mapping, COMMUNITIES.of(format), format, report);

    let advertisement = &mut draft.advertisement;
    advertisement.node_selectors =
        selectors::selectors(mapping, NODE_SELECTORS.of(format), format, report);
    advertisement.service_selectors =
        selectors::selectors(mapping, SERVICE_SELECTORS.of(format), format, report);
    let is_host_routes =
        (advertisement.aggregation_length, advertisement.aggregation_length_v6) == (32, 128);
    if let Some(field) = mapping.get(SERVICE_SELECTORS.of(format))
        && !advertisement.service_selectors.is_empty()
        && !is_host_routes
    {
        let message = "service selectors only work with host routes, expected no aggregation";
        field.error(report, message);
    }

    draft.peers = references(mapping, PEERS.of(format), format, report);
    advertisement.peers = draft.peers.iter().map(|peer| peer.name.clone()).collect();
    (advertisement.pools, draft.pools) = pools(mapping, format, report);
    draft
}

/// Reads the aggregation lengths and the local preference.
fn attributes(
    mapping: &Mapping<'_>,
    draft: &mut BgpAdvertisementDraft,
    format: Format,
    report: &mut Report<'_>,
) {
    let advertisement = &mut draft.advertisement;
    let shortest = match format {
        Format::ConfigMap => 0,
        Format::Resources => 1,
    };
    if let Some(field) = mapping.get(LENGTH.of(format)) {
        draft.length = Some(field.place(report));
        if let Some(length) = field.integer(report, shortest..=IpFamily::Ipv4.bits()) {
            advertisement.aggregation_length = length;
        }
    }
    if let Some(field) = mapping.get(LENGTH_V6.of(format)) {
        draft.length_v6 = Some(field.place(report));
        if let Some(length) = field.integer(report, 0..=IpFamily::Ipv6.bits()) {
            advertisement.aggregation_length_v6 = length;
        }
    }

    if let Some(field) = mapping.get(LOCAL_PREF.of(format)) {
        draft.local_pref = Some(field.place(report));
        // As in MetalLB, 0 means not configured.
        let preference = field.integer(report, 0..=u32::MAX);
        advertisement.local_pref = preference.filter(|preference| *preference != 0);
    }
}

/// Reads an L2Advertisement, without its name.
pub(crate) fn l2(
    mapping: &Mapping<'_>,
    at: &Field<'_>,
    report: &mut Report<'_>,
) -> L2AdvertisementDraft {
    let format = Format::Resources;
    let mut advertisement = L2Advertisement::new("");
    let (selection, pools) = pools(mapping, format, report);
    advertisement.pools = selection;
    advertisement.node_selectors =
        selectors::selectors(mapping, NODE_SELECTORS.of(format), format, report);
    advertisement.service_selectors =
        selectors::selectors(mapping, SERVICE_SELECTORS.of(format), format, report);

    let interfaces = references(mapping, INTERFACES, format, report);
    advertisement.interfaces = interfaces.into_iter().map(|interface| interface.name).collect();
    check_preferred_nodes(mapping, report);
    L2AdvertisementDraft { advertisement, place: at.place(report), pools }
}

/// Checks the preferred nodes. They only concern programs that announce layer 2.
fn check_preferred_nodes(mapping: &Mapping<'_>, report: &mut Report<'_>) {
    let Some(list) = mapping.get(PREFERRED_NODES) else { return };
    let items: Vec<_> = list.list(report).collect();

    for item in items {
        let Some(entry) = item.mapping(report) else { continue };
        entry.only(&["weight", "preference"], report);
        if let Some(weight) = entry.required("weight", "a number from 1 to 100", report) {
            weight.integer(report, 1..=100_u8);
        }
        if let Some(preference) = entry.required("preference", "a label selector", report) {
            selectors::selector(preference, Format::Resources, report);
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
        selectors: selectors::selectors(mapping, POOL_SELECTORS.of(format), format, report),
    };
    (selection, named)
}

/// Reads a list of names. In a resource it is an error if a name is listed twice.
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
        let Some(reference) = Reference::read(item, format, report) else { continue };
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
/// In the ConfigMap an advertisement belongs to the pool that it is written in.
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
