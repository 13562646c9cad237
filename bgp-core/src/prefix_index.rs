//! [`PrefixIndex`]: prefixes with values, and those of them that cover another prefix.
//!
//! Owns the search that sets of prefixes in policies and tables of VRPs share. Knows nothing of what the values mean.

use std::fmt::Debug;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An address of one family, as a number.
pub(crate) trait Address: Copy + Ord + Debug {
    /// The address and the length of a prefix without its host bits. `None` if it is of another family.
    fn of(prefix: IpNet) -> Option<(Self, u8)>;

    fn prefix(self, length: u8) -> IpNet;

    /// The address without the bits after the first `length`.
    fn masked(self, length: u8) -> Self;
}

impl Address for u32 {
    fn of(prefix: IpNet) -> Option<(Self, u8)> {
        match prefix {
            IpNet::V4(prefix) => Some((prefix.network().into(), prefix.prefix_len())),
            IpNet::V6(_) => None,
        }
    }

    fn prefix(self, length: u8) -> IpNet {
        // The length came from a prefix.
        Ipv4Net::new(self.into(), length).unwrap_or_default().into()
    }

    fn masked(self, length: u8) -> Self {
        let host_bits = Self::BITS.saturating_sub(length.into());
        self & Self::MAX.checked_shl(host_bits).unwrap_or_default()
    }
}

impl Address for u128 {
    fn of(prefix: IpNet) -> Option<(Self, u8)> {
        match prefix {
            IpNet::V4(_) => None,
            IpNet::V6(prefix) => Some((prefix.network().into(), prefix.prefix_len())),
        }
    }

    fn prefix(self, length: u8) -> IpNet {
        Ipv6Net::new(self.into(), length).unwrap_or_default().into()
    }

    fn masked(self, length: u8) -> Self {
        let host_bits = Self::BITS.saturating_sub(length.into());
        self & Self::MAX.checked_shl(host_bits).unwrap_or_default()
    }
}

/// Prefixes of one family, each with a value. A prefix may occur several times.
///
/// The prefixes are sorted, and each knows the nearest one that covers it. A search is binary, and then follows that chain,
/// which is as long as prefixes are nested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PrefixIndex<A, V> {
    entries: Vec<Entry<A, V>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry<A, V> {
    address: A,
    value: V,
    /// The place of the last entry before this one that covers it, or [`NO_PARENT`].
    parent: u32,
    length: u8,
}

const NO_PARENT: u32 = u32::MAX;

impl<A: Address, V: Copy> PrefixIndex<A, V> {
    /// The index of these prefixes, which are in the order of addresses and lengths.
    pub(crate) fn from_sorted(sorted: impl IntoIterator<Item = (A, u8, V)>) -> Self {
        let mut entries: Vec<Entry<A, V>> = Vec::new();
        for (address, length, value) in sorted {
            let before = u32::try_from(entries.len()).unwrap_or(NO_PARENT).checked_sub(1);
            let mut parent = before.unwrap_or(NO_PARENT);
            while let Some(entry) = entries.get(parent as usize) {
                if entry.covers(address, length) {
                    break;
                }
                parent = entry.parent;
            }
            entries.push(Entry { address, value, parent, length });
        }
        entries.shrink_to_fit();
        Self { entries }
    }

    /// The values of the prefixes that cover this one, from the longest prefix to the shortest.
    pub(crate) fn covering(&self, address: A, length: u8) -> impl Iterator<Item = (u8, V)> {
        let after = self
            .entries
            .partition_point(|entry| (entry.address, entry.length) <= (address, length));
        // An entry that covers the prefix covers the last entry before it as well, so it is in that entry's chain.
        let mut next = after.checked_sub(1).and_then(|at| self.entries.get(at));
        let chain = std::iter::from_fn(move || {
            let entry = next?;
            next = self.entries.get(entry.parent as usize);
            Some(entry)
        });
        chain.filter(move |entry| entry.covers(address, length)).map(|it| (it.length, it.value))
    }

    /// The prefixes and their values, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (A, u8, V)> {
        self.entries.iter().map(|entry| (entry.address, entry.length, entry.value))
    }

    /// The values of one prefix, in order.
    pub(crate) fn of_prefix(&self, address: A, length: u8) -> impl Iterator<Item = V> {
        let wanted = (address, length);
        let first = self.entries.partition_point(|entry| (entry.address, entry.length) < wanted);
        let from = self.entries.get(first..).unwrap_or_default().iter();
        from.take_while(move |it| (it.address, it.length) == wanted).map(|it| it.value)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<A, V> Default for PrefixIndex<A, V> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<A: Address, V> Entry<A, V> {
    fn covers(&self, address: A, length: u8) -> bool {
        self.length <= length && address.masked(self.length) == self.address
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_covering_prefixes_come_from_the_longest_to_the_shortest() {
        let mut prefixes: Vec<(u32, u8)> =
            ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/8", "10.1.0.0/16", "10.1.128.0/17", "11.0.0.0/8"]
                .iter()
                .filter_map(|text| Address::of(text.parse().unwrap()))
                .collect();
        prefixes.sort_unstable();
        let index = PrefixIndex::from_sorted(
            prefixes.iter().enumerate().map(|(at, (address, length))| (*address, *length, at)),
        );

        let covering = |text: &str| {
            let (address, length) = Address::of(text.parse().unwrap()).unwrap();
            index.covering(address, length).map(|(_, at)| at).collect::<Vec<_>>()
        };
        assert_eq!(covering("10.1.0.0/16"), [3, 2, 1, 0]);
        assert_eq!(covering("10.1.255.0/24"), [4, 3, 2, 1, 0]);
        assert_eq!(covering("10.0.0.0/7"), [0]);
        assert_eq!(covering("12.0.0.0/32"), [0]);
        assert_eq!(index.of_prefix(0x0a00_0000, 8).collect::<Vec<_>>(), [1, 2]);
    }

    proptest! {
        #[test]
        fn a_search_finds_what_a_scan_finds(
            prefixes in prop::collection::vec((any::<u32>(), 0_u8..=32), 0..60),
            wanted in (any::<u32>(), 0_u8..=32),
        ) {
            // Few addresses, so that many prefixes are nested.
            let narrow = |(address, length): (u32, u8)| ((address & 0xc300_0003).masked(length), length);
            let mut sorted: Vec<_> = prefixes.into_iter().map(narrow).collect();
            sorted.sort_unstable();
            let (address, length) = narrow(wanted);
            let index = PrefixIndex::from_sorted(sorted.iter().map(|it| (it.0, it.1, ())));

            let found: Vec<_> = index.covering(address, length).map(|(length, ())| length).collect();
            let scanned: Vec<_> = sorted.iter().rev()
                .filter(|it| it.1 <= length && address.masked(it.1) == it.0)
                .map(|it| it.1)
                .collect();
            prop_assert_eq!(found, scanned);
        }
    }
}
