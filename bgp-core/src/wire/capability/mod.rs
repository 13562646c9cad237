//! Capabilities: the features that a speaker offers in its OPEN (RFC 5492).
//!
//! An unknown capability, or one with a value that does not conform to its RFC, is kept as [`Capability::Unknown`]: an OPEN
//! is not refused for a capability that only one side understands. It is refused if the length alone shows that the value
//! is malformed, as BIRD and FRR do.

mod code;
#[cfg(test)]
mod tests;
mod text;

use bytes::{BufMut, Bytes, BytesMut};

pub use code::CapabilityCode;

use crate::types::{Afi, AfiSafi, Asn, Safi};

use super::input::{Parsed, counted_by_octet, four_octets, octet, truncated, two_octets};

/// One capability of an OPEN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Capability {
    /// Routes of a family (RFC 4760), code 1.
    Multiprotocol(AfiSafi),
    /// The speaker answers ROUTE-REFRESH (RFC 2918), code 2.
    RouteRefresh,
    /// IPv4 routes may have IPv6 next hops (RFC 8950), code 5.
    ExtendedNextHop(Vec<ExtendedNextHop>),
    /// The speaker reads messages of 65,535 octets (RFC 8654), code 6.
    ExtendedMessage,
    /// The speaker's role towards the peer (RFC 9234), code 9.
    Role(Role),
    /// Graceful restart (RFC 4724, RFC 8538), code 64.
    GracefulRestart(GracefulRestart),
    /// Four-octet AS numbers, with the speaker's AS (RFC 6793), code 65.
    FourOctetAs(Asn),
    /// Several paths for a prefix (RFC 7911), code 69.
    AddPath(Vec<AddPath>),
    /// The speaker marks the beginning and end of a refresh (RFC 7313), code 70.
    EnhancedRouteRefresh,
    /// Long-lived graceful restart (RFC 9494), code 71.
    LongLivedGracefulRestart(Vec<LongLivedFamily>),
    /// The speaker's host and domain name, code 73.
    Fqdn {
        /// The host's name.
        host: String,
        /// The domain's name, often empty.
        domain: String,
    },
    /// The speaker's software and its version, code 75.
    SoftwareVersion(String),
    /// Any other capability, or a malformed one of the above.
    Unknown {
        /// The capability code.
        code: u8,
        /// The value as received, at most 255 octets.
        #[cfg_attr(feature = "serde", serde(with = "crate::serialize::hex"))]
        value: Bytes,
    },
}

/// The role of a speaker towards its peer (RFC 9234 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Role(pub u8);

impl Role {
    /// The speaker gives transit to the peer.
    pub const PROVIDER: Self = Self(0);
    /// The speaker is a route server.
    pub const ROUTE_SERVER: Self = Self(1);
    /// The speaker is a client of a route server.
    pub const ROUTE_SERVER_CLIENT: Self = Self(2);
    /// The speaker gets transit from the peer.
    pub const CUSTOMER: Self = Self(3);
    /// The two are peers: neither gives transit to the other.
    pub const PEER: Self = Self(4);
}

/// A family whose routes may have next hops of another address family (RFC 8950 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 8950 section 4 has these fields")]
pub struct ExtendedNextHop {
    /// The family of the routes.
    pub family: AfiSafi,
    /// The address family of the next hop.
    pub next_hop: Afi,
}

/// The value of the graceful restart capability (RFC 4724 section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 4724 and RFC 8538 have these fields")]
pub struct GracefulRestart {
    /// True if the speaker has just restarted (R).
    pub restarting: bool,
    /// True if routes are also kept after a NOTIFICATION (N, RFC 8538).
    pub notification: bool,
    /// The maximum duration of a restart in seconds, at most 4,095.
    pub restart_time: u16,
    /// The families whose routes may be kept during a restart.
    pub families: Vec<GracefulRestartFamily>,
}

/// A family of the graceful restart capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 4724 section 3 has these fields")]
pub struct GracefulRestartFamily {
    /// The family.
    pub family: AfiSafi,
    /// True if forwarding continued during the restart (F).
    pub forwarding: bool,
}

/// A family of the long-lived graceful restart capability (RFC 9494 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 9494 section 3 has these fields")]
pub struct LongLivedFamily {
    /// The family.
    pub family: AfiSafi,
    /// True if forwarding continued during the restart (F).
    pub forwarding: bool,
    /// The maximum time to keep stale routes in seconds, at most 16,777,215.
    pub stale_time: u32,
}

/// A family of the ADD-PATH capability (RFC 7911 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 7911 section 4 has these fields")]
pub struct AddPath {
    /// The family.
    pub family: AfiSafi,
    /// The directions in which the speaker supports it.
    pub mode: AddPathMode,
}

/// The "Send/Receive" field of ADD-PATH. Receivers ignore all but these three values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AddPathMode(pub u8);

