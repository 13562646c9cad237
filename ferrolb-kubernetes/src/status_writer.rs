//! The queue through which this crate writes the status of all objects: a few at a time, with retries.
//!
//! [`StatusWriter`] keeps the keys of the objects that may need a write. It decides the order; when an object gets its turn, the
//! owner decides what to write, if anything, so that a write always has the latest content. At most one write of an object is
//! under way.
//!
//! A key is in exactly one place: in the queue, waiting for a time, or being written. [`StatusWriter::begin`] returns only
//! when the queue is empty or the [`WriteWindow`] is full, and [`StatusWriter::next`] returns when a write or a
//! wait ends, so no key stays in the queue while its owner sleeps. The queue is first in, first out, and the key of a failed
//! write waits outside of it for a pause, so an object that the API server refuses never starves others.
//!
//! A conflict is not reported as a failure: another writer was faster, and the watch will deliver the version that it wrote.
//!
//! # Why not the building blocks of `kube`
//!
//! - `kube::runtime::Controller` reconciles from a reflector store, which keeps every object whole, while a
//!   `ServiceSnapshot` takes a tenth of that. Its reconciler runs apart from its caller, while the content here comes from the
//!   engine, which has one owner.
//! - Its `Scheduler` holds back keys in a `HashSet`, so the oldest key need not be the next one, and its retries cannot be
//!   cut short by a watch event that resolves a conflict.
//! - Server-side apply replaces the field manager's entry of operation `Update`, by which we recognise our own status, and
//!   most writes here need the opposite of a forced apply: the resourceVersion makes a deposed leader fail.
//! - `WatchStreamExt::default_backoff` is about watches; see the module `watch`. `kube::runtime::events` is about Events;
//!   see the module `events`.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::{self, Display, Formatter};
use std::future::Future;
use std::time::Duration;

use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::Value;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::client::with_timeout;
use super::object_tree::ObjectTree;
use super::reachability;
use super::write_window::WriteWindow;
use ferrolb_node::causes;

/// The limits of a writer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most writes that may be under way.
    pub(super) at_once: usize,
    /// True if there are fewer while the API server is slow; see [`WriteWindow`]. Not for objects of many owners: a few whose writes
    /// hang, because of an admission webhook, would keep the others waiting.
    pub(super) follows_load: bool,
    /// The least time between the starts of two writes.
    pub(super) spacing: Duration,
    /// The shortest and the longest pause after a failure. Each failure in a row doubles the pause.
    pub(super) pause: (Duration, Duration),
}

/// The decision about an object whose turn it is.
pub(super) enum Decision<W> {
    /// There is nothing to write.
    Skip,
    /// The object gets its next turn at this time.
    Wait(Instant),
    /// This write is needed.
    Write(W),
}

/// The outcome of a write.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    /// The API server accepted it.
    Done(T),
    /// The content was out of date (409), or the object is gone (404).
    Outdated,
    /// The write failed, and is tried again after a pause.
    Failed(WriteFailure),
}

/// A write that failed.
#[derive(Debug)]
pub(super) struct WriteFailure {
    /// The error.
    pub(super) error: WriteError,
    /// True if the last write of this object failed too.
    pub(super) again: bool,
}

/// The reason why a write failed.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The API server did not respond, or refused.
    Request(kube::Error),
    /// The object belongs to another owner, and will be removed with it.
    NotOurs,
    /// The task panicked.
    Panicked,
}

/// Writes the status of objects with keys `K`; a successful write returns a `T`.
pub(super) struct StatusWriter<K, T> {
    limits: Limits,
    entries: BTreeMap<K, Entry>,
    /// The keys that are due, in the order of their arrival. Keys of forgotten objects are skipped.
    queue: VecDeque<K>,
    /// The waiting keys, by the end of their wait.
    waiting: BTreeSet<(Instant, K)>,
    writes: JoinSet<Result<T, WriteError>>,
    /// The key of each task, and the time at which it began.
    tasks: HashMap<Id, (K, Instant)>,
    window: WriteWindow,
}

/// The record of one key.
#[derive(Clone, Copy)]
struct Entry {
    place: Place,
    /// The number of writes in a row that failed or were out of date.
    failures: u32,
}

/// The place of a key.
#[derive(Clone, Copy)]
enum Place {
    /// It is in the queue.
    Queued,
    /// It waits.
    Waiting { until: Instant, reason: WaitReason },
    /// It is being written. `again` is the time for which it has been marked since, if it has.
    Writing { again: Option<Instant> },
}

/// The reason why a key waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WaitReason {
    /// It was marked for a later time, and can be marked for an earlier one.
    Marked,
    /// Its last write failed.
    Failure,
    /// Its last write was out of date. A newer version of the object ends the pause.
    Conflict,
}

