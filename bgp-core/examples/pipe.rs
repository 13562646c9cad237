//! A whole session without a socket, a runtime or a clock: two peers, a pipe between them, and time that jumps to the next
//! deadline.
//!
//! ```text
//! cargo run -p bgp-core --example pipe
//! ```
//!
//! [`Driver::settle`] is the loop that every driver of a [`Peer`] needs. A real one waits for its socket where this one looks
//! into the pipe, and for the clock where this one moves its hands.
#![expect(clippy::print_stdout, reason = "an example prints to its user")]

use std::{
    error::Error,
    io::{self, Write},
    time::{Duration, Instant},
};

use bgp_core::{
    Asn, BgpIdentifier, Direction,
    fsm::{ConnectMode, TransportError},
    peer::{Endpoints, Import, Output, Peer, PeerSettings},
    rib::Route,
    wire::{CeaseSubcode, Notification},
};
use bytes::BytesMut;

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout().lock())?;
    println!("(three minutes passed in no time)");
    Ok(())
}

/// Brings a session up, announces a route, lets time pass, and ends the session with a message.
pub(crate) fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut driver = Driver::new()?;
    for node in [NODE, ROUTER] {
        driver.nodes[node].peer.start(driver.now);
    }
    driver.settle(out)?;

    driver.nodes[NODE].peer.announce(&Route::new("203.0.113.7/32".parse()?).med(7));
    driver.settle(out)?;

    // Longer than the hold time: KEEPALIVEs hold the session up.
    driver.pass(Duration::from_secs(180), out)?;
    let keepalives = driver.nodes[ROUTER].peer.stats().received.keepalive;
    writeln!(out, "router: {keepalives} KEEPALIVEs received in three minutes")?;

    let subcode = CeaseSubcode::ADMINISTRATIVE_SHUTDOWN;
    let cease = Notification::cease_with_message(subcode, "the example ends");
    driver.nodes[NODE].peer.stop(driver.now, cease);
    driver.settle(out)
}

const NODE: usize = 0;
const ROUTER: usize = 1;

/// Two peers, the connection between them, and the time.
struct Driver {
    now: Instant,
    nodes: [Node; 2],
}

/// One end: a peer, and what it has sent and the other end has not read yet.
struct Node {
    name: &'static str,
    peer: Peer,
    direction: Direction,
    endpoints: Endpoints,
    is_open: bool,
    sent: BytesMut,
}

impl Driver {
    fn new() -> Result<Self, Box<dyn Error>> {
        #[expect(clippy::disallowed_methods, reason = "time has to begin somewhere")]
        let now = Instant::now();
        let (node, router) = ("192.0.2.7:40000".parse()?, "192.0.2.1:179".parse()?);

        let mut at_node =
            PeerSettings::new(Asn(64_512), BgpIdentifier::new(192, 0, 2, 7), Asn(64_500));
        at_node.fsm.connect_mode = ConnectMode::Active;
        let mut at_router =
            PeerSettings::new(Asn(64_500), BgpIdentifier::new(192, 0, 2, 1), Asn(64_512));
        at_router.fsm.connect_mode = ConnectMode::Passive;
        at_router.import = Import::Keep;

        let end = |name, settings, direction, local, remote| Node {
            name,
            peer: Peer::new(settings),
            direction,
            endpoints: Endpoints { local, remote },
            is_open: false,
            sent: BytesMut::new(),
        };
        Ok(Self {
            now,
            nodes: [
                end("node", at_node, Direction::Outgoing, node, router),
                end("router", at_router, Direction::Incoming, router, node),
            ],
        })
    }

    /// Lets time pass, from one deadline to the next.
    fn pass(&mut self, time: Duration, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
        let end = self.now + time;
        loop {
            let deadlines = self.nodes.iter().filter_map(|node| node.peer.poll_timeout());
            let Some(next) = deadlines.min().filter(|deadline| *deadline <= end) else {
                self.now = end;
                return Ok(());
            };

            self.now = self.now.max(next);
            for node in &mut self.nodes {
                node.peer.handle_timeout(self.now);
            }
            self.settle(out)?;
        }
    }

    /// Does everything that is due at this moment, until nothing moves any more.
    fn settle(&mut self, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
        loop {
            let mut moved = false;
            for at in [NODE, ROUTER] {
                // First the outputs, until there are none ..
                while let Some(output) = self.nodes[at].peer.poll_output() {
                    self.perform(at, output, out)?;
                    moved = true;
                }
                // .. then messages, while the connection has room for them ..
                moved |= self.nodes[at].transmit(self.now);
                // .. and then what has arrived from the other end.
                moved |= self.receive(at);
            }
            if !moved {
                return Ok(());
            }
        }
    }

    fn perform(
        &mut self,
        at: usize,
        output: Output,
        out: &mut impl Write,
    ) -> Result<(), Box<dyn Error>> {
        let name = self.nodes[at].name;
        match output {
            Output::Connect => {
                for node in &mut self.nodes {
                    node.peer.connected(self.now, node.direction, node.endpoints)?;
                    node.is_open = true;
                }
            }
            // The router also gives up connections that it would have opened itself, of which there is none.
            Output::Close(direction) if direction == self.nodes[at].direction => {
                self.nodes[at].transmit(self.now);
                self.nodes[at].is_open = false;
            }
            Output::StateChange { from, to } => writeln!(out, "{name}: {from} -> {to}")?,
            Output::Up(terms) => writeln!(out, "{name}: up with AS {}", terms.remote_asn)?,
            Output::Down(reason) => writeln!(out, "{name}: down: {reason}")?,
            Output::Failed(reason) => writeln!(out, "{name}: no session: {reason}")?,
            Output::Received(routes) => {
                for (nlri, attributes) in routes.announced {
                    let (path, med) = (&attributes.as_path, attributes.med.unwrap_or_default());
                    writeln!(out, "{name}: {nlri} announced, AS path {path}, MED {med}")?;
                }
                for nlri in routes.withdrawn {
                    writeln!(out, "{name}: {nlri} withdrawn")?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes what the other end has sent. Returns true if there was something.
    fn receive(&mut self, at: usize) -> bool {
        let other = &mut self.nodes[1 - at];
        let (octets, is_closed) = (other.sent.split(), !other.is_open);
        let Node { peer, direction, is_open, .. } = &mut self.nodes[at];
        if !*is_open {
            return false;
        }

        if !octets.is_empty() {
            peer.read_buffer(*direction).extend_from_slice(&octets);
            peer.received(self.now, *direction);
            return true;
        }
        if is_closed {
            peer.disconnected(self.now, *direction, TransportError::ClosedByPeer);
            *is_open = false;
        }
        is_closed
    }
}

impl Node {
    /// Sends messages while the pipe has room. Returns true if there were any.
    fn transmit(&mut self, now: Instant) -> bool {
        let before = self.sent.len();
        while self.sent.len() < ROOM && self.peer.poll_transmit(now, self.direction, &mut self.sent)
        {
        }
        self.sent.len() > before
    }
}

/// The octets from which on the pipe is full.
const ROOM: usize = 8_192;
