//! What a session negotiated, as the caller says it: how a message is to be read.

use bgp_session::wire::WireContext;
use bgp_session::{Afi, AfiSafi, PeerType, Safi};
use serde::Deserialize;

/// The context of one message, as `--jsonl` has it under `ctx`; each key may be missing.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Context {
    /// AS numbers have four octets.
    pub asn4: bool,
    /// Who sent the message.
    pub peer: Peer,
    /// The address families that were negotiated, as `AFI/SAFI`.
    pub families: Vec<Family>,
    /// Those of them whose NLRI carry path identifiers (RFC 7911).
    pub addpath: Vec<Family>,
    /// Messages may have up to 65,535 octets (RFC 8654).
    pub ext_msg: bool,
    /// IPv4 routes may have IPv6 next hops (RFC 8950).
    pub ext_nh: bool,
}

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "a peer is in our AS or it is not")]
pub enum Peer {
    /// A peer of another AS.
    Ebgp,
    /// A peer of our own AS.
    Ibgp,
}

/// An address family as `AFI/SAFI`, such as `1/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Family(pub AfiSafi);

impl Default for Context {
    fn default() -> Self {
        Self {
            asn4: true,
            peer: Peer::Ebgp,
            families: vec![Family(AfiSafi::IPV4_UNICAST), Family(AfiSafi::IPV6_UNICAST)],
            addpath: Vec::new(),
            ext_msg: false,
            ext_nh: false,
        }
    }
}

impl Context {
    /// The same for the codec.
    #[must_use]
    pub fn wire(&self) -> WireContext {
        let peer = match self.peer {
            Peer::Ebgp => PeerType::External,
            Peer::Ibgp => PeerType::Internal,
        };
        let mut wire = WireContext::new(peer)
            .four_octet_as(self.asn4)
            .extended_messages(self.ext_msg)
            .extended_next_hop(self.ext_nh)
            .multiprotocol(AfiSafi::IPV4_UNICAST, false);
        for family in &self.families {
            wire = wire.multiprotocol(family.0, true);
        }
        for family in &self.addpath {
            wire = wire.add_path(family.0, true);
        }
        wire
    }
}

impl TryFrom<String> for Family {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for Family {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(afi, safi)| {
            Some(AfiSafi::new(Afi(afi.parse().ok()?), Safi(safi.parse().ok()?)))
        });
        let problem = || format!("address family {text:?}: expected AFI/SAFI, such as 1/1");
        numbers.map(Self).ok_or_else(problem)
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.0.afi.0, self.0.safi.0)
    }
}
