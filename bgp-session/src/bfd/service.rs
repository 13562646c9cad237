//! [`Bfd`]: the BFD sessions that the peers of one speaker request.
//!
//! One driver task per tokio runtime runs the sessions of all speakers of that runtime: RFC 5881 gives every session of a
//! host the same port, so two drivers would compete for it. The driver runs only while there are sessions.

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
use crate::{PeerId, registry::TaskGuard};

/// The number of transitions that may wait for a peer's task.
pub(crate) const WAITING_TRANSITIONS: usize = 8;

/// The BFD sessions of one speaker.
#[derive(Clone, Debug)]
pub(crate) struct Bfd {
    speaker: u64,
}

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
    last_number: u64,
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
        task: TaskGuard,
        endpoint: Endpoint,
        profile: BfdProfile,
        transitions: mpsc::Sender<Transition>,
        status: watch::Sender<Option<BfdStatus>>,
    ) -> Attachment {
        let requests = SessionRequests::of_runtime();
        let key = SessionKey { peer: endpoint.peer, speaker: self.speaker };

        let mut table = requests.lock();
        table.last_number += 1;
        let number = table.last_number;
        let request = SessionRequest {
            number,
            key,
            endpoint,
            profile,
            transitions,
            status,
            _task: Arc::new(task),
        };
        table.by_key.insert(key, request);
        table.version += 1;

        if !std::mem::replace(&mut table.running, true) {
            let running = driver::run(Arc::clone(&requests));
            // The driver serves all peers, so its log lines do not carry the first one's name.
            let span = tracing::info_span!(parent: None, "bfd");
            tokio::spawn(running.instrument(span));
        }
        drop(table);

        requests.changed.notify_one();
        Attachment { requests, key, number }
    }
}

impl SessionRequests {
    /// The requests of the current runtime. Each runtime has its own, because its tasks end with it and may run in
    /// another network namespace.
    fn of_runtime() -> Arc<Self> {
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

/// A peer's handle on its session. Dropping it takes the session out of service, which AdminDown signals to the other end.
#[derive(Debug)]
pub(crate) struct Attachment {
    requests: Arc<SessionRequests>,
    key: SessionKey,
    number: u64,
}

impl Attachment {
    /// Changes the session in place as far as the protocol allows: everything but the number of hops.
    pub(crate) fn change(&self, endpoint: Endpoint, profile: BfdProfile) {
        let mut table = self.requests.lock();
        let request = table.by_key.get_mut(&self.key);
        if let Some(request) = request.filter(|request| request.number == self.number) {
            request.endpoint = endpoint;
            request.profile = profile;
            table.version += 1;
        }
        drop(table);

        self.requests.changed.notify_one();
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let mut table = self.requests.lock();
        if table.by_key.get(&self.key).is_some_and(|request| request.number == self.number) {
            table.version += 1;
            if let Some(request) = table.by_key.remove(&self.key) {
                request.status.send_replace(None);
            }
        }
        drop(table);

        self.requests.changed.notify_one();
    }
}
