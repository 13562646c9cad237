//! The inputs of public vulnerabilities in BGP implementations, and what this one does with them.
//!
//! `docs/vulnerabilities.md` is the table of them; each row names a test. Here, a case is named by the number of the
//! vulnerability. The advisories rarely publish octets, so ours are made from their descriptions and fixes.

mod attributes;
mod families;
mod opens;
mod paths;
mod sessions;
mod telemetry;

use bgp_core::wire::{Frame, Message, MessageLimit, Treatment, WireContext};
use bgp_core::{AfiSafi, PeerType};

/// The treatment of an UPDATE, or code and subcode of the NOTIFICATION.
type Verdict = Result<Treatment, (u8, u8)>;

/// ORIGIN, AS_PATH and NEXT_HOP of a route from AS 64636.
const CORE: &str = "40010100 40020602010000fc7c 400304ac16231a";

/// The octets of hexadecimal digits; white space is ignored.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|it| !it.is_whitespace())
        .map(|it| u8::try_from(it.to_digit(16).expect("a hexadecimal digit")).unwrap())
        .collect();
    assert_eq!(digits.len() % 2, 0, "{text}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A message of this type with this body.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).expect("a message fits");
    [&[0xff; 16][..], &length.to_be_bytes(), &[kind], body].concat()
}

/// An UPDATE with these attributes and NLRI, in hexadecimal digits.
fn update(attributes: &str, nlri: &str) -> Vec<u8> {
    update_of(&hex(attributes), &hex(nlri))
}

fn update_of(attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let length = u16::try_from(attributes.len()).expect("the attributes fit");
    message(2, &[&[0, 0], &length.to_be_bytes()[..], attributes, nlri].concat())
}

/// An external peer with four-octet AS numbers, IPv4 and IPv6.
fn external() -> WireContext {
    context(PeerType::External)
}

/// An internal peer, otherwise like [`external`].
fn internal() -> WireContext {
    context(PeerType::Internal)
}

fn context(peer_type: PeerType) -> WireContext {
    WireContext::new(peer_type)
        .four_octet_as(true)
        .extended_messages(true)
        .multiprotocol(AfiSafi::IPV6_UNICAST, true)
}

/// Decodes a whole message. Returns the treatment if it is an UPDATE, and `None` for others.
fn decode(octets: &[u8], cx: WireContext) -> Result<Option<Treatment>, (u8, u8)> {
    let refused = |error: bgp_core::wire::DecodeError| {
        let notification = error.notification(octets);
        (notification.code.0, notification.subcode)
    };
    let frame = Frame::split(octets, MessageLimit::Extended).map_err(refused)?;
    match Message::decode(frame.expect("a whole message"), cx).map_err(refused)? {
        Message::Update(update) => Ok(Some(update.treatment())),
        _ => Ok(None),
    }
}

fn judge(octets: &[u8], cx: WireContext) -> Verdict {
    decode(octets, cx).map(|treatment| treatment.expect("an UPDATE"))
}
