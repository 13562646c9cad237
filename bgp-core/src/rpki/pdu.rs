//! [`Pdu`]: the messages of the RTR protocol, version 1 (RFC 8210) and version 0 (RFC 6810), as octets and as values.
//!
//! Owns the format. What may follow what is a matter of the [client](super::RtrClient).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::Asn;

use super::Vrp;

/// A protocol data unit (RFC 8210, section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pdu {
    /// The cache has new data.
    SerialNotify {
        /// The session of the cache.
        session_id: u16,
        /// Its newest serial number.
        serial: u32,
    },
    /// The router asks for what has changed since a serial number.
    SerialQuery {
        /// The session in which the router got its data.
        session_id: u16,
        /// The serial number of that data.
        serial: u32,
    },
    /// The router asks for everything.
    ResetQuery,
    /// The cache begins its answer.
    CacheResponse {
        /// The session of the cache.
        session_id: u16,
    },
    /// The cache adds or removes a VRP: an IPv4 Prefix or an IPv6 Prefix.
    Prefix {
        /// True if the VRP is new, false if it is withdrawn.
        is_announced: bool,
        /// The VRP.
        vrp: Vrp,
    },
    /// The answer is complete.
    EndOfData {
        /// The session of the cache.
        session_id: u16,
        /// The serial number of the data.
        serial: u32,
        /// The times that the cache asks for; version 0 has none.
        timers: Option<RtrTimers>,
    },
    /// The cache cannot tell what has changed.
    CacheReset,
    /// A router key of BGPsec (RFC 8205), whose contents are not read.
    RouterKey,
    /// The other end found an error.
    ErrorReport {
        /// The kind of error.
        code: RtrErrorCode,
        /// The PDU with the error, or the beginning of it.
        pdu: Vec<u8>,
        /// A text for the operator. One that is read has at most 256 octets, with control characters escaped.
        text: String,
    },
}

/// The times that a cache asks a router to keep (RFC 8210, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 8210 section 6 has these three")]
pub struct RtrTimers {
    /// The time after which the router asks for changes. Default: an hour.
    pub refresh: Duration,
    /// The longest pause after a failure. Default: 10 minutes.
    pub retry: Duration,
    /// The time after which data that could not be refreshed is no longer used. Default: 2 hours.
    pub expire: Duration,
}

impl Default for RtrTimers {
    fn default() -> Self {
        let [refresh, retry, expire] = [3_600, 600, 7_200].map(Duration::from_secs);
        Self { refresh, retry, expire }
    }
}

impl RtrTimers {
    /// The times within the limits of RFC 8210, section 6. An expire time that is not longer than the others leaves room for
    /// a few attempts instead.
    #[must_use]
    pub fn within_limits(self) -> Self {
        let clamp = |time: Duration, least, most| {
            time.clamp(Duration::from_secs(least), Duration::from_secs(most))
        };
        let refresh = clamp(self.refresh, 1, 86_400);
        let retry = clamp(self.retry, 1, 7_200);
        let expire = clamp(self.expire, 600, 172_800);
        let is_possible = expire > refresh.max(retry);
        // At most 30 hours, which is within the limits.
        let least = refresh.saturating_add(retry.saturating_mul(ATTEMPTS));
        Self { refresh, retry, expire: if is_possible { expire } else { expire.max(least) } }
    }
}

/// A kind of error in an Error Report (RFC 8210, section 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RtrErrorCode(pub u16);

impl RtrErrorCode {
    /// A PDU is not what the protocol allows.
    pub const CORRUPT_DATA: Self = Self(0);
    /// The sender has a problem of its own.
    pub const INTERNAL_ERROR: Self = Self(1);
    /// The cache has no data yet. The session goes on.
    pub const NO_DATA_AVAILABLE: Self = Self(2);
    /// The cache does not understand the query.
    pub const INVALID_REQUEST: Self = Self(3);
    /// The version is not supported.
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(4);
    /// The type of the PDU is not known.
    pub const UNSUPPORTED_PDU_TYPE: Self = Self(5);
    /// A VRP was withdrawn that the router does not have.
    pub const WITHDRAWAL_OF_UNKNOWN_RECORD: Self = Self(6);
    /// A VRP was announced that the router has already.
    pub const DUPLICATE_ANNOUNCEMENT_RECEIVED: Self = Self(7);
    /// The version changed after both ends had agreed on one.
    pub const UNEXPECTED_PROTOCOL_VERSION: Self = Self(8);
}

