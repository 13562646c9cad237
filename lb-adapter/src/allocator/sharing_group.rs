//! The held addresses that Services with one sharing key may be able to join.
//!
//! Owns the search among them. Where many Services have one key and one port, each lands on an
//! address of its own and would look at those of all the others first; so for each port the group
//! notes up to where there is nothing to find.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{AddressRange, ServicePort};

/// The addresses of one sharing key.
#[derive(Clone, Debug, Default)]
pub(super) struct SharingGroup {
    members: BTreeSet<IpAddr>,
    /// For the first address of a range and a port: all members from there up to this one have the
    /// port in use.
    passed: BTreeMap<(IpAddr, ServicePort), IpAddr>,
}

impl SharingGroup {
    /// Adds an address.
    pub(super) fn insert(&mut self, address: IpAddr) {
        if self.members.insert(address) {
            self.passed.retain(|(first, _), last| address < *first || *last < address);
        }
    }

    /// Takes out an address that nobody holds any more.
    pub(super) fn remove(&mut self, address: IpAddr) {
        self.members.remove(&address);
    }

    /// Notes that a port of an address is no longer in use.
    pub(super) fn freed(&mut self, address: IpAddr, port: ServicePort) {
        self.passed.retain(|(first, of), last| *of != port || address < *first || *last < address);
    }

    /// Its addresses, the lowest first.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.members.iter().copied()
    }

    /// Whether it has no address.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The lowest address of a range, not above `end`, at which none of these ports is in use.
    pub(super) fn lowest(
        &mut self,
        range: AddressRange,
        end: IpAddr,
        ports: &[ServicePort],
        in_use: impl Fn(IpAddr, ServicePort) -> bool,
    ) -> Option<IpAddr> {
        let first = range.first();
        let passed = |port: &ServicePort| self.passed.get(&(first, *port)).copied();
        let start = ports.iter().filter_map(passed).max().unwrap_or(first);
        // Only what was noted up to the start can be carried on from there.
        let mut carried: Vec<_> =
            ports.iter().filter(|port| passed(port).unwrap_or(first) == start).collect();
        if end < start {
            return None;
        }
        for address in self.members.range(start..=end) {
            if !ports.iter().any(|port| in_use(*address, *port)) {
                return Some(*address);
            }
            carried.retain(|port| in_use(*address, **port));
            self.passed.extend(carried.iter().map(|port| ((first, **port), *address)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::TransportProtocol;

    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn ports(numbers: &BTreeSet<u16>) -> BTreeSet<ServicePort> {
        let port = |port: &u16| ServicePort { protocol: TransportProtocol::Tcp, port: *port };
        numbers.iter().map(port).collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// Puts a port to use; the address becomes a member.
        Use(u8, u16),
        /// Frees a port, and the address with the last one.
        Free(u8, u16),
        /// Searches one of two ranges, up to an address.
        Search(bool, u8, BTreeSet<u16>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let port = 1_u16..4;
        prop_oneof![
            (0_u8..12, port.clone()).prop_map(|(at, port)| Step::Use(at, port)),
            (0_u8..12, port.clone()).prop_map(|(at, port)| Step::Free(at, port)),
            (any::<bool>(), 0_u8..12, prop::collection::btree_set(port, 0..3))
                .prop_map(|(upper, end, ports)| Step::Search(upper, end, ports)),
        ]
    }

    proptest! {
        #[test]
        fn a_search_finds_what_looking_at_every_member_finds(
            steps in prop::collection::vec(step(), 0..80),
        ) {
            let mut group = SharingGroup::default();
            let mut members: BTreeMap<IpAddr, BTreeSet<ServicePort>> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Use(at, port) => {
                        let port = ports(&[port].into());
                        members.entry(address(at)).or_default().extend(port);
                        group.insert(address(at));
                    }
                    Step::Free(at, port) => {
                        let Some(used) = members.get_mut(&address(at)) else { continue };
                        let port = ports(&[port].into()).pop_first().unwrap();
                        used.remove(&port);
                        group.freed(address(at), port);
                        if used.is_empty() {
                            members.remove(&address(at));
                            group.remove(address(at));
                        }
                    }
                    Step::Search(upper, end, numbers) => {
                        let text = if upper { "10.0.0.6-10.0.0.11" } else { "10.0.0.0-10.0.0.5" };
                        let range: AddressRange = text.parse().unwrap();
                        let (end, ports) = (address(end).min(range.last()), ports(&numbers));
                        let listed: Vec<_> = ports.iter().copied().collect();
                        let mut within = members
                            .iter()
                            .filter(|(address, _)| range.first() <= **address && **address <= end);
                        let expected = within.find(|(_, used)| used.is_disjoint(&ports));
                        let found = group.lowest(range, end, &listed, |address, port| {
                            members[&address].contains(&port)
                        });
                        prop_assert_eq!(found, expected.map(|(address, _)| *address));
                    }
                }
            }
        }
    }
}
