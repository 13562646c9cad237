//! Messages octet by octet, and what is refused.

use std::time::Duration;

use bytes::BytesMut;

use crate::wire::{CeaseSubcode, Notification, Open, encode_end_of_rib};
use crate::{AfiSafi, Asn, BgpIdentifier};

use super::*;

const AT: Duration = Duration::new(0x6553_f100, 5_000);

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

fn peer(address: &str) -> PerPeerHeader {
    let identifier = BgpIdentifier::new(192, 0, 2, 9);
    PerPeerHeader::new(address.parse().unwrap(), Asn(64_500), identifier, AT)
}

fn encoded(message: &BmpMessage<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    message.encode(&mut out);
    out
}

/// The message in these octets, which has to be whole.
fn decoded(octets: &[u8]) -> Result<BmpMessage<'_>, BmpError> {
    let frame = BmpFrame::split(octets)?.expect("a whole message");
    assert_eq!(frame.as_bytes().len(), octets.len());
    frame.decode()
}

#[test]
fn messages_have_the_octets_of_the_rfc() {
    let update = hex(&format!("{} 0017 02 00000000", "ff".repeat(16)));
    let v4 =
        "0000000000000000 000000000000000000000000c0000201 0000fbf4 c0000209 6553f100 00000005";
    let v6 =
        "0000000000000000 20010db8000000000000000000000001 0000fbf4 c0000209 6553f100 00000005";
    let monitored = |peer| BmpMessage::RouteMonitoring(RouteMonitoring { peer, update: &update });
    let keepalive = hex(&format!("{} 0013 04", "ff".repeat(16)));
    let text = hex("0002 0002 6131");

    for (message, octets) in [
        (
            monitored(peer("192.0.2.1")),
            format!("03 00000047 00 00 00 {v4} {} 0017 02 00000000", "ff".repeat(16)),
        ),
        (
            monitored(peer("2001:db8::1").post_policy().adj_rib_out()),
            format!("03 00000047 00 00 d0 {v6} {} 0017 02 00000000", "ff".repeat(16)),
        ),
        (
            BmpMessage::PeerDown(PeerDown {
                peer: peer("192.0.2.1"),
                reason: PeerDownReason::LocalEvent(24),
            }),
            format!("03 00000033 02 00 00 {v4} 02 0018"),
        ),
        (
            BmpMessage::PeerDown(PeerDown {
                peer: peer("192.0.2.1"),
                reason: PeerDownReason::RemoteNotification(&keepalive),
            }),
            format!("03 00000044 02 00 00 {v4} 03 {} 0013 04", "ff".repeat(16)),
        ),
        (
            BmpMessage::PeerUp(PeerUp {
                peer: peer("2001:db8::1"),
                local_address: "2001:db8::2".parse().unwrap(),
                local_port: 179,
                remote_port: 40_000,
                sent_open: &keepalive,
                received_open: &keepalive,
                information: Tlvs::none(),
            }),
            format!(
                "03 0000006a 03 00 80 {v6} 20010db8000000000000000000000002 00b3 9c40 {} {}",
                format_args!("{} 0013 04", "ff".repeat(16)),
                format_args!("{} 0013 04", "ff".repeat(16)),
            ),
        ),
        (
            BmpMessage::Initiation(Initiation { information: Tlvs::read(&text).unwrap() }),
            "03 0000000c 04 0002 0002 6131".to_owned(),
        ),
    ] {
        let octets = hex(&octets);
        assert_eq!(encoded(&message), octets, "{message:?}");
        assert_eq!(decoded(&octets), Ok(message));
    }
}

