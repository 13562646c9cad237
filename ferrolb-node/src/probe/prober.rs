//! The tasks that probe the Services of a node.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use lb_adapter::engine::ProbeTarget;
use lb_adapter::model::{Probe, ServiceKey};
use lb_adapter::planner::ProbeStatus;

use super::attempt::probe_any;
use super::thresholds::Thresholds;

/// A new status of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProbeResult {
    pub(super) service: ServiceKey,
    pub(super) status: ProbeStatus,
    /// The epoch of the endpoints, see [`Prober::is_current`].
    epoch: u64,
}

/// The endpoints to try. A new epoch starts when the first endpoints appear after there were none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ProbeEndpoints {
    epoch: u64,
    /// True if the Service was announced when the epoch started.
    announced: bool,
    addresses: Vec<IpAddr>,
}

/// Probes the Services of one node, each in a task of its own. The tasks end when it is dropped.
#[derive(Debug)]
pub(super) struct Prober {
    tasks: BTreeMap<ServiceKey, ProbeTask>,
    /// The latest epoch of any Service.
    last_epoch: u64,
    results: mpsc::Sender<ProbeResult>,
}

#[derive(Debug)]
struct ProbeTask {
    probe: Probe,
    hold_down: Duration,
    /// True if the Service was announced, by the last [`ProbeTarget`].
    announced: bool,
    endpoints: watch::Sender<ProbeEndpoints>,
    handle: AbortHandle,
}

impl Drop for ProbeTask {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Prober {
    /// Returns a prober without targets, and the receiver of its results. A receiver that does not take them only slows
    /// the probes down.
    pub(super) fn new() -> (Self, mpsc::Receiver<ProbeResult>) {
        let (results, receiver) = mpsc::channel(QUEUE);
        (Self { tasks: BTreeMap::new(), last_epoch: 0, results }, receiver)
    }

    /// Replaces all targets. Returns the Services whose earlier status no longer counts: they are not probed any more, or
    /// a new epoch has started for them.
    pub(super) fn set_targets(
        &mut self,
        targets: BTreeMap<ServiceKey, ProbeTarget>,
    ) -> Vec<ServiceKey> {
        let mut forgotten = Vec::new();
        self.tasks.retain(|service, _| {
            let is_kept = targets.contains_key(service);
            if !is_kept {
                forgotten.push(service.clone());
            }
            is_kept
        });

        for (service, target) in targets {
            if self.set_target(service.clone(), target) {
                forgotten.push(service);
            }
        }
        forgotten
    }

    /// Sets the target of one Service. A changed probe or hold-down starts its task again; a target that differs only in
    /// its endpoints keeps its status and its runs of successes and failures.
    ///
    /// When there are endpoints after there were none, a new epoch starts. A Service that was announced counts as up. For
    /// any other, the earlier status no longer counts, which this returns as true, but a hold-down continues.
    pub(super) fn set_target(&mut self, service: ServiceKey, target: ProbeTarget) -> bool {
        if let Some(task) = self.tasks.get_mut(&service)
            && task.probe == target.probe
            && task.hold_down == target.hold_down
        {
            return task.set_endpoints(target, &mut self.last_epoch);
        }
        self.start(service, target);
        false
    }

    fn start(&mut self, service: ServiceKey, target: ProbeTarget) {
        let ProbeTarget { probe, hold_down, addresses, announced } = target;
        self.last_epoch += 1;
        let endpoints = ProbeEndpoints { epoch: self.last_epoch, announced: false, addresses };
        let (sender, endpoints) = watch::channel(endpoints);

        let thresholds = Thresholds::new(&probe, hold_down);
        let results = self.results.clone();
        let running = run_probe(service.clone(), probe.clone(), thresholds, endpoints, results);
        let handle = tokio::spawn(running).abort_handle();
        let task = ProbeTask { probe, hold_down, announced, endpoints: sender, handle };
        self.tasks.insert(service, task);
    }

    /// Returns true if a result counts: its Service is still probed, and no new epoch has started since.
    pub(super) fn is_current(&self, result: &ProbeResult) -> bool {
        let task = self.tasks.get(&result.service);
        task.is_some_and(|task| task.endpoints.borrow().epoch == result.epoch)
    }

    /// Stops probing a Service. Returns true if it was probed.
    pub(super) fn remove(&mut self, service: &ServiceKey) -> bool {
        self.tasks.remove(service).is_some()
    }
}

impl ProbeTask {
    /// Returns true if a new epoch has started for a Service that was not announced.
    fn set_endpoints(&mut self, target: ProbeTarget, last_epoch: &mut u64) -> bool {
        let was_announced = std::mem::replace(&mut self.announced, target.announced);
        let mut starts_epoch = false;
        self.endpoints.send_if_modified(|endpoints| {
            if endpoints.addresses == target.addresses {
                return false;
            }

            starts_epoch = endpoints.addresses.is_empty();
            if starts_epoch {
                *last_epoch += 1;
                endpoints.epoch = *last_epoch;
                endpoints.announced = was_announced;
            }
            endpoints.addresses = target.addresses;
            true
        });
        starts_epoch && !was_announced
    }
}

/// Probes one Service again and again, and sends each new status.
async fn run_probe(
    service: ServiceKey,
    probe: Probe,
    mut thresholds: Thresholds,
    mut endpoints: watch::Receiver<ProbeEndpoints>,
    results: mpsc::Sender<ProbeResult>,
) {
    let mut next = Instant::now();
    let mut last_epoch = endpoints.borrow().epoch;
    loop {
        let ProbeEndpoints { epoch, announced, addresses } = endpoints.borrow_and_update().clone();
        let mut statuses = Vec::new();
        if epoch != last_epoch {
            last_epoch = epoch;
            statuses.extend(thresholds.start_over(announced));
        }
        if addresses.is_empty() {
            statuses.extend(thresholds.record_no_endpoints());
        } else {
            let now = Instant::now();
            let result = probe_any(&probe, &addresses).await;
            statuses.extend(thresholds.record(now, result));
        }

        for status in statuses {
            let result = ProbeResult { service: service.clone(), status, epoch };
            if results.send(result).await.is_err() {
                return;
            }
        }

        next = (next + probe.interval).max(Instant::now());
        tokio::select! {
            () = sleep_until(next) => {}
            // New endpoints are tried at once.
            changed = endpoints.changed() => match changed {
                Ok(()) => next = Instant::now(),
                Err(_) => return,
            },
        }
    }
}

/// The number of results that wait to be taken.
const QUEUE: usize = 64;

#[cfg(test)]
#[path = "prober_tests.rs"]
mod tests;
