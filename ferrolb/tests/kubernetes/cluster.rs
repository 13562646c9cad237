//! A cluster for tests, and our programs in it.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::{Value, json};
use test_apiserver::ApiServer;

use crate::crowd::Crowd;
use crate::real::{self, Made};

/// The manifests of our roles.
pub(crate) const ROLES: &str = include_str!("../../../deploy/kustomize/base/rbac.yaml");
/// The definitions of our own resources.
const RESOURCES: &str = include_str!("../../../deploy/kustomize/crds/ferrolb.io.yaml");
/// The definitions of MetalLB's resources.
pub(crate) const METALLB: &str = include_str!("../../../deploy/kustomize/crds/metallb.io.yaml");

/// An API server with a configuration, and the namespaces of one test.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    /// The namespace of the Services.
    pub(crate) namespace: String,
    /// The namespace of the configuration.
    pub(crate) system: String,
    /// The server, unless it is a real one.
    pub(crate) server: Option<ApiServer>,
    /// The load balancer class of this test. Our programs ignore the other Services of a real server.
    pub(crate) class: String,
    /// The objects created at a real server. They are removed when the test ends, even if it fails.
    made: Option<Made>,
    crowd: Crowd,
}

impl Cluster {
    /// A cluster with a configuration in the format of MetalLB 0.7.3. A server of ours listens at this address.
    pub(crate) async fn at(address: IpAddr, config: &str) -> Self {
        let real = real_server().filter(|_| address.is_loopback());
        let (path, server, mut at_real) = match real {
            Some(path) => (path.clone(), None, Some(Made::at(path))),
            None => {
                let server = ApiServer::builder().manifests(&[ROLES, RESOURCES]);
                // A real kube-proxy sends no token over plain HTTP.
                let server = match std::env::var_os("FERROLB_TEST_KUBE_PROXY") {
                    Some(_) => server.anonymous("admin"),
                    None => server,
                };
                let server = server.address(address).start().await;
                (server.kubeconfig("admin"), Some(server), None)
            }
        };

        let client = connect(&path).await;
        if server.is_none() {
            real::install(&client, &[RESOURCES, METALLB]).await;
        }

        let namespaces: Api<Namespace> = Api::all(client.clone());
        let mut made = Vec::new();
        for name in ["ferrolb-test-", "ferrolb-test-system-"] {
            let namespace = object::<Namespace>(json!({"metadata": {"generateName": name}}));
            let namespace = namespaces.create(&PostParams::default(), &namespace).await.unwrap();
            made.push(namespace.name_any());
            if let Some(at_real) = &mut at_real {
                at_real.namespaces.push(namespace.name_any());
            }
        }

        let (system, namespace) = (made.pop().unwrap(), made.pop().unwrap());
        if let Some(server) = &server {
            // The roles name the default namespace, so move them to the namespace of the test.
            let here = ROLES.replace("namespace: ferrolb-system", &format!("namespace: {system}"));
            let documents: Vec<Value> = serde_saphyr::from_multiple(&here).unwrap();
            for mut document in documents {
                let kind = document["kind"].as_str().unwrap_or_default();
                if !kind.starts_with("Cluster") {
                    document["metadata"]["namespace"] = json!(system);
                }
                server.put(document);
            }
        }

        let class = format!("ferrolb.io/{namespace}");
        let crowd = Crowd::new(&client, &namespace, server.as_ref()).await;
        let cluster = Self { client, namespace, system, server, class, made: at_real, crowd };
        cluster.configure(config).await;
        cluster
    }

    /// Writes the ConfigMap.
    pub(crate) async fn configure(&self, config: &str) {
        self.configure_in("config", config).await;
    }

