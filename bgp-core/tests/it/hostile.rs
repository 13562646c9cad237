//! Hostile input: it never causes a panic, and only octets that were received are sent back.

use bgp_core::mrt::{RecordContent, Records, Sessions};
use bgp_core::wire::{
    AttributeBlock, Frame, Message, OwnedUpdate, Treatment, Update, UpdateWriter, WireContext,
};
use bgp_core::{AfiSafi, IpNet};
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::roundtrip::announce;
use crate::strategies::{context, open, path_attributes, routes};

/// Calls all methods of a view, and checks the invariants that hold for any input.
fn visit(update: &Update<'_>, message: &[u8]) -> Result<(), TestCaseError> {
    let octets = message.len();
    prop_assert!(update.withdrawn().count() + update.nlri().count() <= octets);
    prop_assert!(update.reachable().with_path_ids().count() <= octets);
    prop_assert!(update.unreachable().count() <= octets);

    let mut worst = Treatment::None;
    for finding in update.findings() {
        worst = worst.max(finding.treatment);
        prop_assert!(finding.error.offset() <= octets);
        let _ = finding.error.notification(message).to_string();
    }
    prop_assert_eq!(worst, update.treatment());
    prop_assert!(worst < Treatment::SessionReset);
    prop_assert_eq!(update.error().is_some(), worst > Treatment::None);
    prop_assert_eq!(update.disabled_family().is_some(), worst == Treatment::AfiSafiDisable);

    if worst == Treatment::TreatAsWithdraw {
        prop_assert_eq!(update.reachable().count(), 0);
    }
    if let Some(path) = update.as_path() {
        prop_assert!(path.asns().count() <= octets);
        prop_assert_eq!(path.asns().count(), path.asns().fold(0, |count, _| count + 1));
    }

    let _ = (update.offending(), update.end_of_rib(), update.aigp(), update.as4_aggregator());
    let _ = update.mp_reach().map(|reach| (reach.next_hop(), reach.nlri().count()));
    let owned = update.to_attributes();
    let _ = update.to_attributes_for(AfiSafi::IPV6_UNICAST);

    // The owned attributes can be sent, and decode without an error.
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    let cx = update.context().four_octet_as(true).confederation(true);
    block.encode(&owned, cx);
    let next_hop = std::net::Ipv4Addr::LOCALHOST.into();
    let mut writer = UpdateWriter::reach(&mut out, AfiSafi::IPV4_UNICAST, &next_hop, &block, cx);
    let prefix: IpNet = "10.0.0.0/8".parse().unwrap();
    if writer.push(prefix) && writer.finish() == 1 {
        prop_assert!(out.len() <= cx.limit().octets());
        let frame = Frame::split(&out, cx.limit()).unwrap().unwrap();
        prop_assert_eq!(Update::decode(frame, cx).unwrap().treatment(), Treatment::None);
    }
    Ok(())
}

fn decode_all(octets: &[u8], cx: WireContext) -> Result<(), TestCaseError> {
    // An UPDATE to be replaced.
    let other = [&[0xff; 16][..], &[0, 30, 2, 0, 0, 0, 7, 0x80, 4, 4, 0, 0, 0, 1]].concat();
    let frame = Frame::split(&other, cx.limit()).unwrap().unwrap();
    let other = OwnedUpdate::decode(frame, cx).unwrap();

    let mut rest = octets;
    loop {
        match Frame::split(rest, cx.limit()) {
            Ok(None) => return Ok(()),
            Err(error) => {
                prop_assert!(error.offset() < 19);
                let _ = error.notification(rest).to_string();
                return Ok(());
            }
            Ok(Some(frame)) => {
                rest = &rest[frame.as_bytes().len()..];
                let message = frame.as_bytes();
                match Message::decode(frame, cx) {
                    Ok(Message::Update(update)) => {
                        visit(&update, message)?;
                        let kept = OwnedUpdate::decode(frame, cx);
                        prop_assert!(kept.is_ok());
                        let kept = kept.unwrap();
                        prop_assert_eq!(kept.as_octets(), message);
                        // The debug output contains the complete state of a view.
                        prop_assert_eq!(format!("{:?}", kept.view()), format!("{update:?}"));
                        prop_assert_eq!(&OwnedUpdate::from(update), &kept);
                        visit(&kept.view(), message)?;

                        let mut replaced = other.clone();
                        prop_assert_eq!(replaced.replace(frame, cx), Ok(()));
                        prop_assert_eq!(replaced.as_octets(), message);
                        let (replaced, kept) = (replaced.view(), kept.view());
                        prop_assert_eq!(format!("{replaced:?}"), format!("{kept:?}"));
                    }
                    Ok(_) => {}
                    Err(error) => {
                        prop_assert!(
                            error.offset() <= message.len(),
                            "{} in {}",
                            error.offset(),
                            message.len()
                        );
                        let notification = error.notification(message);
                        // Only received octets are sent back, except for our version and the code of a missing attribute.
                        let ours = notification.data.len() <= 2;
                        let theirs = message
                            .windows(notification.data.len().max(1))
                            .any(|part| part == notification.data);
                        prop_assert!(ours || theirs);
                    }
                }
            }
        }
    }
}

