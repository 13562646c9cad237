//! The held addresses that Services with one sharing key may be able to join.
//!
//! Owns the search among them. When many Services have the same key and the same port, each ends up with an address of
//! its own, and each new one would examine the addresses of all the others first. So the group remembers, for each
//! port, how far a search has found nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{AddressRange, ServicePort};

/// The held addresses of one sharing key.
#[derive(Clone, Debug, Default)]
pub(super) struct SharingGroup {
    addresses: BTreeSet<IpAddr>,
    /// By the first address of a range and a port: the address up to which the port is in use at every address of the
    /// group.
    exhausted: BTreeMap<(IpAddr, ServicePort), IpAddr>,
}

impl SharingGroup {
    /// Adds an address.
    pub(super) fn insert(&mut self, address: IpAddr) {
        if self.addresses.insert(address) {
            self.exhausted.retain(|(first, _), last| address < *first || *last < address);
        }
    }

    /// Removes an address that no Service holds any more.
    pub(super) fn remove(&mut self, address: IpAddr) {
        self.addresses.remove(&address);
    }

    /// Records that a port of an address is no longer in use.
    pub(super) fn free_port(&mut self, address: IpAddr, freed: ServicePort) {
        self.exhausted
            .retain(|(first, port), last| *port != freed || address < *first || *last < address);
    }

    /// The addresses, lowest first.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().copied()
    }

    /// Returns true if the group has no address.
    pub(super) fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Returns the lowest address of a range, up to and including `end`, at which none of these ports is in use.
    pub(super) fn find_lowest(
        &mut self,
        range: AddressRange,
        end: IpAddr,
        ports: &[ServicePort],
        in_use: impl Fn(IpAddr, ServicePort) -> bool,
    ) -> Option<IpAddr> {
        let first = range.first();
        let exhausted_to = ports.iter().map(|port| self.exhausted_to(first, *port));
        let start = exhausted_to.max().unwrap_or(first);
        if end < start {
            return None;
        }

        // A port that was searched only up to an earlier address has a gap before the start, so this search cannot
        // extend its record.
        let mut extendable = ports.to_vec();
        extendable.retain(|port| self.exhausted_to(first, *port) == start);

        for &address in self.addresses.range(start..=end) {
            if !ports.iter().any(|port| in_use(address, *port)) {
                return Some(address);
            }
            extendable.retain(|port| in_use(address, *port));
            self.exhausted.extend(extendable.iter().map(|port| ((first, *port), address)));
        }
        None
    }

    /// The address up to which a search of the range with this first address need not look for a free port.
    fn exhausted_to(&self, first: IpAddr, port: ServicePort) -> IpAddr {
        self.exhausted.get(&(first, port)).copied().unwrap_or(first)
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
        /// Puts a port to use and adds the address.
        Use(u8, u16),
        /// Frees a port, and removes the address with its last port.
        Free(u8, u16),
        /// Searches one of two ranges up to an address.
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
        fn a_search_finds_what_a_walk_over_all_addresses_finds(
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
                        group.free_port(address(at), port);
                        if used.is_empty() {
                            members.remove(&address(at));
                            group.remove(address(at));
                        }
                    }
                    Step::Search(upper, end, numbers) => {
                        let text = if upper { "10.0.0.6-10.0.0.11" } else { "10.0.0.0-10.0.0.5" };
                        let range: AddressRange = text.parse().unwrap();
                        let (end, ports) = (address(end).min(range.last()), ports(&numbers));
                        let sorted: Vec<_> = ports.iter().copied().collect();
                        let mut within = members
                            .iter()
                            .filter(|(address, _)| range.first() <= **address && **address <= end);
                        let expected = within.find(|(_, used)| used.is_disjoint(&ports));
                        let found = group.find_lowest(range, end, &sorted, |address, port| {
                            members[&address].contains(&port)
                        });
                        prop_assert_eq!(found, expected.map(|(address, _)| *address));
                    }
                }
            }
        }
    }
}
