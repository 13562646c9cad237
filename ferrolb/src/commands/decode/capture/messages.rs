//! The messages in one direction of a connection. After a gap, they continue at the next header of a message.

use bgp_session::wire::{Frame, HEADER_LENGTH, MessageLimit};

use super::reassembly::{StreamGap, StreamPart};

/// What a stream consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamItem<'a> {
    /// One message, or a header with an error.
    Message(&'a [u8]),
    /// The beginning of a message, the rest of which is missing.
    Fragment(&'a [u8]),
    /// Octets that the capture does not have.
    Gap(StreamGap),
    /// Octets before a message that are no message, or the end of one.
    Skipped(u64),
}

/// The octets that are not yet a message.
#[derive(Clone, Debug)]
pub(super) struct MessageStream {
    octets: Vec<u8>,
    /// The number of octets that were skipped in search of a message; `None` if the octets are the start of one.
    skipped: Option<u64>,
}

impl MessageStream {
    /// Creates a stream. If it does not begin with the connection, the first message is searched.
    pub(super) fn new(is_from_the_start: bool) -> Self {
        Self { octets: Vec::new(), skipped: (!is_from_the_start).then_some(0) }
    }

    /// Returns the number of octets that are not yet a message.
    pub(super) fn len(&self) -> usize {
        self.octets.len()
    }

    /// Takes a part of the stream, and passes on what it completes.
    pub(super) fn push(&mut self, part: StreamPart<'_>, each: &mut impl FnMut(StreamItem<'_>)) {
        match part {
            StreamPart::Octets(octets) => {
                self.octets.extend_from_slice(octets);
                self.split(each);
            }
            StreamPart::Gap(gap) => {
                self.finish(each);
                each(StreamItem::Gap(gap));
            }
        }
    }

    /// Passes on the beginning of a message, because its rest does not follow. Octets that follow are searched for the next.
    pub(super) fn finish(&mut self, each: &mut impl FnMut(StreamItem<'_>)) {
        if let Some(before) = self.skipped.replace(0) {
            let all = before + self.octets.len() as u64;
            if all > 0 {
                each(StreamItem::Skipped(all));
            }
        } else if !self.octets.is_empty() {
            each(StreamItem::Fragment(&self.octets));
        }
        self.octets.clear();
    }

    fn split(&mut self, each: &mut impl FnMut(StreamItem<'_>)) {
        let mut at = 0;
        loop {
            let rest = self.octets.get(at..).unwrap_or_default();
            if let Some(skipped) = &mut self.skipped {
                let (before, is_found) = search(rest);
                *skipped += before as u64;
                at += before;
                if !is_found {
                    break;
                }
                if *skipped > 0 {
                    each(StreamItem::Skipped(*skipped));
                }
                self.skipped = None;
                continue;
            }

            match Frame::split(rest, MessageLimit::Extended) {
                Ok(Some(frame)) => {
                    each(StreamItem::Message(frame.as_bytes()));
                    at += frame.as_bytes().len();
                }
                Ok(None) => break,
                Err(_) => {
                    each(StreamItem::Message(rest.get(..HEADER_LENGTH).unwrap_or(rest)));
                    // The next header may begin within this one.
                    at += 1;
                    self.skipped = Some(1);
                }
            }
        }
        self.octets.drain(..at);
    }
}

/// Returns the number of octets before the next header of a message, and true if the header is complete. Without one,
/// this is the number of octets that cannot belong to a header.
fn search(octets: &[u8]) -> (usize, bool) {
    for (at, header) in octets.windows(HEADER_LENGTH).enumerate() {
        // The octet before a marker may have all its bits set, too. A length that begins so is hardly one.
        let is_within_ones = header.get(16) == Some(&0xff);
        if !is_within_ones && Frame::split(header, MessageLimit::Extended).is_ok() {
            return (at, true);
        }
    }
    (octets.len().saturating_sub(HEADER_LENGTH - 1), false)
}
