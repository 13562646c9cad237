//! RFC 7606 cell by cell: what each error in an UPDATE leads to.

use crate::types::{AfiSafi, PeerType};
use crate::wire::Treatment::{
    self, AfiSafiDisable, AttributeDiscard as Ad, None as Fine, TreatAsWithdraw as Taw,
};
use crate::wire::{AttributeCode, ErrorKind, Frame, MessageLimit, Update, WireContext};

use super::{CORE, external, hex, update};

/// The treatment, or code, subcode and data of the NOTIFICATION.
type Judgement = Result<Treatment, (u8, u8, Vec<u8>)>;

/// Internal, otherwise the same as [`external`].
fn internal() -> WireContext {
    WireContext::new(PeerType::Internal)
        .four_octet_as(true)
        .multiprotocol(AfiSafi::IPV6_UNICAST, true)
}

/// External, with two-octet AS numbers.
fn old() -> WireContext {
    external().four_octet_as(false)
}

fn judge(octets: &[u8], cx: WireContext) -> Judgement {
    let frame = Frame::split(octets, MessageLimit::Extended).unwrap().unwrap();
    Update::decode(frame, cx).map(|update| update.treatment()).map_err(|error| {
        let notification = error.notification(octets);
        (notification.code.0, notification.subcode, notification.data.to_vec())
    })
}

/// Judges an UPDATE that announces 10.0.0.0/8 with the core attributes and these.
fn with(attributes: &str, cx: WireContext) -> Judgement {
    judge(&update("", &format!("{CORE}{attributes}"), "08 0a"), cx)
}

/// Judges an UPDATE that announces 10.0.0.0/8 with exactly these attributes.
fn only(attributes: &str, cx: WireContext) -> Judgement {
    judge(&update("", attributes, "08 0a"), cx)
}

const ORIGIN: &str = "40010100";
const AS_PATH: &str = "40020602 01 0000fc7c";
const NEXT_HOP: &str = "400304 ac16231a";

#[test]
fn every_attribute_outside_the_core_is_treated_by_its_row() {
    // Attribute, treatment from an external peer, treatment from an internal peer.
    let cells: &[(&str, Treatment, Treatment)] = &[
        ("800404 00000001", Fine, Fine),
        ("800403 000000", Taw, Taw),
        ("800405 0000000000", Taw, Taw),
        ("400505 0000000000", Ad, Taw),
        ("400504 00000064", Ad, Fine),
        ("c00504 00000064", Ad, Taw),
        ("400600", Fine, Fine),
        ("400601 00", Ad, Ad),
        ("c00600", Taw, Taw),
        ("c00708 0000fc7c 0a000001", Fine, Fine),
        ("c00706 fc7c 0a000001", Ad, Ad),
        ("c00708 00000000 0a000001", Ad, Ad),
        ("400708 0000fc7c 0a000001", Taw, Taw),
        ("c00804 fc7b0064", Fine, Fine),
        ("e00804 fc7b0064", Fine, Fine),
        ("cf0804 fc7b0064", Fine, Fine),
        ("c00800", Taw, Taw),
        ("c00806 fc7b0064 0000", Taw, Taw),
        ("800804 fc7b0064", Taw, Taw),
        ("800904 0a000001", Ad, Fine),
        ("800903 0a0000", Ad, Taw),
        ("c00904 0a000001", Ad, Taw),
        ("800a08 0a000001 0a000002", Ad, Fine),
        ("800a00", Ad, Taw),
        ("800a05 0a000001 00", Ad, Taw),
        ("c01008 0002fc7b 00000001", Fine, Fine),
        ("c01008 ffff0000 00000000", Fine, Fine),
        ("c01000", Taw, Taw),
        ("c01007 0002fc7b 000000", Taw, Taw),
        ("c01606 00 00 000000 00", Fine, Fine),
        ("c01604 00 00 0000", Taw, Taw),
        ("c01914 0002 20010db8000000000000000000000001 0001", Fine, Fine),
        ("c01900", Taw, Taw),
        ("c01913 0002 20010db8000000000000000000000001 00", Taw, Taw),
        ("c0200c 0000fc7b 00000001 00000002", Fine, Fine),
        ("c02000", Taw, Taw),
        ("c0200d 0000fc7b 00000001 00000002 00", Taw, Taw),
        ("802400", Fine, Fine),
        ("c02304 0000fc7b", Fine, Fine),
        ("c02303 0000fc", Taw, Taw),
        ("802304 0000fc7b", Taw, Taw),
    ];
    for (attribute, expected, internal_peer) in cells {
        assert_eq!(with(attribute, external()), Ok(*expected), "{attribute} from an external peer");
        assert_eq!(
            with(attribute, internal()),
            Ok(*internal_peer),
            "{attribute} from an internal peer"
        );
    }
}

