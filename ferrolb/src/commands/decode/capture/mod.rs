//! The messages in captures of TCP connections: pcap and pcapng files, plain or compressed.
//!
//! ```text
//! file ─► packet ─► connection: reassembly ─► messages ─► session, which knows the context
//! ```
//!
//! Owns the way from packets to messages with their contexts. It reads a file of any size in bounded memory, and reports what a
//! capture lacks: as a gap in its place, or as a number in [`SkippedPackets`].

mod connection;
mod file;
mod messages;
mod packet;
mod reassembly;
mod report;
mod session;

#[cfg(test)]
mod tests;

use std::io::{self, Read};

use bgp_session::wire::WireContext;

use super::context::Context;
use super::location::Location;
use connection::{ConnectionTable, FoundItem, Limits, PacketPlace};
use messages::StreamItem;
use packet::PacketContent;

pub(super) use report::CaptureProblem;
pub use report::SkippedPackets;

/// What a capture consists of.
#[derive(Clone, Copy, Debug)]
pub(super) enum CaptureItem<'a> {
    /// A message, and the context for decoding it.
    Message(&'a [u8], WireContext),
    /// The beginning of a message, the rest of which is missing.
    Fragment(&'a [u8]),
    /// Octets that are missing, or are no message.
    Problem(CaptureProblem),
}

/// Calls `each` with every message, and every gap between messages, of connections with one of these ports. `default` is
/// the context of sessions whose OPENs are missing.
///
/// # Errors
///
/// The errors of `each` and of reading, and [`io::ErrorKind::InvalidData`] for octets that are no capture.
pub(super) fn read(
    input: impl Read,
    ports: &[u16],
    default: &Context,
    each: impl FnMut(CaptureItem<'_>, Location) -> io::Result<()>,
) -> io::Result<SkippedPackets> {
    read_within(Limits::default(), input, ports, default, each)
}

/// [`read`] with other limits.
fn read_within(
    limits: Limits,
    input: impl Read,
    ports: &[u16],
    default: &Context,
    mut each: impl FnMut(CaptureItem<'_>, Location) -> io::Result<()>,
) -> io::Result<SkippedPackets> {
    let mut skipped = SkippedPackets::default();
    let mut table = ConnectionTable::new(limits, default.clone());
    let mut found = |found: FoundItem<'_>| {
        let location = Location::Packet {
            number: found.place.number,
            time: found.place.time.map(|time| (time.seconds, time.microseconds)),
            from: found.from,
            to: found.to,
        };
        let item = match found.item {
            StreamItem::Message(octets) => CaptureItem::Message(octets, found.context),
            StreamItem::Fragment(octets) => CaptureItem::Fragment(octets),
            StreamItem::Gap(gap) => CaptureItem::Problem(CaptureProblem::Gap(gap)),
            StreamItem::Skipped(octets) => CaptureItem::Problem(CaptureProblem::Skipped(octets)),
        };
        each(item, location)
    };

    file::read(input, &mut skipped, |packet, skipped| {
        skipped.packets += 1;
        let segment = match packet::content(packet.link_type, packet.octets) {
            PacketContent::Segment(segment) => segment,
            PacketContent::Fragment => {
                skipped.fragments += 1;
                return Ok(());
            }
            PacketContent::Headless => {
                skipped.shortened += 1;
                return Ok(());
            }
            PacketContent::Other => return Ok(()),
            PacketContent::UnknownLink => {
                skipped.unknown_links += 1;
                skipped.unknown_link = packet.link_type;
                return Ok(());
            }
        };
        if !ports.contains(&segment.from.port()) && !ports.contains(&segment.to.port()) {
            return Ok(());
        }

        skipped.segments += 1;
        skipped.fragments += u64::from(segment.is_fragment);
        skipped.shortened += u64::from(segment.is_cut);
        let place = PacketPlace { number: packet.number, time: packet.time };
        table.segment(place, &segment, &mut found)
    })?;

    skipped.given_up = table.given_up;
    table.finish(&mut found)?;
    Ok(skipped)
}
