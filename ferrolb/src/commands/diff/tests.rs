//! The effects of changes of a peer on its session, and the names of its fields.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bgp_session::{Import, PeerConfig, Route, RouteSet, Speaker};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::state::SessionState;
use super::*;
use ferrolb_node::events::EventLog;
use ferrolb_node::sessions::{DesiredSession, SessionKey, Sessions, session_config};
use lb_adapter::model::{
    Asn, BfdProfile, BgpIdentifier, Config, DisabledCapability, LabelSelector, NextHopPolicy, Node,
    Password, Peer, PeerAddress, PeerAsn,
};
use lb_adapter::planner::{NodeContext, Plan};

/// The plan of a node with addresses of both families under a configuration with this peer.
fn plan(peer: &Peer) -> Plan {
    let mut node = Node::new("kube1");
    node.addresses = ["127.22.35.25", "fd00::25"].map(address).into();
    let mut config = Config::new(vec![peer.clone()], Vec::new());
    config.bfd_profiles.push(BfdProfile::new("fast"));
    Plan::new(NodeContext::new(node, Arc::new(config)))
}

fn state(peer: &Peer) -> WireState {
    let plan = plan(peer);
    let sessions = plan
        .peers
        .iter()
        .map(|it| (SessionKey::new("kube1", &it.peer.name), SessionState::new(&plan, &it.peer)));
    WireState { sessions: sessions.collect(), ..WireState::default() }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn peer() -> Peer {
    Peer::new(Asn(64636), Asn(64635), address("127.22.35.1"))
}

fn changed(change: impl FnOnce(&mut Peer)) -> Peer {
    let mut peer = peer();
    change(&mut peer);
    peer
}

/// Returns the fields that reset the session after a change of the peer.
fn resets(change: impl FnOnce(&mut Peer)) -> Vec<&'static str> {
    match state(&peer()).diff(&state(&changed(change))).as_slice() {
        [Difference::Reset { fields, .. }] => fields.clone(),
        others => {
            let ends = |it: &Difference| {
                matches!(
                    it,
                    Difference::Reset { .. }
                        | Difference::Closed { .. }
                        | Difference::Opened { .. }
                )
            };
            assert!(!others.iter().any(ends), "{others:?}");
            Vec::new()
        }
    }
}

/// Returns the differences after a change of the peer.
fn differences(change: impl FnOnce(&mut Peer)) -> Vec<String> {
    let differences = state(&peer()).diff(&state(&changed(change)));
    differences.iter().map(ToString::to_string).collect()
}

#[test]
fn a_field_that_open_or_the_connection_carries_resets_the_session() {
    assert_eq!(resets(|peer| peer.my_asn = Asn(64700)), ["myASN"]);
    assert_eq!(resets(|peer| peer.local_asn = Some(Asn(64700))), ["myASN"]);
    assert_eq!(resets(|peer| peer.peer_asn = PeerAsn::External), ["peerASN"]);
    assert_eq!(resets(|peer| peer.address = address("127.22.35.2").into()), ["peerAddress"]);
    assert_eq!(resets(|peer| peer.port = 1179), ["peerPort"]);
    let interface = PeerAddress::Interface("eth1".to_owned());
    assert_eq!(resets(|peer| peer.address = interface), ["peerAddress"]);
    assert_eq!(
        resets(|peer| peer.source_address = Some(address("127.22.35.9"))),
        ["sourceAddress"]
    );
    assert_eq!(resets(|peer| peer.router_id = Some(BgpIdentifier::new(1, 2, 3, 4))), ["routerID"]);
    assert_eq!(resets(|peer| peer.password = Some(Password::new("sesame"))), ["password"]);
    assert_eq!(resets(|peer| peer.graceful_restart = true), ["enableGracefulRestart"]);
    assert_eq!(resets(|peer| peer.ebgp_multihop = true), ["ebgpMultiHop"]);

    for capability in [
        DisabledCapability::All,
        DisabledCapability::Ipv6Unicast,
        DisabledCapability::RouteRefresh,
        DisabledCapability::ExtendedNextHop,
        DisabledCapability::ExtendedMessage,
        DisabledCapability::FourOctetAs,
        DisabledCapability::EnhancedRouteRefresh,
    ] {
        let changed = resets(|peer| peer.without_capabilities = vec![capability]);
        assert_eq!(changed, ["without-capabilities"], "{capability}");
    }
}