#[test]
fn attributes_of_tlvs_are_judged_by_their_lengths() {
    let cells: &[(&str, Treatment)] = &[
        // AIGP: a metric; another TLV before it; a metric with a wrong length; a TLV shorter than its header; transitive.
        ("801a0b 01 000b 0000000000000064", Fine),
        ("801a0f 02 0004 ff 01 000b 0000000000000064", Fine),
        ("801a15 02 000a 00000000000000 01 000b 0000000000000064", Fine),
        ("801a0a 01 000a 00000000000064", Ad),
        ("801a03 02 0002", Ad),
        ("801a03 02 0004", Ad),
        ("801a00", Ad),
        ("c01a0b 01 000b 0000000000000064", Ad),
        // BGP-LS: TLVs with headers of four octets.
        ("801d05 0400 0001 00", Fine),
        ("801d04 0400 0001", Ad),
        ("c01d05 0400 0001 00", Ad),
        // Tunnel encapsulation: sub-TLVs with lengths of one octet, and of two from type 128.
        ("c01708 0008 0004 04 02 0000", Fine),
        ("c01709 0008 0005 80 0002 0000", Fine),
        ("c01704 0008 0000", Fine),
        ("c01708 0008 0004 04 03 0000", Taw),
        ("c01708 0008 0005 04 02 0000", Taw),
        ("c01700", Taw),
        ("801708 0008 0004 04 02 0000", Taw),
        // Prefix-SID: label index, SRGB, unknown TLVs, the all-zero one of 2025; SRv6 services are treated more strictly.
        ("c0280a 01 0007 00 0000 00000064", Fine),
        ("c02809 01 0006 00 0000 000064", Ad),
        ("c0280b 03 0008 0000 003e80 001f40", Fine),
        ("c02811 03 000e 0000 003e80 001f40 005dc0 001f40", Fine),
        ("c0280a 03 0007 0000 003e80 001f", Ad),
        ("c02805 03 0002 0000", Ad),
        ("c02806 00 0000 00 0000", Fine),
        ("c02804 00 0000 00", Ad),
        ("c02800", Ad),
        ("802806 00 0000 00 0000", Taw),
        ("c02804 05 0001 00", Fine),
        ("c02803 05 0000", Taw),
        ("c02808 05 0005 00 01 0001 00", Taw),
        ("c02807 05 0004 00 02 0000", Fine),
        // Traffic engineering: any error.
        ("801801 00", Fine),
        ("801800", Taw),
        ("c01801 00", Taw),
    ];
    for (attribute, treatment) in cells {
        assert_eq!(with(attribute, external()), Ok(*treatment), "{attribute}");
    }
    let sid = "01 001e 00 20010db8000000000000000000000000 00 0001 00";
    let structure = "01 0006 20 10 10 00 10 30";
    let service = format!("c02825 05 0022 00 {sid} {structure}");
    assert_eq!(with(&service, external()), Ok(Fine));
    let service = format!("c02825 05 0022 00 {sid} {}", structure.replace("0006", "0007"));
    assert_eq!(with(&service, external()), Ok(Taw));
}

