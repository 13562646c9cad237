//! [`ClusterOverview`]: all nodes as their speakers report them, and the Services that wait for an address.
//!
//! Owns what `ferrolb status --cluster` shows. Reads BGPNodeStatus and Services with the rights of the user, and nothing else.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ferrolb_api::{Node, Severity, Timestamp};
use ferrolb_node::Error;
use kube::Client;
use kube::core::DynamicObject;
use serde::Serialize;
use serde_json::Value;

use super::client;
use super::cluster_listing::{candidates, list, time_of_server};
use super::node_conditions::{DEGRADED, READY};
use super::node_status;
use super::reported_node::ReportedNode;
use super::resource::Kind;
use super::service_status::CONDITION as ADDRESS_ASSIGNED;

/// The nodes of a cluster, and what waits.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ClusterOverview {
    /// The time at which the API server answered.
    pub time: Timestamp,
    /// The namespace of FerroLB.
    pub namespace: String,
    /// The nodes: first those that are not ready, then those with problems, each in the order of their names.
    pub nodes: Vec<NodeReport>,
    /// The Services of type LoadBalancer without an address, by namespace and name. Those with a loadBalancerClass are left out
    /// unless a controller of FerroLB has looked at them.
    pub pending: Vec<PendingService>,
}

/// A node as its speaker reports it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct NodeReport {
    /// The sessions, the drain, and the problems.
    #[serde(flatten)]
    pub node: Node,
    /// The condition of the node.
    pub condition: NodeCondition,
    /// Established sessions and configured peers, such as `2/3`.
    pub sessions: String,
    /// BFD sessions that are Up and peers with BFD, such as `2/2`; `-` without BFD.
    pub bfd: String,
    /// The worst problem in a few words, such as `SessionDown: tor1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The condition of a node, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeCondition {
    /// The speaker has stopped reporting, so that the state of its sessions is unknown.
    Silent,
    /// The speaker announces nothing, or has ended.
    NotReady,
    /// The speaker announces, and has a problem.
    Degraded,
    /// All is as it should be.
    Ready,
}

/// A Service of type LoadBalancer without an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PendingService {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The reason, if a controller has written one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl ClusterOverview {
    /// Reads the overview of the cluster of a kubeconfig file, of `KUBECONFIG`, or of this pod.
    ///
    /// The reports are in `namespace`, or else in the first that has any among the namespace of the kubeconfig's context and the
    /// usual ones.
    ///
    /// # Errors
    ///
    /// The API server is unreachable or refuses a request, or no speaker has reported.
    pub async fn read(
        kubeconfig: Option<&PathBuf>,
        namespace: Option<&str>,
    ) -> Result<Self, Error> {
        let client = client::connect(kubeconfig).await?;
        let namespaces = match namespace {
            Some(namespace) => vec![namespace.to_owned()],
            None => candidates(&BTreeSet::new(), client.default_namespace()),
        };

        let (namespace, reports) = reports(&client, &namespaces).await?;
        let services = list(&client, Kind::Service, None, None).await?;
        let time = time_of_server(&client).await;

        let mut nodes: Vec<_> = reports.iter().map(|object| report(object, time)).collect();
        nodes.sort_by(|a, b| (a.condition, &a.node.name).cmp(&(b.condition, &b.node.name)));
        let mut pending: Vec<_> = services.iter().filter_map(pending).collect();
        pending.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        Ok(Self { time, namespace, nodes, pending })
    }

    /// Returns true if a node keeps traffic away: its speaker is silent or not ready.
    pub fn has_error(&self) -> bool {
        let of_nodes = self.nodes.iter().any(|it| it.condition <= NodeCondition::NotReady);
        let problems = self.nodes.iter().flat_map(|it| &it.node.problems);
        of_nodes || problems.into_iter().any(|problem| problem.severity >= Severity::Error)
    }
}

/// Lists the reports of the first of these namespaces that has any.
async fn reports(
    client: &Client,
    namespaces: &[String],
) -> Result<(String, Vec<DynamicObject>), Error> {
    let mut refused = None;
    for namespace in namespaces {
        match list(client, Kind::BgpNodeStatus, Some(namespace), None).await {
            Ok(objects) if objects.is_empty() => {}
            Ok(objects) => return Ok((namespace.clone(), objects)),
            Err(error) => refused = refused.or(Some(error)),
        }
    }

    Err(refused.unwrap_or_else(|| {
        let searched = namespaces.join(" or ");
        Error::new(format!(
            "no speaker has reported in the namespace {searched}: give FerroLB's namespace with --namespace"
        ))
    }))
}

