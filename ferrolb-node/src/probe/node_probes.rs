//! The probes of a node: from the engine's targets to the changes that report the results back to it.
//!
//! Every program that announces routes from a real node uses this. The planner decides the effect of a result.
//!
//! Also owns how long the first sessions wait for the first attempts. The status of a Service is not known before its
//! first attempt, so it is not announced until then, and a router that has kept its route over a restart (RFC 4724) would
//! drop it.

use std::collections::{BTreeMap, BTreeSet};

use bgp_session::{LogPace, LogRoom};
use ferrolb_api::EventKind;
use tokio::sync::mpsc;

use crate::events::{EventLog, NewEvent};
use lb_adapter::engine::{Change, Engine};
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::ProbeStatus;

use super::first_attempts::FirstAttempts;
use super::prober::{ProbeResult, Prober};

/// The probes of one node.
#[derive(Debug)]
pub struct NodeProbes {
    node: String,
    prober: Prober,
    results: mpsc::Receiver<ProbeResult>,
    first: FirstAttempts,
    /// The pace of each probe's log lines.
    paces: BTreeMap<ServiceKey, LogPace>,
    log: EventLog,
}

impl NodeProbes {
    /// Returns the probes of this node, without targets. Their results are recorded in `log`.
    pub fn new(node: impl Into<String>, log: EventLog) -> Self {
        let (prober, results) = Prober::new();
        let (first, paces) = (FirstAttempts::default(), BTreeMap::new());
        Self { node: node.into(), prober, results, first, paces, log }
    }

    /// Takes the targets of all Services from the engine. Returns the changes for the Services whose status is no longer
    /// known.
    pub fn update_all(&mut self, engine: &Engine) -> Vec<Change> {
        let targets = engine.probe_targets(&self.node);
        if engine.is_ready() {
            self.first.set_targets(&targets);
        }

        let forgotten = self.prober.set_targets(targets);
        forgotten.into_iter().map(|service| self.forget(service)).collect()
    }

    /// Takes the targets of these Services from the engine; those of others stay. Returns the changes for the Services
    /// whose status is no longer known.
    pub fn update(&mut self, engine: &Engine, services: &BTreeSet<ServiceKey>) -> Vec<Change> {
        let mut changes = Vec::new();
        for service in services {
            let is_forgotten = match engine.probe_target(&self.node, service) {
                Some(target) => self.prober.set_target(service.clone(), target),
                None => {
                    self.first.finish(service);
                    self.prober.remove(service)
                }
            };
            if is_forgotten {
                changes.push(self.forget(service.clone()));
            }
        }
        changes
    }

    /// Returns true if sessions should not begin yet, because first attempts are pending. The last of them ends this, or
    /// [`next`](Self::next) when it gives up after a few seconds.
    pub fn first_attempts_are_pending(&self) -> bool {
        self.first.are_pending()
    }

    /// Waits for the next result, logs it, and returns it as a change. Returns `None` when the time for the first
    /// attempts is up.
    pub async fn next(&mut self) -> Option<Change> {
        let result = loop {
            let result = tokio::select! {
                biased;
                result = self.results.recv() => result,
                () = self.first.timed_out() => {
                    self.first.give_up();
                    return None;
                }
            };
            let Some(result) = result else {
                // Never reached: the prober has a sender.
                return std::future::pending().await;
            };
            // A removed target, or one with a new epoch, may have left an outdated result in the queue.
            if self.prober.is_current(&result) {
                break result;
            }
        };

        let ProbeResult { service, status, .. } = result;
        self.first.finish(&service);
        self.report(&service, &status);
        Some(Change::Probed { node: self.node.clone(), service, found: Some(status) })
    }

    /// Records a new status, and logs it. A probe that fails and succeeds in turn has its log lines at a bounded rate.
    fn report(&mut self, service: &ServiceKey, status: &ProbeStatus) {
        let event = match status {
            ProbeStatus::Up => NewEvent::info(EventKind::Probe, "the probe succeeds"),
            ProbeStatus::HeldDown => {
                let text = "the probe succeeds again, but the Service is held down";
                NewEvent::warning(EventKind::Probe, text)
            }
            ProbeStatus::Down(error) => {
                NewEvent::error(EventKind::Probe, format!("the probe fails: {error}"))
            }
        };
        self.log.record(event.node(&self.node).service(service));

        let pace = self.paces.entry(service.clone()).or_default();
        let Some(LogRoom { left_out, .. }) = pace.take() else { return };
        match status {
            ProbeStatus::Up => tracing::info!(%service, left_out, "the probe succeeds"),
            ProbeStatus::HeldDown => {
                tracing::info!(
                    %service, left_out,
                    "the probe succeeds again, but the Service is held down"
                );
            }
            ProbeStatus::Down(error) => {
                tracing::warn!(%service, left_out, "the probe fails: {error}");
            }
        }
    }

    fn forget(&mut self, service: ServiceKey) -> Change {
        self.paces.remove(&service);
        Change::Probed { node: self.node.clone(), service, found: None }
    }
}

#[cfg(test)]
#[path = "node_probes_tests.rs"]
mod tests;
