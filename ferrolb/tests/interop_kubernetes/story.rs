//! The events in the life of a cluster, and the routes at its router after each.

use std::time::Instant;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use test_peers::Router;

use crate::cluster::wait;
use crate::programs::LEASE;
use crate::site::{EVERYWHERE, Site};

const WEB: &str = "172.22.35.64/32";
const LATE: &str = "172.22.35.65/32";
const SMTP: &str = "172.22.35.70/32";

pub(crate) async fn services_nodes_and_leaders<R: Router>(site: &mut Site<R>) {
    let services = site.programs.cluster.services();
    // Services are created. Every node serves `web`.
    site.programs.cluster.endpoints("web", &[("kube1", true)]).await;
    site.programs.cluster.create("web", json!({})).await;
    let web: (&str, &[&str]) = (WEB, EVERYWHERE);
    site.expect("a Service from every node", &[web]).await;
    // Only the nodes with a pod of `smtp` serve it.
    let smtp = json!({"loadBalancerIP": "172.22.35.70", "externalTrafficPolicy": "Local"});
    site.programs.cluster.create("smtp", smtp).await;
    for (what, nodes) in [
        ("a pod", &["kube2"][..]),
        ("scaled up", &["kube2", "kube3"]),
        ("moved", &["kube1"]),
        ("scaled up again", EVERYWHERE),
        ("scaled down", &["kube3"]),
    ] {
        let endpoints: Vec<_> = nodes.iter().map(|node| (*node, true)).collect();
        site.programs.cluster.endpoints("smtp", &endpoints).await;
        site.expect(what, &[web, (SMTP, nodes)]).await;
    }
    site.programs.cluster.endpoints("smtp", &[]).await;
    site.expect("scaled to nothing", &[web]).await;
    site.programs.cluster.endpoints("smtp", &[("kube1", false), ("kube2", true)]).await;
    site.expect("where a pod is ready", &[web, (SMTP, &["kube2"])]).await;
    let policy = |policy: &str| Patch::Merge(json!({"spec": {"externalTrafficPolicy": policy}}));
    let params = PatchParams::default();
    services.patch("smtp", &params, &policy("Cluster")).await.unwrap();
    let all: &[(&str, &[&str])] = &[web, (SMTP, EVERYWHERE)];
    site.expect("every node by policy Cluster", all).await;

    // A process dies: the router notices by TCP.
    site.programs.kill_speaker("kube2");
    let rest: &[&str] = &["kube1", "kube3"];
    site.expect("a speaker killed", &[(WEB, rest), (SMTP, rest)]).await;
    site.programs.start_speaker("kube2");
    site.expect("and back", all).await;
    // A machine dies: the router notices only by the hold time.
    site.programs.cut_power("kube3");
    let rest: &[&str] = &["kube1", "kube2"];
    site.expect("a node without power", &[(WEB, rest), (SMTP, rest)]).await;
    site.programs.plug("kube3");
    site.programs.start_speaker("kube3");
    site.expect("and with", all).await;
    // A cable is pulled. The node catches up with the changes once it is plugged in.
    site.programs.unplug("kube1");
    let rest: &[&str] = &["kube2", "kube3"];
    site.expect("a node without network", &[(WEB, rest), (SMTP, rest)]).await;
    services.delete("smtp", &DeleteParams::default()).await.unwrap();
    site.programs.cluster.endpoints("late", &[("kube3", true)]).await;
    site.programs.cluster.create("late", json!({})).await;
    site.expect("a change without it", &[(WEB, rest), (LATE, rest)]).await;
    site.programs.plug("kube1");
    let all: &[(&str, &[&str])] = &[web, (LATE, EVERYWHERE)];
    site.expect("the change with it", all).await;
    services.delete("late", &DeleteParams::default()).await.unwrap();
    site.expect("a Service deleted", &[web]).await;

    the_leader_is_killed(site).await;
    services.delete("web", &DeleteParams::default()).await.unwrap();
    services.delete("late", &DeleteParams::default()).await.unwrap();
    site.expect("no Service left", &[]).await;
}

/// The other controller takes over within the duration of the Lease, and no address or route changes.
async fn the_leader_is_killed<R: Router>(site: &mut Site<R>) {
    let web: (&str, &[&str]) = (WEB, EVERYWHERE);
    let leader = holder(site).await;
    site.programs.controllers.remove(&*leader).expect("one of the two leads").kill();
    let killed = Instant::now();
    site.programs.cluster.create("late", json!({})).await;
    wait("another leader", async || match holder(site).await {
        same if same == leader => Err(same),
        _ => Ok(()),
    })
    .await;

    let took = killed.elapsed();
    // The other controller has seen the last renewal at or after its time, and retries every 200 ms. The rest is for a
    // busy machine.
    assert!(took < LEASE + std::time::Duration::from_secs(2), "it took {took:?}");
    site.programs.cluster.wait_for_addresses("late", &["172.22.35.65"]).await;
    site.programs.cluster.wait_for_addresses("web", &["172.22.35.64"]).await;
    site.expect("the new Service too", &[web, (LATE, EVERYWHERE)]).await;
}

async fn holder<R: Router>(site: &Site<R>) -> String {
    let leases: Api<Lease> =
        Api::namespaced(site.programs.cluster.client.clone(), &site.programs.cluster.system);
    wait("a leader", async || {
        let lease = leases.get("ferrolb-controller").await.map_err(|it| it.to_string())?;
        lease.spec.and_then(|it| it.holder_identity).ok_or_else(|| "nobody".to_owned())
    })
    .await
}
