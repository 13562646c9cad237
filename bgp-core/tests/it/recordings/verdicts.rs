//! Every message of every recording decodes, except for known ones with errors.

use std::collections::BTreeMap;
use std::fs;

use bgp_core::wire::{Frame, Message, MessageLimit};
use bytes::BytesMut;

use super::{for_each_message, recordings, unpacked};

/// The known messages with errors: file, treatment, first error without its offset, count.
const KNOWN_BAD: &[(&str, &str, &str, usize)] = &[
    // Locally originated routes of the recording router, without attributes.
    (
        "bview.ipv4_unicast_add_path.gz",
        "treat-as-withdraw",
        "ORIGIN: the attribute is mandatory and missing",
        2,
    ),
];

/// The files that are truncated, as their names show.
const CUT: [&str; 2] = [
    "routeviews-rib.20140523.0600.first-9072-prefixes.bz2",
    "routeviews-rib6.20151101.0600.first-6870-prefixes.bz2",
];

/// The number of UPDATEs in each file, where a route of a table counts as one, from the description of the data.
const UPDATES: &[(&str, usize)] = &[
    ("bview.ipv4_unicast_add_path.gz", 62),
    ("bview.ipv6_unicast_add_path.gz", 62),
    ("lab-bird-mrtdump_bgp.mrt", 6),
    ("lab-bird6-mrtdump_bgp.mrt", 6),
    ("lab-bird6_bgp.mrt", 8),
    ("lab-bird_bgp.mrt", 8),
    ("lab-openbgpd_bgp.mrt", 48),
    ("lab-openbgpd_rib_table-v2.mrt", 33),
    ("lab-quagga_bgp.mrt", 24),
    ("lab-quagga_rib.mrt", 9),
    ("ris-rrc06-updates.20150401.0000.gz", 761),
    ("ris-updates.20160811.1600.gz", 17_216),
    ("ris-updates.20190101.0000.gz", 54_107),
    ("routeviews-jinx-updates.20150401.0000.bz2", 1_756),
    ("routeviews-rib.20140523.0600.first-9072-prefixes.bz2", 270_005),
    ("routeviews-rib6.20151101.0600.first-6870-prefixes.bz2", 149_578),
];

/// The results of reading the recordings.
#[derive(Default)]
struct Reading {
    updates: BTreeMap<String, usize>,
    bad: BTreeMap<(String, String, String), usize>,
    cut: Vec<String>,
    kinds: BTreeMap<String, usize>,
}

impl Reading {
    fn message(&mut self, file: &str, verdict: Result<Message<'_>, String>) {
        let verdict = match verdict {
            Ok(Message::Update(update)) => {
                *self.updates.entry(file.to_owned()).or_default() += 1;
                update.error().map(|error| (update.treatment().to_string(), error.to_string()))
            }
            Ok(message) => {
                *self.kinds.entry(message.kind().to_string()).or_default() += 1;
                if let Message::Open(open) = message {
                    reads_back(&open);
                }
                None
            }
            Err(error) => Some(("session-reset".to_owned(), error)),
        };
        if let Some((treatment, error)) = verdict {
            let what = error.split(" (octet").next().unwrap().to_owned();
            *self.bad.entry((file.to_owned(), treatment, what)).or_default() += 1;
        }
    }
}

fn reads_back(open: &bgp_core::wire::Open) {
    let mut out = BytesMut::new();
    open.encode(&mut out);
    let frame = Frame::split(&out, MessageLimit::Standard).unwrap().unwrap();
    let Ok(Message::Open(again)) = Message::decode(frame, Default::default()) else {
        panic!("our own OPEN does not read back")
    };
    assert_eq!(again, *open);
}

#[test]
fn every_recorded_message_decodes_except_for_known_invalid_ones() {
    let Some(directory) = recordings() else { return };
    let mut reading = Reading::default();
    let mut files: Vec<_> =
        fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for path in files {
        let file = path.file_name().unwrap().to_str().unwrap();
        if file.ends_with(".txt.gz") || file.ends_with(".json") {
            continue;
        }
        let (octets, whole) = unpacked(&path);
        if !whole {
            reading.cut.push(file.to_owned());
        }
        for_each_message(&octets, |cx, octets| {
            let decoded = Frame::split(octets, cx.limit())
                .and_then(|frame| Message::decode(frame.expect("a whole message"), cx));
            reading.message(file, decoded.map_err(|error| error.to_string()));
        });
    }

    let bad: Vec<_> = reading
        .bad
        .iter()
        .map(|((file, treatment, what), count)| (&**file, &**treatment, &**what, *count))
        .collect();
    assert_eq!(bad, KNOWN_BAD);

    let updates: Vec<_> = reading.updates.iter().map(|(file, count)| (&**file, *count)).collect();
    assert_eq!(updates, UPDATES);
    assert_eq!(reading.cut, CUT);
    let kinds = ["KEEPALIVE", "NOTIFICATION", "OPEN", "ROUTE-REFRESH"];
    assert!(reading.kinds.keys().eq(kinds), "{:?}", reading.kinds);
}
