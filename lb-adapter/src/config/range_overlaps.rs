//! Address ranges of pools that overlap.

use super::diagnostic::Diagnostic;
use super::draft::PoolDraft;
use super::place::Place;
use super::report;
use crate::model::AddressRange;

/// A range, its place, and its rank in the order of seniority.
struct RankedRange<'a> {
    range: AddressRange,
    place: &'a Place,
    rank: usize,
}

/// Reports each range that overlaps another one, on the less senior pool.
pub(super) fn check(pools: &[PoolDraft], diagnostics: &mut Vec<Diagnostic>) {
    let ranges = sorted_ranges(pools);

    // If the next range overlaps any range before it, then also the one that reaches furthest. Families do not mix, because
    // all of IPv4 is sorted before IPv6.
    let mut furthest: Option<&RankedRange<'_>> = None;
    for next in &ranges {
        if let Some(other) = furthest
            && other.range.overlaps(&next.range)
        {
            report_overlap(other, next, diagnostics);
        }

        let reaches_further = furthest.is_none_or(|other| {
            next.range.family() != other.range.family() || next.range.last() > other.range.last()
        });
        if reaches_further {
            furthest = Some(next);
        }
    }
}

/// Returns the ranges of all pools in the order of their addresses.
fn sorted_ranges(pools: &[PoolDraft]) -> Vec<RankedRange<'_>> {
    let mut by_seniority: Vec<_> = pools.iter().collect();
    by_seniority.sort_by_key(|draft| draft.seniority);

    let mut ranges = Vec::new();
    for draft in by_seniority {
        for (range, place) in draft.pool.ranges.iter().zip(&draft.ranges) {
            ranges.push(RankedRange { range: *range, place, rank: ranges.len() });
        }
    }
    ranges.sort_by_key(|it| (it.range.first(), it.range.last(), it.rank));
    ranges
}

fn report_overlap(
    one: &RankedRange<'_>,
    other: &RankedRange<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let (first, second) = if one.rank <= other.rank { (one, other) } else { (other, one) };
    let message = format!(
        "{} overlaps {} of {} at {}",
        second.range, first.range, first.place.path, first.place
    );
    report::error(diagnostics, second.place, message);
}
