//! What happens to the cluster: users, pods, nodes, sessions, processes and leaders, from a seed.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use rustix::process::Signal;
use serde_json::{Value, json};
use test_apiserver::Cut;

use crate::cluster::wait;
use crate::monitor::Monitor;
use crate::programs::{NODES, Programs};
use crate::routers::{NAMES, Routers};

/// Services at the same time.
const SERVICES: std::ops::Range<usize> = 20..60;
/// The mean time between two changes of endpoints, and between two of Services.
const ENDPOINTS: Duration = Duration::from_millis(700);
const USERS: Duration = Duration::from_secs(3);

/// The time in which a session comes back, a killed speaker is noticed or is back, and a cable has no more effect.
const SESSION: Duration = Duration::from_secs(10);
const SPEAKER: Duration = Duration::from_secs(20);
const CABLE: Duration = Duration::from_secs(30);
/// The hold time of nine seconds, and some.
const UNPLUGGED: Duration = Duration::from_secs(14);
/// The duration of the Lease by default.
const LEASE: Duration = Duration::from_secs(15);
/// The time after which programs follow the API server again.
const WATCHES: Duration = Duration::from_secs(10);

/// A disturbance; each of a run occurs once in every round, in an order from the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Disturbance {
    ResetSession,
    NodeNotReady,
    NodeExcluded,
    KillSpeaker,
    EndSpeaker,
    PullCable,
    HangLeader,
    ReplaceController,
    CutWatches,
    Compact,
}

use Disturbance::{
    Compact, CutWatches, EndSpeaker, HangLeader, KillSpeaker, NodeExcluded, NodeNotReady,
    PullCable, ReplaceController, ResetSession,
};

/// All disturbances.
pub(crate) const ALL: [Disturbance; 10] = [
    ResetSession,
    NodeNotReady,
    KillSpeaker,
    HangLeader,
    CutWatches,
    NodeExcluded,
    EndSpeaker,
    PullCable,
    ReplaceController,
    Compact,
];

/// The disturbances after which most routes count, and most addresses soon do.
pub(crate) const BRIEF: [Disturbance; 5] =
    [ResetSession, NodeNotReady, NodeExcluded, EndSpeaker, ReplaceController];

