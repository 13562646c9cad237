//! One direction of a TCP connection: segments in any order become the octets of the stream, or gaps in it.
//!
//! Owns the order of the octets. It knows nothing of messages.

use std::collections::BTreeMap;

/// The number of packets of the connection after which a hole counts as a gap, if the receiver has acknowledged the octets
/// behind it. Until then, the missing packet may still come: some captures have packets in another order than the cable.
const PATIENCE: u32 = 32;

/// A segment that is this far behind belongs to another connection: no window is that large in practice.
const FARTHEST_BEHIND: i64 = 16 << 20;

/// The memory of a waiting segment in addition to its octets.
const OVERHEAD: usize = 64;

/// The next part of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamPart<'a> {
    /// Octets that follow those before.
    Octets(&'a [u8]),
    /// Octets that the capture does not have.
    Gap(StreamGap),
}

/// Missing octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands::decode) struct StreamGap {
    /// The number of missing octets; `None` if the stream starts again at another sequence number.
    pub(in crate::commands::decode) octets: Option<u64>,
    /// True if the octets may come later in the capture, but too much waits for them.
    pub(in crate::commands::decode) is_early: bool,
}

/// The octets of one direction. Positions count octets from the first, with those of gaps.
#[derive(Clone, Debug, Default)]
pub(super) struct Reassembly {
    /// The sequence number of the SYN, if the capture has it.
    initial: Option<u32>,
    /// The sequence number of position 0.
    first: Option<u32>,
    /// The position of the next octet.
    next: i64,
    /// The position after the octets that came with the SYN.
    after_syn: i64,
    /// The segments behind a hole, by their positions. They may overlap.
    waiting: BTreeMap<i64, Vec<u8>>,
    /// The memory of these segments.
    waiting_size: usize,
    /// The position that the receiver expects next.
    acknowledged: i64,
    /// The position after the last octet, once the sender has ended the stream.
    end: Option<i64>,
    /// The number of packets since the receiver acknowledged octets behind a hole.
    packets_since: u32,
}

impl Reassembly {
    /// Creates a direction that starts after a SYN.
    pub(super) fn after_syn(sequence: u32) -> Self {
        let first = Some(sequence.wrapping_add(1));
        Self { initial: Some(sequence), first, ..Self::default() }
    }

    /// Returns the sequence number of the SYN.
    pub(super) fn initial(&self) -> Option<u32> {
        self.initial
    }

    /// Returns true if all octets up to the end of the stream are known.
    pub(super) fn has_ended(&self) -> bool {
        self.end == Some(self.next)
    }

    /// Returns the memory of the segments that wait.
    pub(super) fn waiting_size(&self) -> usize {
        self.waiting_size
    }

    /// Returns the distance of a sequence number from the next octet. The first segment without a SYN is the start.
    fn distance(&mut self, sequence: u32) -> i64 {
        let first = *self.first.get_or_insert(sequence);
        let next = first.wrapping_add(low_bits(self.next));
        i64::from(sequence.wrapping_sub(next).cast_signed())
    }

