//! A set of addresses kept as maximal runs, so that "the next one that is not in it" costs a
//! look-up and not a walk.
//!
//! Owns the arithmetic of runs. Knows nothing of pools and Services.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A set of addresses of both families, stored as runs that neither touch nor overlap: first to
/// last address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IntervalSet {
    runs: BTreeMap<IpAddr, IpAddr>,
}

impl IntervalSet {
    /// Adds an address; joins the runs on both sides of it.
    pub(super) fn insert(&mut self, address: IpAddr) {
        if self.run_around(address).is_some() {
            return;
        }
        let first = match below(address).and_then(|below| self.run_around(below)) {
            Some((first, _)) => first,
            None => address,
        };
        let last = match above(address).and_then(|above| self.runs.remove(&above)) {
            Some(last) => last,
            None => address,
        };
        self.runs.insert(first, last);
    }

    /// Takes an address out; splits the run it was in.
    pub(super) fn remove(&mut self, address: IpAddr) {
        let Some((first, last)) = self.run_around(address) else { return };
        self.runs.remove(&first);
        if let Some(before) = below(address).filter(|before| first <= *before) {
            self.runs.insert(first, before);
        }
        if let Some(after) = above(address).filter(|after| *after <= last) {
            self.runs.insert(after, last);
        }
    }

    /// The lowest address from `from` on, of its family, that is not in the set; `None` when the
    /// family ends before.
    pub(super) fn next_absent(&self, from: IpAddr) -> Option<IpAddr> {
        match self.run_around(from) {
            Some((_, last)) => above(last),
            None => Some(from),
        }
    }

    fn run_around(&self, address: IpAddr) -> Option<(IpAddr, IpAddr)> {
        // All of IPv4 sorts before all of IPv6, so a run of the other family never reaches here.
        let (&first, &last) = self.runs.range(..=address).next_back()?;
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
    fn the_next_absent_address_lies_behind_the_run() {
        let mut runs = IntervalSet::default();
        for address in ["10.0.0.255", "10.0.1.1", "10.0.1.0"] {
            runs.insert(ip(address));
        }
        assert_eq!(runs.runs.len(), 1);
        assert_eq!(runs.next_absent(ip("10.0.0.254")), Some(ip("10.0.0.254")));
        assert_eq!(runs.next_absent(ip("10.0.0.255")), Some(ip("10.0.1.2")));
        runs.remove(ip("10.0.1.0"));
        assert_eq!(runs.next_absent(ip("10.0.0.255")), Some(ip("10.0.1.0")));
    }

    #[test]
    fn the_last_address_of_a_family_has_nothing_behind_it() {
        let mut runs = IntervalSet::default();
        runs.insert(ip("255.255.255.255"));
        runs.insert(ip("::"));
        assert_eq!(runs.next_absent(ip("255.255.255.255")), None);
        assert_eq!(runs.next_absent(ip("::")), Some(ip("::1")));
        runs.insert(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
        assert_eq!(runs.next_absent(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")), None);
        assert_eq!(runs.runs.len(), 3, "runs of different families never join");
    }

    proptest! {
        #[test]
        fn runs_are_a_set(steps in prop::collection::vec((any::<bool>(), 0_u8..40), 0..120)) {
            let (mut runs, mut set) = (IntervalSet::default(), BTreeSet::new());
            let address = |n: u8| IpAddr::from([10, 0, 0, n]);
            for (add, n) in steps {
                if add {
                    runs.insert(address(n));
                    set.insert(n);
                } else {
                    runs.remove(address(n));
                    set.remove(&n);
                }
                for from in 0..41 {
                    let expected = (from..).find(|n| !set.contains(n)).map(address);
                    prop_assert_eq!(runs.next_absent(address(from)), expected);
                }
                for ((_, last), next) in runs.runs.iter().zip(runs.runs.keys().skip(1)) {
                    prop_assert!(above(*last) < Some(*next), "runs that touch are one run");
                }
            }
        }
    }
}
