//! The TCP connections of a capture, with what is known of their sessions.
//!
//! Owns the bounds of memory: see [`Limits`].

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use bgp_session::wire::WireContext;

use super::file::PacketTime;
use super::messages::{MessageStream, StreamItem};
use super::packet::TcpSegment;
use super::reassembly::{Reassembly, StreamPart};
use super::session::CapturedSession;
use crate::commands::decode::context::Context;

/// The bounds of memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most octets of one direction that wait for a missing segment.
    pub(super) waiting: usize,
    /// The most connections. The one without packets for the longest time is given up first.
    pub(super) connections: usize,
    /// The most octets of all connections that are not yet messages.
    pub(super) octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { waiting: 1 << 20, connections: 1 << 14, octets: 256 << 20 }
    }
}

/// The number and the time of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct PacketPlace {
    pub(super) number: u64,
    pub(super) time: Option<PacketTime>,
}

/// What was found in a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundItem<'a> {
    /// The packet that completed it.
    pub(super) place: PacketPlace,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) item: StreamItem<'a>,
    /// The context for decoding a message.
    pub(super) context: WireContext,
}

/// The connections that have packets.
pub(super) struct ConnectionTable {
    limits: Limits,
    default: Context,
    connections: BTreeMap<ConnectionKey, TcpConnection>,
    /// The connections by their last packets.
    by_last_packet: BTreeMap<u64, ConnectionKey>,
    /// The number of octets that are not yet messages.
    octets: usize,
    /// The number of connections that were given up.
    pub(super) given_up: u64,
}

/// The two ends of a connection, the lower one first.
type ConnectionKey = (SocketAddr, SocketAddr);

impl ConnectionTable {
    /// Creates an empty table. `default` is the context of sessions without OPENs.
    pub(super) fn new(limits: Limits, default: Context) -> Self {
        Self {
            limits,
            default,
            connections: BTreeMap::new(),
            by_last_packet: BTreeMap::new(),
            octets: 0,
            given_up: 0,
        }
    }

