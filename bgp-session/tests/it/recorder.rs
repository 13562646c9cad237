//! Recorded messages, in virtual time.

use bgp_core::mrt::{Record, RecordContent};
use bgp_session::{AddPathMode, AfiSafi};
use bytes::BytesMut;

use crate::{
    pipes::{node_by_hand, patch_through, router_without_socket, towards_pipe},
    world::{both_up, routes, towards_node},
};

#[tokio::test(start_paused = true)]
async fn an_update_that_ends_its_session_is_recorded_like_those_before_it() {
    let router = router_without_socket().await;
    let config = towards_node("192.0.2.7")
        .add_path(AfiSafi::IPV4_UNICAST, AddPathMode::RECEIVE)
        .maximum_prefixes(2);
    let mut at_router = router.add_peer(config).await.unwrap();
    let (node, dials) = node_by_hand().await;
    patch_through(dials, &router);
    let config = towards_pipe().add_path(AfiSafi::IPV4_UNICAST, AddPathMode::SEND);
    let mut at_node = node.add_peer(config).await.unwrap();

    let mut recorder = router.record_messages(1 << 20);
    both_up(&mut at_router, &mut at_node).await;
    let too_many = ["192.0.2.0/26", "192.0.2.64/26", "192.0.2.128/26"];
    at_node.set_routes(routes(&too_many)).await.unwrap();
    at_router.wait_for(|status| !status.is_established()).await.unwrap();
    router.shutdown("").await;

    let mut octets = BytesMut::new();
    while let Some(recorded) = recorder.next(&mut octets).await {
        recorded.unwrap();
    }
    let (mut rest, mut updates) = (&octets[..], Vec::new());
    while let Some(record) = Record::split(rest) {
        rest = &rest[record.as_bytes().len()..];
        if let RecordContent::Message(recorded) = record.content().unwrap() {
            let is_update = recorded.octets[18] == 2;
            // An End-of-RIB has up to 30 octets.
            if is_update && !recorded.sent && recorded.octets.len() > 30 {
                updates.push(recorded.add_path);
            }
        }
    }
    assert_eq!(updates, [true]);
}