impl AddPathMode {
    /// The speaker receives several paths.
    pub const RECEIVE: Self = Self(1);
    /// The speaker sends several paths.
    pub const SEND: Self = Self(2);
    /// The speaker receives and sends several paths.
    pub const BOTH: Self = Self(3);

    /// Returns true if the speaker sends several paths.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SEND | Self::BOTH)
    }

    /// Returns true if the speaker receives several paths.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::RECEIVE | Self::BOTH)
    }
}

impl Capability {
    /// The capability code of IANA's registry.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Multiprotocol(_) => 1,
            Self::RouteRefresh => 2,
            Self::ExtendedNextHop(_) => 5,
            Self::ExtendedMessage => 6,
            Self::Role(_) => 9,
            Self::GracefulRestart(_) => 64,
            Self::FourOctetAs(_) => 65,
            Self::AddPath(_) => 69,
            Self::EnhancedRouteRefresh => 70,
            Self::LongLivedGracefulRestart(_) => 71,
            Self::Fqdn { .. } => 73,
            Self::SoftwareVersion(_) => 75,
            Self::Unknown { code, .. } => *code,
        }
    }

    /// Appends code, length and value. A value of more than 255 octets is truncated after its last complete element.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_slice(&[self.code(), 0]);
        let start = out.len();
        self.encode_value(out);

        let length = out.len() - start;
        if let Some(octet) = out.get_mut(start - 1) {
            *octet = u8::try_from(length).unwrap_or(u8::MAX);
        }
        out.truncate(start + length.min(255));
    }

    fn encode_value(&self, out: &mut BytesMut) {
        match self {
            Self::RouteRefresh | Self::ExtendedMessage | Self::EnhancedRouteRefresh => {}
            Self::Multiprotocol(family) => {
                out.put_u16(family.afi.0);
                out.put_slice(&[0, family.safi.0]);
            }
            Self::ExtendedNextHop(entries) => {
                for entry in entries.iter().take(255 / 6) {
                    out.put_u16(entry.family.afi.0);
                    out.put_slice(&[0, entry.family.safi.0]);
                    out.put_u16(entry.next_hop.0);
                }
            }
            Self::Role(role) => out.put_u8(role.0),
            Self::GracefulRestart(restart) => restart.encode(out),
            Self::FourOctetAs(asn) => out.put_u32(asn.0),
            Self::AddPath(entries) => {
                for entry in entries.iter().take(255 / 4) {
                    put_family(out, entry.family);
                    out.put_u8(entry.mode.0);
                }
            }
            Self::LongLivedGracefulRestart(families) => {
                for entry in families.iter().take(255 / 7) {
                    put_family(out, entry.family);
                    let flags = if entry.forwarding { u32::from(FORWARDING) << 24 } else { 0 };
                    out.put_u32(flags | entry.stale_time.min(0x00ff_ffff));
                }
            }
            Self::Fqdn { host, domain } => {
                // Two lengths of one octet leave 253 octets for both names.
                let host = cut(host, 253);
                put_text(out, host);
                put_text(out, cut(domain, 253 - host.len()));
            }
            Self::SoftwareVersion(text) => put_text(out, cut(text, 254)),
            Self::Unknown { value, .. } => out.put_slice(value.get(..255).unwrap_or(value)),
        }
    }

    /// Returns true if the capability's RFC does not allow a value of this length, so that the OPEN is refused. Only checks
    /// the capabilities that other routers check as well.
    pub(in crate::wire) const fn is_malformed(code: u8, value: &[u8]) -> bool {
        let length = value.len();
        match CapabilityCode(code) {
            CapabilityCode::MULTIPROTOCOL | CapabilityCode::FOUR_OCTET_AS => length != 4,
            CapabilityCode::EXTENDED_NEXT_HOP => length % 6 != 0,
            CapabilityCode::GRACEFUL_RESTART => length % 4 != 2,
            CapabilityCode::ADD_PATH => length % 4 != 0,
            _ => false,
        }
    }

    /// Decodes a value. A value that does not conform to its RFC is kept as unknown.
    pub(in crate::wire) fn decode(code: u8, value: &[u8]) -> Self {
        decode_known(code, value)
            .unwrap_or_else(|| Self::Unknown { code, value: Bytes::copy_from_slice(value) })
    }
}

impl GracefulRestart {
    fn encode(&self, out: &mut BytesMut) {
        let restarting = if self.restarting { 0x8000 } else { 0 };
        let notification = if self.notification { 0x4000 } else { 0 };
        out.put_u16(restarting | notification | self.restart_time.min(0x0fff));
        for entry in self.families.iter().take(253 / 4) {
            put_family(out, entry.family);
            out.put_u8(if entry.forwarding { FORWARDING } else { 0 });
        }
    }
}

