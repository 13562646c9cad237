//! [`PeerTask`]: drives one core [`Peer`].
//!
//! Each round of its loop makes one mutation of the core, performs the core's outputs until there are none, sends what fits
//! into the connections, and waits for one thing. The task makes no decisions of the protocol. It waits in one place
//! only, so it handles commands while a connection is being opened, and closing one connection delays no other.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use bgp_core::{
    Asn, BgpIdentifier, Direction,
    fsm::TransportError,
    peer::{ConnectionRefused, Output, Peer, PeerSettings},
    rib::{InPage, Nlri, OutPage, UnsendableRoute},
    rpki::VrpChange,
    wire::{CeaseSubcode, Notification},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinSet, yield_now},
};
use tracing::{Instrument as _, Span};

use crate::{
    Connecting, Connector, DrainStage, EventKind, PeerConfig, Transport, clock,
    command::{Command, SessionEnd},
    monitoring::PeerTables,
    registry::Registration,
    relay::Relays,
    table::WorkPermit,
    watched::Watched,
};

mod backlog;
mod bfd;
mod change;
mod connection;
mod early_start;
mod originated;
mod outbox;
mod relay;
mod reports;
mod sent;
mod session_log;
mod wake;

pub(crate) use bfd::BfdMonitor;
pub(crate) use reports::{Reports, first_status};

use connection::{Connection, Connections, transport_error};
use early_start::EarlyStart;
use originated::Originated;
use relay::Relaying;
use reports::SessionFacts;
use sent::SentRequests;
use wake::{Alarm, AwaitedPermit, Wake};

/// The number of accepted connections that may wait for a peer's task.
pub(crate) const WAITING_CONNECTIONS: usize = 4;

/// The most routes of a page of the Adj-RIB-In or the Adj-RIB-Out.
const MOST_LISTED: usize = 1_024;

/// A request for a page of a RIB: the start, the most routes, and the way to answer.
enum PageRequest {
    In(Option<Nlri>, usize, oneshot::Sender<InPage>),
    Out(Option<Nlri>, usize, oneshot::Sender<OutPage>),
}

/// The longest wait for the peer to close its end of a connection.
const PEER_CLOSES: Duration = Duration::from_secs(1);

/// The same if BFD ends afterwards and routes depend on the order. A busy router may take its time.
const PEER_CLOSES_BEFORE_BFD: Duration = Duration::from_secs(3);

/// A peer's task.
pub(crate) struct PeerTask {
    config: Arc<PeerConfig>,
    /// The speaker's own AS and BGP Identifier.
    speaker: (Asn, BgpIdentifier),
    peer: Peer,
    originated: Originated,
    relaying: Relaying,
    connector: Arc<dyn Connector>,
    connecting: Option<Connecting>,
    connections: Connections,
    /// Connections that are only being closed: the last octets go out, and the peer's end is awaited.
    closing: JoinSet<()>,
    early_start: EarlyStart,
    inputs: Inputs,
    bfd: BfdMonitor,
    reports: Reports,
    /// Requests for the routes that the session cannot carry, answered when all that can be sent has been.
    unsendable_requests: Vec<oneshot::Sender<Vec<UnsendableRoute>>>,
    /// A request for a page of a RIB, answered at the same time.
    page_request: Option<PageRequest>,
    sent_requests: SentRequests,
    alarm: Alarm,
    /// The source of wakes that was polled last.
    last_source: usize,
    /// Connections with whole messages that have been read and not handled yet.
    unread: Vec<Direction>,
    /// The time of the first of the changes that are gathered.
    gathered_since: Option<Instant>,
    /// The permit that this task waits for when it has much to do.
    awaited_permit: Option<AwaitedPermit>,
    /// The permit that this task holds, until everything that it does with it is done.
    permit: Option<WorkPermit>,
    ending: bool,
    abandoned: bool,
}

