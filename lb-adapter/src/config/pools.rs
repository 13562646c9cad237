//! `address-pools`: what addresses there are and how they are announced.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::communities::{self, Aliases};
use super::field::{Field, Mapping};
use super::report::Report;
use super::yaml::Position;
use crate::model::{
    AddressRange, BgpAdvertisement, IpFamily, L2Advertisement, Pool, PoolSelection, Protocol,
    RangeError,
};

/// The pools, and how they are announced.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    pub(crate) pools: Vec<Pool>,
    pub(crate) bgp_advertisements: Vec<BgpAdvertisement>,
    pub(crate) l2_advertisements: Vec<L2Advertisement>,
}

impl Pools {
    /// Takes a pool with its advertisements, which get the names that MetalLB's converter gives.
    fn add(&mut self, pool: Pool, advertisements: Vec<BgpAdvertisement>) {
        for mut advertisement in advertisements {
            advertisement.name = format!("bgpadvertisement{}", self.bgp_advertisements.len() + 1);
            advertisement.pools = PoolSelection::only(&pool.name);
            self.bgp_advertisements.push(advertisement);
        }
        if pool.protocol == Protocol::Layer2 {
            let name = format!("l2advertisement{}", self.l2_advertisements.len() + 1);
            let mut advertisement = L2Advertisement::new(name);
            advertisement.pools = PoolSelection::only(&pool.name);
            self.l2_advertisements.push(advertisement);
        }
        self.pools.push(pool);
    }
}

/// Reads the list.
pub(crate) fn read(field: Field<'_>, aliases: &Aliases, report: &mut Report<'_>) -> Pools {
    let items: Vec<_> = field.list(report).collect();
    let mut pools = Pools::default();
    let mut ranges = Vec::new();
    let mut names = BTreeMap::new();
    for item in &items {
        let Some(mapping) = item.mapping(report) else { continue };
        mapping.only(&KEYS, report);
        let name = name(&mapping, &mut names, report);
        let placed = addresses(&mapping, report);
        if let Some((pool, advertisements)) = pool(&mapping, name, &placed, aliases, report) {
            pools.add(pool, advertisements);
        }
        ranges.extend(placed);
    }
    overlaps(ranges, report);
    pools
}

/// A range and where it is written.
#[derive(Clone)]
struct Placed {
    range: AddressRange,
    path: String,
    position: Position,
}

fn name(
    pool: &Mapping<'_>,
    names: &mut BTreeMap<String, Position>,
    report: &mut Report<'_>,
) -> Option<String> {
    let field = pool.required("name", "the pool's name", report)?;
    let name = field.text(report)?;
    if name.is_empty() {
        field.expected(report, "the pool's name");
        return None;
    }
    if let Some(first) = names.get(name) {
        let first = report.place(*first);
        field.error(report, format!("another pool is named {} at {first}", field.shown()));
        return None;
    }
    names.insert(name.to_owned(), field.position());
    Some(name.to_owned())
}

fn pool(
    mapping: &Mapping<'_>,
    name: Option<String>,
    placed: &[Placed],
    aliases: &Aliases,
    report: &mut Report<'_>,
) -> Option<(Pool, Vec<BgpAdvertisement>)> {
    let protocol = mapping.required("protocol", "bgp or layer2", report).and_then(|field| {
        field.choice(report, &[("bgp", Protocol::Bgp), ("layer2", Protocol::Layer2)])
    });
    let auto_assign = mapping.get("auto-assign").and_then(|field| field.boolean(report));
    let avoid_buggy_ips = mapping.get("avoid-buggy-ips").and_then(|field| field.boolean(report));
    let listed = mapping.get("bgp-advertisements");
    let advertisements: Vec<_> = match &listed {
        Some(list) => {
            let items: Vec<_> = list.list(report).collect();
            items.iter().filter_map(|it| advertisement(*it, placed, aliases, report)).collect()
        }
        None => Vec::new(),
    };
    if let (Some(Protocol::Layer2), Some(list)) = (protocol, &listed)
        && !list.is_empty_list()
    {
        list.error(report, "a layer2 pool has no BGP advertisements, expected protocol bgp");
    }
    let mut pool = Pool::new(name?, placed.iter().map(|it| it.range).collect());
    pool.protocol = protocol?;
    pool.auto_assign = auto_assign.unwrap_or(true);
    pool.avoid_buggy_ips = avoid_buggy_ips.unwrap_or(false);
    let advertisements = match pool.protocol {
        Protocol::Layer2 => Vec::new(),
        // As in MetalLB, an empty list is the default too.
        Protocol::Bgp if advertisements.is_empty() => vec![BgpAdvertisement::new("")],
        Protocol::Bgp => advertisements,
    };
    Some((pool, advertisements))
}

fn addresses(pool: &Mapping<'_>, report: &mut Report<'_>) -> Vec<Placed> {
    let Some(list) = pool.required("addresses", "at least one prefix or range", report) else {
        return Vec::new();
    };
    if list.is_empty_list() {
        list.error(report, "empty, expected at least one prefix or range");
    }
    let items: Vec<_> = list.list(report).collect();
    let placed = items.iter().filter_map(|field| {
        let range = address_range(*field, report)?;
        Some(Placed { range, path: field.path.to_string(), position: field.position() })
    });
    placed.collect()
}