fn report(object: &DynamicObject, now: Timestamp) -> NodeReport {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let status = &object.data["status"];
    let is_silent = node_status::is_stale(status, now);
    let text = |key: &str| status[key].as_str().map(str::to_owned);

    let condition = if is_silent {
        NodeCondition::Silent
    } else if condition(&status["conditions"], READY) != Some("True") {
        NodeCondition::NotReady
    } else if condition(&status["conditions"], DEGRADED) == Some("True") {
        NodeCondition::Degraded
    } else {
        NodeCondition::Ready
    };
    NodeReport {
        node: ReportedNode::of(name, status).row(now, is_silent),
        condition,
        sessions: text("established").unwrap_or_else(|| UNKNOWN.to_owned()),
        bfd: text("bfd").unwrap_or_else(|| UNKNOWN.to_owned()),
        problem: text("problem").filter(|problem| !problem.is_empty()),
    }
}

/// Returns the status of the condition of this type.
fn condition<'a>(conditions: &'a Value, kind: &str) -> Option<&'a str> {
    let mut conditions = conditions.as_array().into_iter().flatten();
    conditions.find(|condition| condition["type"] == kind)?["status"].as_str()
}

/// Returns a Service if it waits for an address.
fn pending(service: &DynamicObject) -> Option<PendingService> {
    let (spec, status) = (&service.data["spec"], &service.data["status"]);
    let ingress = status["loadBalancer"]["ingress"].as_array();
    if spec["type"] != "LoadBalancer" || ingress.is_some_and(|ingress| !ingress.is_empty()) {
        return None;
    }

    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    let ours = conditions.find(|condition| condition["type"] == ADDRESS_ASSIGNED);
    if ours.is_none() && spec["loadBalancerClass"].is_string() {
        return None;
    }
    let reason = ours.and_then(|condition| condition["message"].as_str());
    Some(PendingService {
        namespace: service.metadata.namespace.clone().unwrap_or_default(),
        name: service.metadata.name.clone().unwrap_or_default(),
        reason: reason.filter(|reason| !reason.is_empty()).map(str::to_owned),
    })
}

/// The counts of a speaker that does not report them.
const UNKNOWN: &str = "-";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_report_has_the_worst_condition_that_holds() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-01-01T00:01:00Z");
        let condition = |ready: &str, degraded: &str, heartbeat: &str| {
            let object = object(json!({
                "apiVersion": "ferrolb.io/v1alpha1", "kind": "BGPNodeStatus", "metadata": {"name": "kube1"},
                "status": {
                    "node": "kube1", "heartbeatTime": heartbeat, "heartbeatPeriodSeconds": 10,
                    "established": "1/2", "bfd": "-", "problem": "SessionDown: tor2",
                    "conditions": [
                        {"type": "Ready", "status": ready, "message": "a"},
                        {"type": "Degraded", "status": degraded, "message": "b"},
                    ],
                },
            }));
            report(&object, now)
        };
        let late = "2026-01-01T00:00:29Z";
        let fresh = "2026-01-01T00:00:31Z";
        assert_eq!(condition("True", "False", fresh).condition, NodeCondition::Ready);
        assert_eq!(condition("True", "True", fresh).condition, NodeCondition::Degraded);
        assert_eq!(condition("False", "True", fresh).condition, NodeCondition::NotReady);
        assert_eq!(condition("True", "False", late).condition, NodeCondition::Silent);
        let unknown = condition("Unknown", "Unknown", fresh);
        assert_eq!(unknown.condition, NodeCondition::Silent);
        assert!(unknown.node.silent);
        assert_eq!((&*unknown.sessions, &*unknown.bfd), ("1/2", "-"));
    }

    #[test]
    fn a_service_is_pending_if_it_is_ours_and_has_no_address() {
        let service = |spec: Value, status: Value| {
            pending(&object(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "smtp", "namespace": "mail"},
                "spec": spec, "status": status,
            })))
        };
        let conditions =
            json!([{"type": ADDRESS_ASSIGNED, "status": "False", "message": "no free address"}]);
        let waiting = |reason: Option<&str>| PendingService {
            namespace: "mail".to_owned(),
            name: "smtp".to_owned(),
            reason: reason.map(str::to_owned),
        };
        let (plain, classed) = (
            json!({"type": "LoadBalancer"}),
            json!({"type": "LoadBalancer", "loadBalancerClass": "x/y"}),
        );
        assert_eq!(service(plain.clone(), json!({"loadBalancer": {}})), Some(waiting(None)));
        let found = service(classed.clone(), json!({"conditions": conditions}));
        assert_eq!(found, Some(waiting(Some("no free address"))));
        assert_eq!(service(classed, json!({})), None, "it may be of another load balancer");
        assert_eq!(service(json!({"type": "ClusterIP"}), json!({})), None);
        let ingress = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}});
        assert_eq!(service(plain, ingress), None);
    }
}
