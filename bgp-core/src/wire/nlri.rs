//! Prefixes on the wire (RFC 4271 section 4.3, RFC 7911 section 3).
//!
//! [`check`] checks a field once; after that, the iterators cannot fail. On unchecked octets they end at the first invalid
//! prefix. The loops match on the number of octets of a prefix, so that each arm has a constant stride and the processor
//! can run ahead of the chain of lengths.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::types::{Afi, AfiSafi, Safi};

/// An iterator over the IPv4 prefixes of a field, with their host bits masked.
#[derive(Clone, Debug)]
pub struct Ipv4Prefixes<'a> {
    octets: &'a [u8],
    add_path: bool,
}

impl<'a> Ipv4Prefixes<'a> {
    pub(super) const fn new(octets: &'a [u8], add_path: bool) -> Self {
        Self { octets, add_path }
    }

    /// The same prefixes with their path identifiers (RFC 7911), `None` if the session has none.
    #[must_use]
    pub const fn with_path_ids(self) -> WithPathIds<Self> {
        WithPathIds(self)
    }

    #[inline]
    fn step(&mut self) -> Option<(Option<u32>, Ipv4Net)> {
        let (path_id, octets) = path_id(self.octets, self.add_path)?;
        let (prefix, rest) = first_v4(octets)?;
        self.octets = rest;
        Some((path_id, prefix))
    }
}

/// Reads the first prefix. Returns it with the octets after it.
#[inline(always)]
fn first_v4(octets: &[u8]) -> Option<(Ipv4Net, &[u8])> {
    // Most prefixes of a table have three octets: these and the length are one load.
    if let Some((word, rest)) = octets.split_first_chunk() {
        let word = u32::from_be_bytes(*word);
        let [length, ..] = word.to_be_bytes();
        if let 17..=24 = length {
            return Some((net_v4(word << 8, length)?, rest));
        }
    }

    let (length, rest) = octets.split_first()?;
    let (address, rest) = match (length, rest) {
        (17..=24, [a, b, c, rest @ ..]) => (u32::from_be_bytes([*a, *b, *c, 0]), rest),
        (25..=32, [a, b, c, d, rest @ ..]) => (u32::from_be_bytes([*a, *b, *c, *d]), rest),
        (9..=16, [a, b, rest @ ..]) => (u32::from_be_bytes([*a, *b, 0, 0]), rest),
        (1..=8, [a, rest @ ..]) => (u32::from_be_bytes([*a, 0, 0, 0]), rest),
        (0, rest) => (0, rest),
        _ => return None,
    };
    Some((net_v4(address, *length)?, rest))
}

#[inline(always)]
fn net_v4(address: u32, length: u8) -> Option<Ipv4Net> {
    Ipv4Net::new((address & !host_bits(length)).into(), length).ok()
}

/// The host bits of an IPv4 address for a prefix length. The shift is done in 64 bits, which allows a length of 32.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the upper half is zeroes")]
const fn host_bits(length: u8) -> u32 {
    (u32::MAX as u64).wrapping_shr(length as u32) as u32
}

/// An iterator over the IPv6 prefixes of a field, with their host bits masked.
#[derive(Clone, Debug)]
pub struct Ipv6Prefixes<'a> {
    octets: &'a [u8],
    add_path: bool,
}

impl<'a> Ipv6Prefixes<'a> {
    pub(super) const fn new(octets: &'a [u8], add_path: bool) -> Self {
        Self { octets, add_path }
    }

    /// The same prefixes with their path identifiers (RFC 7911), `None` if the session has none.
    #[must_use]
    pub const fn with_path_ids(self) -> WithPathIds<Self> {
        WithPathIds(self)
    }

    #[inline]
    fn step(&mut self) -> Option<(Option<u32>, Ipv6Net)> {
        let (path_id, octets) = path_id(self.octets, self.add_path)?;
        let (prefix, rest) = first_v6(octets)?;
        self.octets = rest;
        Some((path_id, prefix))
    }
}

