//! The cells of RFC 7606 that `treatments.rs` does not cover: internal peers, sessions with two-octet AS numbers, deprecated
//! codes, and the details of a refusal.

use crate::types::{AfiSafi, PeerType};
use crate::wire::Treatment::{self, AttributeDiscard as Ad, None as Fine, TreatAsWithdraw as Taw};
use crate::wire::{
    AttributeCode, DecodeError, ErrorKind, Frame, MessageLimit, Update, WireContext,
};

use super::{CORE, external, hex, update};

fn decode(octets: &[u8], cx: WireContext) -> Result<Update<'_>, DecodeError> {
    let frame = Frame::split(octets, MessageLimit::Extended).unwrap().unwrap();
    Update::decode(frame, cx)
}

fn treatment(attributes: &str, cx: WireContext) -> Treatment {
    decode(&update("", attributes, "08 0a"), cx).unwrap().treatment()
}

fn internal() -> WireContext {
    WireContext::new(PeerType::Internal)
        .four_octet_as(true)
        .multiprotocol(AfiSafi::IPV6_UNICAST, true)
}

const ORIGIN: &str = "40010100";
const AS_PATH: &str = "40020602 01 0000fc7c";
const NEXT_HOP: &str = "400304 ac16231a";

#[test]
fn internal_and_external_peers_differ_only_in_internal_attributes() {
    for (attributes, expected) in [
        (format!("40010103{AS_PATH}{NEXT_HOP}"), Taw),
        (format!("400100{AS_PATH}{NEXT_HOP}"), Taw),
        (format!("c0010100{AS_PATH}{NEXT_HOP}"), Taw),
        (format!("{ORIGIN}{AS_PATH}400303 ac1623"), Taw),
        (format!("{ORIGIN}{AS_PATH}"), Taw),
        (format!("{ORIGIN}{NEXT_HOP}"), Taw),
        (format!("{ORIGIN}{AS_PATH}400300"), Taw),
        (format!("{CORE} c00805 fc7b0064"), Taw),
        (format!("{CORE} 801a00"), Ad),
        (format!("{CORE} c02300"), Taw),
        (CORE.to_owned(), Fine),
    ] {
        for cx in [external(), internal()] {
            assert_eq!(treatment(&attributes, cx), expected, "{attributes}");
        }
    }
}

#[test]
fn an_aggregator_is_as_wide_as_the_as_numbers_of_its_session() {
    let old = external().four_octet_as(false);
    let core = format!("{ORIGIN} 400204 02 01 fc7c {NEXT_HOP}");
    for (attribute, expected) in [
        ("c00706 fc7c 0a000001", Fine),
        ("c00708 0000fc7c 0a000001", Ad),
        ("c00706 0000 0a000001", Ad),
        ("c00700", Ad),
    ] {
        assert_eq!(treatment(&format!("{core}{attribute}"), old), expected, "{attribute}");
    }
    assert_eq!(treatment(&format!("{CORE} c00706 fc7c 0a000001"), external()), Ad);
}

#[test]
fn deprecated_codes_are_unknown_attributes() {
    // DPA, ADVERTISER, RCID_PATH, two Cisco codes, Entropy Label, BGP Entropy and SFP, and an experimental code.
    for code in [11, 12, 13, 19, 20, 21, 28, 30, 31, 129, 241, 255] {
        for flags in [0x80, 0xc0] {
            let attributes = format!("{CORE} {flags:02x}{code:02x}01 ff");
            let octets = update("", &attributes, "08 0a");
            let update = decode(&octets, external()).unwrap();
            assert_eq!(update.treatment(), Fine, "{code}");
            assert_eq!(update.unknown().map(|it| it.code.0).collect::<Vec<_>>(), [code]);
            let kept = update.to_attributes().unknown;
            let kept: Vec<_> = kept.iter().map(|it| (it.code.0, it.flags.0)).collect();
            // Either passed on with Partial set, or dropped.
            assert_eq!(kept, if flags == 0xc0 { vec![(code, 0xe0)] } else { vec![] });
        }
    }
}

