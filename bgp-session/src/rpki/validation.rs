//! [`OriginValidation`]: the VRPs of a speaker, from the most preferred cache that has data.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bgp_core::rpki::VrpTable;
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
};
use tracing::Instrument as _;

use super::{RtrCache, RtrStatus, cache::CacheTask};

/// The VRPs of a speaker, and the tasks of its caches, which end with it.
#[derive(Debug, Default)]
pub(crate) struct OriginValidation {
    vrps: watch::Sender<VrpTable>,
    caches: Mutex<Caches>,
}

/// The caches that are followed now.
#[derive(Debug, Default)]
struct Caches {
    tasks: JoinSet<()>,
    choice: Option<Arc<Choice>>,
    statuses: Vec<watch::Receiver<RtrStatus>>,
}

/// The choice between the data of several caches.
#[derive(Debug)]
pub(super) struct Choice {
    /// The VRPs of each cache, the most preferred first; `None` for a cache without any. Empty once the caches are no longer
    /// followed, because their tasks may still be about to store something.
    data: Mutex<Vec<Option<VrpTable>>>,
    vrps: watch::Sender<VrpTable>,
}

impl OriginValidation {
    /// The VRPs, for all who follow them.
    pub(crate) fn watch(&self) -> &watch::Sender<VrpTable> {
        &self.vrps
    }

    /// Follows these caches and no others.
    pub(super) fn follow(&self, caches: Vec<RtrCache>) {
        let mut current = self.caches();
        current.leave();
        if caches.is_empty() {
            return publish(&self.vrps, VrpTable::default());
        }

        let data = Mutex::new(vec![None; caches.len()]);
        let choice = Arc::new(Choice { data, vrps: self.vrps.clone() });
        for (rank, cache) in caches.into_iter().enumerate() {
            let span = tracing::info_span!("rtr", cache = %cache.address());
            let (task, status) = CacheTask::new(cache, rank, Arc::clone(&choice));
            let _: AbortHandle = current.tasks.spawn(task.run().instrument(span));
            current.statuses.push(status);
        }
        current.choice = Some(choice);
    }

    /// Uses these VRPs and no caches.
    pub(super) fn set(&self, vrps: VrpTable) {
        let mut current = self.caches();
        current.leave();
        publish(&self.vrps, vrps);
    }

    pub(super) fn statuses(&self) -> Vec<RtrStatus> {
        let caches = self.caches();
        let used = caches.choice.as_ref().and_then(|choice| choice.used());
        let statuses = caches.statuses.iter().enumerate();
        statuses
            .map(|(rank, status)| RtrStatus {
                is_used: used == Some(rank),
                ..status.borrow().clone()
            })
            .collect()
    }

    fn caches(&self) -> MutexGuard<'_, Caches> {
        self.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caches {
    /// Ends all sessions with caches.
    fn leave(&mut self) {
        if let Some(choice) = &self.choice {
            choice.data().clear();
        }
        *self = Self::default();
    }
}

impl Choice {
    /// Stores the data of a cache, and publishes those of the most preferred cache that has any.
    pub(super) fn store(&self, rank: usize, vrps: Option<VrpTable>) {
        let mut data = self.data();
        let Some(place) = data.get_mut(rank) else { return };
        *place = vrps;
        // Published under the lock, so that an earlier choice never replaces a later one.
        publish(&self.vrps, data.iter().flatten().next().cloned().unwrap_or_default());
    }

    /// The place of the cache whose data are used.
    fn used(&self) -> Option<usize> {
        self.data().iter().position(Option::is_some)
    }

    fn data(&self) -> MutexGuard<'_, Vec<Option<VrpTable>>> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells all who follow the VRPs, if they differ.
fn publish(vrps: &watch::Sender<VrpTable>, new: VrpTable) {
    vrps.send_if_modified(|current| {
        let is_changed = *current != new;
        if is_changed {
            *current = new;
        }
        is_changed
    });
}
