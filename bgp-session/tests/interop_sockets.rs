//! Socket options on the wire: TTL security against BIRD and FRR, for both versions of IP and from both sides; a
//! router between; a router that vanishes.
//!
//! They run when `FERROLB_TEST_INTEROP=1`, as root (`make interop`).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bgp_session::{
    Asn, BgpIdentifier, DownReason, PeerConfig, PeerHandle, Speaker, SpeakerBuilder,
};
use test_peers::{Bird, Frr, Host, Lan, Neighbor, Router, RouterConfig, WrittenBird, requested};
use tokio::runtime::Runtime;

const ROUTER_AS: u32 = 64635;
const NODE_AS: u32 = 64636;
const SOON: Duration = Duration::from_secs(30);

/// The router's address and the node's, in both versions of IP.
const PAIRS: [(&str, &str); 2] = [("172.22.35.1", "172.22.35.26"), ("fd22::1", "fd22::26")];

#[test]
fn bird_with_ttl_security_is_dialled_and_dials() {
    if requested() {
        ttl_security_from_both_sides::<Bird>();
    }
}

#[test]
fn frr_with_ttl_security_is_dialled_and_dials() {
    if requested() {
        ttl_security_from_both_sides::<Frr>();
    }
}

fn ttl_security_from_both_sides<R: Router>() {
    for (router, node) in PAIRS {
        let (host, node_host) = Lan::new().router_and_node();
        let neighbor = || Neighbor::new(node, NODE_AS).ttl_security();
        // The router waits for us, and accepts only connections from the link.
        let mut waiting = R::start(&host, router_config(neighbor().passive()));
        node_host.with_runtime(|runtime| {
            // The connection is made before the router checks it. After that the router ignores it.
            let (speaker, mut peer) = add(runtime, ours(), quick(config(router)).ttl(254));
            let _ = runtime.block_on(async {
                tokio::time::timeout(Duration::from_secs(2), peer.established()).await
            });
            // FRR 8.4 checks only the answers to its own dials.
            if R::NAME != "FRR" {
                let seen = waiting.established(address(node));
                assert!(seen.is_err(), "254 comes from behind a router: {seen:?}");
            }
            runtime.block_on(speaker.shutdown(""));
            // The router does not learn that this session is over, and would not accept another.
            waiting.start_again();

            let (speaker, mut peer) = add(runtime, ours(), quick(config(router)).ttl_security(1));
            runtime.block_on(established(&mut peer));
            runtime.block_on(speaker.shutdown(""));
        });
        drop(waiting);
        // The router dials us.
        let _dialling = R::start(&host, router_config(neighbor()));
        node_host.with_runtime(|runtime| {
            let builder = ours().listen(SocketAddr::new(address(node), 179));
            let secured = quick(config(router)).ttl_security(1).passive();
            let (speaker, mut peer) = add(runtime, builder, secured);
            runtime.block_on(established(&mut peer));
            runtime.block_on(speaker.shutdown(""));
        });
    }
}

#[test]
fn a_router_between_is_too_far_for_ttl_security_of_one_hop_and_not_of_two() {
    if !requested() {
        return;
    }
    for version in [4, 6] {
        reaches(&FarRouter::new(version, "multihop"), |far| {
            [
                (far().ttl(1), false),
                (far().ttl_security(1), false),
                (far().multihop(2), true),
                (far(), true),
            ]
        });
        reaches(&FarRouter::new(version, "multihop 2; ttl security on"), |far| {
            [(far().ttl_security(1), false), (far().ttl_security(2), true)]
        });
    }
}

#[test]
fn a_session_without_a_hold_timer_notices_a_vanished_router_by_its_user_timeout() {
    if !requested() {
        return;
    }
    for (router, node) in PAIRS {
        let (host, node_host) = Lan::new().router_and_node();
        let neighbor = Neighbor::new(node, NODE_AS).passive();
        let _bird = Bird::start(&host, router_config(neighbor).hold_time(0));
        node_host.with_runtime(|runtime| {
            let config = quick(config(router)).hold_time(Duration::ZERO);
            let config = config.user_timeout(Duration::from_secs(2));
            let (_speaker, mut peer) = add(runtime, ours(), config);
            runtime.block_on(established(&mut peer));
            // Neither end sends anything, so TCP's own probes notice.
            host.unplug();
            let down = runtime.block_on(async {
                let down = peer.wait_for(|status| !status.is_established());
                tokio::time::timeout(SOON, down).await.expect("it is noticed").unwrap()
            });
            let reason = down.last_down.expect("a reason");
            assert!(matches!(reason, DownReason::Transport(_)), "{reason}");
        });
        host.plug();
    }
}

