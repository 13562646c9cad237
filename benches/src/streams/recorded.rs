//! Streams from the recordings of collectors.
//!
//! The UPDATEs of a recording of messages are used unchanged. A table dump has routes but no messages: the routes of each
//! peer are packed into as few UPDATEs as a router would send, with the attributes as recorded.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use bgp_core::mrt::{RecordContent, Records, RibEntry};
use ipnet::IpNet;

use crate::append;

use super::Stream;

/// The names of the streams and their files.
pub(super) const FILES: [(&str, &str); 6] = [
    ("ris-updates.20190101.0000", "ris-updates.20190101.0000.gz"),
    ("ris-updates.20160811.1600", "ris-updates.20160811.1600.gz"),
    ("routeviews-jinx-updates.20150401.0000", "routeviews-jinx-updates.20150401.0000.bz2"),
    ("ris-rrc06-updates.20150401.0000", "ris-rrc06-updates.20150401.0000.gz"),
    ("routeviews-rib.20140523.0600", "routeviews-rib.20140523.0600.first-9072-prefixes.bz2"),
    ("routeviews-rib6.20151101.0600", "routeviews-rib6.20151101.0600.first-6870-prefixes.bz2"),
];

/// The stream of a file, which is decompressed according to its extension.
///
/// # Errors
///
/// The file is missing, or has no UPDATE.
pub fn recorded(name: &str, path: &Path) -> Result<Stream, String> {
    let compressed = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut file = Vec::new();
    // The decompression of a truncated file fails after the last complete octets, which is expected.
    let _truncated = match path.extension().and_then(|ending| ending.to_str()) {
        Some("bz2") => bzip2::read::MultiBzDecoder::new(&*compressed).read_to_end(&mut file),
        Some("gz") => flate2::read::MultiGzDecoder::new(&*compressed).read_to_end(&mut file),
        _ => (&*compressed).read_to_end(&mut file),
    };

    let stream = if contents(&file).any(|content| matches!(content, RecordContent::Rib(_))) {
        Stream::new(name, true).with_messages(table_messages(&file))
    } else {
        from_messages(name, &file)
    };
    if stream.is_empty() { Err("it has no UPDATE".to_owned()) } else { Ok(stream) }
}

/// The contents of the valid records of a file.
fn contents(file: &[u8]) -> impl Iterator<Item = RecordContent<'_>> {
    Records::new(file).filter_map(|record| record.content().ok())
}

/// The received UPDATEs of all sessions with the same width of AS numbers as the first one.
fn from_messages(name: &str, file: &[u8]) -> Stream {
    let mut updates = Vec::new();
    for content in contents(file) {
        let RecordContent::Message(message) = content else { continue };
        if message.octets.get(18) == Some(&2) && !message.sent {
            updates.push(message);
        }
    }

    let wide = updates.first().is_some_and(|message| message.four_octet_as);
    updates.retain(|message| message.four_octet_as == wide && !message.add_path);
    Stream::new(name, wide).with_messages(updates.iter().map(|message| message.octets))
}

/// The routes grouped by peer and attributes, in order of first occurrence.
#[derive(Default)]
struct Groups {
    numbers: HashMap<(u16, Vec<u8>), usize>,
    groups: Vec<(Vec<u8>, Vec<IpNet>)>,
}

impl Groups {
    fn add(&mut self, prefix: IpNet, entry: RibEntry<'_>) {
        let attributes = abbreviated(entry.attribute_octets);
        let number = self.numbers.entry((entry.peer, attributes)).or_insert(self.groups.len());
        if *number == self.groups.len() {
            self.groups.push((abbreviated(entry.attribute_octets), Vec::new()));
        }
        self.groups[*number].1.push(prefix);
    }
}

/// The attributes with MP_REACH_NLRI in the short format of RFC 6396, next hop and its length, even if the collector
/// recorded the complete attribute.
fn abbreviated(attributes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(attributes.len());
    for (header, value) in split(attributes) {
        match (header[1], value) {
            (14, [0, _, _, length, rest @ ..]) => {
                out.extend_from_slice(&[header[0] & !0x10, 14, length + 1, *length]);
                out.extend_from_slice(&rest[..usize::from(*length)]);
            }
            _ => {
                out.extend_from_slice(header);
                out.extend_from_slice(value);
            }
        }
    }
    out
}

/// An iterator over headers and values of attributes. It ends at an incomplete one.
fn split(mut rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (at, length) = match rest {
            [flags, _, high, low, ..] if flags & 0x10 != 0 => {
                (4, usize::from(u16::from_be_bytes([*high, *low])))
            }
            [_, _, length, ..] => (3, usize::from(*length)),
            _ => return None,
        };
        let (whole, others) = rest.split_at_checked(at + length)?;
        rest = others;
        Some(whole.split_at(at))
    })
}

fn table_messages(file: &[u8]) -> Vec<Vec<u8>> {
    let mut groups = Groups::default();
    for content in contents(file) {
        if let RecordContent::Rib(rib) = content {
            let Some(prefix) = rib.prefix() else { continue };
            for entry in rib.entries() {
                groups.add(prefix, entry);
            }
        }
    }

    let mut messages = Vec::new();
    for (attributes, prefixes) in groups.groups {
        let space = 4_096 - 19 - 4 - 32 - attributes.len();
        let mut rest = &*prefixes;
        while !rest.is_empty() {
            let mut left = space;
            let fitting = rest.iter().take_while(|prefix| {
                let octets = 1 + usize::from(prefix.prefix_len().div_ceil(8));
                left = left.saturating_sub(octets);
                left > 0
            });
            let (prefixes, others) = rest.split_at(fitting.count().max(1));
            messages.push(message(&attributes, prefixes));
            rest = others;
        }
    }
    messages
}

/// An UPDATE. IPv6 prefixes go into the MP_REACH_NLRI, which only has the next hop in the dump.
fn message(attributes: &[u8], prefixes: &[IpNet]) -> Vec<u8> {
    let mut out = Vec::new();
    let start = append::header(&mut out);
    out.extend([0; 4]);

    let is_v6 = matches!(prefixes.first(), Some(IpNet::V6(_)));
    for (header, value) in split(attributes) {
        match (header[1], value, is_v6) {
            (14, [_, next_hop @ ..], true) => append::mp_reach(&mut out, next_hop, prefixes),
            (14, ..) => {}
            _ => {
                out.extend_from_slice(header);
                out.extend_from_slice(value);
            }
        }
    }
    append::patch(&mut out, start + 21, start + 23);

    if !is_v6 {
        append::prefixes(&mut out, prefixes);
    }
    append::patch_message(&mut out, start);
    out
}