/// Decodes a known capability; `None` if it is unknown or malformed.
fn decode_known(code: u8, value: &[u8]) -> Option<Capability> {
    Some(match (code, value) {
        (1, [_, _, _, safi]) => {
            let (_, afi) = whole(two_octets, value.get(..2)?)?;
            Capability::Multiprotocol(AfiSafi::new(Afi(afi), Safi(*safi)))
        }
        (2, []) => Capability::RouteRefresh,
        (5, _) => Capability::ExtendedNextHop(entries(value, extended_next_hop)?),
        (6, []) => Capability::ExtendedMessage,
        (9, [role]) => Capability::Role(Role(*role)),
        (64, _) => Capability::GracefulRestart(graceful_restart(value)?),
        (65, _) => Capability::FourOctetAs(Asn(whole(four_octets, value)?.1)),
        (69, _) => Capability::AddPath(entries(value, add_path)?),
        (70, []) => Capability::EnhancedRouteRefresh,
        (71, _) => Capability::LongLivedGracefulRestart(entries(value, long_lived)?),
        (73, _) => {
            let (rest, host) = counted_by_octet(value).ok()?;
            let (_, domain) = whole(counted_by_octet, rest)?;
            Capability::Fqdn { host: text(host)?, domain: text(domain)? }
        }
        (75, _) => Capability::SoftwareVersion(text(whole(counted_by_octet, value)?.1)?),
        _ => return None,
    })
}

fn graceful_restart(value: &[u8]) -> Option<GracefulRestart> {
    let (rest, head) = two_octets(value).ok()?;
    Some(GracefulRestart {
        restarting: head & 0x8000 != 0,
        notification: head & 0x4000 != 0,
        restart_time: head & 0x0fff,
        families: entries(rest, |input| {
            let (input, family) = family(input)?;
            let (input, flags) = octet(input)?;
            Ok((input, GracefulRestartFamily { family, forwarding: flags & FORWARDING != 0 }))
        })?,
    })
}

fn extended_next_hop(input: &[u8]) -> Parsed<'_, ExtendedNextHop> {
    let (input, afi) = two_octets(input)?;
    let (input, safi) = two_octets(input)?;
    let (input, next_hop) = two_octets(input)?;
    // The SAFI has two octets here; a value above 255 is not a SAFI.
    let safi = u8::try_from(safi).map_err(|_| truncated())?;
    let family = AfiSafi::new(Afi(afi), Safi(safi));
    Ok((input, ExtendedNextHop { family, next_hop: Afi(next_hop) }))
}

fn add_path(input: &[u8]) -> Parsed<'_, AddPath> {
    let (input, family) = family(input)?;
    let (input, mode) = octet(input)?;
    Ok((input, AddPath { family, mode: AddPathMode(mode) }))
}

fn long_lived(input: &[u8]) -> Parsed<'_, LongLivedFamily> {
    let (input, family) = family(input)?;
    let (input, word) = four_octets(input)?;
    let forwarding = word >> 24 & u32::from(FORWARDING) != 0;
    Ok((input, LongLivedFamily { family, forwarding, stale_time: word & 0x00ff_ffff }))
}

fn family(input: &[u8]) -> Parsed<'_, AfiSafi> {
    let (input, afi) = two_octets(input)?;
    let (input, safi) = octet(input)?;
    Ok((input, AfiSafi::new(Afi(afi), Safi(safi))))
}

/// Reads complete elements up to the end of the input.
fn entries<T>(mut input: &[u8], one: impl Fn(&[u8]) -> Parsed<'_, T>) -> Option<Vec<T>> {
    let mut all = Vec::new();
    while !input.is_empty() {
        let (rest, entry) = one(input).ok()?;
        all.push(entry);
        input = rest;
    }
    Some(all)
}

/// Applies a parser that must consume the whole input.
fn whole<'a, T>(one: impl Fn(&'a [u8]) -> Parsed<'a, T>, input: &'a [u8]) -> Option<(&'a [u8], T)> {
    one(input).ok().filter(|(rest, _)| rest.is_empty())
}

fn text(octets: &[u8]) -> Option<String> {
    std::str::from_utf8(octets).ok().map(str::to_owned)
}

fn put_family(out: &mut BytesMut, family: AfiSafi) {
    out.put_u16(family.afi.0);
    out.put_u8(family.safi.0);
}

fn put_text(out: &mut BytesMut, text: &str) {
    out.put_u8(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.put_slice(text.as_bytes());
}

/// At most `most` octets of the text, truncated at a character.
fn cut(text: &str, most: usize) -> &str {
    let mut length = text.len().min(most);
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    text.get(..length).unwrap_or_default()
}

/// The F bit of graceful restart and of long-lived graceful restart.
const FORWARDING: u8 = 0x80;
