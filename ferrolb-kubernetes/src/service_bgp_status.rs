//! MetalLB's ServiceBGPStatus: the peers to which this node announces a Service.
//!
//! Owns one object for each Service that this node announces, found by its labels. Nothing waits for the objects, and in a large
//! cluster there are very many: the writer follows the load of the API server, and has a highest rate. They are not watched but
//! listed at the start, after a failure, and from time to time. Only what differs from the list is written.
//!
//! The objects belong to the Node. Objects with the same labels and another owner are left alone, and ours are created beside
//! them: those of a MetalLB speaker belong to its pod, which writes them as long as it runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{DeleteParams, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::with_timeout;
use super::object_tree::ObjectTree;
use super::status_object::{REREAD_PERIOD, belongs_to_another};
use super::status_writer::{Decision, Limits, Outcome, StatusWriter, WriteError, patch_status};
use ferrolb_node::causes;
use lb_adapter::config::Value as Tree;
use lb_adapter::model::Interner;
use lb_adapter::model::ServiceKey;

/// The names of the peers to which a Service is announced. Most Services have the same peers, and share one set.
pub(super) type Peers = Arc<BTreeSet<String>>;

/// The ServiceBGPStatus objects of one node.
pub(super) struct ServiceBgpStatuses {
    objects: StatusObjects,
    services: BTreeMap<ServiceKey, ServiceEntry>,
    peers: Interner<BTreeSet<String>>,
    list: List,
    /// True if the objects have been listed at least once.
    has_listed: bool,
    /// A successful write returns the object as it is then, if there is one.
    writer: StatusWriter<ServiceKey, Option<WrittenStatus>>,
    changes: VecDeque<AnnouncementChange>,
}

/// A change that deserves an Event. A restarted process finds the objects of the last one, and reports nothing for them; nor
/// does it report that a deleted object was created again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AnnouncementChange {
    /// The Service is announced to these peers.
    Started(ServiceKey, Peers),
    /// The Service is no longer announced.
    Stopped(ServiceKey),
}

/// A Service that is announced or has an object.
#[derive(Default)]
struct ServiceEntry {
    /// The peers to which the Service is announced; none if it is not announced.
    desired: Option<Peers>,
    written: Option<WrittenStatus>,
    /// True if the last reported change is [`AnnouncementChange::Started`].
    is_reported: bool,
}

impl ServiceEntry {
    fn is_needed(&self) -> bool {
        self.desired.is_some() || self.written.is_some() || self.is_reported
    }
}

/// An object that exists.
#[derive(Clone, Debug)]
struct WrittenStatus {
    name: Box<str>,
    peers: Peers,
}

/// The progress of listing the objects that exist.
enum List {
    /// They have to be listed at this time.
    Due(Instant),
    /// They are being listed.
    UnderWay(Pin<Box<dyn Future<Output = Result<Vec<ListedStatus>, kube::Error>> + Send>>),
    /// They are known, and are listed again at this time.
    Complete { until: Instant },
}

/// An object in a list.
struct ListedStatus {
    service: ServiceKey,
    name: Box<str>,
    peers: BTreeSet<String>,
}

/// The most objects that are written at a time.
const AT_ONCE: usize = 8;
/// The least time between the starts of two writes: at most 200 objects in a second.
const PACE: Duration = Duration::from_millis(5);
/// The pause after a failure, or while the cluster lacks the resource.
const PAUSE: Duration = Duration::from_secs(20);
/// Objects in a page of a list.
const PAGE: u32 = 200;

const LIMITS: Limits =
    Limits { at_once: AT_ONCE, follows_load: true, spacing: PACE, pause: (PAUSE, PAUSE) };

impl ServiceBgpStatuses {
    /// The objects of this node, which have not been listed yet. Dropping this aborts the requests under way.
    pub(super) fn new(client: Client, namespace: &str, node: &str, manager: &'static str) -> Self {
        let api = Api::namespaced_with(client, namespace, &api_resource());
        Self {
            objects: StatusObjects { api, node: node.to_owned(), manager, owner: None },
            services: BTreeMap::new(),
            peers: Interner::default(),
            list: List::Due(Instant::now()),
            has_listed: false,
            writer: StatusWriter::new(LIMITS),
            changes: VecDeque::new(),
        }
    }

    /// Sets the owner of the objects, a Node. If the Node was replaced, the objects of the old one have been or will be removed,
    /// so new ones are created.
    pub(super) fn set_owner(&mut self, owner: &Value) {
        let before = self.objects.owner.replace(owner.clone());
        if before.is_none_or(|before| before == *owner) {
            return;
        }

        // All requests under way concern objects of the old Node.
        self.writer.reset();
        self.list_again(Instant::now());
    }

    /// Returns true if a Service is announced to a peer, by the last [`set`](Self::set).
    pub(super) fn is_announced(&self, key: &ServiceKey) -> bool {
        self.services.get(key).is_some_and(|entry| entry.desired.is_some())
    }

