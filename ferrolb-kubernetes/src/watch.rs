//! Watches: what the API server has of each resource, kept up with through outages, one task for each.
//!
//! ```text
//! list in pages, watch ──► Seen::Applied, Seen::Gone ... Seen::Listed ──► one queue
//! ```
//!
//! A watch that ends, breaks or falls behind begins again with a list. Objects that the list lacks went away in between;
//! the owner of the rows finds them by the names that come with it. While the API server is away nothing is reported, so
//! that what is in force stays in force. Objects are handed on one by one and are not kept here. What the API server
//! refuses is logged once for each resource; that it does not answer is logged by `reach`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::object::Object;
use super::reach;
use super::resource::{Kind, Watched};
use ferrolb_node::causes;

/// What was seen of a resource.
#[derive(Debug)]
pub(super) enum Seen {
    /// An object is there, new or changed.
    Applied(Kind, Box<Object>),
    /// An object is gone.
    Gone(Kind, ObjectName),
    /// All objects of the resource have been seen, those of these names. The first list has none: nothing can be
    /// missing in it.
    Listed(Kind, Option<Names>),
}

/// The namespace, empty for none, and the name of an object.
pub(super) type ObjectName = (String, String);

/// The kind and the name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectId(pub(super) Kind, pub(super) ObjectName);

/// The names of the objects of a list, as `namespace/name`.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<Box<str>>);

impl Names {
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

/// The watches that run; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Watches {
    tasks: JoinSet<()>,
    queue: mpsc::Sender<Seen>,
    seen: mpsc::Receiver<Seen>,
    restarts: Restarts,
    refused: Refused,
}

/// The resources that the API server refuses to list or to watch, by their plural names, each with its reason.
#[derive(Clone, Debug, Default)]
struct Refused {
    reasons: Arc<Mutex<BTreeMap<&'static str, String>>>,
    bell: Arc<Notify>,
}

impl Refused {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the server has refused, and why. Returns true if that is new.
    fn insert(&self, resource: &'static str, why: &str) -> bool {
        let before = self.lock().insert(resource, why.to_owned());
        let is_new = before.as_deref() != Some(why);
        if is_new {
            self.bell.notify_one();
        }
        is_new
    }

    /// Notes that the server no longer refuses. Returns true if it did before.
    fn remove(&self, resource: &'static str) -> bool {
        let was_refused = self.lock().remove(resource).is_some();
        if was_refused {
            self.bell.notify_one();
        }
        was_refused
    }
}

/// How often watches were begun again, by the plural names of their resources.
pub(super) type Restarts = Arc<Mutex<BTreeMap<&'static str, u64>>>;

/// So many events may wait; a watch stops reading while the queue is full.
const QUEUE: usize = 64;
/// Objects in a page of a list: what is read at once is what memory is needed for besides the rows.
const PAGE: u32 = 100;
/// Pauses after failures grow between these.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// A watch that does not fail again within this time works, though it may have nothing to show.
const SETTLED: Duration = Duration::from_secs(2);
/// How often an API that the cluster does not have is looked for.
const ABSENT: Duration = Duration::from_secs(20);

impl Watches {
    /// None yet.
    pub(super) fn new(restarts: Restarts) -> Self {
        let (queue, seen) = mpsc::channel(QUEUE);
        Self { tasks: JoinSet::new(), queue, seen, restarts, refused: Refused::default() }
    }

    /// Rings the bell when the [refused](Self::refused) resources change. Applies to watches that begin later.
    pub(super) fn ringing(mut self, bell: &Arc<Notify>) -> Self {
        self.refused.bell = Arc::clone(bell);
        self
    }

    /// The resources that the API server refuses to list or to watch, each with its reason.
    pub(super) fn refused(&self) -> BTreeMap<&'static str, String> {
        self.refused.lock().clone()
    }

    /// Begins to watch.
    pub(super) fn watch(&mut self, client: &Client, watched: Watched) {
        let follower = Follower {
            watched,
            client: client.clone(),
            queue: self.queue.clone(),
            restarts: Arc::clone(&self.restarts),
            refused: self.refused.clone(),
            failures: 0,
            is_first: true,
            listing: None,
        };
        self.tasks.spawn(follower.follow());
    }

    /// What is seen next.
    pub(super) async fn next(&mut self) -> Option<Seen> {
        self.seen.recv().await
    }

    /// What has been seen meanwhile, without waiting.
    pub(super) fn try_next(&mut self) -> Option<Seen> {
        self.seen.try_recv().ok()
    }
}

