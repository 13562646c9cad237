//! BMP: any octets are read to the end or to an error, and what was read is written to the same meaning.

use std::time::Duration;

use bgp_core::bmp::{
    BmpError, BmpFrame, BmpMessage, InformationType, Initiation, MirroringType, PeerDown,
    PeerDownReason, PeerUp, PerPeerHeader, RouteMirroring, RouteMonitoring, StatisticType,
    StatisticValue, StatisticsReport, Termination, TerminationReason, TerminationType, TlvType,
    Tlvs,
};
use bgp_core::wire::{CeaseSubcode, Notification, Open, encode_end_of_rib};
use bgp_core::{AfiSafi, Asn, BgpIdentifier};
use bytes::BytesMut;

/// The input is a stream.
pub fn check(input: &[u8]) {
    let mut rest = input;
    loop {
        match BmpFrame::split(rest) {
            Ok(Some(frame)) => {
                judge_frame(frame);
                rest = &rest[frame.as_bytes().len()..];
            }
            Ok(None) => return,
            Err(error) => {
                assert!(matches!(error, BmpError::Version(_) | BmpError::Length(_)));
                return;
            }
        }
    }
}

/// A message is whole, is read without what follows it, and reads back once it is written.
fn judge_frame(frame: BmpFrame<'_>) {
    let octets = frame.as_bytes();
    assert_eq!(BmpFrame::split(octets), Ok(Some(frame)));
    assert_eq!(BmpFrame::split(&octets[..octets.len() - 1]), Ok(None));
    let message = match frame.decode() {
        Ok(message) => message,
        Err(error) => return assert_eq!(error, BmpError::Content(frame.kind())),
    };

    match message {
        BmpMessage::Initiation(it) => judge_tlvs(it.information),
        BmpMessage::Termination(it) => judge_tlvs(it.information),
        BmpMessage::PeerUp(it) => judge_tlvs(it.information),
        BmpMessage::RouteMirroring(it) => judge_tlvs(it.tlvs),
        BmpMessage::StatisticsReport(it) => {
            judge_tlvs(it.statistics);
            for tlv in it.statistics {
                let is_number = matches!(tlv.value.len(), 4 | 8 | 11);
                assert_eq!(tlv.statistic() != StatisticValue::Other, is_number);
            }
        }
        BmpMessage::Other(rest) => return assert!(octets.ends_with(rest)),
        _ => {}
    }

    let mut written = BytesMut::new();
    message.encode(&mut written);
    assert_eq!(written.len(), octets.len());
    let again = BmpFrame::split(&written).expect("a header").expect("a whole message");
    assert_eq!(again.decode(), Ok(message));
}

/// The values of the list are all of its octets.
fn judge_tlvs<T: TlvType>(tlvs: Tlvs<'_, T>) {
    let octets: usize = tlvs.map(|tlv| 4 + tlv.value.len()).sum();
    assert_eq!(octets, tlvs.as_bytes().len());
    for tlv in tlvs {
        assert!(tlvs.get(tlv.kind).is_some());
    }
}

/// A stream with messages of each type, for an IPv4 peer, an IPv6 peer and the Loc-RIB.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let (identifier, at) = (BgpIdentifier::new(192, 0, 2, 9), Duration::new(1_700_000_000, 5_000));
    let peer = |address| PerPeerHeader::new(address, Asn(64_500), identifier, at);
    [
        ("ipv4", peer([192, 0, 2, 1].into())),
        ("ipv6", peer([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()).post_policy().adj_rib_out()),
        ("loc-rib", PerPeerHeader::loc_rib(Asn(64_500), identifier, at)),
    ]
    .map(|(name, peer)| (name.to_owned(), stream(peer)))
    .to_vec()
}

fn stream(peer: PerPeerHeader) -> Vec<u8> {
    let [mut open, mut cease, mut update, mut facts, mut last, mut numbers, mut mirrored] =
        [(); 7].map(|()| BytesMut::new());
    Open::new(Asn(64_500), 90, peer.identifier, Vec::new()).encode(&mut open);
    Notification::cease(CeaseSubcode::ADMINISTRATIVE_RESET).encode(&mut cease);
    encode_end_of_rib(&mut update, AfiSafi::IPV6_UNICAST);
    InformationType::SYS_NAME.encode("router", &mut facts);
    TerminationReason::OUT_OF_RESOURCES.encode(&mut last);
    TerminationType::STRING.encode("bye", &mut last);
    StatisticType::REJECTED_PREFIXES.encode_counter(7, &mut numbers);
    StatisticType::ADJ_RIB_IN_ROUTES.encode_gauge(9, &mut numbers);
    let family = AfiSafi::IPV4_UNICAST;
    StatisticType::LOC_RIB_ROUTES_OF_FAMILY.encode_family_gauge(family, 9, &mut numbers);
    MirroringType::INFORMATION.encode(&[0, 0], &mut mirrored);
    MirroringType::BGP_MESSAGE.encode(&update, &mut mirrored);

    let information = Tlvs::read(&facts).expect("whole TLVs");
    let up = PeerUp {
        peer,
        local_address: peer.address,
        local_port: 179,
        remote_port: 40_000,
        sent_open: &open,
        received_open: &open,
        information,
    };
    let down = |reason| BmpMessage::PeerDown(PeerDown { peer, reason });
    let mut stream = BytesMut::new();
    for message in [
        BmpMessage::Initiation(Initiation { information }),
        BmpMessage::PeerUp(up),
        BmpMessage::RouteMonitoring(RouteMonitoring { peer, update: &update }),
        BmpMessage::StatisticsReport(StatisticsReport {
            peer,
            statistics: Tlvs::read(&numbers).expect("whole TLVs"),
        }),
        BmpMessage::RouteMirroring(RouteMirroring {
            peer,
            tlvs: Tlvs::read(&mirrored).expect("whole TLVs"),
        }),
        down(PeerDownReason::LocalNotification(&cease)),
        down(PeerDownReason::LocalEvent(24)),
        down(PeerDownReason::Remote),
        down(PeerDownReason::LocalClosed(information)),
        BmpMessage::Termination(Termination {
            information: Tlvs::read(&last).expect("whole TLVs"),
        }),
    ] {
        message.encode(&mut stream);
    }
    stream.to_vec()
}
