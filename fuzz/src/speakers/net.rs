//! Links between peers, and a virtual clock.
//!
//! Owns the connections: their delays and losses, and what each end learns of them. It knows nothing of routes. Peers `2n` and
//! `2n + 1` are the two ends of link `n`.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bgp_core::Direction;
use bgp_core::fsm::TransportError;
use bgp_core::peer::{ConnectionRefused, Endpoints, Output, Peer};
use bytes::BytesMut;

/// The octets in transit in one direction of a connection at which its socket is full.
const WINDOW: usize = 8_192;
/// The longest message.
const MESSAGE: usize = 4_096;
/// More steps than any run needs. An endless loop soon exceeds it.
const MAX_STEPS: usize = 50_000;
/// More outputs than one call can cause.
const MAX_OUTPUTS: usize = 1_000;

/// The peers and the links between them.
#[derive(Debug)]
pub struct Net {
    now: Instant,
    stations: Vec<Station>,
    links: Vec<Link>,
    connections: Vec<Connection>,
    /// What the peers have reported, in order, apart from what concerns connections.
    reports: VecDeque<(usize, Output)>,
}

/// A peer at one end of a link.
#[derive(Debug)]
struct Station {
    peer: Peer,
    address: IpAddr,
    outgoing: Option<usize>,
    incoming: Option<usize>,
    /// The time at which the current attempt to connect arrives.
    dialling: Option<Instant>,
}

/// A link.
#[derive(Clone, Copy, Debug)]
struct Link {
    delay: Duration,
    /// True if attempts to connect are lost, and octets wait.
    is_cut: bool,
    /// The place in the next packet that is changed, and how.
    fault: Option<(usize, u8)>,
}

/// A TCP connection.
#[derive(Debug)]
struct Connection {
    dialler: usize,
    /// What is in transit towards the dialler, and towards the other end.
    towards: [VecDeque<(Instant, Packet)>; 2],
    /// True if an octet was changed on it.
    is_faulty: bool,
}

#[derive(Debug)]
enum Packet {
    Octets(BytesMut),
    Fin,
}

impl Station {
    fn connection(&mut self, direction: Direction) -> &mut Option<usize> {
        match direction {
            Direction::Outgoing => &mut self.outgoing,
            Direction::Incoming => &mut self.incoming,
        }
    }
}

impl Net {
    /// Links between these stopped peers, which have these addresses.
    #[must_use]
    pub fn new(peers: impl IntoIterator<Item = (IpAddr, Peer)>) -> Self {
        let station = |(address, peer)| Station {
            peer,
            address,
            outgoing: None,
            incoming: None,
            dialling: None,
        };
        let stations: Vec<_> = peers.into_iter().map(station).collect();
        let link = Link { delay: Duration::from_millis(1), is_cut: false, fault: None };
        Self {
            now: Instant::now(),
            links: vec![link; stations.len() / 2],
            stations,
            connections: Vec::new(),
            reports: VecDeque::new(),
        }
    }

    /// A peer.
    #[must_use]
    pub fn peer(&self, i: usize) -> &Peer {
        &self.stations[i].peer
    }

    /// Takes the next report of a peer.
    pub fn poll_report(&mut self) -> Option<(usize, Output)> {
        self.reports.pop_front()
    }

    /// Makes one mutation, by the rules of the peer's loop.
    pub fn mutate(&mut self, i: usize, change: impl FnOnce(&mut Peer, Instant)) {
        change(&mut self.stations[i].peer, self.now);
        self.drive(i);
    }

