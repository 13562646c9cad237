//! What a decoder saw of a stream, so that none is fast by looking away.

use std::net::Ipv6Addr;
use std::ops::AddAssign;

/// How many values, and their wrapping sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the point")]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// The sum of numbers made of them.
    pub sum: u64,
}

impl Sum {
    /// Takes in a number.
    #[inline]
    pub const fn add(&mut self, value: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(value);
    }

    /// Takes in an IPv4 prefix.
    #[inline]
    pub const fn add_v4(&mut self, address: u32, length: u8) {
        self.add((address as u64) << 8 | length as u64);
    }

    /// Takes in an IPv6 prefix.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
    pub const fn add_v6(&mut self, address: u128, length: u8) {
        let (high, low) = ((address >> 64) as u64, address as u64);
        self.add(high.wrapping_add(low.rotate_left(8)).wrapping_add(length as u64));
    }

    /// Takes in an IPv6 prefix.
    #[inline]
    pub const fn add_v6_address(&mut self, address: Ipv6Addr, length: u8) {
        self.add_v6(address.to_bits(), length);
    }

    /// Takes in a large community.
    #[inline]
    pub const fn add_large(&mut self, global: u32, first: u32, second: u32) {
        let upper = (global as u64) << 32 | first as u64;
        self.add(upper.wrapping_add(second as u64));
    }
}

impl AddAssign for Sum {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// What there is in the UPDATEs of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the point")]
pub struct Seen {
    /// UPDATEs that were decoded.
    pub updates: u64,
    /// Unicast prefixes that are announced, of NLRI and MP_REACH_NLRI.
    pub announced: Sum,
    /// Unicast prefixes that are withdrawn, of withdrawn routes and MP_UNREACH_NLRI.
    pub withdrawn: Sum,
    /// AS numbers of AS_PATH, those of sets included.
    pub hops: Sum,
    /// Communities: standard, extended and large ones.
    pub communities: Sum,
}

impl Seen {
    /// Prefixes, announced and withdrawn.
    #[must_use]
    pub const fn prefixes(&self) -> u64 {
        self.announced.count + self.withdrawn.count
    }

    /// In which fields the two differ, for a reader: `hops 12 of 13`; empty where they are equal.
    #[must_use]
    pub fn difference(&self, reference: &Self) -> String {
        let fields = [
            (
                "updates",
                Sum { count: self.updates, sum: 0 },
                Sum { count: reference.updates, sum: 0 },
            ),
            ("announced", self.announced, reference.announced),
            ("withdrawn", self.withdrawn, reference.withdrawn),
            ("hops", self.hops, reference.hops),
            ("communities", self.communities, reference.communities),
        ];
        let differing = fields.iter().filter(|(_, mine, theirs)| mine != theirs);
        let words = differing.map(|(name, mine, theirs)| {
            if mine.count == theirs.count {
                format!("{name}: as many, other values")
            } else {
                format!("{name}: {} of {}", mine.count, theirs.count)
            }
        });
        words.collect::<Vec<_>>().join("; ")
    }
}