/// Reads the first prefix. Returns it with the octets after it.
///
/// The common lengths of tables have an arm each. They are all in the upper half of the address.
#[inline(always)]
fn first_v6(octets: &[u8]) -> Option<(Ipv6Net, &[u8])> {
    let (length, rest) = octets.split_first()?;
    let (high, rest) = match (length, rest) {
        (41..=48, [a, b, c, d, e, f, rest @ ..]) => {
            let low = u16::from_be_bytes([*e, *f]);
            (word([*a, *b, *c, *d]) << 32 | u64::from(low) << 16, rest)
        }
        (25..=32, [a, b, c, d, rest @ ..]) => (word([*a, *b, *c, *d]) << 32, rest),
        (33..=40, [a, b, c, d, e, rest @ ..]) => {
            (word([*a, *b, *c, *d]) << 32 | u64::from(*e) << 24, rest)
        }
        (57..=64, [a, b, c, d, e, f, g, h, rest @ ..]) => {
            (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest)
        }
        _ => return other_v6(octets),
    };

    // The length is between 25 and 64 here.
    let mask = !u64::MAX.checked_shr((*length).into()).unwrap_or(0);
    let address = u128::from(high & mask) << 64;
    Some((Ipv6Net::new(address.into(), *length).ok()?, rest))
}

#[inline(always)]
fn word(octets: [u8; 4]) -> u64 {
    u32::from_be_bytes(octets).into()
}

/// Reads the first prefix if it has one of the less common lengths.
#[inline(never)]
fn other_v6(octets: &[u8]) -> Option<(Ipv6Net, &[u8])> {
    let (length, rest) = octets.split_first()?;
    let (given, rest) = rest.split_at_checked(usize::from(length.div_ceil(8)))?;
    let mut address = [0; 16];
    address.get_mut(..given.len())?.copy_from_slice(given);

    let mask = u128::MAX.checked_shl(128_u32.checked_sub((*length).into())?).unwrap_or(0);
    let address = u128::from_be_bytes(address) & mask;
    Some((Ipv6Net::new(address.into(), *length).ok()?, rest))
}

/// An iterator over the IPv4 or IPv6 prefixes of a field; empty for a family that is carried as octets.
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
    pub(crate) const fn new(family: AfiSafi, octets: &'a [u8], add_path: bool) -> Self {
        Self(match AddressWidth::of(family) {
            Some(AddressWidth::V4) => Inner::V4(Ipv4Prefixes::new(octets, add_path)),
            Some(AddressWidth::V6) => Inner::V6(Ipv6Prefixes::new(octets, add_path)),
            None => Inner::None,
        })
    }

    /// The same prefixes with their path identifiers (RFC 7911), `None` if the session has none.
    #[must_use]
    pub const fn with_path_ids(self) -> WithPathIds<Self> {
        WithPathIds(self)
    }

    /// Returns true if the field consists of complete prefixes.
    ///
    /// Always true for a field that was checked. May be false for a family that was not negotiated, and is always false for
    /// one that is carried as octets.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match &self.0 {
            Inner::None => false,
            Inner::V4(prefixes) => {
                check(prefixes.octets, AddressWidth::V4, prefixes.add_path).is_ok()
            }
            Inner::V6(prefixes) => {
                check(prefixes.octets, AddressWidth::V6, prefixes.add_path).is_ok()
            }
        }
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

