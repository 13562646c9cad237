//! Prefixes on the wire (RFC 4271 section 4.3, RFC 7911 section 3).
//!
//! A field is checked once, by [`check`]; the iterators then cannot fail. Given octets that were not checked they end
//! at the first prefix that is wrong. The loops go by the number of octets of a prefix, so that each arm has a constant
//! stride: the processor runs ahead of the chain of lengths.

use bytes::BytesMut;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::types::{Afi, AfiSafi, Safi};

/// IPv4 prefixes of a message, host bits masked.
#[derive(Clone, Debug)]
pub struct Ipv4Prefixes<'a> {
    octets: &'a [u8],
    add_path: bool,
}

impl<'a> Ipv4Prefixes<'a> {
    pub(super) const fn new(octets: &'a [u8], add_path: bool) -> Self {
        Self { octets, add_path }
    }

    /// The same with the path identifier of each (RFC 7911), `None` where the session has none.
    #[must_use]
    pub const fn with_path_ids(self) -> WithPathIds<Self> {
        WithPathIds(self)
    }

    #[inline]
    fn step(&mut self) -> Option<(Option<u32>, Ipv4Net)> {
        let (path_id, octets) = path_id(self.octets, self.add_path)?;
        let (length, rest) = octets.split_first()?;
        let (address, rest) = match (length, rest) {
            (0, rest) => ([0; 4], rest),
            (1..=8, [a, rest @ ..]) => ([*a, 0, 0, 0], rest),
            (9..=16, [a, b, rest @ ..]) => ([*a, *b, 0, 0], rest),
            (17..=24, [a, b, c, rest @ ..]) => ([*a, *b, *c, 0], rest),
            (25..=32, [a, b, c, d, rest @ ..]) => ([*a, *b, *c, *d], rest),
            _ => return None,
        };
        self.octets = rest;
        let mask = u32::MAX.checked_shl(32 - u32::from(*length)).unwrap_or(0);
        let address = u32::from_be_bytes(address) & mask;
        Some((path_id, Ipv4Net::new(address.into(), *length).ok()?))
    }
}

/// IPv6 prefixes of a message, host bits masked.
#[derive(Clone, Debug)]
pub struct Ipv6Prefixes<'a> {
    octets: &'a [u8],
    add_path: bool,
}

impl<'a> Ipv6Prefixes<'a> {
    pub(super) const fn new(octets: &'a [u8], add_path: bool) -> Self {
        Self { octets, add_path }
    }

    /// The same with the path identifier of each (RFC 7911), `None` where the session has none.
    #[must_use]
    pub const fn with_path_ids(self) -> WithPathIds<Self> {
        WithPathIds(self)
    }

    #[inline]
    fn step(&mut self) -> Option<(Option<u32>, Ipv6Net)> {
        let (path_id, octets) = path_id(self.octets, self.add_path)?;
        let (length, rest) = octets.split_first()?;
        // The lengths that tables are made of have an arm each.
        let (address, rest) = match length {
            25..=32 => leading::<4>(rest)?,
            33..=40 => leading::<5>(rest)?,
            41..=48 => leading::<6>(rest)?,
            57..=64 => leading::<8>(rest)?,
            121..=128 => leading::<16>(rest)?,
            0..=128 => {
                let (prefix, rest) = rest.split_at_checked(usize::from(length.div_ceil(8)))?;
                let mut address = [0; 16];
                address.iter_mut().zip(prefix).for_each(|(to, from)| *to = *from);
                (address, rest)
            }
            _ => return None,
        };
        self.octets = rest;
        let mask = u128::MAX.checked_shl(128 - u32::from(*length)).unwrap_or(0);
        let address = u128::from_be_bytes(address) & mask;
        Some((path_id, Ipv6Net::new(address.into(), *length).ok()?))
    }
}

/// Prefixes of IPv4 or of IPv6; none for a family that is carried opaquely.
#[derive(Clone, Debug, Default)]
pub struct Prefixes<'a>(Inner<'a>);