    /// Takes a segment, and passes on what it completes.
    ///
    /// # Errors
    ///
    /// The errors of `each`.
    pub(super) fn segment(
        &mut self,
        place: PacketPlace,
        segment: &TcpSegment<'_>,
        each: &mut impl FnMut(FoundItem<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let from_low = segment.from <= segment.to;
        let ends = (segment.from, segment.to);
        let key = if from_low { ends } else { (ends.1, ends.0) };

        let connection = self
            .connections
            .entry(key)
            .or_insert_with(|| TcpConnection::new(key, place, &self.default));
        self.by_last_packet.remove(&connection.place.number);
        self.by_last_packet.insert(place.number, key);
        connection.place = place;

        let before = connection.octets();
        connection.segment(segment, from_low, self.limits.waiting, each)?;
        self.octets = self.octets - before + connection.octets();

        while self.connections.len() > self.limits.connections || self.octets > self.limits.octets {
            let Some((_, oldest)) = self.by_last_packet.pop_first() else { break };
            self.given_up += 1;
            self.remove(oldest, each)?;
        }
        Ok(())
    }

    /// Passes on what remains at the end of the capture.
    ///
    /// # Errors
    ///
    /// The errors of `each`.
    pub(super) fn finish(
        mut self,
        each: &mut impl FnMut(FoundItem<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some((_, key)) = self.by_last_packet.pop_first() {
            self.remove(key, each)?;
        }
        Ok(())
    }

    fn remove(
        &mut self,
        key: ConnectionKey,
        each: &mut impl FnMut(FoundItem<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(mut connection) = self.connections.remove(&key) else { return Ok(()) };
        self.octets -= connection.octets();
        connection.finish(each)
    }
}

/// A connection.
struct TcpConnection {
    /// The last packet.
    place: PacketPlace,
    session: CapturedSession,
    low: StreamDirection,
    high: StreamDirection,
}

/// One direction of a connection.
struct StreamDirection {
    from: SocketAddr,
    to: SocketAddr,
    from_low: bool,
    reassembly: Reassembly,
    messages: MessageStream,
}

/// What happens to a direction.
#[derive(Clone, Copy)]
enum DirectionEvent<'a> {
    /// Octets arrive together with the SYN.
    WithSyn(&'a [u8]),
    /// A segment arrives; at most `most` octets wait for a missing one.
    Segment { sequence: u32, octets: &'a [u8], most: usize },
    /// There was another packet.
    Tick,
    /// Nothing follows.
    End,
}

impl TcpConnection {
    fn new((low, high): ConnectionKey, place: PacketPlace, default: &Context) -> Self {
        Self {
            place,
            session: CapturedSession::new(default.clone()),
            low: StreamDirection::new(low, high, true),
            high: StreamDirection::new(high, low, false),
        }
    }

    /// Returns the number of octets that are not yet messages.
    fn octets(&self) -> usize {
        self.low.octets() + self.high.octets()
    }

    fn segment(
        &mut self,
        segment: &TcpSegment<'_>,
        from_low: bool,
        most: usize,
        each: &mut impl FnMut(FoundItem<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        if segment.syn {
            self.start(segment, from_low, each)?;
        }

        let Self { place, session, low, high } = self;
        let (sender, receiver) = if from_low { (low, high) } else { (high, low) };
        // A SYN has a number of its own.
        let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
        let octets = segment.octets;
        let event = if segment.syn {
            DirectionEvent::WithSyn(octets)
        } else {
            DirectionEvent::Segment { sequence, octets, most }
        };
        sender.perform(event, *place, session, each)?;

        if let Some(acknowledgment) = segment.acknowledgment.filter(|_| !segment.rst) {
            receiver.reassembly.acknowledge(acknowledgment);
        }
        if segment.fin && !segment.is_cut && !segment.is_fragment {
            let length = u32::try_from(segment.octets.len()).unwrap_or(u32::MAX);
            sender.reassembly.end_at(sequence.wrapping_add(length));
        }

        let event = if segment.rst { DirectionEvent::End } else { DirectionEvent::Tick };
        sender.perform(event, *place, session, each)?;
        receiver.perform(event, *place, session, each)
    }

    /// Takes a SYN. If it is not a retransmission, the connection starts again.
    fn start(
        &mut self,
        segment: &TcpSegment<'_>,
        from_low: bool,
        each: &mut impl FnMut(FoundItem<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let sender = if from_low { &self.low } else { &self.high };
        if sender.reassembly.initial() == Some(segment.sequence) {
            return Ok(());
        }

        // The answer of the other end belongs to the connection that its SYN started.
        let is_first = segment.acknowledgment.is_none();
        if is_first {
            self.finish(each)?;
            self.session.restart();
            self.low.restart(None);
            self.high.restart(None);
        }
        let sender = if from_low { &mut self.low } else { &mut self.high };
        if !is_first {
            sender.perform(DirectionEvent::End, self.place, &mut self.session, each)?;
        }
        sender.restart(Some(segment.sequence));
        Ok(())
    }

    fn finish(&mut self, each: &mut impl FnMut(FoundItem<'_>) -> io::Result<()>) -> io::Result<()> {
        let Self { place, session, low, high } = self;
        low.perform(DirectionEvent::End, *place, session, each)?;
        high.perform(DirectionEvent::End, *place, session, each)
    }
}

impl StreamDirection {
    fn new(from: SocketAddr, to: SocketAddr, from_low: bool) -> Self {
        let (reassembly, messages) = (Reassembly::default(), MessageStream::new(false));
        Self { from, to, from_low, reassembly, messages }
    }

    /// Starts again, after a SYN or in the middle of a connection.
    fn restart(&mut self, syn: Option<u32>) {
        self.reassembly = syn.map(Reassembly::after_syn).unwrap_or_default();
        self.messages = MessageStream::new(syn.is_some());
    }

    fn octets(&self) -> usize {
        self.reassembly.waiting_size() + self.messages.len()
    }

    fn perform(
        &mut self,
        event: DirectionEvent<'_>,
        place: PacketPlace,
        session: &mut CapturedSession,
        each: &mut impl FnMut(FoundItem<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Self { from, to, from_low, reassembly, messages } = self;
        let mut result = Ok(());
        let mut pass_on = |item: StreamItem<'_>| {
            let context = match item {
                StreamItem::Message(octets) => session.context(*from_low, octets),
                _ => WireContext::default(),
            };
            if result.is_ok() {
                result = each(FoundItem { place, from: *from, to: *to, item, context });
            }
        };

        let mut push = |part: StreamPart<'_>| messages.push(part, &mut pass_on);
        match event {
            DirectionEvent::WithSyn(octets) => reassembly.push_with_syn(octets, &mut push),
            DirectionEvent::Segment { sequence, octets, most } => {
                reassembly.push(sequence, octets, most, &mut push);
            }
            DirectionEvent::Tick => reassembly.tick(&mut push),
            DirectionEvent::End => reassembly.finish(&mut push),
        }

        let is_over = matches!(event, DirectionEvent::End) || reassembly.has_ended();
        if is_over {
            messages.finish(&mut pass_on);
        }
        result
    }
}
