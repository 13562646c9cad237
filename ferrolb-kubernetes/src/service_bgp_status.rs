//! MetalLB's ServiceBGPStatus: to which peers this node means to announce a Service.
//!
//! One object for each Service that this node announces, found by its labels. They are written at a steady pace,
//! whatever happens: nobody waits for them, and an API server has other things to do.
//!
//! They go with the Node. Objects of the same labels that go with another one are left alone, and have ours beside them:
//! those of a MetalLB speaker go with its pod, and it writes them for as long as it runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::client::answered;
use super::object::Object;
use super::status_object::{PERIOD, goes_with_another};
use ferrolb_node::causes;
use lb_adapter::config::Value as Tree;
use lb_adapter::intern::Interner;
use lb_adapter::model::ServiceKey;

/// The peers that a Service is announced to, by name; none for one that is not. Most Services have the same, and
/// share them.
pub(super) type Peers = Arc<BTreeSet<String>>;

/// What is written, and what is to be.
pub(super) struct ServiceStatuses {
    api: Api<Object>,
    node: String,
    manager: &'static str,
    /// Whoever the objects go with.
    owner: Option<Value>,
    rows: BTreeMap<ServiceKey, Row>,
    peers: Interner<BTreeSet<String>>,
    due: BTreeSet<ServiceKey>,
    /// The Service whose turn was last. The next one follows it, so that one that cannot be written keeps no other
    /// waiting.
    last: Option<ServiceKey>,
    /// Whether it is known which objects there are.
    listed: bool,
    /// Whether it has been known before.
    begun: bool,
    /// When that is looked at again: whoever else removes or writes one does not say so.
    relist: Instant,
    next: Instant,
    under_way: Option<JoinHandle<Done>>,
    news: VecDeque<News>,
}

/// What has turned: a process that starts again finds the objects of the last one, and has nothing to tell; nor has one
/// whose objects are made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A Service is announced to these peers.
    Begun(ServiceKey, Peers),
    /// It is not announced any more.
    Ended(ServiceKey),
}

/// One Service that is announced, or of which there is an object.
#[derive(Default)]
struct Row {
    wanted: Option<Peers>,
    written: Option<Written>,
    /// Whether it has been told that it is announced, and not yet that it is not.
    told: bool,
}

impl Row {
    fn is_needed(&self) -> bool {
        self.wanted.is_some() || self.written.is_some() || self.told
    }
}

/// An object: its name, and the peers that it says.
type Written = (Box<str>, Peers);

/// So long between two objects.
const PACE: Duration = Duration::from_millis(50);
/// So long after a failure, or while the cluster has no such resource.
const PAUSE: Duration = Duration::from_secs(20);
/// Objects in a page of a list.
const PAGE: u32 = 200;

enum Done {
    Listed(Vec<(ServiceKey, Box<str>, BTreeSet<String>)>),
    Written(ServiceKey, Option<Written>),
    Failed(Option<ServiceKey>),
}

impl ServiceStatuses {
    pub(super) fn new(client: Client, namespace: &str, node: &str, manager: &'static str) -> Self {
        let kind = GroupVersionKind::gvk("metallb.io", "v1beta1", "ServiceBGPStatus");
        let resource = ApiResource::from_gvk_with_plural(&kind, "servicebgpstatuses");
        Self {
            api: Api::namespaced_with(client, namespace, &resource),
            node: node.to_owned(),
            manager,
            owner: None,
            rows: BTreeMap::new(),
            peers: Interner::default(),
            due: BTreeSet::new(),
            last: None,
            listed: false,
            begun: false,
            relist: Instant::now(),
            next: Instant::now(),
            under_way: None,
            news: VecDeque::new(),
        }
    }

    /// The objects go with this one: a Node. If it is another now, they have gone with the one before or are about to,
    /// and others are made.
    pub(super) fn set_owner(&mut self, owner: &Value) {
        if self.owner.replace(owner.clone()).is_some_and(|before| before != *owner) {
            // What is under way is about the objects of the one before.
            if let Some(under_way) = self.under_way.take() {
                under_way.abort();
            }
            self.forget_written();
        }
    }

