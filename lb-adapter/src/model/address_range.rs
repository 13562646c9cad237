//! Ranges of addresses of one family. A range is never enumerated: an IPv6 /64 costs as much as one address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

use super::IpFamily;

/// The addresses from `first` to `last`, both included, all of one family.
///
/// It displays as it was written: `172.22.35.64/26` or `172.22.35.70-172.22.35.79`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
    /// The prefix length, if the range was written as a prefix.
    prefix_length: Option<u8>,
}

impl AddressRange {
    /// Makes the range of a prefix, network and broadcast address included. Host bits are masked.
    pub fn from_prefix(prefix: IpNet) -> Self {
        Self {
            first: prefix.network(),
            last: prefix.broadcast(),
            prefix_length: Some(prefix.prefix_len()),
        }
    }

    /// Makes the range from `first` to `last`, both included.
    ///
    /// # Errors
    ///
    /// The addresses are of different families, or `first` comes after `last`.
    pub fn from_bounds(first: IpAddr, last: IpAddr) -> Result<Self, RangeError> {
        if first.is_ipv4() != last.is_ipv4() {
            return Err(RangeError::MixedFamilies);
        }
        if first > last {
            return Err(RangeError::Reversed);
        }
        Ok(Self { first, last, prefix_length: None })
    }

    /// The lowest address.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// The highest address.
    pub fn last(&self) -> IpAddr {
        self.last
    }

    /// The family of the addresses.
    pub fn family(&self) -> IpFamily {
        IpFamily::of(self.first)
    }

    /// Returns true if the range contains this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }

    /// Returns true if both ranges contain a common address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.family() == other.family() && self.first <= other.last && other.first <= self.last
    }

    /// The number of addresses. The range of all IPv6 addresses, which has one more than fits, counts `u128::MAX`.
    pub fn size(&self) -> u128 {
        (number(self.last) - number(self.first)).saturating_add(1)
    }

    /// The addresses, lowest first.
    pub fn addresses(&self) -> Addresses {
        self.addresses_from(self.first)
    }

    /// The addresses from `start` on, lowest first; none if `start` is of the other family.
    pub fn addresses_from(&self, start: IpAddr) -> Addresses {
        let family = self.family();
        let is_within = IpFamily::of(start) == family && start <= self.last;
        let next = is_within.then(|| number(start.max(self.first)));
        Addresses { family, next, last: number(self.last) }
    }

    /// The smallest list of prefixes that covers the range exactly, lowest first.
    pub fn prefixes(&self) -> Prefixes {
        Prefixes { family: self.family(), next: Some(number(self.first)), last: number(self.last) }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix_length {
            Some(length) => write!(f, "{}/{length}", self.first),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl From<IpNet> for AddressRange {
    fn from(prefix: IpNet) -> Self {
        Self::from_prefix(prefix)
    }
}

/// Parses a prefix, whose host bits are masked, or `first-last`, with blanks allowed around the dash.
impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        if let Some((first, last)) = text.split_once('-') {
            let first = first.trim().parse().map_err(|_| RangeError::Syntax)?;
            let last = last.trim().parse().map_err(|_| RangeError::Syntax)?;
            return Self::from_bounds(first, last);
        }

        match text.parse::<IpNet>() {
            Ok(prefix) => Ok(Self::from_prefix(prefix)),
            Err(_) => Err(RangeError::Syntax),
        }
    }
}

/// The reason why a text or a pair of addresses is not an [`AddressRange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeError {
    /// The text is neither a prefix nor two addresses with a dash between them.
    #[error("expected a prefix such as 192.0.2.0/24 or a range such as 192.0.2.10-192.0.2.20")]
    Syntax,
    /// One bound is IPv4 and the other IPv6.
    #[error("expected two addresses of one family")]
    MixedFamilies,
    /// The first address is above the last.
    #[error("expected the lower address first")]
    Reversed,
}

/// The addresses of an [`AddressRange`], lowest first.
#[derive(Clone, Debug)]
pub struct Addresses {
    family: IpFamily,
    next: Option<u128>,
    last: u128,
}

impl Iterator for Addresses {
    type Item = IpAddr;

    fn next(&mut self) -> Option<IpAddr> {
        let current = self.next?;
        self.next = (current < self.last).then(|| current + 1);
        Some(address(self.family, current))
    }
}

/// The smallest list of prefixes that covers an [`AddressRange`] exactly, lowest first.
#[derive(Clone, Debug)]
pub struct Prefixes {
    family: IpFamily,
    next: Option<u128>,
    last: u128,
}

impl Iterator for Prefixes {
    type Item = IpNet;

    fn next(&mut self) -> Option<IpNet> {
        let current = self.next?;
        let width = self.family.bits();

        // A prefix is as large as its alignment and the rest of the range allow.
        let aligned = current.trailing_zeros().min(u32::from(width));
        let left = match (self.last - current).checked_add(1) {
            Some(count) => count.ilog2(),
            None => u128::BITS,
        };
        let host_bits = u8::try_from(aligned.min(left)).unwrap_or(width);

        let step = 1_u128.checked_shl(u32::from(host_bits));
        self.next =
            step.and_then(|step| current.checked_add(step)).filter(|next| *next <= self.last);
        IpNet::new(address(self.family, current), width - host_bits).ok()
    }
}

/// The address as a number. Numbers sort as the addresses of a family do.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The inverse of [`number`] within a family.
fn address(family: IpFamily, number: u128) -> IpAddr {
    match family {
        // Numbers of this family come from 32-bit addresses.
        IpFamily::Ipv4 => Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        IpFamily::Ipv6 => Ipv6Addr::from(number).into(),
    }
}

#[cfg(test)]
#[path = "address_range_tests.rs"]
mod tests;
