//! One peer: its connections, its RIBs, and what to send to it next.
//!
//! [`Peer`] joins everything in this crate into a machine that a driver needs only to feed. The law of the
//! loop, the same for a test, for a task on any runtime and for a loop around `epoll`:
//!
//! 1. make one mutation: a call that takes `&mut self` and is not a `poll_*`;
//! 2. call [`Peer::poll_output`] until it answers `None`, and do what it says;
//! 3. call [`Peer::poll_transmit`] while the socket takes octets; where a connection is gone, until it answers
//!    `false`, so that the peer is done with it;
//! 4. wait for octets, for room, for a command, or until [`Peer::poll_timeout`].
//!
//! Owns the two connections that a peer may have for a moment, and settles their collision (RFC 4271, section
//! 6.8). Never reads a clock and never touches a socket. Nothing is encoded before the socket has room: what
//! is due is a flag or a route in the Adj-RIB-Out, hence memory does not grow with a slow peer.

mod change;
mod collision;
mod connection;
mod operator;
mod output;
mod prefix_limit;
mod receive;
mod retention;
mod routes;
mod settings;
mod stats;
mod transmit;
mod unsendable;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use tracing::info;

use crate::fsm::{DownReason, Event, FsmAction, FsmConfig, Negotiated, StateKind, TransportError};
use crate::rib::{AdjRibIn, AdjRibOut, RouteSet};
use crate::{AfiSafi, Direction};

pub use self::change::{ConfigChange, TakesEffect};
pub use self::output::{Endpoints, Output, ReceivedRoutes, Refused};
pub use self::prefix_limit::{Exceeded, PrefixLimit, PrefixLimits};
pub use self::settings::{Import, PeerSettings};
pub use self::stats::{MessageCounts, PeerStats};

use self::connection::Connection;
use self::operator::Pause;
use self::retention::Retention;
use self::transmit::EncodedGroup;
use self::unsendable::Unsent;

/// One peer.
#[derive(Debug)]
pub struct Peer {
    settings: PeerSettings,
    /// The configuration that the next OPEN is made from: `settings.fsm`, without the capabilities that the peer has
    /// refused. Refusals are forgotten when a session ends, and when the operator resets, starts or reconfigures the
    /// peer.
    offered: Arc<FsmConfig>,
    /// The operator wants a session.
    started: bool,
    /// No connection is made or accepted before this is over.
    pause: Option<Pause>,
    outgoing: Connection,
    incoming: Option<Connection>,
    /// Octets for a connection that is not there; never read.
    unwanted: BytesMut,
    adj_rib_in: AdjRibIn,
    adj_rib_out: AdjRibOut,
    unsent: Unsent,
    /// Our routes are marked, since traffic is to go another way (RFC 8326).
    draining: bool,
    /// All that the peer should have, where an export policy lets it have something else.
    originated: Option<RouteSet>,
    /// Families to ask the peer for (RFC 2918).
    refresh_due: BTreeSet<AfiSafi>,
    /// Until then our OPEN says that we have just restarted, and End-of-RIB waits for routes (RFC 4724).
    restarting: Option<Instant>,
    retention: Retention,
    outputs: VecDeque<Output>,
    /// The state last reported.
    state: StateKind,
    /// When the session that is up, or the last one, was Established.
    established_at: Option<Instant>,
    /// While this lies ahead no announcement is sent: MinRouteAdvertisementIntervalTimer.
    next_advertisement: Option<Instant>,
    encoded: EncodedGroup,
    stats: PeerStats,
    /// Families that have reached the warning of their limit in this session.
    warned: BTreeSet<AfiSafi>,
}

impl Peer {
    /// A peer, stopped.
    #[must_use]
    pub fn new(settings: PeerSettings) -> Self {
        let offered = Arc::new(settings.fsm.clone());
        Self {
            outgoing: Connection::outgoing(Arc::clone(&offered)),
            settings,
            offered,
            started: false,
            pause: None,
            warned: BTreeSet::new(),
            incoming: None,
            unwanted: BytesMut::new(),
            adj_rib_in: AdjRibIn::new(),
            adj_rib_out: AdjRibOut::new(),
            unsent: Unsent::default(),
            draining: false,
            originated: None,
            refresh_due: BTreeSet::new(),
            restarting: None,
            retention: Retention::default(),
            outputs: VecDeque::new(),
            state: StateKind::Idle,
            established_at: None,
            next_advertisement: None,
            encoded: EncodedGroup::default(),
            stats: PeerStats::default(),
        }
    }