    /// Sets the peers to which a Service is announced from now on.
    pub(super) fn set(&mut self, key: &ServiceKey, peers: BTreeSet<String>) {
        // Remove and insert the entry, so that the map uses the key whose names the engine shares.
        let mut service = self.services.remove(key).unwrap_or_default();
        let desired = (!peers.is_empty()).then(|| self.peers.intern(peers));
        if service.desired != desired {
            service.desired = desired;
            // After a list all Services get a turn.
            if matches!(self.list, List::Complete { .. }) {
                self.writer.mark(key);
            }
        }
        keep(&mut self.services, key, service);
    }

    /// Lists and writes objects until there is a change to report. Cancel safe.
    pub(super) async fn next(&mut self) -> AnnouncementChange {
        loop {
            if let Some(change) = self.changes.pop_front() {
                return change;
            }
            self.step().await;
        }
    }

    /// Takes one step: starts or ends a list, or writes.
    async fn step(&mut self) {
        match &mut self.list {
            List::Due(at) => {
                tokio::time::sleep_until(*at).await;
                self.list = List::UnderWay(Box::pin(self.objects.clone().list()));
            }
            List::UnderWay(list) => match list.await {
                Ok(listed) => self.take_list(listed),
                Err(error) => {
                    let error = causes(&error);
                    tracing::debug!(error, "cannot list the ServiceBGPStatus objects");
                    self.list_again(Instant::now() + PAUSE);
                }
            },
            List::Complete { until } => {
                let until = *until;
                self.begin_writes();
                if !self.changes.is_empty() {
                    return;
                }

                let is_idle = self.writer.is_idle();
                tokio::select! {
                    biased;
                    ended = self.writer.next() => {
                        if let Some((key, outcome)) = ended {
                            self.take_outcome(&key, outcome);
                        }
                    }
                    () = tokio::time::sleep_until(until), if is_idle => self.list_again(until),
                }
            }
        }
    }

    fn take_list(&mut self, listed: Vec<ListedStatus>) {
        for ListedStatus { service, name, peers } in listed {
            let peers = self.peers.intern(peers);
            let service = self.services.entry(service).or_default();
            // The last process has reported the announcements in its objects.
            service.is_reported |= !self.has_listed && !peers.is_empty();
            service.written = Some(WrittenStatus { name, peers });
        }

        for key in self.services.keys() {
            self.writer.mark(key);
        }
        self.list = List::Complete { until: Instant::now() + REREAD_PERIOD };
        self.has_listed = true;
    }

    fn take_outcome(&mut self, key: &ServiceKey, outcome: Outcome<Option<WrittenStatus>>) {
        match outcome {
            Outcome::Done(written) => {
                let mut service = self.services.remove(key).unwrap_or_default();
                service.written = written;
                self.changes.extend(service.report(key));
                keep(&mut self.services, key, service);
            }
            Outcome::Outdated => self.start_over(),
            Outcome::Failed(failure) => {
                let error = causes(&failure.error);
                tracing::debug!(service = %key, error, "cannot write the ServiceBGPStatus");
                // A list would bring nothing new about an object that is refused.
                if !failure.error.is_refusal() {
                    self.start_over();
                }
            }
        }
    }

    /// Lists the objects again after a pause. The writes under way are aborted, since their outcomes would each lead to a list. Every
    /// Service gets a turn after the list.
    fn start_over(&mut self) {
        self.writer.reset();
        self.list_again(Instant::now() + PAUSE);
    }

    /// Forgets which objects exist, and lists them at this time.
    fn list_again(&mut self, at: Instant) {
        self.services.retain(|_, service| {
            service.written = None;
            service.is_needed()
        });
        self.list = List::Due(at);
    }

    fn begin_writes(&mut self) {
        let Self { objects, services, writer, changes, .. } = self;
        writer.begin(|key| {
            let Some(service) = services.get_mut(key) else { return Decision::Skip };
            let written_peers = service.written.as_ref().map(|written| &written.peers);
            if service.desired.as_ref() == written_peers {
                changes.extend(service.report(key));
                if !service.is_needed() {
                    services.remove(key);
                }
                return Decision::Skip;
            }

            let (objects, key) = (objects.clone(), key.clone());
            let name = service.written.as_ref().map(|written| written.name.clone());
            let desired = service.desired.clone();
            Decision::Write(async move { objects.write(&key, name, desired).await })
        });
    }
}

/// Keeps the entry of a Service if it is needed.
fn keep(
    services: &mut BTreeMap<ServiceKey, ServiceEntry>,
    key: &ServiceKey,
    service: ServiceEntry,
) {
    if service.is_needed() {
        services.insert(key.clone(), service);
    }
}

impl ServiceEntry {
    /// Returns the change to report, if the object shows one.
    fn report(&mut self, key: &ServiceKey) -> Option<AnnouncementChange> {
        let is_announced = self.written.is_some();
        if self.is_reported == is_announced {
            return None;
        }
        self.is_reported = is_announced;
        Some(match &self.written {
            Some(written) => AnnouncementChange::Started(key.clone(), Arc::clone(&written.peers)),
            None => AnnouncementChange::Stopped(key.clone()),
        })
    }
}

