//! The commands of docs/migrating-from-metallb.md, run at an API server with the objects that MetalLB installs, in both
//! directions and in every mode. At no time may a Service change its address, a prefix be without a route, or
//! two programs run where only one is allowed.

mod installed;
mod kubectl;
mod metallb;
mod monitor;
mod page;
mod shell;
mod types;
mod workloads;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use test_apiserver::ApiServer;

use self::installed::SYSTEM;
use self::kubectl::Kubectl;
use self::monitor::Monitor;
use self::page::{Mode, blocks};
use self::shell::Shell;
use self::workloads::{Notes, Site, Workloads};
use crate::cluster::wait;
use crate::speaker::{NODES, Router};

const INSTALLED: &str = include_str!("../../../../deploy/manifests/metallb-system.yaml");
const NAMES: [&str; 3] = ["kube1", "kube2", "kube3"];

/// A cluster with MetalLB, a router, and a shell for the commands of the page.
struct Walk {
    mode: Mode,
    site: Arc<Site>,
    shell: Shell,
    router: Arc<Router>,
    monitor: Monitor,
    workloads: Workloads,
    _server: ApiServer,
}

impl Walk {
    /// Installs MetalLB, and waits until it announces three Services from three nodes.
    async fn begin(mode: Mode) -> Self {
        let server = ApiServer::builder().start().await;
        let kubeconfig = Kubeconfig::read_from(server.kubeconfig("admin")).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let router = Arc::new(Router::new().await);
        let accounts = [("controller", "ferrolb-controller"), ("speaker", "ferrolb-speaker")];
        let kubeconfigs = accounts
            .map(|(program, account)| (program, server.kubeconfig(&format!("{SYSTEM}/{account}"))));
        let site = Arc::new(Site {
            client: client.clone(),
            mode,
            router_port: router.port(),
            nodes: NODES.to_vec(),
            kubeconfigs: kubeconfigs.into(),
            notes: Mutex::new(Notes::default()),
        });

        let writer = Kubectl { client: client.clone(), overlay: Vec::new() };
        nodes().into_iter().for_each(|node| server.put(node));
        for object in installed::installed(mode) {
            writer.write_one("create", object).await.unwrap();
        }
        // The webhooks reject everything until the controller runs, which serves them.
        let workloads = Workloads::begin(Arc::clone(&site));
        for object in installed::configuration(mode, router.port()) {
            wait("the configuration", async || writer.write_one("create", object.clone()).await)
                .await;
        }

        let monitor = Monitor::begin(&site, &router);
        let shell = Shell::new(Kubectl { client, overlay: overlay(mode) });
        let walk = Self { mode, site, shell, router, monitor, workloads, _server: server };
        for name in ["web", "smtp", "shop"] {
            walk.serve(name).await;
        }
        walk.everywhere("MetalLB announces", 3).await;
        walk
    }