/// The channels on which a peer's task hears from the rest of the speaker.
pub(crate) struct Inputs {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) accepted: mpsc::Receiver<Transport>,
    pub(crate) stop: oneshot::Receiver<SessionEnd>,
    pub(crate) drain: Watched<DrainStage>,
    /// The VRPs for origin validation, and what has changed.
    pub(crate) vrps: Watched<VrpChange>,
    pub(crate) relays: Arc<Relays>,
}

impl PeerTask {
    pub(crate) fn new(
        config: Arc<PeerConfig>,
        speaker: (Asn, BgpIdentifier),
        settings: PeerSettings,
        connector: Arc<dyn Connector>,
        inputs: Inputs,
        bfd: BfdMonitor,
        reports: Reports,
    ) -> Self {
        Self {
            config,
            speaker,
            peer: Peer::new(settings),
            originated: Originated::default(),
            relaying: Relaying::new(Arc::clone(&inputs.relays)),
            connector,
            connecting: None,
            connections: Connections::default(),
            closing: JoinSet::new(),
            early_start: EarlyStart::default(),
            inputs,
            bfd,
            reports,
            unsendable_requests: Vec::new(),
            page_request: None,
            sent_requests: SentRequests::default(),
            alarm: Alarm::new(),
            last_source: 0,
            unread: Vec::new(),
            gathered_since: None,
            awaited_permit: None,
            permit: None,
            ending: false,
            abandoned: false,
        }
    }

    /// Runs until the peer is shut down. The registration is dropped before the event that reports the end.
    pub(crate) async fn run(mut self, registration: Registration) {
        self.span().in_scope(|| self.begin());
        while !self.ending && !self.abandoned {
            let span = self.span();
            self.serve(&registration).instrument(span).await;
        }

        if self.abandoned {
            self.abandon_connections().await;
        } else {
            self.finish().await;
        }

        // Before another peer with this address can announce routes.
        while self.reports.clear_some() {
            yield_now().await;
        }
        drop(registration);
        self.reports.event(EventKind::Removed);
    }

    /// The span of the log lines, with the name that the peer has now.
    fn span(&self) -> Span {
        let settings = &self.peer.settings().fsm;
        tracing::info_span!(
            "peer",
            name = self.config.name.as_deref(),
            peer = %self.config.id(),
            local_as = %settings.local_asn,
            remote_as = %settings.remote_as,
        )
    }

    /// Runs until the peer is shut down, or has another name.
    async fn serve(&mut self, registration: &Registration) {
        let name = self.config.name.clone();
        while self.config.name == name {
            self.perform_outputs();
            if self.closing.is_empty() {
                self.early_start.all_closed(clock::now());
            }
            self.fill_outboxes();
            self.publish();
            self.answer_requests();
            if self.ending {
                return;
            }
            if self.permit.take().is_some() {
                // Others run before this task goes on.
                yield_now().await;
            }

            let wake = self.wait().await;
            self.handle(wake, registration);
            if self.abandoned {
                return;
            }
        }
    }

    fn publish(&mut self) {
        let octets_waiting = self.connections.octets_waiting();
        let bfd_hold_until = self.bfd.held_until();
        self.reports.publish(&self.peer, SessionFacts { octets_waiting, bfd_hold_until });
    }

    fn begin(&mut self) {
        self.reports.event(EventKind::Added);
        self.drain();

        if let Some(time) = self.config.protocol.restart_time() {
            self.peer.restarted(clock::now() + time);
        }
        self.peer.start(clock::now());
        self.follow_bfd_config();
    }