    /// Writes the ConfigMap of this name.
    pub(crate) async fn configure_in(&self, name: &str, config: &str) {
        let api: Api<k8s_openapi::api::core::v1::ConfigMap> =
            Api::namespaced(self.client.clone(), &self.system);
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {"config": config}});
        let params = PatchParams::apply("test").force();
        api.patch(name, &params, &Patch::Apply(map)).await.unwrap();
    }

    /// The arguments of one of our programs, with the rights of its service account.
    pub(crate) fn arguments(&self, program: &str, name: &str, more: &[&str]) -> Vec<OsString> {
        let account = format!("{}/ferrolb-{program}", self.system);
        let kubeconfig = match &self.server {
            Some(server) => server.kubeconfig(&account).into_os_string(),
            None => real_server().expect("a server").into_os_string(),
        };
        let mut arguments: Vec<OsString> = vec![program.into(), "--kubeconfig".into(), kubeconfig];
        if !more.iter().any(|it| it.starts_with("--port=")) {
            arguments.push("--port=0".into());
        }
        if !more.contains(&"--socket") {
            arguments.push("--socket=off".into());
        }
        let own = ["--namespace", &self.system, "--pod-name", name, "--lb-class", &self.class];
        arguments.extend(own.into_iter().chain(more.iter().copied()).map(OsString::from));
        if program == "speaker" && !more.iter().any(|it| it.starts_with("--dataplane-gate")) {
            // There is no kube-proxy on the nodes of these tests.
            arguments.push("--dataplane-gate=off".into());
        }
        arguments
    }

    pub(crate) fn services(&self) -> Api<Service> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The BGPNodeStatus objects of the speakers.
    pub(crate) fn node_statuses(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("ferrolb.io", "v1alpha1", "BGPNodeStatus");
        let resource = ApiResource::from_gvk_with_plural(&kind, "bgpnodestatuses");
        Api::namespaced_with(self.client.clone(), &self.system, &resource)
    }

    /// Creates a Service of type LoadBalancer for our controller, and merges `spec` into it.
    pub(crate) async fn create(&self, name: &str, spec: Value) -> Service {
        self.create_with(name, json!({}), spec).await
    }

    /// Creates a Service with these annotations.
    pub(crate) async fn create_with(&self, name: &str, annotations: Value, spec: Value) -> Service {
        let mut service = json!({"metadata": {"name": name, "annotations": annotations},
            "spec": {"type": "LoadBalancer", "loadBalancerClass": self.class, "ports": [{"port": 25}]}});
        for (key, value) in spec.as_object().into_iter().flatten() {
            service["spec"][key] = value.clone();
        }
        self.services().create(&PostParams::default(), &object(service)).await.unwrap()
    }

    /// The name of a Node of this test. At a real server other tests may have a Node of the same short name.
    pub(crate) fn node(&self, name: &str) -> String {
        match self.made {
            Some(_) => format!("{name}.{}", self.namespace),
            None => name.to_owned(),
        }
    }

    /// Creates a ready Node, under its name in this test.
    pub(crate) async fn add_node(&self, name: &str, address: Ipv4Addr) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let name = &*self.node(name);
        if let Some(made) = &self.made {
            made.note_node(name);
            real::renew(&self.client, name);
        }
        // A kubelet sets this label.
        let labels = json!({"kubernetes.io/hostname": name});
        let node = json!({"metadata": {"name": name, "labels": labels}});
        nodes.create(&PostParams::default(), &object(node)).await.unwrap();
        // Without a heartbeat, the node lifecycle controller of a real cluster marks the Node as lost at once.
        let now = Time(jiff::Timestamp::now());
        let status = json!({"status": {"addresses": [{"type": "InternalIP", "address": address.to_string()}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "as a test says",
                "lastHeartbeatTime": now, "lastTransitionTime": now}]}});
        nodes.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    }

    /// Writes the endpoints of a Service, each with its node and true if it is ready.
    pub(crate) async fn endpoints(&self, service: &str, endpoints: &[(&str, bool)]) {
        let endpoint = |(number, (node, ready)): (usize, &(&str, bool))| {
            json!({"addresses": [format!("10.0.0.{}", number + 1)], "nodeName": self.node(node),
                "conditions": {"ready": ready}})
        };
        self.slice(service, endpoints.iter().enumerate().map(endpoint).collect()).await;
    }

    /// Writes the endpoints of a Service.
    pub(crate) async fn slice(&self, service: &str, endpoints: Vec<Value>) {
        let api: Api<EndpointSlice> = Api::namespaced(self.client.clone(), &self.namespace);
        let slice = slice_of(service, endpoints);
        let params = PatchParams::apply("test").force();
        api.patch(&format!("{service}-1"), &params, &Patch::Apply(slice)).await.unwrap();
    }

    /// Waits until the status of a Service has these addresses.
    pub(crate) async fn wait_for_addresses(&self, name: &str, addresses: &[&str]) {
        wait(&format!("{name} to have {addresses:?}"), async || {
            let service = self.services().get(name).await.map_err(|error| error.to_string())?;
            let found = addresses_of(&service);
            if found == addresses { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    }

    /// The requests of one of our programs so far, unless the server is a real one.
    pub(crate) fn asked(&self, program: &str) -> Vec<test_apiserver::RecordedRequest> {
        let who = format!("{}/ferrolb-{program}", self.system);
        let asked = self.server.as_ref().map(ApiServer::asked).unwrap_or_default();
        asked.into_iter().filter(|asked| asked.who == who).collect()
    }

    /// Fails if a request of our programs was forbidden, and removes everything that the test created.
    pub(crate) async fn end(self) {
        // A forbidden request shows a verb that a role lacks.
        for program in ["controller", "speaker"] {
            let refused: Vec<_> =
                self.asked(program).into_iter().filter(|it| !it.allowed).collect();
            assert!(refused.is_empty(), "the roles lack: {refused:?}");
        }
        self.crowd.check().await;
    }
}

/// The kubeconfig of a real server, if the tests should use one.
pub(crate) fn real_server() -> Option<PathBuf> {
    std::env::var_os("FERROLB_TEST_KUBECONFIG").map(PathBuf::from)
}

/// A client with this kubeconfig.
pub(crate) async fn connect(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    Client::try_from(config).unwrap()
}

pub(crate) fn slice_of(service: &str, endpoints: Vec<Value>) -> Value {
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": format!("{service}-1"), "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "endpoints": endpoints})
}

pub(crate) fn addresses_of(service: &Service) -> Vec<String> {
    let status = service.status.clone().unwrap_or_default();
    let ingress = status.load_balancer.unwrap_or_default().ingress.unwrap_or_default();
    ingress.into_iter().filter_map(|entry| entry.ip).collect()
}

pub(crate) fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Repeats a check until it succeeds. Panics with the last error after the deadline.
pub(crate) async fn wait<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(wrong) if begin.elapsed() > Duration::from_secs(60) => {
                panic!("waited for {what}, found {wrong}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
