//! The parts of a speaker's output that are out of date.

use std::collections::BTreeSet;

use ferrolb_node::probe::NodeProbes;
use lb_adapter::engine::{Change, Effects, Engine};
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::RouteKey;

/// The updates that changes have made necessary and that have not been made yet.
#[derive(Debug, Default)]
pub(super) struct PendingUpdates {
    /// True if the configuration of sessions, and so all routes, may have changed.
    sessions: bool,
    /// The routes that have changed.
    routes: BTreeSet<RouteKey>,
    /// The Services whose announced peers may differ from the reported ones.
    services: BTreeSet<ServiceKey>,
    probes: PendingProbes,
}

/// The Services whose probes may be out of date.
#[derive(Debug, Default)]
enum PendingProbes {
    #[default]
    All,
    Of(BTreeSet<ServiceKey>),
}

/// The reach of a change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeScope {
    /// Sessions, routes and probes may all change.
    Everything,
    /// The routes of Services change, and perhaps their probes.
    Services,
    /// The routes of a Service change after the result of its probe; no probe changes.
    ProbeResult,
}

impl ChangeScope {
    pub(super) fn of(change: &Change) -> Self {
        match change {
            Change::Config(_) | Change::Node(_) | Change::NodeGone(_) | Change::Synced => {
                Self::Everything
            }
            Change::Probed { .. } => Self::ProbeResult,
            _ => Self::Services,
        }
    }
}

impl PendingUpdates {
    /// Notes the effects of a change.
    pub(super) fn note(&mut self, scope: ChangeScope, effects: Effects, engine: &Engine) {
        if scope == ChangeScope::Everything {
            self.note_all(engine);
            self.probes = PendingProbes::All;
        }
        if let PendingProbes::Of(services) = &mut self.probes
            && scope == ChangeScope::Services
        {
            services.extend(effects.planned.iter().cloned());
        }

        self.services.extend(effects.planned);
        for routes in effects.routes.into_values() {
            self.routes.extend(routes);
        }
    }

    /// Notes that the sessions, and with them all routes and Services, may have changed.
    pub(super) fn note_all(&mut self, engine: &Engine) {
        self.sessions = true;
        self.note_all_services(engine);
    }

    /// Notes that the configuration of sessions may have changed.
    pub(super) fn note_sessions(&mut self) {
        self.sessions = true;
    }

    /// Notes that the announced peers of these Services may have changed.
    pub(super) fn note_services(&mut self, services: BTreeSet<ServiceKey>) {
        self.services.extend(services);
    }

    /// Notes that the announced peers of any Service may have changed.
    pub(super) fn note_all_services(&mut self, engine: &Engine) {
        self.services.extend(engine.service_keys().cloned());
    }

    /// Returns true if the sessions may have changed. Clears that mark, and the routes that the update covers.
    pub(super) fn take_sessions(&mut self) -> bool {
        if self.sessions {
            self.routes.clear();
        }
        std::mem::take(&mut self.sessions)
    }

    /// Takes the routes that have changed.
    pub(super) fn take_routes(&mut self) -> BTreeSet<RouteKey> {
        std::mem::take(&mut self.routes)
    }

    /// Takes the Services whose announced peers may have changed.
    pub(super) fn take_services(&mut self) -> BTreeSet<ServiceKey> {
        std::mem::take(&mut self.services)
    }

    /// Brings the probes in line with the engine. Returns the changes for Services whose probe result no longer counts.
    pub(super) fn follow_probes(
        &mut self,
        probes: &mut NodeProbes,
        engine: &Engine,
    ) -> Vec<Change> {
        match std::mem::replace(&mut self.probes, PendingProbes::Of(BTreeSet::new())) {
            PendingProbes::All => probes.update_all(engine),
            PendingProbes::Of(services) => probes.update(engine, &services),
        }
    }
}