    /// Makes the one mutation of a round.
    fn handle(&mut self, wake: Wake, registration: &Registration) {
        let now = clock::now();
        self.peer.report_messages(self.reports.monitor.wants_received());

        match wake {
            Wake::Stop(Some(SessionEnd::Cease(cease))) => self.end(cease),
            Wake::Stop(Some(SessionEnd::Abandon)) => self.abandon(),
            Wake::Stop(None) => {
                self.end(Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN));
            }
            Wake::Command(Some(command)) => self.obey(command, registration),
            Wake::Command(None) => {
                self.end(Notification::cease(CeaseSubcode::PEER_DECONFIGURED));
            }
            Wake::Connected(Ok(transport)) => self.add_connection(Direction::Outgoing, transport),
            Wake::Connected(Err(error)) => self.connect_failed(&error),
            Wake::Accepted(transport) => self.add_connection(Direction::Incoming, transport),
            Wake::Read(direction, Ok(())) => self.read(direction),
            Wake::Read(direction, Err(error)) => {
                self.connections.remove(direction);
                self.peer.disconnected(now, direction, error);
            }
            Wake::Permit(permit) => {
                self.permit = Some(permit);
                self.catch_up();
            }
            Wake::Wrote(direction) => self.peer.send_progress(direction),
            // The loop looks at the connections that are left.
            Wake::Closed => {}
            Wake::Drain => {
                self.drain();
                self.reports.monitor.routes_out_changed();
            }
            Wake::Vrps => self.vrps_changed(),
            Wake::Relayed => self.relay(),
            Wake::Bfd(transition) => self.bfd_changed(transition),
            Wake::BfdStatus => self.reports.bfd_problem(self.bfd.problem().as_deref()),
            Wake::Deadline => {
                self.release_when_due();
                if self.early_start.take_if_due(now) {
                    self.peer.begin(now);
                }
                self.peer.handle_timeout(now);
            }
        }
    }

    /// Handles a command and those that wait behind it. If one undoes another, nothing is sent for either.
    fn obey(&mut self, command: Command, registration: &Registration) {
        self.peer.set_time(clock::now());
        let mut next = Some(command);
        let mut left = crate::command::CAPACITY;

        while let Some(command) = next {
            if command.changes_routes() {
                self.reports.monitor.routes_out_changed();
            }
            match command {
                Command::SetRoutes(routes) => self.originated.set(&routes, &mut self.peer),
                Command::Announce(route) => self.originated.announce(route, &mut self.peer),
                Command::Withdraw(prefix) => self.originated.withdraw(prefix, &mut self.peer),
                Command::WithdrawPath(prefix, path_id) => {
                    self.originated.withdraw_path(prefix, path_id, &mut self.peer);
                }
                Command::Refresh(family, answer) => self.refresh(family, answer),
                Command::Resend(family, answer) => self.resend(family, answer),
                Command::Unsendable(answer) => self.unsendable_requests.push(answer),
                Command::RoutesSent(answer) => self.sent_requests.add(answer),
                // One page a round, so that the session goes on in between.
                Command::AdjRibIn(from, most, answer) => {
                    self.page_request = Some(PageRequest::In(from, most, answer));
                    return;
                }
                Command::AdjRibOut(from, most, answer) => {
                    self.page_request = Some(PageRequest::Out(from, most, answer));
                    return;
                }
                Command::RepeatRoutes => self.repeat_routes(),
                Command::Tables(answer) => {
                    let tables = PeerTables {
                        adj_rib_in: self.peer.adj_rib_in().routes(),
                        routes: self.peer.routes(),
                    };
                    // The caller may have stopped waiting for the answer.
                    let _ = answer.send(tables);
                }
                Command::Shutdown(cease) => return self.end(cease),
                Command::Abandon => return self.abandon(),
                // The outputs of these must be performed before the next command.
                other => return self.change(other, registration),
            }

            left -= 1;
            next = if left > 0 { self.inputs.commands.try_recv().ok() } else { None };
        }
    }

    fn answer_requests(&mut self) {
        self.answer_sent_requests();
        // The callers may have stopped waiting for the answers.
        for answer in self.unsendable_requests.drain(..) {
            let _ = answer.send(self.peer.unsendable());
        }
        match self.page_request.take() {
            Some(PageRequest::In(from, most, answer)) => {
                let _ = answer.send(self.peer.adj_rib_in().page(from, most.min(MOST_LISTED)));
            }
            Some(PageRequest::Out(from, most, answer)) => {
                let _ = answer.send(self.peer.adj_rib_out_page(from, most.min(MOST_LISTED)));
            }
            None => {}
        }
    }

    fn end(&mut self, cease: Notification) {
        // From now on handles see that the task takes no more commands.
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

    fn add_connection(&mut self, direction: Direction, transport: Transport) {
        let endpoints = transport.endpoints();
        let mut offered = self.peer.connected(clock::now(), direction, endpoints);
        if offered == Err(ConnectionRefused::OfferAgain) {
            self.perform_outputs();
            offered = self.peer.connected(clock::now(), direction, endpoints);
        }

        match offered {
            Ok(()) => {
                tracing::debug!(?direction, local = %endpoints.local, remote = %endpoints.remote, "connected");
                self.connections.insert(direction, Connection::new(transport));
            }
            // Dropping the transport closes it.
            Err(refused) => tracing::debug!(?direction, %refused, "connection refused"),
        }
    }

    fn connect_failed(&mut self, error: &io::Error) {
        tracing::debug!(%error, "cannot connect");
        let mut error = transport_error(error);
        if error == TransportError::TimedOut && self.config.transport.has_authentication() {
            // Segments that are signed with another password are dropped in silence (RFC 2385, section 2.0).
            error = TransportError::TimedOutSigned;
        }
        self.peer.disconnected(clock::now(), Direction::Outgoing, error);
    }

    fn perform_outputs(&mut self) {
        while let Some(output) = self.peer.poll_output() {
            match output {
                Output::Connect => self.connecting = Some(self.connector.connect(&self.config)),
                Output::Close(direction) => self.close(direction),
                Output::StateChange { from, to } => {
                    let endpoints = self.connections.any_endpoints();
                    self.reports.monitor.state(&self.peer, endpoints, from, to);
                    self.reports.state_change(from, to);
                }
                Output::Up(negotiated) => {
                    self.reports.monitor.up(&negotiated, self.peer.session_start());
                    self.reports.up(*negotiated);
                    self.begin_relay();
                }
                Output::Down(reason) => {
                    self.reports.monitor.down(&reason);
                    self.reports.down(reason);
                    self.follow_relay();
                }
                Output::Failed(reason) => self.reports.failed(reason),
                Output::PrefixWarning { family, held, limit } => {
                    self.reports.prefix_warning(family, held, limit);
                }
                Output::EndOfRib(family) => {
                    self.reports.monitor.end_of_rib(family);
                    self.reports.end_of_rib(family);
                }
                Output::RefreshRequested(family) => self.reports.refresh_requested(family),
                Output::MessageReceived(direction, octets) => {
                    if let Some(connection) = self.connections.get_mut(direction) {
                        let endpoints = connection.endpoints();
                        self.reports.monitor.message(&self.peer, endpoints, false, octets);
                    }
                }
                Output::Received(routes) => {
                    self.reports.monitor.routes_in_changed();
                    self.reports.received(routes);
                }
                other => tracing::error!(?other, "unknown output of the core"),
            }
        }
    }

    /// Closes all connections without a NOTIFICATION: at once, or in order if BFD is up, so that the peer notices the end of the
    /// session before that of BFD, which ends with this task. Peers that hear of BFD first take it for a failure of the
    /// path, and drop the routes that they would keep for a restart (RFC 5882 section 4.3.2).
    async fn abandon_connections(&mut self) {
        self.connecting = None;
        self.awaited_permit = None;
        self.closing = JoinSet::new();

        let connections = self.connections.take_all();
        if !self.bfd.is_up() {
            return;
        }
        for connection in connections {
            self.closing.spawn(connection.close(PEER_CLOSES_BEFORE_BFD));
        }
        while self.closing.join_next().await.is_some() {}
    }

    /// Closes all connections and waits for that, a bounded time for each.
    async fn finish(&mut self) {
        self.connecting = None;
        // Otherwise this task could be given a permit, and keep it from the others until its connections are closed.
        self.awaited_permit = None;

        self.close(Direction::Outgoing);
        self.close(Direction::Incoming);
        while self.closing.join_next().await.is_some() {}
    }
}
