//! [`Table`]: the speaker's Loc-RIB, which the tasks of the peers feed, and its snapshots.
//!
//! Its lock is held for a bounded number of changes or for one snapshot, and never across an `await`. The core
//! chooses between paths.

use std::{
    collections::{BTreeMap, btree_map},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    vec,
};

use bgp_core::{
    peer::ReceivedRoutes,
    rib::{LocRib, Nlri, Path, PathSource},
    wire::PathAttributes,
};
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::PeerId;

/// Changed routes of a peer that are not in the table yet.
pub(crate) struct PendingRoutes {
    source: PathSource,
    withdrawn: vec::IntoIter<Nlri>,
    announced: vec::IntoIter<(Nlri, Arc<PathAttributes>)>,
}

impl PendingRoutes {
    pub(crate) fn new(source: PathSource, routes: ReceivedRoutes) -> Self {
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
    rib: Mutex<LocRib<PeerId>>,
    version: watch::Sender<u64>,
    /// One permit for each thread of the runtime.
    permits: Arc<Semaphore>,
}

/// The permission to handle much work. Even if many peers send routes, only a few of their tasks compute at a time, so
/// that the others, and those that only have a KEEPALIVE to send, soon get to run.
#[derive(Debug)]
pub(crate) struct WorkPermit {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Table {
    /// An empty table, which lets as many tasks work at a time as there are `threads`.
    pub(crate) fn new(threads: usize) -> Self {
        let permits = Arc::new(Semaphore::new(threads.max(1)));
        Self { rib: Mutex::default(), version: watch::Sender::default(), permits }
    }

    /// Waits for a permit. The task that has waited longest gets the next one.
    pub(crate) fn work_permit(&self) -> impl Future<Output = WorkPermit> + Send + use<> {
        let permits = Arc::clone(&self.permits);
        // The semaphore is never closed.
        async move { WorkPermit { _permit: permits.acquire_owned().await.ok() } }
    }

    /// Applies the first changes of one peer, at most `most` of them, because the table is locked for that long. Returns the
    /// number of applied changes.
    pub(crate) fn apply(&self, peer: PeerId, pending: &mut PendingRoutes, most: usize) -> usize {
        let source = pending.source;
        let before = pending.len();
        if before == 0 {
            return 0;
        }

        let mut rib = self.lock();
        for nlri in pending.withdrawn.by_ref().take(most) {
            rib.remove(&nlri, peer);
        }
        let left = most.saturating_sub(before - pending.len());
        for (nlri, attributes) in pending.announced.by_ref().take(left) {
            rib.insert(nlri.prefix, Path { peer, path_id: nlri.path_id, source, attributes });
        }
        drop(rib);

        self.changed();
        before - pending.len()
    }

    /// Removes all routes of one peer.
    pub(crate) fn clear(&self, peer: PeerId) {
        if self.lock().clear_peer(peer) {
            self.changed();
        }
    }

    pub(crate) fn snapshot(&self) -> LocRibSnapshot {
        // Read before the table is locked: a change in between makes the snapshot newer than its version, never older.
        let version = *self.version.borrow();

        let mut rib = self.lock();
        rib.choose();
        let routes = rib.iter().map(|(prefix, paths, equal)| {
            let paths = paths.iter().enumerate().map(|(rank, path)| RoutePath {
                peer: path.peer,
                path_id: path.path_id,
                attributes: Arc::clone(&path.attributes),
                best: rank == 0,
                multipath: rank < equal,
            });
            (*prefix, paths.collect())
        });
        LocRibSnapshot { version, routes: routes.collect() }
    }

    pub(crate) fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// The table is consistent after each call, so a panic elsewhere doesn't spoil it.
    fn lock(&self) -> MutexGuard<'_, LocRib<PeerId>> {
        self.rib.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("version", &*self.version.borrow()).finish_non_exhaustive()
    }
}

/// The Loc-RIB (RFC 4271 section 3.2) at one moment: every prefix with all usable paths to it.
#[derive(Clone, Debug, Default)]
pub struct LocRibSnapshot {
    version: u64,
    routes: BTreeMap<IpNet, Vec<RoutePath>>,
}

/// One path to a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RoutePath {
    /// The peer that announced it.
    pub peer: PeerId,
    /// The path's identifier among the peer's paths to the prefix (RFC 7911); 0 where the session has one path to each.
    pub path_id: u32,
    /// The path attributes, as received.
    pub attributes: Arc<PathAttributes>,
    /// True if the decision process (RFC 4271 section 9.1.2) prefers this path to all others.
    pub best: bool,
    /// True if traffic may be spread over this path: it is the best one, or lost to the best one by a tie-break only.
    pub multipath: bool,
}

impl LocRibSnapshot {
    /// The value that [`Speaker::loc_rib_changed`](crate::Speaker::loc_rib_changed) had.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The paths to exactly this prefix, the best first; empty if no peer announces it.
    pub fn paths(&self, prefix: &IpNet) -> &[RoutePath] {
        self.routes.get(prefix).map_or(&[], Vec::as_slice)
    }

    /// The best path to exactly this prefix.
    pub fn best(&self, prefix: &IpNet) -> Option<&RoutePath> {
        self.paths(prefix).first()
    }

    /// Every prefix and its paths, in the order of prefixes.
    pub fn iter(&self) -> LocRibIter<'_> {
        LocRibIter { routes: self.routes.iter() }
    }

    /// The number of prefixes.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Returns true if there are no prefixes.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }
}

impl<'a> IntoIterator for &'a LocRibSnapshot {
    type Item = (IpNet, &'a [RoutePath]);
    type IntoIter = LocRibIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The prefixes of a [`LocRibSnapshot`] with their paths.
#[derive(Clone, Debug)]
pub struct LocRibIter<'a> {
    routes: btree_map::Iter<'a, IpNet, Vec<RoutePath>>,
}

impl<'a> Iterator for LocRibIter<'a> {
    type Item = (IpNet, &'a [RoutePath]);

    fn next(&mut self) -> Option<Self::Item> {
        self.routes.next().map(|(prefix, paths)| (*prefix, paths.as_slice()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.routes.size_hint()
    }
}