    /// Creates a Service of type LoadBalancer, with an endpoint on each node.
    async fn serve(&self, name: &str) {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}});
        let endpoint = |(at, node): (usize, &&str)| json!({"addresses": [format!("10.0.0.{}", at + 1)], "nodeName": node, "conditions": {"ready": true}});
        let endpoints: Vec<_> = NAMES.iter().enumerate().map(endpoint).collect();
        let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": format!("{name}-1"), "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "endpoints": endpoints});
        let writer = Kubectl { client: self.site.client.clone(), overlay: Vec::new() };
        for object in [service, slice] {
            writer.write_one("create", object).await.unwrap();
        }
    }

    /// Waits until the router has a route through every node to each of this number of Services.
    async fn everywhere(&self, what: &str, services: usize) {
        wait(what, async || {
            let table = self.router.table();
            let whole = table.len() == services && table.values().all(|nodes| *nodes == NAMES);
            if whole { Ok(()) } else { Err(format!("{table:?}")) }
        })
        .await;
    }

    /// Runs the commands of the page under a heading. In a block for each node, `after` runs after each node.
    async fn section(&self, heading: &str, after: impl AsyncFn(&str)) {
        for block in blocks(heading, self.mode) {
            let nodes = if block.is_for_each_node() { &NAMES[..] } else { &NAMES[..1] };
            for node in nodes {
                for command in block.commands(self.mode, node) {
                    self.shell.run(&command).await;
                    self.nothing_is_wrong(&command);
                }
                if block.is_for_each_node() {
                    after(node).await;
                }
            }
        }
    }

    /// Ends all programs, before the API server ends.
    async fn end(self) {
        self.monitor.end();
        self.workloads.end().await;
    }

    fn nothing_is_wrong(&self, after: &str) {
        self.site.note(|notes| assert_eq!(notes.wrong, [""; 0], "{after}"));
    }

    /// Migrates from MetalLB to FerroLB, including the final cleanup.
    async fn there(&self) {
        let begin: &[&str] =
            if self.mode.config_map { &["With the ConfigMap"] } else { &["1. ", "2. ", "3. "] };
        let rest = ["4. ", "5. ", "6. "];
        for heading in begin.iter().chain(&rest) {
            self.section(heading, async |_| {}).await;
        }
        self.everywhere("FerroLB announces", self.router.table().len()).await;
        self.nothing_is_wrong("the way there");
    }

    /// Migrates back to MetalLB.
    async fn back(&self) {
        let first = self.router.table().len();
        self.section("The way back", async |node| {
            wait(&format!("MetalLB's routes of {node}"), async || {
                let table = self.router.table();
                let there = table.values().all(|nodes| nodes.contains(&node));
                if there { Ok(()) } else { Err(format!("{table:?}")) }
            })
            .await;
        })
        .await;

        // With the old update strategy, the DaemonSet has replaced the pods that still had the selector.
        let session =
            if self.mode.frr_k8s { "daemonset/frr-k8s-daemon" } else { "daemonset/speaker" };
        let session = self.mode.name(session);
        let session = session.split_once('/').unwrap().1;
        wait("MetalLB's pods of the last template", async || match self.begun(session) {
            9 => Ok(()),
            other => Err(other.to_string()),
        })
        .await;

        self.everywhere("MetalLB announces again", first).await;
        self.nothing_is_wrong("the way back");
    }

    /// Waits until the condition of every Service says that FerroLB has assigned its address.
    async fn adopted(&self) {
        wait("FerroLB's mark", async || {
            let kubectl = Kubectl { client: self.site.client.clone(), overlay: Vec::new() };
            let words = ["get", "services", "-A", "-o", "json"];
            let list = kubectl.run(&words, "", std::path::Path::new(".")).await?;
            let list: Value = serde_json::from_str(&list).unwrap();
            let services = list["items"].as_array().unwrap().iter();
            let balanced = services.filter(|it| it["spec"]["type"] == "LoadBalancer");
            let marked = |service: &Value| {
                let mut conditions =
                    service["status"]["conditions"].as_array().into_iter().flatten();
                conditions
                    .any(|it| it["type"] == "ferrolb.io/AddressAssigned" && it["status"] == "True")
            };
            let bare: Vec<_> = balanced.filter(|service| !marked(service)).collect();
            if bare.is_empty() { Ok(()) } else { Err(format!("{bare:?}")) }
        })
        .await;
    }

    /// The number of pods of this workload that have started so far.
    fn begun(&self, workload: &str) -> usize {
        self.site.note(|notes| notes.begun.iter().filter(|(it, _)| it == workload).count())
    }

    /// The objects of these types, written as on a command line.
    async fn objects(&self, words: &str) -> Vec<Value> {
        let kubectl = Kubectl { client: self.site.client.clone(), overlay: Vec::new() };
        let words = [&["get", "-n", SYSTEM, "-o", "json"][..], &[words][..]].concat();
        let list = kubectl.run(&words, "", std::path::Path::new(".")).await.unwrap();
        let list: Value = serde_json::from_str(&list).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// The names of all objects of an installation. With a ConfigMap, definitions do not count: FerroLB brings them.
    async fn everything(&self) -> Vec<String> {
        let within = "services,serviceaccount,role,rolebinding,configmaps,secrets,daemonset,deployment,lease";
        let mut names = self.names(within).await;
        names.extend(
            self.names("clusterrole,clusterrolebinding,validatingwebhookconfiguration").await,
        );
        if !self.mode.config_map {
            names.extend(self.names("crd").await);
        }
        names
    }

    /// The names of the objects of these types.
    async fn names(&self, words: &str) -> Vec<String> {
        let objects = self.objects(words).await;
        let name = |it: &Value| it["metadata"]["name"].as_str().unwrap().to_owned();
        objects.iter().map(name).collect()
    }
}

fn nodes() -> Vec<Value> {
    let node = |(name, address): &(&str, std::net::Ipv4Addr)| {
        let labels = json!({"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"});
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
            "status": {"addresses": [{"type": "InternalIP", "address": address}], "conditions": [{"type": "Ready", "status": "True"}]}})
    };
    NODES.iter().map(node).collect()
}

