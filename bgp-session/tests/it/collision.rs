//! Both ends dial at once (RFC 4271 section 6.8).

use std::time::Duration;

use bgp_session::{Asn, BgpIdentifier, Import, PeerConfig, PeerHandle, Speaker};

use crate::world::{routes, soon, table};

async fn speaker(asn: Asn, identifier: [u8; 4], listen: &str) -> Speaker {
    let [a, b, c, d] = identifier;
    let builder = Speaker::builder(asn, BgpIdentifier::new(a, b, c, d));
    builder.listen(listen.parse().unwrap()).start().await.unwrap()
}

async fn dial(from: &Speaker, to: &Speaker, asn: Asn) -> PeerHandle {
    let quick = Duration::from_millis(20);
    let config = PeerConfig::new(to.listen_addr().unwrap(), asn)
        .local_address(from.listen_addr().unwrap().ip())
        .idle_hold(quick, quick)
        .import(Import::Keep);
    from.add_peer(config).await.unwrap()
}

/// Both dial; in the end there is one session, on one connection, and routes cross it both ways.
///
/// Before that, one end may already be Established on a connection that the other end closes, because
/// the rule of RFC 4271 considers each end's own state.
async fn one_session_is_left(a: (Asn, [u8; 4]), b: (Asn, [u8; 4]), third: u8) {
    let left = speaker(a.0, a.1, &format!("127.0.{third}.1:0")).await;
    let right = speaker(b.0, b.1, &format!("127.0.{third}.2:0")).await;
    let (mut to_right, mut to_left) =
        tokio::join!(dial(&left, &right, b.0), dial(&right, &left, a.0));
    to_right.set_routes(routes(&["10.0.1.0/24"])).await.unwrap();
    to_left.set_routes(routes(&["10.0.2.0/24"])).await.unwrap();
    soon("one connection at both ends", async {
        while !one_connection(&to_right, &to_left) {
            tokio::select! {
                changed = to_right.changed() => changed,
                changed = to_left.changed() => changed,
            }
            .unwrap();
        }
    })
    .await;

    let settled = [to_right.stats(), to_left.stats()].map(|stats| stats.established_transitions);
    table(&left, "the right one's route", |table| table.len() == 1).await;
    table(&right, "the left one's route", |table| table.len() == 1).await;
    to_right.set_routes(routes(&["10.0.1.0/24", "10.0.3.0/24"])).await.unwrap();
    to_left.set_routes(routes(&["10.0.2.0/24", "10.0.4.0/24"])).await.unwrap();
    table(&left, "the right one's routes", |table| table.len() == 2).await;
    table(&right, "the left one's routes", |table| table.len() == 2).await;
    assert!(one_connection(&to_right, &to_left), "it lasts");

    let after = [to_right.stats(), to_left.stats()].map(|stats| stats.established_transitions);
    assert_eq!(settled, after, "and no other came up");
    left.shutdown("").await;
    right.shutdown("").await;
}

/// Returns true if both ends have their session on the same connection.
fn one_connection(a: &PeerHandle, b: &PeerHandle) -> bool {
    let (a, b) = (a.status(), b.status());
    match (a.endpoints, b.endpoints) {
        (Some(ours), Some(theirs)) => {
            a.is_established()
                && b.is_established()
                && (ours.local, ours.remote) == (theirs.remote, theirs.local)
        }
        _ => false,
    }
}

#[tokio::test]
async fn a_simultaneous_dial_leaves_one_session() {
    // The race differs from run to run, so it is run several times.
    for _ in 0..10 {
        one_session_is_left((Asn(64_635), [10, 0, 0, 1]), (Asn(64_636), [10, 0, 0, 2]), 1).await;
    }
}

#[tokio::test]
async fn a_simultaneous_dial_leaves_one_session_within_an_as() {
    for _ in 0..5 {
        one_session_is_left((Asn(64_635), [10, 0, 0, 2]), (Asn(64_635), [10, 0, 0, 1]), 2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_identifiers_are_told_apart_by_their_as() {
    // RFC 6286: the larger AS number wins.
    for _ in 0..5 {
        one_session_is_left((Asn(64_635), [10, 0, 0, 1]), (Asn(64_636), [10, 0, 0, 1]), 3).await;
    }
}
