//! The watches: one task for each resource, or for a single object of one, which follows its objects at the API server, through outages.
//!
//! ```text
//! list in pages, watch ──► WatchEvent::Applied, Deleted ... Listed ──► one queue
//! ```
//!
//! A watch that ends, breaks or falls behind starts again with a list. Objects that are missing in the list were deleted in
//! between; the owner of the objects finds them by the names that come with the list. While the API server is unreachable,
//! watches report nothing, so that everything stays in force. They pass objects on one by one, and keep none.
//!
//! Refusals of the API server are logged once for each resource. Outages are logged by `reachability`.
//!
//! `kube`'s `WatchStreamExt::default_backoff` does not fit: its pauses grow to half a minute, and only two minutes without a
//! failure reset them. With `backoff` the pauses can be chosen, but any event resets them, even the one that precedes every
//! list, so that lists that keep failing would never slow down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::object_tree::ObjectTree;
use super::reachability;
use super::resource::{Kind, ObjectName, WatchTarget};
use ferrolb_api::EventKind;
use ferrolb_node::causes;
use ferrolb_node::events::{EventLog, NewEvent};

/// An event of a watch.
#[derive(Debug)]
pub(super) enum WatchEvent {
    /// An object was created or has changed, or is listed.
    Applied(Kind, Box<ObjectTree>),
    /// An object was deleted.
    Deleted(Kind, ObjectName),
    /// All objects of the resource have been listed, with these names. The first list comes without names, since no object
    /// can be missing from it, and so does the list of a single object.
    Listed(Kind, Option<ListedNames>),
    /// The object of this name has been looked for. If it exists and may be read, it has been [applied](Self::Applied).
    LookedFor(Kind, ObjectName),
}

/// The names of the objects of a list, as `namespace/name`.
#[derive(Debug, Default)]
pub(super) struct ListedNames(BTreeSet<Box<str>>);

impl ListedNames {
    pub(super) fn insert(&mut self, name: &ObjectName) {
        self.0.insert(joined(name));
    }

    pub(super) fn contains(&self, name: &ObjectName) -> bool {
        self.0.contains(&joined(name))
    }
}

fn joined((namespace, name): &ObjectName) -> Box<str> {
    format!("{namespace}/{name}").into_boxed_str()
}

/// The running watches, which end when this is dropped.
pub(super) struct Watches {
    client: Client,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Received>,
    events: mpsc::Receiver<Received>,
    /// The time at which the last event that was passed on was received.
    received_at: Instant,
    restarts: Restarts,
    refused: RefusedResources,
}

/// An event, and the time at which the API server's message was received.
type Received = (Instant, WatchEvent);

/// The number of restarts of watches, by the plural names of their resources.
type Restarts = Arc<Mutex<BTreeMap<&'static str, u64>>>;

/// The resources that the API server refuses to list or to watch, by their plural names and the name of a single object, each with
/// its reason.
#[derive(Clone, Debug, Default)]
struct RefusedResources {
    reasons: Arc<Mutex<BTreeMap<RefusedKey, String>>>,
    changed: Arc<Notify>,
    log: EventLog,
}

