//! The parts of a speaker's output that are out of date.

use std::collections::BTreeSet;

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
    /// The probes that may be out of date.
    probes: Targets,
    /// The targets of the dataplane gate that may be out of date.
    dataplane: Targets,
}

/// The targets of observations that may be out of date.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Targets {
    /// Those of all Services.
    #[default]
    All,
    /// Those of these Services.
    Of(BTreeSet<ServiceKey>),
}

impl Targets {
    fn extend(&mut self, services: &BTreeSet<ServiceKey>) {
        if let Self::Of(pending) = self {
            pending.extend(services.iter().cloned());
        }
    }

    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Of(BTreeSet::new()))
    }
}

/// The reach of a change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeScope {
    /// Sessions, routes and observations may all change.
    Everything,
    /// The routes of Services change, and perhaps their probes and the state of their dataplane.
    Services,
    /// The routes of a Service change after the result of its probe; no probe changes.
    ProbeResult,
    /// The routes of a Service change after an observation of the dataplane; nothing else changes.
    Dataplane,
}

impl ChangeScope {
    pub(super) fn of(change: &Change) -> Self {
        match change {
            Change::Config(_) | Change::Node(_) | Change::NodeGone(_) | Change::Synced => {
                Self::Everything
            }
            Change::Probed { .. } => Self::ProbeResult,
            Change::Dataplane { .. } => Self::Dataplane,
            _ => Self::Services,
        }
    }
}

impl PendingUpdates {
    /// Notes the effects of a change.
    pub(super) fn note(&mut self, scope: ChangeScope, effects: Effects, engine: &Engine) {
        if scope == ChangeScope::Everything {
            self.note_all(engine);
            (self.probes, self.dataplane) = (Targets::All, Targets::All);
        }
        if scope == ChangeScope::Services {
            self.probes.extend(&effects.planned);
        }
        if matches!(scope, ChangeScope::Services | ChangeScope::ProbeResult) {
            self.dataplane.extend(&effects.planned);
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

    /// Takes the probes that may be out of date.
    pub(super) fn take_probes(&mut self) -> Targets {
        self.probes.take()
    }

    /// Takes the targets of the dataplane gate that may be out of date.
    pub(super) fn take_dataplane(&mut self) -> Targets {
        self.dataplane.take()
    }
}
