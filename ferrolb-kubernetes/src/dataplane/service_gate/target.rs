//! The changes of the API: the target of a gate, and the routes that the node should have.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU64;

use lb_adapter::engine::{DataplaneTarget, RouteDemand};
use lb_adapter::model::ExternalTrafficPolicy;

use super::super::timing::{Moment, Timing};
use super::{ConnectTarget, ServiceGate, State};

impl ServiceGate {
    /// Follows a change of the API. Returns true if the result of a check that is under way does not count any more.
    pub(in crate::dataplane) fn set_target(
        &mut self,
        target: &DataplaneTarget,
        now: Moment,
        timing: &Timing,
    ) -> bool {
        let has_new_addresses = self.set_addresses(&target.addresses);
        let is_outdated = has_new_addresses
            || self.policy != target.policy
            || self.health_port != target.health_check_node_port;
        if has_new_addresses {
            // No rule of the former address helps the new one.
            (self.is_unproven, self.is_initial) = (true, false);
            self.enter(State::Idle { since: None }, now);
        }
        if self.policy != target.policy {
            // Rules for the former policy may answer a check of the new one.
            self.is_doubtful = true;
            self.former_port = self.health_port.filter(|_| self.is_idle());
        }
        if self.fingerprint != target.fingerprint {
            self.fingerprint = target.fingerprint;
            self.changed = now;
            self.is_initial = false;
        }

        let before = std::mem::replace(&mut self.demand, target.demand);
        self.gate = target.gate;
        self.policy = target.policy;
        self.has_other_nodes = target.has_other_nodes;
        self.health_port = target.health_check_node_port;
        self.follow_demand(before, target.shares_routes, now, timing);

        let needs_connection = match self.state {
            State::Held { .. } => true,
            State::Depreferenced { .. } | State::Withdrawn => self.is_unproven,
            State::Idle { .. } | State::Announced { .. } | State::Leaving { .. } => false,
        };
        let connect = target.tcp_port.filter(|_| needs_connection).map(|port| ConnectTarget {
            addresses: target.addresses.clone(),
            port,
            remote_endpoints: target.remote_endpoints.clone(),
        });
        if self.is_in_trouble() {
            self.trouble_mut().connect = connect;
        }
        if is_outdated && self.is_in_trouble() {
            // The result of a check that is under way will not count.
            self.trouble_mut().next_check.get_or_insert(now);
        }
        is_outdated
    }

    /// Sets the addresses, at most one of each family. Returns true if none of the former ones is left: a Service that gets a
    /// second address goes on with the first.
    fn set_addresses(&mut self, addresses: &[IpAddr]) -> bool {
        let (mut ipv4, mut ipv6) = (None, None);
        for address in addresses {
            match address {
                IpAddr::V4(address) => ipv4 = Some(*address),
                IpAddr::V6(address) => ipv6 = Some(hash(*address)),
            }
        }

        let had_any = self.ipv4.is_some() || self.ipv6.is_some();
        let keeps_one =
            (ipv4.is_some() && ipv4 == self.ipv4) || (ipv6.is_some() && ipv6 == self.ipv6);
        (self.ipv4, self.ipv6) = (ipv4, ipv6);
        had_any && !keeps_one
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
        self.trouble_mut().problem =
            Some("its endpoints on the node have just become ready".into());
        self.enter(State::Depreferenced { since: now }, now);
    }
}

fn hash(address: Ipv6Addr) -> NonZeroU64 {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN)
}
