//! [`Queue`]: what an observer has yet to read, within a bounded number of octets.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt, mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::PeerId;

use super::{Interest, Observation};

/// The queue of one observer. What does not fit is counted and lost.
pub(crate) struct Queue {
    interest: Interest,
    limit: usize,
    state: Mutex<State>,
    /// Notified when there is something to read.
    ready: Notify,
    /// Notified when something was lost.
    lost: Notify,
}

#[derive(Default)]
struct State {
    observations: VecDeque<Observation>,
    octets: usize,
    /// The number of observations that were lost behind those in the queue.
    missed: u64,
    /// The peers whose routes changed.
    changed: BTreeSet<PeerId>,
    closed: bool,
}

impl State {
    fn take(&mut self) -> Option<Observation> {
        let observation = self.observations.pop_front()?;
        self.octets = self.octets.saturating_sub(cost(&observation));
        Some(observation)
    }
}

/// The next thing to read.
#[derive(Debug)]
pub(crate) enum Next {
    Observation(Observation),
    /// This number of observations was lost.
    Missed(u64),
    /// The routes of these peers have changed.
    Changed(BTreeSet<PeerId>),
    /// Nothing will follow.
    Closed,
}

impl Queue {
    pub(super) fn new(interest: Interest, limit: usize) -> Self {
        let (state, ready, lost) = (Mutex::default(), Notify::new(), Notify::new());
        Self { interest, limit, state, ready, lost }
    }

    pub(super) fn interest(&self) -> Interest {
        self.interest
    }

    pub(super) fn push(&self, observation: Observation) {
        let octets = cost(&observation);
        let mut state = self.lock();
        // A gap is at one place only: nothing is added behind it until it has been read.
        if state.missed > 0 || state.octets + octets > self.limit {
            state.missed += 1;
            drop(state);
            self.lost.notify_one();
        } else {
            state.octets += octets;
            state.observations.push_back(observation);
        }
        self.ready.notify_one();
    }

    pub(super) fn routes_changed(&self, peer: PeerId) {
        self.lock().changed.insert(peer);
        self.ready.notify_one();
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    /// Waits for the next thing to read. Changed routes come after all observations, and only if `routes` is set. Nothing is
    /// lost if this is dropped. There must be one reader only.
    pub(crate) async fn next(&self, routes: bool) -> Next {
        loop {
            if let Some(next) = self.try_next(routes) {
                return next;
            }
            self.ready.notified().await;
        }
    }

    /// The next observation, if there is one.
    pub(crate) fn try_observation(&self) -> Option<Observation> {
        self.lock().take()
    }

    fn try_next(&self, routes: bool) -> Option<Next> {
        let mut state = self.lock();
        if let Some(observation) = state.take() {
            return Some(Next::Observation(observation));
        }
        if state.missed > 0 {
            return Some(Next::Missed(mem::take(&mut state.missed)));
        }
        if routes && !state.changed.is_empty() {
            return Some(Next::Changed(mem::take(&mut state.changed)));
        }
        state.closed.then_some(Next::Closed)
    }

    /// Waits until something was lost.
    pub(crate) async fn lost(&self) {
        while self.lock().missed == 0 {
            self.lost.notified().await;
        }
    }

    /// The state is consistent at any time, so a panic elsewhere doesn't spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The memory that an observation takes, roughly.
fn cost(observation: &Observation) -> usize {
    let octets = match observation {
        Observation::Message(message) => message.octets.len(),
        Observation::Up(session) => {
            session.start.sent_open.len() + session.start.received_open.len()
        }
        _ => 0,
    };
    size_of::<Observation>() + octets
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Queue")
            .field("interest", &self.interest)
            .field("octets", &state.octets)
            .field("missed", &state.missed)
            .finish_non_exhaustive()
    }
}
