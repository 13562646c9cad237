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
mod target;
mod trouble;
mod withdrawal;

use std::net::Ipv4Addr;
use std::num::NonZeroU64;
use std::time::Duration;

use lb_adapter::engine::{DataplaneTarget, RouteDemand};
use lb_adapter::model::{DataplaneGate, ExternalTrafficPolicy};
use lb_adapter::planner::DataplaneStatus;

use super::timing::{Moment, SKEW, Timing};

use trouble::Trouble;

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
    ipv4: Option<Ipv4Addr>,
    /// A hash of the IPv6 address, which takes half the memory.
    ipv6: Option<NonZeroU64>,
    fingerprint: u64,
    /// The last change of what the dataplane forwards to.
    changed: Moment,
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
    /// Only while the Service is in trouble or a check has failed, since thousands of others need no memory for it.
    trouble: Option<Box<Trouble>>,
    /// Differs for each target of checks, so that a late result of a former one is recognised.
    pub(super) generation: u32,
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
    pub(super) fn new(target: &DataplaneTarget, now: Moment, timing: &Timing) -> Self {
        let mut gate = Self {
            gate: target.gate,
            policy: target.policy,
            demand: RouteDemand::None,
            has_other_nodes: target.has_other_nodes,
            health_port: target.health_check_node_port,
            former_port: None,
            ipv4: None,
            ipv6: None,
            fingerprint: target.fingerprint,
            changed: now,
            is_doubtful: false,
            is_initial: false,
            is_unproven: true,
            state: State::Idle { since: None },
            failures: 0,
            flaps: 0,
            trouble: None,
            generation: 0,
        };
        gate.set_target(target, now, timing);
        gate
    }

    /// Marks a Service whose routes the node announces already, as before a pool got a gate.
    pub(super) fn announced(mut self, now: Moment) -> Self {
        if matches!(self.state, State::Held { .. }) {
            self.enter(State::Announced { since: now }, now);
        }
        self
    }

    /// Marks a Service that existed when the process started. kube-proxy has followed the changes before that if it is healthy.
    pub(super) fn initial(mut self) -> Self {
        self.is_initial = true;
        self.is_unproven = false;
        self
    }

    fn enter(&mut self, state: State, now: Moment) {
        self.state = state;
        self.failures = 0;
        if self.is_in_trouble() {
            let trouble = self.trouble_mut();
            (trouble.forwards_since, trouble.next_check) = (None, Some(now));
        } else {
            self.trouble = None;
        }
        if matches!(state, State::Announced { .. }) {
            (self.is_doubtful, self.is_unproven) = (false, false);
            self.former_port = None;
        }
        if !matches!(state, State::Held { .. }) {
            self.is_initial = false;
        }
    }

    /// Ends the wait for the first checks: in mode `auto`, a Service that existed when the process started is announced with a
    /// low preference rather than withdrawn.
    pub(super) fn end_first_checks(&mut self, now: Moment) {
        if self.is_unchecked() && self.gate == DataplaneGate::Auto {
            self.enter(State::Depreferenced { since: now }, now);
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
                if self.is_in_trouble() {
                    self.trouble_mut().forwards_since.get_or_insert(now);
                } else {
                    self.trouble = None;
                }
                if found == Observation::ForwardsNow {
                    self.is_doubtful = false;
                }
            }
            Observation::DoesNot(problem) => self.note_failure(problem, now),
            Observation::NoEndpoint(problem) => {
                // What the port reports from now on is newer than the change.
                self.is_doubtful = false;
                self.note_failure(problem, now);
            }
        }

        self.set_next_check(self.following_check(now, facts, timing, crowd));
        if matches!(self.state, State::Announced { .. }) {
            self.judge_announced(now, facts, timing);
        }
        self.tick(now, facts, timing);
    }

    fn note_failure(&mut self, problem: String, now: Moment) {
        self.failures = self.failures.saturating_add(1);
        let is_visible = self.is_in_trouble() || (self.is_announced() && self.failures >= FAILURES);
        if is_visible {
            let trouble = self.trouble_mut();
            trouble.forwards_since = None;
            trouble.note(problem, now);
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
            self.set_next_check(Some(follows_by));
        } else if self.failures >= FAILURES {
            self.enter(State::Depreferenced { since: now }, now);
        } else {
            self.set_next_check(Some(now.after(Duration::from_secs(1))));
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
            self.has_evidence(follows)
        };
        let was_in_place = self.is_initial && facts.proxy_has_run(now, timing);
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
                self.trouble_mut().problem = Some("kube-proxy does not answer on the node".into());
                self.enter(State::Depreferenced { since: now }, now);
            }
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
        if facts.proxy_failing.is_some() {
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
        let is_stable = self.forwards_since().is_some_and(|since| now.since(since) >= damping);
        is_stable && self.has_evidence(follows)
    }

    /// Returns true if the last checks show that the dataplane forwards.
    ///
    /// They may show the state before the last change, and without a connection, a health port says nothing about the address.
    /// Then they count only if the dataplane also follows the last change.
    fn has_evidence(&self, follows: bool) -> bool {
        let has_doubt = self.is_doubtful || (self.is_unproven && self.connect().is_none());
        self.forwards_since().is_some() && (!has_doubt || follows)
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

    /// Returns true if the Service existed when the process started, and has been held back since.
    pub(super) fn is_unchecked(&self) -> bool {
        self.is_initial && matches!(self.state, State::Held { .. })
    }

    /// Returns true if the node has, or wants, routes of the Service.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle { .. })
    }

    /// Returns true if the Service is announced normally, so that a check now and then is enough.
    pub(super) fn is_announced(&self) -> bool {
        matches!(self.state, State::Announced { .. })
    }

    /// Returns true if the routes are not announced normally although the API wants them, so that frequent checks are worthwhile.
    fn is_in_trouble(&self) -> bool {
        matches!(self.state, State::Held { .. } | State::Depreferenced { .. } | State::Withdrawn)
    }

    /// Returns the status for the planner, `None` if the Service is not announced for a reason of the API.
    pub(super) fn status(&self) -> Option<DataplaneStatus> {
        let problem = || match self.trouble.as_ref().and_then(|trouble| trouble.problem.as_ref()) {
            Some(problem) => problem.clone(),
            None if self.is_observable() => "not checked yet".into(),
            None => UNOBSERVABLE.into(),
        };
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

/// The reason for the state of a Service without a check.
const UNOBSERVABLE: &str =
    "it cannot be checked, and kube-proxy has not had the time to follow the last change";
/// The number of failed checks in a row that depreference a Service.
const FAILURES: u8 = 2;
/// The number of recoveries that lengthen the next one, to 32 s at most.
const MAX_FLAPS: u8 = 6;
/// The time without a failure after which earlier ones no longer count.
const FORGET_FLAPS: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests;
