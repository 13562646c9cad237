//! Captures that are built in code: each kind of file and link, and everything that happens to segments.

mod files;
mod packets;
mod property;
mod sessions;
mod streams;
mod transport;

use std::io;

use bgp_session::wire::WireContext;

use super::connection::Limits;
use super::reassembly::StreamGap;
use super::{CaptureItem, CaptureProblem, SkippedPackets, read_within};
use crate::commands::decode::context::Context;
use crate::commands::decode::location::Location;
use packets::{ETHERNET, Packet, pcap};

/// What was found, without what it borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Message(Vec<u8>),
    Fragment(Vec<u8>),
    Problem(CaptureProblem),
}

/// A file that was read.
struct Outcome {
    found: Vec<Found>,
    /// The contexts of the messages.
    contexts: Vec<WireContext>,
    locations: Vec<Location>,
    skipped: SkippedPackets,
}

impl Outcome {
    /// The messages, if there is nothing else.
    fn messages(self) -> Vec<Vec<u8>> {
        let messages = self.found.into_iter().map(|found| match found {
            Found::Message(octets) => octets,
            other => panic!("expected only messages, found {other:?}"),
        });
        messages.collect()
    }
}

fn gap(octets: u64) -> Found {
    Found::Problem(CaptureProblem::Gap(StreamGap { octets: Some(octets), is_early: false }))
}

fn skipped(octets: u64) -> Found {
    Found::Problem(CaptureProblem::Skipped(octets))
}

fn try_read(limits: Limits, file: &[u8]) -> io::Result<Outcome> {
    let (mut found, mut contexts, mut locations) = (Vec::new(), Vec::new(), Vec::new());
    let each = |item: CaptureItem<'_>, location: Location| {
        locations.push(location);
        found.push(match item {
            CaptureItem::Message(octets, context) => {
                contexts.push(context);
                Found::Message(octets.to_vec())
            }
            CaptureItem::Fragment(octets) => Found::Fragment(octets.to_vec()),
            CaptureItem::Problem(problem) => Found::Problem(problem),
        });
        Ok(())
    };
    let skipped = read_within(limits, file, &[179], &Context::default(), each)?;
    Ok(Outcome { found, contexts, locations, skipped })
}

fn read_file(file: &[u8]) -> Outcome {
    try_read(Limits::default(), file).unwrap()
}

fn read_packets(packets: &[Packet]) -> Outcome {
    read_file(&pcap(ETHERNET, packets))
}
