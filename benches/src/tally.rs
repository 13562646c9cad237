//! The tally of the values that a decoder reads from a stream, so that no decoder is fast by skipping values.

use std::net::Ipv6Addr;
use std::ops::AddAssign;

/// The number of values, and their wrapping sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the point")]
pub struct Sum {
    /// The number of values.
    pub count: u64,
    /// The sum of the values as numbers.
    pub sum: u64,
}

impl Sum {
    /// Adds a number.
    #[inline]
    pub const fn add(&mut self, value: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(value);
    }

    /// Adds an IPv4 prefix.
    #[inline]
    pub const fn add_v4(&mut self, address: u32, length: u8) {
        self.add((address as u64) << 8 | length as u64);
    }

    /// Adds an IPv6 prefix.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the lower half is wanted")]
    pub const fn add_v6(&mut self, address: u128, length: u8) {
        let (high, low) = ((address >> 64) as u64, address as u64);
        self.add(high.wrapping_add(low.rotate_left(8)).wrapping_add(length as u64));
    }

    /// Adds an IPv6 prefix.
    #[inline]
    pub const fn add_v6_address(&mut self, address: Ipv6Addr, length: u8) {
        self.add_v6(address.to_bits(), length);
    }

    /// Adds a large community.
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

/// The values in the UPDATEs of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the point")]
pub struct Tally {
    /// The number of decoded UPDATEs.
    pub updates: u64,
    /// The announced unicast prefixes, from NLRI and MP_REACH_NLRI.
    pub announced: Sum,
    /// The withdrawn unicast prefixes, from withdrawn routes and MP_UNREACH_NLRI.
    pub withdrawn: Sum,
    /// The AS numbers in AS_PATH, including those in sets.
    pub hops: Sum,
    /// The standard, extended and large communities.
    pub communities: Sum,
}

impl Tally {
    /// The number of announced and withdrawn prefixes.
    #[must_use]
    pub const fn prefixes(&self) -> u64 {
        self.announced.count + self.withdrawn.count
    }

    /// The fields that differ, as text such as `hops: 12 of 13`; empty if both are equal.
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

        let mut differences = Vec::new();
        for (name, mine, theirs) in fields {
            if mine.count != theirs.count {
                differences.push(format!("{name}: {} of {}", mine.count, theirs.count));
            } else if mine != theirs {
                differences.push(format!("{name}: the same number of different values"));
            }
        }
        differences.join("; ")
    }
}