    /// A Service is announced to these peers from now on.
    pub(super) fn set(&mut self, key: &ServiceKey, peers: BTreeSet<String>) {
        // Taken out and put in, so that it is under the key that others share.
        let mut row = self.rows.remove(key).unwrap_or_default();
        let wanted = (!peers.is_empty()).then(|| self.peers.intern(peers));
        if row.wanted != wanted {
            row.wanted = wanted;
            self.due.insert(key.clone());
        }
        self.keep(key, row);
    }

    fn keep(&mut self, key: &ServiceKey, row: Row) {
        if row.is_needed() {
            self.rows.insert(key.clone(), row);
        }
    }

    /// Writes one after the other until there is something to tell; loses nothing when it is dropped in between.
    pub(super) async fn work(&mut self) -> News {
        loop {
            if let Some(news) = self.news.pop_front() {
                return news;
            }
            if let Some(under_way) = &mut self.under_way {
                let done = under_way.await;
                self.under_way = None;
                self.take(done.unwrap_or(Done::Failed(None)));
                continue;
            }
            if self.listed && self.due.is_empty() {
                tokio::time::sleep_until(self.relist).await;
                self.forget_written();
            }
            tokio::time::sleep_until(self.next).await;
            self.begin();
        }
    }

    fn take(&mut self, done: Done) {
        self.next = Instant::now() + PACE;
        match done {
            Done::Listed(objects) => {
                for (key, name, peers) in objects {
                    let peers = self.peers.intern(peers);
                    let row = self.rows.entry(key).or_default();
                    row.told |= !self.begun && !peers.is_empty();
                    row.written = Some((name, peers));
                }
                self.due.extend(self.rows.keys().cloned());
                (self.listed, self.begun) = (true, true);
                self.relist = Instant::now() + PERIOD;
            }
            Done::Written(key, written) => {
                let row = self.rows.remove(&key).unwrap_or_default();
                self.stands(&key, Row { written, ..row });
            }
            Done::Failed(key) => {
                self.next = Instant::now() + PAUSE;
                self.forget_written();
                self.due.extend(key);
            }
        }
    }

    /// Tells what has turned by an object as it stands.
    fn stands(&mut self, key: &ServiceKey, mut row: Row) {
        let written = row.written.as_ref();
        let announced = written.is_some();
        if row.told != announced {
            row.told = announced;
            self.news.push_back(match written {
                Some((_, peers)) => News::Begun(key.clone(), Arc::clone(peers)),
                None => News::Ended(key.clone()),
            });
        }
        self.keep(key, row);
    }

    /// What there is has to be seen again.
    fn forget_written(&mut self) {
        self.rows.values_mut().for_each(|row| row.written = None);
        self.rows.retain(|_, row| row.is_needed());
        self.listed = false;
    }

    /// Takes the Service whose turn it is: the one after the last, in a circle.
    fn take_due(&mut self) -> Option<ServiceKey> {
        let after = self
            .last
            .as_ref()
            .and_then(|last| self.due.range((Bound::Excluded(last), Bound::Unbounded)).next());
        let key = after.or_else(|| self.due.first()).cloned()?;
        self.due.remove(&key);
        self.last = Some(key.clone());
        Some(key)
    }

    fn begin(&mut self) {
        let (api, node, manager) = (self.api.clone(), self.node.clone(), self.manager);
        if !self.listed {
            let owner = self.owner.as_ref().and_then(|it| it["uid"].as_str()).map(str::to_owned);
            self.under_way = Some(tokio::spawn(list(api, node, owner)));
            return;
        }
        while let Some(key) = self.take_due() {
            let Some(Row { wanted, written, .. }) = self.rows.get(&key) else { continue };
            let said = written.as_ref().map(|(_, peers)| peers);
            if wanted.as_ref() != said {
                let name = written.as_ref().map(|(name, _)| name.clone());
                let owner = self.owner.clone();
                let task = write(api, manager, node, owner, key, name, wanted.clone());
                self.under_way = Some(tokio::spawn(task));
                return;
            }
            if let Some(row) = self.rows.remove(&key) {
                self.stands(&key, row);
            }
        }
    }
}

