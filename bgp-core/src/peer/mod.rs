//! One peer: its connections, its RIBs, and the messages to send to it.
//!
//! [`Peer`] combines everything in this crate into one machine. The driver's loop follows the same rules in a test, in a
//! task on any runtime and in a loop around `epoll`:
//!
//! 1. make one mutation: a call that takes `&mut self` and is not a `poll_*`;
//! 2. call [`Peer::poll_output`] until it returns `None`, and perform each output;
//! 3. call [`Peer::poll_transmit`] while the socket accepts octets. For a closed connection, call it until it returns
//!    `false`, so that the peer can forget the connection;
//! 4. wait for octets, for room in the socket, for a command, or until [`Peer::poll_timeout`].
//!
//! Owns the two connections that a peer may have for a moment, and resolves their collision (RFC 4271, section 6.8).
//! Never reads a clock and never touches a socket. Nothing is encoded before the socket has room: a message that is due
//! is only a flag or a route in the Adj-RIB-Out, so memory does not grow with a slow peer.

mod change;
mod collision;
mod connection;
mod last_messages;
mod listing;
mod offer;
mod operator;
mod output;
mod prefix_limit;
mod receive;
mod received_rib;
mod refresh;
mod relay;
mod retention;
mod routes;
mod settings;
mod stats;
mod timers;
mod transmit;
mod unsendable;
mod validation;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use crate::fsm::{DownReason, Event, FsmAction, FsmConfig, Negotiated, StateKind, TransportError};
use crate::rib::{AdjRibIn, AdjRibOut, RouteSet};
use crate::{AfiSafi, Direction};

pub use self::change::{ConfigChange, TakesEffect};
pub use self::last_messages::{LastMessages, SessionStart, Timed};
pub use self::output::{ConnectionRefused, Endpoints, Output, ReceivedRoutes};
pub use self::prefix_limit::{Exceeded, PrefixLimit, PrefixLimits};
pub use self::refresh::RefreshError;
pub use self::retention::KeptFor;
pub use self::settings::{Import, PeerSettings};
pub use self::stats::{MessageCounts, PeerStats};
pub use self::timers::{PeerTimer, RunningTimer};

use self::connection::Connection;
use self::operator::Pause;
use self::received_rib::ReceivedRib;
use self::relay::Relayed;
use self::retention::Retention;
use self::transmit::EncodedGroup;
use self::unsendable::UnsendableRecord;
use self::validation::Validation;

/// One peer: its connections, state machines and RIBs.
#[derive(Debug)]
pub struct Peer {
    settings: PeerSettings,
    /// The configuration that the next OPEN is made from: `settings.fsm`, without the capabilities that the peer has
    /// refused. Refusals are forgotten when a session ends, and when the operator resets, starts or reconfigures the
    /// peer.
    offered: Arc<FsmConfig>,
    /// True if the operator wants a session.
    started: bool,
    /// The pause during which no connection is opened or accepted.
    pause: Option<Pause>,
    outgoing: Connection,
    incoming: Option<Connection>,
    /// A buffer for octets of a connection that is gone. Never read.
    discarded: BytesMut,
    adj_rib_in: ReceivedRib,
    adj_rib_out: AdjRibOut,
    validation: Validation,
    unsendable: UnsendableRecord,
    /// True if our routes carry GRACEFUL_SHUTDOWN, so that traffic moves elsewhere (RFC 8326).
    draining: bool,
    /// All routes that the peer is given, if an export policy changes them for the Adj-RIB-Out.
    originated: Option<RouteSet>,
    /// The way in which the Adj-RIB-Out's routes are relayed, if they are those of other peers.
    relayed: Option<Relayed>,
    /// True if the session has begun and the relayed routes are not known yet, so that End-of-RIB has to wait.
    awaits_relayed: bool,
    /// Families that the peer will be asked to send again (RFC 2918).
    refresh_due: BTreeSet<AfiSafi>,
    /// The end of our own restart. Until then our OPEN carries the R bit, and End-of-RIB waits for routes (RFC 4724).
    restarting: Option<Instant>,
    retention: Retention,
    outputs: VecDeque<Output>,
    /// The last reported state.
    state: StateKind,
    /// The time at which the current or last session was Established.
    established_at: Option<Instant>,
    /// The end of the MinRouteAdvertisementIntervalTimer. No announcement is sent before it.
    next_advertisement: Option<Instant>,
    encoded: EncodedGroup,
    stats: PeerStats,
    last_messages: LastMessages,
    session_start: Option<SessionStart>,
    /// True if received messages are reported octet by octet.
    reports_messages: bool,
    /// Families that have reached the warning threshold of their limit in this session.
    warned: BTreeSet<AfiSafi>,
}

