//! Patterns for communities: values, ranges and wildcards in each part.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::wire::{Community, LargeCommunity};

/// A pattern for standard communities, with a range in each half.
///
/// Its text format has a number, a range or an asterisk in each half: `64500:100`, `64500:100-199`, `64500:*`. Names of
/// well-known communities can be read too.
///
/// ```
/// use bgp_core::policy::CommunityMatch;
/// use bgp_core::wire::Community;
///
/// let ours: CommunityMatch = "64500:*".parse()?;
/// assert!(ours.matches(Community::new(64500, 7)) && !ours.matches(Community::NO_EXPORT));
/// # Ok::<(), bgp_core::policy::ParseCommunityMatchError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommunityMatch {
    asn: Part<u16>,
    value: Part<u16>,
}

/// A pattern for large communities, with a range in each of the three parts: `64500:1:*`, `*:100-199:7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargeCommunityMatch {
    parts: [Part<u32>; 3],
}

/// The values of one part of a community.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part<T> {
    first: T,
    last: T,
}

impl CommunityMatch {
    /// Matches communities whose halves are in these ranges.
    #[must_use]
    pub fn ranges(asn: RangeInclusive<u16>, value: RangeInclusive<u16>) -> Self {
        Self { asn: asn.into(), value: value.into() }
    }

    /// Matches all communities with this upper half.
    #[must_use]
    pub fn of_as(asn: u16) -> Self {
        Self::ranges(asn..=asn, 0..=u16::MAX)
    }

    /// Returns true if the community matches.
    #[must_use]
    pub fn matches(&self, community: Community) -> bool {
        self.asn.contains(community.asn()) && self.value.contains(community.value())
    }
}

impl LargeCommunityMatch {
    /// Matches large communities whose parts are in these ranges.
    #[must_use]
    pub fn ranges(
        global_administrator: RangeInclusive<u32>,
        local_data_1: RangeInclusive<u32>,
        local_data_2: RangeInclusive<u32>,
    ) -> Self {
        Self { parts: [global_administrator.into(), local_data_1.into(), local_data_2.into()] }
    }

    /// Matches all large communities of an AS.
    #[must_use]
    pub fn of_as(asn: u32) -> Self {
        Self::ranges(asn..=asn, 0..=u32::MAX, 0..=u32::MAX)
    }

    /// Returns true if the community matches.
    #[must_use]
    pub fn matches(&self, community: LargeCommunity) -> bool {
        let LargeCommunity { global_administrator, local_data_1, local_data_2 } = community;
        let values = [global_administrator, local_data_1, local_data_2];
        self.parts.iter().zip(values).all(|(part, value)| part.contains(value))
    }
}

impl From<Community> for CommunityMatch {
    fn from(community: Community) -> Self {
        let (asn, value) = (community.asn(), community.value());
        Self::ranges(asn..=asn, value..=value)
    }
}

impl From<LargeCommunity> for LargeCommunityMatch {
    fn from(community: LargeCommunity) -> Self {
        let LargeCommunity { global_administrator: a, local_data_1: b, local_data_2: c } =
            community;
        Self::ranges(a..=a, b..=b, c..=c)
    }
}

impl fmt::Display for CommunityMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.asn, self.value)
    }
}

impl fmt::Display for LargeCommunityMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.parts;
        write!(f, "{a}:{b}:{c}")
    }
}

impl FromStr for CommunityMatch {
    type Err = ParseCommunityMatchError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(community) = text.parse::<Community>() {
            return Ok(community.into());
        }
        let parts = text.split_once(':').and_then(|(asn, value)| {
            Some(Self { asn: Part::parse(asn)?, value: Part::parse(value)? })
        });
        parts.ok_or(ParseCommunityMatchError(
            "a community such as `64500:100`, `64500:100-199` or `64500:*`",
        ))
    }
}

impl FromStr for LargeCommunityMatch {
    type Err = ParseCommunityMatchError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_large(text).ok_or(ParseCommunityMatchError(
            "a large community such as `64500:1:2`, `64500:1:100-199` or `64500:*:*`",
        ))
    }
}

fn parse_large(text: &str) -> Option<LargeCommunityMatch> {
    let mut words = text.split(':').map(Part::parse);
    let parts = [words.next()??, words.next()??, words.next()??];
    words.next().is_none().then_some(LargeCommunityMatch { parts })
}

/// The text was not a pattern for communities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct ParseCommunityMatchError(&'static str);

/// A part of a community, of which every value is possible.
trait Number: Copy + Ord + fmt::Display + FromStr {
    const LEAST: Self;
    const MOST: Self;
}

impl Number for u16 {
    const LEAST: Self = Self::MIN;
    const MOST: Self = Self::MAX;
}

impl Number for u32 {
    const LEAST: Self = Self::MIN;
    const MOST: Self = Self::MAX;
}

impl<T: Number> Part<T> {
    fn contains(self, value: T) -> bool {
        (self.first..=self.last).contains(&value)
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self { first: T::LEAST, last: T::MOST });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then_some(Self { first, last })
    }
}

impl<T: Copy> From<RangeInclusive<T>> for Part<T> {
    fn from(range: RangeInclusive<T>) -> Self {
        Self { first: *range.start(), last: *range.end() }
    }
}

impl<T: Number> fmt::Display for Part<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = *self;
        if first == T::LEAST && last == T::MOST {
            f.write_str("*")
        } else if first == last {
            write!(f, "{first}")
        } else {
            write!(f, "{first}-{last}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_print_and_read_back() {
        for text in ["64500:100", "64500:*", "*:666", "64500:100-199", "1-9:*"] {
            let read = text.parse::<CommunityMatch>().map(|it| it.to_string());
            assert_eq!(read, Ok(text.to_owned()));
        }
        for text in ["64500:1:2", "4200000000:*:*", "*:100-199:7"] {
            let read = text.parse::<LargeCommunityMatch>().map(|it| it.to_string());
            assert_eq!(read, Ok(text.to_owned()));
        }
        assert_eq!("no-export".parse(), Ok(CommunityMatch::from(Community::NO_EXPORT)));
        assert_eq!("7:*".parse(), Ok(CommunityMatch::of_as(7)));

        for wrong in ["", "*", "1", "1:2:3", "1:9-2", "1:-", "65536:1", "1:**", "a:1"] {
            assert!(wrong.parse::<CommunityMatch>().is_err(), "{wrong}");
        }
        for wrong in ["1:2", "1:2:3:4", "1:2:", "1:2:4294967296"] {
            assert!(wrong.parse::<LargeCommunityMatch>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_part_has_its_own_range() {
        let pattern: CommunityMatch = "64500:100-199".parse().unwrap();
        for (asn, value, matches) in
            [(64500, 100, true), (64500, 199, true), (64500, 200, false), (64501, 150, false)]
        {
            assert_eq!(pattern.matches(Community::new(asn, value)), matches, "{asn}:{value}");
        }
        let pattern: LargeCommunityMatch = "*:1:5-6".parse().unwrap();
        for (a, b, c, matches) in
            [(0, 1, 5, true), (9, 1, 6, true), (9, 2, 6, false), (9, 1, 7, false)]
        {
            assert_eq!(pattern.matches(LargeCommunity::new(a, b, c)), matches, "{a}:{b}:{c}");
        }
    }
}
