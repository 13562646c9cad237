//! [`Reports`]: the outward side of a peer's task: status, events, log and received routes.

use std::{collections::VecDeque, mem, sync::Arc, time::Instant};

use bgp_core::{
    AfiSafi,
    fsm::{DownReason, Negotiated, RemoteAs, StateKind},
    peer::{Import, LastMessages, Peer, PeerStats, ReceivedRoutes},
    rib::{Nlri, PathSource, Relay},
};
use tokio::sync::{broadcast, watch};

use super::session_log::SessionLog;
use crate::{
    DrainStage, Event, EventKind, OperatorAction, PeerConfig, PeerId, PeerStatus, Updated,
    bfd::{self, Transition},
    clock,
    monitoring::PeerMonitor,
    table::{PendingRoutes, Table, WorkPermit},
};

/// The channels on which a peer's task reports.
pub(crate) struct Reports {
    peer: PeerId,
    /// [`Import::Keep`] if the peer's routes may be in the table.
    import: Import,
    status: watch::Sender<PeerStatus>,
    events: broadcast::Sender<Event>,
    table: Arc<Table>,
    /// The source of the session's routes, for the decision process.
    source: Option<Arc<PathSource<PeerId>>>,
    unsendable: UnsendableReport,
    /// Received routes that are not in the table yet, in order, each with the event to send when they are.
    pending: VecDeque<(PendingRoutes, EventKind)>,
    /// Where to go on with the removal of the routes.
    cleared_to: Option<Nlri>,
    /// The changes since the status was published.
    changes: StatusChanges,
    log: SessionLog,
    /// The way to stations and recorders.
    pub(super) monitor: PeerMonitor,
}

/// The facts that the task knows, and the core does not.
#[derive(Clone, Copy)]
pub(super) struct SessionFacts {
    /// The octets that the connections have not taken yet.
    pub(super) octets_waiting: usize,
    /// The latest time at which BFD allows the next session.
    pub(super) bfd_hold_until: Option<Instant>,
}

/// The latest report on the routes that the session cannot carry.
#[derive(Default)]
struct UnsendableReport {
    /// The last count of [`Peer::unsendable_changes`].
    changes: u64,
    routes: usize,
    /// The number of the session's reasons that are in the log.
    logged: usize,
}

/// The most changes of the table that a task makes with one work permit.
const MOST_CHANGES: usize = 512;

/// The facts that changed; `None`: as before.
#[derive(Default)]
struct StatusChanges {
    /// True if something changed that wakes tasks waiting for a change.
    any: bool,
    state: Option<StateKind>,
    negotiated: Option<Option<Arc<Negotiated>>>,
    down: Option<DownReason>,
    failure: Option<DownReason>,
    /// The text with which the operator has disabled the peer, or `None` in it after the peer was enabled.
    disabled: Option<Option<String>>,
    drain: Option<DrainStage>,
    remote_as: Option<RemoteAs>,
    relay: Option<Option<Relay>>,
    bfd: Option<Option<bfd::State>>,
}

impl Reports {
    pub(crate) fn new(
        config: &PeerConfig,
        status: watch::Sender<PeerStatus>,
        events: broadcast::Sender<Event>,
        table: Arc<Table>,
        monitor: PeerMonitor,
    ) -> Self {
        Self {
            peer: config.id(),
            import: config.protocol.import(),
            status,
            events,
            table,
            source: None,
            unsendable: UnsendableReport::default(),
            pending: VecDeque::new(),
            cleared_to: None,
            changes: StatusChanges::default(),
            log: SessionLog::default(),
            monitor,
        }
    }

    pub(super) fn state_change(&mut self, from: StateKind, to: StateKind) {
        self.log.state_change(from, to);
        self.changes.any = true;
        self.changes.state = Some(to);
        self.event(EventKind::StateChange { from, to });
    }

    pub(super) fn up(&mut self, negotiated: Negotiated) {
        let identifier = negotiated.remote_identifier;
        self.log.up(&negotiated);

        self.unsendable.logged = 0;
        let (peer, peer_type) = (self.peer, negotiated.peer_type);
        let (address, asn) = (peer.address(), negotiated.remote_asn);
        let source = PathSource { peer, address, asn, identifier, peer_type };
        self.source = Some(Arc::new(source));

        let negotiated = Arc::new(negotiated);
        self.changes.any = true;
        self.changes.negotiated = Some(Some(Arc::clone(&negotiated)));
        self.event(EventKind::Up(negotiated));
    }

    pub(super) fn down(&mut self, reason: DownReason) {
        self.log.down(&reason);
        self.changes.any = true;
        self.changes.negotiated = Some(None);
        self.changes.down = Some(reason.clone());
        self.event(EventKind::Down(reason));
    }

    pub(super) fn failed(&mut self, reason: DownReason) {
        self.log.failed(&reason);
        self.changes.any = true;
        self.changes.failure = Some(reason.clone());
        self.event(EventKind::Failed(reason));
    }

