//! [`PeerTask`]: drives one core [`Peer`] by the law of the loop.
//!
//! One mutation of the core; then its outputs until there are none; then what it has to send, while
//! there is room; then wait for one thing. The task moves octets and facts. It decides nothing, and
//! it never waits anywhere else: a command is heard while a connection is being made, and closing
//! one connection delays no other.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bgp_core::{
    Asn, BgpIdentifier, Direction,
    fsm::TransportError,
    peer::{Output, Peer, PeerSettings, Refused},
    rib::UnsendableRoute,
    wire::{CeaseSubcode, Notification},
};
use bytes::BytesMut;
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinSet, yield_now},
    time::{Sleep, sleep},
};

use crate::{
    Connecting, Connector, EventKind, PeerConfig, Transport, clock, command::Command,
    drain::DrainWatch, registry::Registration, table::Turn,
};

mod change;
mod link;
mod liveness;
mod originated;
mod reports;
mod wake;

pub(crate) use liveness::Liveness;
pub(crate) use reports::{Reports, first_status};

use link::{Link, Links, transport_error};
use originated::Originated;
use wake::{WaitingTurn, Wake};

/// How many accepted connections may wait for a peer's task.
pub(crate) const WAITING_CONNECTIONS: usize = 4;

/// How many octets of messages a task takes in one turn: some 1,000 routes.
const MOST_OCTETS: usize = 4 * 1_024;

/// How many octets a task takes without waiting for a turn: KEEPALIVEs, a few routes.
const FEW_OCTETS: usize = 512;

/// A router that has just closed the last connection may not be ready for the next one at once.
const PAUSE_AFTER_CHANGE: Duration = Duration::from_millis(50);

/// A peer's task.
pub(crate) struct PeerTask {
    config: Arc<PeerConfig>,
    /// The speaker's own AS and BGP Identifier.
    speaker: (Asn, BgpIdentifier),
    peer: Peer,
    originated: Originated,
    connector: Arc<dyn Connector>,
    connecting: Option<Connecting>,
    links: Links,
    /// Connections that only have to say their last words.
    closing: JoinSet<()>,
    /// The session was ended for a change of the configuration: the next one begins soon after its connection is closed.
    begin_when_closed: bool,
    /// When that next session begins.
    begin_at: Option<Instant>,
    inputs: Inputs,
    liveness: Liveness,
    reports: Reports,
    /// Requests for the routes that the session cannot carry, answered when all that can be sent has been.
    asked: Vec<oneshot::Sender<Vec<UnsendableRoute>>>,
    alarm: Pin<Box<Sleep>>,
    alarm_set: bool,
    /// The connections have been read once since the deadline came. It is handled only after that, so that what the peer
    /// has sent in time counts, however late we are.
    read_at_deadline: bool,
    turn: usize,
    /// Connections on which whole messages have been read and not taken yet.
    unread: Vec<Direction>,
    /// The turn that this task waits for when it has much to do.
    waiting_turn: Option<WaitingTurn>,
    /// The turn that this task has, until everything that it does in it is done.
    held_turn: Option<Turn>,
    ending: bool,
    abandoned: bool,
}

/// Where a peer's task hears from others.
pub(crate) struct Inputs {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) accepted: mpsc::Receiver<Transport>,
    pub(crate) stop: oneshot::Receiver<Notification>,
    pub(crate) drain: DrainWatch,
}

impl PeerTask {
    pub(crate) fn new(
        config: Arc<PeerConfig>,
        speaker: (Asn, BgpIdentifier),
        settings: PeerSettings,
        connector: Arc<dyn Connector>,
        inputs: Inputs,
        liveness: Liveness,
        reports: Reports,
    ) -> Self {
        Self {
            config,
            speaker,
            peer: Peer::new(settings),
            originated: Originated::default(),
            connector,
            connecting: None,
            links: Links::default(),
            closing: JoinSet::new(),
            begin_when_closed: false,
            begin_at: None,
            inputs,
            liveness,
            reports,
            asked: Vec::new(),
            alarm: Box::pin(sleep(Duration::ZERO)),
            alarm_set: false,
            read_at_deadline: false,
            turn: 0,
            unread: Vec::new(),
            waiting_turn: None,
            held_turn: None,
            ending: false,
            abandoned: false,
        }
    }

