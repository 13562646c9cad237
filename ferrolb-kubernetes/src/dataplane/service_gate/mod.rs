//! The gate of one Service on one node.
//!
//! ```text
//!            wanted                 forwards
//!   Idle ──────────────► Held ─────────────────► Announced ◄──────────────────┐
//!    ▲ ▲                  │                       │    │                      │ forwards
//!    │ │  after a while   │ in mode auto          │    │ does not forward     │
//!    │ └── Leaving ◄──────┼───────────────────────┘    ▼                      │
//!    │   (no endpoint     └───────────────────► Depreferenced ────────────────┤
//!    │    on this node)                                │ others serve         │
//!    └── not wanted ───────────────────────────────  Withdrawn ───────────────┘
//! ```
//!
//! Owns the rules by which a Service is held back, depreferenced and withdrawn. It does no I/O and reads no clock: moments and
//! observations are arguments. `node_gate` has the facts of the node.

mod facts;
mod schedule;
mod withdrawal;

use std::net::IpAddr;
use std::time::Duration;

use lb_adapter::engine::{DataplaneTarget, RouteDemand};
use lb_adapter::model::{DataplaneGate, ExternalTrafficPolicy};
use lb_adapter::planner::DataplaneStatus;

use super::proxy_health::PerFamily;
use super::timing::{Moment, SKEW, Timing};

pub(super) use facts::{Check, ConnectTarget, HealthPorts, NodeFacts, Observation};

/// The state of one Service.
#[derive(Clone, Debug)]
pub(super) struct ServiceGate {
    gate: DataplaneGate,
    policy: ExternalTrafficPolicy,
    demand: RouteDemand,
    has_other_nodes: bool,
    health_port: Option<u16>,
    /// The health port that the Service had with its former policy, until the dataplane has followed.
    former_port: Option<u16>,
    /// The target of connections, only until the Service is announced.
    connect: Option<Box<ConnectTarget>>,
    /// A hash of the addresses.
    addresses: u64,
    /// The families of the addresses.
    families: PerFamily<bool>,
    fingerprint: u64,
    /// The last change of what the dataplane forwards to.
    changed: Moment,
    /// True if it is a change of endpoints, which causes a sync, and not the appearance of the Service.
    has_changed: bool,
    /// True if an observation may still show the state before the last change, so that it has to be confirmed.
    is_doubtful: bool,
    /// True if the Service existed when the process started.
    is_initial: bool,
    /// True until it is known that the dataplane has rules for the addresses.
    is_unproven: bool,
    state: State,
    /// The number of failed checks in a row.
    failures: u8,
    /// The number of recent recoveries, which lengthen the next one.
    flaps: u8,
    /// The first of the latest successful checks in a row.
    forwards_since: Option<Moment>,
    next_check: Option<Moment>,
    /// The reason for the state, for people.
    problem: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not announced, for a reason of the API.
    Idle {
        since: Option<Moment>,
    },
    /// Not announced until the dataplane forwards.
    Held {
        since: Moment,
    },
    Announced {
        since: Moment,
    },
    Depreferenced {
        since: Moment,
    },
    Withdrawn,
    /// Announced with a lower preference, although the node has no endpoint any more.
    Leaving {
        since: Moment,
    },
}

impl ServiceGate {
    /// Makes the gate of a Service that is not announced.
    pub(super) fn new(
        target: &DataplaneTarget,
        addresses: u64,
        now: Moment,
        timing: &Timing,
    ) -> Self {
        let mut gate = Self {
            gate: target.gate,
            policy: target.policy,
            demand: RouteDemand::None,
            has_other_nodes: target.has_other_nodes,
            health_port: target.health_check_node_port,
            former_port: None,
            connect: None,
            addresses,
            families: PerFamily::default(),
            fingerprint: target.fingerprint,
            changed: now,
            has_changed: false,
            is_doubtful: false,
            is_initial: false,
            is_unproven: true,
            state: State::Idle { since: None },
            failures: 0,
            flaps: 0,
            forwards_since: None,
            next_check: None,
            problem: None,
        };
        gate.set_target(target, addresses, now, timing);
        gate
    }

    /// Marks a Service that existed when the process started. kube-proxy has followed the changes before that if it is healthy.
    pub(super) fn initial(mut self) -> Self {
        self.is_initial = true;
        self.is_unproven = false;
        self
    }