impl<K: Ord + Clone, T: Send + 'static> StatusWriter<K, T> {
    /// A writer with nothing to write yet. Dropping it aborts the writes under way.
    pub(super) fn new(limits: Limits) -> Self {
        let window = if limits.follows_load {
            WriteWindow::new(limits.at_once, limits.spacing)
        } else {
            WriteWindow::fixed(limits.at_once, limits.spacing)
        };
        Self {
            limits,
            entries: BTreeMap::new(),
            queue: VecDeque::new(),
            waiting: BTreeSet::new(),
            writes: JoinSet::new(),
            tasks: HashMap::new(),
            window,
        }
    }

    /// Queues an object. If it is being written, it gets its turn after that; if its write failed, after the pause.
    pub(super) fn mark(&mut self, key: &K) {
        let Some(entry) = self.entries.get_mut(key) else {
            self.enqueue(key.clone(), 0);
            return;
        };

        match &mut entry.place {
            Place::Queued => {}
            Place::Writing { again } => *again = Some(Instant::now()),
            Place::Waiting { reason: WaitReason::Marked, .. } => self.end_wait(key),
            Place::Waiting { .. } => {}
        }
    }

    /// Queues an object at this time, unless it gets its turn earlier.
    pub(super) fn mark_at(&mut self, key: &K, at: Instant) {
        let Some(entry) = self.entries.get_mut(key) else {
            self.wait(key.clone(), at, WaitReason::Marked, 0);
            return;
        };

        match &mut entry.place {
            Place::Writing { again } => *again = Some(again.map_or(at, |before| before.min(at))),
            Place::Waiting { until, reason: WaitReason::Marked } if at < *until => {
                let before = std::mem::replace(until, at);
                self.waiting.remove(&(before, key.clone()));
                self.waiting.insert((at, key.clone()));
            }
            Place::Queued | Place::Waiting { .. } => {}
        }
    }

    /// Queues an object after the watch has delivered a new version. This ends the pause after a conflict.
    pub(super) fn observed(&mut self, key: &K) {
        match self.entries.get(key).map(|entry| entry.place) {
            Some(Place::Waiting { reason: WaitReason::Conflict, .. }) => self.end_wait(key),
            _ => self.mark(key),
        }
    }

    /// Notes that an object is gone.
    pub(super) fn forget(&mut self, key: &K) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        match &mut entry.place {
            Place::Writing { again } => {
                *again = None;
                entry.failures = 0;
                return;
            }
            Place::Waiting { until, .. } => {
                self.waiting.remove(&(*until, key.clone()));
            }
            Place::Queued => {}
        }
        self.entries.remove(key);
    }

    /// Returns true if a write of the object is under way, so that the watch may still deliver the version before it.
    pub(super) fn is_writing(&self, key: &K) -> bool {
        let place = self.entries.get(key).map(|entry| entry.place);
        matches!(place, Some(Place::Writing { .. }))
    }

    /// Returns true if no object is queued or being written. Some may wait after a failure.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.writes.is_empty()
    }

    /// Aborts the writes under way, and forgets all objects.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.limits);
    }

    /// Starts the writes that are due. `decide` returns the write that an object needs.
    pub(super) fn begin<W>(&mut self, mut decide: impl FnMut(&K) -> Decision<W>)
    where
        W: Future<Output = Result<T, WriteError>> + Send + 'static,
    {
        self.end_waits();

        // An object that needs no write does not count towards the limit.
        while self.may_write()
            && let Some(key) = self.queue.pop_front()
        {
            let Some(Entry { place: Place::Queued, failures }) = self.entries.get(&key).copied()
            else {
                continue;
            };

            match decide(&key) {
                Decision::Skip => {
                    self.entries.remove(&key);
                }
                Decision::Wait(until) => self.wait(key, until, WaitReason::Marked, 0),
                Decision::Write(write) => self.write(key, write, failures),
            }
        }

        if self.queue.is_empty() {
            // Free the memory: the queue may have held all Services of a cluster.
            self.queue = VecDeque::new();
        }
    }

    /// Waits until a write has ended, and returns its outcome, or until [`begin`](Self::begin) has to be called. Never
    /// returns if there is nothing to wait for. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<(K, Outcome<T>)> {
        let mut wake = self.waiting.first().map(|(at, _)| *at);
        if !self.queue.is_empty() && self.window.has_room(self.writes.len()) {
            wake = wake.into_iter().chain([self.window.next()]).min();
        }

        tokio::select! {
            biased;
            Some(ended) = self.writes.join_next_with_id() => self.ended(ended),
            () = sleep_until(wake) => None,
        }
    }

    fn may_write(&self) -> bool {
        self.window.has_room(self.writes.len()) && self.window.next() <= Instant::now()
    }

    fn enqueue(&mut self, key: K, failures: u32) {
        self.queue.push_back(key.clone());
        self.entries.insert(key, Entry { place: Place::Queued, failures });
    }

    fn wait(&mut self, key: K, until: Instant, reason: WaitReason, failures: u32) {
        self.waiting.insert((until, key.clone()));
        self.entries.insert(key, Entry { place: Place::Waiting { until, reason }, failures });
    }

    /// Moves a waiting key to the queue.
    fn end_wait(&mut self, key: &K) {
        let Some(Entry { place: Place::Waiting { until, .. }, failures }) =
            self.entries.get(key).copied()
        else {
            return;
        };
        self.waiting.remove(&(until, key.clone()));
        self.enqueue(key.clone(), failures);
    }

    fn end_waits(&mut self) {
        let now = Instant::now();
        while self.waiting.first().is_some_and(|(until, _)| *until <= now)
            && let Some((_, key)) = self.waiting.pop_first()
        {
            let failures = self.entries.get(&key).map_or(0, |entry| entry.failures);
            self.enqueue(key, failures);
        }
    }

    fn write(
        &mut self,
        key: K,
        write: impl Future<Output = Result<T, WriteError>> + Send + 'static,
        failures: u32,
    ) {
        let task = self.writes.spawn(with_timeout(write));
        let now = Instant::now();
        self.window.begin(now);
        self.tasks.insert(task.id(), (key.clone(), now));
        self.entries.insert(key, Entry { place: Place::Writing { again: None }, failures });
    }

    /// Processes the end of a task: moves its key to its next place, and returns the outcome.
    fn ended(
        &mut self,
        ended: Result<(Id, Result<T, WriteError>), JoinError>,
    ) -> Option<(K, Outcome<T>)> {
        let (id, result) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(error = causes(&error), "a status write panicked");
                (error.id(), Err(WriteError::Panicked))
            }
        };
        let (key, began) = self.tasks.remove(&id)?;

        let outcome = match result {
            Ok(written) => Outcome::Done(written),
            Err(WriteError::Request(kube::Error::Api(status)))
                if [404, 409].contains(&status.code) =>
            {
                Outcome::Outdated
            }
            Err(error) => {
                let again = self.entries.get(&key).is_some_and(|entry| entry.failures > 0);
                Outcome::Failed(WriteFailure { error, again })
            }
        };
        let has_failed = matches!(&outcome, Outcome::Failed(it) if !it.error.is_refusal());
        self.window.end(began, has_failed, Instant::now());
        self.move_on(&key, &outcome);
        Some((key, outcome))
    }

    /// Moves a key whose write has ended to its next place.
    fn move_on(&mut self, key: &K, outcome: &Outcome<T>) {
        let Some(Entry { place: Place::Writing { again }, failures }) = self.entries.remove(key)
        else {
            return;
        };

        let now = Instant::now();
        let reason = match (outcome, again) {
            (Outcome::Done(_), None) => return,
            (Outcome::Done(_), Some(at)) if at > now => {
                self.wait(key.clone(), at, WaitReason::Marked, 0);
                return;
            }
            (Outcome::Done(_), Some(_)) => {
                self.enqueue(key.clone(), 0);
                return;
            }
            // The watch may have delivered the other writer's version during this write.
            (Outcome::Outdated, Some(at)) if at <= now => {
                self.enqueue(key.clone(), failures);
                return;
            }
            (Outcome::Outdated, _) => WaitReason::Conflict,
            (Outcome::Failed(_), _) => WaitReason::Failure,
        };

        let (shortest, longest) = self.limits.pause;
        let pause = shortest.saturating_mul(2_u32.saturating_pow(failures)).min(longest);
        self.wait(key.clone(), now + pause, reason, failures.saturating_add(1));
    }
}

