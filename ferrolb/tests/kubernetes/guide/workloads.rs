//! The pods of DaemonSets and Deployments, and the programs in them: FerroLB's as processes, and substitutes that
//! announce and allocate addresses as MetalLB's programs do.
//!
//! A note records if two programs run at the same time that must not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::installed::SYSTEM;
use super::metallb;
use super::page::Mode;
use crate::cluster::object;
use crate::program::Program;

/// The surroundings of the pods.
pub(crate) struct Site {
    pub(crate) client: Client,
    pub(crate) mode: Mode,
    pub(crate) router_port: u16,
    pub(crate) nodes: Vec<(&'static str, Ipv4Addr)>,
    /// Kubeconfigs of our two programs, by their names.
    pub(crate) kubeconfigs: BTreeMap<&'static str, std::path::PathBuf>,
    pub(crate) notes: Mutex<Notes>,
}

/// A log of the test.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Events that must not happen.
    pub(crate) wrong: Vec<String>,
    /// Pods that started: workload and place.
    pub(crate) begun: Vec<(String, String)>,
    /// The times for which nodes had no routes.
    pub(crate) gaps: Vec<(&'static str, Duration)>,
    /// The owners of the programs that run, by place: a node, or `controller`.
    running: BTreeMap<String, Vec<&'static str>>,
}

impl Site {
    pub(crate) fn note<T>(&self, write: impl FnOnce(&mut Notes) -> T) -> T {
        write(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The owner of a workload's program, if programs of other owners must not run beside it.
    fn exclusive(&self, workload: &str) -> Option<&'static str> {
        let speaker =
            if self.mode.frr_k8s { "daemonset/frr-k8s-daemon" } else { "daemonset/speaker" };
        let of_metallb = [speaker, "deployment/controller"];
        if workload.starts_with("ferrolb-") {
            return Some("FerroLB");
        }
        let names = of_metallb.map(|name| self.mode.name(name));
        names.iter().any(|name| name.ends_with(&format!("/{workload}"))).then_some("MetalLB")
    }
}

/// A running pod.
struct Running {
    workload: String,
    template: Value,
    stop: Option<oneshot::Sender<()>>,
    /// True once the pod does its work.
    ready: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

/// A pod that should run.
struct Wanted {
    workload: String,
    /// The node of the pod, or its number.
    place: String,
    template: Value,
    /// True if pods of an older template are replaced.
    rolls: bool,
}

/// The task that starts and stops pods to match the objects of the API server.
pub(crate) struct Workloads {
    end: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Workloads {
    pub(crate) fn begin(site: Arc<Site>) -> Self {
        let (end, mut ended) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut running: BTreeMap<String, Running> = BTreeMap::new();
            let mut number = 0;
            while ended.try_recv().is_err() {
                turn(&site, &mut running, &mut number).await;
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
            // The test is over: these pods need not exit cleanly.
            for (_, pod) in running {
                pod.task.abort();
                drop(pod.task.await);
            }
        });
        Self { end, task }
    }

    /// Ends every pod.
    pub(crate) async fn end(self) {
        self.end.send(()).unwrap();
        self.task.await.unwrap();
    }
}

async fn turn(site: &Arc<Site>, running: &mut BTreeMap<String, Running>, number: &mut u32) {
    let wanted = wanted(site).await;
    let ended = running.iter().filter(|(_, pod)| pod.task.is_finished());
    let ended: Vec<_> = ended.map(|(key, _)| key.clone()).collect();
    for key in ended {
        let Some(pod) = running.remove(&key) else { continue };
        if let Err(error) = pod.task.await {
            site.note(|notes| notes.wrong.push(format!("{key} failed: {error}")));
        }
    }

    for (key, pod) in running.iter_mut() {
        if !wanted.contains_key(key) {
            drop(pod.stop.take());
        }
    }

    for (key, wanted) in &wanted {
        if running.contains_key(key) {
            continue;
        }
        *number += 1;
        let name = format!("{}-{number}", wanted.workload);
        let (stop, stopped) = oneshot::channel();
        let template = wanted.template.clone();
        let ready = Arc::default();
        let task = run(Arc::clone(site), name, wanted, Arc::clone(&ready), stopped);
        let pod = Running {
            workload: wanted.workload.clone(),
            template,
            stop: Some(stop),
            ready,
            task: tokio::spawn(task),
        };
        running.insert(key.clone(), pod);
    }

    // Pods are replaced one at a time, each after the last one is back.
    let mut rolling = BTreeSet::new();
    let whole = |pod: &Running| pod.stop.is_some() && pod.ready.load(Ordering::Relaxed);
    for pod in running.values().filter(|pod| !whole(pod)) {
        rolling.insert(pod.workload.clone());
    }
    for (key, pod) in running.iter_mut() {
        let Some(wanted) = wanted.get(key) else { continue };
        let old = pod.template != wanted.template;
        if old && wanted.rolls && rolling.insert(pod.workload.clone()) {
            drop(pod.stop.take());
        }
    }
    report(site, running).await;
}

/// The pods that should run, by workload and place.
async fn wanted(site: &Site) -> BTreeMap<String, Wanted> {
    let everything = ListParams::default();
    let nodes: Api<Node> = Api::all(site.client.clone());
    let nodes = plain(nodes.list(&everything).await.unwrap().items);
    let sets: Api<DaemonSet> = Api::namespaced(site.client.clone(), SYSTEM);
    let deployments: Api<Deployment> = Api::namespaced(site.client.clone(), SYSTEM);

    let mut wanted = Vec::new();
    for set in plain(sets.list(&everything).await.unwrap().items) {
        for node in nodes.iter().filter(|node| fits(&set["spec"]["template"]["spec"], node)) {
            let rolls = set["spec"]["updateStrategy"]["type"] != "OnDelete";
            wanted.push((set.clone(), text(&node["metadata"]["name"]), rolls));
        }
    }
    for deployment in plain(deployments.list(&everything).await.unwrap().items) {
        for number in 0..deployment["spec"]["replicas"].as_u64().unwrap_or(1) {
            wanted.push((deployment.clone(), number.to_string(), true));
        }
    }

    let wanted = wanted.into_iter().map(|(object, place, rolls)| {
        let workload = text(&object["metadata"]["name"]);
        let template = object["spec"]["template"].clone();
        (format!("{workload}/{place}"), Wanted { workload, place, template, rolls })
    });
    wanted.collect()
}

/// Returns true if a pod's selector and affinity let it run on a node.
fn fits(pod: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let selected = pod["nodeSelector"].as_object().into_iter().flatten();
    let selected = selected.into_iter().all(|(key, value)| labels[key.as_str()] == *value);

    let terms =
        "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let holds = |expression: &Value| {
        let label = &labels[expression["key"].as_str().unwrap()];
        let among = expression["values"].as_array().is_some_and(|it| it.contains(label));
        match expression["operator"].as_str().unwrap() {
            "In" => among,
            "NotIn" => !among,
            "Exists" => !label.is_null(),
            "DoesNotExist" => label.is_null(),
            other => panic!("{other}"),
        }
    };

