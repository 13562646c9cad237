//! The simulated cluster: its objects, and the changes that kubelets, other speakers and controllers make to them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use test_apiserver::ApiServer;

use crate::objects::{self, Pod, SYSTEM, Shape, node_name};

/// The cluster, with the pods of each Service as they are now.
pub(crate) struct Cluster<'a> {
    server: &'a ApiServer,
    nodes: u32,
    services: BTreeMap<u32, SimulatedService>,
    /// The report of each other speaker.
    reports: Vec<Value>,
}

struct SimulatedService {
    shape: Shape,
    generation: u32,
    pods: Vec<Pod>,
}

/// The number of heartbeats and changes in a time.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) leases: u64,
    pub(crate) nodes: u64,
    pub(crate) reports: u64,
    pub(crate) slices: u64,
}

/// The step of the simulation.
const TICK: Duration = Duration::from_millis(500);

impl<'a> Cluster<'a> {
    /// Creates all objects.
    pub(crate) fn create(server: &'a ApiServer, nodes: u32, services: u32) -> Self {
        for name in [SYSTEM, "kube-node-lease"] {
            server.put(namespace(name));
        }
        (0..100).for_each(|number| server.put(namespace(&objects::namespace(number))));
        for number in 0..nodes {
            server.put(objects::node(number));
            server.put(objects::lease(number, &now()));
        }

        let mut cluster = Self { server, nodes, services: BTreeMap::new(), reports: Vec::new() };
        for number in 0..services {
            let shape = Shape::of(number, nodes);
            server.put(objects::service(shape));
            cluster.set_pods(shape, 0, shape.endpoints(0));
        }
        cluster
    }

    /// Adds a Service with these pods.
    pub(crate) fn add(&mut self, shape: Shape, pods: Vec<Pod>) {
        self.server.put(objects::service(shape));
        self.set_pods(shape, 0, pods);
    }

    fn set_pods(&mut self, shape: Shape, generation: u32, pods: Vec<Pod>) {
        self.server.put(objects::slice(shape, generation, &pods));
        self.services.insert(shape.number, SimulatedService { shape, generation, pods });
    }

    /// Returns the number of Services that node 0 has to announce.
    pub(crate) fn announced(&self) -> usize {
        let services = self.services.values();
        services.filter(|service| is_announced(service.shape, &service.pods)).count()
    }

    /// Gives each other node a report like that of the speaker.
    pub(crate) fn report(&mut self, own: &Value) {
        for number in 1..self.nodes {
            let name = node_name(number);
            let mut report = own.clone();
            report["metadata"] = json!({"name": name, "namespace": SYSTEM,
                "managedFields": own["metadata"]["managedFields"]});
            report["status"]["node"] = name.into();
            self.server.put(report.clone());
            self.reports.push(report);
        }
    }

    /// Runs the cluster for a time: kubelets renew Leases every 10 s and report every 5 min, other speakers renew their reports
    /// every minute, and every so often a pod is replaced.
    pub(crate) async fn run(&mut self, time: Duration, replaced_per_second: f64) -> Changes {
        let mut changes = Changes::default();
        let begin = tokio::time::Instant::now();
        let mut turn = tokio::time::interval(TICK);
        let mut generation = 1_000;
        loop {
            turn.tick().await;
            let elapsed = begin.elapsed();
            if elapsed >= time {
                return changes;
            }

            let nodes = f64::from(self.nodes);
            let seconds = elapsed.as_secs_f64();
            while count(changes.leases) < seconds * nodes / 10.0 {
                self.server.put(objects::lease(number(changes.leases, self.nodes), &now()));
                changes.leases += 1;
            }
            while self.nodes > 1 && count(changes.nodes) < seconds * nodes / 300.0 {
                // Not the speaker's own: a client would not change its UID.
                let mut node = objects::node(1 + number(changes.nodes, self.nodes - 1));
                node["status"]["conditions"][0]["lastHeartbeatTime"] = now().into();
                self.server.put(node);
                changes.nodes += 1;
            }
            while !self.reports.is_empty()
                && count(changes.reports) < seconds * (nodes - 1.0) / 60.0
            {
                let at = usize::try_from(changes.reports).unwrap_or_default() % self.reports.len();
                let mut report = self.reports[at].clone();
                report["status"]["heartbeatTime"] = now().into();
                self.server.put(report);
                changes.reports += 1;
            }
            while count(changes.slices) < seconds * replaced_per_second {
                generation += 1;
                let known = u32::try_from(self.services.len()).unwrap_or(u32::MAX);
                self.replace_pod(number(u64::from(generation) * 7_919, known), generation);
                changes.slices += 1;
            }
        }
    }

