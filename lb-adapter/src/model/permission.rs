//! The permissions of Services to set attributes of their own routes.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::{Community, LargeCommunity, number};

/// The attributes that the annotations `ferrolb.io/...` of a Service may set for addresses of a pool.
///
/// By default none: a Service that could choose freely might cause its own traffic or another's to be dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permissions {
    /// The communities that may be added.
    pub communities: Vec<CommunityPattern>,
    /// The values that LOCAL_PREF may have.
    pub local_pref: Option<RangeInclusive<u32>>,
    /// The values that MULTI_EXIT_DISC may have.
    pub med: Option<RangeInclusive<u32>>,
    /// The maximum number of times that the own AS may be prepended to AS_PATH.
    pub prepend: u8,
    /// True if Services may set their own health conditions, which makes nodes send the probes that they name.
    pub health: bool,
}

impl Permissions {
    /// Returns true if a Service may add this community.
    pub(crate) fn allows_community(&self, community: Community) -> bool {
        self.communities.iter().any(|pattern| pattern.matches(community))
    }

    /// Returns true if a Service may add this large community.
    pub(crate) fn allows_large_community(&self, community: LargeCommunity) -> bool {
        self.communities.iter().any(|pattern| pattern.matches_large(community))
    }

    /// Returns true if a Service may set this LOCAL_PREF.
    pub(crate) fn allows_local_pref(&self, value: u32) -> bool {
        self.local_pref.as_ref().is_some_and(|range| range.contains(&value))
    }

    /// Returns true if a Service may set this MULTI_EXIT_DISC.
    pub(crate) fn allows_med(&self, value: u32) -> bool {
        self.med.as_ref().is_some_and(|range| range.contains(&value))
    }
}

/// A pattern of communities that a Service may add: numbers, of which the last may be `*` for any number.
///
/// Written `64512:100`, `64512:*`, `large:64512:1:*`. No pattern matches all communities, since `65535:666` makes routers
/// drop the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CommunityPattern {
    /// This community.
    One(Community),
    /// All communities of an AS.
    OfAs(u16),
    /// This large community.
    OneLarge(LargeCommunity),
    /// All large communities that begin with these two numbers.
    OfFunction(u32, u32),
}

impl CommunityPattern {
    /// Returns true if the pattern matches a community.
    fn matches(self, community: Community) -> bool {
        match self {
            Self::One(one) => one == community,
            Self::OfAs(asn) => community.0 >> 16 == u32::from(asn),
            Self::OneLarge(_) | Self::OfFunction(..) => false,
        }
    }

    /// Returns true if the pattern matches a large community.
    fn matches_large(self, community: LargeCommunity) -> bool {
        match self {
            Self::OneLarge(one) => one == community,
            Self::OfFunction(global, first) => {
                (community.global_administrator, community.local_data_1) == (global, first)
            }
            Self::One(_) | Self::OfAs(_) => false,
        }
    }
}

impl fmt::Display for CommunityPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(Community(value)) => write!(f, "{}:{}", value >> 16, value & 0xffff),
            Self::OfAs(asn) => write!(f, "{asn}:*"),
            Self::OneLarge(community) => write!(f, "large:{community}"),
            Self::OfFunction(global, first) => write!(f, "large:{global}:{first}:*"),
        }
    }
}

/// The error for a text that is not a [`CommunityPattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a community or pattern such as 64512:100, 64512:* or large:64512:1:*")]
#[non_exhaustive]
pub struct PatternError;

impl FromStr for CommunityPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        pattern(text).ok_or(PatternError)
    }
}

fn pattern(text: &str) -> Option<CommunityPattern> {
    let large = text.strip_prefix("large:");
    let parts: Vec<&str> = large.unwrap_or(text).split(':').collect();
    Some(match (large, parts.as_slice()) {
        (None, [asn, "*"]) => CommunityPattern::OfAs(number(asn)?),
        (None, [asn, value]) => CommunityPattern::One(Community::new(number(asn)?, number(value)?)),
        (Some(_), [global, first, "*"]) => {
            CommunityPattern::OfFunction(number(global)?, number(first)?)
        }
        (Some(_), [global, first, second]) => CommunityPattern::OneLarge(LargeCommunity::new(
            number(global)?,
            number(first)?,
            number(second)?,
        )),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_their_communities_and_parse_back() {
        let matches = |pattern: &str, community: &str| {
            let pattern: CommunityPattern = pattern.parse().unwrap();
            if community.starts_with("large:") {
                pattern.matches_large(community.parse().unwrap())
            } else {
                pattern.matches(community.parse().unwrap())
            }
        };
        assert!(matches("64512:100", "64512:100"));
        assert!(!matches("64512:100", "64512:101"));
        assert!(matches("64512:*", "64512:65535"));
        assert!(!matches("64512:*", "65535:666"));
        assert!(!matches("64512:*", "large:64512:1:1"));
        assert!(matches("large:64512:1:*", "large:64512:1:4294967295"));
        assert!(!matches("large:64512:1:*", "large:64512:2:1"));
        assert!(matches("large:1:2:3", "large:1:2:3"));
        for text in ["64512:100", "65535:666", "64512:*", "large:1:2:3", "large:1:2:*"] {
            assert_eq!(text.parse::<CommunityPattern>().unwrap().to_string(), text);
        }
        for text in ["", "*", "*:*", "*:1", "1", "1:2:3", "65536:1", "large:*", "1:+2", "no-export"]
        {
            assert_eq!(text.parse::<CommunityPattern>(), Err(PatternError), "{text}");
        }
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        let none = Permissions::default();
        assert!(!none.allows_community(Community::new(1, 1)));
        assert!(!none.allows_large_community(LargeCommunity::new(1, 1, 1)));
        assert!(!none.allows_local_pref(100) && !none.allows_med(0));
        let some = Permissions { local_pref: Some(50..=100), ..Permissions::default() };
        assert!(some.allows_local_pref(100) && !some.allows_local_pref(101));
    }
}