    /// Follows a change of the API. `addresses` is a hash of the Service's addresses.
    pub(super) fn set_target(
        &mut self,
        target: &DataplaneTarget,
        addresses: u64,
        now: Moment,
        timing: &Timing,
    ) {
        if self.addresses != addresses {
            // No rule of the former address helps the new one.
            self.addresses = addresses;
            self.is_unproven = true;
            self.enter(State::Idle { since: None }, now);
        }
        if self.policy != target.policy {
            // Rules for the former policy may answer a check of the new one.
            self.is_doubtful = true;
            self.former_port = self.health_port;
        }
        if self.fingerprint != target.fingerprint {
            self.fingerprint = target.fingerprint;
            (self.changed, self.has_changed) = (now, true);
            self.is_initial = false;
        }

        let before = std::mem::replace(&mut self.demand, target.demand);
        self.gate = target.gate;
        self.policy = target.policy;
        self.has_other_nodes = target.has_other_nodes;
        self.health_port = target.health_check_node_port;
        self.families = PerFamily {
            ipv4: target.addresses.iter().any(IpAddr::is_ipv4),
            ipv6: target.addresses.iter().any(IpAddr::is_ipv6),
        };
        self.follow_demand(before, target.shares_routes, now, timing);

        let is_held = matches!(self.state, State::Held { .. });
        self.connect = match target.tcp_port {
            Some(port) if is_held => Some(Box::new(ConnectTarget {
                addresses: target.addresses.clone(),
                port,
                remote_endpoints: target.remote_endpoints.clone(),
            })),
            _ => None,
        };
    }

    fn follow_demand(
        &mut self,
        before: RouteDemand,
        shares_routes: bool,
        now: Moment,
        timing: &Timing,
    ) {
        match (self.state, self.demand) {
            (State::Idle { .. }, RouteDemand::Serving | RouteDemand::Terminating)
                if shares_routes =>
            {
                self.enter(State::Announced { since: now }, now);
            }
            (State::Idle { since }, RouteDemand::Serving | RouteDemand::Terminating) => {
                // Rules for endpoints that have left may still be in place.
                let recently = |since: Moment| now.since(since) < timing.settle * 2;
                self.is_doubtful |= since.is_some_and(recently);
                self.changed = now;
                self.enter(State::Held { since: now }, now);
            }
            (State::Idle { .. }, _) => {}

            (State::Held { .. }, RouteDemand::None | RouteDemand::Elsewhere) => {
                self.enter(State::Idle { since: None }, now);
            }
            (State::Announced { .. } | State::Depreferenced { .. }, RouteDemand::Elsewhere) => {
                self.enter(State::Leaving { since: now }, now);
            }
            (State::Withdrawn, RouteDemand::Elsewhere) | (_, RouteDemand::None) => {
                self.enter(State::Idle { since: Some(now) }, now);
            }

            (State::Leaving { .. }, RouteDemand::Serving | RouteDemand::Terminating) => {
                self.return_to_service(now);
            }
            (State::Announced { .. }, RouteDemand::Serving)
                if before == RouteDemand::Terminating
                    && self.policy == ExternalTrafficPolicy::Local =>
            {
                self.return_to_service(now);
            }
            (State::Withdrawn, _) if !self.has_other_nodes => {
                self.enter(State::Depreferenced { since: now }, now);
            }
            _ => {}
        }
    }

    /// Keeps the routes of a node that has ready endpoints again at a low preference, until the dataplane has followed.
    fn return_to_service(&mut self, now: Moment) {
        self.is_doubtful = true;
        self.changed = now;
        self.problem = Some("its endpoints on the node have just become ready".into());
        self.enter(State::Depreferenced { since: now }, now);
    }

    fn enter(&mut self, state: State, now: Moment) {
        self.state = state;
        self.failures = 0;
        self.forwards_since = None;
        self.next_check = match state {
            State::Held { .. } | State::Depreferenced { .. } | State::Withdrawn => Some(now),
            State::Idle { .. } | State::Announced { .. } | State::Leaving { .. } => None,
        };
        if matches!(state, State::Idle { .. } | State::Announced { .. } | State::Leaving { .. }) {
            self.problem = None;
        }
        if matches!(state, State::Announced { .. }) {
            (self.is_doubtful, self.is_unproven) = (false, false);
            (self.connect, self.former_port) = (None, None);
        }
    }

