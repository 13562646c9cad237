//! [`AsnSet`]: the AS numbers that a policy matches.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::Asn;

/// A set of AS numbers, single ones and ranges. A search is binary. Clones share the set.
///
/// ```
/// use bgp_core::Asn;
/// use bgp_core::policy::AsnSet;
///
/// let set: AsnSet = [Asn(64_500), Asn(64_501)].into();
/// assert!(set.contains(Asn(64_501)) && !set.contains(Asn(64_502)));
/// assert!(AsnSet::private().contains(Asn(64_512)));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "Vec<(Asn, Asn)>", into = "Vec<(Asn, Asn)>"))]
pub struct AsnSet {
    /// The first and the last number of each range, in order. Ranges neither overlap nor touch.
    ranges: Arc<[(Asn, Asn)]>,
}

impl AsnSet {
    /// The numbers for private use (RFC 6996).
    #[must_use]
    pub fn private() -> Self {
        [Asn(64_512)..=Asn(65_534), Asn(4_200_000_000)..=Asn(4_294_967_294)].into_iter().collect()
    }

    /// The numbers that no AS on the Internet has: 0 (RFC 7607), AS_TRANS (RFC 6793), those for documentation (RFC 5398), for
    /// private use (RFC 6996), the last of two and of four octets (RFC 7300), and those that IANA reserves between them.
    #[must_use]
    pub fn martians() -> Self {
        let ranges = [
            Asn::ZERO..=Asn::ZERO,
            Asn::TRANS..=Asn::TRANS,
            Asn(64_496)..=Asn(131_071),
            Asn(4_200_000_000)..=Asn(u32::MAX),
        ];
        ranges.into_iter().collect()
    }

    /// Returns true if the set has the number.
    #[must_use]
    pub fn contains(&self, asn: Asn) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= asn);
        let before = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        before.is_some_and(|(_, last)| asn <= *last)
    }

    /// Returns true if the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges of numbers, in order.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<Asn>> {
        self.ranges.iter().map(|(first, last)| *first..=*last)
    }
}

impl FromIterator<RangeInclusive<Asn>> for AsnSet {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<Asn>>>(ranges: I) -> Self {
        let mut sorted: Vec<(Asn, Asn)> = ranges
            .into_iter()
            .filter(|it| !it.is_empty())
            .map(RangeInclusive::into_inner)
            .collect();
        sorted.sort_unstable();

        let mut merged: Vec<(Asn, Asn)> = Vec::new();
        for (first, last) in sorted {
            match merged.last_mut() {
                Some(before) if first.0 <= before.1.0.saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged.into() }
    }
}

impl FromIterator<Asn> for AsnSet {
    fn from_iter<I: IntoIterator<Item = Asn>>(asns: I) -> Self {
        asns.into_iter().map(|asn| asn..=asn).collect()
    }
}

impl<const N: usize> From<[Asn; N]> for AsnSet {
    fn from(asns: [Asn; N]) -> Self {
        asns.into_iter().collect()
    }
}

impl From<Asn> for AsnSet {
    fn from(asn: Asn) -> Self {
        [asn].into()
    }
}

impl From<RangeInclusive<Asn>> for AsnSet {
    fn from(range: RangeInclusive<Asn>) -> Self {
        std::iter::once(range).collect()
    }
}

/// The form that is serialized: the first and the last number of each range.
impl From<Vec<(Asn, Asn)>> for AsnSet {
    fn from(ranges: Vec<(Asn, Asn)>) -> Self {
        ranges.into_iter().map(|(first, last)| first..=last).collect()
    }
}

impl From<AsnSet> for Vec<(Asn, Asn)> {
    fn from(set: AsnSet) -> Self {
        set.ranges.to_vec()
    }
}

impl fmt::Debug for AsnSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.ranges()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_overlap_or_touch_become_one() {
        let set: AsnSet =
            [Asn(5)..=Asn(9), Asn(1)..=Asn(2), Asn(3)..=Asn(3), Asn(8)..=Asn(12), Asn(7)..=Asn(6)]
                .into_iter()
                .collect();
        assert_eq!(set.ranges().collect::<Vec<_>>(), [Asn(1)..=Asn(3), Asn(5)..=Asn(12)]);
        for (asn, inside) in [(0, false), (1, true), (3, true), (4, false), (12, true), (13, false)]
        {
            assert_eq!(set.contains(Asn(asn)), inside, "{asn}");
        }
        assert!(AsnSet::from(Asn(u32::MAX)).contains(Asn(u32::MAX)));
        assert!(!AsnSet::default().contains(Asn(1)));
    }

    #[test]
    fn numbers_of_the_internet_are_no_martians() {
        for asn in [1, 3_320, 64_495, 131_072, 4_199_999_999] {
            assert!(!AsnSet::martians().contains(Asn(asn)), "{asn}");
        }
        for asn in [0, 23_456, 64_496, 65_535, 65_551, 4_200_000_000, u32::MAX] {
            assert!(AsnSet::martians().contains(Asn(asn)), "{asn}");
        }
    }
}
