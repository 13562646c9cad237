//! The driver of every test here: two peers, the wires between them, and a virtual clock.
//!
//! The clock jumps to the next event, so the cost of an hour is that of its messages. Delays come from a seed, so the same
//! seed gives the same run. The number of steps of a run is bounded, so an endless loop fails.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::fsm::{StateKind, TransportError};
use crate::peer::{ConnectionRefused, Endpoints, Output, Peer, PeerSettings};
use crate::{Asn, BgpIdentifier, Direction};

/// More steps than any test needs. An endless loop soon exceeds it.
const MAX_STEPS: usize = 200_000;

/// The number of octets in transit on one connection in one direction at which its socket is full.
const WINDOW: usize = 8_192;

pub(super) struct Net {
    pub(super) now: Instant,
    pub(super) nodes: [Node; 2],
    wires: Vec<Wire>,
    seed: u64,
    /// True if packets and attempts to connect are lost without notice.
    pub(super) cut: bool,
    /// The percentage of packets that are lost. They arrive a fifth of a second later, with all packets behind them.
    pub(super) loss: u32,
    /// The longest delay of a packet, in milliseconds.
    pub(super) slowest: u32,
}

pub(super) struct Node {
    pub(super) peer: Peer,
    address: IpAddr,
    pub(super) outgoing: Option<usize>,
    incoming: Option<usize>,
    /// The time at which the current attempt to connect arrives.
    dialling: Option<Instant>,
    /// Everything that the peer has reported, in order.
    pub(super) log: Vec<Output>,
    /// True if it reads no octets from the wire, like a process that has stopped reading.
    pub(super) stalled: bool,
    /// True if it does nothing, like a stopped process or a suspended machine.
    pub(super) frozen: bool,
}

/// One TCP connection. End 0 belongs to the node that dialled.
struct Wire {
    dialler: usize,
    towards: [VecDeque<(Instant, Packet)>; 2],
}

enum Packet {
    Octets(BytesMut),
    Fin,
}

impl Node {
    pub(super) fn new(config: PeerSettings) -> Self {
        Self {
            address: IpAddr::V4(config.fsm.local_identifier.0),
            peer: Peer::new(config),
            outgoing: None,
            incoming: None,
            dialling: None,
            log: Vec::new(),
            stalled: false,
            frozen: false,
        }
    }

    fn reads(&self) -> bool {
        !self.stalled && !self.frozen
    }

    fn wire(&mut self, direction: Direction) -> &mut Option<usize> {
        match direction {
            Direction::Outgoing => &mut self.outgoing,
            Direction::Incoming => &mut self.incoming,
        }
    }
}

impl Net {
    /// Two matching configurations: node 0 is AS 64636 with identifier .1, and node 1 is AS 64635 with .2.
    pub(super) fn configs() -> [PeerSettings; 2] {
        let identifier = |last| BgpIdentifier(Ipv4Addr::new(10, 0, 0, last));
        let mut a = PeerSettings::new(Asn(64636), identifier(1), Asn(64635));
        let mut b = PeerSettings::new(Asn(64635), identifier(2), Asn(64636));
        (a.fsm.jitter_seed, b.fsm.jitter_seed) = (1, 2);
        [a, b]
    }