impl fmt::Display for RtrErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::CORRUPT_DATA => "Corrupt Data",
            Self::INTERNAL_ERROR => "Internal Error",
            Self::NO_DATA_AVAILABLE => "No Data Available",
            Self::INVALID_REQUEST => "Invalid Request",
            Self::UNSUPPORTED_PROTOCOL_VERSION => "Unsupported Protocol Version",
            Self::UNSUPPORTED_PDU_TYPE => "Unsupported PDU Type",
            Self::WITHDRAWAL_OF_UNKNOWN_RECORD => "Withdrawal of Unknown Record",
            Self::DUPLICATE_ANNOUNCEMENT_RECEIVED => "Duplicate Announcement Received",
            Self::UNEXPECTED_PROTOCOL_VERSION => "Unexpected Protocol Version",
            Self(code) => return write!(f, "error {code}"),
        })
    }
}

/// A PDU that was read, with its version and its length in octets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the header and the rest of a PDU")]
pub struct DecodedPdu {
    /// The protocol version.
    pub version: u8,
    /// The PDU.
    pub pdu: Pdu,
    /// The number of octets that it took.
    pub length: usize,
}

/// Octets that are no PDU, or one that the protocol does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {problem}")]
#[non_exhaustive]
pub struct PduError {
    /// The code for an Error Report.
    pub code: RtrErrorCode,
    /// The problem in words.
    pub problem: &'static str,
}

impl PduError {
    pub(super) const fn new(code: RtrErrorCode, problem: &'static str) -> Self {
        Self { code, problem }
    }

    const fn corrupt(problem: &'static str) -> Self {
        Self::new(RtrErrorCode::CORRUPT_DATA, problem)
    }

    /// The Error Report about the first PDU in `octets`, with the beginning of that PDU. `None` if it is an Error Report, which
    /// must not be answered by another (RFC 8210, section 5.11).
    pub(super) fn report(self, octets: &[u8]) -> Option<Pdu> {
        let ([_, kind, _, _, length @ ..], _) = octets.split_first_chunk::<HEADER_LENGTH>()?;
        if *kind == ERROR_REPORT {
            return None;
        }

        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let length = length.clamp(HEADER_LENGTH, MOST_QUOTED).min(octets.len());
        let pdu = octets.get(..length).unwrap_or_default().to_vec();
        Some(Pdu::ErrorReport { code: self.code, pdu, text: self.problem.to_owned() })
    }
}

impl Pdu {
    /// The longest PDU that is read, in octets. Those with VRPs have 20 and 32.
    pub const MOST_OCTETS: usize = 64 * 1_024;

    /// Reads the first PDU in `octets`. `None`: more octets are needed, at most [`Pdu::MOST_OCTETS`] in all.
    ///
    /// # Errors
    ///
    /// The octets are no PDU of version 0 or 1. An Error Report of a later version is read, because a cache that supports
    /// neither answers with it.
    pub fn decode(octets: &[u8]) -> Result<Option<DecodedPdu>, PduError> {
        let Some(([version, kind, high, low, length @ ..], _)) =
            octets.split_first_chunk::<HEADER_LENGTH>()
        else {
            return Ok(None);
        };
        let (version, kind, length) = (*version, *kind, u32::from_be_bytes(*length));
        if version > VERSION_1 && kind != ERROR_REPORT {
            let code = RtrErrorCode::UNSUPPORTED_PROTOCOL_VERSION;
            return Err(PduError::new(code, "the version is neither 0 nor 1"));
        }

        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !(HEADER_LENGTH..=Self::MOST_OCTETS).contains(&length) {
            return Err(PduError::corrupt("the length is less than 8 octets, or more than 65,536"));
        }
        let Some(body) = octets.get(HEADER_LENGTH..length) else { return Ok(None) };

        let pdu = decode_body(version, kind, u16::from_be_bytes([*high, *low]), body)?;
        Ok(Some(DecodedPdu { version, pdu, length }))
    }