#[test]
fn an_attribute_set_is_judged_by_its_content() {
    for (inside, treatment) in [
        (String::new(), Fine),
        (format!("{ORIGIN}{AS_PATH}400504 00000064"), Fine),
        ("40010103".into(), Taw),
        ("400601 00".into(), Fine),
        ("400102 00".into(), Taw),
        ("800f03 000101".into(), Taw),
    ] {
        let length = 4 + hex(&inside).len();
        let set = format!("c080{length:02x} 0000fc7c {inside}");
        assert_eq!(with(&set, external()), Ok(treatment), "{inside}");
    }
    assert_eq!(with("c08003 0000fc", external()), Ok(Taw));
}

#[test]
fn origin_and_next_hop_are_one_and_four_octets() {
    for (origin, treatment) in [
        ("40010100", Fine),
        ("40010102", Fine),
        ("40010103", Taw),
        ("400100", Taw),
        ("4001020000", Taw),
        ("c0010100", Taw),
        ("00010100", Taw),
        ("60010100", Fine),
        ("5001000100", Fine),
    ] {
        assert_eq!(
            only(&format!("{origin}{AS_PATH}{NEXT_HOP}"), external()),
            Ok(treatment),
            "{origin}"
        );
    }
    for (next_hop, treatment) in [
        ("400304 00000000", Fine),
        ("400303 ac1623", Taw),
        ("400305 ac16231a00", Taw),
        ("c00304 ac16231a", Taw),
    ] {
        assert_eq!(
            only(&format!("{ORIGIN}{AS_PATH}{next_hop}"), external()),
            Ok(treatment),
            "{next_hop}"
        );
    }
}

#[test]
fn a_path_must_be_complete_segments_without_as_0() {
    let verdict = |path: &str, cx| {
        let length = hex(path).len();
        only(&format!("{ORIGIN} 4002{length:02x} {path} {NEXT_HOP}"), cx)
    };
    for (path, treatment) in [
        ("", Fine),
        ("02 01 0000fc7c", Fine),
        ("02 02 0000fc7c 0000fc7b 01 01 00000001", Fine),
        ("02 01 0000fc", Taw),
        ("02 02 0000fc7c", Taw),
        ("02 01 0000fc7c 02", Taw),
        ("02 00", Taw),
        ("02 01 0000fc7c 01 00", Taw),
        ("00 01 0000fc7c", Taw),
        ("05 01 0000fc7c", Taw),
        ("02 01 00000000", Taw),
        ("01 02 00000001 00000000", Taw),
        ("02 01 fc7c", Taw),
    ] {
        assert_eq!(verdict(path, external()), Ok(treatment), "{path}");
        assert_eq!(verdict(path, internal()), Ok(treatment), "{path} from an internal peer");
    }
    assert_eq!(verdict("02 01 fc7c", old()), Ok(Fine));
    assert_eq!(verdict("02 01 0000", old()), Ok(Taw));
    assert_eq!(verdict("02 01 0000fc7c", old()), Ok(Taw), "four octets where two are due");
    for path in ["03 01 0000fc7c", "04 01 0000fc7c 02 01 00000001"] {
        assert_eq!(verdict(path, external()), Ok(Taw), "{path} from another AS");
        assert_eq!(verdict(path, external().confederation(true)), Ok(Fine), "{path} inside");
        assert_eq!(verdict(path, internal()), Ok(Fine), "{path} from an internal peer");
    }
}

#[test]
fn the_four_octet_attributes_belong_on_two_octet_sessions() {
    let core = format!("{ORIGIN} 400204 02 01 5ba0 {NEXT_HOP}");
    let verdict = |attribute: &str| only(&format!("{core}{attribute}"), old());
    for (attribute, treatment) in [
        ("c01106 02 01 00011170", Fine),
        ("c01106 03 01 00011170", Fine),
        ("c01104 02 01 fc7c", Ad),
        ("c01107 02 01 00011170 00", Ad),
        ("c01106 02 01 00000000", Ad),
        ("c01106 09 01 00011170", Ad),
        ("401106 02 01 00011170", Taw),
        ("c01208 00011170 0a000001", Fine),
        ("c01208 00000000 0a000001", Ad),
        ("c01207 00011170 0a0000", Ad),
        ("801208 00011170 0a000001", Taw),
    ] {
        assert_eq!(verdict(attribute), Ok(treatment), "{attribute}");
        // Not read on a session with four-octet AS numbers, whatever the value.
        assert_eq!(with(attribute, external()), Ok(Ad), "{attribute}");
    }
}