/// The plural name of a resource, and the name of an object if only that one is watched.
type RefusedKey = (&'static str, Option<String>);

/// Names a resource for people, with the object if only that one is watched.
fn shown((resource, name): &RefusedKey) -> String {
    match name {
        Some(name) => format!("{resource} {name}"),
        None => (*resource).to_owned(),
    }
}

impl RefusedResources {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<RefusedKey, String>> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a refusal and its reason. Returns true if the reason is new.
    fn insert(&self, key: RefusedKey, why: &str) -> bool {
        let resource = shown(&key);
        let before = self.lock().insert(key, why.to_owned());
        let is_new = before.as_deref() != Some(why);
        if is_new {
            let text = format!("the API server refuses to list or to watch {resource}: {why}");
            self.log.record(NewEvent::error(EventKind::Watch, text));
            self.changed.notify_one();
        }
        is_new
    }

    /// Notes that the API server no longer refuses a resource. Returns true if it did before.
    fn remove(&self, key: &RefusedKey) -> bool {
        let was_refused = self.lock().remove(key).is_some();
        if was_refused {
            let text = format!("the API server no longer refuses {}", shown(key));
            self.log.record(NewEvent::info(EventKind::Watch, text));
            self.changed.notify_one();
        }
        was_refused
    }
}

/// The number of events that may wait. A watch stops reading while the queue is full.
const QUEUE: usize = 64;
/// The number of objects in a page of a list. A list needs memory for only one page at a time.
const PAGE: u32 = 100;
/// The shortest and the longest pause after a failure.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// The time without another failure after which a watch counts as working, even if it has delivered no event.
const SETTLED: Duration = Duration::from_secs(2);
/// The time between two attempts to list a resource whose API the cluster lacks.
const ABSENT: Duration = Duration::from_secs(20);

impl Watches {
    /// No watches yet. `changed` is notified when the [refused](Self::refused) resources change.
    pub(super) fn new(client: Client, changed: Arc<Notify>, log: EventLog) -> Self {
        let (sender, events) = mpsc::channel(QUEUE);
        let refused = RefusedResources { changed, log, ..RefusedResources::default() };
        let tasks = JoinSet::new();
        let (received_at, restarts) = (Instant::now(), Restarts::default());
        Self { client, tasks, sender, events, received_at, restarts, refused }
    }

    /// Returns the resources that the API server refuses to list or to watch, each with its reason.
    pub(super) fn refused(&self) -> BTreeMap<&'static str, String> {
        let refused = self.refused.lock();
        refused.iter().map(|((resource, _), why)| (*resource, why.clone())).collect()
    }

    /// Returns the number of restarts of watches, by the plural names of their resources.
    pub(super) fn restarts(&self) -> BTreeMap<&'static str, u64> {
        self.restarts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts a watch, which the result stops.
    pub(super) fn watch(&mut self, target: WatchTarget) -> AbortHandle {
        // Watches that were stopped leave their results behind.
        while self.tasks.try_join_next().is_some() {}
        let watch = ResourceWatch {
            target,
            client: self.client.clone(),
            sender: self.sender.clone(),
            restarts: Arc::clone(&self.restarts),
            refused: self.refused.clone(),
            failures: 0,
            is_first: true,
            listing: None,
        };
        self.tasks.spawn(watch.run())
    }

    /// Forgets that the API server refuses the object of a watch that was stopped.
    pub(super) fn forget(&self, target: &WatchTarget) {
        self.refused.remove(&(target.kind.plural(), target.name.clone()));
    }

    /// Waits for the next event. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<WatchEvent> {
        let (received_at, event) = self.events.recv().await?;
        self.received_at = received_at;
        Some(event)
    }

    /// Returns the next event if one is waiting.
    pub(super) fn try_next(&mut self) -> Option<WatchEvent> {
        let (received_at, event) = self.events.try_recv().ok()?;
        self.received_at = received_at;
        Some(event)
    }

    /// Returns the time at which the last event that was passed on was received.
    pub(super) fn received_at(&self) -> Instant {
        self.received_at
    }
}

/// The watch of one resource.
struct ResourceWatch {
    target: WatchTarget,
    client: Client,
    sender: mpsc::Sender<Received>,
    restarts: Restarts,
    refused: RefusedResources,
    /// The number of failures since the watch last worked.
    failures: u32,
    /// True if nothing has been passed on yet.
    is_first: bool,
    /// The names in the list that is being read, unless it is the first one.
    listing: Option<ListedNames>,
}

