//! [`PrefixSet`]: the prefixes that a policy matches, however many they are.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::prefix_index::{Address, PrefixIndex};

/// The prefixes inside another one, limited by length.
///
/// Its text format is that of routers: `10.0.0.0/8`, `10.0.0.0/8 le 24`, `10.0.0.0/8 ge 9 le 24`.
///
/// ```
/// use bgp_core::policy::PrefixMatch;
///
/// let customers: PrefixMatch = "192.0.2.0/24 ge 25 le 28".parse()?;
/// assert!(customers.contains("192.0.2.64/26".parse().unwrap()));
/// assert!(!customers.contains("192.0.2.0/24".parse().unwrap()));
/// # Ok::<(), bgp_core::policy::ParsePrefixMatchError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PrefixMatch {
    /// The containing prefix.
    pub within: IpNet,
    /// The shortest length.
    pub shortest: u8,
    /// The longest length.
    pub longest: u8,
}

impl PrefixMatch {
    /// Matches only this prefix.
    #[must_use]
    pub fn exactly(prefix: IpNet) -> Self {
        Self { within: prefix, shortest: prefix.prefix_len(), longest: prefix.prefix_len() }
    }

    /// Matches this prefix and all prefixes inside it.
    #[must_use]
    pub fn or_longer(prefix: IpNet) -> Self {
        Self { longest: prefix.max_prefix_len(), ..Self::exactly(prefix) }
    }

    /// Matches prefixes inside this one whose lengths are between these two, inclusive.
    #[must_use]
    pub fn lengths(prefix: IpNet, shortest: u8, longest: u8) -> Self {
        Self { within: prefix, shortest, longest }
    }

    /// Returns true if the prefix matches.
    #[must_use]
    pub fn contains(&self, prefix: IpNet) -> bool {
        (self.shortest..=self.longest).contains(&prefix.prefix_len())
            && self.within.contains(&prefix)
    }
}

impl From<IpNet> for PrefixMatch {
    fn from(prefix: IpNet) -> Self {
        Self::exactly(prefix)
    }
}

impl fmt::Display for PrefixMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { within, shortest, longest } = *self;
        let length = within.prefix_len();
        write!(f, "{within}")?;
        if shortest != length {
            write!(f, " ge {shortest}")?;
        }
        if longest != length {
            write!(f, " le {longest}")?;
        }
        Ok(())
    }
}

impl FromStr for PrefixMatch {
    type Err = ParsePrefixMatchError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or(ParsePrefixMatchError)
    }
}

/// Parses a prefix and the words after it. `ge` alone means up to the longest length, as on routers.
fn parse(text: &str) -> Option<PrefixMatch> {
    let mut words = text.split_ascii_whitespace();
    let prefix: IpNet = words.next()?.parse().ok()?;
    let mut matches = PrefixMatch::exactly(prefix);

    let mut next = words.next();
    if next == Some("ge") {
        matches.shortest = words.next()?.parse().ok()?;
        matches.longest = prefix.max_prefix_len();
        next = words.next();
    }
    if next == Some("le") {
        matches.longest = words.next()?.parse().ok()?;
        next = words.next();
    }

    let PrefixMatch { shortest, longest, .. } = matches;
    let is_range = (prefix.prefix_len()..=longest).contains(&shortest);
    (next.is_none() && is_range && longest <= prefix.max_prefix_len()).then_some(matches)
}

/// The text was not a prefix with a range of lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a prefix with optional lengths such as `10.0.0.0/8 ge 16 le 24`")]
#[non_exhaustive]
pub struct ParsePrefixMatchError;

/// A set of prefixes with ranges of lengths, for filters of any size.
///
/// A search takes time in proportion to the logarithm of the size, and to the number of nested prefixes at the place. Clones
/// share the set.
///
/// ```
/// use bgp_core::policy::{PrefixMatch, PrefixSet};
///
/// let set: PrefixSet = ["10.0.0.0/8 le 24".parse::<PrefixMatch>()?, "2001:db8::/32".parse()?].into();
/// assert!(set.contains("10.7.0.0/16".parse()?));
/// assert!(!set.contains("2001:db8:1::/48".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(from = "Vec<PrefixMatch>"))]
pub struct PrefixSet {
    families: Arc<Families>,
}

#[derive(Default, PartialEq, Eq)]
struct Families {
    v4: PrefixIndex<u32, Lengths>,
    v6: PrefixIndex<u128, Lengths>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Lengths {
    shortest: u8,
    longest: u8,
}

impl PrefixSet {
    /// All prefixes that are not for use on the Internet, and those inside them: private, reserved, for documentation, for
    /// multicast and so on (the special-purpose registries of IANA, RFC 6890). Default routes are not among them.
    #[must_use]
    pub fn martians() -> Self {
        MARTIANS.iter().filter_map(|text| text.parse().ok()).map(PrefixMatch::or_longer).collect()
    }

    /// Returns true if the set has a match for the prefix.
    #[must_use]
    pub fn contains(&self, prefix: IpNet) -> bool {
        let Families { v4, v6 } = &*self.families;
        if let Some((address, length)) = Address::of(prefix) {
            return v4.covering(address, length).any(|(_, lengths)| lengths.contains(length));
        }
        Address::of(prefix).is_some_and(|(address, length)| {
            v6.covering(address, length).any(|(_, lengths)| lengths.contains(length))
        })
    }

