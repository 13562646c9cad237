//! [`OriginValidation`]: the VRPs of a speaker, from the most preferred cache that has data.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bgp_core::rpki::{VrpChange, VrpTable};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::sleep_until,
};
use tracing::Instrument as _;

use super::{RtrCache, RtrStatus, cache::CacheTask};
use crate::watched::Watchable;

/// The VRPs of a speaker, and the tasks of its caches, which end with it.
#[derive(Debug, Default)]
pub(crate) struct OriginValidation {
    vrps: Published,
    caches: Mutex<Caches>,
}

/// The VRPs that policies use.
#[derive(Clone, Debug, Default)]
struct Published {
    /// For embedders.
    table: watch::Sender<VrpTable>,
    /// For the tasks of peers, which need not compare whole tables.
    change: Watchable<VrpChange>,
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
    data: Mutex<Data>,
    vrps: Published,
}

/// What caches have given.
#[derive(Debug, Default)]
struct Data {
    /// The data of each cache, the most preferred first; `None` for a cache without any. Empty once the caches are no longer
    /// followed, because their tasks may still be about to store something.
    caches: Vec<Option<CacheData>>,
    /// The data that were used before these caches were followed, until one of them has data.
    earlier: Option<CacheData>,
}

/// The VRPs of a cache, and the time until which they may be used.
#[derive(Clone, Debug)]
pub(super) struct CacheData {
    pub(super) vrps: VrpTable,
    pub(super) expires: Instant,
}

impl OriginValidation {
    /// The VRPs, for embedders that follow them.
    pub(super) fn table(&self) -> &watch::Sender<VrpTable> {
        &self.vrps.table
    }

    /// The last change of the VRPs, for the tasks of peers.
    pub(crate) fn change(&self) -> &Watchable<VrpChange> {
        &self.vrps.change
    }

    /// Follows these caches and no others. The VRPs of earlier ones are used until these caches have data, or until they expire.
    pub(super) fn follow(&self, caches: Vec<RtrCache>) {
        let mut current = self.caches();
        let earlier = current.leave();
        if caches.is_empty() {
            return self.vrps.publish(&VrpTable::default());
        }

        let expires = earlier.as_ref().map(|data| data.expires);
        let data = Mutex::new(Data { caches: vec![None; caches.len()], earlier });
        let choice = Arc::new(Choice { data, vrps: self.vrps.clone() });
        if let Some(expires) = expires {
            let choice = Arc::clone(&choice);
            let _: AbortHandle = current.tasks.spawn(async move {
                sleep_until(expires.into()).await;
                choice.drop_earlier();
            });
        }
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
        self.vrps.publish(&vrps);
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
    /// Ends all sessions with caches. Returns the data that were used.
    fn leave(&mut self) -> Option<CacheData> {
        let data = self.choice.as_ref().map(|choice| std::mem::take(&mut *choice.data()));
        *self = Self::default();
        data?.into_used()
    }
}

impl Choice {
    /// Stores the data of a cache, and publishes those of the most preferred cache that has any.
    pub(super) fn store(&self, rank: usize, new: Option<CacheData>) {
        let mut data = self.data();
        let Some(place) = data.caches.get_mut(rank) else { return };
        *place = new;
        if place.is_some() {
            data.earlier = None;
        }
        self.publish(&data);
    }

    /// Stores the time at which the data of a cache expire, which grows when the cache confirms them.
    pub(super) fn renew(&self, rank: usize, expires: Instant) {
        if let Some(Some(data)) = self.data().caches.get_mut(rank) {
            data.expires = expires;
        }
    }

    /// Drops the data of earlier caches, because they have expired.
    fn drop_earlier(&self) {
        let mut data = self.data();
        if data.earlier.take().is_some() {
            self.publish(&data);
        }
    }

    /// Publishes the data that are to be used. Under the lock, so that an earlier choice never replaces a later one.
    fn publish(&self, data: &Data) {
        self.vrps.publish(&data.used().map(|it| it.vrps.clone()).unwrap_or_default());
    }

    /// The place of the cache whose data are used.
    fn used(&self) -> Option<usize> {
        self.data().caches.iter().position(Option::is_some)
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Data {
    /// The data of the most preferred cache that has any, or those from before.
    fn used(&self) -> Option<&CacheData> {
        self.caches.iter().flatten().next().or(self.earlier.as_ref())
    }

    fn into_used(self) -> Option<CacheData> {
        self.caches.into_iter().flatten().next().or(self.earlier)
    }
}

impl Published {
    /// Tells all who follow the VRPs, if they differ. The caller holds a lock, so that no one else publishes at the same time.
    fn publish(&self, new: &VrpTable) {
        let change = VrpChange::between(&self.table.borrow(), new);
        if !change.is_empty() {
            self.change.set(change);
            self.table.send_replace(new.clone());
        }
    }
}
