//! Watches: what the API server has of each resource, kept up with through outages, one task for each.
//!
//! ```text
//! list in pages, watch ──► Seen::Applied, Seen::Gone ... Seen::Listed ──► one queue
//! ```
//!
//! A watch that ends, breaks or falls behind is begun anew with a list; what went away meanwhile is found by what
//! the list lacks. While the API server is away nothing is said, so that what is in force stays in force. Objects
//! are handed on one by one and kept nowhere here but for their names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use kube::core::DynamicObject;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::resource::{Kind, Watched};

/// What was seen of a resource.
#[derive(Debug)]
pub(super) enum Seen {
    /// An object is there, new or changed.
    Applied(Kind, Box<DynamicObject>),
    /// An object is gone.
    Gone(Kind, ObjectName),
    /// All objects of the resource have been seen.
    Listed(Kind),
}

/// The namespace, empty for none, and the name of an object.
pub(super) type ObjectName = (String, String);

/// The watches that run; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Watches {
    tasks: JoinSet<()>,
    queue: mpsc::Sender<Seen>,
    seen: mpsc::Receiver<Seen>,
    restarts: Restarts,
}

/// How often watches were begun anew, by the plural names of their resources.
pub(super) type Restarts = Arc<Mutex<BTreeMap<&'static str, u64>>>;

/// So many events may wait; a watch stops reading while the queue is full.
const QUEUE: usize = 256;
/// Objects in a page of a list.
const PAGE: u32 = 200;
/// Pauses after failures grow between these.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How often an API that the cluster does not have is looked for.
const ABSENT: Duration = Duration::from_secs(20);

impl Watches {
    /// None yet.
    pub(super) fn new(restarts: Restarts) -> Self {
        let (queue, seen) = mpsc::channel(QUEUE);
        Self { tasks: JoinSet::new(), queue, seen, restarts }
    }

    /// Begins to watch.
    pub(super) fn watch(&mut self, client: &Client, watched: Watched) {
        let follower = Follower {
            watched,
            client: client.clone(),
            queue: self.queue.clone(),
            restarts: Arc::clone(&self.restarts),
            known: BTreeSet::new(),
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
    known: BTreeSet<ObjectName>,
    /// What a list that is being read has shown up to now.
    listing: Option<BTreeSet<ObjectName>>,
}

impl Follower {
    async fn follow(mut self) {
        let kind = self.watched.kind;
        let resource = kind.api_resource();
        let api: Api<DynamicObject> = match &self.watched.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let mut config = watcher::Config::default().page_size(PAGE);
        config.field_selector.clone_from(&self.watched.fields);
        config.label_selector.clone_from(&self.watched.labels);
        let mut events = Box::pin(watcher::watcher(api, config));
        let mut pause = PAUSE.0;
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    // A list that only begins may fail as the last one did.
                    if !matches!(event, Event::Init) {
                        pause = PAUSE.0;
                    }
                    if self.hand_on(event).await.is_err() {
                        return;
                    }
                }
                Err(error) if kind.is_optional() && is_absent(&error) => {
                    // An API that is not installed has no objects.
                    if self.hand_on(Event::Init).await.is_err()
                        || self.hand_on(Event::InitDone).await.is_err()
                    {
                        return;
                    }
                    tokio::time::sleep(ABSENT).await;
                }
                Err(error) => {
                    tracing::warn!(resource = kind.plural(), %error, "the watch has to be begun anew");
                    self.count_restart();
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
    }

    async fn hand_on(&mut self, event: Event<DynamicObject>) -> Result<(), Over> {
        let kind = self.watched.kind;
        match event {
            Event::Init => {
                self.listing = Some(BTreeSet::new());
                Ok(())
            }
            Event::InitApply(object) | Event::Apply(object) => {
                let name = name_of(&object);
                if let Some(listing) = &mut self.listing {
                    listing.insert(name.clone());
                }
                self.known.insert(name);
                self.send(Seen::Applied(kind, Box::new(object))).await
            }
            Event::InitDone => {
                let listed = self.listing.take().unwrap_or_default();
                let gone: Vec<_> = self.known.difference(&listed).cloned().collect();
                self.known = listed;
                for name in gone {
                    self.send(Seen::Gone(kind, name)).await?;
                }
                self.send(Seen::Listed(kind)).await
            }
            Event::Delete(object) => {
                let name = name_of(&object);
                self.known.remove(&name);
                self.send(Seen::Gone(kind, name)).await
            }
        }
    }

    async fn send(&self, seen: Seen) -> Result<(), Over> {
        self.queue.send(seen).await.map_err(|_| Over)
    }

    fn count_restart(&self) {
        let mut restarts = self.restarts.lock().unwrap_or_else(PoisonError::into_inner);
        *restarts.entry(self.watched.kind.plural()).or_default() += 1;
    }
}

/// Nobody listens any more.
struct Over;

fn name_of(object: &DynamicObject) -> ObjectName {
    let metadata = &object.metadata;
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

fn is_absent(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))) = error
    else {
        return false;
    };
    status.code == 404
}
