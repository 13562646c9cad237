//! [`Bfd`]: the BFD of one speaker as its peers' tasks know it.
//!
//! Holds the sessions that there should be. One driver task per tokio runtime carries them out, for all speakers of
//! that runtime: RFC 5881 gives every session of a host the same port, so two drivers would compete for it. The driver
//! runs only while there are sessions.

use std::{
    collections::BTreeMap,
    fmt,
    ops::RangeInclusive,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    runtime::{self, Handle},
    sync::{Notify, mpsc, watch},
};
use tracing::Instrument;

use super::{BfdProfile, BfdStatus, Endpoint, Transition, driver};
use crate::{PeerId, registry::Alive};

/// How many transitions may wait for a peer's task.
pub(crate) const WAITING_TRANSITIONS: usize = 8;

/// The BFD sessions of one speaker.
#[derive(Clone, Debug)]
pub(crate) struct Bfd {
    speaker: u64,
}

/// The name of one session. The speaker is part of it, since several speakers may watch the same router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) peer: PeerId,
    pub(super) speaker: u64,
}

impl Key {
    /// The keys of all speakers for one peer.
    pub(super) fn all_of(peer: PeerId) -> RangeInclusive<Self> {
        Self { peer, speaker: 0 }..=Self { peer, speaker: u64::MAX }
    }
}

/// What the tasks of peers and the driver share.
#[derive(Default)]
pub(super) struct Shared {
    orders: Mutex<Orders>,
    /// The orders have changed.
    pub(super) changed: Notify,
}

/// The sessions that there should be.
#[derive(Default)]
pub(super) struct Orders {
    pub(super) by_key: BTreeMap<Key, Order>,
    /// A driver runs.
    pub(super) running: bool,
    last_number: u64,
    /// Grows with each change, so that the driver looks through them only then.
    pub(super) version: u64,
}

/// One session that there should be.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// Another one for each attachment, so that a peer's successor gets a session of its own.
    pub(super) number: u64,
    pub(super) key: Key,
    pub(super) endpoint: Endpoint,
    pub(super) profile: BfdProfile,
    pub(super) transitions: mpsc::Sender<Transition>,
    pub(super) status: watch::Sender<Option<BfdStatus>>,
    /// Makes the speaker wait at its end for the session's last packets.
    pub(super) _alive: Arc<Alive>,
}

impl Default for Bfd {
    fn default() -> Self {
        static SPEAKERS: AtomicU64 = AtomicU64::new(0);
        Self { speaker: SPEAKERS.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Bfd {
    /// Begins a session, which lasts as long as the attachment. Must be called on the runtime of the peer's task.
    pub(crate) fn attach(
        &self,
        alive: Alive,
        endpoint: Endpoint,
        profile: BfdProfile,
        transitions: mpsc::Sender<Transition>,
        status: watch::Sender<Option<BfdStatus>>,
    ) -> Attachment {
        let shared = Shared::of_runtime();
        let key = Key { peer: endpoint.peer, speaker: self.speaker };

        let mut orders = shared.lock();
        orders.last_number += 1;
        let number = orders.last_number;
        let alive = Arc::new(alive);
        let order = Order { number, key, endpoint, profile, transitions, status, _alive: alive };
        orders.by_key.insert(key, order);
        orders.version += 1;
        if !std::mem::replace(&mut orders.running, true) {
            let running = driver::run(Arc::clone(&shared));
            // The driver serves all peers, so its log lines do not carry the first one's name.
            let span = tracing::info_span!(parent: None, "bfd");
            tokio::spawn(running.instrument(span));
        }
        drop(orders);

        shared.changed.notify_one();
        Attachment { shared, key, number }
    }
}

impl Shared {
    /// What the speakers of the current runtime share. Each runtime has its own, since its tasks end with it and may run in
    /// another network namespace.
    fn of_runtime() -> Arc<Self> {
        static ALL: Mutex<Vec<(runtime::Id, Weak<Shared>)>> = Mutex::new(Vec::new());
        let id = Handle::current().id();

        // The list is whole at any time, so a panic elsewhere doesn't spoil it.
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, shared)| shared.strong_count() > 0);
        let known = all.iter().find(|(runtime, _)| *runtime == id);
        if let Some(shared) = known.and_then(|(_, shared)| shared.upgrade()) {
            return shared;
        }
        let shared = Arc::new(Self::default());
        all.push((id, Arc::downgrade(&shared)));
        shared
    }

    /// The map is whole at any time, so a panic elsewhere doesn't spoil it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bfd").field("peers", &self.lock().by_key.keys()).finish_non_exhaustive()
    }
}

/// A peer's hold on its session. Dropping it takes the session out of service, which the other end is told.
#[derive(Debug)]
pub(crate) struct Attachment {
    shared: Arc<Shared>,
    key: Key,
    number: u64,
}

impl Attachment {
    /// Changes the session in place as far as the protocol allows, that is all but the number of hops.
    pub(crate) fn change(&self, endpoint: Endpoint, profile: BfdProfile) {
        let mut orders = self.shared.lock();
        let order = orders.by_key.get_mut(&self.key).filter(|it| it.number == self.number);
        if let Some(order) = order {
            order.endpoint = endpoint;
            order.profile = profile;
            orders.version += 1;
        }
        drop(orders);
        self.shared.changed.notify_one();
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let mut orders = self.shared.lock();
        if orders.by_key.get(&self.key).is_some_and(|order| order.number == self.number) {
            orders.version += 1;
            if let Some(order) = orders.by_key.remove(&self.key) {
                order.status.send_replace(None);
            }
        }
        drop(orders);
        self.shared.changed.notify_one();
    }
}
