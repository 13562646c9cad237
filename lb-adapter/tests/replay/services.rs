//! Services that are refused or hostile, and the effect on others: none.

use serde_json::json;

use crate::world::*;

/// CVE-2020-8554: if we announced these, anyone who may write Services could attract the traffic for any address.
#[test]
fn external_ips_of_a_service_are_never_announced() {
    let mut world = World::reference();
    world.applied(slice("a", &["kube1"]));
    world.applied(slice("b", &["kube1"]));
    // Of no pool, of ours, the one that the Service gets, and that of another Service.
    let addresses = json!(["8.8.8.8", "172.22.35.99", "172.22.35.64", "172.22.35.65"]);
    let taking = |name: &str, kind: &str| {
        let service = with(service(name), "/spec/externalIPs", addresses.clone());
        with(service, "/spec/type", kind)
    };

    for kind in ["ClusterIP", "NodePort"] {
        let answer = world.applied(taking("a", kind));
        assert_eq!((answer.services.len(), answer.routes()), (0, vec![]), "{kind}");
    }
    let answer = world.applied(taking("a", "LoadBalancer"));
    assert_eq!(answer.service("a").addresses, ["172.22.35.64"]);
    let all_nodes = ["kube1", "kube2", "kube3"].map(|node| format!("{node} 172.22.35.64/32"));
    assert_eq!(answer.routes(), all_nodes);

    // They take no address from another Service, and keep none from it.
    let answer = world.applied(service("b"));
    assert_eq!(answer.service("b").addresses, ["172.22.35.65"]);
    let answer = world.delete("Service", "default", "b");
    assert_eq!(answer.routes(), all_nodes);
}

#[test]
fn a_refused_object_of_a_list_keeps_none_of_the_others_out_and_hides_none_of_their_effects() {
    let mut world = World::reference();
    world.applied(slice("a", &["kube1"]));
    let bad = with(service("b"), "/spec/ports/0/port", 0);
    let items = json!([bad, service("a"), node("kube4", "172.22.35.28")]);
    let answer = world.apply(json!({"apiVersion": "v1", "kind": "List", "items": items}));
    assert!(!answer.ok);
    let [problem] = &answer.problems[..] else { panic!("{:?}", answer.problems) };
    assert!(problem.contains("spec.ports[0].port"), "{problem}");

    assert_eq!(answer.services.len(), 1, "{:?}", answer.services);
    assert!(answer.service("a").changed, "this step wrote its status");
    assert_eq!(answer.events("a"), ["IPAllocated"]);
    assert_eq!(answer.routes().len(), 4, "{:?}", answer.routes());
}

#[test]
fn an_invalid_service_affects_no_other() {
    let mut world = World::reference();
    world.applied(service("a"));
    world.applied(slice("a", &["kube1"]));
    let answer = world.apply(with(service("b"), "/spec/ports/0/port", 0));
    assert!(!answer.ok);
    assert!(answer.problems[0].contains("spec.ports[0].port"), "{:?}", answer.problems);
    assert_eq!(answer.routes().len(), 3);
    let answer = world.applied(annotated(service("c"), "metallb.io/loadBalancerIPs", "x"));
    assert_eq!(answer.events("c"), ["AllocationFailed"]);
    assert!(answer.withheld("kube1", "default/c").reason.contains("metallb.io/loadBalancerIPs"));
    assert_eq!(answer.routes().len(), 3);
    let odd = "a\u{7f}\u{85}\u{2028}\u{feff}\u{10ffff}\u{0}'\"\\";
    assert!(world.applied(annotated(service("d"), "note", odd)).ok);
}
