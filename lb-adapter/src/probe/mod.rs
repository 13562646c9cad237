//! Probes that a node carries out itself, besides what Kubernetes says of endpoints.
//!
//! ```text
//! Engine::probes ---> Prober ---> one task for each Service: try, wait, judge ---> found ---> Change::Probed
//! ```
//!
//! Owns the tasks, the tries, and how many answers and failures in a row mean something. What follows
//! from it, the planner decides.

mod attempt;
mod verdict;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::model::{Probe, ServiceKey};
use crate::planner::Probed;

use verdict::Verdict;

/// What is to be probed for one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// How.
    pub probe: Probe,
    /// How long it must answer again before it counts as before.
    pub hold_down: Duration,
    /// The endpoints, of which one that answers is enough. Where there is none, there is nothing to
    /// find, and the Service counts as answering.
    pub addresses: Vec<IpAddr>,
}

/// What was found.
pub type Found = (ServiceKey, Probed);

/// Probes the Services of one node. They end when it is dropped.
#[derive(Debug)]
pub struct Prober {
    tasks: BTreeMap<ServiceKey, Task>,
    found: mpsc::Sender<Found>,
}

#[derive(Debug)]
struct Task {
    probe: Probe,
    hold_down: Duration,
    addresses: watch::Sender<Vec<IpAddr>>,
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
        (Self { tasks: BTreeMap::new(), found }, receiver)
    }

    /// Probes these and no others. Gives back those that are probed no more.
    pub fn set(&mut self, wanted: BTreeMap<ServiceKey, Target>) -> Vec<ServiceKey> {
        let gone = self.tasks.keys().filter(|key| !wanted.contains_key(*key));
        let gone: Vec<_> = gone.cloned().collect();
        gone.iter().for_each(|key| drop(self.tasks.remove(key)));
        for (key, target) in wanted {
            self.put(key, target);
        }
        gone
    }

    /// Probes this one too. What is as it was goes on; where only the endpoints are others, what was found up to now
    /// still counts, and so do the answers and failures in a row, unless there was no endpoint.
    pub fn put(&mut self, key: ServiceKey, target: Target) {
        if let Some(task) = self.tasks.get_mut(&key)
            && task.probe == target.probe
            && task.hold_down == target.hold_down
        {
            task.addresses.send_if_modified(|addresses| {
                let modified = *addresses != target.addresses;
                *addresses = target.addresses;
                modified
            });
            return;
        }
        let Target { probe, hold_down, addresses } = target;
        let (addresses, to_try) = watch::channel(addresses);
        let verdict = Verdict::new(&probe, hold_down);
        let trying = go_on(key.clone(), probe.clone(), verdict, to_try, self.found.clone());
        let handle = tokio::spawn(trying).abort_handle();
        self.tasks.insert(key, Task { probe, hold_down, addresses, handle });
    }

    /// Whether it probes this one.
    pub fn probes(&self, key: &ServiceKey) -> bool {
        self.tasks.contains_key(key)
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
    mut addresses: watch::Receiver<Vec<IpAddr>>,
    found: mpsc::Sender<Found>,
) {
    let mut next = Instant::now();
    loop {
        let to_try = addresses.borrow_and_update().clone();
        let news = match to_try.is_empty() {
            true => verdict.nothing_to_try(),
            false => verdict.judge(Instant::now(), attempt::any(&probe, &to_try).await),
        };
        if let Some(probed) = news
            && found.send((key.clone(), probed)).await.is_err()
        {
            return;
        }
        next = (next + probe.interval).max(Instant::now());
        tokio::select! {
            () = sleep_until(next) => {}
            // Others are tried at once.
            changed = addresses.changed() => match changed {
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
