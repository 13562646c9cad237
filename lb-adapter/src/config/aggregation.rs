//! Aggregates that would cover addresses outside the pool.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::diagnostic::Diagnostic;
use super::draft::{Draft, PoolDraft};
use super::key::Format;
use super::place::Place;
use super::report;
use crate::model::{AddressRange, IpFamily, Pool, PoolSelection};

/// Reports aggregation lengths that are too short for a selected pool.
///
/// In the ConfigMap an aggregate may not be shorter than any prefix that the pool's ranges consist of, as in MetalLB 0.7.3. In
/// resources it may not be shorter than the widest prefix of each range, as in current MetalLB.
pub(super) fn check(draft: &Draft, diagnostics: &mut Vec<Diagnostic>) {
    let by_name: BTreeMap<&str, &PoolDraft> =
        draft.pools.iter().map(|it| (it.pool.name.as_str(), it)).collect();

    for advertised in &draft.bgp_advertisements {
        let advertisement = &advertised.advertisement;
        let places =
            [(IpFamily::Ipv4, &advertised.length), (IpFamily::Ipv6, &advertised.length_v6)];
        for (family, place) in places {
            let Some(place) = place else { continue };
            let length = advertisement.aggregation_length_for(family);
            for pool in selected_pools(&advertisement.pools, &by_name) {
                check_length(pool, family, length, draft.format, place, diagnostics);
            }
        }
    }
}

/// Returns the selected pools, each once.
fn selected_pools<'a>(
    selection: &PoolSelection,
    by_name: &BTreeMap<&str, &'a PoolDraft>,
) -> Vec<&'a Pool> {
    // There may be many pools, so those selected by name are looked up.
    if selection.selectors.is_empty() && !selection.is_all() {
        let mut seen = BTreeSet::new();
        let names = selection.names.iter().filter(|name| seen.insert(name.as_str()));
        let named = names.filter_map(|name| by_name.get(name.as_str()));
        return named.map(|draft| &draft.pool).collect();
    }
    let all = by_name.values().map(|draft| &draft.pool);
    all.filter(|pool| selection.selects(pool)).collect()
}

fn check_length(
    pool: &Pool,
    family: IpFamily,
    length: u8,
    format: Format,
    place: &Place,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut narrowest: Option<(IpNet, &AddressRange)> = None;
    for range in pool.ranges.iter().filter(|range| range.family() == family) {
        let Some(prefix) = decisive_prefix(range, format) else { continue };
        if narrowest.is_none_or(|(other, _)| prefix.prefix_len() >= other.prefix_len()) {
            narrowest = Some((prefix, range));
        }
    }
    let Some((prefix, range)) = narrowest else { return };
    let shortest = prefix.prefix_len();
    if shortest <= length {
        return;
    }

    let mut context = String::new();
    if prefix.to_string() != range.to_string() {
        context.push_str(&format!(", a part of {range}"));
    }
    if format == Format::Resources {
        context.push_str(&format!(" of pool {:?}", pool.name));
    }
    let longest = family.bits();
    let expected = if shortest == longest {
        longest.to_string()
    } else {
        format!("a number from {shortest} to {longest}")
    };
    let message = format!("{length} is shorter than {prefix}{context}, expected {expected}");
    report::error(diagnostics, place, message);
}

/// Returns the prefix of a range that an aggregate is compared with.
fn decisive_prefix(range: &AddressRange, format: Format) -> Option<IpNet> {
    match format {
        Format::ConfigMap => range.prefixes().max_by_key(IpNet::prefix_len),
        Format::Resources => range.prefixes().min_by_key(IpNet::prefix_len),
    }
}