struct Follower {
    watched: Watched,
    client: Client,
    queue: mpsc::Sender<Seen>,
    restarts: Restarts,
    refused: Refused,
    /// How often it has failed since it last worked.
    failures: u32,
    /// Whether nothing has been handed on yet.
    is_first: bool,
    /// What a list that is being read has shown up to now, unless it is the first.
    listing: Option<Names>,
}

impl Follower {
    async fn follow(mut self) {
        let kind = self.watched.kind;
        let resource = kind.api_resource();
        let api: Api<Object> = match &self.watched.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let mut config = watcher::Config::default().page_size(PAGE);
        config.field_selector.clone_from(&self.watched.fields);
        config.label_selector.clone_from(&self.watched.labels);

        let mut events = Box::pin(watcher::watcher(api, config));
        let mut pause = PAUSE.0;
        loop {
            let next = events.next();
            let event = if self.failures == 0 {
                next.await
            } else if let Ok(event) = tokio::time::timeout(SETTLED, next).await {
                event
            } else {
                pause = PAUSE.0;
                self.works();
                continue;
            };

            let Some(event) = event else { return };
            match event {
                Ok(event) => {
                    // A list that only begins may fail as the last one did.
                    if !matches!(event, Event::Init) {
                        pause = PAUSE.0;
                        self.works();
                    }
                    if self.hand_on(event).await.is_err() {
                        return;
                    }
                }
                Err(error) if kind.is_optional() && is_absent(&error) => {
                    // An API that is not installed has no objects, and refuses nothing.
                    self.works();
                    if self.hand_on(Event::Init).await.is_err()
                        || self.hand_on(Event::InitDone).await.is_err()
                    {
                        return;
                    }
                    tokio::time::sleep(ABSENT).await;
                }
                Err(error) => {
                    self.failed(&error);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
    }

    async fn hand_on(&mut self, event: Event<Object>) -> Result<(), Over> {
        let kind = self.watched.kind;
        match event {
            Event::Init => {
                self.listing = (!self.is_first).then(Names::default);
                Ok(())
            }
            Event::InitApply(object) | Event::Apply(object) => {
                self.is_first = false;
                if let Some(listing) = &mut self.listing {
                    listing.insert(&object.name());
                }
                self.send(Seen::Applied(kind, Box::new(object))).await
            }
            Event::InitDone => {
                self.is_first = false;
                let listed = self.listing.take();
                self.send(Seen::Listed(kind, listed)).await
            }
            Event::Delete(object) => self.send(Seen::Gone(kind, object.name())).await,
        }
    }

    async fn send(&self, seen: Seen) -> Result<(), Over> {
        self.queue.send(seen).await.map_err(|_| Over)
    }

    /// Notes a failure, and warns if the API server refuses. A watch that only has to be begun again is no news: the API
    /// server ends each of them from time to time.
    fn failed(&mut self, error: &watcher::Error) {
        self.count_restart();
        self.failures += 1;
        let resource = self.watched.kind.plural();
        match refusal(error).filter(|_| self.failures > 1) {
            Some(why) if self.refused.insert(resource, &why) => {
                tracing::warn!(
                    "the API server refuses to list or to watch {resource}, trying again: {why}"
                );
            }
            _ => {
                tracing::debug!(resource, error = causes(error), "the watch has to be begun again");
            }
        }
    }

    fn works(&mut self) {
        self.failures = 0;
        let resource = self.watched.kind.plural();
        if self.refused.remove(resource) {
            tracing::info!("the API server no longer refuses {resource}");
        }
    }

    fn count_restart(&self) {
        let mut restarts = self.restarts.lock().unwrap_or_else(PoisonError::into_inner);
        *restarts.entry(self.watched.kind.plural()).or_default() += 1;
    }
}

/// The receiver is gone.
struct Over;

/// Returns why the API server refuses, or nothing if it does not answer.
fn refusal(error: &watcher::Error) -> Option<String> {
    let (watcher::Error::InitialListFailed(error)
    | watcher::Error::WatchStartFailed(error)
    | watcher::Error::WatchFailed(error)) = error
    else {
        return Some(causes(error));
    };
    reach::is_news(error).then(|| match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        error => causes(error),
    })
}

fn is_absent(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))) = error
    else {
        return false;
    };
    status.code == 404
}
