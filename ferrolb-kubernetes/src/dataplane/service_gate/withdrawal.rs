//! The withdrawal of routes whose dataplane has failed, while another node serves.

use lb_adapter::engine::RouteDemand;
use lb_adapter::model::ExternalTrafficPolicy;

use super::super::timing::{Moment, Timing};
use super::{NodeFacts, ServiceGate, State};

impl ServiceGate {
    /// Returns true if the routes should be withdrawn, provided that another node serves.
    pub(in crate::dataplane) fn may_withdraw(
        &self,
        now: Moment,
        facts: &NodeFacts,
        timing: &Timing,
    ) -> bool {
        let State::Depreferenced { since } = self.state else { return false };
        self.has_other_nodes
            && self.demand == RouteDemand::Serving
            && now.since(since) >= timing.withdraw_after
            && facts.reported.is_some_and(|reported| reported > since)
    }

    /// Returns true if the routes are withdrawn.
    pub(in crate::dataplane) fn is_withdrawn(&self) -> bool {
        self.state == State::Withdrawn
    }

    /// Withdraws the routes, or announces them again with a low preference if no other node serves.
    pub(in crate::dataplane) fn set_served_elsewhere(&mut self, is_served: bool, now: Moment) {
        match (self.state, is_served) {
            (State::Depreferenced { .. }, true) => self.enter(State::Withdrawn, now),
            (State::Withdrawn, false) => self.enter(State::Depreferenced { since: now }, now),
            _ => {}
        }
    }

    /// Returns true if the Service has been held back for so long that mode `auto` needs to know whether the cluster has health
    /// ports at all.
    pub(in crate::dataplane) fn needs_health_ports(&self) -> bool {
        self.policy == ExternalTrafficPolicy::Local
            && self.health_port.is_some()
            && matches!(self.state, State::Depreferenced { .. })
            && self.failures > 0
    }
}