    /// Replaces the first pod of a Service by one on another node.
    fn replace_pod(&mut self, number: u32, generation: u32) {
        let Some(service) = self.services.get(&number) else { return };
        let (shape, mut pods) = (service.shape, service.pods.clone());
        if let Some(first) = pods.first_mut() {
            first.node = shape.node_of(first.id, generation);
        }
        self.set_pods(shape, generation, pods);
    }

    /// Restarts the pods of a Service one by one, each on its node: the new one becomes ready, then the old one terminates, then
    /// it is gone. Returns the number of written slices, and how often the announcement by node 0 changed.
    pub(crate) async fn restart(&mut self, number: u32, pause: Duration) -> (u64, u64) {
        let Some(service) = self.services.get(&number) else { return (0, 0) };
        let (shape, generation, mut pods) =
            (service.shape, service.generation + 1, service.pods.clone());
        let (mut slices, mut transitions) = (0, 0);
        let mut announced = is_announced(shape, &pods);
        for at in 0..pods.len() {
            let old = pods[at];
            let new = Pod { id: old.id + 32, ..old };
            let steps = [
                [pods.clone(), vec![new]].concat(),
                {
                    let mut leaving = pods.clone();
                    leaving[at].ready = false;
                    [leaving, vec![new]].concat()
                },
                {
                    pods[at] = new;
                    pods.clone()
                },
            ];
            for step in steps {
                transitions += u64::from(is_announced(shape, &step) != announced);
                announced = is_announced(shape, &step);
                self.set_pods(shape, generation, step);
                slices += 1;
                tokio::time::sleep(pause).await;
            }
        }
        (slices, transitions)
    }

    /// Evicts the pods of a node, all at once, to other nodes: first they terminate beside their successors, then they are gone.
    /// Returns the number of written slices, and how often announcements by node 0 changed.
    pub(crate) fn evict(&mut self, node: u32) -> (u64, u64) {
        let affected: Vec<u32> = self
            .services
            .iter()
            .filter(|(_, service)| service.pods.iter().any(|pod| pod.node == node))
            .map(|(number, _)| *number)
            .collect();
        let (mut slices, mut transitions) = (0, 0);
        for number in affected {
            let Some(service) = self.services.get(&number) else { continue };
            let (shape, generation) = (service.shape, service.generation + 1);
            let (mut leaving, mut moved) = (service.pods.clone(), service.pods.clone());
            for (old, new) in leaving.iter_mut().zip(&mut moved).filter(|(old, _)| old.node == node)
            {
                old.ready = false;
                let others = shape.node_of(old.id, generation) % (self.nodes - 1);
                new.node = if others >= node { others + 1 } else { others };
                new.id += 32;
            }
            let before = is_announced(shape, &service.pods);
            let between =
                [leaving, moved.iter().filter(|pod| pod.id >= 32).copied().collect()].concat();
            transitions += u64::from(is_announced(shape, &between) != before);
            transitions += u64::from(is_announced(shape, &moved) != is_announced(shape, &between));
            self.set_pods(shape, generation, between);
            self.set_pods(shape, generation, moved);
            slices += 2;
        }
        (slices, transitions)
    }
}

/// Returns true if node 0 announces a Service: a terminating pod still serves.
fn is_announced(shape: Shape, pods: &[Pod]) -> bool {
    pods.iter().any(|pod| !shape.local || pod.node == 0)
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn number(count: u64, modulus: u32) -> u32 {
    u32::try_from(count % u64::from(modulus.max(1))).unwrap_or_default()
}

fn count(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
