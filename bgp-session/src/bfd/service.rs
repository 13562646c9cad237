//! [`Bfd`]: the BFD of one speaker as its peers' tasks know it.
//!
//! It holds what sessions there should be. The driver, one task for all of them, which runs only while there
//! are any, makes it so; a wish that is overtaken by the next is never carried out.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, mpsc, watch};
use tracing::Instrument;

use super::{BfdProfile, BfdStatus, Endpoint, Transition, driver};
use crate::{PeerId, registry::Alive};

/// How many transitions may wait for a peer's task.
pub(crate) const WAITING_TRANSITIONS: usize = 8;

/// The sessions of one speaker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bfd {
    shared: Arc<Shared>,
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
    pub(super) by_peer: BTreeMap<PeerId, Order>,
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
    pub(super) endpoint: Endpoint,
    pub(super) profile: BfdProfile,
    pub(super) transitions: mpsc::Sender<Transition>,
    pub(super) status: watch::Sender<Option<BfdStatus>>,
}

impl Bfd {
    /// Begins a session, which lasts as long as the answer.
    pub(crate) fn attach(
        &self,
        alive: impl FnOnce() -> Alive,
        endpoint: Endpoint,
        profile: BfdProfile,
        transitions: mpsc::Sender<Transition>,
        status: watch::Sender<Option<BfdStatus>>,
    ) -> Attachment {
        let peer = endpoint.peer;
        let mut orders = self.shared.lock();
        orders.last_number += 1;
        let number = orders.last_number;
        let order = Order { number, endpoint, profile, transitions, status };
        orders.by_peer.insert(peer, order);
        orders.version += 1;
        if !std::mem::replace(&mut orders.running, true) {
            let running = driver::run(Arc::clone(&self.shared), alive());
            tokio::spawn(running.instrument(tracing::info_span!("bfd")));
        }
        drop(orders);
        self.shared.changed.notify_one();
        Attachment { shared: Arc::clone(&self.shared), peer, number }
    }
}

impl Shared {
    /// The map is whole at any time, so a panic elsewhere doesn't spoil it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bfd").field("peers", &self.lock().by_peer.keys()).finish_non_exhaustive()
    }
}

/// A peer's hold on its session. Dropping it takes the session out of service, which the other end is told.
#[derive(Debug)]
pub(crate) struct Attachment {
    shared: Arc<Shared>,
    peer: PeerId,
    number: u64,
}

impl Attachment {
    /// Changes the session in place as far as the protocol allows, that is all but the number of hops.
    pub(crate) fn change(&self, endpoint: Endpoint, profile: BfdProfile) {
        let mut orders = self.shared.lock();
        let order = orders.by_peer.get_mut(&self.peer).filter(|it| it.number == self.number);
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
        if orders.by_peer.get(&self.peer).is_some_and(|order| order.number == self.number) {
            orders.version += 1;
            if let Some(order) = orders.by_peer.remove(&self.peer) {
                order.status.send_replace(None);
            }
        }
        drop(orders);
        self.shared.changed.notify_one();
    }
}
