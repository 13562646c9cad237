//! BMP: written messages read back unchanged, and any octets are read to the end or to an error.

use std::net::IpAddr;
use std::time::Duration;

use bgp_core::bmp::{
    BmpFrame, BmpMessage, BmpPeerType, InformationType, Initiation, MirroringType, PeerDown,
    PeerDownReason, PeerFlags, PeerUp, PerPeerHeader, RouteMirroring, RouteMonitoring,
    StatisticType, StatisticsReport, Termination, TerminationReason, TerminationType, Tlvs,
};
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::strategies::{asn, notification, open};

fn header() -> impl Strategy<Value = PerPeerHeader> {
    let time = (any::<u32>(), 0..1_000_000u64)
        .prop_map(|(s, us)| Duration::from_secs(s.into()) + Duration::from_micros(us));
    let address = prop_oneof![
        any::<u32>().prop_map(|octets| IpAddr::from(octets.to_be_bytes())),
        any::<u128>().prop_map(|octets| IpAddr::from(octets.to_be_bytes())),
    ];
    (0..4u8, 0..16u8, any::<u64>(), address, asn(), any::<u32>(), time).prop_map(
        |(kind, flags, distinguisher, address, asn, identifier, time)| {
            let loc_rib = PerPeerHeader::loc_rib(asn, identifier.into(), time);
            let header = match BmpPeerType(kind) {
                BmpPeerType::LOC_RIB => loc_rib.with(PeerFlags(flags << 4)),
                peer_type => PerPeerHeader {
                    peer_type,
                    ..PerPeerHeader::new(address, asn, identifier.into(), time)
                        .with(PeerFlags((flags & 7) << 4))
                },
            };
            PerPeerHeader { distinguisher, ..header }
        },
    )
}

/// The message reads back, also with others behind it.
fn judge(message: BmpMessage<'_>) -> Result<(), TestCaseError> {
    let mut octets = BytesMut::new();
    message.encode(&mut octets);
    let whole = octets.len();
    octets.extend_from_slice(b"behind");

    let frame = BmpFrame::split(&octets).unwrap().unwrap();
    prop_assert_eq!(frame.as_bytes().len(), whole);
    prop_assert_eq!(frame.decode(), Ok(message));
    Ok(())
}

proptest! {
    #[test]
    fn written_messages_read_back_unchanged(
        peer in header(),
        local in any::<u128>(),
        ports in any::<(u16, u16)>(),
        opens in (open(), open()),
        cease in notification(),
        texts in vec((any::<u16>(), ".{0,20}"), 0..4),
        counts in vec(any::<(u16, u64)>(), 0..4),
        code in 7..=255u8,
        data in vec(any::<u8>(), 0..40),
    ) {
        let mut octets = [(); 3].map(|()| BytesMut::new());
        opens.0.encode(&mut octets[0]);
        opens.1.encode(&mut octets[1]);
        cease.encode(&mut octets[2]);
        let [sent_open, received_open, cease] = &octets;
        let (mut facts, mut last, mut numbers) = <(BytesMut, BytesMut, BytesMut)>::default();
        for (kind, text) in &texts {
            InformationType(*kind).encode(text, &mut facts);
            TerminationType::STRING.encode(text, &mut last);
        }
        TerminationReason(ports.0).encode(&mut last);
        for (kind, count) in counts {
            StatisticType(kind).encode_gauge(count, &mut numbers);
        }

        let information = Tlvs::read(&facts).unwrap();
        let is_v6 = peer.address.is_ipv6();
        let local_address = match local.to_be_bytes() {
            octets if is_v6 => octets.into(),
            [.., a, b, c, d] => [a, b, c, d].into(),
        };
        let (local_port, remote_port) = ports;
        judge(BmpMessage::PeerUp(PeerUp {
            peer, local_address, local_port, remote_port, sent_open, received_open, information,
        }))?;
        for reason in [
            PeerDownReason::LocalNotification(cease),
            PeerDownReason::LocalEvent(ports.0),
            PeerDownReason::RemoteNotification(cease),
            PeerDownReason::Remote,
            PeerDownReason::Deconfigured,
            PeerDownReason::LocalClosed(information),
            PeerDownReason::Other(code, &data),
        ] {
            judge(BmpMessage::PeerDown(PeerDown { peer, reason }))?;
        }
        judge(BmpMessage::RouteMonitoring(RouteMonitoring { peer, update: cease }))?;
        let statistics = Tlvs::read(&numbers).unwrap();
        judge(BmpMessage::StatisticsReport(StatisticsReport { peer, statistics }))?;
        judge(BmpMessage::Initiation(Initiation { information }))?;
        let termination = Termination { information: Tlvs::read(&last).unwrap() };
        prop_assert_eq!(termination.reason(), Some(TerminationReason(ports.0)));
        judge(BmpMessage::Termination(termination))?;

        let mut mirrored = BytesMut::new();
        MirroringType::BGP_MESSAGE.encode(&data, &mut mirrored);
        let tlvs = Tlvs::read(&mirrored).unwrap();
        judge(BmpMessage::RouteMirroring(RouteMirroring { peer, tlvs }))?;
    }

    #[test]
    fn what_can_be_read_of_any_octets_is_written_to_the_same_meaning(
        kind in 0..8u8,
        body in vec(any::<u8>(), 0..200),
    ) {
        let length = u32::try_from(6 + body.len()).unwrap().to_be_bytes();
        let octets = [&[3], &length[..], &[kind], &body].concat();
        let frame = BmpFrame::split(&octets).unwrap().unwrap();
        match frame.decode() {
            Ok(BmpMessage::Other(rest)) => prop_assert_eq!(rest, &body),
            Ok(message) => judge(message)?,
            Err(_) => {}
        }
    }
}