    let term = |term: &Value| term["matchExpressions"].as_array().unwrap().iter().all(holds);
    let terms = pod.pointer(terms).and_then(Value::as_array);
    selected && terms.is_none_or(|terms| terms.iter().any(term))
}

/// Writes the number of running pods into the status of each Deployment.
async fn report(site: &Site, running: &BTreeMap<String, Running>) {
    let api: Api<Deployment> = Api::namespaced(site.client.clone(), SYSTEM);
    for deployment in plain(api.list(&ListParams::default()).await.unwrap().items) {
        let name = text(&deployment["metadata"]["name"]);
        let count = running.values().filter(|it| it.workload == name && it.stop.is_some()).count();
        if deployment["status"]["availableReplicas"] == json!(count) {
            continue;
        }
        let status = Patch::Merge(json!({"status": {"availableReplicas": count}}));
        // It may just have been deleted.
        drop(api.patch_status(&name, &PatchParams::default(), &status).await);
    }
}

/// Runs a pod from start to end.
fn run(
    site: Arc<Site>,
    name: String,
    wanted: &Wanted,
    ready: Arc<AtomicBool>,
    stopped: oneshot::Receiver<()>,
) -> impl Future<Output = ()> + Send + 'static {
    let (workload, place) = (wanted.workload.clone(), wanted.place.clone());
    let template = wanted.template.clone();
    async move {
        let pods: Api<Pod> = Api::namespaced(site.client.clone(), SYSTEM);
        let pod = json!({"metadata": {"name": name, "labels": template["metadata"]["labels"]},
            "spec": {"nodeName": place, "containers": template["spec"]["containers"]}});
        pods.create(&PostParams::default(), &object(pod)).await.unwrap();
        let room = if place.starts_with("kube") { place.clone() } else { "controller".to_owned() };
        let whose = site.exclusive(&workload);
        site.note(|notes| {
            notes.begun.push((workload.clone(), place.clone()));
            let there = notes.running.entry(room.clone()).or_default();
            let other = whose.and_then(|whose| there.iter().find(|it| **it != whose).copied());
            // FerroLB's speaker may start on a node while MetalLB's is still ending there.
            let takes_over = whose == Some("FerroLB") && place.starts_with("kube");
            if let Some(other) = other.filter(|_| !takes_over) {
                notes.wrong.push(format!("{workload} begins at {place}, and {other}'s still runs"));
            }
            notes.running.entry(room.clone()).or_default().extend(whose);
        });

        if workload.starts_with("ferrolb-") {
            ready.store(true, Ordering::Relaxed);
            let program = Program::spawn(arguments(&site, &name, &place, &template));
            drop(stopped.await);
            program.terminate().await;
        } else {
            metallb::run(&site, &workload, &place, &ready, stopped).await;
        }

        site.note(|notes| {
            let there = notes.running.entry(room).or_default();
            let at = there.iter().position(|it| Some(*it) == whose);
            at.map(|at| there.remove(at));
        });
        pods.delete(&name, &DeleteParams::default()).await.unwrap();
    }
}

/// The arguments of one of our pods: those of its container, and substitutes for its environment.
fn arguments(site: &Site, name: &str, place: &str, template: &Value) -> Vec<std::ffi::OsString> {
    let container = &template["spec"]["containers"][0];
    let mut arguments: Vec<_> = container["args"].as_array().unwrap().iter().map(text).collect();
    for argument in &mut arguments {
        match argument.split_once('=') {
            // All nodes are this one machine.
            Some(("--port", _)) => *argument = "--port=0".to_owned(),
            Some(("--drain-marked", _)) => *argument = "--drain-marked=200ms".to_owned(),
            Some(("--log-level", _)) => *argument = "--log-level=warn".to_owned(),
            _ => {}
        }
    }

    let program = if arguments[0] == "speaker" { "speaker" } else { "controller" };
    arguments.extend([format!("--pod-name={name}"), format!("--namespace={SYSTEM}")]);
    if program == "speaker" {
        arguments.push(format!("--node-name={place}"));
    }

    let mut arguments: Vec<std::ffi::OsString> = arguments.into_iter().map(Into::into).collect();
    arguments.extend(["--kubeconfig".into(), site.kubeconfigs[program].clone().into_os_string()]);
    arguments
}

fn plain(objects: Vec<impl Serialize>) -> Vec<Value> {
    objects.into_iter().map(|it| serde_json::to_value(it).unwrap()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