/// Implements two iterators on `step`: with and without path identifiers. The one without overrides `fold` by `all`, which
/// checks once for all prefixes whether there are path identifiers.
macro_rules! iterators {
    ($($name:ident => $prefix:ty;)+) => {$(
        impl Iterator for $name<'_> {
            type Item = $prefix;

            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                self.step().map(|(_, prefix)| prefix)
            }

            #[inline(always)]
            fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, f: F) -> B {
                self.fold_all(init, f)
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

iterators! {
    Ipv4Prefixes => Ipv4Net;
    Ipv6Prefixes => Ipv6Net;
    Prefixes => IpNet;
}

impl Ipv4Prefixes<'_> {
    #[inline(always)]
    fn fold_all<B>(mut self, init: B, mut f: impl FnMut(B, Ipv4Net) -> B) -> B {
        if !self.add_path {
            return fold_with(self.octets, init, first_v4, f);
        }

        let mut sum = init;
        while let Some((_, prefix)) = self.step() {
            sum = f(sum, prefix);
        }
        sum
    }
}

impl Ipv6Prefixes<'_> {
    #[inline(always)]
    fn fold_all<B>(mut self, init: B, mut f: impl FnMut(B, Ipv6Net) -> B) -> B {
        if !self.add_path {
            return fold_with(self.octets, init, first_v6, f);
        }

        let mut sum = init;
        while let Some((_, prefix)) = self.step() {
            sum = f(sum, prefix);
        }
        sum
    }
}

impl Prefixes<'_> {
    #[inline(always)]
    fn fold_all<B>(self, init: B, mut f: impl FnMut(B, IpNet) -> B) -> B {
        match self.0 {
            Inner::None => init,
            Inner::V4(prefixes) => prefixes.fold_all(init, |sum, prefix| f(sum, prefix.into())),
            Inner::V6(prefixes) => prefixes.fold_all(init, |sum, prefix| f(sum, prefix.into())),
        }
    }
}

#[inline(always)]
fn fold_with<B, T>(
    mut octets: &[u8],
    mut sum: B,
    first: impl Fn(&[u8]) -> Option<(T, &[u8])>,
    mut f: impl FnMut(B, T) -> B,
) -> B {
    while let Some((prefix, rest)) = first(octets) {
        sum = f(sum, prefix);
        octets = rest;
    }
    sum
}

/// The width of the addresses of a family whose NLRI are plain prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddressWidth {
    /// 32 bits.
    V4,
    /// 128 bits.
    V6,
}

impl AddressWidth {
    #[inline]
    pub(super) const fn of(family: AfiSafi) -> Option<Self> {
        match (family.afi, family.safi) {
            (Afi::IPV4, Safi::UNICAST | Safi::MULTICAST) => Some(Self::V4),
            (Afi::IPV6, Safi::UNICAST | Safi::MULTICAST) => Some(Self::V6),
            _ => None,
        }
    }
}

/// Checks that a field consists of complete prefixes, none longer than its address.
///
/// # Errors
///
/// The offset of the first invalid prefix in the field.
#[inline(always)]
pub(super) fn check(field: &[u8], width: AddressWidth, add_path: bool) -> Result<(), usize> {
    let invalid = match (width, add_path) {
        // Most fields of live sessions have one prefix.
        (AddressWidth::V4, false) => match field {
            [] | [17..=24, _, _, _] | [25..=32, _, _, _, _] => &[],
            _ => after_prefixes(field, |octets| skip_pair_v4(octets).or_else(|| skip_v4(octets))),
        },
        (AddressWidth::V6, false) => after_prefixes(field, skip_v6),
        (_, true) => with_path_ids(field, width),
    };
    if invalid.is_empty() { Ok(()) } else { Err(field.len() - invalid.len()) }
}

#[cold]
fn with_path_ids(field: &[u8], width: AddressWidth) -> &[u8] {
    after_prefixes(field, |octets| {
        let (_, octets) = path_id(octets, true)?;
        match width {
            AddressWidth::V4 => skip_v4(octets),
            AddressWidth::V6 => skip_v6(octets),
        }
    })
}

/// The octets that are left when there is no further valid prefix.
#[inline(always)]
fn after_prefixes(field: &[u8], skip: impl Fn(&[u8]) -> Option<&[u8]>) -> &[u8] {
    let mut rest = field;
    while let Some(after) = skip(rest) {
        rest = after;
    }
    rest
}

