//! A set of addresses, stored as intervals.
//!
//! Owns the arithmetic of intervals. The next address that is not in the set is found by one look-up, without a walk.
//! Knows nothing of pools and Services.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A set of addresses of both families, stored as intervals that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IntervalSet {
    /// By first address, the last one.
    intervals: BTreeMap<IpAddr, IpAddr>,
}

impl IntervalSet {
    /// Adds an address, and joins the intervals on both sides of it.
    pub(super) fn insert(&mut self, address: IpAddr) {
        if self.interval_of(address).is_some() {
            return;
        }

        let first = match below(address).and_then(|below| self.interval_of(below)) {
            Some((first, _)) => first,
            None => address,
        };
        let last = match above(address).and_then(|above| self.intervals.remove(&above)) {
            Some(last) => last,
            None => address,
        };

        self.intervals.insert(first, last);
    }

    /// Removes an address, and splits the interval that contained it.
    pub(super) fn remove(&mut self, address: IpAddr) {
        let Some((first, last)) = self.interval_of(address) else { return };
        self.intervals.remove(&first);

        if let Some(before) = below(address).filter(|before| first <= *before) {
            self.intervals.insert(first, before);
        }
        if let Some(after) = above(address).filter(|after| *after <= last) {
            self.intervals.insert(after, last);
        }
    }

    /// Returns the lowest address, starting at `from`, that is not in the set. Returns `None` if the set contains all
    /// addresses from there to the end of the family.
    pub(super) fn next_absent(&self, from: IpAddr) -> Option<IpAddr> {
        match self.interval_of(from) {
            Some((_, last)) => above(last),
            None => Some(from),
        }
    }

    fn interval_of(&self, address: IpAddr) -> Option<(IpAddr, IpAddr)> {
        // All of IPv4 sorts before all of IPv6, so an interval of the other family never reaches this address.
        let (&first, &last) = self.intervals.range(..=address).next_back()?;
        (address <= last).then_some((first, last))
    }
}

/// The next higher address of the family.
fn above(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => u32::from(address).checked_add(1).map(|n| Ipv4Addr::from(n).into()),
        IpAddr::V6(address) => u128::from(address).checked_add(1).map(|n| Ipv6Addr::from(n).into()),
    }
}

/// The next lower address of the family.
fn below(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => u32::from(address).checked_sub(1).map(|n| Ipv4Addr::from(n).into()),
        IpAddr::V6(address) => u128::from(address).checked_sub(1).map(|n| Ipv6Addr::from(n).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_absent_address_follows_the_interval() {
        let mut set = IntervalSet::default();
        for address in ["10.0.0.255", "10.0.1.1", "10.0.1.0"] {
            set.insert(ip(address));
        }
        assert_eq!(set.intervals.len(), 1);
        assert_eq!(set.next_absent(ip("10.0.0.254")), Some(ip("10.0.0.254")));
        assert_eq!(set.next_absent(ip("10.0.0.255")), Some(ip("10.0.1.2")));
        set.remove(ip("10.0.1.0"));
        assert_eq!(set.next_absent(ip("10.0.0.255")), Some(ip("10.0.1.0")));
    }

    #[test]
    fn nothing_follows_the_last_address_of_a_family() {
        let mut set = IntervalSet::default();
        set.insert(ip("255.255.255.255"));
        set.insert(ip("::"));
        assert_eq!(set.next_absent(ip("255.255.255.255")), None);
        assert_eq!(set.next_absent(ip("::")), Some(ip("::1")));
        set.insert(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
        assert_eq!(set.next_absent(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")), None);
        assert_eq!(set.intervals.len(), 3, "intervals of different families never join");
    }

    proptest! {
        #[test]
        fn an_interval_set_behaves_like_a_set(steps in prop::collection::vec((any::<bool>(), 0_u8..40), 0..120)) {
            let (mut intervals, mut set) = (IntervalSet::default(), BTreeSet::new());
            let address = |n: u8| IpAddr::from([10, 0, 0, n]);
            for (add, n) in steps {
                if add {
                    intervals.insert(address(n));
                    set.insert(n);
                } else {
                    intervals.remove(address(n));
                    set.remove(&n);
                }
                for from in 0..41 {
                    let expected = (from..).find(|n| !set.contains(n)).map(address);
                    prop_assert_eq!(intervals.next_absent(address(from)), expected);
                }
                for ((_, last), next) in intervals.intervals.iter().zip(intervals.intervals.keys().skip(1)) {
                    prop_assert!(above(*last) < Some(*next), "intervals that touch are joined");
                }
            }
        }
    }
}