fn address_range(field: Field<'_>, report: &mut Report<'_>) -> Option<AddressRange> {
    let text = field.text(report)?;
    let range = match text.parse::<AddressRange>() {
        Ok(range) => range,
        Err(error) => {
            let hint = match (error, text.parse::<IpAddr>()) {
                (RangeError::Syntax, Ok(address)) => {
                    format!("write {address}/{} for one address", IpFamily::of(address).bits())
                }
                _ => error.to_string(),
            };
            field.error(report, format!("{} is no address range, {hint}", field.shown()));
            return None;
        }
    };
    if let Ok(prefix) = text.parse::<IpNet>()
        && prefix.addr() != prefix.network()
    {
        field.warning(report, format!("{text} has host bits set, taken as {range}"));
    }
    if let Some(special) = special(range) {
        let message = format!("{range} has addresses of {special}, which are not for Services");
        field.warning(report, message);
    }
    Some(range)
}

fn advertisement(
    field: Field<'_>,
    placed: &[Placed],
    aliases: &Aliases,
    report: &mut Report<'_>,
) -> Option<BgpAdvertisement> {
    let mapping = field.mapping(report)?;
    mapping.only(&["aggregation-length", "localpref", "communities"], report);
    let mut advertisement = BgpAdvertisement::new("");
    if let Some(field) = mapping.get("aggregation-length")
        && let Some(length) = field.integer(report, 0..=IpFamily::Ipv4.bits())
    {
        advertisement.aggregation_length = length;
        aggregation_fits(field, length, placed, report);
    }
    // As in MetalLB, 0 is not configured.
    advertisement.local_pref = mapping
        .get("localpref")
        .and_then(|field| field.integer(report, 0..=u32::MAX))
        .filter(|value| *value != 0);
    if let Some(list) = mapping.get("communities") {
        let items: Vec<_> = list.list(report).collect();
        let communities = items.iter().filter_map(|it| communities::resolve(*it, aliases, report));
        advertisement.communities = communities.collect::<BTreeSet<_>>();
    }
    Some(advertisement)
}

/// An aggregate must lie within the pool: it may not be shorter than the prefixes that the pool's
/// IPv4 ranges are made of.
fn aggregation_fits(field: Field<'_>, length: u8, placed: &[Placed], report: &mut Report<'_>) {
    let ranges = placed.iter().map(|it| it.range).filter(|it| it.family() == IpFamily::Ipv4);
    let longest = ranges
        .filter_map(|range| {
            let piece = range.prefixes().max_by_key(IpNet::prefix_len)?;
            Some((piece, range))
        })
        .max_by_key(|(piece, _)| piece.prefix_len());
    let Some((piece, range)) = longest.filter(|(piece, _)| piece.prefix_len() > length) else {
        return;
    };
    let of = match piece.to_string() == range.to_string() {
        true => String::new(),
        false => format!(", a part of {range}"),
    };
    let expected = match piece.prefix_len() {
        32 => "32".to_owned(),
        shortest => format!("a number from {shortest} to 32"),
    };
    field.error(report, format!("{length} is shorter than {piece}{of}, expected {expected}"));
}

/// Reports each range that has addresses of another one, at the place that is later in the text.
fn overlaps(mut ranges: Vec<Placed>, report: &mut Report<'_>) {
    ranges.sort_by_key(|it| (it.range.first(), it.range.last(), it.position));
    // Of the ranges up to here, the one that reaches furthest: if the next one overlaps any, then
    // that one. Families do not mix, since all of IPv4 is sorted before IPv6.
    let mut furthest: Option<&Placed> = None;
    for placed in &ranges {
        if let Some(other) = furthest.filter(|other| other.range.overlaps(&placed.range)) {
            let (first, second) = match other.position <= placed.position {
                true => (other, placed),
                false => (placed, other),
            };
            let message = format!(
                "{} overlaps {} of {} at {}",
                second.range,
                first.range,
                first.path,
                report.place(first.position)
            );
            report.error(&second.path, second.position, message);
        }
        let further = |other: &Placed| {
            placed.range.family() != other.range.family()
                || placed.range.last() > other.range.last()
        };
        if furthest.is_none_or(further) {
            furthest = Some(placed);
        }
    }
}

/// A prefix of addresses that are no host's, or no other host's, if the range has some of them.
fn special(range: AddressRange) -> Option<IpNet> {
    let v4 = |a, length| IpNet::new(Ipv4Addr::new(a, 0, 0, 0).into(), length);
    let v6 = |address: Ipv6Addr, length| IpNet::new(address.into(), length);
    [
        v4(0, 8),
        v4(127, 8),
        v4(224, 3),
        v6(Ipv6Addr::UNSPECIFIED, 127),
        v6(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96),
        v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
        v6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
    ]
    .into_iter()
    .flatten()
    .find(|special| range.overlaps(&AddressRange::from_prefix(*special)))
}

const KEYS: [&str; 6] =
    ["name", "protocol", "addresses", "avoid-buggy-ips", "auto-assign", "bgp-advertisements"];

#[cfg(test)]
#[path = "pools_tests.rs"]
mod tests;