impl Peer {
    /// A stopped peer.
    #[must_use]
    pub fn new(settings: PeerSettings) -> Self {
        let offered = Arc::new(settings.fsm.clone());
        Self {
            outgoing: Connection::outgoing(Arc::clone(&offered)),
            settings,
            offered,
            started: false,
            pause: None,
            incoming: None,
            discarded: BytesMut::new(),

            adj_rib_in: ReceivedRib::default(),
            adj_rib_out: AdjRibOut::new(),
            validation: Validation::default(),
            unsendable: UnsendableRecord::default(),
            draining: false,
            originated: None,
            relayed: None,
            awaits_relayed: false,
            refresh_due: BTreeSet::new(),
            restarting: None,
            retention: Retention::default(),

            outputs: VecDeque::new(),
            state: StateKind::Idle,
            established_at: None,
            next_advertisement: None,
            encoded: EncodedGroup::default(),
            stats: PeerStats::default(),
            last_messages: LastMessages::default(),
            session_start: None,
            reports_messages: false,
            warned: BTreeSet::new(),
        }
    }

    /// Reports a new TCP connection: the one that [`Output::Connect`] asked for, or one that the peer opened.
    ///
    /// A peer dials again only after it has given up its earlier connection. So an incoming connection that is not yet
    /// Established gives way to the new one, because we may never hear of its end. A session gives way only if graceful
    /// restart was negotiated, because a peer that dials then has restarted (RFC 4724, section 5).
    ///
    /// # Errors
    ///
    /// The connection is not wanted and has to be closed. After [`ConnectionRefused::OfferAgain`] it can be offered again
    /// instead.
    pub fn connected(
        &mut self,
        now: Instant,
        direction: Direction,
        endpoints: Endpoints,
    ) -> Result<(), ConnectionRefused> {
        if !self.started {
            return Err(ConnectionRefused::Stopped);
        }
        if self.pause.is_some() {
            return Err(ConnectionRefused::Paused);
        }

        match direction {
            Direction::Outgoing => self.dialled(now, endpoints)?,
            Direction::Incoming => self.accept(now, endpoints)?,
        }
        self.settle(now);
        Ok(())
    }

    /// Handles the connection that [`Output::Connect`] asked for.
    fn dialled(&mut self, now: Instant, endpoints: Endpoints) -> Result<(), ConnectionRefused> {
        let outgoing = &mut self.outgoing;
        if outgoing.fsm.state() != StateKind::Connect || outgoing.endpoints.is_some() {
            return Err(ConnectionRefused::Busy);
        }

        outgoing.endpoints = Some(endpoints);
        outgoing.since = Some(now);
        outgoing.fsm.handle(now, Event::TcpConnectionConfirmed);
        Ok(())
    }

    /// Handles a connection that the peer opened.
    fn accept(&mut self, now: Instant, endpoints: Endpoints) -> Result<(), ConnectionRefused> {
        if !self.settings.fsm.connect_mode.listens() {
            return Err(ConnectionRefused::NotAwaited);
        }
        if let Some(lost) = self.established().filter(|_| self.has_restarted(now)) {
            self.handle(now, lost, Event::TcpConnectionFails(TransportError::Replaced));
            self.settle(now);
            return Err(ConnectionRefused::OfferAgain);
        }

        match self.incoming_state() {
            // A connection that has ended may still wait for its last message to be taken.
            StateKind::Idle => {}
            StateKind::Established => return Err(ConnectionRefused::Busy),
            _ => {
                self.handle(now, Direction::Incoming, Event::OpenCollisionDump);
                self.settle(now);
                self.resume_waiting(now);
                return Err(ConnectionRefused::OfferAgain);
            }
        }

        let mut incoming = Connection::incoming(Arc::clone(&self.offered), now, endpoints);
        let restarted = self.restarting.is_some() && self.stats.established_transitions == 0;
        incoming.fsm.set_restarting(restarted);
        self.incoming = Some(incoming);
        Ok(())
    }

