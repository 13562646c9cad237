//! [`Reports`]: what a peer's task tells the world: status, events, log and received routes.

use std::{collections::VecDeque, mem, sync::Arc};

use bgp_core::{
    AfiSafi,
    fsm::{DownReason, Negotiated, RemoteAs, StateKind},
    peer::{Import, Peer, PeerStats, ReceivedRoutes},
    rib::PathSource,
};
use tokio::sync::{broadcast, watch};

use crate::{
    DrainStage, Event, EventKind, PeerConfig, PeerId, PeerStatus, Updated, bfd, clock,
    table::{Table, Turn, Unapplied},
};

/// The ways out of a peer's task.
pub(crate) struct Reports {
    peer: PeerId,
    /// Whether routes of it may be in the table.
    import: Import,
    status: watch::Sender<PeerStatus>,
    events: broadcast::Sender<Event>,
    table: Arc<Table>,
    /// Where the session's routes come from, for the decision process.
    source: Option<PathSource>,
    /// What has been reported of the routes that the session cannot carry.
    unsendable: Unsendable,
    /// Received and not in the table yet, in order, each with the event that is sent when it is.
    unapplied: VecDeque<(Unapplied, EventKind)>,
    /// What changed since the status was published.
    news: News,
}

/// What has been reported of the routes that the session cannot carry.
#[derive(Default)]
struct Unsendable {
    /// The last count of [`Peer::unsendable_changes`].
    changes: u64,
    routes: usize,
    /// How many of the session's reasons are in the log.
    logged: usize,
}

/// How many changes of the table a task makes before others have their turn.
const MOST_CHANGES: usize = 1_024;

#[derive(Default)]
struct News {
    changed: bool,
    state: Option<StateKind>,
    negotiated: Option<Option<Arc<Negotiated>>>,
    down: Option<DownReason>,
    failure: Option<DownReason>,
    disabled: Option<bool>,
    drain: Option<DrainStage>,
    remote_as: Option<RemoteAs>,
    bfd: Option<Option<bfd::State>>,
}

impl Reports {
    pub(crate) fn new(
        config: &PeerConfig,
        status: watch::Sender<PeerStatus>,
        events: broadcast::Sender<Event>,
        table: Arc<Table>,
    ) -> Self {
        Self {
            peer: config.id(),
            import: config.protocol.import(),
            status,
            events,
            table,
            source: None,
            unsendable: Unsendable::default(),
            unapplied: VecDeque::new(),
            news: News::default(),
        }
    }

    pub(super) fn state_change(&mut self, from: StateKind, to: StateKind) {
        tracing::debug!(%from, %to, "state changed");
        self.news.changed = true;
        self.news.state = Some(to);
        self.event(EventKind::StateChange { from, to });
    }

    pub(super) fn up(&mut self, negotiated: Negotiated) {
        let identifier = negotiated.remote_identifier;
        let families: Vec<_> = negotiated.families.iter().map(ToString::to_string).collect();
        tracing::info!(
            remote_identifier = %identifier, hold_time = ?negotiated.hold_time, families = families.join(" "),
            "session up"
        );

        self.unsendable.logged = 0;
        let (address, peer_type) = (self.peer.address(), negotiated.peer_type);
        self.source = Some(PathSource { address, identifier, peer_type });
        let negotiated = Arc::new(negotiated);
        self.news.changed = true;
        self.news.negotiated = Some(Some(Arc::clone(&negotiated)));
        self.event(EventKind::Up(negotiated));
    }

    pub(super) fn down(&mut self, reason: DownReason) {
        tracing::warn!(%reason, "session down");
        self.news.changed = true;
        self.news.negotiated = Some(None);
        self.news.down = Some(reason.clone());
        self.event(EventKind::Down(reason));
    }

    pub(super) fn failed(&mut self, reason: DownReason) {
        // Those who wait for a router that isn't there would fill their log with it: said once.
        let again = self.status.borrow().last_failure.as_ref() == Some(&reason);
        match again {
            true => tracing::debug!(%reason, "no session"),
            false => tracing::warn!(%reason, "no session"),
        }
        self.news.changed = true;
        self.news.failure = Some(reason.clone());
        self.event(EventKind::Failed(reason));
    }

    pub(super) fn prefix_warning(&self, family: AfiSafi, held: u32, limit: u32) {
        tracing::warn!(%family, held, limit, "the peer sends many prefixes");
        self.event(EventKind::PrefixWarning { family, held, limit });
    }

    pub(super) fn disabled(&mut self, disabled: bool) {
        tracing::info!(disabled, "as the operator asked");
        self.news.changed = true;
        self.news.disabled = Some(disabled);
    }

    pub(super) fn draining(&mut self, stage: DrainStage) {
        tracing::info!(?stage, "drain");
        self.news.changed = true;
        self.news.drain = Some(stage);
        self.event(EventKind::Draining(stage));
    }

    pub(super) fn updated(&mut self, config: &PeerConfig, updated: &Updated) {
        let fields: Vec<_> = updated.changes.iter().map(|change| change.field).collect();
        let fields = fields.join(", ");

        if updated.reset {
            tracing::info!("configuration changed, the session ends for it: {fields}");
        } else if updated.needs_reset().next().is_some() {
            // The caller logs what becomes of the session.
            tracing::debug!("configuration changed for the next session: {fields}");
        } else {
            tracing::info!("configuration changed in place: {fields}");
        }

        if config.protocol.import() == Import::Keep {
            self.import = Import::Keep;
        }
        self.news.changed = true;
        self.news.remote_as = Some(config.remote_as());
        self.event(EventKind::Updated(Arc::new(updated.clone())));
    }