#[test]
fn a_refusal_has_the_attribute_and_its_octets() {
    for (attribute, kind, code) in [
        ("800f02 0002", ErrorKind::AttributeLength, 15),
        ("c00f03 0002 01", ErrorKind::AttributeFlags, 15),
        ("407302 abcd", ErrorKind::UnknownWellKnown, 0x73),
        ("4000 00", ErrorKind::UnknownWellKnown, 0),
    ] {
        let octets = update("", &format!("{CORE} {attribute} c00804 fc7b0064"), "08 0a");
        let error = decode(&octets, external()).unwrap_err();
        assert_eq!((error.kind(), error.attribute()), (kind, Some(AttributeCode(code))));
        assert_eq!(error.attribute_octets(&octets), hex(attribute));
        assert_eq!(error.offset(), 23 + hex(CORE).len());
    }
    // There are no octets without an attribute, or for a missing one.
    let octets = update("21 00", "", "");
    let error = decode(&octets, external()).unwrap_err();
    assert_eq!((error.attribute(), error.attribute_octets(&octets)), (None, &[][..]));
    let octets = update("", ORIGIN, "08 0a");
    let update = decode(&octets, external()).unwrap();
    assert_eq!(
        (update.error().unwrap().attribute_octets(&octets), update.offending()),
        (&[][..], None)
    );
}

#[test]
fn discarded_attributes_are_in_the_result_regardless_of_the_treatment() {
    let attributes = format!(
        "{CORE} 400504 00000064 c00706 fc7c 0a000001 c00804 fc7b0064 c00804 fc7b0065 c00805 fc7b"
    );
    let octets = update("", &attributes, "08 0a");
    let update = decode(&octets, external()).unwrap();
    assert_eq!(update.treatment(), Taw);
    let discarded: Vec<_> = update.discarded().map(|it| (it.code.0, it.value.len())).collect();
    assert_eq!(discarded, [(5, 4), (7, 6), (8, 4)]);
    assert_eq!(update.offending(), Some(&hex("c00805 fc7b")[..]));
}

#[test]
fn treatments_print_as_rfc_7606_names_them() {
    let treatments = [Fine, Ad, Taw, Treatment::AfiSafiDisable, Treatment::SessionReset];
    assert_eq!(
        treatments.map(|treatment| treatment.to_string()),
        ["ok", "attribute-discard", "treat-as-withdraw", "afi-safi-disable", "session-reset"]
    );
}

#[test]
fn a_missing_attribute_is_named_by_its_code() {
    let octets = update("", &format!("{ORIGIN}{NEXT_HOP}"), "08 0a");
    let error = decode(&octets, external()).unwrap().error().unwrap();
    assert_eq!(error.kind(), ErrorKind::MissingAttribute);
    let notification = error.notification(&octets);
    assert_eq!((notification.code.0, notification.subcode), (3, 3));
    assert_eq!(notification.data.as_ref(), [AttributeCode::AS_PATH.0]);
}

#[test]
fn an_attribute_set_within_another_is_not_judged() {
    let malformed = "c08003 0000fc";
    assert_eq!(treatment(&format!("{CORE} {malformed}"), external()), Taw);
    assert_eq!(treatment(&format!("{CORE} c0800a 0000fc7c {malformed}"), external()), Fine);
}

#[test]
fn a_repeated_attribute_is_noticed_for_every_code() {
    for code in [0, 1, 63, 64, 65, 127, 128, 191, 192, 254, 255] {
        let once = format!("{CORE} c0{code:02x}01 00");
        if code > 40 && code != 128 {
            assert_eq!(treatment(&once, external()), Fine, "{code}");
        }
        assert!(treatment(&format!("{once} c0{code:02x}01 00"), external()) >= Ad, "{code}");
    }
    // Codes that differ by 64, 128 and 192.
    assert_eq!(treatment(&format!("{CORE} c03f00 c07f00 c0bf00 c0ff00"), external()), Fine);
    assert_eq!(treatment(&format!("{CORE} c00000 c04000 c0c000"), external()), Fine);
}

#[test]
fn each_finding_has_the_offset_of_its_attribute() {
    let octets = update("", &format!("{CORE} c00803 fc7b00 801a00"), "08 0a");
    let update = decode(&octets, external()).unwrap();
    let offsets: Vec<_> = update.findings().map(|finding| finding.error.offset()).collect();
    let first = 23 + hex(CORE).len();
    assert_eq!(offsets, [first, first + 6]);
    assert_eq!(octets[offsets[1]..][..2], [0x80, 26]);
}
