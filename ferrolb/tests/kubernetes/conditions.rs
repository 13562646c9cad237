//! The conditions and columns of a BGPNodeStatus while a router goes away and comes back.

use std::net::{Ipv4Addr, SocketAddr};

use bgp_session::{Asn, BgpIdentifier, PeerConfig, PeerHandle, Speaker};
use serde_json::Value;

use crate::cluster::{Cluster, wait};

const NODE: Ipv4Addr = Ipv4Addr::new(127, 22, 35, 28);

/// A router at this port, or at a free one if it is 0. The handle keeps its passive session to the node.
async fn router(last_octet: u8, port: u16) -> (Speaker, PeerHandle) {
    let speaker = Speaker::builder(Asn(64_635), BgpIdentifier::new(172, 22, 35, last_octet))
        .listen(SocketAddr::from(([127, 0, 0, 1], port)))
        .start()
        .await
        .unwrap();
    let peer = PeerConfig::new(std::net::IpAddr::from(NODE), Asn(64_636)).passive();
    let handle = speaker.add_peer(peer).await.unwrap();
    (speaker, handle)
}

/// The status and the reason of a condition, found as `kubectl wait` finds it: by its type.
fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

/// Waits until the node's conditions have these statuses, Ready first, and these counts of sessions. Returns the status.
async fn wait_for(cluster: &Cluster, statuses: [&str; 2], established: &str) -> Value {
    let api = cluster.node_statuses();
    wait(&format!("{statuses:?} and {established}"), async || {
        let object = api.get(&cluster.node("kube1")).await.map_err(|it| it.to_string())?;
        let found = &object.data["status"];
        let conditions =
            ["Ready", "Degraded"].map(|kind| condition(found, kind)["status"].as_str());
        let is_expected = conditions == statuses.map(Some) && found["established"] == established;
        if is_expected { Ok(found.clone()) } else { Err(found.to_string()) }
    })
    .await
}

#[tokio::test]
async fn a_node_is_degraded_while_a_router_is_away_and_names_it() {
    let (left, left_peer) = router(1, 0).await;
    let (right, _right_peer) = router(2, 0).await;
    let [left_port, right_port] =
        [&left, &right].map(|speaker| speaker.listen_addr().unwrap().port());
    let peer = |name: &str, port: u16| {
        format!(
            "- {{name: {name}, my-asn: 64636, peer-asn: 64635, peer-address: 127.0.0.1, peer-port: {port}}}\n"
        )
    };
    let config = format!("peers:\n{}{}", peer("left", left_port), peer("right", right_port));
    let cluster = Cluster::new(&config).await;
    cluster.add_node("kube1", NODE).await;
    let node = cluster.node("kube1");
    let speaker = cluster.start("speaker", "s", &["--node-name", &node, "--on-exit", "withdraw"]);

    let good = wait_for(&cluster, ["True", "False"], "2/2").await;
    assert_eq!((&good["problem"], &good["bfd"]), (&Value::Null, &Value::from("-")));
    assert_eq!(condition(&good, "Degraded")["reason"], "AsExpected");
    assert!(good["lastSessionChange"].is_string(), "{good}");

    left.shutdown("an upgrade of the router").await;
    drop((left, left_peer));
    let bad = wait_for(&cluster, ["True", "True"], "1/2").await;
    let degraded = condition(&bad, "Degraded");
    assert_eq!(
        (&degraded["reason"], &bad["problem"]),
        (&"SessionDown".into(), &"SessionDown: left".into())
    );
    let message = degraded["message"].as_str().unwrap();
    assert!(message.contains(&format!("left (127.0.0.1:{left_port}): ")), "{message}");
    assert!(message.contains("an upgrade of the router"), "{message}");
    assert!(!message.contains("right"), "{message}");

    let (left, _left_peer) = router(1, left_port).await;
    let again = wait_for(&cluster, ["True", "False"], "2/2").await;
    assert_eq!(again["problem"], Value::Null);
    // Only a change of the status moves the time.
    let since = |status: &Value| condition(status, "Ready")["lastTransitionTime"].clone();
    assert_eq!(since(&again), since(&bad));
    assert_eq!(since(&again), since(&good));

    // Without any session, the node announces nothing.
    left.shutdown("").await;
    right.shutdown("").await;
    let lost = wait_for(&cluster, ["False", "True"], "0/2").await;
    assert_eq!(condition(&lost, "Ready")["reason"], "NoSession");
    assert_eq!(lost["problem"], "SessionDown: left, right");

    speaker.terminate().await;
    let ended = wait_for(&cluster, ["False", "Unknown"], "0/2").await;
    assert_eq!(ended["problem"], "SpeakerEnded");
    cluster.end().await;
}
