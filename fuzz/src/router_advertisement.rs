//! Router advertisements and solicitations: exactly the messages that RFC 4861 section 6.1 lets a router read are read.

use std::net::Ipv6Addr;

use bgp_session::NdMessage;

use crate::input::Input;

/// The first two octets choose the hop limit and the source; the rest is an ICMPv6 message.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let hop_limit = input.octet().wrapping_sub(1);
    let source = source(input.octet());
    let octets = input.rest();

    let message = NdMessage::decode(octets, hop_limit, source);
    assert_eq!(message, expected(octets, hop_limit, source));
    let Some(message) = message else { return };

    // What is read is one of the two messages that we send, with more octets.
    let written = message.encode();
    assert_eq!(NdMessage::decode(&written, 255, source), Some(message));
    assert_eq!(octets[0], written[0]);
    for end in 0..written.len() {
        assert_eq!(NdMessage::decode(&octets[..end], hop_limit, source), None, "to {end}");
    }
}

/// A link-local address, a global one, or none.
fn source(choice: u8) -> Ipv6Addr {
    match choice % 4 {
        0 | 1 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, choice.into()),
        2 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, choice.into()),
        _ => Ipv6Addr::UNSPECIFIED,
    }
}

/// The checks of sections 6.1.1 and 6.1.2, one for each sentence.
fn expected(octets: &[u8], hop_limit: u8, source: Ipv6Addr) -> Option<NdMessage> {
    let (message, head) = match octets.first()? {
        133 => (NdMessage::Solicitation, 8),
        134 => (NdMessage::Advertisement, 16),
        _ => return None,
    };
    let options = option_types(octets.get(head..)?)?;

    let is_from_router = source.segments()[0] & 0xffc0 == 0xfe80;
    let has_link_layer_source = source == Ipv6Addr::UNSPECIFIED && options.contains(&1);
    let is_valid = match message {
        NdMessage::Advertisement => is_from_router,
        NdMessage::Solicitation => !has_link_layer_source,
    };
    (hop_limit == 255 && octets[1] == 0 && is_valid).then_some(message)
}

/// The types of the options; none if a length is 0 or exceeds the message.
fn option_types(mut octets: &[u8]) -> Option<Vec<u8>> {
    let mut types = Vec::new();
    while !octets.is_empty() {
        let length = 8 * usize::from(*octets.get(1)?);
        if length == 0 || length > octets.len() {
            return None;
        }
        types.push(octets[0]);
        octets = &octets[length..];
    }
    Some(types)
}

/// Both messages with options, and messages that must be ignored. A hop limit of 255 is the octet 0.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let advertisement = NdMessage::Advertisement.encode();
    let solicitation = NdMessage::Solicitation.encode();
    let link_layer = [1, 1, 2, 0, 0, 0, 0, 9];
    let mtu = [5, 1, 0, 0, 0, 0, 5, 220];
    let prefix = [&[3, 4, 64, 0xc0][..], &[0; 12], &[0x20, 1, 0x0d, 0xb8], &[0; 12]].concat();

    vec![
        ("advertisement".to_owned(), [&[0, 0], &advertisement[..]].concat()),
        ("options".to_owned(), [&[0, 1], &advertisement[..], &link_layer, &mtu, &prefix].concat()),
        ("solicitation".to_owned(), [&[0, 0], &solicitation[..], &link_layer].concat()),
        ("unspecified".to_owned(), [&[0, 3], &solicitation[..], &link_layer].concat()),
        ("routed".to_owned(), [&[0xff, 2], &advertisement[..]].concat()),
        ("no-length".to_owned(), [&[0, 0], &advertisement[..], &[1, 0, 0, 0]].concat()),
    ]
}