    /// Runs until the peer is shut down, by whomever. The registration is dropped before what
    /// tells others of the end.
    pub(crate) async fn run(mut self, registration: Registration) {
        self.reports.event(EventKind::Added);
        self.drain();
        if let Some(time) = self.config.protocol.restart_time() {
            self.peer.restarted(clock::now() + time);
        }
        self.peer.start(clock::now());
        self.follow_bfd_config();

        loop {
            self.perform_outputs();
            self.fill_outboxes();
            self.reports.publish(&self.peer, self.links.octets_waiting());
            self.tell_unsendable();
            if self.ending {
                break;
            }
            if self.held_turn.take().is_some() {
                // Others run before this task goes on.
                yield_now().await;
            }

            let wake = self.wait().await;
            self.handle(wake, &registration);
            if self.abandoned {
                break;
            }
        }

        if self.abandoned {
            self.drop_connections();
        } else {
            self.finish().await;
        }

        drop(registration);
        self.reports.event(EventKind::Removed);
    }

    /// The one mutation.
    fn handle(&mut self, wake: Wake, registration: &Registration) {
        let now = clock::now();
        match wake {
            Wake::Stop(cease) => {
                let unsaid = || Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN);
                self.end(cease.unwrap_or_else(unsaid));
            }
            Wake::Command(Some(command)) => self.obey(command, registration),
            Wake::Command(None) => {
                self.end(Notification::cease(CeaseSubcode::PEER_DECONFIGURED));
            }
            Wake::Connected(Ok(transport)) => self.add_link(Direction::Outgoing, transport),
            Wake::Connected(Err(error)) => self.connect_failed(&error),
            Wake::Accepted(transport) => self.add_link(Direction::Incoming, transport),
            Wake::Read(direction, Ok(())) => self.read(direction),
            Wake::Turn(turn) => {
                self.held_turn = Some(turn);
                self.catch_up();
            }
            Wake::Read(direction, Err(error)) => {
                self.links.remove(direction);
                self.peer.disconnected(now, direction, error);
            }
            Wake::Wrote(direction) => self.peer.send_progress(direction),
            Wake::Closed => self.closed(),
            Wake::Drain => self.drain(),
            Wake::Bfd(transition) => self.bfd_changed(transition),
            Wake::Deadline => {
                self.release_when_due();
                self.begin_when_due();
                self.peer.handle_timeout(now);
            }
        }
    }

    /// Obeys a command and those that wait behind it, so that what they undo of each other is
    /// never sent.
    fn obey(&mut self, command: Command, registration: &Registration) {
        let mut next = Some(command);
        let mut left = crate::command::CAPACITY;
        while let Some(command) = next {
            match command {
                Command::SetRoutes(routes) => self.originated.set(&routes, &mut self.peer),
                Command::Announce(route) => self.originated.announce(route, &mut self.peer),
                Command::Withdraw(prefix) => self.originated.withdraw(prefix, &mut self.peer),
                Command::WithdrawPath(prefix, path_id) => {
                    self.originated.withdraw_path(prefix, path_id, &mut self.peer);
                }
                Command::Refresh(family, answer) => {
                    // Who asked may not wait for the answer.
                    let _ = answer.send(self.peer.request_refresh(family));
                }
                Command::Unsendable(answer) => self.asked.push(answer),
                Command::Shutdown(cease) => return self.end(cease),
                Command::Abandon => return self.abandon(),
                // What comes after one of these meets a peer that has done what it was told.
                other => return self.change(other, registration),
            }
            left -= 1;
            next = if left > 0 { self.inputs.commands.try_recv().ok() } else { None };
        }
    }

    fn tell_unsendable(&mut self) {
        for answer in self.asked.drain(..) {
            // Who asked may not wait for the answer.
            let _ = answer.send(self.peer.unsendable());
        }
    }

    fn end(&mut self, cease: Notification) {
        // Handles see at once that nobody listens any more.
        self.inputs.commands.close();
        self.inputs.accepted.close();
        self.peer.stop(clock::now(), cease);
        self.ending = true;
    }

    /// Ends without a NOTIFICATION.
    fn abandon(&mut self) {
        self.inputs.commands.close();
        self.inputs.accepted.close();
        self.abandoned = true;
    }

    fn add_link(&mut self, direction: Direction, transport: Transport) {
        let endpoints = transport.endpoints();
        let mut offered = self.peer.connected(clock::now(), direction, endpoints);
        if offered == Err(Refused::OfferAgain) {
            self.perform_outputs();
            offered = self.peer.connected(clock::now(), direction, endpoints);
        }
        match offered {
            Ok(()) => {
                tracing::debug!(?direction, local = %endpoints.local, remote = %endpoints.remote, "connected");
                self.links.insert(direction, Link::new(transport));
            }
            // Dropping the transport closes it.
            Err(refused) => tracing::debug!(?direction, %refused, "connection refused"),
        }
    }

    fn connect_failed(&mut self, error: &io::Error) {
        tracing::debug!(%error, "cannot connect");
        let error = match transport_error(error) {
            // What is signed with another password is dropped in silence (RFC 2385, section 2.0).
            TransportError::TimedOut if self.config.transport.has_authentication() => {
                TransportError::TimedOutSigned
            }
            error => error,
        };
        self.peer.disconnected(clock::now(), Direction::Outgoing, error);
    }

    fn perform_outputs(&mut self) {
        while let Some(output) = self.peer.poll_output() {
            match output {
                Output::Connect => self.connecting = Some(self.connector.connect(&self.config)),
                Output::Close(direction) => self.close(direction),
                Output::StateChange { from, to } => self.reports.state_change(from, to),
                Output::Up(negotiated) => self.reports.up(*negotiated),
                Output::Down(reason) => self.reports.down(reason),
                Output::Failed(reason) => self.reports.failed(reason),
                Output::PrefixWarning { family, held, limit } => {
                    self.reports.prefix_warning(family, held, limit);
                }
                Output::EndOfRib(family) => self.reports.end_of_rib(family),
                Output::Received(routes) => self.reports.received(routes),
                other => tracing::error!(?other, "the core asks for something unknown"),
            }
        }
    }

    /// The core has forgotten this connection but for its last words.
    fn close(&mut self, direction: Direction) {
        if direction == Direction::Outgoing {
            self.connecting = None;
        }
        match self.links.remove(direction) {
            Some(mut link) => {
                while self.peer.poll_transmit(clock::now(), direction, &mut link.outbox) {}
                self.closing.spawn(link.close());
            }
            None => self.discard(direction),
        }
    }

    /// Takes the messages in what was read: at once if they are few, in a turn if not.
    fn read(&mut self, direction: Direction) {
        if self.peer.read_buffer(direction).len() > FEW_OCTETS {
            self.unread.retain(|unread| *unread != direction);
            self.unread.push(direction);
        } else {
            self.take_messages(direction);
        }
    }

    /// Takes as many of the messages that have been read as one turn allows.
    fn take_messages(&mut self, direction: Direction) {
        self.unread.retain(|unread| *unread != direction);
        if self.peer.received_some(clock::now(), direction, MOST_OCTETS) {
            self.unread.push(direction);
        }
    }

    /// Returns true if something that has been read waits for a turn. Until then nothing more is read, but for a
    /// deadline.
    fn has_backlog(&self) -> bool {
        self.reports.has_unapplied() || !self.unread.is_empty()
    }

    /// Goes on with what has been read, now that it is this task's turn.
    fn catch_up(&mut self) {
        if self.reports.has_unapplied() {
            self.reports.apply_some();
        } else if let Some(direction) = self.unread.first().copied() {
            self.take_messages(direction);
        }
    }

    /// Notes that a connection is closed: the peer has read what ended it, unless it was too slow.
    fn closed(&mut self) {
        if self.closing.is_empty() && std::mem::take(&mut self.begin_when_closed) {
            self.begin_at = Some(clock::now() + PAUSE_AFTER_CHANGE);
        }
    }

    /// Begins the session after a change of the configuration, if that is due.
    fn begin_when_due(&mut self) {
        let now = clock::now();
        if self.begin_at.take_if(|at| *at <= now).is_some() {
            self.peer.begin(now);
        }
    }

    fn fill_outboxes(&mut self) {
        for direction in [Direction::Outgoing, Direction::Incoming] {
            let Some(link) = self.links.get_mut(direction) else {
                self.discard(direction);
                continue;
            };
            while link.has_room()
                && self.peer.poll_transmit(clock::now(), direction, &mut link.outbox)
            {}
            if !link.outbox.is_empty() {
                self.peer.send_blocked(clock::now(), direction);
            }
        }
    }

    /// Takes what can't be said to anybody any more, so that the core is done with a connection that
    /// was lost.
    fn discard(&mut self, direction: Direction) {
        let mut unsaid = BytesMut::new();
        while self.peer.poll_transmit(clock::now(), direction, &mut unsaid) {
            unsaid.clear();
        }
    }

    /// Closes all connections at once.
    fn drop_connections(&mut self) {
        self.connecting = None;
        self.links = Links::default();
        self.closing = JoinSet::new();
    }

    /// Waits until all connections are closed, which each of them bounds by itself.
    async fn finish(&mut self) {
        self.connecting = None;
        // Otherwise this task could be given a turn, and keep it from the others until its connections are closed.
        self.waiting_turn = None;
        self.close(Direction::Outgoing);
        self.close(Direction::Incoming);
        while self.closing.join_next().await.is_some() {}
    }
}
