//! A connection without responses holds nothing up for long. Time is virtual.

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use serde_json::json;
use test_apiserver::ApiServer;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::super::events::{self, EventContent, EventRecorder};
use super::super::object_tree::ObjectTree;
use super::super::pool_status::PoolStatusWriter;
use super::super::resource::Kind;
use super::*;
use ferrolb_node::metrics::PoolSample;

const DEFINITIONS: &str = include_str!("../../deploy/kustomize/crds/metallb.io.yaml");

/// A delay longer than any timeout.
const SILENCE: Duration = Duration::from_secs(3600);

async fn server() -> (ApiServer, Client) {
    let server = ApiServer::builder().manifests(&[DEFINITIONS]).start().await;
    let client = Client::new(server.service("admin"), "default");
    (server, client)
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_response_fails_after_the_timeout() {
    let (server, client) = server().await;
    server.set_delay(SILENCE);
    let nodes: Api<DynamicObject> = Api::all_with(client, &Kind::Node.api_resource());
    let begin = Instant::now();
    let failed = with_timeout(nodes.list(&ListParams::default())).await.unwrap_err();
    assert_eq!(begin.elapsed(), TIMEOUT);
    assert!(failed.to_string().contains("does not respond"), "{failed}");
}

#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = client(Config::new(url.parse().unwrap()), Repetition::Retry).unwrap();
    let nodes: Api<DynamicObject> = Api::all_with(client, &Kind::Node.api_resource());
    // As a watch begins.
    let listed = tokio::spawn(async move { nodes.list(&ListParams::default()).await });
    let (mut connection, _) = listener.accept().await.unwrap();
    assert_ne!(connection.read(&mut [0; 64]).await.unwrap(), 0);
    let begin = std::time::Instant::now();
    while !listed.is_finished() {
        assert!(begin.elapsed() < Duration::from_secs(30), "it waits");
        tokio::time::pause();
        tokio::time::advance(SILENT).await;
        tokio::time::resume();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(listed.await.unwrap().unwrap_err());
}

#[tokio::test(start_paused = true)]
async fn events_continue_after_one_without_a_response() {
    let (server, client) = server().await;
    server.set_delay(SILENCE);
    let mut events = EventRecorder::new(client.clone(), "test", None);
    let content = |message: &str| EventContent {
        is_warning: false,
        reason: "IPAllocated",
        action: "Allocate",
        message: message.to_owned(),
    };
    let web = events::service("default", "web", Some("a"));
    events.publish(web.clone(), content("first"));
    events.publish(web, content("second"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.set_delay(Duration::ZERO);
    tokio::time::sleep(TIMEOUT).await;
    let written: Api<Event> = Api::namespaced(client, "default");
    let written = written.list(&ListParams::default()).await.unwrap().items;
    let notes: Vec<_> = written.into_iter().filter_map(|event| event.note).collect();
    assert_eq!(notes, ["second"]);
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_pool_is_written_after_a_write_without_a_response() {
    let (server, client) = server().await;
    server.put(json!({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
        "metadata": {"name": "default"}, "spec": {"addresses": ["192.0.2.0/28"]}}));
    let resource = Kind::IpAddressPool.api_resource();
    let api: Api<ObjectTree> = Api::namespaced_with(client.clone(), "default", &resource);
    let mut pools = PoolStatusWriter::new(client, "default", "test");
    pools.observe(&api.get("default").await.unwrap());
    let sample = PoolSample { name: "default".to_owned(), ..PoolSample::default() };
    server.set_delay(SILENCE);
    let writes = async {
        loop {
            pools.due().await;
            pools.write(std::slice::from_ref(&sample));
        }
    };
    let heard = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        server.set_delay(Duration::ZERO);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = writes => {}
        () = heard => {}
        () = tokio::time::sleep(Duration::from_secs(60)) => {}
    }
    let pool = api.get("default").await.unwrap();
    assert_eq!(pool.text(&["status", "assignedIPv4"]), Some("0"));
}
