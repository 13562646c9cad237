//! The tables of the measurements: which prefixes there are, their attributes, and the UPDATEs that announce and withdraw them.
//!
//! Prefixes follow each other without gaps, so that a bitmap can tell which of them a peer holds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;

use bgp_core::rib::{Route, RouteSet};
use bgp_core::wire::{
    AsPath, AttributeBlock, Community, NextHop, PathAttributes, UpdateWriter, WireContext,
};
use bgp_core::{AfiSafi, Asn, IpNet, Ipv4Net, Ipv6Net, PeerType};
use bytes::{Bytes, BytesMut};

use crate::text::count_words;

/// The first IPv4 prefix. A million of them end before 36.0.0.0, so that none is a martian.
const FIRST_V4: u32 = 0x1400_0000;
/// The first IPv6 prefix is 2400::/48.
const FIRST_V6: u128 = 0x2400 << 112;

/// A table of routes: how many, how they share attributes, and their family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    /// The number of routes.
    pub(crate) count: u32,
    /// The number of consecutive prefixes that share a set of attributes; 0 for all of them.
    pub(crate) per_set: u32,
    /// True for IPv6 /48s, false for IPv4 /24s.
    pub(crate) ipv6: bool,
}

/// The order of the prefixes in a stream of UPDATEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    /// Ascending.
    Sorted,
    /// Shuffled, the same in every run. Prefixes with the same attributes stay together.
    Shuffled,
    /// As a real BIRD sends them: in the order of its hash table.
    Bird,
}

/// The end of a session that announces a table: its AS, and its address as the next hop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) asn: Asn,
    pub(crate) next_hop: IpAddr,
}

impl Table {
    /// IPv4 routes of which `per_set` share a set of attributes; 0 means all.
    pub(crate) const fn new(count: u32, per_set: u32) -> Self {
        Self { count, per_set, ipv6: false }
    }

    /// The same with IPv6 routes.
    pub(crate) const fn ipv6(self) -> Self {
        Self { ipv6: true, ..self }
    }

    pub(crate) const fn family(self) -> AfiSafi {
        if self.ipv6 { AfiSafi::IPV6_UNICAST } else { AfiSafi::IPV4_UNICAST }
    }

    /// A label for tables and plots.
    pub(crate) fn label(self) -> String {
        let sets = match self.per_set {
            0 => "one set".to_owned(),
            1 => "all different".to_owned(),
            number => format!("one set per {number}"),
        };
        let family = if self.ipv6 { " IPv6" } else { "" };
        format!("{}{family}, {sets}", count_words(self.count.into()))
    }