    /// Reports a connection that was lost or could not be opened.
    pub fn disconnected(&mut self, now: Instant, direction: Direction, error: TransportError) {
        self.lost_while_waiting(now, direction);
        self.handle(now, direction, Event::TcpConnectionFails(error));
        self.settle(now);
        self.resume_waiting(now);
    }

    /// Reports that octets wait because this connection does not accept them. The SendHoldTimer runs from now on
    /// (RFC 9687). Repeated calls do no harm. Without any call, the session of a peer that has stopped reading never ends.
    pub fn send_blocked(&mut self, now: Instant, direction: Direction) {
        if let Some(connection) = self.connection_mut(direction) {
            connection.fsm.send_blocked(now);
        }
    }

    /// Reports that this connection accepted octets.
    pub fn send_progress(&mut self, direction: Direction) {
        if let Some(connection) = self.connection_mut(direction) {
            connection.fsm.send_progress();
        }
    }

    /// The buffer to which the driver appends received octets before it calls [`Peer::received`]. Without such a connection
    /// the buffer is empty and its contents are never read, so late octets of a closed connection do no harm.
    pub fn read_buffer(&mut self, direction: Direction) -> &mut BytesMut {
        let connection = match direction {
            Direction::Outgoing => Some(&mut self.outgoing),
            Direction::Incoming => self.incoming.as_mut(),
        };
        match connection.filter(|connection| connection.endpoints.is_some()) {
            Some(connection) => &mut connection.buffer,
            None => {
                self.discarded.clear();
                &mut self.discarded
            }
        }
    }

    /// Handles every timer that has expired by `now`. A call before the next deadline does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.resume_waiting(now);
        self.hear_unread(now);
        self.outgoing.fsm.handle_timeout(now);
        if let Some(incoming) = &mut self.incoming {
            incoming.fsm.handle_timeout(now);
        }

        if self.next_advertisement.is_some_and(|at| at <= now) {
            self.next_advertisement = None;
        }
        self.end_pause(now);
        self.expire_stale(now);
        self.end_restart(now);