#[test]
fn a_missing_mandatory_attribute_withdraws() {
    assert_eq!(only(&format!("{AS_PATH}{NEXT_HOP}"), external()), Ok(Taw));
    assert_eq!(only(&format!("{ORIGIN}{NEXT_HOP}"), external()), Ok(Taw));
    assert_eq!(only(&format!("{ORIGIN}{AS_PATH}"), external()), Ok(Taw));
    assert_eq!(only("", external()), Ok(Taw));
    // LOCAL_PREF is not mandatory, even from an internal peer.
    assert_eq!(only(CORE, internal()), Ok(Fine));
    // NEXT_HOP is only mandatory for the NLRI field.
    let reach = "800e0e 0001 01 04 0a000001 00 18 0a0001";
    let reach = reach.replace("0e0e", "0e0d");
    let alone = |attributes: &str| judge(&update("", attributes, ""), external());
    assert_eq!(alone(&format!("{reach}{ORIGIN}{AS_PATH}")), Ok(Fine));
    assert_eq!(alone(&format!("{reach}{ORIGIN}")), Ok(Taw));
    // Without announced routes no attribute is mandatory.
    assert_eq!(alone("800f03 000201"), Ok(Fine));
    assert_eq!(alone("800e09 0001 01 04 0a000001 00"), Ok(Fine));
    assert_eq!(alone("c00804 fc7b0064"), Ok(Fine));
    assert_eq!(judge(&update("08 0a", "", ""), external()), Ok(Fine));
}

#[test]
fn an_error_beyond_a_discard_without_reachable_routes_resets() {
    // RFC 7606 section 5.2: the routes may be in the unreadable part.
    let bad = "c00803 fc7b00";
    let octets = hex(bad);
    let reset = Err((3, 5, octets));
    assert_eq!(judge(&update("", bad, ""), external()), reset);
    assert_eq!(judge(&update("08 0a", bad, ""), external()), reset);
    assert_eq!(judge(&update("", &format!("{bad} 800f03 000201"), ""), external()), reset);
    let empty = "800e09 0001 01 04 0a000001 00";
    assert_eq!(judge(&update("", &format!("{empty}{bad}"), ""), external()), reset);
    assert_eq!(judge(&update("", "400601 00", ""), external()), Ok(Ad));
    assert_eq!(judge(&update("", "40010103", ""), external()), Err((3, 6, hex("40010103"))));
    assert_eq!(judge(&update("", "400203 020100", ""), external()), Err((3, 11, vec![])));
    assert_eq!(
        judge(&update("", "c00404 00000001", ""), external()),
        Err((3, 4, hex("c00404 00000001")))
    );
    assert_eq!(judge(&update("", "c03105", ""), external()), Err((3, 1, vec![])));
}

#[test]
fn an_attribute_that_exceeds_the_field_withdraws_and_the_nlri_are_still_read() {
    for tail in ["c00805 fc7b0064", "c008", "c0", "d00800", "d008 0005 00000000", "c03201"] {
        let octets = update("", &format!("{CORE}{tail}"), "08 0a");
        assert_eq!(judge(&octets, external()), Ok(Taw), "{tail}");
        let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
        let update = Update::decode(frame, external()).unwrap();
        assert_eq!(update.reachable().count(), 0);
        assert_eq!(
            update.unreachable().map(|prefix| prefix.to_string()).collect::<Vec<_>>(),
            ["10.0.0.0/8"]
        );
        assert_eq!(update.offending(), Some(&hex(tail)[..]));
        assert_eq!(update.findings().count(), 1);
    }
    // A truncated mandatory attribute is not reported as missing as well.
    let octets = update("", &format!("{ORIGIN}{AS_PATH}400304 ac16"), "08 0a");
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    assert_eq!(Update::decode(frame, external()).unwrap().findings().count(), 1);
    // The routes of an MP attribute cannot be found.
    assert_eq!(with("800e09 0001", external()), Err((3, 9, hex("800e09 0001"))));
    assert_eq!(with("800f09 0001", external()), Err((3, 9, hex("800f09 0001"))));
}

