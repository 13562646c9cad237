//! The dataplane gate: the states that a node observes, and the routes that follow.

use crate::model::DataplaneGate;
use crate::planner::reason::EXCLUDE_LABEL;

use super::*;

/// Returns the routes of kube1 and the reasons, for a process with this gate and this observation.
fn plan(
    cluster: &Cluster,
    gate: Option<DataplaneGate>,
    status: Option<DataplaneStatus>,
) -> (Plan, Vec<NotAnnounced>) {
    let mut context = cluster.context("kube1");
    context.options.dataplane_gate = gate;
    let mut plan = Plan::new(context);
    let mut reasons = Vec::new();
    cluster.each(&cluster.services, |input| {
        let mut input = *input;
        input.dataplane_status = status.as_ref();
        plan.update(&input);
        reasons = service_routes(&plan.context, &input).not_announced;
    });
    (plan, reasons)
}

/// Returns `announced`, `depreferenced`, or the reason why the Service is not announced.
fn outcome(
    cluster: &Cluster,
    gate: Option<DataplaneGate>,
    status: Option<DataplaneStatus>,
) -> String {
    let (plan, reasons) = plan(cluster, gate, status);
    let mut routes = plan.peers[0].routes.values();
    match (routes.next(), reasons.first()) {
        (Some(route), None) if route.is_depreferenced() => "depreferenced".to_owned(),
        (Some(_), None) => "announced".to_owned(),
        (None, Some(missing)) => {
            format!("{}: {}", missing.reason.gate(), missing.reason)
        }
        other => panic!("{other:?}"),
    }
}

const AUTO: Option<DataplaneGate> = Some(DataplaneGate::Auto);

fn reason() -> Box<str> {
    "its health port 31234 is not reachable".into()
}

#[test]
fn each_state_of_the_dataplane_has_its_routes() {
    let cluster = Cluster::default().service("a", &["kube1", "kube2"], local);
    let outcome = |status| outcome(&cluster, AUTO, status);
    assert_eq!(outcome(Some(DataplaneStatus::Ready)), "announced");
    assert_eq!(outcome(Some(DataplaneStatus::Depreferenced(reason()))), "depreferenced");
    assert_eq!(outcome(Some(DataplaneStatus::Leaving)), "depreferenced");
    let not_yet = "dataplane: the dataplane of kube1 does not forward to the Service yet: ";
    assert_eq!(outcome(Some(DataplaneStatus::Held(reason()))), format!("{not_yet}{}", reason()));
    assert_eq!(outcome(None), format!("{not_yet}it has not been observed yet"));
    assert_eq!(
        outcome(Some(DataplaneStatus::Withdrawn(reason()))),
        format!(
            "dataplane: the dataplane of kube1 no longer forwards to the Service: {}",
            reason()
        )
    );
}

#[test]
fn a_pool_overrides_the_gate_and_a_process_without_one_announces() {
    let mut cluster = Cluster::default().service("a", &["kube1"], local);
    assert_eq!(outcome(&cluster, None, None), "announced");
    assert_eq!(outcome(&cluster, Some(DataplaneGate::Off), None), "announced");
    cluster.config.pools[0].dataplane_gate = Some(DataplaneGate::Off);
    assert_eq!(outcome(&cluster, AUTO, None), "announced");
    cluster.config.pools[0].dataplane_gate = Some(DataplaneGate::Require);
    assert!(outcome(&cluster, Some(DataplaneGate::Off), None).starts_with("dataplane: "));
    assert_eq!(outcome(&cluster, None, None), "announced", "this process observes nothing");
}

#[test]
fn a_node_whose_endpoints_all_terminate_is_less_preferred_behind_the_gate() {
    let mut cluster = Cluster::default().service("a", &["kube1", "kube2"], local);
    cluster.slices[0].endpoints[0].ready = Some(false);
    cluster.slices[0].endpoints[0].serving = Some(true);
    cluster.slices[0].endpoints[0].terminating = Some(true);
    assert_eq!(outcome(&cluster, AUTO, Some(DataplaneStatus::Ready)), "depreferenced");
    assert_eq!(outcome(&cluster, None, None), "announced");
    cluster.services[0].external_traffic_policy = ExternalTrafficPolicy::Cluster;
    assert_eq!(outcome(&cluster, AUTO, Some(DataplaneStatus::Ready)), "announced");
}

#[test]
fn a_node_without_endpoints_keeps_its_route_only_while_it_leaves() {
    let cluster = Cluster::default().service("a", &["kube2"], local);
    assert_eq!(outcome(&cluster, AUTO, Some(DataplaneStatus::Leaving)), "depreferenced");
    let ready = outcome(&cluster, AUTO, Some(DataplaneStatus::Ready));
    assert!(ready.starts_with("endpoints: externalTrafficPolicy is Local"), "{ready}");

    // Without an endpoint anywhere there is nothing to wait for.
    let cluster = Cluster::default().service("a", &[], local);
    let nowhere = outcome(&cluster, AUTO, Some(DataplaneStatus::Leaving));
    assert_eq!(nowhere, "endpoints: the Service has no endpoints");
}

#[test]
fn an_excluded_node_keeps_its_routes_only_while_it_leaves() {
    let mut cluster = Cluster::default().service("a", &["kube1"], local);
    cluster.nodes[0].labels = [(EXCLUDE_LABEL, "")].into_iter().collect();
    assert_eq!(outcome(&cluster, AUTO, Some(DataplaneStatus::Leaving)), "depreferenced");
    let ready = outcome(&cluster, AUTO, Some(DataplaneStatus::Ready));
    assert!(ready.starts_with("node: kube1 has the label"), "{ready}");
}
