//! The driver of one peer, which follows the rules of its loop and checks the invariants for any behaviour of the other side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp_core::fsm::{StateKind, TransportError};
use bgp_core::peer::{
    ConnectionRefused, Endpoints, Import, Output, Peer, PeerSettings, ReceivedRoutes,
};
use bgp_core::rib::{ExportRules, Nlri, Route, RouteSet, family_of};
use bgp_core::wire::{
    AttributeFlags, Frame, Message, MessageType, Notification, PathAttributes, Treatment, Update,
    WireContext,
};
use bgp_core::{AfiSafi, Direction, IpNet};
use bytes::BytesMut;

use crate::input::FAMILIES;
use crate::judge::{decode, judge_echo, judge_notification, judge_text};

/// More outputs or messages than any single step can cause: a run that reaches this number is in an endless loop.
const OUTPUT_LIMIT: usize = 4_096;

/// A peer and the state of its environment.
#[derive(Debug)]
pub struct Driver {
    peer: Peer,
    now: Instant,
    started: bool,
    /// True if the peer has requested a connection that is pending.
    dialling: bool,
    outgoing: Wire,
    incoming: Wire,
    /// The last reported state.
    state: StateKind,
    /// True if the session was reported up, and not down since.
    up: bool,
    /// The received routes, from the reports.
    received: BTreeMap<Nlri, Arc<PathAttributes>>,
    /// The routes to advertise, from our commands.
    desired: BTreeMap<IpNet, Arc<PathAttributes>>,
    /// The advertised routes, from the UPDATEs composed in this session.
    advertised: BTreeMap<IpNet, PathAttributes>,
    /// The families whose End-of-RIB was composed in this session.
    ended: BTreeSet<AfiSafi>,
}

/// One TCP connection.
#[derive(Debug, Default)]
struct Wire {
    open: bool,
    /// True if the send buffer of the socket is full.
    full: bool,
    /// The last octets received.
    log: Vec<u8>,
    /// The types of the messages composed.
    sent: Vec<MessageType>,
}

impl Driver {
    /// Creates a stopped peer.
    #[must_use]
    pub fn new(config: PeerSettings) -> Self {
        let driver = Self {
            peer: Peer::new(config),
            now: Instant::now(),
            started: false,
            dialling: false,
            outgoing: Wire::default(),
            incoming: Wire::default(),
            state: StateKind::Idle,
            up: false,
            received: BTreeMap::new(),
            desired: BTreeMap::new(),
            advertised: BTreeMap::new(),
            ended: BTreeSet::new(),
        };
        driver.judge();
        driver
    }

    /// The context for reading the messages of the session; before it, that of a session with nothing negotiated.
    #[must_use]
    pub fn context(&self) -> WireContext {
        match self.peer.negotiated() {
            Some(negotiated) => negotiated.wire_context(),
            None => WireContext::new(self.peer.settings().fsm.peer_type()),
        }
    }

    /// The operator starts the peer.
    pub fn start(&mut self) {
        self.started = true;
        self.peer.start(self.now);
        self.drive();
    }

    /// The operator stops the peer.
    pub fn stop(&mut self, cease: Notification) {
        self.started = false;
        self.peer.stop(self.now, cease);
        self.drive();
        assert_eq!(self.peer.state(), StateKind::Idle);
    }

    /// The operator resets the session.
    pub fn reset(&mut self, cease: Notification) {
        self.peer.reset(self.now, cease);
        self.drive();
        assert!(!self.up, "a session survives its reset");
    }

