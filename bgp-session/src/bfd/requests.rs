//! [`SessionRequests`]: the sessions that the peers of a runtime request. The peers' tasks write the requests, and the driver
//! applies them.

use std::{
    collections::BTreeMap,
    fmt,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::{
    runtime::{self, Handle},
    sync::{Notify, mpsc, watch},
};

use super::{BfdProfile, BfdStatus, Endpoint, Transition};
use crate::{PeerId, registry::TaskGuard};

/// The name of one session. The speaker is part of it, because several speakers may monitor the same router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SessionKey {
    pub(super) peer: PeerId,
    pub(super) speaker: u64,
}

impl SessionKey {
    /// The keys of all speakers for one peer.
    pub(super) fn all_of(peer: PeerId) -> RangeInclusive<Self> {
        Self { peer, speaker: 0 }..=Self { peer, speaker: u64::MAX }
    }
}

/// The requests of all peers of a runtime, shared by their tasks and the driver.
#[derive(Default)]
pub(super) struct SessionRequests {
    table: Mutex<RequestTable>,
    /// Notified when the requests change.
    pub(super) changed: Notify,
}

/// The requested sessions.
#[derive(Default)]
pub(super) struct RequestTable {
    pub(super) by_key: BTreeMap<SessionKey, SessionRequest>,
    /// True if a driver runs.
    pub(super) running: bool,
    pub(super) last_number: u64,
    /// Grows with each change, so that the driver looks through the requests only then.
    pub(super) version: u64,
}

/// One requested session.
#[derive(Clone, Debug)]
pub(super) struct SessionRequest {
    /// Different for each attachment, so that a peer's successor gets a session of its own.
    pub(super) number: u64,
    pub(super) key: SessionKey,
    pub(super) endpoint: Endpoint,
    pub(super) profile: BfdProfile,
    pub(super) transitions: mpsc::Sender<Transition>,
    pub(super) status: watch::Sender<Option<BfdStatus>>,
    /// Makes the speaker wait for the session's last packets before it ends.
    pub(super) _task: Arc<TaskGuard>,
}

impl SessionRequests {
    /// The requests of the current runtime. Each runtime has its own, because its tasks end with it and may run in
    /// another network namespace.
    pub(super) fn of_runtime() -> Arc<Self> {
        static ALL: Mutex<Vec<(runtime::Id, Weak<SessionRequests>)>> = Mutex::new(Vec::new());
        let id = Handle::current().id();

        // The list is consistent at any time, so a panic elsewhere doesn't spoil it.
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, requests)| requests.strong_count() > 0);
        let known = all.iter().find(|(runtime, _)| *runtime == id);
        if let Some(requests) = known.and_then(|(_, requests)| requests.upgrade()) {
            return requests;
        }

        let requests = Arc::new(Self::default());
        all.push((id, Arc::downgrade(&requests)));
        requests
    }

    /// The table is consistent at any time, so a panic elsewhere doesn't spoil it.
    pub(super) fn lock(&self) -> MutexGuard<'_, RequestTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SessionRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bfd").field("peers", &self.lock().by_key.keys()).finish_non_exhaustive()
    }
}
