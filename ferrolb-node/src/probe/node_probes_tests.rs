//! What a node announces while it probes, in virtual time.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use lb_adapter::manifest::{Source, parse};
use lb_adapter::planner::PlannerOptions;

/// The node kube1, which probes, and a Service whose port nobody serves; with endpoints on these nodes.
struct World {
    engine: Engine,
    probing: NodeProbes,
    policy: &'static str,
}

impl World {
    fn new(policy: &'static str, nodes: &[&str]) -> Self {
        let options = PlannerOptions { probing: true, ..PlannerOptions::default() };
        let engine = Engine::new(options, Some("kube1".to_owned()));
        let mut world = Self { engine, probing: NodeProbes::of("kube1"), policy };
        world.endpoints_on(nodes);
        world
    }

    /// As `ferrolb run` does when files have changed; says whether the Service is announced then.
    fn endpoints_on(&mut self, nodes: &[&str]) -> bool {
        let endpoint = |node: &&str| format!("{{addresses: [127.0.0.1], nodeName: {node}}}");
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
        for change in self.probing.follow_all(&self.engine) {
            self.engine.apply(change);
        }
        self.is_announced()
    }

    fn is_announced(&self) -> bool {
        let services = self.engine.plan("kube1").map(|plan| plan.services().count());
        services == Some(1)
    }

    /// Takes the next finding; says whether the Service is announced then.
    async fn find(&mut self) -> bool {
        let found = self.probing.next().await;
        self.engine.apply(found.unwrap());
        self.is_announced()
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_other_nodes_pods_keep_announced_falls_by_failures_and_not_by_a_pod_that_comes()
 {
    let mut world = World::new("Cluster", &["kube2"]);
    assert!(world.find().await, "a node without pods has nothing to try");
    let begin = Instant::now();
    assert!(world.endpoints_on(&["kube1", "kube2"]), "that it was not tried is no reason");
    // The pod is up until it has failed three times, ten seconds apart.
    assert!(world.find().await);
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert!(!world.find().await);
    assert!(begin.elapsed() >= Duration::from_secs(20), "{:?}", begin.elapsed());
    // It goes, and with it what was found.
    world.endpoints_on(&["kube2"]);
    assert!(world.find().await);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_announced_waits_for_the_first_try_of_its_first_pod() {
    // Nobody has a pod; or only this node's would count.
    for (policy, before) in [("Cluster", &[][..]), ("Local", &["kube2"])] {
        let mut world = World::new(policy, before);
        assert!(!world.find().await, "{policy}");
        assert!(!world.endpoints_on(&["kube1", "kube2"]), "{policy}: it has not been tried");
        assert!(!world.probing.is_beginning(), "{policy}: the first tries were those of nobody");
        let begin = Instant::now();
        assert!(!world.find().await, "{policy}: the first failure decides");
        assert!(begin.elapsed() < Duration::from_secs(10), "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_the_beginning_until_the_first_try() {
    let mut world = World::new("Local", &["kube1"]);
    assert!(world.probing.is_beginning());
    assert!(!world.find().await);
    assert!(!world.probing.is_beginning());
}