    /// Takes a segment, and passes on what follows from it. At most `most` octets wait for a missing segment.
    pub(super) fn push(
        &mut self,
        sequence: u32,
        octets: &[u8],
        most: usize,
        each: &mut impl FnMut(StreamPart<'_>),
    ) {
        if octets.is_empty() {
            return;
        }
        let mut distance = self.distance(sequence);
        if distance < -FARTHEST_BEHIND {
            self.finish(each);
            *self = Self::default();
            each(StreamPart::Gap(StreamGap { octets: None, is_early: false }));
            distance = self.distance(sequence);
        }

        // A SYN has a number of its own. Programs that write captures without a network may forget that.
        if distance == -1 && self.after_syn > 0 && self.next == self.after_syn {
            self.first = self.first.map(|first| first.wrapping_sub(1));
            distance = 0;
        }

        // What came before is a retransmission.
        let known = usize::try_from(-distance).unwrap_or(0);
        let Some(octets) = octets.get(known..).filter(|octets| !octets.is_empty()) else { return };
        if distance <= 0 {
            self.deliver(octets, each);
            self.deliver_waiting(each);
            return;
        }

        self.wait(self.next + distance, octets);
        while self.waiting_size > most {
            self.skip_hole(true, each);
        }
    }

    fn wait(&mut self, position: i64, octets: &[u8]) {
        let known = self.waiting.get(&position).map_or(0, Vec::len);
        if octets.len() <= known {
            return;
        }
        let replaced = self.waiting.insert(position, octets.to_vec());
        self.waiting_size += octets.len();
        self.waiting_size -= replaced.map_or(0, |replaced| replaced.len());
        if known == 0 {
            self.waiting_size += OVERHEAD;
        }
    }

    fn deliver(&mut self, octets: &[u8], each: &mut impl FnMut(StreamPart<'_>)) {
        each(StreamPart::Octets(octets));
        self.next += length(octets);
    }

    /// Takes the octets that came with the SYN.
    pub(super) fn push_with_syn(&mut self, octets: &[u8], each: &mut impl FnMut(StreamPart<'_>)) {
        if self.next == 0 && !octets.is_empty() {
            self.deliver(octets, each);
            self.after_syn = self.next;
        }
    }

    /// Delivers the segments that have no hole before them.
    fn deliver_waiting(&mut self, each: &mut impl FnMut(StreamPart<'_>)) {
        while let Some(entry) = self.waiting.first_entry().filter(|it| *it.key() <= self.next) {
            let (position, octets) = entry.remove_entry();
            self.waiting_size -= octets.len() + OVERHEAD;
            let known = usize::try_from(self.next - position).unwrap_or(usize::MAX);
            if let Some(octets) = octets.get(known..).filter(|octets| !octets.is_empty()) {
                self.deliver(octets, each);
            }
        }
    }

    /// Continues behind the first hole.
    fn skip_hole(&mut self, is_early: bool, each: &mut impl FnMut(StreamPart<'_>)) {
        let Some((&position, _)) = self.waiting.first_key_value() else { return };
        let octets = u64::try_from(position - self.next).ok();
        each(StreamPart::Gap(StreamGap { octets, is_early }));
        self.next = position;
        self.packets_since = 0;
        self.deliver_waiting(each);
    }

    /// Takes the number of the next octet that the receiver expects.
    pub(super) fn acknowledge(&mut self, sequence: u32) {
        if self.first.is_some() {
            let position = self.next + self.distance(sequence);
            self.acknowledged = self.acknowledged.max(position);
        }
    }

    /// Takes the end of the stream: the sequence number after the last octet.
    pub(super) fn end_at(&mut self, sequence: u32) {
        let position = self.next + self.distance(sequence);
        self.end = self.end.or(Some(position));
    }

    /// Counts a packet of the connection, in either direction.
    pub(super) fn tick(&mut self, each: &mut impl FnMut(StreamPart<'_>)) {
        let is_hole_acknowledged = !self.waiting.is_empty() && self.acknowledged > self.next;
        if !is_hole_acknowledged {
            self.packets_since = 0;
            return;
        }
        self.packets_since += 1;
        if self.packets_since > PATIENCE {
            self.skip_hole(false, each);
        }
    }

    /// Passes on everything that waits, because nothing comes after it. Octets at the end that the receiver has acknowledged
    /// are a gap, too.
    pub(super) fn finish(&mut self, each: &mut impl FnMut(StreamPart<'_>)) {
        while !self.waiting.is_empty() {
            self.skip_hole(false, each);
        }

        let end = self.end.map_or(self.acknowledged, |end| end.min(self.acknowledged));
        let missing = u64::try_from(end - self.next).unwrap_or(0);
        // A FIN has a number, too. It may be missing.
        if missing > u64::from(self.end.is_none()) {
            each(StreamPart::Gap(StreamGap { octets: Some(missing), is_early: false }));
            self.next = end;
        }
    }
}

/// Returns the lower 32 bits of a position, for arithmetic with sequence numbers.
fn low_bits(position: i64) -> u32 {
    let [.., a, b, c, d] = position.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn length(octets: &[u8]) -> i64 {
    i64::try_from(octets.len()).unwrap_or(i64::MAX)
}