    /// The next event, if it happens before `end`; otherwise the clock moves there. Returns false at the end.
    pub fn advance(&mut self, end: Instant) -> bool {
        match self.next_due().filter(|due| *due <= end) {
            Some(due) => {
                self.now = self.now.max(due);
                self.step();
                true
            }
            None => {
                self.now = end;
                false
            }
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The most steps of a run.
    #[must_use]
    pub const fn max_steps() -> usize {
        MAX_STEPS
    }

    /// Sets the delay of a link for what is sent from now on.
    pub fn set_delay(&mut self, link: usize, delay: Duration) {
        self.links[link].delay = delay;
    }

    /// Cuts a link, or joins it again.
    pub fn cut(&mut self, link: usize, is_cut: bool) {
        self.links[link].is_cut = is_cut;
    }

    /// Changes an octet of the next packet on a link.
    pub fn corrupt(&mut self, link: usize, place: usize, how: u8) {
        self.links[link].fault = Some((place, how));
    }

    /// Ends the connections of a link, which both ends learn at once. What is in transit is lost.
    pub fn close(&mut self, link: usize) {
        self.close_if(link, |_| true);
    }

    /// Makes a link good again. A connection with a changed octet does not outlive that, as if TCP had noticed the change.
    pub fn heal(&mut self, link: usize) {
        self.links[link] = Link { delay: Duration::from_millis(10), is_cut: false, fault: None };
        self.close_if(link, |connection| connection.is_faulty);
    }

    fn close_if(&mut self, link: usize, is_closed: impl Fn(&Connection) -> bool) {
        for i in [2 * link, 2 * link + 1] {
            for direction in [Direction::Outgoing, Direction::Incoming] {
                let connection = *self.stations[i].connection(direction);
                let Some(connection) = connection.filter(|c| is_closed(&self.connections[*c]))
                else {
                    continue;
                };
                self.connections[connection].towards = [VecDeque::new(), VecDeque::new()];
                *self.stations[i].connection(direction) = None;
                self.mutate(i, |peer, now| {
                    peer.disconnected(now, direction, TransportError::Reset);
                });
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let stations = self.stations.iter();
        let timers = stations.flat_map(|it| [it.peer.poll_timeout(), it.dialling]).flatten();
        let packets = self.connections.iter().filter(|connection| !self.waits(connection));
        let packets = packets.flat_map(|connection| &connection.towards);
        let arrivals = packets.filter_map(|queue| queue.front()).map(|(at, _)| *at);
        timers.chain(arrivals).min()
    }

    fn waits(&self, connection: &Connection) -> bool {
        self.links[connection.dialler / 2].is_cut
    }

    fn step(&mut self) {
        for i in 0..self.stations.len() {
            if self.stations[i].peer.poll_timeout().is_some_and(|at| at <= self.now) {
                self.expire(i);
            }
            if self.stations[i].dialling.is_some_and(|at| at <= self.now) {
                self.stations[i].dialling = None;
                self.arrive(i);
            }
        }
        for connection in 0..self.connections.len() {
            for end in 0..2 {
                self.deliver(connection, end);
            }
        }
    }

    /// Handles the timers that are due. Pauses of zero length may need a few calls, but not many.
    fn expire(&mut self, i: usize) {
        for _ in 0..4 {
            self.mutate(i, Peer::handle_timeout);
            let deadline = self.stations[i].peer.poll_timeout();
            if deadline.is_none_or(|deadline| deadline > self.now) {
                return;
            }
        }
        panic!("a timer of peer {i} stays due: state {}", self.stations[i].peer.state());
    }

    /// Delivers the attempt of a peer to connect to the other end of its link.
    fn arrive(&mut self, i: usize) {
        if self.links[i / 2].is_cut {
            return;
        }
        let other = i ^ 1;
        let at = |address: IpAddr| SocketAddr::new(address, 179);
        let (ours, theirs) = (at(self.stations[i].address), at(self.stations[other].address));

        let endpoints = Endpoints { local: theirs, remote: ours };
        let offer = |net: &mut Self| {
            net.stations[other].peer.connected(net.now, Direction::Incoming, endpoints)
        };
        let mut accepted = offer(self);
        if accepted == Err(ConnectionRefused::OfferAgain) {
            self.drive(other);
            accepted = offer(self);
        }
        if accepted.is_err() {
            self.drive(other);
            self.mutate(i, |peer, now| {
                peer.disconnected(now, Direction::Outgoing, TransportError::Refused);
            });
            return;
        }

        self.connections.push(Connection {
            dialler: i,
            towards: [VecDeque::new(), VecDeque::new()],
            is_faulty: false,
        });
        let connection = Some(self.connections.len() - 1);
        self.stations[other].incoming = connection;
        self.stations[i].outgoing = connection;
        self.drive(other);
        self.mutate(i, |peer, now| {
            let endpoints = Endpoints { local: ours, remote: theirs };
            peer.connected(now, Direction::Outgoing, endpoints).expect("it was asked for");
        });
    }

    /// Passes the packets that have arrived at one end of a connection to its peer.
    fn deliver(&mut self, connection: usize, end: usize) {
        let dialler = self.connections[connection].dialler;
        let (i, direction) = match end {
            0 => (dialler, Direction::Outgoing),
            _ => (dialler ^ 1, Direction::Incoming),
        };
        while !self.waits(&self.connections[connection]) {
            let queue = &mut self.connections[connection].towards[end];
            if queue.front().is_none_or(|(at, _)| *at > self.now) {
                return;
            }
            let Some((_, packet)) = queue.pop_front() else { return };
            if *self.stations[i].connection(direction) != Some(connection) {
                if matches!(packet, Packet::Octets(_)) {
                    // TCP answers with a reset.
                    self.send(connection, i, Packet::Fin);
                }
                continue;
            }
            match packet {
                Packet::Octets(octets) => self.pass_on(connection, i, direction, octets),
                Packet::Fin => {
                    *self.stations[i].connection(direction) = None;
                    self.mutate(i, |peer, now| {
                        peer.disconnected(now, direction, TransportError::ClosedByPeer);
                    });
                }
            }
        }
    }

    fn pass_on(&mut self, connection: usize, i: usize, direction: Direction, mut octets: BytesMut) {
        if let Some((place, how)) = self.links[i / 2].fault.take() {
            let place = place % octets.len();
            octets[place] ^= how.max(1);
            self.connections[connection].is_faulty = true;
        }
        self.stations[i].peer.read_buffer(direction).extend_from_slice(&octets);
        self.mutate(i, |peer, now| peer.received(now, direction));
        let left = self.stations[i].peer.read_buffer(direction).len();
        assert!(left < MESSAGE, "{left} octets are not processed");

        // The sender has room again.
        let (sender, direction) = (i ^ 1, direction.opposite());
        if *self.stations[sender].connection(direction) == Some(connection) {
            self.stations[sender].peer.send_progress(direction);
            self.drive(sender);
        }
    }

    fn drive(&mut self, i: usize) {
        let mut count = 0;
        while let Some(output) = self.stations[i].peer.poll_output() {
            count += 1;
            assert!(count < MAX_OUTPUTS, "endless outputs");
            match output {
                Output::Connect => {
                    self.stations[i].dialling = Some(self.now + self.links[i / 2].delay);
                }
                Output::Close(direction) => self.hang_up(i, direction),
                report => self.reports.push_back((i, report)),
            }
        }
        for direction in [Direction::Outgoing, Direction::Incoming] {
            self.transmit(i, direction);
        }
    }

    fn hang_up(&mut self, i: usize, direction: Direction) {
        self.transmit(i, direction);
        // Messages that do not fit any more are lost.
        let mut unsent = BytesMut::new();
        while self.stations[i].peer.poll_transmit(self.now, direction, &mut unsent) {}
        if direction == Direction::Outgoing {
            self.stations[i].dialling = None;
        }
        if let Some(connection) = self.stations[i].connection(direction).take() {
            self.send(connection, i, Packet::Fin);
        }
    }

    fn transmit(&mut self, i: usize, direction: Direction) {
        let Some(connection) = *self.stations[i].connection(direction) else { return };
        let in_transit = self.in_transit(connection, i);
        assert!(in_transit < WINDOW + MESSAGE, "{in_transit} octets wait");

        let room = WINDOW.saturating_sub(in_transit);
        let peer = &mut self.stations[i].peer;
        let mut out = BytesMut::new();
        while out.len() < room && peer.poll_transmit(self.now, direction, &mut out) {}
        if out.len() >= room {
            peer.send_blocked(self.now, direction);
        }
        if !out.is_empty() {
            self.send(connection, i, Packet::Octets(out));
        }
    }

    /// The number of octets in transit from a peer.
    fn in_transit(&self, connection: usize, i: usize) -> usize {
        let connection = &self.connections[connection];
        let queue = connection.towards[usize::from(connection.dialler == i)].iter();
        let octets = queue.map(|(_, packet)| match packet {
            Packet::Octets(octets) => octets.len(),
            Packet::Fin => 0,
        });
        octets.sum()
    }

    /// Sends from a peer. A connection keeps the order of packets.
    fn send(&mut self, connection: usize, i: usize, packet: Packet) {
        let arrival = self.now + self.links[i / 2].delay;
        let connection = &mut self.connections[connection];
        let queue = &mut connection.towards[usize::from(connection.dialler == i)];
        let after_last = queue.back().map_or(arrival, |(at, _)| *at);
        queue.push_back((arrival.max(after_last), packet));
    }
}
