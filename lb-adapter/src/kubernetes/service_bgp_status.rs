//! MetalLB's ServiceBGPStatus: to which peers this node means to announce a Service.
//!
//! One object for each Service that this node announces, found by its labels. They are written at a steady pace,
//! whatever happens: nobody waits for them, and an API server has other things to do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::model::ServiceKey;

/// The peers that a Service is announced to, by name; none for one that is not.
pub(super) type Peers = BTreeSet<String>;

/// What is written, and what is to be.
pub(super) struct ServiceStatuses {
    api: Api<DynamicObject>,
    node: String,
    manager: &'static str,
    /// Whoever the objects go with.
    owner: Option<Value>,
    wanted: BTreeMap<ServiceKey, Peers>,
    due: BTreeSet<ServiceKey>,
    /// The objects that there are: name and peers. Not known before they were listed.
    written: Option<BTreeMap<ServiceKey, (String, Peers)>>,
    next: Instant,
    under_way: Option<JoinHandle<Done>>,
    news: VecDeque<News>,
}

/// What has turned, as the objects tell it: a process that starts again finds those of the last one, and has nothing
/// to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A Service is announced to these peers.
    Begun(ServiceKey, Peers),
    /// It is not announced any more.
    Ended(ServiceKey),
}

/// So long between two objects.
const PACE: Duration = Duration::from_millis(50);
/// So long after a failure, or while the cluster has no such resource.
const PAUSE: Duration = Duration::from_secs(20);

enum Done {
    Listed(BTreeMap<ServiceKey, (String, Peers)>),
    Written(ServiceKey, Option<(String, Peers)>),
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
            wanted: BTreeMap::new(),
            due: BTreeSet::new(),
            written: None,
            next: Instant::now(),
            under_way: None,
            news: VecDeque::new(),
        }
    }

    /// The objects go with this one: a Node.
    pub(super) fn set_owner(&mut self, owner: &Value) {
        self.owner = Some(owner.clone());
    }

    /// A Service is announced to these peers from now on.
    pub(super) fn set(&mut self, key: &ServiceKey, peers: Peers) {
        let before = match peers.is_empty() {
            true => self.wanted.remove(key).unwrap_or_default(),
            false => self.wanted.insert(key.clone(), peers.clone()).unwrap_or_default(),
        };
        if before != peers {
            self.due.insert(key.clone());
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
            if self.written.is_some() && self.due.is_empty() {
                return std::future::pending().await;
            }
            tokio::time::sleep_until(self.next).await;
            self.begin();
        }
    }

    fn take(&mut self, done: Done) {
        self.next = Instant::now() + PACE;
        match done {
            Done::Listed(written) => {
                self.due.extend(written.keys().cloned());
                self.due.extend(self.wanted.keys().cloned());
                self.written = Some(written);
            }
            Done::Written(key, object) => {
                let written = self.written.get_or_insert_default();
                let news = match object {
                    Some(object) => {
                        let begun = News::Begun(key.clone(), object.1.clone());
                        written.insert(key, object).is_none().then_some(begun)
                    }
                    None => written.remove(&key).map(|_| News::Ended(key)),
                };
                self.news.extend(news);
            }
            Done::Failed(key) => {
                self.next = Instant::now() + PAUSE;
                // What there is has to be seen again.
                self.written = None;
                self.due.extend(key);
            }
        }
    }

    fn begin(&mut self) {
        let (api, node, manager) = (self.api.clone(), self.node.clone(), self.manager);
        let Some(written) = &self.written else {
            self.under_way = Some(tokio::spawn(list(api, node)));
            return;
        };
        while let Some(key) = self.due.pop_first() {
            let (wanted, written) = (self.wanted.get(&key), written.get(&key));
            match (wanted, written) {
                (None, None) => {}
                (Some(wanted), Some((_, peers))) if wanted == peers => {}
                (wanted, written) => {
                    let name = written.map(|(name, _)| name.clone());
                    let owner = self.owner.clone();
                    let task = write(api, manager, node, owner, key, name, wanted.cloned());
                    self.under_way = Some(tokio::spawn(task));
                    return;
                }
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

async fn list(api: Api<DynamicObject>, node: String) -> Done {
    let params = ListParams::default().labels(&format!("{NODE}={node}"));
    let objects = match api.list(&params).await {
        Ok(objects) => objects.items,
        Err(error) => {
            tracing::debug!(%error, "ServiceBGPStatus objects cannot be listed");
            return Done::Failed(None);
        }
    };
    let row = |object: DynamicObject| {
        let labels = object.labels();
        let key = ServiceKey::new(labels.get(NAMESPACE)?, labels.get(NAME)?);
        let peers = object.data["status"]["peers"].as_array().into_iter().flatten();
        let peers = peers.filter_map(|peer| peer.as_str().map(str::to_owned)).collect();
        Some((key, (object.name_any(), peers)))
    };
    Done::Listed(objects.into_iter().filter_map(row).collect())
}

async fn write(
    api: Api<DynamicObject>,
    manager: &'static str,
    node: String,
    owner: Option<Value>,
    key: ServiceKey,
    name: Option<String>,
    peers: Option<Peers>,
) -> Done {
    match put(&api, manager, &node, owner, &key, name, peers.as_ref()).await {
        Ok(name) => Done::Written(key, name.zip(peers)),
        Err(error) => {
            tracing::debug!(service = %key, %error, "the ServiceBGPStatus cannot be written");
            Done::Failed(Some(key))
        }
    }
}

/// Creates, changes or deletes the object; gives back its name if there is one then.
async fn put(
    api: &Api<DynamicObject>,
    manager: &'static str,
    node: &str,
    owner: Option<Value>,
    key: &ServiceKey,
    name: Option<String>,
    peers: Option<&Peers>,
) -> Result<Option<String>, kube::Error> {
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
            let labels = json!({NODE: node, NAME: key.name, NAMESPACE: key.namespace});
            let owners: Vec<Value> = owner.into_iter().collect();
            let object = json!({"apiVersion": "metallb.io/v1beta1", "kind": "ServiceBGPStatus",
                "metadata": {"generateName": "bgp-", "labels": labels, "ownerReferences": owners},
                "spec": {}});
            let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
            let params =
                PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
            api.create(&params, &object).await?.name_any()
        }
    };
    let status = json!({"status": {"node": node, "serviceName": key.name,
        "serviceNamespace": key.namespace, "peers": peers}});
    let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    api.patch_status(&name, &params, &Patch::Merge(status)).await?;
    Ok(Some(name))
}

const NODE: &str = "metallb.io/node";
const NAME: &str = "metallb.io/service-name";
const NAMESPACE: &str = "metallb.io/service-namespace";