#[test]
fn the_first_of_repeated_attributes_is_used() {
    for repeated in [ORIGIN, "40010103", "c00804 fc7b0064 c00803 000000", "c06300 c06301 00"] {
        assert_eq!(with(repeated, external()), Ok(Ad), "{repeated}");
    }
    let octets = update("", &format!("{CORE} c00804 fc7b0064 c00804 fc7b0065"), "08 0a");
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    let update = Update::decode(frame, external()).unwrap();
    assert_eq!(update.communities().map(|c| c.to_string()).collect::<Vec<_>>(), ["64635:100"]);
    let discarded: Vec<_> = update.discarded().map(|attribute| attribute.value).collect();
    assert_eq!(discarded, [[0xfc, 0x7b, 0, 0x65]]);
    let error = update.error().unwrap();
    assert_eq!(
        (error.kind(), error.attribute()),
        (ErrorKind::RepeatedAttribute, Some(AttributeCode::COMMUNITIES))
    );
    let mp = "800f03 000201";
    for cx in [external(), external().afi_safi_disable(true)] {
        assert_eq!(with(&format!("{mp}{mp}"), cx), Err((3, 1, vec![])));
    }
}

#[test]
fn unreadable_mp_attributes_reset_the_session_or_disable_their_family() {
    let next_hop = "20010db8000000000000000000000001";
    let cells = [
        // Too short for the mandatory fields.
        ("800e04 0002 01 00".to_owned(), 9),
        ("800e05 0002 01 05 00".into(), 9),
        ("800f02 0002".into(), 9),
        // Next hops that are invalid for the family.
        ("800e09 0002 01 04 0a000001 00".into(), 9),
        ("800e05 0002 01 00 00".into(), 9),
        (format!("800e15 0001 01 10 {next_hop} 00"), 9),
        // Prefixes.
        (format!("800e16 0002 01 10 {next_hop} 00 81"), 9),
        (format!("800e17 0002 01 10 {next_hop} 00 10 20"), 9),
        ("800f04 0002 01 81".into(), 9),
        ("800f05 0002 01 10 20".into(), 9),
        ("800f05 0001 01 21 0a".into(), 9),
        // Flags.
        ("c00f03 0002 01".into(), 4),
        ("400f03 0002 01".into(), 4),
        (format!("c00e15 0002 01 10 {next_hop} 00"), 4),
    ];
    for (attribute, subcode) in cells {
        let octets = hex(&attribute);
        assert_eq!(with(&attribute, external()), Err((3, subcode, octets.clone())), "{attribute}");
        assert_eq!(with(&attribute, internal()), Err((3, subcode, octets)), "{attribute}");
        let disabled = with(&attribute, external().afi_safi_disable(true));
        if attribute.starts_with("800f02") {
            // Without a readable family there is none to disable.
            assert!(disabled.is_err());
        } else {
            assert_eq!(disabled, Ok(AfiSafiDisable), "{attribute}");
        }
    }
}

#[test]
fn a_disabled_family_does_not_affect_the_routes_of_others() {
    let octets = update("", &format!("{CORE} 800f04 0002 01 81"), "08 0a");
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    let update = Update::decode(frame, external().afi_safi_disable(true)).unwrap();
    assert_eq!(update.disabled_family(), Some(AfiSafi::IPV6_UNICAST));
    assert_eq!((update.reachable().count(), update.unreachable().count()), (1, 0));
}