/// The end of a disturbance.
#[derive(Clone, Copy, Debug)]
enum Repair {
    Node(&'static str),
    Speaker(&'static str),
    Cable(&'static str),
    Resume(&'static str),
}

/// A Service of the test.
#[derive(Clone, Copy, Debug)]
struct Known {
    local: bool,
    balances: bool,
    /// The last octet of the address that it asks for.
    asked: Option<u8>,
}

/// The state of the churn.
pub(crate) struct Churn {
    random: fastrand::Rng,
    services: BTreeMap<String, Known>,
    next_name: u32,
    /// The disturbances of each round, and those that are left of this one.
    disturbances: &'static [Disturbance],
    round: Vec<Disturbance>,
    /// The time between two of them, and the next one.
    distance: Duration,
    next_disturbance: Option<Instant>,
    repairs: Vec<(Instant, Repair)>,
    /// The number of changes by kind.
    pub(crate) counts: BTreeMap<String, u32>,
}

impl Churn {
    pub(crate) fn new(seed: u64, distance: Duration, disturbances: &'static [Disturbance]) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            services: BTreeMap::new(),
            next_name: 0,
            disturbances,
            round: Vec::new(),
            distance,
            next_disturbance: None,
            repairs: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Creates the first Services.
    pub(crate) async fn fill(&mut self, programs: &Programs) {
        while self.services.len() < SERVICES.start {
            self.create(programs).await;
        }
    }

    /// Does what occurs in a step of this length.
    pub(crate) async fn step(
        &mut self,
        length: Duration,
        programs: &mut Programs,
        routers: &Routers,
        monitor: &mut Monitor,
    ) {
        self.change(length, programs).await;

        let now = Instant::now();
        let (due, later) = self.repairs.drain(..).partition(|(at, _)| *at <= now);
        self.repairs = later;
        let due: Vec<(Instant, Repair)> = due;
        for (_, repair) in due {
            Self::repair(repair, programs, monitor).await;
        }
        if now >= *self.next_disturbance.get_or_insert(now + self.distance / 2) {
            self.next_disturbance = Some(now + self.distance);
            self.disturb(programs, routers, monitor).await;
        }
    }

    /// Moves pods, and does what users do, as they occur in a step of this length.
    pub(crate) async fn change(&mut self, length: Duration, programs: &Programs) {
        if self.occurs(length, ENDPOINTS)
            && let Some(name) = self.any_service()
        {
            self.change_endpoints(programs, &name).await;
        }
        if self.services.len() < SERVICES.start || self.occurs(length, USERS) {
            self.act_as_user(programs).await;
        }
    }

    fn occurs(&mut self, length: Duration, mean: Duration) -> bool {
        self.random.f64() < length.as_secs_f64() / mean.as_secs_f64()
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    fn any_service(&mut self) -> Option<String> {
        let index = self.random.usize(..self.services.len().max(1));
        self.services.keys().nth(index).cloned()
    }

    async fn change_endpoints(&mut self, programs: &Programs, service: &str) {
        let mut endpoints = Vec::new();
        for (node, _) in NODES {
            for _ in 0..self.random.usize(..3) {
                endpoints.push((node, self.random.u8(..5) > 0));
            }
        }
        programs.cluster.endpoints(service, &endpoints).await;
        self.count("endpoints");
    }

    async fn act_as_user(&mut self, programs: &Programs) {
        let few = self.services.len() < SERVICES.start;
        let many = self.services.len() >= SERVICES.end;
        match self.random.u8(..10) {
            _ if few => self.create(programs).await,
            0..4 if !many => self.create(programs).await,
            0..7 => self.delete(programs).await,
            7..9 => self.change_policy(programs).await,
            _ => self.change_type(programs).await,
        }
    }

    async fn create(&mut self, programs: &Programs) {
        let name = format!("soak-{}", self.next_name);
        let local = self.random.bool();
        let mut spec = json!({"externalTrafficPolicy": if local { "Local" } else { "Cluster" }});
        let asks = self.random.u8(..4) == 0;
        let asked = if asks { self.address_to_ask_for() } else { None };
        if let Some(octet) = asked {
            spec["loadBalancerIP"] = json!(format!("172.22.36.{octet}"));
        }
        self.next_name += 1;

        // Endpoints come before or after their Service.
        let first = self.random.bool();
        if first {
            self.change_endpoints(programs, &name).await;
        }
        programs.cluster.create(&name, spec).await;
        let labels = Patch::Merge(json!({"metadata": {"labels": {"soak": "true"}}}));
        programs.cluster.services().patch(&name, &PatchParams::default(), &labels).await.unwrap();
        if !first {
            self.change_endpoints(programs, &name).await;
        }
        self.services.insert(name, Known { local, balances: true, asked });
        self.count("Services created");
    }

    /// The last octet of an address that no other Service asks for. The controller takes the lowest free address for those
    /// that do not ask, and never comes this far.
    fn address_to_ask_for(&self) -> Option<u8> {
        (128..248).find(|octet| self.services.values().all(|it| it.asked != Some(*octet)))
    }

    async fn delete(&mut self, programs: &Programs) {
        let Some(name) = self.any_service() else { return };
        programs.cluster.services().delete(&name, &DeleteParams::default()).await.unwrap();
        programs.cluster.endpoints(&name, &[]).await;
        self.services.remove(&name);
        self.count("Services deleted");
    }

    async fn change_policy(&mut self, programs: &Programs) {
        let Some(name) = self.any_service() else { return };
        let Some(known) = self.services.get_mut(&name).filter(|known| known.balances) else {
            return;
        };
        known.local = !known.local;
        let policy = if known.local { "Local" } else { "Cluster" };
        patch(programs, &name, json!({"spec": {"externalTrafficPolicy": policy}})).await;
        self.count("policies");
    }

    async fn change_type(&mut self, programs: &Programs) {
        let Some(name) = self.any_service() else { return };
        let Some(known) = self.services.get_mut(&name) else { return };
        known.balances = !known.balances;
        let policy = if known.local { "Local" } else { "Cluster" };
        let spec = if known.balances {
            json!({"type": "LoadBalancer", "loadBalancerClass": programs.cluster.class,
                "externalTrafficPolicy": policy})
        } else {
            known.asked = None;
            json!({"type": "ClusterIP", "loadBalancerClass": null, "externalTrafficPolicy": null,
                "loadBalancerIP": null, "healthCheckNodePort": null, "allocateLoadBalancerNodePorts": null})
        };
        patch(programs, &name, json!({"spec": spec})).await;
        self.count("types");
    }

    async fn disturb(&mut self, programs: &mut Programs, routers: &Routers, monitor: &mut Monitor) {
        if self.round.is_empty() {
            self.round = self.disturbances.to_vec();
            self.random.shuffle(&mut self.round);
        }
        let Some(disturbance) = self.round.pop() else { return };
        let later = |seconds: u64| Instant::now() + Duration::from_secs(seconds);
        match disturbance {
            ResetSession => {
                let (router, node) =
                    (self.random.usize(..NAMES.len()), self.random.usize(..NODES.len()));
                monitor.disturb_session(router, NODES[node].1.into(), SESSION);
                tokio::task::block_in_place(|| routers.reset(router, node)).unwrap();
            }
            NodeNotReady | NodeExcluded => {
                let node = NODES[self.random.usize(..NODES.len())].0;
                set_node(programs, node, disturbance == NodeNotReady, disturbance == NodeExcluded)
                    .await;
                self.repairs.push((later(10), Repair::Node(node)));
            }
            // The speaker of kube3 is the one that lives as long as the test, and that of kube2 keeps running too.
            KillSpeaker | EndSpeaker => {
                let (node, address) = NODES[0];
                monitor.set_down(node_address(address), true, SESSION);
                if disturbance == KillSpeaker {
                    programs.kill_speaker(node);
                } else {
                    programs.speakers.get_mut(node).expect("a speaker").terminate();
                }
                self.repairs.push((later(12), Repair::Speaker(node)));
            }
            PullCable => {
                let (node, address) = NODES[1];
                monitor.set_down(node_address(address), true, UNPLUGGED);
                programs.unplug(node);
                self.repairs.push((later(20), Repair::Cable(node)));
            }
            HangLeader => {
                let leader = leader(programs).await;
                monitor.disturb_addresses(LEASE * 2 + WATCHES);
                programs.controllers[leader].suspend();
                self.repairs.push((later(LEASE.as_secs() + 2), Repair::Resume(leader)));
            }
            ReplaceController => {
                // The other one lives as long as the test.
                monitor.disturb_addresses(LEASE * 2 + WATCHES);
                programs.controllers.remove("b").expect("a controller").kill();
                programs.start_controller("b");
            }
            CutWatches => {
                let how = [Cut::Clean, Cut::MidEvent, Cut::Gone][self.random.usize(..3)];
                monitor.disturb_all(WATCHES);
                programs.cluster.server.as_ref().expect("a server of ours").cut_watches(how);
            }
            Compact => {
                monitor.disturb_all(WATCHES);
                let server = programs.cluster.server.as_ref().expect("a server of ours");
                server.compact();
                server.cut_watches(Cut::Clean);
            }
        }
        self.count(&format!("{disturbance:?}"));
    }

    async fn repair(repair: Repair, programs: &mut Programs, monitor: &mut Monitor) {
        match repair {
            Repair::Node(node) => set_node(programs, node, false, false).await,
            Repair::Speaker(node) => {
                if let Some(mut ended) = programs.speakers.remove(node) {
                    let status = tokio::task::block_in_place(|| ended.wait(SESSION));
                    // A signal also ends a process that has not yet come to where it handles signals.
                    let is_terminated = status.signal() == Some(Signal::TERM.as_raw());
                    assert!(status.success() || is_terminated, "{status}: {}", ended.output());
                }
                monitor.set_down(address_of(node), false, SPEAKER);
                programs.start_speaker(node);
            }
            Repair::Cable(node) => {
                monitor.set_down(address_of(node), false, CABLE);
                programs.plug(node);
            }
            Repair::Resume(controller) => {
                monitor.disturb_addresses(WATCHES);
                if let Some(process) = programs.controllers.get(controller) {
                    process.resume();
                }
            }
        }
    }

    /// Repairs everything.
    pub(crate) async fn end(&mut self, programs: &mut Programs, monitor: &mut Monitor) {
        for (_, repair) in std::mem::take(&mut self.repairs) {
            Self::repair(repair, programs, monitor).await;
        }
    }
}

async fn patch(programs: &Programs, service: &str, change: Value) {
    let services = programs.cluster.services();
    services.patch(service, &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
}

async fn set_node(programs: &Programs, node: &str, unready: bool, excluded: bool) {
    let nodes: Api<Node> = Api::all(programs.cluster.client.clone());
    let params = PatchParams::default();
    let ready = if unready { "False" } else { "True" };
    let status = json!({"status": {"conditions": [{"type": "Ready", "status": ready}]}});
    nodes.patch_status(node, &params, &Patch::Merge(status)).await.unwrap();

    let label = if excluded { json!("true") } else { Value::Null };
    let labels = json!({"metadata": {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": label}}});
    nodes.patch(node, &params, &Patch::Merge(labels)).await.unwrap();
}

/// The controller that the Lease names.
async fn leader(programs: &Programs) -> &'static str {
    let leases: Api<Lease> =
        Api::namespaced(programs.cluster.client.clone(), &programs.cluster.system);
    wait("a leader", async || {
        let lease = leases.get("ferrolb-controller").await.map_err(|error| error.to_string())?;
        let holder = lease.spec.and_then(|it| it.holder_identity).unwrap_or_default();
        let leader = programs.controllers.keys().find(|name| **name == holder);
        leader.copied().ok_or(holder)
    })
    .await
}

fn node_address(address: std::net::Ipv4Addr) -> std::net::IpAddr {
    address.into()
}

fn address_of(node: &str) -> std::net::IpAddr {
    let found = NODES.iter().find(|(name, _)| *name == node);
    found.expect("a node of the cluster").1.into()
}