    pub(super) fn new([a, b]: [PeerSettings; 2], seed: u64) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let now = Instant::now();
        Self {
            now,
            nodes: [Node::new(a), Node::new(b)],
            wires: Vec::new(),
            seed,
            cut: false,
            loss: 0,
            slowest: 16,
        }
    }

    /// Starts both peers.
    pub(super) fn start(&mut self) {
        for i in 0..2 {
            self.mutate(i, |peer, now| peer.start(now));
        }
    }

    /// Starts both peers, waits for their session, and for another second in which all messages are exchanged.
    pub(super) fn bring_up(&mut self) {
        self.start();
        self.run_until_up(Duration::from_secs(5));
        self.run(Duration::from_secs(1));
    }

    /// Makes one mutation, by the rules of the loop.
    pub(super) fn mutate(&mut self, i: usize, change: impl FnOnce(&mut Peer, Instant)) {
        change(&mut self.nodes[i].peer, self.now);
        self.drive(i);
    }

    /// Runs until `duration` has passed.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..MAX_STEPS {
            match self.next_due().filter(|&due| due <= end) {
                Some(due) => {
                    self.now = self.now.max(due);
                    self.step();
                }
                None => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("no end after {MAX_STEPS} steps");
    }

    /// Runs until both peers are Established, and panics after `limit`.
    pub(super) fn run_until_up(&mut self, limit: Duration) {
        let end = self.now + limit;
        while !self.is_up() {
            assert!(self.now < end, "states {:?} after {limit:?}", self.states());
            self.run(Duration::from_millis(10));
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.states() == [StateKind::Established; 2]
    }

    pub(super) fn states(&self) -> [StateKind; 2] {
        [self.nodes[0].peer.state(), self.nodes[1].peer.state()]
    }

    /// The open connections.
    pub(super) fn open_connections(&self, i: usize) -> usize {
        usize::from(self.nodes[i].outgoing.is_some())
            + usize::from(self.nodes[i].incoming.is_some())
    }

    /// Passes octets to node `i` as if its peer had sent them on the current connection.
    pub(super) fn inject(&mut self, i: usize, octets: &[u8]) {
        let node = &mut self.nodes[i];
        let direction =
            if node.outgoing.is_some() { Direction::Outgoing } else { Direction::Incoming };
        node.peer.read_buffer(direction).extend_from_slice(octets);
        self.mutate(i, |peer, now| peer.received(now, direction));
    }

    fn next_due(&self) -> Option<Instant> {
        let awake = self.nodes.iter().filter(|node| !node.frozen);
        let nodes = awake.flat_map(|node| [node.peer.poll_timeout(), node.dialling]).flatten();
        let packets = self.wires.iter().flat_map(|wire| {
            (0..2).filter_map(|end| {
                let owner = if end == 0 { wire.dialler } else { 1 - wire.dialler };
                let waits = !self.nodes[owner].reads() || self.cut;
                wire.towards[end].front().filter(|_| !waits).map(|(at, _)| *at)
            })
        });
        nodes.chain(packets).min()
    }

    fn step(&mut self) {
        for i in 0..2 {
            if self.nodes[i].frozen {
                continue;
            }
            if self.nodes[i].peer.poll_timeout().is_some_and(|at| at <= self.now) {
                self.mutate(i, Peer::handle_timeout);
            }
            if self.nodes[i].dialling.is_some_and(|at| at <= self.now) {
                self.nodes[i].dialling = None;
                self.arrive(i);
            }
        }
        for wire in 0..self.wires.len() {
            for end in 0..2 {
                self.deliver(wire, end);
            }
        }
    }

    /// Delivers the attempt of node `i` to connect to the other node.
    fn arrive(&mut self, i: usize) {
        if self.cut {
            return;
        }
        let other = 1 - i;
        let endpoints = |local: IpAddr, remote: IpAddr| Endpoints {
            local: SocketAddr::new(local, 179),
            remote: SocketAddr::new(remote, 179),
        };
        let (ours, theirs) = (self.nodes[i].address, self.nodes[other].address);
        let Some(wire) = self.accept(other, endpoints(theirs, ours)) else {
            self.mutate(i, |peer, now| {
                peer.disconnected(now, Direction::Outgoing, TransportError::Refused);
            });
            return;
        };
        self.nodes[i].outgoing = Some(wire);
        self.drive(other);
        self.mutate(i, |peer, now| {
            peer.connected(now, Direction::Outgoing, endpoints(ours, theirs))
                .expect("was asked for");
        });
    }

    /// Delivers a connection to node `i`. Returns its wire, unless it is refused.
    fn accept(&mut self, i: usize, endpoints: Endpoints) -> Option<usize> {
        let offer =
            |net: &mut Self| net.nodes[i].peer.connected(net.now, Direction::Incoming, endpoints);
        let mut accepted = offer(self);
        if accepted == Err(ConnectionRefused::OfferAgain) {
            self.drive(i);
            accepted = offer(self);
        }
        accepted.ok()?;
        self.wires.push(Wire { dialler: 1 - i, towards: [VecDeque::new(), VecDeque::new()] });
        self.nodes[i].incoming = Some(self.wires.len() - 1);
        Some(self.wires.len() - 1)
    }

    /// Delivers a connection to node `i` whose other end was closed before it was accepted.
    pub(super) fn dial_and_vanish(&mut self, i: usize) {
        let at = |address: IpAddr| SocketAddr::new(address, 179);
        let (local, remote) = (at(self.nodes[i].address), at(self.nodes[1 - i].address));
        let _ = self.accept(i, Endpoints { local, remote });
        self.drive(i);
    }

    /// Kills node `i`: it loses its connections, its routes and unread octets without notice. It has to be started again.
    pub(super) fn cut_power(&mut self, i: usize) {
        for wire in self.wires.iter_mut().filter(|_| !self.cut) {
            wire.towards[usize::from(wire.dialler != i)].clear();
        }
        self.nodes[i] = Node::new(self.nodes[i].peer.settings().clone());
    }

    /// Passes the packets that have arrived at one end of a wire to its node.
    fn deliver(&mut self, wire: usize, end: usize) {
        let dialler = self.wires[wire].dialler;
        let (i, direction) = if end == 0 {
            (dialler, Direction::Outgoing)
        } else {
            (1 - dialler, Direction::Incoming)
        };
        while self.nodes[i].reads()
            && !self.cut
            && self.wires[wire].towards[end].front().is_some_and(|(at, _)| *at <= self.now)
        {
            let Some((_, packet)) = self.wires[wire].towards[end].pop_front() else { return };
            if *self.nodes[i].wire(direction) != Some(wire) {
                if matches!(packet, Packet::Octets(_)) {
                    // TCP answers with a reset.
                    self.send(wire, i, Packet::Fin);
                }
                continue;
            }
            match packet {
                Packet::Octets(octets) => {
                    self.nodes[i].peer.read_buffer(direction).extend_from_slice(&octets);
                    self.mutate(i, |peer, now| peer.received(now, direction));
                    self.room(wire, 1 - i, direction.opposite());
                }
                Packet::Fin => {
                    *self.nodes[i].wire(direction) = None;
                    self.mutate(i, |peer, now| {
                        peer.disconnected(now, direction, TransportError::ClosedByPeer);
                    });
                }
            }
        }
    }

    fn drive(&mut self, i: usize) {
        while let Some(output) = self.nodes[i].peer.poll_output() {
            match &output {
                Output::Connect => self.nodes[i].dialling = Some(self.now + self.delay()),
                Output::Close(direction) => self.close(i, *direction),
                _ => {}
            }
            self.nodes[i].log.push(output);
        }
        for direction in [Direction::Outgoing, Direction::Incoming] {
            self.transmit(i, direction);
        }
    }

    fn close(&mut self, i: usize, direction: Direction) {
        self.transmit(i, direction);
        // Messages that do not fit any more are lost.
        let mut unsaid = BytesMut::new();
        while self.nodes[i].peer.poll_transmit(self.now, direction, &mut unsaid) {}
        if direction == Direction::Outgoing {
            self.nodes[i].dialling = None;
        }
        if let Some(wire) = self.nodes[i].wire(direction).take() {
            self.send(wire, i, Packet::Fin);
        }
    }

    fn transmit(&mut self, i: usize, direction: Direction) {
        let mut out = BytesMut::new();
        let Some(wire) = *self.nodes[i].wire(direction) else {
            while self.nodes[i].peer.poll_transmit(self.now, direction, &mut out) {}
            return;
        };
        let room = WINDOW.saturating_sub(self.under_way(wire, i));
        let peer = &mut self.nodes[i].peer;
        while out.len() < room && peer.poll_transmit(self.now, direction, &mut out) {}
        if out.len() >= room {
            peer.send_blocked(self.now, direction);
        }
        if !out.is_empty() {
            self.send(wire, i, Packet::Octets(out));
        }
    }

    /// Reports that the other end of node `i` has read octets.
    fn room(&mut self, wire: usize, i: usize, direction: Direction) {
        if *self.nodes[i].wire(direction) == Some(wire) && !self.nodes[i].frozen {
            self.nodes[i].peer.send_progress(direction);
            self.drive(i);
        }
    }

    /// The number of octets from node `i` in transit.
    fn under_way(&self, wire: usize, i: usize) -> usize {
        let wire = &self.wires[wire];
        let packets = wire.towards[usize::from(wire.dialler == i)].iter();
        let octets = packets.map(|(_, packet)| match packet {
            Packet::Octets(octets) => octets.len(),
            Packet::Fin => 0,
        });
        octets.sum()
    }

    /// The largest number of octets in transit on any connection in one direction.
    pub(super) fn fullest(&self) -> usize {
        let ends = (0..self.wires.len()).flat_map(|wire| [(wire, 0), (wire, 1)]);
        ends.map(|(wire, i)| self.under_way(wire, i)).max().unwrap_or(0)
    }

    /// Sends from node `i`. A wire keeps the order of packets.
    fn send(&mut self, wire: usize, i: usize, packet: Packet) {
        let arrival = self.now + self.delay();
        let wire = &mut self.wires[wire];
        let towards = &mut wire.towards[usize::from(wire.dialler == i)];
        let after_last = towards.back().map_or(arrival, |(at, _)| *at);
        towards.push_back((arrival.max(after_last), packet));
    }

    /// A delay of 1 to 16 ms, unless the network is slow.
    fn delay(&mut self) -> Duration {
        let lost = if self.loss > 0 && self.random(100) < self.loss { 200 } else { 0 };
        Duration::from_millis(lost + 1 + u64::from(self.random(self.slowest)))
    }

    /// A number below `n`, from the seed.
    pub(super) fn random(&mut self, n: u32) -> u32 {
        self.seed =
            self.seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let [a, b, c, d, ..] = self.seed.to_be_bytes();
        u32::from_be_bytes([a, b, c, d]) % n
    }
}