#[test]
fn a_field_that_takes_effect_at_once_or_with_the_next_session_resets_none() {
    let seconds = Duration::from_secs;
    assert_eq!(resets(|peer| peer.hold_time = seconds(30)), [""; 0]);
    assert_eq!(resets(|peer| peer.keepalive_time = Some(seconds(5))), [""; 0]);
    assert_eq!(resets(|peer| peer.connect_time = Some(seconds(7))), [""; 0]);
    assert_eq!(resets(|peer| peer.bfd_profile = Some("fast".to_owned())), [""; 0]);
    assert_eq!(resets(|peer| peer.dual_stack = true), [""; 0]);
    assert_eq!(resets(|peer| peer.next_hop = Some(NextHopPolicy::NodeAddress)), [""; 0]);
    assert_eq!(resets(|peer| peer.name = "tor".to_owned()), [""; 0]);
}

#[test]
fn a_session_that_continues_is_listed_with_its_changed_fields() {
    let seconds = Duration::from_secs;
    let session = "session kube1 with 127.22.35.1";

    assert_eq!(
        differences(|peer| peer.hold_time = seconds(30)),
        [format!("{session}: stays up; changes with the next session: holdTime")]
    );
    assert_eq!(
        differences(|peer| peer.connect_time = Some(seconds(7))),
        [format!("{session}: stays up; changes with the next session: connectTime")]
    );
    assert_eq!(
        differences(|peer| {
            peer.bfd_profile = Some("fast".to_owned());
            peer.keepalive_time = Some(seconds(5));
        }),
        [format!(
            "{session}: stays up; changes at once: bfdProfile; changes with the next session: keepaliveTime"
        )]
    );
    assert_eq!(
        differences(|peer| peer.name = "rack".to_owned()),
        [format!("{session}: the peer is renamed to rack")]
    );
    assert_eq!(differences(|peer| peer.source_address = Some(address("127.22.35.25"))), [""; 0]);
}

#[test]
fn peers_that_are_renamed_keep_their_sessions_even_if_a_new_peer_takes_a_name() {
    let session = |name: &str, router: &str| {
        let mut peer = Peer::new(Asn(64636), Asn(64635), address(router));
        peer.name = name.to_owned();
        (SessionKey::new("kube1", name), SessionState::new(&plan(&peer), &peer))
    };
    let state = |sessions: &[(&str, &str)]| WireState {
        sessions: sessions.iter().map(|(name, router)| session(name, router)).collect(),
        ..WireState::default()
    };
    let before = state(&[("a", "127.22.35.1"), ("b", "127.22.35.2")]);
    let after = state(&[("b", "127.22.35.1"), ("c", "127.22.35.2"), ("a", "127.22.35.3")]);
    let differences: Vec<_> = before.diff(&after).iter().map(ToString::to_string).collect();
    assert_eq!(
        differences,
        [
            "session kube1 with a: the peer is renamed to b",
            "session kube1 with b: the peer is renamed to c",
            "session kube1 with a: opens",
        ]
    );
}

/// Returns a peer for each of its fields, with that field changed. Without a rest pattern, a new field does not compile
/// until it is changed here.
fn each_changed(router: &Peer) -> Vec<(&'static str, Peer)> {
    let Peer {
        name: _,
        my_asn: _,
        peer_asn: _,
        local_asn: _,
        address: _,
        port,
        source_address: _,
        hold_time: _,
        keepalive_time: _,
        connect_time: _,
        router_id: _,
        node_selectors: _,
        password: _,
        password_secret: _,
        bfd_profile: _,
        graceful_restart: _,
        ebgp_multihop: _,
        dual_stack: _,
        next_hop: _,
        without_capabilities: _,
    } = router;

    let seconds = Duration::from_secs;
    let elsewhere = || {
        let mut selector = LabelSelector::default();
        selector.match_labels.insert("rack".to_owned(), "b".to_owned());
        selector
    };

    let mut peers = Vec::new();
    let mut add = |name, change: &dyn Fn(&mut Peer)| {
        let mut peer = router.clone();
        change(&mut peer);
        peers.push((name, peer));
    };

    add("nothing", &|_| {});
    add("name", &|peer| peer.name = "rack".to_owned());
    add("my_asn", &|peer| peer.my_asn = Asn(64700));
    add("peer_asn", &|peer| peer.peer_asn = PeerAsn::External);
    add("local_asn", &|peer| peer.local_asn = Some(Asn(64700)));
    add("address", &|peer| peer.address = address("127.22.35.2").into());
    add("port", &|peer| peer.port = port ^ 1);
    add("source_address", &|peer| peer.source_address = Some(address("127.22.35.26")));
    add("the same source_address", &|peer| peer.source_address = Some(address("127.22.35.25")));
    add("hold_time", &|peer| peer.hold_time = seconds(30));
    add("keepalive_time", &|peer| peer.keepalive_time = Some(seconds(5)));
    add("connect_time", &|peer| peer.connect_time = Some(seconds(7)));
    add("router_id", &|peer| peer.router_id = Some(BgpIdentifier::new(1, 2, 3, 4)));
    add("node_selectors", &|peer| peer.node_selectors.push(elsewhere()));
    add("password", &|peer| peer.password = Some(Password::new("sesame")));
    add("password_secret", &|peer| peer.password_secret = Some("bgp".to_owned()));
    add("bfd_profile", &|peer| peer.bfd_profile = Some("fast".to_owned()));
    add("graceful_restart", &|peer| peer.graceful_restart = true);
    add("ebgp_multihop", &|peer| peer.ebgp_multihop = true);
    add("dual_stack", &|peer| peer.dual_stack = true);
    add("next_hop", &|peer| peer.next_hop = Some(NextHopPolicy::NodeAddress));
    add("without_capabilities", &|peer| {
        peer.without_capabilities = vec![DisabledCapability::ExtendedMessage];
    });
    add("name and hold_time", &|peer| {
        peer.name = "rack".to_owned();
        peer.hold_time = seconds(30);
    });
    add("name and password", &|peer| {
        peer.name = "rack".to_owned();
        peer.password = Some(Password::new("sesame"));
    });
    peers
}