    pub(super) fn prefix_warning(&mut self, family: AfiSafi, held: u32, limit: u32) {
        self.log.prefix_warning(family, held, limit);
        self.event(EventKind::PrefixWarning { family, held, limit });
    }

    /// Reports an action of the operator. The program that passed it on knows who that is, and logs it.
    pub(super) fn operator(&mut self, action: OperatorAction) {
        match &action {
            OperatorAction::Disable(text) => {
                tracing::debug!(text, "the operator disabled the peer");
                self.changes.any = true;
                self.changes.disabled = Some(Some(text.clone()));
            }
            OperatorAction::Enable => {
                tracing::debug!("the operator enabled the peer");
                self.log.restarted();
                self.changes.any = true;
                self.changes.disabled = Some(None);
            }
            OperatorAction::Reset(text) => tracing::debug!(text, "the operator resets the session"),
            OperatorAction::Refresh(family) => {
                tracing::debug!(%family, "the operator asks for the peer's routes again");
            }
            OperatorAction::Resend(family) => {
                tracing::debug!(%family, "the operator sends our routes again");
            }
        }
        self.event(EventKind::Operator(action));
    }

    /// Reports that the peer has asked for our routes again.
    pub(super) fn refresh_requested(&self, family: AfiSafi) {
        // Not for an operator: a peer may ask as often as it likes.
        tracing::debug!(%family, "the peer asked for our routes again");
        self.event(EventKind::RefreshRequested(family));
    }

    pub(super) fn draining(&mut self, stage: DrainStage) {
        tracing::info!(?stage, "drain");
        self.changes.any = true;
        self.changes.drain = Some(stage);
        self.event(EventKind::Draining(stage));
    }

    pub(super) fn updated(&mut self, config: &PeerConfig, updated: &Updated) {
        let fields: Vec<_> = updated.changes.iter().map(|change| change.field).collect();
        let fields = fields.join(", ");

        // The caller knows the outcome, and logs what it means.
        tracing::debug!(reset = updated.reset, "configuration changed: {fields}");
        if !fields.is_empty() {
            // Other reasons may prevent a session now, or the same ones still do.
            self.log.restarted();
        }

        if config.protocol.import() == Import::Keep {
            self.import = Import::Keep;
        }
        self.changes.any = true;
        self.changes.remote_as = Some(config.remote_as());
        self.changes.relay = Some(config.protocol.relay());
        self.event(EventKind::Updated(Arc::new(updated.clone())));
    }

    /// Reports a change of the BFD session's state.
    pub(super) fn bfd_changed(&mut self, transition: Transition) {
        self.log.bfd(&transition);
        self.bfd_state(Some(transition.to));
        self.event(EventKind::Bfd(transition));
    }

    /// Reports the problem that keeps BFD from coming up, if there is one.
    pub(super) fn bfd_problem(&mut self, problem: Option<&str>) {
        self.log.bfd_problem(problem);
    }

    pub(super) fn bfd_state(&mut self, state: Option<bfd::State>) {
        self.changes.any = true;
        self.changes.bfd = Some(state);
    }

    /// Adds received routes to the table. Many routes need several work permits.
    pub(super) fn received(&mut self, routes: ReceivedRoutes) {
        let Some(source) = self.source.clone() else { return };
        let (announced, withdrawn) = (routes.announced.len(), routes.withdrawn.len());
        let changed = EventKind::RoutesChanged { announced, withdrawn };
        self.pending.push_back((PendingRoutes::new(source, routes), changed));
        if self.pending.len() == 1 {
            self.apply_some();
        }
    }

    /// Reports an End-of-RIB once the routes that came before it are in the table.
    pub(super) fn end_of_rib(&mut self, family: AfiSafi) {
        let kind = EventKind::EndOfRib(family);
        match self.source.clone().filter(|_| self.has_pending_routes()) {
            Some(source) => {
                let no_routes = PendingRoutes::new(source, ReceivedRoutes::default());
                self.pending.push_back((no_routes, kind));
            }
            None => self.event(kind),
        }
    }

    /// Removes some of the peer's routes from the table, and those that are not in it yet. Returns true if there may
    /// be more.
    pub(super) fn clear_some(&mut self) -> bool {
        self.pending.clear();
        if self.import != Import::Keep {
            return false;
        }

        self.cleared_to = self.table.clear_some(self.peer, self.cleared_to);
        if self.cleared_to.is_none() {
            self.import = Import::Drop;
        }
        self.import == Import::Keep
    }

    /// Waits for the permit that a task with much work needs.
    pub(super) fn work_permit(&self) -> impl Future<Output = WorkPermit> + Send + use<> {
        self.table.work_permit()
    }