/// A body with a valid header, to reach the decoders of the body.
fn framed(code: u8, body: &[u8]) -> Vec<u8> {
    let mut octets = vec![0xff; 16];
    octets.extend(u16::try_from(19 + body.len()).unwrap().to_be_bytes());
    octets.push(code);
    octets.extend(body);
    octets
}

/// A record of a known or unknown type with random content.
fn record() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![Just((13, 13)), Just((16, 12)), Just((17, 12)), Just((48, 2))];
    let kind = kind.prop_flat_map(|(kind, subtypes): (u8, u8)| (Just(kind), 0..subtypes));
    let body = vec(prop_oneof![0..4u8, any::<u8>()], 0..80);
    (kind, body).prop_map(|((kind, subtype), body)| {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[0, 0, 0, 7, 0, kind, 0, subtype], &length[..], &body].concat()
    })
}

fn read_recording(file: &[u8]) -> Result<(), TestCaseError> {
    let mut records = Records::new(file);
    let (mut sessions, mut out) = (Sessions::new(), BytesMut::new());
    let mut read = 0;
    for record in records.by_ref() {
        read += record.as_bytes().len();
        match record.content() {
            Ok(RecordContent::Message(recorded)) => {
                decode_all(recorded.octets, sessions.context(&recorded))?;
            }
            Ok(RecordContent::PeerIndexTable(table)) => {
                prop_assert!(table.peers().count() <= record.body().len());
            }
            Ok(RecordContent::Rib(rib)) => {
                for entry in rib.entries() {
                    out.clear();
                    prop_assert_eq!(rib.encode_update(&entry, &mut out), !out.is_empty());
                    decode_all(&out, rib.context())?;
                }
            }
            Ok(_) => {}
            Err(error) => {
                prop_assert_eq!((error.kind, error.subtype), (record.kind(), record.subtype()));
            }
        }
    }
    prop_assert_eq!(read + records.rest().len(), file.len());
    Ok(())
}

/// Attributes with valid headers and random values.
fn attributes() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![1..=40u8, any::<u8>()];
    let flags = prop_oneof![Just(0x40u8), Just(0x80), Just(0xc0), any::<u8>()];
    let attribute = (flags, code, vec(prop_oneof![0..4u8, any::<u8>()], 0..40)).prop_map(
        |(flags, code, value)| {
            let length = u8::try_from(value.len()).unwrap();
            [vec![flags & !0x10, code, length], value].concat()
        },
    );
    vec(attribute, 0..8).prop_map(|attributes| attributes.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_octets_decode_or_are_refused(octets in vec(any::<u8>(), 0..200), cx in context()) {
        decode_all(&octets, cx)?;
        for code in 1..=5 {
            decode_all(&framed(code, &octets), cx)?;
        }
    }

    #[test]
    fn any_octets_are_read_as_a_recording(
        records in vec(record(), 0..5),
        tail in vec(any::<u8>(), 0..20),
    ) {
        let file = [records.concat(), tail].concat();
        read_recording(&file)?;
    }

    #[test]
    fn any_attributes_decode_or_are_refused(
        attributes in attributes(),
        nlri in vec(prop_oneof![Just(8u8), any::<u8>()], 0..12),
        cx in context(),
    ) {
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        let body = [&[0, 0], &length[..], &attributes, &nlri].concat();
        decode_all(&framed(2, &body), cx)?;
    }

    #[test]
    fn a_valid_update_with_changed_octets_decodes_or_is_refused(
        path_attributes in path_attributes(),
        (family, next_hop, prefixes) in routes(),
        cx in context(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let prefixes: Vec<_> = prefixes.into_iter().map(|prefix| (prefix, 1)).collect();
        let (mut octets, count) = announce(&path_attributes, family, &next_hop, &prefixes, cx);
        prop_assume!(count > 0);
        for (at, value) in changes {
            let body = octets.len() - 19;
            octets[19 + at.index(body)] = value;
        }
        decode_all(&octets, cx)?;
    }

    #[test]
    fn a_valid_open_with_changed_octets_decodes_or_is_refused(
        open in open(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut octets = BytesMut::new();
        open.encode(&mut octets);
        for (at, value) in changes {
            let body = octets.len() - 19;
            octets[19 + at.index(body)] = value;
        }
        decode_all(&octets, WireContext::default())?;
    }
}