impl ResourceWatch {
    async fn run(mut self) {
        let mut events = Box::pin(watcher::watcher(self.api(), self.config()));
        let mut pause = PAUSE.0;
        loop {
            let next = events.next();
            // A watch that has passed nothing on does not work yet, however long the API server takes to refuse it.
            let event = if self.failures == 0 || self.is_first {
                next.await
            } else if let Ok(event) = tokio::time::timeout(SETTLED, next).await {
                event
            } else {
                pause = PAUSE.0;
                self.note_recovery();
                continue;
            };
            let Some(event) = event else { return };

            match event {
                Ok(event) => {
                    // A list that has only begun may fail like the last one.
                    if !matches!(event, Event::Init) {
                        pause = PAUSE.0;
                        self.note_recovery();
                    }
                    if self.forward(event).await.is_err() {
                        return;
                    }
                }
                Err(error) if self.target.kind.is_optional() && is_absent(&error) => {
                    self.note_recovery();
                    if self.forward_empty_list().await.is_err() {
                        return;
                    }
                    tokio::time::sleep(ABSENT).await;
                }
                Err(error) => {
                    let is_refused = self.note_failure(&error);
                    // What needs this object must not hold up everything else.
                    if is_refused && self.is_first && self.forward_search().await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
    }

    fn api(&self) -> Api<ObjectTree> {
        let resource = self.target.kind.api_resource();
        match &self.target.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    fn config(&self) -> watcher::Config {
        let mut config = watcher::Config::default().page_size(PAGE);
        config.field_selector = self.target.field_selector();
        config.label_selector.clone_from(&self.target.labels);
        config
    }

    async fn forward(&mut self, event: Event<ObjectTree>) -> Result<(), QueueClosed> {
        let kind = self.target.kind;
        match event {
            Event::Init => {
                self.listing = (!self.is_first).then(ListedNames::default);
                Ok(())
            }
            Event::InitApply(object) | Event::Apply(object) => {
                self.is_first = false;
                if let Some(listing) = &mut self.listing {
                    listing.insert(&object.name());
                }
                self.send(WatchEvent::Applied(kind, Box::new(object))).await
            }
            Event::InitDone => {
                self.is_first = false;
                let mut listed = self.listing.take();

                if let Some(name) = self.target.object_name() {
                    // The list says nothing about other objects of the kind.
                    if listed.take().is_some_and(|listed| !listed.contains(&name)) {
                        self.send(WatchEvent::Deleted(kind, name)).await?;
                    }
                    self.forward_search().await?;
                }
                self.send(WatchEvent::Listed(kind, listed)).await
            }
            Event::Delete(object) => self.send(WatchEvent::Deleted(kind, object.name())).await,
        }
    }

    /// Passes on that the object has been looked for, if this is the watch of a single one.
    async fn forward_search(&self) -> Result<(), QueueClosed> {
        let Some(name) = self.target.object_name() else { return Ok(()) };
        self.send(WatchEvent::LookedFor(self.target.kind, name)).await
    }

    /// Passes on an empty list, for an API that is not installed and so has no objects.
    async fn forward_empty_list(&mut self) -> Result<(), QueueClosed> {
        self.forward(Event::Init).await?;
        self.forward(Event::InitDone).await
    }

    async fn send(&self, event: WatchEvent) -> Result<(), QueueClosed> {
        self.sender.send((Instant::now(), event)).await.map_err(|_| QueueClosed)
    }

    /// Notes a failure, and warns if the API server refuses. The first failure is not worth a warning, since the API server
    /// ends each watch from time to time. Returns true if the API server refuses.
    fn note_failure(&mut self, error: &watcher::Error) -> bool {
        self.count_restart();
        self.failures += 1;
        let resource = self.target.kind.plural();

        let refusal = refusal(error).filter(|_| self.failures > 1);
        match &refusal {
            Some(why) if self.refused.insert(self.refused_key(), why) => {
                tracing::warn!(
                    "the API server refuses to list or to watch {}, trying again: {why}",
                    shown(&self.refused_key())
                );
            }
            _ => {
                tracing::debug!(resource, error = causes(error), "restarting the watch");
            }
        }
        refusal.is_some()
    }

    fn refused_key(&self) -> RefusedKey {
        (self.target.kind.plural(), self.target.name.clone())
    }

    fn note_recovery(&mut self) {
        self.failures = 0;
        let key = self.refused_key();
        if self.refused.remove(&key) {
            tracing::info!("the API server no longer refuses {}", shown(&key));
        }
    }

    fn count_restart(&self) {
        let mut restarts = self.restarts.lock().unwrap_or_else(PoisonError::into_inner);
        *restarts.entry(self.target.kind.plural()).or_default() += 1;
    }
}

/// The receiver of events is gone.
struct QueueClosed;

/// Returns the reason of a refusal, or nothing if the API server did not respond.
fn refusal(error: &watcher::Error) -> Option<String> {
    let (watcher::Error::InitialListFailed(error)
    | watcher::Error::WatchStartFailed(error)
    | watcher::Error::WatchFailed(error)) = error
    else {
        return Some(causes(error));
    };

    if !reachability::deserves_warning(error) {
        return None;
    }
    Some(match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        error => causes(error),
    })
}

/// Returns true if the cluster lacks the API.
fn is_absent(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))) = error
    else {
        return false;
    };
    status.code == 404
}