    /// Returns true if the address, as a prefix of full length, or a prefix around it is in the set. Lengths do not count.
    #[must_use]
    pub fn contains_address(&self, address: IpAddr) -> bool {
        let Families { v4, v6 } = &*self.families;
        match address {
            IpAddr::V4(address) => v4.covering(address.into(), 32).next().is_some(),
            IpAddr::V6(address) => v6.covering(address.into(), 128).next().is_some(),
        }
    }

    /// The number of prefixes with their lengths.
    #[must_use]
    pub fn len(&self) -> usize {
        self.families.v4.len() + self.families.v6.len()
    }

    /// Returns true if the set is empty. It matches nothing then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The prefixes with their lengths, IPv4 before IPv6, in order.
    pub fn iter(&self) -> impl Iterator<Item = PrefixMatch> {
        let Families { v4, v6 } = &*self.families;
        v4.iter().map(prefix_match).chain(v6.iter().map(prefix_match))
    }
}

fn prefix_match<A: Address>((address, length, lengths): (A, u8, Lengths)) -> PrefixMatch {
    PrefixMatch {
        within: address.prefix(length),
        shortest: lengths.shortest,
        longest: lengths.longest,
    }
}

impl Lengths {
    fn contains(self, length: u8) -> bool {
        (self.shortest..=self.longest).contains(&length)
    }
}

impl FromIterator<PrefixMatch> for PrefixSet {
    fn from_iter<I: IntoIterator<Item = PrefixMatch>>(prefixes: I) -> Self {
        let mut sorted: Vec<_> = prefixes.into_iter().collect();
        for matches in &mut sorted {
            matches.within = matches.within.trunc();
        }
        sorted.sort_unstable();
        sorted.dedup();

        Self { families: Arc::new(Families { v4: index(&sorted), v6: index(&sorted) }) }
    }
}

fn index<A: Address>(sorted: &[PrefixMatch]) -> PrefixIndex<A, Lengths> {
    PrefixIndex::from_sorted(sorted.iter().filter_map(|matches| {
        let (address, length) = A::of(matches.within)?;
        let PrefixMatch { shortest, longest, .. } = *matches;
        Some((address, length, Lengths { shortest, longest }))
    }))
}

impl FromIterator<IpNet> for PrefixSet {
    /// Exactly these prefixes.
    fn from_iter<I: IntoIterator<Item = IpNet>>(prefixes: I) -> Self {
        prefixes.into_iter().map(PrefixMatch::exactly).collect()
    }
}

impl<const N: usize> From<[PrefixMatch; N]> for PrefixSet {
    fn from(prefixes: [PrefixMatch; N]) -> Self {
        prefixes.into_iter().collect()
    }
}

impl From<Vec<PrefixMatch>> for PrefixSet {
    fn from(prefixes: Vec<PrefixMatch>) -> Self {
        prefixes.into_iter().collect()
    }
}

impl fmt::Debug for PrefixSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|it| it.to_string())).finish()
    }
}

/// A sequence of prefixes with their lengths.
#[cfg(feature = "serde")]
impl serde::Serialize for PrefixSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

const MARTIANS: [&str; 27] = [
    "0.0.0.0/8",       // this network (RFC 791)
    "10.0.0.0/8",      // private use (RFC 1918)
    "100.64.0.0/10",   // shared address space (RFC 6598)
    "127.0.0.0/8",     // loopback (RFC 1122)
    "169.254.0.0/16",  // link local (RFC 3927)
    "172.16.0.0/12",   // private use (RFC 1918)
    "192.0.0.0/24",    // IETF protocol assignments (RFC 6890)
    "192.0.2.0/24",    // documentation (RFC 5737)
    "192.88.99.0/24",  // formerly 6to4 relays (RFC 7526)
    "192.168.0.0/16",  // private use (RFC 1918)
    "198.18.0.0/15",   // benchmarks (RFC 2544)
    "198.51.100.0/24", // documentation (RFC 5737)
    "203.0.113.0/24",  // documentation (RFC 5737)
    "224.0.0.0/4",     // multicast (RFC 5771)
    "240.0.0.0/4",     // reserved (RFC 1112)
    "::/8",            // unspecified, loopback, IPv4-mapped (RFC 4291)
    "100::/64",        // discarded traffic (RFC 6666)
    "2001:2::/48",     // benchmarks (RFC 5180)
    "2001:10::/28",    // ORCHID, deprecated (RFC 4843)
    "2001:db8::/32",   // documentation (RFC 3849)
    "2002::/16",       // 6to4 (RFC 7526)
    "3ffe::/16",       // 6bone, returned (RFC 3701)
    "3fff::/20",       // documentation (RFC 9637)
    "5f00::/16",       // segment identifiers (RFC 9602)
    "fc00::/7",        // unique local (RFC 4193)
    "fe80::/9",        // link local and formerly site local (RFC 4291, RFC 3879)
    "ff00::/8",        // multicast (RFC 4291)
];

#[cfg(test)]
#[path = "prefix_set_tests.rs"]
mod tests;
