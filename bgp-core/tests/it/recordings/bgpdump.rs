//! This crate reads the same from a file as bgpdump prints, line by line.

use bgp_core::IpNet;
use bgp_core::mrt::{RecordContent, Records, Sessions, StateChange};
use bgp_core::wire::{Frame, NextHop, Origin, SegmentType, Treatment, Update, WireContext};
use bytes::BytesMut;

use super::{recordings, text, unpacked};

/// A path in the format of bgpdump: sets in braces with commas.
fn path(update: &Update<'_>) -> String {
    let segments = update.as_path().into_iter().flat_map(|path| path.segments());
    let words = segments.map(|segment| {
        let asns: Vec<_> = segment.asns.map(|asn| asn.to_string()).collect();
        match segment.kind {
            SegmentType::Set => format!("{{{}}}", asns.join(",")),
            _ => asns.join(" "),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The fields after the path: origin, next hop, LOCAL_PREF, MED, communities, aggregation.
fn attributes(update: &Update<'_>, next_hop: &str) -> String {
    let origin = match update.origin() {
        Some(Origin::Igp) => "IGP",
        Some(Origin::Egp) => "EGP",
        // bgpdump also prints this if there is no origin.
        Some(Origin::Incomplete) | None => "INCOMPLETE",
    };
    let communities = update.communities().map(|it| {
        it.name().map_or_else(|| format!("{}:{}", it.asn(), it.value()), ToOwned::to_owned)
    });
    let aggregator = update.aggregator().map(|it| format!("{} {}", it.asn, it.address));

    format!(
        "{origin}|{next_hop}|{}|{}|{}|{}|{}|",
        update.local_pref().unwrap_or(0),
        update.med().unwrap_or(0),
        communities.collect::<Vec<_>>().join(" "),
        if update.atomic_aggregate() { "AG" } else { "NAG" },
        aggregator.unwrap_or_default(),
    )
}

fn next_hop(next_hop: Option<NextHop>) -> String {
    next_hop.map(|hop| hop.address().to_string()).unwrap_or_default()
}

/// The lines of one UPDATE: withdrawn prefixes, then announced ones.
fn push_lines(update: &Update<'_>, head: &str, peer: &str, lines: &mut Vec<String>) {
    lines.extend(update.unreachable().map(|prefix| format!("{head}|W|{peer}|{prefix}")));
    for prefix in update.reachable() {
        let family = bgp_core::rib::family_of(&prefix);
        let hop = next_hop(update.to_attributes_for(family).next_hop);
        let behind = attributes(update, &hop);
        lines.push(format!("{head}|A|{peer}|{prefix}|{}|{behind}", path(update)));
    }
}

fn update(octets: &[u8], cx: WireContext) -> Option<Update<'_>> {
    let frame = Frame::split(octets, cx.limit()).unwrap().unwrap();
    (frame.kind().code() == 2).then(|| Update::decode(frame, cx).unwrap())
}

/// The lines of a file of messages.
fn of_messages(file: &[u8]) -> Vec<String> {
    let mut sessions = Sessions::new();
    let mut lines = Vec::new();
    for record in Records::new(file) {
        let head = format!("BGP4MP|{}", record.timestamp());
        match record.content().unwrap() {
            RecordContent::Message(recorded) => {
                let cx = sessions.context(&recorded);
                let peer = format!("{}|{}", recorded.peer, recorded.peer_as);
                if let Some(update) = update(recorded.octets, cx) {
                    push_lines(&update, &head, &peer, &mut lines);
                }
            }
            RecordContent::StateChange(StateChange { peer, peer_as, old, new, .. }) => {
                lines.push(format!("{head}|STATE|{peer}|{peer_as}|{old}|{new}"));
            }
            _ => {}
        }
    }
    lines
}

/// The lines of a file with a table.
fn of_table(file: &[u8]) -> Vec<String> {
    let (mut peers, mut lines, mut out) = (Vec::new(), Vec::new(), BytesMut::new());
    for record in Records::new(file) {
        match record.content().unwrap() {
            RecordContent::PeerIndexTable(table) => peers = table.peers().collect(),
            RecordContent::Rib(rib) => {
                let prefix: IpNet = rib.prefix().unwrap();
                for entry in rib.entries() {
                    out.clear();
                    assert!(rib.encode_update(&entry, &mut out));
                    let update = update(&out, rib.context()).unwrap();
                    let peer = peers[usize::from(entry.peer)];
                    // bgpdump prints this as the next hop of an IPv6 route.
                    let hop = update
                        .next_hop()
                        .map_or_else(|| "255.255.255.255".to_owned(), |hop| hop.to_string());
                    let behind = attributes(&update, &hop);
                    let id = entry.path_id.unwrap();
                    lines.push(format!(
                        "TABLE_DUMP2_AP|{}|B|{}|{}|{prefix}|{id}|{}|{behind}",
                        record.timestamp(),
                        peer.address,
                        peer.asn,
                        path(&update),
                    ));
                    assert!(update.treatment() <= Treatment::TreatAsWithdraw);
                }
            }
            _ => {}
        }
    }
    lines
}

fn compare(name: &str, read: fn(&[u8]) -> Vec<String>) {
    let Some(directory) = recordings() else { return };
    let (file, _) = unpacked(&directory.join(format!("{name}.gz")));
    let expected = text(&directory.join(format!("{name}.expected.txt.gz")));
    let ours = read(&file);
    for (at, (ours, theirs)) in ours.iter().zip(expected.lines()).enumerate() {
        assert_eq!(ours, theirs, "line {} of {name}", at + 1);
    }
    assert_eq!(ours.len(), expected.lines().count(), "{name}");
}

#[test]
fn updates_are_read_like_bgpdump() {
    compare("ris-updates.20160811.1600", of_messages);
}

#[test]
fn tables_with_path_identifiers_are_read_like_bgpdump() {
    compare("bview.ipv4_unicast_add_path", of_table);
    compare("bview.ipv6_unicast_add_path", of_table);
}
