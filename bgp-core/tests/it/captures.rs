//! Real messages: the UPDATEs of public route collectors, where their recordings are at hand.
//!
//! They are looked for in `../shared/data/mrt` beside the workspace. Where they are not, the test says so and passes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use bgp_core::wire::{
    AttributeBlock, Frame, Message, MessageLimit, Treatment, Update, UpdateWriter, WireContext,
};
use bgp_core::{AfiSafi, IpNet, PeerType};
use bytes::BytesMut;

/// Type of MRT records that hold messages (RFC 6396 section 4.4), and with microseconds.
const BGP4MP: u16 = 16;
const BGP4MP_ET: u16 = 17;

/// Lab sessions whose records say whether there are path identifiers.
const LAB_FILES: [&str; 4] = [
    "lab-bird-mrtdump_bgp.mrt",
    "lab-bird6-mrtdump_bgp.mrt",
    "lab-openbgpd_bgp.mrt",
    "lab-quagga_bgp.mrt",
];

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn recordings() -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mrt");
    if !directory.is_dir() {
        eprintln!("skipped: no recordings in ../shared/data/mrt");
        return None;
    }
    Some(directory)
}

fn unpacked(path: &Path) -> Vec<u8> {
    let packed = fs::read(path).unwrap();
    let mut octets = Vec::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut octets),
        Some("bz2") => bzip2::read::MultiBzDecoder::new(&packed[..]).read_to_end(&mut octets),
        _ => return packed,
    }
    .unwrap();
    octets
}

/// The messages of a file with what their sessions negotiated, as far as the records say.
fn messages(file: &[u8]) -> Vec<(WireContext, &[u8])> {
    let mut found = Vec::new();
    let mut rest = file;
    while let [_, _, _, _, t0, t1, s0, s1, tail @ ..] = rest {
        let (length, tail) = tail.split_first_chunk::<4>().unwrap();
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        let (record, after) = tail.split_at(length);
        rest = after;
        let kind = u16::from_be_bytes([*t0, *t1]);
        let record = match kind {
            BGP4MP => record,
            BGP4MP_ET => &record[4..],
            _ => continue,
        };
        let subtype = u16::from_be_bytes([*s0, *s1]);
        // Message and message-AS4; the same recorded at the sender; the same with path identifiers.
        let (four, add_path) = match subtype {
            1 | 6 => (false, false),
            4 | 7 => (true, false),
            8 | 10 => (false, true),
            9 | 11 => (true, true),
            _ => continue,
        };
        let asns = if four { 8 } else { 4 };
        let addresses = if record[asns + 3] == 1 { 8 } else { 32 };
        let (peer, local) = record[..asns].split_at(asns / 2);
        let peer = if peer == local { PeerType::Internal } else { PeerType::External };
        let cx = WireContext::new(peer)
            .four_octet_as(four)
            .multiprotocol(AfiSafi::IPV6_UNICAST, true)
            .add_path(AfiSafi::IPV4_UNICAST, add_path)
            .add_path(AfiSafi::IPV6_UNICAST, add_path);
        found.push((cx, &record[asns + 4 + addresses..]));
    }
    found
}

fn count(counts: &mut BTreeMap<String, u64>, what: impl Into<String>, more: usize) {
    if more > 0 {
        *counts.entry(what.into()).or_default() += more as u64;
    }
}

/// What `counts.json` counts.
fn tally(update: &Update<'_>, counts: &mut BTreeMap<String, u64>) {
    count(counts, "updates", 1);
    count(counts, "outcome_ok", usize::from(update.treatment() == Treatment::None));
    for attribute in update.attributes() {
        count(counts, format!("attr_{}", attribute.code.0), 1);
    }
    count(counts, "announced_v4", update.nlri().count());
    count(counts, "withdrawn_v4", update.withdrawn().count());
    count(counts, "announced_v6", update.mp_reach().map_or(0, |reach| reach.nlri().count()));
    count(counts, "withdrawn_v6", update.mp_unreach().map_or(0, |unreach| unreach.nlri().count()));
}

/// Writes what was read, and reads that: the same routes with the same attributes.
fn write_and_read(
    update: &Update<'_>,
    cx: WireContext,
    out: &mut BytesMut,
    block: &mut AttributeBlock,
) {
    for family in [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST] {
        let of_family =
            |prefix: &IpNet| matches!(prefix, IpNet::V4(_)) == (family == AfiSafi::IPV4_UNICAST);
        let prefixes: Vec<_> = update.reachable().filter(of_family).collect();
        let attributes = update.to_attributes_for(family);
        let Some(next_hop) = attributes.next_hop.filter(|_| !prefixes.is_empty()) else { continue };
        out.clear();
        block.encode(&attributes, cx);
        let mut writer = UpdateWriter::reach(out, family, &next_hop, block, cx);
        assert!(prefixes.iter().all(|prefix| writer.push(*prefix)));
        writer.finish();
        let frame = Frame::split(out, MessageLimit::Standard).unwrap().unwrap();
        let again = Update::decode(frame, cx).unwrap();
        assert_eq!(again.treatment(), Treatment::None);
        assert_eq!(again.to_attributes_for(family), attributes);
        assert!(again.reachable().eq(prefixes));
    }
}

#[test]
fn recorded_updates_decode_as_counted_and_read_back() {
    let Some(directory) = recordings() else { return };
    let text = fs::read_to_string(directory.join("counts.json")).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, u64>> = serde_json::from_str(&text).unwrap();
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    for (file, expected) in expected {
        let octets = unpacked(&directory.join(&file));
        let mut counts = BTreeMap::new();
        for (cx, octets) in messages(&octets) {
            let frame = Frame::split(octets, MessageLimit::Standard).unwrap().unwrap();
            if let Message::Update(update) = Message::decode(frame, cx).unwrap() {
                tally(&update, &mut counts);
                write_and_read(&update, cx, &mut out, &mut block);
            }
        }
        assert_eq!(counts, expected, "{file}");
    }
}

#[test]
fn recorded_sessions_of_three_daemons_decode_without_a_complaint() {
    let Some(directory) = recordings() else { return };
    let mut kinds = BTreeMap::new();
    for file in LAB_FILES {
        let octets = unpacked(&directory.join(file));
        for (cx, octets) in messages(&octets) {
            let frame = Frame::split(octets, MessageLimit::Standard).unwrap().unwrap();
            let message =
                Message::decode(frame, cx).unwrap_or_else(|error| panic!("{file}: {error}"));
            count(&mut kinds, message.kind().to_string(), 1);
            match message {
                Message::Update(update) => {
                    assert_eq!(update.treatment(), Treatment::None, "{file}");
                }
                Message::Open(open) => {
                    let mut out = BytesMut::new();
                    open.encode(&mut out);
                    let frame = Frame::split(&out, MessageLimit::Standard).unwrap().unwrap();
                    let Ok(Message::Open(again)) = Message::decode(frame, cx) else {
                        panic!("{file}")
                    };
                    assert_eq!(again, open);
                }
                _ => {}
            }
        }
    }
    assert_eq!(kinds.len(), 5, "{kinds:?}");
}
