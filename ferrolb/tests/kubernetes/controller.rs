//! The addresses that the controller allocates, and the statuses and Events that it writes.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use test_apiserver::{Cut, Fault};

use crate::cluster::{Cluster, addresses_of, wait};
use crate::crowd;
use crate::program::Program;

const POOL: &str = "
address-pools:
- name: default
  protocol: bgp
  addresses: [192.0.2.0/30]
";

/// Arguments for quick elections.
const ARGUMENTS: [&str; 6] =
    ["--lease-duration", "3s", "--renew-deadline", "2s", "--retry-period", "200ms"];

fn controller(cluster: &Cluster, name: &str) -> Program {
    cluster.start("controller", name, &ARGUMENTS)
}

async fn holder(cluster: &Cluster) -> Option<String> {
    let api: Api<Lease> = Api::namespaced(cluster.client.clone(), &cluster.system);
    let lease = api.get_opt("ferrolb-controller").await.unwrap()?;
    lease.spec?.holder_identity.filter(|holder| !holder.is_empty())
}

async fn leads(cluster: &Cluster, name: &str) {
    wait(&format!("{name} to lead"), async || match holder(cluster).await {
        Some(found) if found == name => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

/// Creates a Service without a requested address, and waits until it has this one.
async fn create_and_get(cluster: &Cluster, name: &str, address: &str) {
    cluster.create(name, json!({})).await;
    cluster.wait_for_addresses(name, &[address]).await;
}

/// Creates a Service that requests this address, and waits until it has it.
async fn ask_and_get(cluster: &Cluster, name: &str, address: &str) {
    cluster.create(name, json!({"loadBalancerIP": address})).await;
    cluster.wait_for_addresses(name, &[address]).await;
}

#[tokio::test]
async fn services_get_addresses_a_condition_and_events_while_they_are_load_balancers() {
    let cluster = Cluster::new(POOL).await;
    let program = controller(&cluster, "a");
    cluster.create("web", json!({})).await;
    cluster.create("smtp", json!({"loadBalancerIP": "192.0.2.3"})).await;
    cluster.create("other", json!({"loadBalancerClass": "example.com/other"})).await;
    cluster.wait_for_addresses("web", &["192.0.2.0"]).await;
    cluster.wait_for_addresses("smtp", &["192.0.2.3"]).await;

    let web = cluster.services().get("web").await.unwrap();
    let ingress =
        web.status.as_ref().unwrap().load_balancer.as_ref().unwrap().ingress.as_ref().unwrap();
    assert_eq!(ingress[0].ip_mode.as_deref(), Some("VIP"));

    let conditions = web.status.as_ref().unwrap().conditions.as_ref().unwrap();
    assert_eq!(
        (conditions[0].type_.as_str(), conditions[0].status.as_str()),
        ("ferrolb.io/AddressAssigned", "True")
    );
    assert_eq!(
        web.metadata.annotations.as_ref().unwrap()["metallb.io/ip-allocated-from-pool"],
        "default"
    );

    let events: Api<Event> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    wait("an event of the address", async || {
        let events = events.list(&ListParams::default()).await.unwrap().items;
        let found = events.iter().any(|event| {
            event.reason.as_deref() == Some("IPAllocated")
                && event.regarding.as_ref().and_then(|it| it.name.as_deref()) == Some("web")
        });
        if found { Ok(()) } else { Err(format!("{} events", events.len())) }
    })
    .await;

    let no_balancer =
        Patch::Merge(json!({"spec": {"type": "ClusterIP", "loadBalancerClass": null}}));
    cluster.services().patch("web", &PatchParams::default(), &no_balancer).await.unwrap();
    cluster.wait_for_addresses("web", &[]).await;

    // The API server removes the address. The controller removes its condition and annotations, and writes an Event.
    wait("the condition and the annotation to go", async || {
        let web = cluster.services().get("web").await.unwrap();
        let conditions = web.status.and_then(|it| it.conditions).unwrap_or_default();
        let annotations = web.metadata.annotations.unwrap_or_default();
        let is_clean = conditions.is_empty() && annotations.is_empty();
        if is_clean { Ok(()) } else { Err(format!("{conditions:?} {annotations:?}")) }
    })
    .await;
    wait("an event that says why", async || {
        let events = events.list(&ListParams::default()).await.unwrap().items;
        let notes: Vec<_> = events.into_iter().filter_map(|it| it.note).collect();
        let why = "took back 192.0.2.0: the Service is not of type LoadBalancer";
        if notes.iter().any(|it| it == why) { Ok(()) } else { Err(format!("{notes:?}")) }
    })
    .await;

    // The controller never touched the Service of another controller.
    let other = cluster.services().get("other").await.unwrap();
    assert!(addresses_of(&other).is_empty() && other.status.unwrap().conditions.is_none());
    program.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn a_full_pool_is_reported_and_waiting_services_get_freed_addresses() {
    let cluster = Cluster::new(POOL).await;
    let _program = controller(&cluster, "a");
    for number in 0..4 {
        let name = format!("s{number}");
        create_and_get(&cluster, &name, &format!("192.0.2.{number}")).await;
    }
    cluster.create("late", json!({})).await;
    wait("a condition that says why", async || {
        let late = cluster.services().get("late").await.unwrap();
        let conditions = late.status.and_then(|status| status.conditions).unwrap_or_default();
        let failed =
            conditions.iter().find(|it| it.reason == "AllocationFailed" && it.status == "False");
        failed.map(|it| it.message.clone()).ok_or_else(|| format!("{conditions:?}"))
    })
    .await;

    cluster.services().delete("s2", &DeleteParams::default()).await.unwrap();
    cluster.wait_for_addresses("late", &["192.0.2.2"]).await;
    cluster.end().await;
}

#[tokio::test]
async fn the_second_replica_takes_over_and_no_address_changes() {
    let cluster = Cluster::new(POOL).await;
    let first = controller(&cluster, "a");
    leads(&cluster, "a").await;
    let second = controller(&cluster, "b");
    ask_and_get(&cluster, "one", "192.0.2.2").await;
    create_and_get(&cluster, "two", "192.0.2.0").await;

    first.kill();
    create_and_get(&cluster, "three", "192.0.2.1").await;
    assert_eq!(holder(&cluster).await.as_deref(), Some("b"));
    cluster.wait_for_addresses("one", &["192.0.2.2"]).await;
    cluster.wait_for_addresses("two", &["192.0.2.0"]).await;

    // When a leader exits cleanly, the other replica takes over at once.
    let third = controller(&cluster, "c");
    second.terminate().await;
    assert_eq!(holder(&cluster).await.filter(|holder| holder == "b"), None);
    create_and_get(&cluster, "four", "192.0.2.3").await;

    third.terminate().await;
    cluster.end().await;
}

/// Creates a Service, which must get an address soon.
async fn create_soon(cluster: &Cluster, name: &str) -> String {
    let begin = Instant::now();
    cluster.create(name, json!({})).await;
    let address = wait(&format!("an address of {name}"), async || {
        let service = cluster.services().get(name).await.map_err(|it| it.to_string())?;
        addresses_of(&service).pop().ok_or_else(|| "none".to_owned())
    })
    .await;
    assert!(begin.elapsed() < Duration::from_secs(15), "{name} waited {:?}", begin.elapsed());
    address
}

#[tokio::test]
async fn a_new_service_among_hundreds_gets_its_address_soon() {
    let pool = POOL.replace("192.0.2.0/30", "198.18.0.0/22");
    let cluster = Cluster::new(&pool).await;
    // The server runs in the thread of the test, and is busy with this many Services.
    let terms = ["--lease-duration", "8s", "--renew-deadline", "6s", "--retry-period", "1s"];
    let first = cluster.start("controller", "a", &terms);
    leads(&cluster, "a").await;
    // Enough Services that some have to wait for others.
    let many = crowd::count();
    let names = (0..many).map(|number| format!("m{number}"));
    let spec = json!({"allocateLoadBalancerNodePorts": false});
    let making = names.map(|name| {
        let (cluster, spec) = (&cluster, spec.clone());
        async move { drop(cluster.create(&name, spec).await) }
    });
    stream::iter(making).buffer_unordered(16).collect::<Vec<()>>().await;

    let held = async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let services = cluster.services().list(&ListParams::default()).await.unwrap().items;
        let ours = services.iter().filter(|it| it.name_any().starts_with('m'));
        let held: Vec<_> = ours.map(|it| (it.name_any(), addresses_of(it))).collect();
        let without = held.iter().filter(|(_, addresses)| addresses.is_empty()).count();
        if held.len() == many && without == 0 {
            Ok(held)
        } else {
            Err(format!("{without} without"))
        }
    };
    let before = wait("all to have an address", held).await;

    create_soon(&cluster, "event").await;
    let second = cluster.start("controller", "b", &terms);
    first.kill();
    leads(&cluster, "b").await;
    create_soon(&cluster, "takeover").await;
    cluster.configure(&pool.replace("198.18.0.0/22", "198.18.0.0/22, 192.0.2.0/24")).await;
    create_soon(&cluster, "configuration").await;

    second.terminate().await;
    let third = cluster.start("controller", "c", &terms);
    leads(&cluster, "c").await;
    create_soon(&cluster, "start").await;
    assert_eq!(held().await.unwrap(), before);
    third.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn a_leader_that_was_stopped_has_lost_its_lease_and_changes_nothing() {
    use rustix::process::Signal;
    let cluster = Cluster::new(POOL).await;
    let first = controller(&cluster, "a");
    leads(&cluster, "a").await;

    let second = controller(&cluster, "b");
    ask_and_get(&cluster, "one", "192.0.2.2").await;
    first.signal(Signal::STOP);
    leads(&cluster, "b").await;

    // The new leader allocates an address that the stopped controller believes to be in use.
    cluster.services().delete("one", &DeleteParams::default()).await.unwrap();
    ask_and_get(&cluster, "two", "192.0.2.2").await;
    create_and_get(&cluster, "three", "192.0.2.0").await;

    first.signal(Signal::CONT);
    create_and_get(&cluster, "four", "192.0.2.1").await;
    assert_eq!(holder(&cluster).await.as_deref(), Some("b"));

    // The resumed controller stands by, and leads when the lease is free.
    second.terminate().await;
    leads(&cluster, "a").await;
    cluster.create("five", json!({})).await;
    for (name, address) in
        [("two", "192.0.2.2"), ("three", "192.0.2.0"), ("four", "192.0.2.1"), ("five", "192.0.2.3")]
    {
        cluster.wait_for_addresses(name, &[address]).await;
    }
    first.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn a_broken_configuration_changes_nothing_until_it_is_corrected() {
    let cluster = Cluster::new(POOL).await;
    let _program = controller(&cluster, "a");
    create_and_get(&cluster, "one", "192.0.2.0").await;
    cluster.configure("address-pools: [{name: broken}]").await;
    create_and_get(&cluster, "two", "192.0.2.1").await;
    cluster.configure(&POOL.replace("192.0.2.0/30", "192.0.2.16/30, 192.0.2.0/30")).await;
    // The configuration and a Service arrive by two watches. This Service waits for both.
    ask_and_get(&cluster, "fixed", "192.0.2.17").await;
    create_and_get(&cluster, "three", "192.0.2.16").await;
    cluster.wait_for_addresses("one", &["192.0.2.0"]).await;
    cluster.end().await;
}

#[tokio::test]
async fn only_the_named_config_map_takes_effect() {
    let text = |port: u16, addresses: &str| {
        format!(
            "peers: [{{my-asn: 64636, peer-asn: 64635, peer-address: 127.0.0.1, peer-port: {port}}}]\n\
             address-pools: [{{name: default, protocol: bgp, addresses: [{addresses}]}}]\n"
        )
    };
    let cluster = Cluster::new(&text(1, "192.0.2.0/30")).await;
    cluster.configure_in("metallb", &text(2, "192.0.2.4/30")).await;
    let node = cluster.node("kube1");
    cluster.add_node("kube1", Ipv4Addr::new(127, 22, 35, 25)).await;
    let named = ["--config", "metallb"];
    let program = cluster.start("controller", "a", &[&ARGUMENTS[..], &named].concat());

    let of_speaker = ["--node-name", &node, "--on-exit", "withdraw"];
    let speaker = cluster.start("speaker", "s", &[&of_speaker[..], &named].concat());
    let peer = async |address: &str| {
        wait(&format!("a session with {address}"), async || {
            let object = cluster.node_statuses().get(&node).await.map_err(|it| it.to_string())?;
            let sessions = &object.data["status"]["sessions"];
            let found = sessions.as_array().is_some_and(|it| it.len() == 1)
                && sessions[0]["address"] == address;
            if found { Ok(()) } else { Err(object.data.to_string()) }
        })
        .await;
    };
    create_and_get(&cluster, "web", "192.0.2.4").await;
    peer("127.0.0.1:2").await;
    // Changes of the other ConfigMap have no effect, unlike changes of this one.
    cluster.configure("nothing that could be read").await;
    cluster.configure_in("metallb", &text(3, "192.0.2.8/30")).await;
    cluster.wait_for_addresses("web", &["192.0.2.8"]).await;
    peer("127.0.0.1:3").await;
    speaker.terminate().await;
    program.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn failures_of_the_api_server_delay_addresses_and_change_none() {
    let cluster = Cluster::new(POOL).await;
    let Some(server) = &cluster.server else { return };
    let _program = controller(&cluster, "a");
    create_and_get(&cluster, "one", "192.0.2.0").await;

    for fault in [Fault::Conflict, Fault::Internal, Fault::TooManyRequests(1)] {
        cluster.create("two", json!({})).await;
        server.fail_next(2, fault);
        let _asked = cluster.services().get("two").await;
        cluster.wait_for_addresses("two", &["192.0.2.1"]).await;
        // If the controller was faster than the test, one of the planned failures remains for this request.
        wait("it to be deleted", async || {
            let deleted = cluster.services().delete("two", &DeleteParams::default()).await;
            deleted.map(drop).map_err(|it| it.to_string())
        })
        .await;
    }
    for how in [Cut::Clean, Cut::MidEvent, Cut::Gone] {
        server.cut_watches(how);
        create_and_get(&cluster, "two", "192.0.2.1").await;
        cluster.services().delete("two", &DeleteParams::default()).await.unwrap();
    }
    server.go_away();
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.compact();
    server.come_back();
    wait("the server to be back", async || {
        cluster.services().get("one").await.map_err(|it| it.to_string())
    })
    .await;
    create_and_get(&cluster, "two", "192.0.2.1").await;
    cluster.wait_for_addresses("one", &["192.0.2.0"]).await;
    cluster.end().await;
}

#[tokio::test]
async fn a_status_changed_by_others_is_corrected_and_a_correct_one_is_not_written() {
    let cluster = Cluster::new(POOL).await;
    let _program = controller(&cluster, "a");
    create_and_get(&cluster, "one", "192.0.2.0").await;
    let emptied = Patch::Merge(json!({"status": {"loadBalancer": {"ingress": null}}}));
    cluster.services().patch_status("one", &PatchParams::default(), &emptied).await.unwrap();
    cluster.wait_for_addresses("one", &["192.0.2.0"]).await;

    let writes = || {
        let asked = cluster.asked("controller");
        asked.iter().filter(|asked| asked.resource == "services/status").count()
    };
    let before = writes();

    for label in ["a", "b", "c"] {
        let labelled = Patch::Merge(json!({"metadata": {"labels": {"some": label}}}));
        cluster.services().patch("one", &PatchParams::default(), &labelled).await.unwrap();
    }
    create_and_get(&cluster, "two", "192.0.2.1").await;

    if cluster.server.is_some() {
        assert_eq!(writes(), before + 1, "labels are no reason to write a status");
    }
    cluster.end().await;
}
