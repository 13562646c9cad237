//! [`Table`]: the speaker's Loc-RIB, which the tasks of the peers feed, its snapshots and the stream of its changes.
//!
//! Its lock is held for a bounded number of steps, and never across an `await`. The core chooses between paths.

mod changes;
mod log;
mod paths;
mod snapshot;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    vec,
};

use bgp_core::{
    peer::ReceivedRoutes,
    rib::{Destination, LocRib, Nlri, Path, PathChange, PathSource},
    wire::PathAttributes,
};
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use self::log::ChangeLog;
pub use self::{
    changes::{RouteChange, RouteChanges, RouteUpdate},
    paths::{RoutePath, RoutePathIter, RoutePaths},
    snapshot::{LocRibIter, LocRibSnapshot},
};
use crate::PeerId;

/// The most changes that are made, or read, while the table is locked.
const MOST_LOCKED: usize = 256;

/// The most prefixes that are searched for the paths of a peer, and the most paths that are removed, while the table is locked.
const MOST_SEARCHED: usize = 1_024;

/// Changed routes of a peer that are not in the table yet.
pub(crate) struct PendingRoutes {
    source: Arc<PathSource<PeerId>>,
    withdrawn: vec::IntoIter<Nlri>,
    announced: vec::IntoIter<(Nlri, Arc<PathAttributes>)>,
}

impl PendingRoutes {
    pub(crate) fn new(source: Arc<PathSource<PeerId>>, routes: ReceivedRoutes) -> Self {
        let ReceivedRoutes { announced, withdrawn } = routes;
        Self { source, withdrawn: withdrawn.into_iter(), announced: announced.into_iter() }
    }

    /// The number of changes that are left.
    pub(crate) fn len(&self) -> usize {
        self.withdrawn.len() + self.announced.len()
    }
}

/// The received routes of all peers.
pub(crate) struct Table {
    state: Arc<Mutex<TableState>>,
    /// The version that the readers may know. They hold only receivers, so that they learn of the end of the speaker.
    version: watch::Sender<u64>,
    /// One permit for each thread of the runtime.
    permits: Arc<Semaphore>,
}

/// What is locked.
struct TableState {
    rib: LocRib<PeerId>,
    /// The number of changes so far.
    version: u64,
    log: ChangeLog,
}

/// The permission to handle much work. Even if many peers send routes, only a few of their tasks compute at a time, so
/// that the others, and those that only have a KEEPALIVE to send, soon get to run.
#[derive(Debug)]
pub(crate) struct WorkPermit {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Table {
    /// An empty table, which lets as many tasks work at a time as there are `threads`, and whose readers may be this number
    /// of changes behind.
    pub(crate) fn new(threads: usize, change_capacity: usize) -> Self {
        let log = ChangeLog::new(change_capacity);
        let state = TableState { rib: LocRib::new(), version: 0, log };
        Self {
            state: Arc::new(Mutex::new(state)),
            version: watch::Sender::default(),
            permits: Arc::new(Semaphore::new(threads.max(1))),
        }
    }

    /// Waits for a permit. The task that has waited longest gets the next one.
    pub(crate) fn work_permit(&self) -> impl Future<Output = WorkPermit> + Send + use<> {
        let permits = Arc::clone(&self.permits);
        // The semaphore is never closed.
        async move { WorkPermit { _permit: permits.acquire_owned().await.ok() } }
    }

    /// Applies the first changes of one peer, at most `most` of them. Returns the number of applied changes.
    pub(crate) fn apply(&self, pending: &mut PendingRoutes, most: usize) -> usize {
        let number = most.min(pending.len());
        let mut left = number;
        while left > 0 {
            let some = left.min(MOST_LOCKED);
            left -= some;

            let mut state = self.lock();
            state.apply(pending, some);
            self.unlock_changed(state);
        }
        number
    }

    /// Removes some of the routes of one peer: those from `from` on, or from the first. Returns where to go on; `None` if all
    /// are removed.
    pub(crate) fn clear_some(&self, peer: PeerId, from: Option<Nlri>) -> Option<Nlri> {
        let mut state = self.lock();
        let (routes, next) = state.rib.paths_of(peer, from, MOST_SEARCHED);
        state.remove(routes, peer);
        self.unlock_changed(state);
        next
    }

    pub(crate) fn snapshot(&self) -> LocRibSnapshot {
        self.lock().snapshot()
    }

    /// A reader of the changes from now on, which gets a snapshot first.
    pub(crate) fn changes(&self) -> RouteChanges {
        RouteChanges::new(Arc::clone(&self.state), self.version.subscribe())
    }

    pub(crate) fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Unlocks the table after changes, and wakes the readers.
    fn unlock_changed(&self, mut state: MutexGuard<'_, TableState>) {
        let (version, unwanted) = (state.version, state.log.take_unwanted());
        drop(state);
        self.publish(version);
        drop(unwanted);
    }

    /// Wakes the readers if this version is new to them.
    fn publish(&self, version: u64) {
        self.version.send_if_modified(|known| {
            // Another thread may have published a later one.
            let is_new = *known < version;
            *known = version.max(*known);
            is_new
        });
    }

    fn lock(&self) -> MutexGuard<'_, TableState> {
        lock(&self.state)
    }
}

/// The table is consistent after each call, so a panic elsewhere doesn't spoil it.
fn lock(state: &Mutex<TableState>) -> MutexGuard<'_, TableState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TableState {
    fn apply(&mut self, pending: &mut PendingRoutes, most: usize) {
        let Self { rib, version, log } = self;
        let PendingRoutes { source, withdrawn, announced } = pending;
        let mut changed = |prefix, change, paths: Option<&_>| {
            count(version, log, prefix, change, paths);
        };

        let before = withdrawn.len();
        rib.remove_all(withdrawn.take(most), source.peer, &mut changed);
        let left = most - (before - withdrawn.len());
        let paths = announced.take(left).map(|(Nlri { prefix, path_id }, attributes)| {
            (prefix, Path { source: Arc::clone(source), path_id, attributes })
        });
        rib.insert_all(paths, changed);
    }

    /// Removes some routes of a peer.
    fn remove(&mut self, routes: Vec<Nlri>, peer: PeerId) {
        let Self { rib, version, log } = self;
        rib.remove_all(routes, peer, |prefix, change, paths| {
            count(version, log, prefix, change, paths);
        });
    }

    fn snapshot(&self) -> LocRibSnapshot {
        LocRibSnapshot { version: self.version, rib: self.rib.clone() }
    }
}

/// Counts a change, and keeps it for those who read the changes.
fn count(
    version: &mut u64,
    log: &mut ChangeLog,
    prefix: IpNet,
    change: PathChange,
    paths: Option<&Destination<PeerId>>,
) {
    if change == PathChange::None {
        return;
    }
    *version += 1;
    if log.is_read() {
        let paths = RoutePaths(paths.cloned());
        let is_best_changed = change == PathChange::Best;
        log.push(RouteChange { version: *version, prefix, paths, is_best_changed });
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("version", &*self.version.borrow()).finish_non_exhaustive()
    }
}
