//! UPDATEs encoded by hand: values are appended to a `Vec`, and lengths patched. Nothing is checked.
//!
//! This is the reference for encoders, and writes the generated streams.

use bgp_core::wire::{NextHop, PathAttributes, SegmentType};
use ipnet::IpNet;

/// Appends an UPDATE for an external session with four-octet AS numbers. The prefixes are IPv6 if the next hop is IPv6,
/// otherwise IPv4.
#[inline]
pub fn update(out: &mut Vec<u8>, attributes: &PathAttributes, nlri: &[IpNet]) {
    let start = header(out);
    out.extend_from_slice(&[0, 0, 0, 0]);
    if let Some(NextHop::V6 { global, .. }) = &attributes.next_hop {
        mp_reach(out, &global.octets(), nlri);
    }

    path_attributes(out, attributes);
    patch(out, start + 21, start + 23);

    if let Some(NextHop::V4(_)) = &attributes.next_hop {
        prefixes(out, nlri);
    }

    patch_message(out, start);
}

/// Appends the header of an UPDATE, and returns its offset.
#[inline]
pub fn header(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    let ff = 0xff;
    out.extend_from_slice(&[
        ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, ff, 0, 0, 2,
    ]);
    start
}

/// Writes the number of octets from `from` to the end at offset `at`.
#[inline]
pub fn patch(out: &mut [u8], at: usize, from: usize) {
    let length = u16::try_from(out.len() - from).unwrap_or(u16::MAX);
    out[at..at + 2].copy_from_slice(&length.to_be_bytes());
}

/// Writes the length of the message that starts at `start`.
#[inline]
pub fn patch_message(out: &mut [u8], start: usize) {
    patch(out, start + 16, start);
}

/// Appends prefixes. For each it writes all octets of the address, and then truncates those that do not count.
#[inline]
pub fn prefixes(out: &mut Vec<u8>, prefixes: &[IpNet]) {
    for prefix in prefixes {
        let end = out.len() + 1 + usize::from(prefix.prefix_len().div_ceil(8));
        match prefix {
            IpNet::V4(prefix) => {
                let [a, b, c, d] = prefix.addr().octets();
                out.extend_from_slice(&[prefix.prefix_len(), a, b, c, d]);
            }
            IpNet::V6(prefix) => {
                out.push(prefix.prefix_len());
                out.extend_from_slice(&prefix.addr().octets());
            }
        }
        out.truncate(end);
    }
}

/// Appends an MP_REACH_NLRI of IPv6 unicast, always with a length of two octets.
pub fn mp_reach(out: &mut Vec<u8>, next_hop: &[u8], nlri: &[IpNet]) {
    let at = out.len();
    let length = u8::try_from(next_hop.len()).unwrap_or(u8::MAX);
    out.extend_from_slice(&[0x90, 14, 0, 0, 0, 2, 1, length]);
    out.extend_from_slice(next_hop);
    out.push(0);
    prefixes(out, nlri);
    patch(out, at + 2, at + 4);
}

#[inline]
fn path_attributes(out: &mut Vec<u8>, attributes: &PathAttributes) {
    out.extend_from_slice(&[0x40, 1, 1, attributes.origin as u8]);

    let at = out.len();
    out.extend_from_slice(&[0x40, 2, 0]);
    for segment in &attributes.as_path.segments {
        let kind = if segment.kind == SegmentType::Set { 1 } else { 2 };
        out.extend_from_slice(&[kind, low_octet(segment.asns.len())]);
        segment.asns.iter().for_each(|asn| out.extend_from_slice(&asn.0.to_be_bytes()));
    }
    close(out, at);

    if let Some(NextHop::V4(address)) = &attributes.next_hop {
        let [a, b, c, d] = address.octets();
        out.extend_from_slice(&[0x40, 3, 4, a, b, c, d]);
    }

    if let Some(med) = attributes.med {
        out.extend_from_slice(&[0x80, 4, 4]);
        out.extend_from_slice(&med.to_be_bytes());
    }

    if !attributes.communities.is_empty() {
        let at = out.len();
        out.extend_from_slice(&[0xc0, 8, 0]);
        let communities = attributes.communities.iter();
        communities.for_each(|community| out.extend_from_slice(&community.0.to_be_bytes()));
        close(out, at);
    }

    if !attributes.large_communities.is_empty() {
        let at = out.len();
        out.extend_from_slice(&[0xc0, 32, 0]);
        for community in &attributes.large_communities {
            out.extend_from_slice(&community.global_administrator.to_be_bytes());
            out.extend_from_slice(&community.local_data_1.to_be_bytes());
            out.extend_from_slice(&community.local_data_2.to_be_bytes());
        }
        close(out, at);
    }
}

/// Writes the length of an attribute whose header of three octets is at `at`. The streams have no long attributes.
#[inline]
fn close(out: &mut [u8], at: usize) {
    let length = out.len() - at - 3;
    debug_assert!(length < 256, "an attribute that needs the extended length");
    out[at + 2] = low_octet(length);
}

#[inline]
const fn low_octet(number: usize) -> u8 {
    number.to_le_bytes()[0]
}
