//! [`Monitoring`]: passes what happens at the peers to observers, which send it to stations or write it to files.
//!
//! The tasks of the peers push; they never wait for an observer. Each observer has a queue of bounded size. Of routes the queue
//! only says that they changed: the observer reads the present ones. This module knows nothing of BMP and MRT.

mod peer_monitor;
mod queue;
mod tables;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use bgp_core::{
    AfiSafi, Asn,
    fsm::{DownReason, Negotiated, StateKind},
    peer::{Endpoints, SessionStart},
};
use bytes::Bytes;
use tokio::sync::watch;

use crate::PeerId;

pub(crate) use peer_monitor::PeerMonitor;
pub(crate) use queue::{Next, Queue};
pub(crate) use tables::PeerTables;

/// The kinds of observations that an observer wants, besides the beginning and end of sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest(u8);

impl Interest {
    /// UPDATEs and ROUTE-REFRESHes of the peers.
    pub(crate) const RECEIVED_UPDATES: Self = Self(1);
    /// UPDATEs to the peers.
    pub(crate) const SENT_UPDATES: Self = Self(1 << 1);
    /// All messages in both directions, and all changes of state.
    pub(crate) const EVERYTHING_SAID: Self = Self(1 << 2);
    /// Changes of the Adj-RIBs-In, and End-of-RIBs of the peers.
    pub(crate) const ROUTES_IN: Self = Self(1 << 3);
    /// Changes of the routes that the peers should have.
    pub(crate) const ROUTES_OUT: Self = Self(1 << 4);

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns true if both have a kind in common.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Something that happened at a peer. Times are those since 1970.
#[derive(Clone, Debug)]
pub(crate) enum Observation {
    /// A session came up.
    Up(Arc<ObservedSession>),
    /// The session ended. Without a reason, the peer's task ended and left no NOTIFICATION.
    Down(PeerId, Duration, Option<DownReason>),
    /// A message was received or sent.
    Message(ObservedMessage),
    /// The state machine entered another state.
    State(ObservedState),
    /// The peer has sent all its routes of this family.
    EndOfRib(PeerId, AfiSafi),
}

/// A session.
#[derive(Clone, Debug)]
pub(crate) struct ObservedSession {
    pub(crate) peer: PeerId,
    pub(crate) at: Duration,
    pub(crate) negotiated: Negotiated,
    pub(crate) start: SessionStart,
}

/// A whole message.
#[derive(Clone, Debug)]
pub(crate) struct ObservedMessage {
    pub(crate) peer: PeerId,
    pub(crate) at: Duration,
    pub(crate) connection: ObservedConnection,
    /// True if the message was sent to the peer.
    pub(crate) sent: bool,
    pub(crate) octets: Bytes,
}

/// A connection on which messages go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObservedConnection {
    pub(crate) endpoints: Endpoints,
    pub(crate) local_as: Asn,
    /// The AS of the peer; [`Asn::ZERO`] while it is unknown.
    pub(crate) remote_as: Asn,
    pub(crate) four_octet_as: bool,
    /// True if messages in the direction of this one have path identifiers.
    pub(crate) add_path: bool,
}

/// A change of state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObservedState {
    pub(crate) at: Duration,
    pub(crate) connection: ObservedConnection,
    pub(crate) from: StateKind,
    pub(crate) to: StateKind,
}

impl Observation {
    /// The kind that an observer must want to get this; `None` if all get it.
    fn interest(&self) -> Option<Interest> {
        Some(match self {
            Self::Up(_) | Self::Down(..) => return None,
            Self::State(_) => Interest::EVERYTHING_SAID,
            Self::EndOfRib(..) => Interest::ROUTES_IN,
            Self::Message(message) => message.interest(),
        })
    }
}