    /// Returns true if some received routes are not in the table yet.
    pub(super) fn has_pending_routes(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Adds the next of those routes to the table, and sends the events that follow them.
    pub(super) fn apply_some(&mut self) {
        let mut left = MOST_CHANGES;
        while let Some((routes, _)) = self.pending.front_mut().filter(|_| left > 0) {
            left -= self.table.apply(routes, left);
            if routes.len() > 0 {
                return;
            }

            if let Some((_, event)) = self.pending.pop_front() {
                self.event(event);
            }
        }
    }

    pub(super) fn event(&self, kind: EventKind) {
        // There may be no reader.
        let _ = self.events.send(Event { peer: self.peer, kind });
    }

    /// Reports the routes that the session cannot carry: logs each reason once a session, and sends an event at each change.
    fn publish_unsendable(&mut self, peer: &Peer) {
        let changes = peer.unsendable_changes();
        if changes == mem::replace(&mut self.unsendable.changes, changes) {
            return;
        }

        let routes = peer.unsendable_len();
        for first in peer.unsendable_reasons().iter().skip(self.unsendable.logged) {
            self.log.unsendable(routes, first);
            self.unsendable.logged += 1;
        }

        if routes > 0 || self.unsendable.routes > 0 {
            self.unsendable.routes = routes;
            self.changes.any = true;
            self.event(EventKind::Unsendable { routes });
        }
    }

    /// Updates the status. If something changed, this wakes the tasks that wait for a change.
    pub(super) fn publish(&mut self, peer: &Peer, session: SessionFacts) {
        self.publish_unsendable(peer);
        self.log.publish(peer);

        let changes = mem::take(&mut self.changes);
        self.status.send_if_modified(|status| {
            status.stats.clone_from(peer.stats());
            status.messages.clone_from(peer.last_messages());
            status.timers.clear();
            status.timers.extend(peer.timers());
            status.connect_retry_counter = peer.connect_retry_counter();
            status.octets_waiting = session.octets_waiting;
            status.bfd_hold_until = session.bfd_hold_until;
            status.routes = peer.adj_rib_out().len();
            status.routes_pending = peer.adj_rib_out().has_pending();
            status.unsendable = peer.unsendable_len();
            status.prefixes_held = peer.adj_rib_in().len();
            if changes.any {
                changes.apply(status, peer);
            }
            changes.any
        });
    }
}

impl StatusChanges {
    fn apply(&self, status: &mut PeerStatus, peer: &Peer) {
        if let Some(state) = self.state {
            status.state = state;
            status.since = clock::now();
        }

        if let Some(negotiated) = &self.negotiated {
            status.negotiated.clone_from(negotiated);
            status.endpoints = peer.endpoints();
            status.direction = peer.session_direction();
            if negotiated.is_some() {
                status.last_failure = None;
                status.last_failure_at = None;
                status.last_error.clone_from(&status.last_down);
                status.last_error_at = status.down_since;
            }
        }

        if let Some(reason) = &self.down {
            status.last_down = Some(reason.clone());
            status.down_since = Some(clock::now());
            status.last_error = Some(reason.clone());
            status.last_error_at = Some(clock::now());
        }
        if let Some(reason) = &self.failure {
            status.last_failure = Some(reason.clone());
            status.last_failure_at = Some(clock::now());
            if is_as_informative(reason, status.last_error.as_ref()) {
                status.last_error = Some(reason.clone());
                status.last_error_at = Some(clock::now());
            }
        }

        if let Some(disabled) = &self.disabled {
            status.disabled = disabled.is_some();
            status.disabled_message = disabled.clone().unwrap_or_default();
        }
        status.drain = self.drain.unwrap_or(status.drain);
        status.remote_as = self.remote_as.unwrap_or(status.remote_as);
        status.relay = self.relay.unwrap_or(status.relay);
        status.bfd = self.bfd.unwrap_or(status.bfd);
    }
}

/// Returns true if a failure explains at least as much as the known reason.
fn is_as_informative(reason: &DownReason, known: Option<&DownReason>) -> bool {
    reason.notification().is_some() || known.is_none_or(|known| known.notification().is_none())
}

impl Drop for Reports {
    /// Removes the peer's routes from the table, unless that is done. This is for a task that was aborted.
    fn drop(&mut self) {
        while self.clear_some() {}
    }
}

/// The status of a peer whose task is about to start.
pub(crate) fn first_status(config: &PeerConfig) -> PeerStatus {
    PeerStatus {
        peer: config.id(),
        remote_as: config.remote_as(),
        relay: config.protocol.relay(),
        disabled: false,
        disabled_message: String::new(),
        drain: DrainStage::Normal,
        state: StateKind::Idle,
        since: clock::now(),
        negotiated: None,
        endpoints: None,
        direction: None,
        messages: LastMessages::default(),
        timers: Vec::new(),
        connect_retry_counter: 0,
        last_down: None,
        down_since: None,
        last_failure: None,
        last_failure_at: None,
        last_error: None,
        last_error_at: None,
        bfd: config.bfd.map(|_| bfd::State::Down),
        bfd_hold_until: None,
        stats: PeerStats::default(),
        octets_waiting: 0,
        routes: 0,
        routes_pending: false,
        unsendable: 0,
        prefixes_held: 0,
    }
}

#[cfg(test)]
#[path = "reports_tests.rs"]
mod tests;
