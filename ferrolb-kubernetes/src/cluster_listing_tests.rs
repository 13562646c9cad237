use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use test_apiserver::ApiServer;

use super::super::status_object::time;
use super::*;
use lb_adapter::recording::RouteDelivery;

const RESOURCES: &str = include_str!("../../deploy/kustomize/crds/ferrolb.io.yaml");

/// A server with the status of a speaker that reported then.
async fn reported(at: Timestamp) -> (ApiServer, Client) {
    let server = ApiServer::builder().manifests(&[RESOURCES]).start().await;
    server.put(json!({"apiVersion": "ferrolb.io/v1alpha1", "kind": "BGPNodeStatus",
        "metadata": {"namespace": "default", "name": "kube1"},
        "status": {"node": "kube1", "heartbeatTime": time(at), "heartbeatPeriodSeconds": 60,
            "sessions": [{"peer": "tor", "address": "192.0.2.1:179", "established": true}]}}));
    let client = Client::new(server.service("admin"), "default");
    (server, client)
}

/// Returns the states of sessions that the speakers report.
async fn reported_sessions(client: &Client) -> BTreeMap<(String, String), SessionState> {
    let mut snapshot = ProcessSnapshot::default();
    add_reports(&mut snapshot, client, "default").await;
    snapshot.sessions
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_report_is_measured_by_the_clock_of_the_cluster() {
    // The local clock is ahead.
    let ahead = SignedDuration::from_mins(-10);
    let (server, client) = reported(Timestamp::now() + ahead).await;
    server.set_clock(ahead);
    assert_eq!(reported_sessions(&client).await.len(), 1);
    // Or behind.
    let (server, client) = reported(Timestamp::now()).await;
    server.set_clock(SignedDuration::from_mins(10));
    assert!(reported_sessions(&client).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_local_clock_stands_in_for_a_server_without_a_date() {
    let (_server, client) = reported(Timestamp::now()).await;
    assert_eq!(reported_sessions(&client).await.len(), 1);
    let (_server, client) = reported(Timestamp::now() - SignedDuration::from_mins(10)).await;
    assert!(reported_sessions(&client).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_listing_fails_if_the_server_does_not_answer() {
    let (server, client) = reported(Timestamp::now()).await;
    server.set_delay(Duration::from_secs(3600));
    let listed = list(&client, Kind::Node, None, None).await;
    let why = listed.expect_err("it answers").to_string();
    assert!(why.contains("cannot list nodes") && why.contains("does not respond"), "{why}");
    assert!(reported_sessions(&client).await.is_empty());
}

#[test]
fn unsendable_routes_are_known_as_far_as_the_status_lists_them() {
    let session = serde_json::json!({
        "families": ["ipv4-unicast"], "unsendable": 3,
        "unsendableRoutes": [{"prefix": "2001:db8::1/128", "reason": "the router did not offer ipv6-unicast"}],
    });
    let mut state = SessionState::new(true, None);
    note_unsendable(&mut state, &session);
    let sends = |prefix: &str| state.delivery_of(prefix.parse().unwrap());
    let not_offered = UnsendableReason::reported("the router did not offer ipv6-unicast");
    assert_eq!(sends("2001:db8::1/128"), RouteDelivery::Unsendable(not_offered.clone()));
    assert_eq!(
        sends("2001:db8::2/128"),
        RouteDelivery::Unsendable(not_offered),
        "of the family none is carried"
    );
    assert_eq!(sends("192.0.2.1/32"), RouteDelivery::Unknown(2), "two more are not listed");

    let session =
        serde_json::json!({"families": ["ipv4-unicast", "ipv6-unicast"], "unsendable": 0});
    let mut state = SessionState::new(true, None);
    note_unsendable(&mut state, &session);
    assert_eq!(state.delivery_of("2001:db8::1/128".parse().unwrap()), RouteDelivery::Sent);
    // An older speaker does not report it.
    let mut state = SessionState::new(true, None);
    note_unsendable(&mut state, &serde_json::json!({}));
    assert_eq!(state.delivery_of("2001:db8::1/128".parse().unwrap()), RouteDelivery::Sent);
}
