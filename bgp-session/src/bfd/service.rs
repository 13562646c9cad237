//! [`Bfd`]: the BFD sessions that the peers of one speaker request.
//!
//! One driver task per tokio runtime runs the sessions of all speakers of that runtime: RFC 5881 gives every session of a
//! host the same port, so two drivers would compete for it. The driver runs only while there are sessions.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{mpsc, watch};
use tracing::Instrument;

use super::{
    BfdProfile, BfdStatus, Endpoint, Transition, driver,
    requests::{SessionKey, SessionRequest, SessionRequests},
};
use crate::registry::TaskGuard;

/// The number of transitions that may wait for a peer's task.
pub(crate) const WAITING_TRANSITIONS: usize = 8;

/// The BFD sessions of one speaker.
#[derive(Clone, Debug)]
pub(crate) struct Bfd {
    speaker: u64,
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