    /// Appends the PDU in this version. Times of End of Data are left out in version 0. A Router Key has no contents.
    pub fn encode(&self, version: u8, out: &mut BytesMut) {
        let start = out.len();
        match self {
            Self::SerialNotify { session_id, serial } => {
                put_header(out, version, SERIAL_NOTIFY, *session_id);
                out.put_u32(*serial);
            }
            Self::SerialQuery { session_id, serial } => {
                put_header(out, version, SERIAL_QUERY, *session_id);
                out.put_u32(*serial);
            }
            Self::ResetQuery => put_header(out, version, RESET_QUERY, 0),
            Self::CacheResponse { session_id } => {
                put_header(out, version, CACHE_RESPONSE, *session_id);
            }
            Self::Prefix { is_announced, vrp } => put_prefix(out, version, *is_announced, vrp),
            Self::EndOfData { session_id, serial, timers } => {
                put_header(out, version, END_OF_DATA, *session_id);
                out.put_u32(*serial);
                if version >= VERSION_1 {
                    let RtrTimers { refresh, retry, expire } = timers.unwrap_or_default();
                    for time in [refresh, retry, expire] {
                        out.put_u32(u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
                    }
                }
            }
            Self::CacheReset => put_header(out, version, CACHE_RESET, 0),
            Self::RouterKey => {
                put_header(out, version, ROUTER_KEY, 0);
                out.put_bytes(0, ROUTER_KEY_LEAST);
            }
            Self::ErrorReport { code, pdu, text } => {
                put_header(out, version, ERROR_REPORT, code.0);
                put_counted(out, pdu);
                put_counted(out, text.as_bytes());
            }
        }

        let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(place) = out.get_mut(start + 4..start + HEADER_LENGTH) {
            place.copy_from_slice(&length);
        }
    }
}

fn decode_body(version: u8, kind: u8, field: u16, body: &[u8]) -> Result<Pdu, PduError> {
    let wrong_length = Err(PduError::corrupt("the length is not that of the type"));
    Ok(match (kind, body) {
        (SERIAL_NOTIFY, [a, b, c, d]) => {
            Pdu::SerialNotify { session_id: field, serial: u32::from_be_bytes([*a, *b, *c, *d]) }
        }
        (SERIAL_QUERY, [a, b, c, d]) => {
            Pdu::SerialQuery { session_id: field, serial: u32::from_be_bytes([*a, *b, *c, *d]) }
        }
        (RESET_QUERY, []) => Pdu::ResetQuery,
        (CACHE_RESPONSE, []) => Pdu::CacheResponse { session_id: field },
        (CACHE_RESET, []) => Pdu::CacheReset,
        (IPV4_PREFIX, [flags, length, most, _, rest @ ..]) => {
            let Some((address, asn)) = split(rest) else { return wrong_length };
            let prefix = Ipv4Net::new(Ipv4Addr::from(address), *length).ok().map(IpNet::V4);
            decode_prefix(*flags, prefix, *most, asn)?
        }
        (IPV6_PREFIX, [flags, length, most, _, rest @ ..]) => {
            let Some((address, asn)) = split(rest) else { return wrong_length };
            let prefix = Ipv6Net::new(Ipv6Addr::from(address), *length).ok().map(IpNet::V6);
            decode_prefix(*flags, prefix, *most, asn)?
        }
        (END_OF_DATA, body) => decode_end(version, field, body)?,
        (ROUTER_KEY, body) if version >= VERSION_1 && body.len() >= ROUTER_KEY_LEAST => {
            Pdu::RouterKey
        }
        (ERROR_REPORT, body) => decode_error(field, body)?,

        (SERIAL_NOTIFY..=IPV4_PREFIX | IPV6_PREFIX..=CACHE_RESET, _) => return wrong_length,
        (ROUTER_KEY, _) if version >= VERSION_1 => return wrong_length,
        _ => {
            let code = RtrErrorCode::UNSUPPORTED_PDU_TYPE;
            return Err(PduError::new(code, "the type is not one of the version"));
        }
    })
}

/// An address of `N` octets and an AS number, and nothing else.
fn split<const N: usize>(octets: &[u8]) -> Option<([u8; N], Asn)> {
    let (address, asn) = octets.split_first_chunk::<N>()?;
    let asn: [u8; 4] = asn.try_into().ok()?;
    Some((*address, Asn(u32::from_be_bytes(asn))))
}

fn decode_prefix(
    flags: u8,
    prefix: Option<IpNet>,
    max_length: u8,
    asn: Asn,
) -> Result<Pdu, PduError> {
    let Some(prefix) = prefix else {
        return Err(PduError::corrupt("the prefix is longer than its family allows"));
    };
    if !(prefix.prefix_len()..=prefix.max_prefix_len()).contains(&max_length) {
        let problem = "the maximum length is less than that of the prefix, or more than possible";
        return Err(PduError::corrupt(problem));
    }
    let vrp = Vrp { prefix: prefix.trunc(), max_length, asn };
    Ok(Pdu::Prefix { is_announced: flags & ANNOUNCED != 0, vrp })
}

fn decode_end(version: u8, session_id: u16, body: &[u8]) -> Result<Pdu, PduError> {
    let mut numbers =
        body.chunks(4).map(|it| Some(u32::from_be_bytes(<[u8; 4]>::try_from(it).ok()?)));
    let mut next = || numbers.next().flatten();
    let (count, expected) = (body.len(), if version >= VERSION_1 { 16 } else { 4 });
    let (Some(serial), true) = (next(), count == expected) else {
        return Err(PduError::corrupt("the length is not that of End of Data"));
    };

    let mut seconds = || next().map(|it| Duration::from_secs(it.into()));
    let timers = match (seconds(), seconds(), seconds()) {
        (Some(refresh), Some(retry), Some(expire)) => Some(RtrTimers { refresh, retry, expire }),
        _ => None,
    };
    Ok(Pdu::EndOfData { session_id, serial, timers })
}

fn decode_error(code: u16, body: &[u8]) -> Result<Pdu, PduError> {
    let parts = counted(body).and_then(|(pdu, rest)| {
        let (text, rest) = counted(rest)?;
        rest.is_empty().then(|| (pdu.to_vec(), printable(text)))
    });
    let Some((pdu, text)) = parts else {
        return Err(PduError::corrupt("the lengths inside an Error Report are not possible"));
    };
    Ok(Pdu::ErrorReport { code: RtrErrorCode(code), pdu, text })
}

/// A text that is safe to log: without control characters, and not too long.
fn printable(text: &[u8]) -> String {
    let mut printable = String::new();
    for character in String::from_utf8_lossy(text).chars() {
        let length = printable.len();
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
        if printable.len() > MOST_TEXT {
            printable.truncate(length);
            break;
        }
    }
    printable
}

/// Octets with their number in front, and the rest.
fn counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (count, rest) = octets.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*count)).ok()?)
}