    /// Takes the result of a check.
    ///
    /// `crowd` is the number of Services that are checked often: the more there are, the longer is the pause between two checks
    /// of one.
    pub(super) fn observe(
        &mut self,
        found: Observation,
        now: Moment,
        facts: &NodeFacts,
        timing: &Timing,
        crowd: u32,
    ) {
        match found {
            Observation::Forwards | Observation::ForwardsNow => {
                self.failures = 0;
                self.forwards_since.get_or_insert(now);
                if found == Observation::ForwardsNow {
                    self.is_doubtful = false;
                }
            }
            Observation::DoesNot(problem) => {
                self.failures = self.failures.saturating_add(1);
                self.forwards_since = None;
                if self.policy == ExternalTrafficPolicy::Local {
                    // What the port reports from now on is newer than the change.
                    self.is_doubtful = false;
                }
                self.note_problem(problem);
            }
        }

        self.next_check = self.following_check(now, facts, timing, crowd);
        if matches!(self.state, State::Announced { .. }) {
            self.judge_announced(now, facts, timing);
        }
        self.tick(now, facts, timing);
    }

    fn note_problem(&mut self, problem: String) {
        let is_visible = matches!(
            self.state,
            State::Held { .. } | State::Depreferenced { .. } | State::Withdrawn
        );
        if (is_visible || self.failures >= FAILURES) && self.problem.as_deref() != Some(&problem) {
            self.problem = Some(problem.into());
        }
    }

    /// Depreferences a Service whose health port has failed while the API says that the node has ready endpoints.
    fn judge_announced(&mut self, now: Moment, facts: &NodeFacts, timing: &Timing) {
        if self.failures == 0
            || facts.health_ports != HealthPorts::Answering
            || self.demand != RouteDemand::Serving
            || self.policy != ExternalTrafficPolicy::Local
        {
            return;
        }

        // kube-proxy may not have followed the last change yet.
        let follows_by = self.changed.after(timing.settle + SKEW);
        if now < follows_by {
            self.failures = 0;
            self.next_check = Some(follows_by);
        } else if self.failures >= FAILURES {
            self.enter(State::Depreferenced { since: now }, now);
        } else {
            self.next_check = Some(now.after(Duration::from_secs(1)));
        }
    }

    /// Follows the time and the facts of the node.
    pub(super) fn tick(&mut self, now: Moment, facts: &NodeFacts, timing: &Timing) {
        match self.state {
            State::Idle { .. } | State::Withdrawn => {}
            State::Held { since } => self.tick_held(since, now, facts, timing),
            State::Announced { since } => self.tick_announced(since, now, facts, timing),
            State::Depreferenced { .. } => self.tick_depreferenced(now, facts, timing),
            State::Leaving { since } => {
                if now.since(since) >= timing.settle {
                    self.enter(State::Idle { since: Some(now) }, now);
                }
            }
        }

        if matches!(self.state, State::Withdrawn) && self.has_recovered(now, facts, timing) {
            self.recover(now);
        }
    }

    fn tick_held(&mut self, since: Moment, now: Moment, facts: &NodeFacts, timing: &Timing) {
        let follows = self.follows(now, facts, timing);
        let is_terminating =
            self.demand == RouteDemand::Terminating && self.policy == ExternalTrafficPolicy::Local;
        let forwards = if is_terminating || !self.is_observable() {
            // A health port does not count terminating endpoints, which kube-proxy forwards to nevertheless.
            follows && (self.gate == DataplaneGate::Auto || facts.proxy_ok.is_some())
        } else {
            // Without a connection, a health port says nothing about the address.
            let has_doubt = self.is_doubtful || (self.is_unproven && self.connect.is_none());
            self.forwards_since.is_some() && (!has_doubt || follows)
        };
        let was_in_place = self.is_initial
            && self.policy == ExternalTrafficPolicy::Cluster
            && facts.proxy_ok.is_some();
        if forwards || was_in_place {
            self.enter(State::Announced { since: now }, now);
            return;
        }
        if self.gate != DataplaneGate::Auto {
            return;
        }

        let is_local = self.policy == ExternalTrafficPolicy::Local;
        let is_unobservable = is_local && facts.health_ports == HealthPorts::Silent;
        let limit = if is_unobservable { timing.settle } else { timing.fail_open };
        if now.since(since) < limit {
            return;
        }

        // Other nodes are preferred as long as this one may not forward.
        let may_forward = if is_local { is_unobservable } else { facts.proxy_failing.is_none() };
        if may_forward {
            self.enter(State::Announced { since: now }, now);
        } else {
            self.enter(State::Depreferenced { since: now }, now);
        }
    }

