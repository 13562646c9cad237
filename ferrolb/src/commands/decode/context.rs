//! The options of the session that a message belongs to: they decide how it is read.

use std::fmt;
use std::str::FromStr;

use bgp_session::wire::WireContext;
use bgp_session::{Afi, AfiSafi, PeerType, Safi};
use serde_json::{Map, Value};

/// The context of a message: the keys of `ctx` in `--jsonl`, each of which may be missing there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the contract of `--jsonl` has these keys")]
pub struct Context {
    /// True if AS numbers have four octets.
    pub asn4: bool,
    /// The sender of the message.
    pub peer: PeerKind,
    /// The negotiated address families.
    pub families: Vec<Family>,
    /// The families whose NLRI have path identifiers (RFC 7911).
    pub addpath: Vec<Family>,
    /// True if messages may have up to 65,535 octets (RFC 8654).
    pub ext_msg: bool,
    /// True if IPv4 routes may have IPv6 next hops (RFC 8950).
    pub ext_nh: bool,
}

/// The sender of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "a peer is in our AS or not")]
pub enum PeerKind {
    /// A peer in another AS.
    Ebgp,
    /// A peer in our AS.
    Ibgp,
}

/// An address family as `AFI/SAFI`, such as `1/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family(pub AfiSafi);

impl Default for Context {
    fn default() -> Self {
        Self {
            asn4: true,
            peer: PeerKind::Ebgp,
            families: vec![Family(AfiSafi::IPV4_UNICAST), Family(AfiSafi::IPV6_UNICAST)],
            addpath: Vec::new(),
            ext_msg: false,
            ext_nh: false,
        }
    }
}

impl Context {
    /// Returns the context in the codec's form.
    #[must_use]
    pub fn wire(&self) -> WireContext {
        let peer = match self.peer {
            PeerKind::Ebgp => PeerType::External,
            PeerKind::Ibgp => PeerType::Internal,
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

    /// Takes the values in `ctx`. A missing key, or null, changes nothing. An unknown key is no error, because other
    /// programs may need more keys.
    ///
    /// # Errors
    ///
    /// The key with a value of the wrong type, the expected type, and the value found.
    pub(super) fn with_json(mut self, ctx: &Value) -> Result<Self, String> {
        let keys = match ctx {
            Value::Null => return Ok(self),
            Value::Object(keys) => keys,
            other => return Err(unexpected("ctx", "an object", other)),
        };

        read_flag(keys, "asn4", &mut self.asn4)?;
        read_flag(keys, "ext_msg", &mut self.ext_msg)?;
        read_flag(keys, "ext_nh", &mut self.ext_nh)?;
        read_families(keys, "families", &mut self.families)?;
        read_families(keys, "addpath", &mut self.addpath)?;

        match keys.get("peer").unwrap_or(&Value::Null) {
            Value::Null => {}
            Value::String(peer) if peer == "ebgp" => self.peer = PeerKind::Ebgp,
            Value::String(peer) if peer == "ibgp" => self.peer = PeerKind::Ibgp,
            other => return Err(unexpected("ctx.peer", "\"ebgp\" or \"ibgp\"", other)),
        }
        Ok(self)
    }
}

fn read_flag(keys: &Map<String, Value>, key: &str, flag: &mut bool) -> Result<(), String> {
    match keys.get(key).unwrap_or(&Value::Null) {
        Value::Null => {}
        Value::Bool(value) => *flag = *value,
        other => return Err(unexpected(&format!("ctx.{key}"), "true or false", other)),
    }
    Ok(())
}

fn read_families(
    keys: &Map<String, Value>,
    key: &str,
    families: &mut Vec<Family>,
) -> Result<(), String> {
    let values = match keys.get(key).unwrap_or(&Value::Null) {
        Value::Null => return Ok(()),
        Value::Array(values) => values,
        other => {
            let key = format!("ctx.{key}");
            return Err(unexpected(&key, "an array such as [\"1/1\"]", other));
        }
    };

    families.clear();
    for (index, value) in values.iter().enumerate() {
        let family = value.as_str().and_then(|text| text.parse().ok());
        let family = family.ok_or_else(|| {
            unexpected(&format!("ctx.{key}[{index}]"), "AFI/SAFI, such as \"1/1\"", value)
        })?;
        families.push(family);
    }
    Ok(())
}

/// Returns the error for an unexpected value, with the start of the value.
pub(super) fn unexpected(key: &str, expected: &str, found: &Value) -> String {
    const MAX_SHOWN: usize = 40;

    let mut found = found.to_string();
    if let Some((end, _)) = found.char_indices().nth(MAX_SHOWN) {
        found.truncate(end);
        found.push_str("..");
    }
    format!("{key}: expected {expected}, found {found}")
}

impl FromStr for Family {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let family = text.split_once('/').and_then(|(afi, safi)| {
            Some(AfiSafi::new(Afi(afi.parse().ok()?), Safi(safi.parse().ok()?)))
        });
        family
            .map(Self)
            .ok_or_else(|| format!("address family {text:?}: expected AFI/SAFI, such as 1/1"))
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.afi.0, self.0.safi.0)
    }
}