impl ObservedMessage {
    fn interest(&self) -> Interest {
        let kind = self.octets.get(18).copied().unwrap_or_default();
        match (kind, self.sent) {
            (2 | 5, false) => Interest::EVERYTHING_SAID.with(Interest::RECEIVED_UPDATES),
            (2, true) => Interest::EVERYTHING_SAID.with(Interest::SENT_UPDATES),
            _ => Interest::EVERYTHING_SAID,
        }
    }
}

/// The observers of a speaker, and the sessions that are up.
#[derive(Default)]
pub(crate) struct Monitoring {
    state: Mutex<State>,
    /// All kinds that some observer wants.
    interest: AtomicU8,
    /// True once the speaker is gone.
    closed: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    sessions: BTreeMap<PeerId, Arc<ObservedSession>>,
    observers: Vec<Arc<Queue>>,
}

impl Monitoring {
    /// Adds an observer whose queue holds up to `limit` octets. Returns it with the sessions that are up: everything after
    /// that is in its queue.
    pub(crate) fn observe(
        self: &Arc<Self>,
        interest: Interest,
        limit: usize,
    ) -> (Observer, Vec<Arc<ObservedSession>>) {
        let queue = Arc::new(Queue::new(interest, limit));
        let mut state = self.lock();
        if *self.closed.borrow() {
            queue.close();
        }
        state.observers.push(Arc::clone(&queue));
        self.count(&state);

        let sessions = state.sessions.values().map(Arc::clone).collect();
        (Observer { monitoring: Arc::clone(self), queue }, sessions)
    }

    /// The sessions that are up.
    pub(crate) fn sessions(&self) -> Vec<Arc<ObservedSession>> {
        self.lock().sessions.values().map(Arc::clone).collect()
    }

    /// Ends all observers once they have read their queues.
    pub(crate) fn close(&self) {
        let state = self.lock();
        self.closed.send_replace(true);
        for queue in &state.observers {
            queue.close();
        }
    }

    /// A receiver that gets true when the speaker is gone. A task that [`ended`](Self::ended) has to wait for holds one to its
    /// end.
    pub(crate) fn closed(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    /// Waits until no task holds a receiver of [`closed`](Self::closed).
    pub(crate) async fn ended(&self) {
        self.closed.closed().await;
    }

    /// Returns true if some observer wants one of these kinds.
    pub(crate) fn wants(&self, interest: Interest) -> bool {
        Interest(self.interest.load(Ordering::Acquire)).meets(interest)
    }

    fn push(&self, observation: &Observation) {
        self.push_to(&self.lock(), observation);
    }

    fn push_to(&self, state: &State, observation: &Observation) {
        let interest = observation.interest();
        for queue in &state.observers {
            if interest.is_none_or(|interest| queue.interest().meets(interest)) {
                queue.push(observation.clone());
            }
        }
    }

    fn up(&self, session: Arc<ObservedSession>) {
        let mut state = self.lock();
        state.sessions.insert(session.peer, Arc::clone(&session));
        self.push_to(&state, &Observation::Up(session));
    }

    fn down(&self, peer: PeerId, at: Duration, reason: Option<DownReason>) {
        let mut state = self.lock();
        if state.sessions.remove(&peer).is_some() {
            self.push_to(&state, &Observation::Down(peer, at, reason));
        }
    }

    fn routes_changed(&self, peer: PeerId, interest: Interest) {
        for queue in &self.lock().observers {
            if queue.interest().meets(interest) {
                queue.routes_changed(peer);
            }
        }
    }

    fn count(&self, state: &State) {
        let all = state.observers.iter().fold(Interest::default(), |a, b| a.with(b.interest()));
        self.interest.store(all.0, Ordering::Release);
    }

    /// The state is consistent at any time, so a panic elsewhere doesn't spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Monitoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Monitoring")
            .field("sessions", &state.sessions.len())
            .field("observers", &state.observers.len())
            .finish_non_exhaustive()
    }
}

/// An observer. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Observer {
    monitoring: Arc<Monitoring>,
    queue: Arc<Queue>,
}

impl Observer {
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let mut state = self.monitoring.lock();
        state.observers.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        self.monitoring.count(&state);
    }
}