/// Skips two prefixes of three octets each, the most common in a table, with one check: the five upper bits of length + 7
/// are the number of octets.
#[inline(always)]
fn skip_pair_v4(octets: &[u8]) -> Option<&[u8]> {
    const ROUND_UP: u64 = u64::from_le_bytes([7, 0, 0, 0, 7, 0, 0, 0]);
    const UPPER_BITS: u64 = u64::from_le_bytes([0xf8, 0, 0, 0, 0xf8, 0, 0, 0]);
    const THREE: u64 = u64::from_le_bytes([3 << 3, 0, 0, 0, 3 << 3, 0, 0, 0]);

    let (pair, rest) = octets.split_first_chunk()?;
    // A length near 255 overflows. It becomes 0, not 3, so the pair is rejected whatever happens to the second length.
    let rounded = u64::from_le_bytes(*pair).wrapping_add(ROUND_UP);
    (rounded & UPPER_BITS == THREE).then_some(rest)
}

#[inline(always)]
fn skip_v4(octets: &[u8]) -> Option<&[u8]> {
    let (length, rest) = octets.split_first()?;
    match (length, rest) {
        (17..=24, [_, _, _, rest @ ..])
        | (25..=32, [_, _, _, _, rest @ ..])
        | (9..=16, [_, _, rest @ ..])
        | (1..=8, [_, rest @ ..])
        | (0, rest) => Some(rest),
        _ => None,
    }
}

#[inline(always)]
fn skip_v6(octets: &[u8]) -> Option<&[u8]> {
    let (length, rest) = octets.split_first()?;
    match (length, rest) {
        (41..=48, [_, _, _, _, _, _, rest @ ..])
        | (25..=32, [_, _, _, _, rest @ ..])
        | (33..=40, [_, _, _, _, _, rest @ ..])
        | (57..=64, [_, _, _, _, _, _, _, _, rest @ ..]) => Some(rest),
        (0..=128, _) => rest.get(usize::from(length.div_ceil(8))..),
        _ => None,
    }
}

/// Reads the path identifier before a prefix, if the session has these.
#[inline]
fn path_id(octets: &[u8], add_path: bool) -> Option<(Option<u32>, &[u8])> {
    if !add_path {
        return Some((None, octets));
    }
    let (id, rest) = octets.split_first_chunk()?;
    Some((Some(u32::from_be_bytes(*id)), rest))
}

/// The number of octets of a prefix on the wire, without a path identifier.
#[inline]
pub(super) fn encoded_length(length: u8) -> usize {
    // One octet for the length, and an eighth of the length, rounded up.
    (usize::from(length) + 15) / 8
}

/// The octets of an IPv4 prefix on the wire, with its host bits masked, followed by octets that do not count. Writing a
/// whole word and advancing by less is cheaper than a copy of variable length.
#[inline(always)]
pub(super) fn octets_v4(prefix: Ipv4Net) -> [u8; 8] {
    let length = prefix.prefix_len();
    // Swap the mask rather than the address, whose octets are in network order already.
    let mask = (!host_bits(length)).swap_bytes();
    let address = u32::from_le_bytes(prefix.addr().octets()) & mask;
    (u64::from(length) | u64::from(address) << 8).to_le_bytes()
}

/// The octets of an IPv6 prefix on the wire, as in [`octets_v4`]. For a prefix of up to 64 bits, the lower half does not
/// count.
#[inline(always)]
pub(super) fn octets_v6(prefix: Ipv6Net) -> [u8; 17] {
    let length = prefix.prefix_len();
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = prefix.addr().octets();
    let mut high = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let mut low = u64::from_be_bytes([i, j, k, l, m, n, o, p]);
    if length <= 64 {
        high &= !u64::MAX.checked_shr(length.into()).unwrap_or(0);
    } else {
        low &= !u64::MAX.checked_shr(u32::from(length) - 64).unwrap_or(0);
    }

    let ([a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]) =
        (high.to_be_bytes(), low.to_be_bytes());
    [length, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}