    fn prefix(self, number: u32) -> IpNet {
        if self.ipv6 {
            let address = Ipv6Addr::from(FIRST_V6 + (u128::from(number) << 80));
            return IpNet::V6(Ipv6Net::new_assert(address, 48));
        }
        IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from(FIRST_V4 + (number << 8)), 24))
    }

    /// The number of a prefix of the table, from 0.
    pub(crate) fn number(self, prefix: IpNet) -> Option<usize> {
        let number = match prefix {
            IpNet::V4(prefix) if !self.ipv6 && prefix.prefix_len() == 24 => {
                u32::from(prefix.addr()).checked_sub(FIRST_V4)? >> 8
            }
            IpNet::V6(prefix) if self.ipv6 && prefix.prefix_len() == 48 => {
                u32::try_from(u128::from(prefix.addr()).checked_sub(FIRST_V6)? >> 80).ok()?
            }
            _ => return None,
        };
        (number < self.count).then(|| usize::try_from(number).ok())?
    }

    /// The numbers of the prefixes of each set of attributes, in an order, for a part of the table.
    fn sets(self, order: Order, part: Range<u32>) -> Vec<Vec<u32>> {
        let per_set = if self.per_set == 0 { self.count.max(1) } else { self.per_set };
        let end = part.end.min(self.count);
        let firsts = (part.start..end).step_by(usize::try_from(per_set).unwrap_or(usize::MAX));
        let mut sets: Vec<Vec<u32>> =
            firsts.map(|first| (first..end.min(first.saturating_add(per_set))).collect()).collect();

        if order != Order::Sorted {
            let mut random = fastrand::Rng::with_seed(0x5eed);
            random.shuffle(&mut sets);
            sets.iter_mut().for_each(|set| random.shuffle(set));
        }
        sets
    }

    /// The attributes of a set. `version` distinguishes the changes of a route.
    fn attributes(self, first: u32, version: u16) -> PathAttributes {
        let set = first.checked_div(self.per_set).unwrap_or(0);
        let [_, high, low @ ..] = set.to_be_bytes();
        let communities = vec![
            Community::new(64_500, version),
            Community::new(100 + u16::from(high), u16::from_be_bytes(low)),
        ];
        PathAttributes { communities, ..PathAttributes::default() }
    }

    /// The attributes as an external peer sends them.
    fn sent_attributes(self, origin: Origin, first: u32, version: u16) -> PathAttributes {
        let as_path = AsPath::sequence([origin.asn]);
        PathAttributes { as_path, ..self.attributes(first, version) }
    }

    /// The UPDATEs that announce the table. [`Order::Bird`] is [`Order::Shuffled`] here: only a real BIRD knows its order.
    pub(crate) fn announcements(self, origin: Origin, order: Order) -> Bytes {
        self.announcements_of(origin, order, 0..self.count)
    }

    /// The UPDATEs that announce a part of the table.
    pub(crate) fn announcements_of(self, origin: Origin, order: Order, part: Range<u32>) -> Bytes {
        let mut out = BytesMut::new();
        let mut block = AttributeBlock::new();
        let next_hop = NextHop::from(origin.next_hop);

        for set in self.sets(order, part) {
            let first = set.iter().copied().min().unwrap_or_default();
            block.encode(&self.sent_attributes(origin, first, 0), context());
            let prefixes: Vec<IpNet> = set.into_iter().map(|number| self.prefix(number)).collect();

            let mut rest = prefixes.as_slice();
            while !rest.is_empty() {
                let mut update =
                    UpdateWriter::reach(&mut out, self.family(), &next_hop, &block, context());
                let written = update.push_all(rest);
                update.finish();
                rest = rest.get(written.max(1)..).unwrap_or_default();
            }
        }
        out.freeze()
    }

    /// The UPDATEs that withdraw the table.
    pub(crate) fn withdrawals(self) -> Bytes {
        let prefixes: Vec<IpNet> = (0..self.count).map(|number| self.prefix(number)).collect();
        let mut out = BytesMut::new();
        let mut rest = prefixes.as_slice();
        while !rest.is_empty() {
            let mut update = UpdateWriter::unreach(&mut out, self.family(), context());
            let written = update.push_all(rest);
            update.finish();
            rest = rest.get(written.max(1)..).unwrap_or_default();
        }
        out.freeze()
    }

    /// The UPDATE that changes the route in the middle of the table. Each version has another community.
    pub(crate) fn change(self, origin: Origin, version: u16) -> Bytes {
        let number = self.count / 2;
        let attributes = self.sent_attributes(origin, number, version);
        let next_hop = NextHop::from(origin.next_hop);
        let mut out = BytesMut::new();
        let mut update =
            UpdateWriter::reach_with(&mut out, self.family(), &next_hop, &attributes, context());
        update.push(self.prefix(number));
        update.finish();
        out.freeze()
    }

    /// The table as routes of a speaker's own.
    pub(crate) fn routes(self) -> RouteSet {
        let sets = self.sets(Order::Sorted, 0..self.count).into_iter();
        let routes = sets.flat_map(|set| {
            let first = set.first().copied().unwrap_or_default();
            let shared = Arc::new(self.attributes(first, 0));
            set.into_iter()
                .map(move |number| Route::with_attributes(self.prefix(number), Arc::clone(&shared)))
        });
        routes.collect()
    }

    /// The changed route of [`change`](Self::change) as a speaker's own.
    pub(crate) fn changed_route(self, version: u16) -> Route {
        let number = self.count / 2;
        Route::with_attributes(self.prefix(number), Arc::new(self.attributes(number, version)))
    }
}

/// The context of all sessions of the benchmark: external, four-octet AS numbers, both families.
pub(crate) fn context() -> WireContext {
    WireContext::new(PeerType::External)
        .four_octet_as(true)
        .multiprotocol(AfiSafi::IPV6_UNICAST, true)
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