/// The client, the field manager and the owner that requests about the objects use.
#[derive(Clone)]
struct StatusObjects {
    api: Api<ObjectTree>,
    node: String,
    manager: &'static str,
    /// The owner of the objects, once it is known.
    owner: Option<Value>,
}

impl StatusObjects {
    /// Lists our objects: those that belong to this Node, or to no owner.
    async fn list(self) -> Result<Vec<ListedStatus>, kube::Error> {
        let owner = self.owner.as_ref().and_then(|owner| owner["uid"].as_str());
        let mut params = ListParams::default().labels(&format!("{NODE}={}", self.node)).limit(PAGE);
        let mut listed = Vec::new();
        loop {
            let page = with_timeout(self.api.list(&params)).await?;
            let ours = page.items.iter().filter(|object| !belongs_to_another(object, owner));
            listed.extend(ours.filter_map(ListedStatus::of));

            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                return Ok(listed);
            }
        }
    }

    /// Creates, changes or deletes the object. Returns the object if it exists afterwards.
    async fn write(
        &self,
        key: &ServiceKey,
        name: Option<Box<str>>,
        peers: Option<Peers>,
    ) -> Result<Option<WrittenStatus>, WriteError> {
        let Some(peers) = peers else {
            if let Some(name) = name {
                self.delete(&name).await?;
            }
            return Ok(None);
        };
        let name = match name {
            Some(name) => name,
            None => self.create(key).await?,
        };

        let status = json!({"status": {"node": self.node, "serviceName": key.name,
            "serviceNamespace": *key.namespace, "peers": *peers}});
        patch_status(&self.api, self.manager, &name, status).await?;
        Ok(Some(WrittenStatus { name, peers }))
    }

    /// Creates the object without a status. If it exists, an earlier attempt created it, whose response was lost.
    async fn create(&self, key: &ServiceKey) -> Result<Box<str>, kube::Error> {
        let name = self.name_of(key);
        let labels = json!({NODE: self.node, NAME: key.name, NAMESPACE: *key.namespace});
        let owners: Vec<&Value> = self.owner.iter().collect();
        let object = json!({"apiVersion": "metallb.io/v1beta1", "kind": "ServiceBGPStatus",
            "metadata": {"name": name, "labels": labels, "ownerReferences": owners},
            "spec": {}});
        let object: ObjectTree = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;

        let params =
            PostParams { field_manager: Some(self.manager.to_owned()), ..PostParams::default() };
        match self.api.create(&params, &object).await {
            Ok(_) => Ok(name),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(name),
            Err(error) => Err(error),
        }
    }

    /// Returns the name of a new object: MetalLB's prefix, and a hash where MetalLB has random letters, so that an attempt that is
    /// repeated creates no second object. The object of a replaced Node has another name.
    fn name_of(&self, key: &ServiceKey) -> Box<str> {
        let owner = self.owner.as_ref().and_then(|owner| owner["uid"].as_str());
        let mut hasher = DefaultHasher::new();
        (owner, &self.node, key).hash(&mut hasher);
        format!("bgp-{:016x}", hasher.finish()).into_boxed_str()
    }

    async fn delete(&self, name: &str) -> Result<(), kube::Error> {
        match self.api.delete(name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn api_resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("metallb.io", "v1beta1", "ServiceBGPStatus");
    ApiResource::from_gvk_with_plural(&kind, "servicebgpstatuses")
}

/// Returns the names of the nodes that report to announce a Service to a peer. There are none if the cluster lacks the resource.
pub(super) async fn announcers(
    client: &Client,
    namespace: &str,
    service: &ServiceKey,
) -> Result<BTreeSet<String>, kube::Error> {
    let labels = format!("{NAMESPACE}={},{NAME}={}", service.namespace, service.name);
    let params = ListParams::default().labels(&labels).limit(PAGE);
    let api: Api<ObjectTree> = Api::namespaced_with(client.clone(), namespace, &api_resource());

    let listed = match with_timeout(api.list(&params)).await {
        Ok(listed) => listed.items,
        Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
        Err(error) => return Err(error),
    };

    let mut nodes = BTreeSet::new();
    for object in listed {
        let peers = object.get(&["status", "peers"]).map_or(&[][..], Tree::items);
        if let Some(node) = object.text(&["metadata", "labels", NODE])
            && !peers.is_empty()
        {
            nodes.insert(node.to_owned());
        }
    }
    Ok(nodes)
}

impl ListedStatus {
    fn of(object: &ObjectTree) -> Option<Self> {
        let namespace = object.text(&["metadata", "labels", NAMESPACE])?;
        let name = object.text(&["metadata", "labels", NAME])?;
        let peers = object.get(&["status", "peers"]).map_or(&[][..], Tree::items);
        Some(Self {
            service: ServiceKey::new(namespace, name),
            name: object.name().1.into(),
            peers: peers.iter().filter_map(|peer| peer.text().map(str::to_owned)).collect(),
        })
    }
}

/// The labels by which the objects are found.
const NODE: &str = "metallb.io/node";
const NAME: &str = "metallb.io/service-name";
const NAMESPACE: &str = "metallb.io/service-namespace";

#[cfg(test)]
#[path = "service_bgp_status_tests.rs"]
mod tests;
