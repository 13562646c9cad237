//! Generated streams: a full table, and the announcements of a load balancer.

use std::net::{Ipv4Addr, Ipv6Addr};

use bgp_core::Asn;
use bgp_core::wire::{AsPath, Community, LargeCommunity, NextHop, Origin, PathAttributes};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::append;

use super::Stream;

pub(super) const FULL_TABLE: &str = "generated-full-table";
pub(super) const METALLB: &str = "generated-metallb";

/// The number of prefixes in the full table.
const PREFIXES: usize = 1_000_000;
/// The number of messages in the stream of a load balancer.
const SERVICES: u32 = 100_000;

/// The cumulative distribution of IPv4 prefix lengths in percent, roughly as in the Internet's table.
const V4_LENGTHS: [(u64, u8); 10] = [
    (60, 24),
    (70, 23),
    (82, 22),
    (87, 21),
    (91, 20),
    (94, 19),
    (96, 18),
    (97, 17),
    (99, 16),
    (100, 12),
];
/// The same distribution for IPv6.
const V6_LENGTHS: [(u64, u8); 8] =
    [(47, 48), (67, 32), (77, 44), (86, 40), (91, 36), (95, 29), (98, 46), (100, 64)];

/// A full table with a million prefixes. One in five messages is IPv6. A message has one to forty prefixes, a path of two to
/// eight hops, up to twenty communities, and in one of eight messages one to four large communities. The octets are the same
/// in every run.
#[must_use]
pub fn full_table() -> Stream {
    let mut random = Random(0x5eed_0b97);
    let mut messages = Vec::new();
    let mut prefixes = 0;
    while prefixes < PREFIXES {
        let is_v6 = random.below(5) == 0;
        // Half of the messages have one prefix, a quarter up to five, and so on.
        let most = [1, 1, 1, 1, 5, 5, 12, 40][random.index(8)];
        let count = (1 + random.index(most)).min(PREFIXES - prefixes);
        let nlri: Vec<_> = (0..count).map(|_| random.prefix(is_v6)).collect();

        let mut message = Vec::new();
        append::update(&mut message, &random.attributes(is_v6), &nlri);
        messages.push(message);
        prefixes += count;
    }
    Stream::new(FULL_TABLE, true).with_messages(messages)
}

/// The UPDATEs of a load balancer with a hundred thousand Services: one /32 with three communities in each message.
#[must_use]
pub fn metallb() -> Stream {
    let attributes = metallb_attributes();
    let messages = (0..SERVICES).map(|service| {
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + service);
        let mut message = Vec::new();
        append::update(&mut message, &attributes, &[IpNet::V4(Ipv4Net::from(address))]);
        message
    });
    Stream::new(METALLB, true).with_messages(messages)
}

/// The attributes of the route to a Service.
#[must_use]
pub fn metallb_attributes() -> PathAttributes {
    PathAttributes {
        as_path: AsPath::sequence([Asn(64_512)]),
        next_hop: Some(NextHop::V4(Ipv4Addr::new(172, 18, 0, 3))),
        communities: vec![
            Community::new(64_512, 100),
            Community::new(64_512, 200),
            Community::NO_EXPORT,
        ],
        ..Default::default()
    }
}

/// A pseudo-random number generator (SplitMix64), with the same numbers in every run.
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap_or(0)
    }

    fn number(&mut self, bound: u32) -> u32 {
        u32::try_from(self.below(bound.into())).unwrap_or(0)
    }

    fn length(&mut self, lengths: &[(u64, u8)]) -> u8 {
        let hundredth = self.below(100);
        lengths.iter().find(|(below, _)| hundredth < *below).map_or(24, |(_, length)| *length)
    }

    fn prefix(&mut self, is_v6: bool) -> IpNet {
        if is_v6 {
            let address = Ipv6Addr::from((0x2 << 124) | u128::from(self.next()) << 60);
            let length = self.length(&V6_LENGTHS);
            return Ipv6Net::new_assert(address, length).trunc().into();
        }
        // 1.0.0.0 to 223.255.255.255.
        let address = Ipv4Addr::from(0x0100_0000 + self.number(0xdf00_0000 - 1));
        let length = self.length(&V4_LENGTHS);
        Ipv4Net::new_assert(address, length).trunc().into()
    }

    fn asn(&mut self) -> Asn {
        // One AS number in eight needs four octets.
        Asn(if self.below(8) == 0 {
            131_072 + self.number(300_000)
        } else {
            1 + self.number(64_000)
        })
    }

    fn attributes(&mut self, is_v6: bool) -> PathAttributes {
        let hops = 2 + self.index(7);
        let communities = if self.below(3) == 0 { 0 } else { self.index(21) };
        let large = if self.below(8) == 0 { 1 + self.index(4) } else { 0 };
        let next_hop = if is_v6 {
            NextHop::from(Ipv6Addr::new(0x2001, 0x7f8, 1, 0, 0, 0xa500, 0x6453, 1))
        } else {
            NextHop::V4(Ipv4Addr::new(80, 249, 208, 50))
        };

        PathAttributes {
            origin: if self.below(10) == 0 { Origin::Incomplete } else { Origin::Igp },
            as_path: (0..hops).map(|_| self.asn()).collect(),
            next_hop: Some(next_hop),
            med: (self.below(4) == 0).then(|| self.number(1_000)),
            communities: (0..communities).map(|_| Community(self.number(u32::MAX))).collect(),
            large_communities: (0..large)
                .map(|_| LargeCommunity::new(self.asn().0, self.number(100), self.number(10_000)))
                .collect(),
            ..Default::default()
        }
    }
}