    fn tick_announced(&mut self, since: Moment, now: Moment, facts: &NodeFacts, timing: &Timing) {
        if now.since(since) >= FORGET_FLAPS {
            self.flaps = 0;
        }

        if let Some(failing) = facts.proxy_failing {
            let is_outdated = facts.proxy_ok.is_none_or(|ok| self.changed > ok);
            let is_over = now.since(failing) >= timing.outage;
            if is_outdated || is_over {
                self.problem = Some("kube-proxy does not answer on the node".into());
                self.enter(State::Depreferenced { since: now }, now);
            }
        } else if self.is_ignored(now, facts) {
            self.problem = Some("kube-proxy has not synced since the endpoints changed".into());
            self.enter(State::Depreferenced { since: now }, now);
        }
    }

    fn tick_depreferenced(&mut self, now: Moment, facts: &NodeFacts, timing: &Timing) {
        let is_unobservable = self.gate == DataplaneGate::Auto
            && self.policy == ExternalTrafficPolicy::Local
            && facts.health_ports == HealthPorts::Silent
            && facts.proxy_failing.is_none()
            && self.follows(now, facts, timing);
        if is_unobservable {
            self.enter(State::Announced { since: now }, now);
        } else if self.has_recovered(now, facts, timing) {
            self.recover(now);
        }
    }

    fn has_recovered(&self, now: Moment, facts: &NodeFacts, timing: &Timing) -> bool {
        if facts.proxy_failing.is_some() || self.is_ignored(now, facts) {
            return false;
        }
        let follows = self.follows(now, facts, timing);
        if !self.is_observable() {
            return follows;
        }

        let damping = match self.flaps {
            0 => Duration::ZERO,
            flaps => Duration::from_millis(500 << flaps.min(MAX_FLAPS)),
        };
        let is_stable = self.forwards_since.is_some_and(|since| now.since(since) >= damping);
        is_stable && (!self.is_doubtful || follows)
    }

    fn recover(&mut self, now: Moment) {
        if self.problem_is_failure() {
            self.flaps = self.flaps.saturating_add(1).min(MAX_FLAPS);
        }
        self.enter(State::Announced { since: now }, now);
    }

    /// Returns true if a failed check, and not the return of endpoints, led to the present state.
    fn problem_is_failure(&self) -> bool {
        let State::Depreferenced { since } = self.state else { return true };
        since > self.changed
    }

    /// Returns the moment since which the Service is held back.
    pub(super) fn held_since(&self) -> Option<Moment> {
        match self.state {
            State::Held { since } => Some(since),
            _ => None,
        }
    }

    /// Returns true if the Service existed when the process started, and has not been checked since.
    pub(super) fn is_unchecked(&self) -> bool {
        self.is_initial && self.failures == 0 && matches!(self.state, State::Held { .. })
    }

    /// Returns true if the node has, or wants, routes of the Service.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle { .. })
    }

    /// Returns true if the Service is announced normally, so that a check now and then is enough.
    pub(super) fn is_announced(&self) -> bool {
        matches!(self.state, State::Announced { .. })
    }

    /// Returns the status for the planner, `None` if the Service is not announced for a reason of the API.
    pub(super) fn status(&self) -> Option<DataplaneStatus> {
        let problem = || self.problem.clone().unwrap_or_else(|| "not checked yet".into());
        match self.state {
            State::Idle { .. } => None,
            State::Held { .. } => Some(DataplaneStatus::Held(problem())),
            State::Announced { .. } => Some(DataplaneStatus::Ready),
            State::Depreferenced { .. } => Some(DataplaneStatus::Depreferenced(problem())),
            State::Withdrawn => Some(DataplaneStatus::Withdrawn(problem())),
            State::Leaving { .. } => Some(DataplaneStatus::Leaving),
        }
    }
}

/// The number of failed checks in a row that depreference a Service.
const FAILURES: u8 = 2;
/// The number of recoveries that lengthen the next one, to 32 s at most.
const MAX_FLAPS: u8 = 6;
/// The time without a failure after which earlier ones no longer count.
const FORGET_FLAPS: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests;