    pub(super) fn bfd_state(&mut self, state: Option<bfd::State>) {
        self.news.changed = true;
        self.news.bfd = Some(state);
    }

    /// Takes routes to the table; many of them take several turns.
    pub(super) fn received(&mut self, routes: ReceivedRoutes) {
        let Some(source) = self.source else { return };
        let (announced, withdrawn) = (routes.announced.len(), routes.withdrawn.len());
        let changed = EventKind::RoutesChanged { announced, withdrawn };
        self.unapplied.push_back((Unapplied::new(source, routes), changed));
        if self.unapplied.len() == 1 {
            self.apply_some();
        }
    }

    /// Reports an End-of-RIB once the routes that came before it are in the table.
    pub(super) fn end_of_rib(&mut self, family: AfiSafi) {
        let kind = EventKind::EndOfRib(family);
        match self.source.filter(|_| self.has_unapplied()) {
            Some(source) => {
                let nothing = Unapplied::new(source, ReceivedRoutes::default());
                self.unapplied.push_back((nothing, kind));
            }
            None => self.event(kind),
        }
    }

    /// Waits for a turn among the tasks with much to do.
    pub(super) fn turn(&self) -> impl Future<Output = Turn> + Send + use<> {
        self.table.turn()
    }

    /// Returns true if some received routes are not in the table yet.
    pub(super) fn has_unapplied(&self) -> bool {
        !self.unapplied.is_empty()
    }

    /// Takes the next of those routes to the table, and sends the events that follow them.
    pub(super) fn apply_some(&mut self) {
        let mut left = MOST_CHANGES;
        while let Some((unapplied, _)) = self.unapplied.front_mut().filter(|_| left > 0) {
            left -= self.table.apply(self.peer, unapplied, left);
            if unapplied.len() > 0 {
                return;
            }
            if let Some((_, changed)) = self.unapplied.pop_front() {
                self.event(changed);
            }
        }
    }

    pub(super) fn event(&self, kind: EventKind) {
        // Nobody has to listen.
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
            let (prefix, why) = (first.prefix, first.why);
            tracing::warn!(routes, example = %prefix, %why, "routes cannot be sent");
            self.unsendable.logged += 1;
        }

        if routes > 0 || self.unsendable.routes > 0 {
            self.unsendable.routes = routes;
            self.news.changed = true;
            self.event(EventKind::Unsendable { routes });
        }
    }

    /// Brings the status up to date, and wakes those who wait for a change if there was one.
    pub(super) fn publish(&mut self, peer: &Peer, octets_waiting: usize) {
        self.publish_unsendable(peer);
        let news = mem::take(&mut self.news);
        self.status.send_if_modified(|status| {
            status.stats.clone_from(peer.stats());
            status.octets_waiting = octets_waiting;
            status.unsendable = peer.unsendable_len();
            status.prefixes_held = peer.adj_rib_in().len();
            if news.changed {
                news.write(status, peer);
            }
            news.changed
        });
    }
}

impl News {
    fn write(&self, status: &mut PeerStatus, peer: &Peer) {
        if let Some(state) = self.state {
            status.state = state;
            status.since = clock::now();
        }
        if let Some(negotiated) = &self.negotiated {
            status.negotiated.clone_from(negotiated);
            status.endpoints = peer.endpoints();
            if negotiated.is_some() {
                status.last_failure = None;
                status.last_error.clone_from(&status.last_down);
            }
        }
        if let Some(reason) = &self.down {
            status.last_down = Some(reason.clone());
            status.down_since = Some(clock::now());
            status.last_error = Some(reason.clone());
        }
        status.disabled = self.disabled.unwrap_or(status.disabled);
        status.drain = self.drain.unwrap_or(status.drain);
        status.remote_as = self.remote_as.unwrap_or(status.remote_as);
        if let Some(reason) = &self.failure {
            status.last_failure = Some(reason.clone());
            if is_as_telling(reason, status.last_error.as_ref()) {
                status.last_error = Some(reason.clone());
            }
        }
        if let Some(state) = self.bfd {
            status.bfd = state;
        }
    }
}

/// Returns true if a failure says at least as much as the known reason.
fn is_as_telling(reason: &DownReason, known: Option<&DownReason>) -> bool {
    reason.notification().is_some() || known.is_none_or(|known| known.notification().is_none())
}

impl Drop for Reports {
    /// However the task ends, its routes end with it.
    fn drop(&mut self) {
        if self.import == Import::Keep {
            self.table.clear(self.peer);
        }
    }
}

/// The status of a peer whose task is about to start.
pub(crate) fn first_status(config: &PeerConfig) -> PeerStatus {
    PeerStatus {
        peer: config.id(),
        remote_as: config.remote_as(),
        disabled: false,
        drain: DrainStage::Normal,
        state: StateKind::Idle,
        since: clock::now(),
        negotiated: None,
        endpoints: None,
        last_down: None,
        down_since: None,
        last_failure: None,
        last_error: None,
        bfd: config.bfd.map(|_| bfd::State::Down),
        stats: PeerStats::default(),
        octets_waiting: 0,
        unsendable: 0,
        prefixes_held: 0,
    }
}

#[cfg(test)]
#[path = "reports_tests.rs"]
mod tests;