    /// Changes the configuration. A session stays up, or goes down with a reason.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut PeerSettings)) {
        let mut config = self.peer.settings().clone();
        change(&mut config);
        self.peer.reconfigure(self.now, config);
        self.drive();
    }

    /// The requested connection succeeds.
    pub fn answer_dial(&mut self, how: u8) {
        let answer = self.peer.connected(self.now, Direction::Outgoing, endpoints(how, 179));
        assert_eq!(answer.is_ok(), self.dialling && self.started, "{answer:?}");
        if answer.is_ok() {
            self.dialling = false;
            self.outgoing = Wire { open: true, ..Wire::default() };
        }
        self.drive();
    }

    /// The requested connection fails.
    pub fn fail_dial(&mut self, error: TransportError) {
        if std::mem::take(&mut self.dialling) {
            self.peer.disconnected(self.now, Direction::Outgoing, error);
            self.drive();
        }
    }

    /// The other side opens a connection.
    pub fn accept(&mut self, how: u8) {
        let awake = self.started && !self.peer.is_paused();
        let endpoints = endpoints(how, 40_000);
        let mut answer = self.peer.connected(self.now, Direction::Incoming, endpoints);
        if answer == Err(ConnectionRefused::OfferAgain) {
            // The connection that it replaces is closed first.
            self.drive();
            answer = self.peer.connected(self.now, Direction::Incoming, endpoints);
        }

        let expected = awake && self.peer.settings().fsm.connect_mode.listens();
        assert_eq!(answer.is_ok(), expected && !self.incoming.open, "{answer:?}");
        if answer.is_ok() {
            self.incoming = Wire { open: true, ..Wire::default() };
        }
        self.drive();
    }

    /// A connection is lost.
    pub fn lose(&mut self, direction: Direction, error: TransportError) {
        if std::mem::take(&mut self.wire(direction).open) {
            self.peer.disconnected(self.now, direction, error);
            self.drive();
        }
    }

    /// Octets arrive. On a closed connection they have no effect.
    pub fn receive(&mut self, direction: Direction, octets: &[u8]) {
        let wire = self.wire(direction);
        wire.log.extend_from_slice(octets);
        let surplus = wire.log.len().saturating_sub(8_192);
        wire.log.drain(..surplus);

        self.peer.read_buffer(direction).extend_from_slice(octets);
        self.peer.received(self.now, direction);
        self.drive();

        let left = self.peer.read_buffer(direction).len();
        if self.wire(direction).open {
            assert!(left < self.context().limit().octets(), "{left} octets are not processed");
        } else {
            assert_eq!(left, 0, "octets are kept for a closed connection");
        }
    }

    /// Time passes until the next deadline.
    pub fn wait_for_deadline(&mut self) {
        // A deadline in the far future is never reached.
        let far = self.now + Duration::from_secs(1 << 32);
        if let Some(deadline) = self.peer.poll_timeout().filter(|deadline| *deadline < far) {
            self.now = self.now.max(deadline);
            self.expire();
        }
    }

    /// Time passes without timeouts, as if the driver was busy or early.
    pub fn wait(&mut self, time: Duration) {
        self.now += time;
        self.expire();
    }

    /// Handles the timers that are due. Pauses of zero length may need a few calls, but not many.
    fn expire(&mut self) {
        for _ in 0..4 {
            self.peer.handle_timeout(self.now);
            self.drive();
            if self.peer.poll_timeout().is_none_or(|deadline| deadline > self.now) {
                return;
            }
        }
        panic!("a timer stays due: state {}", self.peer.state());
    }

    /// Advertises a route to the peer.
    pub fn announce(&mut self, prefix: IpNet, attributes: PathAttributes) {
        let attributes = Arc::new(attributes);
        self.peer.announce(&Route::with_attributes(prefix, Arc::clone(&attributes)));
        self.desired.insert(prefix, attributes);
        self.drive();
    }

    /// Withdraws a route from the peer.
    pub fn withdraw(&mut self, prefix: IpNet) {
        self.peer.withdraw(prefix);
        self.desired.remove(&prefix);
        self.drive();
    }

    /// Advertises exactly these routes to the peer.
    pub fn set_routes(&mut self, routes: impl Iterator<Item = (IpNet, PathAttributes)>) {
        self.desired = routes.map(|(prefix, attributes)| (prefix, Arc::new(attributes))).collect();
        let desired = self.desired.iter();
        let set: RouteSet =
            desired.map(|(prefix, a)| Route::with_attributes(*prefix, Arc::clone(a))).collect();
        self.peer.set_routes(&set);
        self.drive();
    }

    /// The send buffer of the socket becomes full, or has space again.
    pub fn toggle_full(&mut self, direction: Direction) {
        let full = &mut self.wire(direction).full;
        *full = !*full;
        if !*full {
            self.peer.send_progress(direction);
        }
        self.drive();
    }

    /// Ends the run: everything is sent, then the operator stops the peer.
    pub fn finish(&mut self) {
        (self.outgoing.full, self.incoming.full) = (false, false);
        self.drive();
        self.stop(Notification::cease(bgp_core::wire::CeaseSubcode::PEER_DECONFIGURED));
        assert!(!self.outgoing.open && !self.incoming.open && !self.dialling && !self.up);
        assert_eq!(self.peer.poll_timeout(), None);
    }

    fn wire(&mut self, direction: Direction) -> &mut Wire {
        match direction {
            Direction::Outgoing => &mut self.outgoing,
            Direction::Incoming => &mut self.incoming,
        }
    }

    /// Performs all outputs and sends all messages (steps 2 and 3 of the peer's loop), then checks the invariants.
    fn drive(&mut self) {
        let mut count = 0;
        while let Some(output) = self.peer.poll_output() {
            count += 1;
            assert!(count < OUTPUT_LIMIT, "endless outputs");
            self.perform(output);
        }

        for direction in [Direction::Outgoing, Direction::Incoming] {
            if self.wire(direction).full {
                self.peer.send_blocked(self.now, direction);
            } else {
                self.transmit(direction);
            }
        }
        self.judge();
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Connect => {
                assert!(!self.dialling && !self.outgoing.open, "a second connection is requested");
                assert!(self.started && self.peer.settings().fsm.connect_mode.dials());
                self.dialling = true;
            }
            Output::Close(direction) => {
                self.transmit(direction);
                self.wire(direction).open = false;
                if direction == Direction::Outgoing {
                    self.dialling = false;
                }
            }
            Output::StateChange { from, to } => {
                assert!(
                    from == self.state && to != from,
                    "from {from} to {to}, not {}",
                    self.state
                );
                self.state = to;
            }
            Output::Up(_) => {
                assert!(!std::mem::replace(&mut self.up, true), "up twice");
                self.advertised.clear();
                self.ended.clear();
            }
            Output::Down(reason) => {
                assert!(std::mem::take(&mut self.up), "down while down");
                judge_text(&reason.to_string());
            }
            Output::Failed(reason) => judge_text(&reason.to_string()),
            Output::PrefixWarning { family, held, limit } => {
                let limits = &self.peer.settings().maximum_prefixes;
                let configured = limits.of(family).expect("a limit was configured");
                assert!(self.up && configured.limit == limit && held >= configured.warning());
            }
            Output::EndOfRib(family) | Output::RefreshRequested(family) => {
                assert!(self.up && self.peer.settings().fsm.families.contains(&family));
            }
            Output::Received(routes) => self.take(routes),
            other => panic!("an unknown output: {other:?}"),
        }
    }

    /// Received routes are only reported in a session, and each report is a change.
    fn take(&mut self, routes: ReceivedRoutes) {
        assert!(self.up, "routes without a session");
        assert!(routes.announced.is_empty() || self.peer.settings().import == Import::Keep);
        for nlri in routes.withdrawn {
            assert!(self.received.remove(&nlri).is_some(), "{nlri} was not announced");
        }
        self.received.extend(routes.announced);
    }

    fn transmit(&mut self, direction: Direction) {
        for _ in 0..OUTPUT_LIMIT {
            let mut out = BytesMut::new();
            if !self.peer.poll_transmit(self.now, direction, &mut out) {
                assert!(out.is_empty(), "octets without a message");
                return;
            }
            self.judge_sent(direction, &out);
        }
        panic!("endless messages");
    }

    /// Checks a composed message: it is complete, valid, allowed at this point, and for an open connection.
    fn judge_sent(&mut self, direction: Direction, octets: &[u8]) {
        let cx = self.context();
        let wire = self.wire(direction);
        assert!(wire.open, "a message for a closed connection");
        let frame = Frame::split(octets, cx.limit()).expect("a valid header");
        let frame = frame.expect("a complete message");
        assert_eq!(frame.as_bytes().len(), octets.len(), "one message at a time");

        let opened = wire.sent.contains(&MessageType::Open);
        let last = wire.sent.last();
        assert_ne!(last, Some(&MessageType::Notification), "a message after a NOTIFICATION");
        let is_allowed = match frame.kind() {
            MessageType::Open => wire.sent.is_empty(),
            MessageType::Notification => true,
            _ => opened,
        };
        assert!(is_allowed, "{} after {:?}", frame.kind(), wire.sent);

        // Repeated types, such as KEEPALIVEs and UPDATEs, are recorded once.
        if wire.sent.last() != Some(&frame.kind()) {
            wire.sent.push(frame.kind());
        }

        match decode(octets, cx).expect("our own message is valid") {
            Message::Update(update) => self.judge_update(direction, &update),
            Message::Notification(notification) => {
                judge_notification(&notification);
                judge_echo(&notification, &self.wire(direction).log);
            }
            _ => {}
        }
    }

    fn judge_update(&mut self, direction: Direction, update: &Update<'_>) {
        let session = self.peer.endpoints().expect("an UPDATE outside of a session");
        assert_eq!(session.remote.port() == 179, direction == Direction::Outgoing);
        assert_eq!(update.treatment(), Treatment::None);

        if let Some(family) = update.end_of_rib() {
            assert!(self.ended.insert(family), "End-of-RIB twice");
        }
        for prefix in update.unreachable() {
            assert!(self.advertised.remove(&prefix).is_some(), "{prefix} was never announced");
        }
        for prefix in update.reachable() {
            self.advertised.insert(prefix, update.to_attributes_for(family_of(&prefix)));
        }
    }

    /// Checks the invariants between steps.
    fn judge(&self) {
        let peer = &self.peer;
        assert_eq!(peer.state(), self.state, "the state was not reported");
        assert_eq!(self.up, self.state == StateKind::Established);
        assert_eq!(self.up, peer.negotiated().is_some());
        assert_eq!(self.up, peer.endpoints().is_some());

        let kept = peer.adj_rib_in();
        let by_family = FAMILIES.map(|family| kept.len_of(family));
        assert_eq!(by_family.iter().sum::<usize>(), kept.len(), "a family is counted wrongly");
        assert!(self.up || kept.is_empty(), "routes survive their session");
        let reported = self.received.iter().map(|(nlri, a)| (nlri.prefix, nlri.path_id, a));
        assert!(kept.iter().with_path_ids().eq(reported), "the reports and the Adj-RIB-In differ");

        let desired = self.desired.iter().map(|(prefix, attributes)| (*prefix, attributes));
        assert!(peer.adj_rib_out().desired().iter().eq(desired));

        self.judge_deadlines();
        self.judge_advertised();
    }

    /// A stopped peer has no deadline. A started one that dials has one until it is connected.
    fn judge_deadlines(&self) {
        let deadline = self.peer.poll_timeout();
        if self.peer.is_paused() {
            assert_eq!(self.state, StateKind::Idle);
        } else if !self.started {
            assert_eq!(self.state, StateKind::Idle);
            assert_eq!(deadline, None, "a stopped peer has a timer");
        } else if self.peer.settings().fsm.connect_mode.dials() && self.state < StateKind::OpenSent
        {
            assert!(deadline.is_some(), "a started peer is stuck in {}", self.state);
        } else if !self.peer.settings().fsm.connect_mode.dials() {
            assert_ne!(self.state, StateKind::Idle, "a passive peer does not listen");
        }
    }

    /// Checks that the peer has exactly the desired routes once no route is pending.
    fn judge_advertised(&self) {
        let Some(session) = self.peer.endpoints() else { return };
        let wire = if session.remote.port() == 179 { &self.outgoing } else { &self.incoming };
        if wire.full {
            return;
        }

        let config = self.peer.settings();
        if self.peer.adj_rib_out().pending(false).is_some() {
            let interval = config.min_route_advertisement_interval;
            assert!(!interval.is_zero(), "routes are pending, but the socket has space");
            let deadline = self.peer.poll_timeout().expect("pending routes have a deadline");
            assert!(deadline.duration_since(self.now) <= interval, "the deadline is too late");
            return;
        }

        let Some(negotiated) = self.peer.negotiated() else { return };
        let mut expected = BTreeMap::new();
        for (prefix, attributes) in &self.desired {
            let family = family_of(prefix);
            let export = ExportRules::new(negotiated, session.local.ip());
            match export.apply(attributes, family) {
                // The large attribute only fits an extended message.
                Ok(mut sent)
                    if negotiated.has_family(family)
                        && (sent.unknown.is_empty() || negotiated.extensions.extended_messages) =>
                {
                    // The reader does not know the attribute and sets Partial.
                    for raw in &mut sent.unknown {
                        raw.flags = raw.flags.with(AttributeFlags::PARTIAL);
                    }
                    expected.insert(*prefix, sent);
                }
                _ => {}
            }
        }

        assert_eq!(self.advertised, expected, "the peer does not have the desired routes");
        assert!(negotiated.families.iter().all(|family| self.ended.contains(family)));
    }
}

/// The endpoints of a connection. The port of the peer shows its direction.
fn endpoints(how: u8, port: u16) -> Endpoints {
    let [local, remote] = [1, 2].map(|last: u8| match how {
        0..=5 => std::net::IpAddr::from([192, 0, 2, last]),
        _ => std::net::IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)]),
    });
    Endpoints { local: (local, 50_000).into(), remote: (remote, port).into() }
}