#[test]
fn the_loc_rib_has_no_address_and_its_first_flag_is_another() {
    let identifier = BgpIdentifier::new(192, 0, 2, 9);
    let header = PerPeerHeader::loc_rib(Asn(64_500), identifier, AT).with(PeerFlags::FILTERED);
    let mut open = BytesMut::new();
    Open::new(Asn(64_500), 0, identifier, Vec::new()).encode(&mut open);
    let mut name = BytesMut::new();
    InformationType::VRF_TABLE_NAME.encode("global", &mut name);
    let up = BmpMessage::PeerUp(PeerUp {
        peer: header,
        local_address: "0.0.0.0".parse().unwrap(),
        local_port: 0,
        remote_port: 0,
        sent_open: &open,
        received_open: &open,
        information: Tlvs::read(&name).unwrap(),
    });

    let octets = encoded(&up);
    assert_eq!(octets[6..8], [3, 0x80]);
    assert_eq!(octets[16..32], [0; 16]);
    assert_eq!(decoded(&octets), Ok(up));

    let reason = PeerDownReason::LocalClosed(Tlvs::read(&name).unwrap());
    let down = BmpMessage::PeerDown(PeerDown { peer: header, reason });
    assert_eq!(decoded(&encoded(&down)), Ok(down));
}

#[test]
fn statistics_have_three_widths() {
    let mut octets = BytesMut::new();
    StatisticType::REJECTED_PREFIXES.encode_counter(7, &mut octets);
    StatisticType::ADJ_RIB_IN_ROUTES.encode_gauge(1 << 40, &mut octets);
    let family = AfiSafi::IPV6_UNICAST;
    StatisticType::LOC_RIB_ROUTES_OF_FAMILY.encode_family_gauge(family, 9, &mut octets);
    let statistics = Tlvs::read(&octets).unwrap();
    let report = StatisticsReport { peer: peer("192.0.2.1"), statistics };

    let octets = encoded(&BmpMessage::StatisticsReport(report));
    assert_eq!(decoded(&octets), Ok(BmpMessage::StatisticsReport(report)));
    assert_eq!(octets[48..52], [0, 0, 0, 3]);
    let values: Vec<_> = statistics.map(|tlv| (tlv.kind.0, tlv.statistic())).collect();
    assert_eq!(
        values,
        [
            (0, StatisticValue::Number(7)),
            (7, StatisticValue::Number(1 << 40)),
            (10, StatisticValue::OfFamily(family, 9)),
        ]
    );
    assert_eq!(Tlv { kind: StatisticType(99), value: b"abc" }.statistic(), StatisticValue::Other);
}

#[test]
fn a_termination_has_its_reason_and_mirrored_messages_are_octets() {
    let mut tlvs = BytesMut::new();
    TerminationType::STRING.encode("bye", &mut tlvs);
    TerminationReason::OUT_OF_RESOURCES.encode(&mut tlvs);
    let termination = Termination { information: Tlvs::read(&tlvs).unwrap() };
    assert_eq!(termination.reason(), Some(TerminationReason::OUT_OF_RESOURCES));
    let octets = encoded(&BmpMessage::Termination(termination));
    assert_eq!(decoded(&octets), Ok(BmpMessage::Termination(termination)));

    let mut tlvs = BytesMut::new();
    MirroringType::INFORMATION.encode(&[0, 0], &mut tlvs);
    MirroringType::BGP_MESSAGE.encode(b"any octets", &mut tlvs);
    let tlvs = Tlvs::read(&tlvs).unwrap();
    let mirrored = BmpMessage::RouteMirroring(RouteMirroring { peer: peer("::1"), tlvs });
    assert_eq!(decoded(&encoded(&mirrored)), Ok(mirrored));
}

#[test]
fn a_monitored_message_that_is_not_written_leaves_the_buffer_unchanged() {
    let mut out = BytesMut::from(&b"before"[..]);
    RouteMonitoring::encode_with(&peer("192.0.2.1"), &mut out, |_| {});
    assert_eq!(out, &b"before"[..]);
    RouteMonitoring::encode_with(&peer("192.0.2.1"), &mut out, |out| {
        encode_end_of_rib(out, AfiSafi::IPV4_UNICAST);
    });
    assert!(matches!(decoded(&out[6..]), Ok(BmpMessage::RouteMonitoring(_))));
}