impl WriteError {
    /// Returns true if the API server has refused the write for its content, and would do so again. A missing right or an expired
    /// token is no such refusal: it concerns all writes.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Request(kube::Error::Api(status)) => [400, 413, 422].contains(&status.code),
            Self::Request(_) | Self::Panicked => false,
            Self::NotOurs => true,
        }
    }

    /// Returns true if the error deserves a warning of its own; see [`reachability::deserves_warning`].
    pub(super) fn deserves_warning(&self) -> bool {
        match self {
            Self::Request(error) => reachability::deserves_warning(error),
            Self::NotOurs | Self::Panicked => false,
        }
    }
}

impl From<kube::Error> for WriteError {
    fn from(error: kube::Error) -> Self {
        Self::Request(error)
    }
}

impl Display for WriteError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::NotOurs => f.write_str("the object belongs to another owner"),
            Self::Panicked => f.write_str("the write panicked"),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Request(error) => error.source(),
            Self::NotOurs | Self::Panicked => None,
        }
    }
}

/// Logs that a write has failed: as a warning if it is the first in a row and the error
/// [deserves one](WriteError::deserves_warning), and for debugging otherwise. The other arguments are those of `tracing::warn`.
macro_rules! log_failure {
    ($failure:expr, $($rest:tt)*) => {{
        let causes = ferrolb_node::causes(&$failure.error);
        if !$failure.again && $failure.error.deserves_warning() {
            tracing::warn!(error = %causes, $($rest)*);
        } else {
            tracing::debug!(error = %causes, $($rest)*);
        }
    }};
}
pub(super) use log_failure;

/// Patches the status of an object. A patch with a resourceVersion changes nothing if the object has changed since.
pub(super) async fn patch_status(
    api: &Api<ObjectTree>,
    manager: &str,
    name: &str,
    patch: Value,
) -> Result<ObjectTree, kube::Error> {
    let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    api.patch_status(name, &params, &Patch::Merge(patch)).await
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "status_writer_tests.rs"]
mod tests;
