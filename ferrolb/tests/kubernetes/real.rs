//! Support for tests at a real API server: they install our resource types, keep their Nodes ready, and clean up the rest.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::cluster::{connect, object};

/// The objects that one test created at a real server. They are removed when this is dropped, even if the test fails.
pub(crate) struct Made {
    kubeconfig: PathBuf,
    pub(crate) namespaces: Vec<String>,
    nodes: Mutex<Vec<String>>,
}

impl Made {
    /// A record without objects, for the server of this kubeconfig.
    pub(crate) fn at(kubeconfig: PathBuf) -> Self {
        Self { kubeconfig, namespaces: Vec::new(), nodes: Mutex::default() }
    }

    /// Notes a Node that the test is about to create.
    pub(crate) fn note_node(&self, name: &str) {
        self.nodes.lock().unwrap().push(name.to_owned());
    }

    async fn remove(&self) {
        let client = connect(&self.kubeconfig).await;
        let nodes: Api<Node> = Api::all(client.clone());
        let leases: Api<Lease> = Api::namespaced(client.clone(), NODE_LEASES);
        let made = self.nodes.lock().unwrap().clone();
        for name in made {
            // The test may have removed it.
            drop(nodes.delete(&name, &DeleteParams::default()).await);
            drop(leases.delete(&name, &DeleteParams::default()).await);
        }
        for namespace in &self.namespaces {
            remove_namespace(&client, namespace).await;
        }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // The runtime of the test is no longer there to wait with, or is the one that unwinds.
        std::thread::scope(|scope| {
            let removed = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(self.remove());
            });
            // Its panic has been printed. A second panic while the test unwinds would abort the process.
            drop(removed.join());
        });
    }
}

/// The namespace of the leases by which kubelets show that they are alive.
const NODE_LEASES: &str = "kube-node-lease";

/// Renews the lease of a Node while the test runs. Otherwise the node lifecycle controller would mark the Node as
/// lost.
pub(crate) fn renew(client: &Client, node: &str) {
    let leases: Api<Lease> = Api::namespaced(client.clone(), NODE_LEASES);
    let node = node.to_owned();
    tokio::spawn(async move {
        loop {
            let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": node}, "spec": {"holderIdentity": node, "leaseDurationSeconds": 40,
                    "renewTime": MicroTime(jiff::Timestamp::now())}});
            let params = PatchParams::apply("test").force();
            // The next attempt may succeed.
            drop(leases.patch(&node, &params, &Patch::Apply(lease)).await);
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    });
}

/// The kinds that tests and programs create in a namespace: group, version, kind and plural.
const KINDS: [(&str, &str, &str, &str); 15] = [
    ("", "v1", "Service", "services"),
    ("", "v1", "ConfigMap", "configmaps"),
    ("", "v1", "Secret", "secrets"),
    ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    ("coordination.k8s.io", "v1", "Lease", "leases"),
    ("events.k8s.io", "v1", "Event", "events"),
    ("metallb.io", "v1beta2", "BGPPeer", "bgppeers"),
    ("metallb.io", "v1beta1", "IPAddressPool", "ipaddresspools"),
    ("metallb.io", "v1beta1", "BGPAdvertisement", "bgpadvertisements"),
    ("metallb.io", "v1beta1", "BFDProfile", "bfdprofiles"),
    ("metallb.io", "v1beta1", "Community", "communities"),
    ("metallb.io", "v1beta1", "L2Advertisement", "l2advertisements"),
    ("metallb.io", "v1beta1", "ServiceBGPStatus", "servicebgpstatuses"),
    ("metallb.io", "v1beta1", "ConfigurationState", "configurationstates"),
    ("ferrolb.io", "v1alpha1", "BGPNodeStatus", "bgpnodestatuses"),
];

/// Removes a namespace and its objects, even if no controller of the cluster does that.
async fn remove_namespace(client: &Client, namespace: &str) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    // From here on nothing can be created in it.
    drop(namespaces.delete(namespace, &DeleteParams::default()).await);

    for (group, version, kind, plural) in KINDS {
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        // A resource that is not served has no objects.
        drop(api.delete_collection(&DeleteParams::default(), &ListParams::default()).await);
    }

    for _ in 0..20 {
        match namespaces.get_opt(namespace).await {
            Ok(Some(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => return,
        }
    }
    // Nothing else finalizes the namespace if the namespace controller does not run.
    if let Ok(mut left) = namespaces.get(namespace).await {
        left.spec.get_or_insert_default().finalizers = None;
        let params = PostParams::default();
        drop(namespaces.replace_subresource("finalize", namespace, &params, &left).await);
    }
}

/// Installs the resource types of these manifests that the server lacks. They stay: other tests use them at any time.
pub(crate) async fn install(client: &Client, manifests: &[&str]) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for manifest in manifests {
        let documents: Vec<Value> = serde_saphyr::from_multiple(manifest).unwrap();
        for definition in documents.into_iter().filter(Value::is_object) {
            let name = definition["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            if api.get_opt(&name).await.unwrap().is_none() {
                api.create(&PostParams::default(), &object(definition)).await.unwrap();
            }
            crate::cluster::wait(&format!("{name} to be served"), async || {
                let found = api.get(&name).await.map_err(|it| it.to_string())?;
                let conditions = found.status.and_then(|it| it.conditions).unwrap_or_default();
                let served =
                    conditions.iter().any(|it| it.type_ == "Established" && it.status == "True");
                if served { Ok(()) } else { Err(json!(conditions).to_string()) }
            })
            .await;
        }
    }
}