/// The objects that kustomize would build from the page's overlay.
fn overlay(mode: Mode) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(INSTALLED).unwrap();
    let mut objects: Vec<_> = documents.into_iter().filter(Value::is_object).collect();
    if mode.helm && mode.config_map {
        for (kind, name, operations) in page::patches() {
            let mut changed = 0;
            for object in &mut objects {
                if object["kind"] != kind || object["metadata"]["name"] != name {
                    continue;
                }
                for operation in operations.as_array().unwrap() {
                    assert_eq!(operation["op"], "add");
                    let list = operation["path"].as_str().unwrap().strip_suffix("/-").unwrap();
                    let list = object.pointer_mut(list).unwrap().as_array_mut().unwrap();
                    list.push(operation["value"].clone());
                    changed += 1;
                }
            }
            assert_eq!(changed, 1, "{kind} {name}");
        }
    }
    objects
}

/// Migrates to FerroLB, back to MetalLB, and to FerroLB again.
async fn walk(mode: Mode) {
    if std::env::var_os("FERROLB_TEST_KUBECONFIG").is_some() {
        // A whole installation of MetalLB needs a cluster of its own.
        return;
    }
    let walk = Walk::begin(mode).await;
    let workloads = "daemonset,deployment";
    let of_metallb = walk.objects(workloads).await;
    let everything = walk.everything().await;
    walk.there().await;
    walk.adopted().await;
    // The end of the migration restarts no pod: each node has had exactly one.
    assert_eq!(walk.begun("ferrolb-speaker"), 3);

    walk.serve("new").await;
    walk.everywhere("FerroLB gives an address", 4).await;
    assert_eq!(walk.names(workloads).await, ["ferrolb-speaker", "ferrolb-controller"]);
    if !mode.config_map {
        assert_eq!(walk.shell.file("crds.yaml").matches("resourceVersion: \"").count(), 0);
        assert!(walk.shell.file("configuration.yaml").contains("kind: Secret"));
    }

    walk.site.note(|notes| notes.gaps.clear());
    walk.back().await;
    // FerroLB's speaker did not wait for --drain-withdrawn (5s), and the router did not reject MetalLB's.
    let gaps = walk.site.note(|notes| notes.gaps.clone());
    assert!(
        gaps.len() >= 3 && gaps.iter().all(|(_, gap)| *gap < Duration::from_secs(5)),
        "{gaps:?}"
    );

    walk.serve("newer").await;
    walk.everywhere("MetalLB gives an address", 5).await;
    // MetalLB's workloads are unchanged, including selector and strategy.
    let specs = |objects: &[Value]| {
        let spec = |it: &Value| (it["metadata"]["name"].to_string(), it["spec"].clone());
        objects.iter().map(spec).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(specs(&walk.objects(workloads).await), specs(&of_metallb));
    let labels = walk.objects("nodes").await;
    assert!(labels.iter().all(|node| node["metadata"]["labels"]["ferrolb.io/speaker"].is_null()));

    // No object is missing, and no object of FerroLB is left.
    assert_eq!(walk.everything().await, everything);
    if !mode.config_map {
        let peers = walk.objects("crd").await;
        let peers =
            peers.iter().find(|it| it["metadata"]["name"] == "bgppeers.metallb.io").unwrap();
        assert_eq!(peers["spec"]["conversion"]["strategy"], "Webhook");
        let webhooks = walk.names("validatingwebhookconfiguration").await;
        assert!(webhooks.contains(&"metallb-webhook-configuration".to_owned()));
        assert_eq!(webhooks.len(), if mode.frr_k8s { 2 } else { 1 });
    }
    if mode.helm {
        walk.end().await;
        return;
    }

    // Migrate to FerroLB again, this time for good.
    walk.there().await;
    walk.section("7. ", async |_| {}).await;
    walk.everywhere("FerroLB announces, and MetalLB is gone", 5).await;
    walk.nothing_is_wrong("the end");

    let left = walk.names("serviceaccount,role,rolebinding,lease,daemonset,deployment").await;
    assert!(left.iter().all(|name| name.starts_with("ferrolb-")), "{left:?}");
    let left = walk.names("clusterrole,clusterrolebinding,validatingwebhookconfiguration").await;
    assert!(left.iter().all(|name| name.starts_with("ferrolb-")), "{left:?}");

    let left = walk.names("services,secrets,configmaps").await;
    let configuration: &[&str] = if mode.config_map { &["config"] } else { &[] };
    assert_eq!(left, configuration);

    let definitions = walk.names("crd").await;
    assert_eq!(definitions.len(), 9, "{definitions:?}");
    walk.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_manifests_in_native_mode() {
    walk(Mode::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_manifests_in_frr_k8s_mode() {
    walk(Mode { frr_k8s: true, ..Mode::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_chart_in_frr_k8s_mode() {
    walk(Mode { frr_k8s: true, helm: true, ..Mode::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_config_map_and_the_manifests() {
    walk(Mode { config_map: true, ..Mode::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_config_map_and_the_chart() {
    walk(Mode { config_map: true, helm: true, ..Mode::default() }).await;
}