/// Returns the sessions of a node with this peer, with one route.
fn desired_of(peer: &Peer, prefix: &str) -> BTreeMap<SessionKey, DesiredSession> {
    let plan = plan(peer);
    let routes = RouteSet::from([Route::new(prefix.parse().unwrap())]);
    let wanted = |peer: &Peer| {
        let terms = session_config(
            &plan,
            peer,
            peer.source_address.is_none().then(|| address("127.22.35.25")),
        );
        (SessionKey::new("kube1", &peer.name), DesiredSession::new(terms, routes.clone()))
    };
    plan.peers.iter().map(|it| wanted(&it.peer)).collect()
}

#[test]
fn each_field_of_a_peer_has_an_effect_on_its_session() {
    let before = desired_of(&peer(), "192.0.2.1/32");
    let without_effect: Vec<_> = each_changed(&peer())
        .into_iter()
        .filter(|(_, after)| desired_of(after, "192.0.2.1/32") == before)
        .map(|(name, _)| name)
        .collect();

    // The planner resolves next hops, and the source of objects has replaced a Secret by the password.
    let expected = ["nothing", "the same source_address", "password_secret", "next_hop"];
    assert_eq!(without_effect, expected);
}

#[tokio::test]
async fn a_real_session_ends_exactly_if_a_difference_says_so() {
    let router = || async {
        let router = Speaker::builder(Asn(64635), BgpIdentifier::new(127, 22, 35, 1));
        let router = router.listen("127.22.35.1:0".parse().unwrap()).start().await.unwrap();
        let node = PeerConfig::new(address("127.22.35.25"), Asn(64636));
        let node = router.add_peer(node.passive().import(Import::Keep)).await.unwrap();
        (router, node)
    };
    let fields = each_changed(&peer()).len();
    for field in 0..fields {
        let (router, node) = router().await;
        let before = changed(|peer| peer.port = router.listen_addr().unwrap().port());
        let (name, after) = each_changed(&before).swap_remove(field);
        let held = |prefix: &str| {
            let prefix = prefix.parse().unwrap();
            router.loc_rib().iter().any(|(it, _)| it == prefix)
        };
        let mut sessions = Sessions::new(Arc::new(Notify::new()), EventLog::new());
        assert!(sessions.apply(&desired_of(&before, "192.0.2.1/32")).await.is_empty());
        let up = async {
            while !held("192.0.2.1/32") {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(Duration::from_secs(20), up).await.expect(name);

        sessions.apply(&desired_of(&after, "192.0.2.2/32")).await;
        let settled = async {
            while !held("192.0.2.2/32") && node.stats().sessions_lost == 0 {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(Duration::from_secs(20), settled).await.expect(name);
        let differences = state(&before).diff(&state(&after));
        let ends = differences.iter().any(|it| {
            matches!(
                it,
                Difference::Reset { .. } | Difference::Closed { .. } | Difference::Opened { .. }
            )
        });
        assert_eq!(node.stats().sessions_lost > 0, ends, "{name}: {differences:?}");
        sessions.shutdown("the test is over").await;
    }
}
