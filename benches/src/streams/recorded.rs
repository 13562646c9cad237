//! Streams made of what collectors recorded.
//!
//! Of a recording of messages the UPDATEs are taken as they are. A table dump has routes and no messages: the routes of
//! each peer are put into as few UPDATEs as a router would need, with the attributes as recorded.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use bgp_core::mrt::{RecordContent, Records, RibEntry};
use ipnet::IpNet;

use crate::append;

use super::Stream;

/// Names and files.
pub(super) const FILES: [(&str, &str); 6] = [
    ("ris-updates.20190101.0000", "ris-updates.20190101.0000.gz"),
    ("ris-updates.20160811.1600", "ris-updates.20160811.1600.gz"),
    ("routeviews-jinx-updates.20150401.0000", "routeviews-jinx-updates.20150401.0000.bz2"),
    ("ris-rrc06-updates.20150401.0000", "ris-rrc06-updates.20150401.0000.gz"),
    ("routeviews-rib.20140523.0600", "routeviews-rib.20140523.0600.first-9072-prefixes.bz2"),
    ("routeviews-rib6.20151101.0600", "routeviews-rib6.20151101.0600.first-6870-prefixes.bz2"),
];

/// The stream of a file, gzip and bzip2 by its ending.
///
/// # Errors
///
/// What a reader should know: the file is not there, or holds no route.
pub fn recorded(name: &str, path: &Path) -> Result<Stream, String> {
    let compressed = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut file = Vec::new();
    // A file that was cut ends in an error after all that is there.
    let _cut = match path.extension().and_then(|ending| ending.to_str()) {
        Some("bz2") => bzip2::read::MultiBzDecoder::new(&*compressed).read_to_end(&mut file),
        Some("gz") => flate2::read::MultiGzDecoder::new(&*compressed).read_to_end(&mut file),
        _ => (&*compressed).read_to_end(&mut file),
    };
    let stream = if contents(&file).any(|content| matches!(content, RecordContent::Rib(_))) {
        Stream::new(name, true).with_messages(table_messages(&file))
    } else {
        from_messages(name, &file)
    };
    if stream.is_empty() { Err("there is no UPDATE in it".to_owned()) } else { Ok(stream) }
}

/// What the records of a file hold, but those that are not in order.
fn contents(file: &[u8]) -> impl Iterator<Item = RecordContent<'_>> {
    Records::new(file).filter_map(|record| record.content().ok())
}

/// The received UPDATEs of sessions with AS numbers as wide as in the first of them.
fn from_messages(name: &str, file: &[u8]) -> Stream {
    let updates = || {
        contents(file).filter_map(|content| match content {
            RecordContent::Message(message)
                if message.octets.get(18) == Some(&2) && !message.sent =>
            {
                Some(message)
            }
            _ => None,
        })
    };
    let wide = updates().next().is_some_and(|message| message.four_octet_as);
    let alike = updates().filter(|message| message.four_octet_as == wide && !message.add_path);
    Stream::new(name, wide).with_messages(alike.map(|message| message.octets))
}

/// The routes of each peer with equal attributes, in the order in which they first occur.
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

/// The attributes with the short form of MP_REACH_NLRI that RFC 6396 asks for, next hop and its length, also where a
/// collector recorded the whole one.
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

/// Headers and values of attributes; it ends at one that is not whole.
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
            rib.entries().for_each(|entry| groups.add(prefix, entry));
        }
    }
    let mut messages = Vec::new();
    for (attributes, prefixes) in groups.groups {
        let octets = |prefix: &IpNet| 1 + usize::from(prefix.prefix_len().div_ceil(8));
        let room = 4_096 - 19 - 4 - 32 - attributes.len();
        let mut rest = &*prefixes;
        while !rest.is_empty() {
            let mut left = room;
            let fit = rest.iter().take_while(|prefix| {
                left = left.saturating_sub(octets(prefix));
                left > 0
            });
            let (these, others) = rest.split_at(fit.count().max(1));
            messages.push(message(&attributes, these));
            rest = others;
        }
    }
    messages
}

/// One UPDATE. IPv6 prefixes go into the MP_REACH_NLRI, of which the dump has only the next hop.
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
