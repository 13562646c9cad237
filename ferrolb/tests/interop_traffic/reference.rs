//! The SMTP Service of the reference case, from its manifest to the banner of its pod.

use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use test_dataplane::CLIENT;
use tokio::time::sleep;

use crate::cluster::object;
use crate::table::note;
use crate::tally::{Scope, Tally};
use crate::world::World;

const SERVICES: &str = include_str!("../../../examples/reference/services.yaml");
const ENDPOINTS: &str = include_str!("../../../examples/reference/endpoints.yaml");
/// The address that the manifest requests.
const SMTP: Ipv4Addr = Ipv4Addr::new(172, 22, 35, 70);
/// The last number of the pod's address in the manifest, 10.244.2.15.
const POD: u8 = 15;

/// Creates the Service while a client already tries to connect. Returns the client's tally since the first route.
pub(crate) async fn smtp_answers(world: &mut World) -> Tally {
    let cluster = &world.programs.cluster;
    let (namespace, client) = (cluster.namespace.clone(), cluster.client.clone());
    let mut service = document(SERVICES, "smtp", &namespace);
    service["spec"]["loadBalancerClass"] = json!(cluster.class);
    let slice = document(ENDPOINTS, "smtp-x7k2p", &namespace);

    world.start_process_at("smtp", "kube2", POD);
    world.settle().await;
    world.open(SMTP);
    sleep(Duration::from_millis(200)).await;

    let services: Api<Service> = Api::namespaced(client.clone(), &namespace);
    services.create(&PostParams::default(), &object(service)).await.unwrap();
    let slices: Api<EndpointSlice> = Api::namespaced(client, &namespace);
    slices.create(&PostParams::default(), &object(slice)).await.unwrap();

    world.expect_route(SMTP, &["kube2"]).await;
    sleep(Duration::from_millis(2500)).await;
    world.close(Scope::SinceFirstRoute);

    let tally = world.tallies.pop().expect("the client's tally");
    note(&format!("smtp at {SMTP}: {tally}"));
    assert_eq!(tally.clients, [CLIENT.into()].into(), "the clients that the pod sees");
    tally
}

/// The object of that name in a manifest, in the namespace of the test.
fn document(manifest: &str, name: &str, namespace: &str) -> Value {
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifest).unwrap();
    let mut found = documents.into_iter().find(|it| it["metadata"]["name"] == name).unwrap();
    found["metadata"]["namespace"] = json!(namespace);
    found
}
