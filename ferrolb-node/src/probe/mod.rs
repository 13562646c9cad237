//! Probes that a node carries out itself, besides what Kubernetes says of endpoints.
//!
//! ```text
//! Engine::probes ---> Prober ---> one task for each Service: try, wait, judge ---> found ---> Change::Probed
//! ```
//!
//! Owns the tasks, the tries, and how many answers and failures in a row mean something. What follows
//! from it, the planner decides.

mod attempt;
mod first_tries;
mod node_probes;
mod verdict;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use lb_adapter::engine::ProbeTarget;
use lb_adapter::model::{Probe, ServiceKey};
use lb_adapter::planner::ProbeStatus;

pub use node_probes::NodeProbes;
use verdict::Verdict;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Of which Service.
    pub service: ServiceKey,
    /// What it counts as.
    pub probed: ProbeStatus,
    /// Of which beginning it is, see [`Prober::is_current`].
    beginning: u64,
}

/// The endpoints to try, and since which beginning: another one when there are some where there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ToTry {
    beginning: u64,
    /// Whether it began with a Service that was announced.
    announced: bool,
    addresses: Vec<IpAddr>,
}

/// Probes the Services of one node. They end when it is dropped.
#[derive(Debug)]
pub struct Prober {
    tasks: BTreeMap<ServiceKey, Task>,
    /// How often something began, over all Services.
    beginnings: u64,
    found: mpsc::Sender<Found>,
}

#[derive(Debug)]
struct Task {
    probe: Probe,
    hold_down: Duration,
    /// Of the last [`ProbeTarget`].
    announced: bool,
    to_try: watch::Sender<ToTry>,
    handle: AbortHandle,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Prober {
    /// Probes nothing yet. What is found comes out of the other end; whoever does not take it slows
    /// the probes down, no more.
    pub fn new() -> (Self, mpsc::Receiver<Found>) {
        let (found, receiver) = mpsc::channel(QUEUE);
        (Self { tasks: BTreeMap::new(), beginnings: 0, found }, receiver)
    }

    /// Probes these and no others. Gives back those of which nothing is known any more: they are probed no more, or
    /// begin anew.
    pub fn set(&mut self, wanted: BTreeMap<ServiceKey, ProbeTarget>) -> Vec<ServiceKey> {
        let gone = self.tasks.keys().filter(|key| !wanted.contains_key(*key));
        let mut unknown: Vec<_> = gone.cloned().collect();
        unknown.iter().for_each(|key| drop(self.tasks.remove(key)));
        for (key, target) in wanted {
            if self.put(key.clone(), target) {
                unknown.push(key);
            }
        }
        unknown
    }

    /// Probes this one too. What is as it was goes on; where only the endpoints are others, what was found up to now
    /// still counts, and so do the answers and failures in a row. Where there are some and was none, it begins anew. If the
    /// Service was announced, it counts as answering; if not, nothing is known until the first try, which is what this
    /// says, and a hold-down goes on.
    pub fn put(&mut self, key: ServiceKey, target: ProbeTarget) -> bool {
        if let Some(task) = self.tasks.get_mut(&key)
            && task.probe == target.probe
            && task.hold_down == target.hold_down
        {
            let announced = std::mem::replace(&mut task.announced, target.announced);
            let mut anew = false;
            task.to_try.send_if_modified(|to_try| {
                let modified = to_try.addresses != target.addresses;
                anew = modified && to_try.addresses.is_empty();
                if anew {
                    self.beginnings += 1;
                    (to_try.beginning, to_try.announced) = (self.beginnings, announced);
                }
                to_try.addresses = target.addresses;
                modified
            });
            return anew && !announced;
        }
        let ProbeTarget { probe, hold_down, addresses, announced } = target;
        self.beginnings += 1;
        let beginning = self.beginnings;
        let (sender, to_try) = watch::channel(ToTry { beginning, announced: false, addresses });
        let verdict = Verdict::new(&probe, hold_down);
        let trying = go_on(key.clone(), probe.clone(), verdict, to_try, self.found.clone());
        let handle = tokio::spawn(trying).abort_handle();
        self.tasks.insert(key, Task { probe, hold_down, announced, to_try: sender, handle });
        false
    }

    /// Whether a finding counts: it is of a Service that is still probed, and has not begun anew since.
    pub fn is_current(&self, found: &Found) -> bool {
        let task = self.tasks.get(&found.service);
        task.is_some_and(|task| task.to_try.borrow().beginning == found.beginning)
    }

    /// Probes this one no more; says whether it did.
    pub fn remove(&mut self, key: &ServiceKey) -> bool {
        self.tasks.remove(key).is_some()
    }
}

/// Tries again and again, and says what is new.
async fn go_on(
    key: ServiceKey,
    probe: Probe,
    mut verdict: Verdict,
    mut to_try: watch::Receiver<ToTry>,
    found: mpsc::Sender<Found>,
) {
    let mut next = Instant::now();
    let mut begun = to_try.borrow().beginning;
    loop {
        let ToTry { beginning, announced, addresses } = to_try.borrow_and_update().clone();
        let begins = std::mem::replace(&mut begun, beginning) != beginning;
        let of_beginning = if begins { verdict.begin_anew(announced) } else { None };
        let of_try = match addresses.is_empty() {
            true => verdict.nothing_to_try(),
            false => verdict.judge(Instant::now(), attempt::any(&probe, &addresses).await),
        };
        for probed in of_beginning.into_iter().chain(of_try) {
            let news = Found { service: key.clone(), probed, beginning };
            if found.send(news).await.is_err() {
                return;
            }
        }
        next = (next + probe.interval).max(Instant::now());
        tokio::select! {
            () = sleep_until(next) => {}
            // Others are tried at once.
            changed = to_try.changed() => match changed {
                Ok(()) => next = Instant::now(),
                Err(_) => return,
            },
        }
    }
}

/// Findings that wait to be taken.
const QUEUE: usize = 64;

#[cfg(test)]
mod tests;