        self.settle(now);
        self.resume_waiting(now);
    }

    /// The next output for the driver.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The time for the next call of [`Peer::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let incoming = self.incoming.as_ref().and_then(|incoming| incoming.fsm.poll_timeout());
        let advertisement = self.next_advertisement.filter(|_| self.adj_rib_out.has_reach());

        let deadlines = [
            self.outgoing.fsm.poll_timeout(),
            incoming,
            advertisement,
            self.pause_end(),
            self.retention.next_deadline(),
            self.restarting,
            self.waiting_until(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// The state of the connection that is closest to a session.
    #[must_use]
    pub fn state(&self) -> StateKind {
        self.incoming_state().max(self.outgoing.fsm.state())
    }

    /// The negotiated parameters of the session, while it is up.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.connection(self.established()?)?.fsm.negotiated()
    }

    /// Returns true if a connection is past TCP: OPENs are being exchanged, or the session is up.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state() >= StateKind::OpenSent
    }

    /// Both ends of the connection that carries the session, while it is up.
    #[must_use]
    pub fn endpoints(&self) -> Option<Endpoints> {
        self.connection(self.established()?)?.endpoints
    }

    /// The direction of the connection that carries the session, while it is up: outgoing if we opened it.
    #[must_use]
    pub fn session_direction(&self) -> Option<Direction> {
        self.established()
    }

    /// The configuration.
    #[must_use]
    pub fn settings(&self) -> &PeerSettings {
        &self.settings
    }

    /// The routes received from the peer. Empty with [`Import::Drop`].
    #[must_use]
    pub fn adj_rib_in(&self) -> &AdjRibIn {
        self.adj_rib_in.passed()
    }

    /// The routes that the peer should have, and those that were announced to it.
    #[must_use]
    pub fn adj_rib_out(&self) -> &AdjRibOut {
        &self.adj_rib_out
    }

    fn connection(&self, direction: Direction) -> Option<&Connection> {
        match direction {
            Direction::Outgoing => Some(&self.outgoing),
            Direction::Incoming => self.incoming.as_ref(),
        }
    }

    fn connection_mut(&mut self, direction: Direction) -> Option<&mut Connection> {
        match direction {
            Direction::Outgoing => Some(&mut self.outgoing),
            Direction::Incoming => self.incoming.as_mut(),
        }
    }

    /// The state of the connection that the peer opened. Idle if there is none.
    fn incoming_state(&self) -> StateKind {
        self.incoming.as_ref().map_or(StateKind::Idle, |incoming| incoming.fsm.state())
    }

    /// The connection that carries the session.
    fn established(&self) -> Option<Direction> {
        if self.outgoing.fsm.state() == StateKind::Established {
            return Some(Direction::Outgoing);
        }
        if self.incoming_state() == StateKind::Established {
            return Some(Direction::Incoming);
        }
        None
    }

    /// Passes an event to the state machine of a connection, if the connection exists.
    fn handle(&mut self, now: Instant, direction: Direction, event: Event) {
        if let Some(connection) = self.connection_mut(direction) {
            connection.fsm.handle(now, event);
        }
    }

    /// Takes the actions of the state machines until there are none, and reports the state if it changed.
    fn settle(&mut self, now: Instant) {
        while let Some((direction, action)) = self.next_action() {
            self.perform(now, direction, action);
        }
        self.restart(now);
        while let Some((direction, action)) = self.next_action() {
            self.perform(now, direction, action);
        }

        let state = self.state();
        if state != self.state {
            self.outputs.push_back(Output::StateChange { from: self.state, to: state });
            self.state = state;
        }
    }

    fn next_action(&mut self) -> Option<(Direction, FsmAction)> {
        if let Some(action) = self.outgoing.fsm.poll_action() {
            return Some((Direction::Outgoing, action));
        }
        let action = self.incoming.as_mut()?.fsm.poll_action()?;
        Some((Direction::Incoming, action))
    }

    fn perform(&mut self, now: Instant, direction: Direction, action: FsmAction) {
        match action {
            FsmAction::Connect => self.outputs.push_back(Output::Connect),
            FsmAction::Close => {
                if let Some(connection) = self.connection_mut(direction) {
                    connection.forget();
                }
                self.outputs.push_back(Output::Close(direction));
            }
            // `settle` reports the state of the peer when all actions are taken.
            FsmAction::StateChange { .. } => {}
            FsmAction::Up(negotiated) => self.session_up(now, direction, negotiated),
            FsmAction::Down(reason) => {
                self.session_down(now, &reason);
                self.outputs.push_back(Output::Down(reason));
            }
            FsmAction::Failed(reason) => {
                self.reduce(&reason);
                self.outputs.push_back(Output::Failed(reason));
            }
        }
    }

    fn session_up(&mut self, now: Instant, direction: Direction, negotiated: Box<Negotiated>) {
        self.set_time(now);
        self.stats.established_transitions += 1;
        self.established_at = Some(now);
        self.keep_session_opens(direction);
        self.remember_sender();

        let several_paths = &negotiated.extensions.add_path_send;
        self.adj_rib_out.session_up(&negotiated.families, several_paths);
        self.encoded.forget();
        self.next_advertisement = None;
        self.begin_unsendable();
        self.begin_relay();

        self.outputs.push_back(Output::Up(negotiated.clone()));
        self.resume_routes(now, &negotiated);
        self.set_restarting(false);

        // The other connection has lost, whatever its state.
        let other = direction.opposite();
        if self.connection(other).is_some_and(|c| c.fsm.state() != StateKind::Idle) {
            self.handle(now, other, Event::OpenCollisionDump);
        }
    }

    fn session_down(&mut self, now: Instant, reason: &DownReason) {
        self.offer_all();
        self.stats.sessions_lost += 1;

        self.warned.clear();
        self.refresh_due.clear();
        self.adj_rib_out.session_down();
        self.end_relay();
        self.end_unsendable();
        self.encoded.forget();
        self.retain_routes(now, reason);
    }
}
