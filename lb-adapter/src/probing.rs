//! A node's probes, from the engine that says what is to be probed and back to it with what was found.
//!
//! Shared by whatever speaks for a real node. What a finding means, the planner decides.

#[cfg(feature = "kubernetes")]
use std::collections::BTreeSet;

use tokio::sync::mpsc;

use crate::engine::{Change, Engine};
use crate::model::ServiceKey;
use crate::planner::Probed;
use crate::probe::{Found, Prober};

/// The probes of one node.
#[derive(Debug)]
pub(crate) struct Probing {
    node: String,
    prober: Prober,
    found: mpsc::Receiver<Found>,
}

impl Probing {
    /// Of this node; nothing is probed yet.
    pub(crate) fn of(node: impl Into<String>) -> Self {
        let (prober, found) = Prober::new();
        Self { node: node.into(), prober, found }
    }

    /// Probes what all Services say now.
    pub(crate) fn follow_all(&mut self, engine: &Engine) -> Vec<Change> {
        let unknown = self.prober.set(engine.probes(&self.node));
        unknown.into_iter().map(|service| self.forget(service)).collect()
    }

    /// Probes what these Services say now, and of others what it did.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn follow(
        &mut self,
        engine: &Engine,
        services: &BTreeSet<ServiceKey>,
    ) -> Vec<Change> {
        let mut unknown = Vec::new();
        for service in services {
            let forgotten = match engine.probe(&self.node, service) {
                Some(target) => self.prober.put(service.clone(), target),
                None => self.prober.remove(service),
            };
            if forgotten {
                unknown.push(self.forget(service.clone()));
            }
        }
        unknown
    }

    /// The next finding; says it to the log.
    pub(crate) async fn next(&mut self) -> Change {
        let (service, probed) = loop {
            // It never ends: the prober has the other end.
            let Some(found) = self.found.recv().await else {
                return std::future::pending().await;
            };
            // What is probed no more, or from anew, may have left a last word.
            if self.prober.is_current(&found) {
                break (found.service, found.probed);
            }
        };
        match &probed {
            Probed::Up => tracing::info!(%service, "the probe is answered"),
            Probed::Held => tracing::info!(%service, "the probe is answered again, held down"),
            Probed::Down(why) => tracing::warn!(%service, "the probe fails: {why}"),
        }
        Change::Probed { node: self.node.clone(), service, found: Some(probed) }
    }

    fn forget(&self, service: ServiceKey) -> Change {
        Change::Probed { node: self.node.clone(), service, found: None }
    }
}

#[cfg(test)]
#[path = "probing_tests.rs"]
mod tests;