impl Drop for ServiceStatuses {
    fn drop(&mut self) {
        if let Some(under_way) = &self.under_way {
            under_way.abort();
        }
    }
}

/// The objects that are ours: those that go with this Node, or with nobody.
async fn list(api: Api<Object>, node: String, owner: Option<String>) -> Done {
    let mut params = ListParams::default().labels(&format!("{NODE}={node}")).limit(PAGE);
    let mut listed = Vec::new();
    loop {
        let page = match answered(api.list(&params)).await {
            Ok(page) => page,
            Err(error) => {
                tracing::debug!(
                    error = causes(&error),
                    "ServiceBGPStatus objects cannot be listed"
                );
                return Done::Failed(None);
            }
        };
        let ours = page.items.iter().filter(|object| is_ours(object, owner.as_deref()));
        listed.extend(ours.filter_map(row));
        params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            return Done::Listed(listed);
        }
    }
}

fn is_ours(object: &Object, owner: Option<&str>) -> bool {
    let owners = object.get(&["metadata", "ownerReferences"]).map_or(&[][..], Tree::items);
    !goes_with_another(owners.iter().filter_map(|it| it.get("uid")?.text()), owner)
}

fn row(object: &Object) -> Option<(ServiceKey, Box<str>, BTreeSet<String>)> {
    let label = |key| object.text(&["metadata", "labels", key]);
    let key = ServiceKey::new(label(NAMESPACE)?, label(NAME)?);
    let peers = object.get(&["status", "peers"]).map_or(&[][..], Tree::items);
    let peers = peers.iter().filter_map(|peer| peer.text().map(str::to_owned)).collect();
    Some((key, object.name().1.into(), peers))
}

async fn write(
    api: Api<Object>,
    manager: &'static str,
    node: String,
    owner: Option<Value>,
    key: ServiceKey,
    name: Option<Box<str>>,
    peers: Option<Peers>,
) -> Done {
    let written = put(&api, manager, &node, owner, &key, name, peers.as_deref());
    match answered(written).await {
        Ok(name) => Done::Written(key, name.zip(peers)),
        Err(error) => {
            tracing::debug!(service = %key, error = causes(&error), "the ServiceBGPStatus cannot be written");
            Done::Failed(Some(key))
        }
    }
}

/// Creates, changes or deletes the object; gives back its name if there is one then.
async fn put(
    api: &Api<Object>,
    manager: &'static str,
    node: &str,
    owner: Option<Value>,
    key: &ServiceKey,
    name: Option<Box<str>>,
    peers: Option<&BTreeSet<String>>,
) -> Result<Option<Box<str>>, kube::Error> {
    let Some(peers) = peers else {
        if let Some(name) = name {
            match api.delete(&name, &DeleteParams::default()).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                other => drop(other?),
            }
        }
        return Ok(None);
    };
    let name = match name {
        Some(name) => name,
        None => {
            let labels = json!({NODE: node, NAME: key.name, NAMESPACE: *key.namespace});
            let owners: Vec<Value> = owner.into_iter().collect();
            let object = json!({"apiVersion": "metallb.io/v1beta1", "kind": "ServiceBGPStatus",
                "metadata": {"generateName": "bgp-", "labels": labels, "ownerReferences": owners},
                "spec": {}});
            let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
            let params =
                PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
            api.create(&params, &object).await?.name().1.into()
        }
    };
    let status = json!({"status": {"node": node, "serviceName": key.name,
        "serviceNamespace": *key.namespace, "peers": peers}});
    let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    api.patch_status(&name, &params, &Patch::Merge(status)).await?;
    Ok(Some(name))
}

const NODE: &str = "metallb.io/node";
const NAME: &str = "metallb.io/service-name";
const NAMESPACE: &str = "metallb.io/service-namespace";

#[cfg(test)]
#[path = "service_bgp_status_tests.rs"]
mod tests;