#[derive(Clone, Debug, Default)]
enum Inner<'a> {
    #[default]
    None,
    V4(Ipv4Prefixes<'a>),
    V6(Ipv6Prefixes<'a>),
}

impl<'a> Prefixes<'a> {
    #[inline]
    pub(super) const fn new(family: AfiSafi, octets: &'a [u8], add_path: bool) -> Self {
        Self(match Bits::of(family) {
            Some(Bits::V4) => Inner::V4(Ipv4Prefixes::new(octets, add_path)),
            Some(Bits::V6) => Inner::V6(Ipv6Prefixes::new(octets, add_path)),
            None => Inner::None,
        })
    }

    /// The same with the path identifier of each (RFC 7911), `None` where the session has none.
    #[must_use]
    pub const fn with_path_ids(self) -> WithPathIds<Self> {
        WithPathIds(self)
    }

    #[inline]
    pub(super) fn step(&mut self) -> Option<(Option<u32>, IpNet)> {
        match &mut self.0 {
            Inner::None => None,
            Inner::V4(prefixes) => prefixes.step().map(|(id, prefix)| (id, prefix.into())),
            Inner::V6(prefixes) => prefixes.step().map(|(id, prefix)| (id, prefix.into())),
        }
    }
}

/// An iterator over pairs of path identifier and prefix.
#[derive(Clone, Debug)]
pub struct WithPathIds<I>(pub(super) I);

/// The two iterators over the same `step`.
macro_rules! iterators {
    ($($name:ident => $prefix:ty),+) => {$(
        impl Iterator for $name<'_> {
            type Item = $prefix;

            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                self.step().map(|(_, prefix)| prefix)
            }
        }

        impl Iterator for WithPathIds<$name<'_>> {
            type Item = (Option<u32>, $prefix);

            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                self.0.step()
            }
        }

        impl std::iter::FusedIterator for $name<'_> {}
        impl std::iter::FusedIterator for WithPathIds<$name<'_>> {}
    )+};
}

iterators! { Ipv4Prefixes => Ipv4Net, Ipv6Prefixes => Ipv6Net, Prefixes => IpNet }

/// How long the addresses of a family are, where its NLRI are plain prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bits {
    /// 32 bits.
    V4,
    /// 128 bits.
    V6,
}

impl Bits {
    pub(super) const fn of(family: AfiSafi) -> Option<Self> {
        match (family.afi, family.safi) {
            (Afi::IPV4, Safi::UNICAST | Safi::MULTICAST) => Some(Self::V4),
            (Afi::IPV6, Safi::UNICAST | Safi::MULTICAST) => Some(Self::V6),
            _ => None,
        }
    }
}

/// Whether a field holds whole prefixes, none longer than its address.
///
/// # Errors
///
/// The octets of the field before the first prefix that is wrong.
#[inline]
pub(super) fn check(field: &[u8], bits: Bits, add_path: bool) -> Result<(), usize> {
    let mut rest = field;
    while !rest.is_empty() {
        let after = path_id(rest, add_path).and_then(|(_, octets)| match bits {
            Bits::V4 => skip_v4(octets),
            Bits::V6 => skip_v6(octets),
        });
        match after {
            Some(after) => rest = after,
            None => return Err(field.len() - rest.len()),
        }
    }
    Ok(())
}

#[inline]
fn skip_v4(octets: &[u8]) -> Option<&[u8]> {
    match octets {
        [0, rest @ ..]
        | [1..=8, _, rest @ ..]
        | [9..=16, _, _, rest @ ..]
        | [17..=24, _, _, _, rest @ ..]
        | [25..=32, _, _, _, _, rest @ ..] => Some(rest),
        _ => None,
    }
}

#[inline]
fn skip_v6(octets: &[u8]) -> Option<&[u8]> {
    let (length, rest) = octets.split_first()?;
    if *length > 128 {
        return None;
    }
    rest.get(usize::from(length.div_ceil(8))..)
}

/// The path identifier before a prefix, where the session has them.
#[inline]
fn path_id(octets: &[u8], add_path: bool) -> Option<(Option<u32>, &[u8])> {
    if !add_path {
        return Some((None, octets));
    }
    let (id, rest) = octets.split_first_chunk()?;
    Some((Some(u32::from_be_bytes(*id)), rest))
}

/// An address of which the first `N` octets are given.
#[inline]
fn leading<const N: usize>(octets: &[u8]) -> Option<([u8; 16], &[u8])> {
    let (given, rest) = octets.split_first_chunk::<N>()?;
    let mut address = [0; 16];
    *address.first_chunk_mut::<N>()? = *given;
    Some((address, rest))
}

/// Octets of a prefix on the wire without a path identifier.
#[inline]
pub(super) fn encoded_length(prefix: &IpNet) -> usize {
    1 + usize::from(prefix.prefix_len().div_ceil(8))
}

/// Appends a prefix, host bits masked. The whole address is appended and its tail cut off again: a copy of constant
/// length and a subtraction are cheaper than a copy of variable length.
#[inline]
pub(super) fn put(out: &mut BytesMut, prefix: &IpNet) {
    let end = out.len() + encoded_length(prefix);
    match prefix {
        IpNet::V4(prefix) => {
            let [a, b, c, d] = prefix.network().octets();
            out.extend_from_slice(&[prefix.prefix_len(), a, b, c, d]);
        }
        IpNet::V6(prefix) => {
            let mut octets = [prefix.prefix_len(); 17];
            let [_, address @ ..] = &mut octets;
            *address = prefix.network().octets();
            out.extend_from_slice(&octets);
        }
    }
    out.truncate(end);
}
