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

use tokio::sync::mpsc;
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
    target: Target,
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

    /// Probes these and no others. What is as it was goes on; where only the endpoints are others,
    /// what was found up to now still counts. Gives back those that are probed no more.
    pub fn set(&mut self, wanted: BTreeMap<ServiceKey, Target>) -> Vec<ServiceKey> {
        let gone = self.tasks.keys().filter(|key| !wanted.contains_key(*key));
        let gone: Vec<_> = gone.cloned().collect();
        gone.iter().for_each(|key| drop(self.tasks.remove(key)));
        for (key, target) in wanted {
            if self.tasks.get(&key).is_some_and(|task| task.target == target) {
                continue;
            }
            let found = self.found.clone();
            let handle = tokio::spawn(watch(key.clone(), target.clone(), found)).abort_handle();
            self.tasks.insert(key, Task { target, handle });
        }
        gone
    }
}

/// Tries again and again, and says what is new.
async fn watch(key: ServiceKey, target: Target, found: mpsc::Sender<Found>) {
    let mut verdict = Verdict::new(&target.probe, target.hold_down);
    let mut next = Instant::now();
    loop {
        let answer = attempt::any(&target.probe, &target.addresses).await;
        let news = verdict.judge(Instant::now(), answer);
        if let Some(probed) = news
            && found.send((key.clone(), probed)).await.is_err()
        {
            return;
        }
        next = (next + target.probe.interval).max(Instant::now());
        sleep_until(next).await;
    }
}

/// Findings that wait to be taken.
const QUEUE: usize = 64;

#[cfg(test)]
mod tests;
