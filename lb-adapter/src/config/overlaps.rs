//! What must hold of address ranges among each other, and of aggregates among them.

use ipnet::IpNet;

use super::diagnostic::Diagnostic;
use super::draft::{Format, PoolDraft};
use super::report::{self, Place};
use crate::model::{AddressRange, IpFamily, Pool};

/// A range, where it is written, and the how manieth it is of all.
struct Placed<'a> {
    range: AddressRange,
    place: &'a Place,
    order: usize,
}

/// Reports each range that has addresses of another one, at the place that comes later.
pub(super) fn check(pools: &[PoolDraft], diagnostics: &mut Vec<Diagnostic>) {
    // The overlap is reported on the younger pool, and names do not matter.
    let mut pools: Vec<_> = pools.iter().collect();
    pools.sort_by_key(|draft| draft.seniority);
    let all = pools.iter().flat_map(|draft| draft.pool.ranges.iter().zip(&draft.ranges));
    let mut ranges: Vec<_> = all
        .enumerate()
        .map(|(order, (range, place))| Placed { range: *range, place, order })
        .collect();
    ranges.sort_by_key(|it| (it.range.first(), it.range.last(), it.order));
    // Of the ranges up to here, the one that reaches furthest: if the next one overlaps any, then
    // that one. Families do not mix, since all of IPv4 is sorted before IPv6.
    let mut furthest: Option<&Placed<'_>> = None;
    for placed in &ranges {
        if let Some(other) = furthest.filter(|other| other.range.overlaps(&placed.range)) {
            let (first, second) = match other.order <= placed.order {
                true => (other, placed),
                false => (placed, other),
            };
            let message = format!(
                "{} overlaps {} of {} at {}",
                second.range,
                first.range,
                first.place.path,
                first.place.shown()
            );
            report::error(diagnostics, second.place, message);
        }
        let further = |other: &Placed<'_>| {
            placed.range.family() != other.range.family()
                || placed.range.last() > other.range.last()
        };
        if furthest.is_none_or(further) {
            furthest = Some(placed);
        }
    }
}

/// Reports an aggregate that is wider than the pool's prefixes; which ones count depends on the
/// format.
pub(super) fn aggregation_fits(
    pool: &Pool,
    family: IpFamily,
    length: u8,
    format: Format,
    place: &Place,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let ranges = pool.ranges.iter().filter(|range| range.family() == family);
    let piece = |range: &AddressRange| match format {
        Format::ConfigMap => range.prefixes().max_by_key(IpNet::prefix_len),
        Format::Resources => range.prefixes().min_by_key(IpNet::prefix_len),
    };
    let longest = ranges
        .filter_map(|range| Some((piece(range)?, range)))
        .max_by_key(|(piece, _)| piece.prefix_len());
    let Some((piece, range)) = longest.filter(|(piece, _)| piece.prefix_len() > length) else {
        return;
    };
    let mut of = match piece.to_string() == range.to_string() {
        true => String::new(),
        false => format!(", a part of {range}"),
    };
    if format == Format::Resources {
        of.push_str(&format!(" of pool {:?}", pool.name));
    }
    let most = family.bits();
    let expected = match piece.prefix_len() {
        shortest if shortest == most => most.to_string(),
        shortest => format!("a number from {shortest} to {most}"),
    };
    let message = format!("{length} is shorter than {piece}{of}, expected {expected}");
    report::error(diagnostics, place, message);
}
