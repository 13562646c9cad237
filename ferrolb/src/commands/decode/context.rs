//! What a session negotiated, as the caller says it: how a message is to be read.

use bgp_session::wire::WireContext;
use bgp_session::{Afi, AfiSafi, PeerType, Safi};
use serde_json::{Map, Value};

/// The context of one message, as `--jsonl` has it under `ctx`; each key may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the contract of `--jsonl` has these keys")]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "a peer is in our AS or it is not")]
pub enum Peer {
    /// A peer of another AS.
    Ebgp,
    /// A peer of our own AS.
    Ibgp,
}

/// An address family as `AFI/SAFI`, such as `1/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// Takes what stands under `ctx`; what is missing there, or null, stays. A key that nobody knows is no error: other
    /// programs may have more to say.
    ///
    /// # Errors
    ///
    /// The key that has a value of another kind, what was expected there, and what was found.
    pub(super) fn with_json(mut self, ctx: &Value) -> Result<Self, String> {
        let keys = match ctx {
            Value::Null => return Ok(self),
            Value::Object(keys) => keys,
            other => return Err(wrong("ctx", "an object", other)),
        };
        flag(keys, "asn4", &mut self.asn4)?;
        flag(keys, "ext_msg", &mut self.ext_msg)?;
        flag(keys, "ext_nh", &mut self.ext_nh)?;
        families(keys, "families", &mut self.families)?;
        families(keys, "addpath", &mut self.addpath)?;
        match keys.get("peer").unwrap_or(&Value::Null) {
            Value::Null => {}
            Value::String(peer) if peer == "ebgp" => self.peer = Peer::Ebgp,
            Value::String(peer) if peer == "ibgp" => self.peer = Peer::Ibgp,
            other => return Err(wrong("ctx.peer", "\"ebgp\" or \"ibgp\"", other)),
        }
        Ok(self)
    }
}

fn flag(keys: &Map<String, Value>, key: &str, to: &mut bool) -> Result<(), String> {
    match keys.get(key).unwrap_or(&Value::Null) {
        Value::Null => {}
        Value::Bool(value) => *to = *value,
        other => return Err(wrong(&format!("ctx.{key}"), "true or false", other)),
    }
    Ok(())
}

fn families(keys: &Map<String, Value>, key: &str, to: &mut Vec<Family>) -> Result<(), String> {
    let all = match keys.get(key).unwrap_or(&Value::Null) {
        Value::Null => return Ok(()),
        Value::Array(all) => all,
        other => return Err(wrong(&format!("ctx.{key}"), "an array such as [\"1/1\"]", other)),
    };
    let one = |(at, value): (usize, &Value)| {
        let family = value.as_str().and_then(|text| text.parse().ok());
        let place = format!("ctx.{key}[{at}]");
        family.ok_or_else(|| wrong(&place, "AFI/SAFI, such as \"1/1\"", value))
    };
    *to = all.iter().enumerate().map(one).collect::<Result<_, _>>()?;
    Ok(())
}

/// A value that is not what it should be, shown as far as a line has room.
pub(super) fn wrong(key: &str, expected: &str, found: &Value) -> String {
    const MOST_SHOWN: usize = 40;
    let found = found.to_string();
    match found.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => {
            let start = found.get(..end).unwrap_or_default();
            format!("{key}: expected {expected}, found {start}..")
        }
        None => format!("{key}: expected {expected}, found {found}"),
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