#[test]
fn a_session_uses_the_configured_port_and_interface() {
    if !requested() {
        return;
    }
    for (router, node) in PAIRS {
        let (host, node_host) = Lan::new().router_and_node();
        let neighbor = Neighbor::new(node, NODE_AS).passive();
        let _bird = Bird::start(&host, router_config(neighbor));
        node_host.with_runtime(|runtime| {
            let config = quick(config(router)).bind_device("lan0").source_ports(50_000..=50_003);
            let (speaker, mut peer) = add(runtime, ours(), config.clone());
            runtime.block_on(established(&mut peer));
            let endpoints = peer.status().endpoints.expect("both ends");
            assert_eq!(endpoints.local.ip(), address(node));
            assert!((50_000..=50_003).contains(&endpoints.local.port()), "{endpoints:?}");
            runtime.block_on(speaker.shutdown(""));
            let (_speaker, peer) = add(runtime, ours(), config.bind_device("lo"));
            let failed = runtime.block_on(failure(peer));
            assert!(matches!(failed, DownReason::Transport(_)), "not by this interface: {failed}");
        });
    }
}

/// Tries each configuration, and checks if it gets a session.
fn reaches<const N: usize>(
    far: &FarRouter,
    configs: impl FnOnce(&dyn Fn() -> PeerConfig) -> [(PeerConfig, bool); N] + Send,
) {
    far.node.with_runtime(|runtime| {
        for (config, expected) in configs(&|| far.config()) {
            let (speaker, mut peer) = add(runtime, ours(), config);
            match expected {
                true => runtime.block_on(established(&mut peer)),
                false => drop(runtime.block_on(failure(peer))),
            }
            runtime.block_on(speaker.shutdown(""));
        }
    });
}

/// A node, a router two hops away that waits for it, and the host in between.
struct FarRouter {
    node: Host,
    router: IpAddr,
    _bird: WrittenBird,
    _between: Host,
}

impl FarRouter {
    fn new(version: u8, options: &str) -> Self {
        let (near, far) = (Lan::new(), Lan::new());
        let (net, bits) =
            if version == 4 { (["10.1.0.", "10.2.0."], 24) } else { (["fd01::", "fd02::"], 64) };
        let [at_node, at_between, at_far, at_router] = [(0, 26), (0, 254), (1, 254), (1, 1)]
            .map(|(side, host)| format!("{}{host}", net[side]));
        let with_length = |address: &str| format!("{address}/{bits}");
        let node = near.host("node", &[&with_length(&at_node)]);

        // Forwarding by IPv6 needs the router's own link-local address.
        let between = near.host("between", &[&with_length(&at_between), "fe80::fe/64"]);
        far.join(&between, "lan1", &[&with_length(&at_far), "fe80::fe/64"]);
        between.forward_packets();
        let host = far.host("router", &[&with_length(&at_router)]);

        node.ip(&format!("-{version} route add default via {at_between}"));
        host.ip(&format!("-{version} route add default via {at_far}"));
        let bird = WrittenBird::start(
            &host,
            &format!(
                "router id 10.2.0.1;\nprotocol bgp {{ local {at_router} as {ROUTER_AS}; \
                 neighbor {at_node} as {NODE_AS}; {options}; passive on; \
                 ipv4 {{ import all; export none; }}; ipv6 {{ import all; export none; }}; }}\n"
            ),
        );
        Self { node, router: address(&at_router), _bird: bird, _between: between }
    }

    fn config(&self) -> PeerConfig {
        quick(PeerConfig::new(self.router, Asn(ROUTER_AS)))
    }
}

fn router_config(neighbor: Neighbor) -> RouterConfig {
    RouterConfig::new("172.22.35.1", ROUTER_AS).neighbor(neighbor)
}

fn config(router: &str) -> PeerConfig {
    PeerConfig::new(address(router), Asn(ROUTER_AS))
}

fn quick(config: PeerConfig) -> PeerConfig {
    let second = Duration::from_secs(1);
    config.connect_retry(second).connect_timeout(second / 2).idle_hold(second / 10, second)
}

fn ours() -> SpeakerBuilder {
    Speaker::builder(Asn(NODE_AS), BgpIdentifier::new(172, 22, 35, 26))
}

fn add(runtime: &Runtime, builder: SpeakerBuilder, config: PeerConfig) -> (Speaker, PeerHandle) {
    runtime.block_on(async {
        let speaker = builder.start().await.unwrap();
        let peer = speaker.add_peer(config).await.unwrap();
        (speaker, peer)
    })
}

async fn failure(mut peer: PeerHandle) -> DownReason {
    let failed = peer.wait_for(|status| status.last_failure.is_some());
    let status = tokio::time::timeout(SOON, failed).await.expect("a failure").unwrap();
    assert_eq!(status.stats.established_transitions, 0);
    status.last_failure.expect("a reason")
}

async fn established(peer: &mut PeerHandle) {
    let up = tokio::time::timeout(SOON, peer.established()).await.map(Result::unwrap);
    assert!(up.is_ok(), "no session: {:?}", peer.status());
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an IP address")
}
