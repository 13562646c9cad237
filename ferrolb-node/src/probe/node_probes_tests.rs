//! The routes that a node announces while it probes, in virtual time.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use lb_adapter::manifest::{Source, parse};
use lb_adapter::planner::PlannerOptions;

/// The node kube1, which probes a Service whose port is closed.
struct ProbingNode {
    engine: Engine,
    probes: NodeProbes,
    policy: &'static str,
}

impl ProbingNode {
    fn new(policy: &'static str, nodes: &[&str]) -> Self {
        let options = PlannerOptions { probing: true, ..PlannerOptions::default() };
        let engine = Engine::new(options, Some("kube1".to_owned()));
        let mut node = Self { engine, probes: NodeProbes::new("kube1", EventLog::new()), policy };
        node.endpoints_on(nodes);
        node
    }

    /// Loads manifests with endpoints on these nodes, as `ferrolb run` does. Returns true if the Service is announced then.
    fn endpoints_on(&mut self, nodes: &[&str]) -> bool {
        let endpoint = |name: &&str| format!("{{addresses: [127.0.0.1], nodeName: {name}}}");
        let endpoints: Vec<_> = nodes.iter().map(endpoint).collect();
        let (policy, endpoints) = (self.policy, endpoints.join(", "));
        let text = format!(
            "
apiVersion: v1
kind: ConfigMap
metadata: {{namespace: metallb-system, name: config}}
data:
  config: |
    peers: [{{my-asn: 64636, peer-asn: 64635, peer-address: 192.0.2.254}}]
    address-pools:
    - {{name: default, protocol: bgp, addresses: [192.0.2.0/28], probe: 'tcp:1', probe-interval: 10s}}
---
{{apiVersion: v1, kind: Node, metadata: {{name: kube1}}, status: {{addresses: [{{type: InternalIP, address: 127.0.0.1}}]}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: LoadBalancer, externalTrafficPolicy: {policy}, ports: [{{port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
endpoints: [{endpoints}]
"
        );
        let source = Source { name: "all.yaml".to_owned(), octets: text.into_bytes() };
        self.engine.load(parse("manifests", &[source]).unwrap());
        for change in self.probes.update_all(&self.engine) {
            self.engine.apply(change);
        }
        self.is_announced()
    }

    fn is_announced(&self) -> bool {
        let services = self.engine.plan("kube1").map(|plan| plan.services().count());
        services == Some(1)
    }

    /// Applies the next result. Returns true if the Service is announced then.
    async fn apply_next(&mut self) -> bool {
        let change = self.probes.next().await;
        self.engine.apply(change.unwrap());
        self.is_announced()
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_announced_for_pods_of_other_nodes_falls_after_failures_and_not_because_a_pod_is_added()
 {
    let mut node = ProbingNode::new("Cluster", &["kube2"]);
    assert!(node.apply_next().await, "a node without pods has nothing to try");

    let begin = Instant::now();
    assert!(node.endpoints_on(&["kube1", "kube2"]), "it stays announced before the first attempt");
    // The pod is up until it has failed three times, ten seconds apart.
    assert!(node.apply_next().await);
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert!(!node.apply_next().await);
    assert!(begin.elapsed() >= Duration::from_secs(20), "{:?}", begin.elapsed());

    // Its status goes with the pod.
    node.endpoints_on(&["kube2"]);
    assert!(node.apply_next().await);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_announced_waits_for_the_first_attempt_at_its_first_pod() {
    // No node has a pod, or only the pods of this node count.
    for (policy, before) in [("Cluster", &[][..]), ("Local", &["kube2"])] {
        let mut node = ProbingNode::new(policy, before);
        assert!(!node.apply_next().await, "{policy}");
        assert!(!node.endpoints_on(&["kube1", "kube2"]), "{policy}: no attempt has been made");
        assert!(
            !node.probes.first_attempts_are_pending(),
            "{policy}: no first attempt was waited for"
        );
        let begin = Instant::now();
        assert!(!node.apply_next().await, "{policy}: the first failure decides");
        assert!(begin.elapsed() < Duration::from_secs(10), "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn first_attempts_are_pending_until_the_first_result() {
    let mut node = ProbingNode::new("Local", &["kube1"]);
    assert!(node.probes.first_attempts_are_pending());
    assert!(!node.apply_next().await);
    assert!(!node.probes.first_attempts_are_pending());
}

#[tokio::test]
async fn a_probe_that_flaps_does_not_fill_the_log() {
    let (log, _guard) = test_log_lines::TestLog::begin();
    let mut probes = NodeProbes::new("kube1", EventLog::new());
    let service = ServiceKey::new("default", "web");
    for _ in 0..1_000 {
        probes.report(&service, &ProbeStatus::Down("refused".to_owned()));
        probes.report(&service, &ProbeStatus::Up);
    }
    assert_eq!(log.count("the probe"), 20);
    probes.report(&ServiceKey::new("default", "other"), &ProbeStatus::Up);
    assert_eq!(log.count("default/other"), 1, "each Service has its own lines");
}