#[test]
fn a_message_is_read_only_when_it_is_whole() {
    let mut notification = BytesMut::new();
    Notification::cease(CeaseSubcode::ADMINISTRATIVE_RESET).encode(&mut notification);
    let reason = PeerDownReason::LocalNotification(&notification);
    let down = BmpMessage::PeerDown(PeerDown { peer: peer("192.0.2.1"), reason });
    let octets = encoded(&down);
    for end in 0..octets.len() {
        assert_eq!(BmpFrame::split(&octets[..end]), Ok(None), "{end}");
    }
    assert_eq!(BmpFrame::length(&octets[..6]), Ok(Some(u32::try_from(octets.len()).unwrap())));
    let behind = [&octets[..], b"next"].concat();
    assert_eq!(BmpFrame::split(&behind).unwrap().unwrap().decode(), Ok(down));
}

#[test]
fn malformed_messages_are_refused() {
    assert_eq!(BmpFrame::split(&hex("01")), Err(BmpError::Version(1)));
    assert_eq!(BmpFrame::split(&hex("03 00000005 04")), Err(BmpError::Length(5)));

    let header = "00 00 0000000000000000 00000000000000000000000000000000 00000001 00000001 00000000 00000000";
    let marker = "ff".repeat(16);
    for (kind, body) in [
        // An incomplete TLV.
        (4, "0002 0002 61".to_owned()),
        (4, "0002".into()),
        // An incomplete per-peer header.
        (0, header[..80].to_owned()),
        // A BGP message that is shorter than a header, longer than its octets, or followed by others.
        (0, format!("{header} {marker} 0012 02")),
        (0, format!("{header} {marker} 0017 02 000000")),
        (0, format!("{header} {marker} 0017 02 00000000 00")),
        // More statistics than there are, and fewer.
        (1, format!("{header} 00000002 0000 0004 00000001")),
        (1, format!("{header} 00000000 0000 0004 00000001")),
        // A reason without its data, and one with data.
        (2, format!("{header} 02 00")),
        (2, format!("{header} 04 00")),
        (2, header.to_owned()),
        // One OPEN of two.
        (3, format!("{header} {} 0000 0000 {marker} 0013 04", "00".repeat(16))),
    ] {
        let body = hex(&body);
        let length = u32::try_from(6 + body.len()).unwrap().to_be_bytes();
        let octets = [&[3], &length[..], &[kind], &body].concat();
        assert_eq!(decoded(&octets), Err(BmpError::Content(BmpMessageType(kind))), "{body:x?}");
    }

    let unknown = hex("03 00000008 c8 0102");
    assert_eq!(decoded(&unknown), Ok(BmpMessage::Other(&[1, 2])));
    let error = BmpError::Content(BmpMessageType(2)).to_string();
    assert_eq!(error, "the content of the BMP message of type 2 does not match its length");
}

#[test]
fn a_long_text_is_cut_at_a_character() {
    let mut octets = BytesMut::new();
    InformationType::STRING.encode(&format!("{}ü", "x".repeat(65_534)), &mut octets);
    let tlvs = Tlvs::<InformationType>::read(&octets).unwrap();
    assert_eq!(tlvs.get(InformationType::STRING).map(<[u8]>::len), Some(65_534));
}

#[test]
fn only_an_update_that_is_treated_as_a_withdrawal_has_routes_to_withdraw() {
    let withdrawn = |text: &str| {
        let cx = WireContext::new(crate::PeerType::External).four_octet_as(true);
        let message = hex(text);
        treated_as_withdrawn(&message, cx).map(|nlri| nlri.prefix.to_string()).collect::<Vec<_>>()
    };
    let head = |length: &str| format!("{} {length} 02 0000", "ff".repeat(16));
    let path = "40010100 40020602010000fc7b 400304c0000201";

    // 10.1.0.0/16, and then 10.2.0.0/16 with COMMUNITIES of three octets.
    assert_eq!(withdrawn(&format!("{} 0014 {path} 100a01", head("002e"))), [""; 0]);
    let malformed = format!("{} 001a {path} c00803000102 100a02", head("0034"));
    assert_eq!(withdrawn(&malformed), ["10.2.0.0/16"]);

    // Cut short, of another type, and no message at all.
    assert_eq!(withdrawn(&malformed[..malformed.len() - 2]), [""; 0]);
    assert_eq!(withdrawn(&malformed.replace("0034 02", "0034 04")), [""; 0]);
    assert_eq!(withdrawn(""), [""; 0]);
}
