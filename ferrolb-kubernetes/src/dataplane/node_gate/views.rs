//! The questions about the other nodes, and the answers to them.
//!
//! Owns when the cluster is asked, and for which Services. `cluster_view` reads the answers.

use std::time::Duration;

use lb_adapter::model::ServiceKey;

use super::super::cluster_view::ClusterView;
use super::super::service_gate::HealthPorts;
use super::super::timing::Moment;
use super::{NodeGate, PROXY_FAILURES};

/// The time between two views of the cluster.
pub(super) const VIEW_SPACING: Duration = Duration::from_secs(2);
/// The longest time between two views, where no other node serves.
const LONGEST_VIEW_SPACING: Duration = Duration::from_secs(60);
/// The time between two views of the cluster whose only question is whether other nodes have a kube-proxy.
const PROXY_VIEW_SPACING: Duration = Duration::from_secs(60);
/// The time between two looks whether a view is needed.
const LOOK_SPACING: Duration = Duration::from_millis(250);
/// The number of Services that are looked up in one view of the cluster, and of those that are withdrawn at a time.
const VIEWED_SERVICES: usize = 16;

impl NodeGate {
    /// Returns the Services to look up in a view of the cluster, or `None` if no view is needed now.
    pub(in crate::dataplane) fn needs_view(&mut self, now: Moment) -> Option<Vec<ServiceKey>> {
        let since_last = self.last_view.map(|last| now.since(last));
        if now < self.next_look || since_last.is_some_and(|since| since < self.view_spacing) {
            return None;
        }
        self.next_look = now.after(LOOK_SPACING);

        let mut withdrawn = Vec::new();
        let mut candidates = Vec::new();
        let mut asks_for_ports = false;
        for key in self.troubled.keys() {
            let Some(gate) = self.services.get(key) else { continue };
            if gate.is_withdrawn() {
                withdrawn.push(key.clone());
            } else if gate.may_withdraw(now, &self.facts, &self.timing) {
                candidates.push(key.clone());
            }
            asks_for_ports |=
                self.facts.health_ports == HealthPorts::Unknown && gate.needs_health_ports();
        }

        let is_proxy_unknown =
            self.facts.proxy_ok.is_none() && self.proxy.failures > PROXY_FAILURES;
        let asks_for_proxy = is_proxy_unknown
            && !self.services.is_empty()
            && since_last.is_none_or(|since| since >= PROXY_VIEW_SPACING);
        if withdrawn.is_empty() && candidates.is_empty() && !asks_for_ports && !asks_for_proxy {
            return None;
        }

        // Those that are withdrawn are looked up each time, so there are not more of them than fit into a view.
        candidates.truncate(VIEWED_SERVICES.saturating_sub(withdrawn.len()));
        withdrawn.append(&mut candidates);
        self.last_view = Some(now);
        self.asks_for_ports = asks_for_ports;
        Some(withdrawn)
    }

    /// Takes a view of the cluster, for the Services that were looked up.
    pub(in crate::dataplane) fn set_view(
        &mut self,
        services: &[ServiceKey],
        view: &ClusterView,
        now: Moment,
    ) {
        self.proxy.is_expected |= view.has_proxy;
        if self.asks_for_ports && self.facts.health_ports == HealthPorts::Unknown {
            self.facts.health_ports = if view.has_health_ports {
                HealthPorts::Answering
            } else {
                tracing::warn!(
                    "no node of the cluster serves the health ports of Services: nodes announce without waiting for them"
                );
                HealthPorts::Silent
            };
            self.tick_all(now);
        }

        for key in services {
            let is_served = view.served.contains(key);
            self.update(key, now, |gate, _| gate.set_served_elsewhere(is_served, now));
        }
        // Where no other node serves, the answer will hardly be another one soon.
        self.view_spacing = match view.served.is_empty() {
            true if !services.is_empty() => (self.view_spacing * 2).min(LONGEST_VIEW_SPACING),
            _ => VIEW_SPACING,
        };
    }

    /// Announces what is withdrawn again, with a low preference, since the state of the other nodes is not known.
    pub(in crate::dataplane) fn lose_view(&mut self, services: &[ServiceKey], now: Moment) {
        for key in services {
            self.update(key, now, |gate, _| {
                if gate.is_withdrawn() {
                    gate.set_served_elsewhere(false, now);
                }
            });
        }
        self.view_spacing = (self.view_spacing * 2).min(LONGEST_VIEW_SPACING);
    }
}