    /// A TCP connection is there: the one that [`Output::Connect`] asked for, or one that the peer made.
    ///
    /// The peer dials again only when it has given up the connection that it made before. So one that is not
    /// yet Established, and of whose end we may never hear, makes way for the new one. A session makes way only where
    /// graceful restart was agreed on, since a peer that dials then has restarted (RFC 4724, section 5).
    ///
    /// # Errors
    ///
    /// Where it is not wanted: close it. [`Refused::OfferAgain`]: not yet.
    pub fn connected(
        &mut self,
        now: Instant,
        direction: Direction,
        endpoints: Endpoints,
    ) -> Result<(), Refused> {
        if !self.started {
            return Err(Refused::Stopped);
        }
        if self.pause.is_some() {
            return Err(Refused::Paused);
        }
        match direction {
            Direction::Outgoing => self.dialled(now, endpoints)?,
            Direction::Incoming => self.accept(now, endpoints)?,
        }
        self.settle(now);
        Ok(())
    }

    /// Takes the connection that [`Output::Connect`] asked for.
    fn dialled(&mut self, now: Instant, endpoints: Endpoints) -> Result<(), Refused> {
        let outgoing = &mut self.outgoing;
        if outgoing.fsm.state() != StateKind::Connect || outgoing.endpoints.is_some() {
            return Err(Refused::Busy);
        }
        outgoing.endpoints = Some(endpoints);
        outgoing.since = Some(now);
        outgoing.fsm.handle(now, Event::TcpConnectionConfirmed);
        Ok(())
    }

    /// Takes a connection that the peer made.
    fn accept(&mut self, now: Instant, endpoints: Endpoints) -> Result<(), Refused> {
        if !self.settings.fsm.connect_mode.listens() {
            return Err(Refused::NotAwaited);
        }
        if let Some(lost) = self.established().filter(|_| self.has_restarted(now)) {
            self.handle(now, lost, Event::TcpConnectionFails(TransportError::Replaced));
            self.settle(now);
            return Err(Refused::OfferAgain);
        }
        match self.incoming_state() {
            // One that is over only waits for its last message to be fetched.
            StateKind::Idle => {}
            StateKind::Established => return Err(Refused::Busy),
            _ => {
                self.handle(now, Direction::Incoming, Event::OpenCollisionDump);
                self.settle(now);
                self.resume_waiting(now);
                return Err(Refused::OfferAgain);
            }
        }

        let mut incoming = Connection::incoming(Arc::clone(&self.offered), now, endpoints);
        let restarted = self.restarting.is_some() && self.stats.established_transitions == 0;
        incoming.fsm.set_restarting(restarted);
        self.incoming = Some(incoming);
        Ok(())
    }

    /// A connection is lost, or could not be made.
    pub fn disconnected(&mut self, now: Instant, direction: Direction, error: TransportError) {
        self.lost_while_waiting(now, direction);
        self.handle(now, direction, Event::TcpConnectionFails(error));
        self.settle(now);
        self.resume_waiting(now);
    }

    /// Octets wait that this connection does not take: the SendHoldTimer runs from now on (RFC 9687). Say so as often
    /// as you like; a driver that never does never ends a session whose peer has stopped reading.
    pub fn send_blocked(&mut self, now: Instant, direction: Direction) {
        if let Some(connection) = self.connection_mut(direction) {
            connection.fsm.send_blocked(now);
        }
    }

    /// This connection took octets.
    pub fn send_progress(&mut self, direction: Direction) {
        if let Some(connection) = self.connection_mut(direction) {
            connection.fsm.send_progress();
        }
    }

    /// Where to append received octets before [`Peer::received`]; read straight into it. Empty and without
    /// use where there is no such connection: what comes late on one that is over is never read.
    pub fn read_buffer(&mut self, direction: Direction) -> &mut BytesMut {
        let connection = match direction {
            Direction::Outgoing => Some(&mut self.outgoing),
            Direction::Incoming => self.incoming.as_mut(),
        };
        match connection.filter(|connection| connection.endpoints.is_some()) {
            Some(connection) => &mut connection.buffer,
            None => {
                self.unwanted.clear();
                &mut self.unwanted
            }
        }
    }

    /// Takes every timer that has expired by `now`. Calling it too early does nothing.
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