/// Writes a header, whose length is filled in at the end.
fn put_header(out: &mut BytesMut, version: u8, kind: u8, field: u16) {
    out.put_slice(&[version, kind]);
    out.put_u16(field);
    out.put_u32(0);
}

fn put_counted(out: &mut BytesMut, octets: &[u8]) {
    out.put_u32(u32::try_from(octets.len()).unwrap_or(u32::MAX));
    out.put_slice(octets);
}

fn put_prefix(out: &mut BytesMut, version: u8, is_announced: bool, vrp: &Vrp) {
    let kind = if vrp.prefix.max_prefix_len() == 32 { IPV4_PREFIX } else { IPV6_PREFIX };
    put_header(out, version, kind, 0);
    let flags = if is_announced { ANNOUNCED } else { 0 };
    out.put_slice(&[flags, vrp.prefix.prefix_len(), vrp.max_length, 0]);
    match vrp.prefix.network() {
        std::net::IpAddr::V4(address) => out.put_slice(&address.octets()),
        std::net::IpAddr::V6(address) => out.put_slice(&address.octets()),
    }
    out.put_u32(vrp.asn.0);
}

pub(super) const VERSION_1: u8 = 1;
const HEADER_LENGTH: usize = 8;
/// The octets of a Router Key after its header, without the key: an identifier and an AS.
const ROUTER_KEY_LEAST: usize = 24;
const ANNOUNCED: u8 = 1;
/// The most octets of a faulty PDU that an Error Report repeats.
const MOST_QUOTED: usize = 256;
/// The most octets of a cache's text that are kept.
const MOST_TEXT: usize = 256;
/// The retry times for which data should last after the refresh time.
const ATTEMPTS: u32 = 3;

const SERIAL_NOTIFY: u8 = 0;
const SERIAL_QUERY: u8 = 1;
const RESET_QUERY: u8 = 2;
const CACHE_RESPONSE: u8 = 3;
const IPV4_PREFIX: u8 = 4;
const IPV6_PREFIX: u8 = 6;
const END_OF_DATA: u8 = 7;
const CACHE_RESET: u8 = 8;
const ROUTER_KEY: u8 = 9;
const ERROR_REPORT: u8 = 10;

#[cfg(test)]
#[path = "pdu_tests.rs"]
mod tests;
