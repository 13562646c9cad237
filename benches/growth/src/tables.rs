//! Generated tables of routes in the orders in which senders announce them, as the octets of UPDATEs, and paths for a Loc-RIB.
//!
//! A table sorted by prefix is the exception on the wire: a sender that walks a hash table, such as BIRD, announces prefixes in
//! an order without any pattern, and repeats a set of attributes in many UPDATEs.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bgp_core::rib::{Path, PathSource};
use bgp_core::wire::{AsPath, Community, NextHop, PathAttributes};
use bgp_core::{Asn, BgpIdentifier, PeerType};
use ipnet::{IpNet, Ipv4Net};

use crate::append;

/// The AS of the sender.
pub const SENDER: Asn = Asn(64_601);

/// The order in which a sender announces its prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each is a row of the table")]
pub enum Order {
    /// By prefix.
    Sorted,
    /// At random. All prefixes of a set of attributes come in one UPDATE.
    Shuffled,
    /// By the hash of the prefix that BIRD uses. Only prefixes that follow each other by chance share an UPDATE.
    Hashed,
}

impl Order {
    /// All orders.
    pub const ALL: [Self; 3] = [Self::Sorted, Self::Shuffled, Self::Hashed];

    /// The name for tables and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sorted => "sorted",
            Self::Shuffled => "shuffled",
            Self::Hashed => "hash order",
        }
    }
}

/// The UPDATEs of a table of `count` /24 prefixes, each set of attributes shared by `per_set` adjacent ones; 0: by all.
#[must_use]
pub fn updates(count: u32, per_set: u32, order: Order) -> Vec<u8> {
    let mut numbers: Vec<u32> = (0..count).collect();
    match order {
        Order::Sorted => {}
        Order::Shuffled => shuffle(&mut numbers, per_set.max(1)),
        Order::Hashed => numbers.sort_by_key(|number| address(*number).wrapping_mul(BIRD_PRIME)),
    }

    let set_of = |number: u32| number.checked_div(per_set).unwrap_or(0);
    let mut octets = Vec::new();
    for run in numbers.chunk_by(|a, b| set_of(*a) == set_of(*b)) {
        let attributes = attributes(run.first().map_or(0, |number| set_of(*number)));
        for some in run.chunks(MOST_PREFIXES) {
            let prefixes: Vec<_> = some.iter().map(|number| prefix(*number)).collect();
            append::update(&mut octets, &attributes, &prefixes);
        }
    }
    octets
}

/// A prefix of a table, by its number.
#[must_use]
pub fn prefix(number: u32) -> IpNet {
    Ipv4Net::new_assert(Ipv4Addr::from(address(number)), 24).into()
}

/// The path to a prefix from an external peer, by the number of the peer, with a MED.
#[must_use]
pub fn path(peer: u32, med: u32) -> Path<u32> {
    let address = Ipv4Addr::from(0x0a00_0000 + peer);
    let source = PathSource {
        peer,
        address: address.into(),
        asn: Asn(64_500),
        identifier: BgpIdentifier(address),
        peer_type: PeerType::External,
    };
    let attributes = PathAttributes { med: Some(med), ..PathAttributes::default() };
    Path { source: Arc::new(source), path_id: 0, attributes: Arc::new(attributes) }
}

const fn address(number: u32) -> u32 {
    0x1400_0000 + (number << 8)
}

/// A set of attributes, by its number: two communities, of which one tells it from the others.
fn attributes(number: u32) -> PathAttributes {
    let [a, b, c, d] = number.to_be_bytes();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    PathAttributes {
        as_path: AsPath::sequence([SENDER]),
        next_hop: Some(NextHop::V4(Ipv4Addr::new(192, 0, 2, 1))),
        communities: vec![Community::new(64_500, 1), Community::new(100 + high, low)],
        ..PathAttributes::default()
    }
}

/// Shuffles runs of `length` numbers, the same way each time.
fn shuffle(numbers: &mut [u32], length: u32) {
    let mut runs: Vec<_> = numbers.chunks(length as usize).map(<[u32]>::to_vec).collect();
    let mut random = 0x5eed_0b97_u64;
    for at in (1..runs.len()).rev() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // The upper bits of a linear congruential generator are the random ones.
        let bound = at as u64 + 1;
        runs.swap(at, usize::try_from((random >> 32) % bound).unwrap_or(0));
    }
    for (number, shuffled) in numbers.iter_mut().zip(runs.concat()) {
        *number = shuffled;
    }
}

/// The multiplier of BIRD's hash of an IPv4 address (`u32_hash`).
const BIRD_PRIME: u32 = 2_902_958_171;

/// The number of /24 prefixes that fit a message of 4,096 octets beside the attributes.
const MOST_PREFIXES: usize = 1_000;