    /// What to do or to know next.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Peer::handle_timeout`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let incoming = self.incoming.as_ref().and_then(|incoming| incoming.fsm.poll_timeout());
        let advertisement = self.next_advertisement.filter(|_| self.adj_rib_out.has_reach());
        let timers = [self.outgoing.fsm.poll_timeout(), incoming, advertisement, self.pause_end()];
        let waits = [self.retention.next_deadline(), self.restarting, self.waiting_until()];
        let timers = timers.into_iter().chain(waits);
        timers.flatten().min()
    }

    /// The state of the connection that is nearest to a session.
    #[must_use]
    pub fn state(&self) -> StateKind {
        self.incoming_state().max(self.outgoing.fsm.state())
    }

    /// What was agreed on, while the session is up.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.connection(self.established()?)?.fsm.negotiated()
    }

    /// Whether a peer's connection is past TCP: OPENs are being exchanged, or the session is up.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state() >= StateKind::OpenSent
    }

    /// Both ends of the connection that carries the session, while it is up.
    #[must_use]
    pub fn endpoints(&self) -> Option<Endpoints> {
        self.connection(self.established()?)?.endpoints
    }

    /// The configuration.
    #[must_use]
    pub fn settings(&self) -> &PeerSettings {
        &self.settings
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> &PeerStats {
        &self.stats
    }

    /// What the peer has told us; empty with [`Import::Drop`](crate::peer::Import::Drop).
    #[must_use]
    pub fn adj_rib_in(&self) -> &AdjRibIn {
        &self.adj_rib_in
    }

    /// What the peer should have, and has been told.
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

    /// The state of the connection that the peer made; Idle where there is none.
    fn incoming_state(&self) -> StateKind {
        self.incoming.as_ref().map_or(StateKind::Idle, |incoming| incoming.fsm.state())
    }

    /// The connection that carries the session.
    fn established(&self) -> Option<Direction> {
        [Direction::Outgoing, Direction::Incoming].into_iter().find(|&direction| {
            self.connection(direction).is_some_and(|c| c.fsm.state() == StateKind::Established)
        })
    }

    fn handle(&mut self, now: Instant, direction: Direction, event: Event) {
        if let Some(connection) = self.connection_mut(direction) {
            connection.fsm.handle(now, event);
        }
    }

    /// Carries out what the state machines ask for, until they ask for nothing.
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
            // The state of the peer is judged when everything has settled.
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
        self.stats.established_transitions += 1;
        self.established_at = Some(now);
        let several_paths = &negotiated.extensions.add_path_send;
        self.adj_rib_out.session_up(&negotiated.families, several_paths);
        self.encoded.forget();
        self.next_advertisement = None;
        self.begin_unsent();
        self.outputs.push_back(Output::Up(negotiated.clone()));
        self.resume_routes(now, &negotiated);
        self.say_restarting(false);
        // Whatever stage the other connection is at, it has lost.
        let other = direction.opposite();
        if self.connection(other).is_some_and(|c| c.fsm.state() != StateKind::Idle) {
            self.handle(now, other, Event::OpenCollisionDump);
        }
    }

    /// Leaves out of the next OPEN what the peer has refused in this one (RFC 5492, section 3).
    fn reduce(&mut self, reason: &DownReason) {
        let DownReason::Remote(notification) = reason else { return };
        let Some(reduced) = self.offered.without_refused(notification) else { return };
        info!(refused = %notification, "the next OPEN leaves out what the peer refuses");
        self.offer(reduced);
    }

    /// Makes the next OPEN from the whole configuration.
    fn offer_all(&mut self) {
        if *self.offered != self.settings.fsm {
            self.offer(self.settings.fsm.clone());
        }
    }

    /// Makes the next OPEN from this configuration.
    fn offer(&mut self, config: FsmConfig) {
        self.offered = Arc::new(config);
        self.outgoing.fsm.set_config(Arc::clone(&self.offered));
        if let Some(incoming) = &mut self.incoming {
            incoming.fsm.set_config(Arc::clone(&self.offered));
        }
    }

    fn session_down(&mut self, now: Instant, reason: &DownReason) {
        self.offer_all();
        self.stats.sessions_lost += 1;
        self.warned.clear();
        self.refresh_due.clear();
        self.adj_rib_out.session_down();
        self.end_unsent();
        self.encoded.forget();
        self.retain_routes(now, reason);
    }

    /// Drops what the peer has told us.
    fn forget_received(&mut self) {
        self.retention.forget();
        let withdrawn = self.adj_rib_in.clear();
        self.report_received(ReceivedRoutes { announced: Vec::new(), withdrawn });
    }

    /// Sees to it that a started peer is on its way to a session, and that only one way is taken once the
    /// peer's own connection is confirmed.
    fn restart(&mut self, now: Instant) {
        if !self.started {
            return;
        }
        if self.pause.is_some() || self.incoming_state() >= StateKind::OpenConfirm {
            self.outgoing.fsm.cancel_restart();
        } else if self.outgoing.fsm.state() == StateKind::Idle {
            if self.settings.fsm.connect_mode.dials() {
                self.outgoing.fsm.restart_after_pause(now);
            } else {
                self.outgoing.fsm.handle(now, Event::AutomaticStart);
            }
        }
    }
}