#[test]
fn rfc_8950_allows_ipv6_next_hops_where_it_was_negotiated() {
    let next_hop = "20010db8000000000000000000000001";
    let cx = external().extended_next_hop(true);
    let both = format!("{next_hop}fe800000000000000000000000000001");
    for (length, next_hop, right) in [
        ("04", "0a000001", true),
        ("10", next_hop, true),
        ("20", &both, true),
        ("08", "0a0000010a000001", false),
    ] {
        let value = format!("0001 01 {length} {next_hop} 00 08 0a");
        let attributes = format!("800e{:02x}{value}{ORIGIN}{AS_PATH}", hex(&value).len());
        let verdict = judge(&update("", &attributes, ""), cx);
        assert_eq!(verdict.is_ok(), right, "{length}");
    }
}

#[test]
fn families_that_are_unknown_or_not_negotiated_are_never_malformed() {
    // EVPN, flow specification and unnegotiated IPv6: the NLRI are not checked.
    for attribute in
        ["800e07 0019 46 01 ff 00 ff", "800e06 0001 85 00 00 ff", "800f05 0019 46 ffff"]
    {
        assert_eq!(with(attribute, external()), Ok(Fine), "{attribute}");
    }
    let cx = external().multiprotocol(AfiSafi::IPV6_UNICAST, false);
    assert_eq!(with("800f04 0002 01 81", cx), Ok(Fine));
}

#[test]
fn invalid_prefixes_reset_the_session() {
    for (withdrawn, nlri) in
        [("21 0a000000 00", ""), ("18 0a00", ""), ("", "21 0a000000 00"), ("", "08"), ("ff", "")]
    {
        let attributes = if nlri.is_empty() { "" } else { CORE };
        let octets = update(withdrawn, attributes, nlri);
        assert_eq!(judge(&octets, external()), Err((3, 10, vec![])), "{withdrawn} {nlri}");
    }
    // The lengths of the fields against the message.
    let mut octets = update("08 0a", "", "");
    octets[20] = 9;
    assert_eq!(judge(&octets, external()), Err((3, 1, vec![])));
    let mut octets = update("", CORE, "");
    octets[22] += 1;
    assert_eq!(judge(&octets, external()), Err((3, 1, vec![])));
}

#[test]
fn unknown_attributes_are_refused_kept_or_dropped_by_their_flags() {
    for code in ["00", "0b", "15", "1c", "63", "81", "ff"] {
        let well_known = format!("40{code}02 abcd");
        assert_eq!(with(&well_known, external()), Err((3, 2, hex(&well_known))), "{code}");
        for flags in ["80", "c0", "e0", "a0"] {
            assert_eq!(
                with(&format!("{flags}{code}02 abcd"), external()),
                Ok(Fine),
                "{flags} {code}"
            );
        }
    }
}

#[test]
fn the_strongest_error_decides_and_all_errors_are_reported() {
    let attributes = format!("{CORE} 400601 00 c00803 fc7b00 c00803 fc7b00 c02000");
    let octets = update("", &attributes, "08 0a");
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    let update = Update::decode(frame, external()).unwrap();
    let told: Vec<_> = update
        .findings()
        .map(|finding| (finding.treatment, finding.error.kind(), finding.attribute.unwrap().code.0))
        .collect();
    assert_eq!(
        told,
        [
            (Ad, ErrorKind::AttributeLength, 6),
            (Taw, ErrorKind::AttributeLength, 8),
            (Ad, ErrorKind::RepeatedAttribute, 8),
            (Taw, ErrorKind::AttributeLength, 32),
        ]
    );
    assert_eq!(update.treatment(), Taw);
    assert_eq!(update.offending(), Some(&hex("c00803 fc7b00")[..]));
    let error = update.error().unwrap();
    assert_eq!(error.offset(), 23 + hex(CORE).len() + 4);
    assert_eq!(
        error.to_string(),
        format!(
            "COMMUNITIES: the attribute has a length that it cannot have (octet {})",
            error.offset()
        )
    );
    // Missing attributes are reported last.
    let octets = super::update("", "c00803 fc7b00", "08 0a");
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    let update = Update::decode(frame, external()).unwrap();
    let missing: Vec<_> =
        update.findings().skip(1).map(|finding| finding.error.attribute().unwrap().0).collect();
    assert_eq!(missing, [1, 2, 3]);
}
