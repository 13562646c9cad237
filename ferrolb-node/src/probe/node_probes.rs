//! A node's probes, from the engine that says what is to be probed and back to it with what was found.
//!
//! Shared by whatever speaks for a real node. What a finding means, the planner decides.
//!
//! Owns, too, how long the first tables wait for the first tries: of a Service that has not been tried nothing is
//! known, so that it is not announced, and a router that has kept its route over a restart (RFC 4724) would drop it.

use std::collections::BTreeSet;

use tokio::sync::mpsc;

use super::first_tries::FirstTries;
use super::{Found, Prober};
use lb_adapter::engine::{Change, Engine};
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::ProbeStatus;

/// The probes of one node.
#[derive(Debug)]
pub struct NodeProbes {
    node: String,
    prober: Prober,
    found: mpsc::Receiver<Found>,
    first: FirstTries,
}

impl NodeProbes {
    /// Of this node; nothing is probed yet.
    pub fn of(node: impl Into<String>) -> Self {
        let (prober, found) = Prober::new();
        Self { node: node.into(), prober, found, first: FirstTries::default() }
    }

    /// Probes what all Services say now.
    pub fn follow_all(&mut self, engine: &Engine) -> Vec<Change> {
        let targets = engine.probe_targets(&self.node);
        if engine.is_ready() {
            self.first.follow(&targets);
        }
        let unknown = self.prober.set(targets);
        unknown.into_iter().map(|service| self.forget(service)).collect()
    }

    /// Whether no session should begin yet: first tries are under way. Seconds later they are over, by the last of
    /// them or by [`next`](Self::next).
    pub fn is_beginning(&self) -> bool {
        self.first.are_under_way()
    }

    /// Probes what these Services say now, and of others what it did.
    pub fn follow(&mut self, engine: &Engine, services: &BTreeSet<ServiceKey>) -> Vec<Change> {
        let mut unknown = Vec::new();
        for service in services {
            let forgotten = match engine.probe_target(&self.node, service) {
                Some(target) => self.prober.put(service.clone(), target),
                None => {
                    self.first.end(service);
                    self.prober.remove(service)
                }
            };
            if forgotten {
                unknown.push(self.forget(service.clone()));
            }
        }
        unknown
    }

    /// The next finding, which it says to the log; or nothing, when the first tries have had their time.
    pub async fn next(&mut self) -> Option<Change> {
        let (service, probed) = loop {
            let found = tokio::select! {
                biased;
                found = self.found.recv() => found,
                () = self.first.out_of_time() => {
                    self.first.give_up();
                    return None;
                }
            };
            // It never ends: the prober has the other end.
            let Some(found) = found else {
                return std::future::pending().await;
            };
            // What is probed no more, or from anew, may have left a last word.
            if self.prober.is_current(&found) {
                break (found.service, found.probed);
            }
        };
        self.first.end(&service);
        match &probed {
            ProbeStatus::Up => tracing::info!(%service, "the probe is answered"),
            ProbeStatus::HeldDown => {
                tracing::info!(%service, "the probe is answered again, held down");
            }
            ProbeStatus::Down(why) => tracing::warn!(%service, "the probe fails: {why}"),
        }
        Some(Change::Probed { node: self.node.clone(), service, found: Some(probed) })
    }

    fn forget(&self, service: ServiceKey) -> Change {
        Change::Probed { node: self.node.clone(), service, found: None }
    }
}

#[cfg(test)]
#[path = "node_probes_tests.rs"]
mod tests;
