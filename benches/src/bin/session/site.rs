//! The network of the measurements: one namespace for the speaker under test, one for the wire peers, one for a daemon that
//! receives.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_core::Asn;
use test_peers::{Host, Lan};

use crate::routes::Origin;
use crate::wire_peer::End;

/// The speaker under test.
pub(crate) const SUBJECT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// Its next hop for IPv6 routes.
pub(crate) const SUBJECT_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
/// Its AS.
pub(crate) const SUBJECT_AS: Asn = Asn(65_000);

/// A daemon that receives from the speaker under test, or whose order of routes is recorded.
pub(crate) const DAEMON: End =
    End { address: IpAddr::V4(Ipv4Addr::new(10, 77, 0, 3)), asn: Asn(100_000) };

/// The address of the wire peers' namespace itself.
const PEERS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// Every address of this prefix belongs to the wire peers.
const PEER_PREFIX: &str = "10.77.128.0/17";

/// The hosts of the measurements.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) subject: Host,
    pub(crate) peers: Host,
    pub(crate) daemon: Host,
    _lan: Lan,
}

impl Site {
    /// Creates the namespaces.
    pub(crate) fn new() -> Self {
        let lan = Lan::new();
        let host = |name, last| {
            lan.host(name, &[&format!("10.77.0.{last}/16"), &format!("fd77::{last}/64")])
        };
        let (subject, peers, daemon) = (host("subject", 1), host("peers", 2), host("daemon", 3));
        // One route instead of thousands of addresses, and no entry for each of them in the kernel's neighbour tables, which
        // are small.
        peers.ip(&format!("route add local {PEER_PREFIX} dev lo"));
        for host in [&subject, &daemon] {
            host.ip(&format!("route add {PEER_PREFIX} via {PEERS}"));
        }
        Self { subject, peers, daemon, _lan: lan }
    }
}

/// A wire peer by its number, from 0.
pub(crate) fn wire_end(number: u16) -> End {
    let [high, low] = (number + 1).to_be_bytes();
    let address = Ipv4Addr::new(10, 77, 128 + high, low);
    End { address: address.into(), asn: Asn(100_001 + u32::from(number)) }
}

/// The origin of the routes of a wire peer. IPv6 routes have a next hop of their own.
pub(crate) fn origin(end: End, ipv6: bool) -> Origin {
    let next_hop = match end.address {
        IpAddr::V4(address) if ipv6 => {
            let [.., high, low] = address.octets();
            let last = u16::from_be_bytes([high, low]);
            IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 1, last))
        }
        address => address,
    };
    Origin { asn: end.asn, next_hop }
}

/// The end of octets that are written without a speaker.
pub(crate) fn octets_end() -> End {
    End { address: PEERS.into(), asn: SUBJECT_AS }
}
