//! BFD with BIRD and FRR, in network namespaces: coming up, noticing a silent link in time, recovery, negotiated and
//! changed timers, several sessions, several hops.
//!
//! They run when `FERROLB_TEST_INTEROP=1`, as root (`make interop`).

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use bgp_session::bfd::{BfdProfile, BfdStatus, State};
use bgp_session::{Asn, BgpIdentifier, DownReason, ErrorCode, PeerConfig, PeerHandle, Speaker};
use test_peers::{Host, Lan, WrittenBird, WrittenFrr, requested, wait_until};
use tokio::runtime::Runtime;
use tokio::time::Instant;

const ROUTER_AS: Asn = Asn(64635);
const NODE_AS: Asn = Asn(64636);
const ROUTER: &str = "172.22.35.1";
const NODE: &str = "172.22.35.26";
const SOON: Duration = Duration::from_secs(30);
/// The most attempts to notice a silent link in time.
const ATTEMPTS: usize = 10;

/// A router with BFD, run by either daemon.
trait BfdRouter: Sized + Send + Sync {
    /// Starts the router with a peer at each address, and BFD with this interval in milliseconds and a multiplier of 3.
    fn start(host: &Host, peers: &[&str], milliseconds: u32) -> Self;

    /// Starts the router with one peer some hops away.
    fn start_multihop(host: &Host, own: &str, peer: &str, milliseconds: u32) -> Self;

    /// Returns true if the router's BFD session with the peer is up, and its own report.
    fn bfd(&self, peer: &str) -> Result<String, String>;
}

impl BfdRouter for WrittenBird {
    fn start(host: &Host, peers: &[&str], milliseconds: u32) -> Self {
        let mut config = format!(
            "router id {ROUTER};\nprotocol bfd {{ interface \"*\" {{ interval {milliseconds} ms; multiplier 3; }}; }}\n"
        );
        for (index, peer) in peers.iter().enumerate() {
            config.push_str(&format!(
                "protocol bgp peer{index} {{ local as 64635; neighbor {peer} as 64636; direct; bfd on; \
                 connect delay time 1; error wait time 1,2; hold time 90; ipv4 {{ import all; export none; }}; }}\n"
            ));
        }
        Self::start(host, &config)
    }

    fn start_multihop(host: &Host, own: &str, peer: &str, milliseconds: u32) -> Self {
        let config = format!(
            "router id {ROUTER};\nprotocol bfd {{ multihop {{ interval {milliseconds} ms; multiplier 3; }}; }}\n\
             protocol bgp peer0 {{ local {own} as 64635; neighbor {peer} as 64636; multihop 2; bfd on; \
             connect delay time 1; error wait time 1,2; hold time 90; ipv4 {{ import all; export none; }}; }}\n"
        );
        Self::start(host, &config)
    }

    fn bfd(&self, peer: &str) -> Result<String, String> {
        let reply = self.ask("show bfd sessions")?;
        let line = reply.lines().find(|line| line.starts_with(peer) && line.contains(" Up "));
        line.map(str::to_owned).ok_or(reply)
    }
}

impl BfdRouter for WrittenFrr {
    fn start(host: &Host, peers: &[&str], milliseconds: u32) -> Self {
        let profile = format!(
            "bfd\n profile fast\n  receive-interval {milliseconds}\n  transmit-interval {milliseconds}\n  detect-multiplier 3\n exit\nexit\n"
        );
        let mut bgp =
            "router bgp 64635\n bgp router-id 172.22.35.1\n no bgp ebgp-requires-policy\n"
                .to_owned();
        for peer in peers {
            // FRR begins BFD again, and with it BGP, if only the first connection shows the address to use.
            let is_own = |own: &&IpAddr| own.is_ipv6() == peer.contains(':');
            let own = host.addresses().iter().find(is_own).expect("an address of the family");
            bgp.push_str(&format!(
                " neighbor {peer} remote-as 64636\n neighbor {peer} timers connect 1\n \
                 neighbor {peer} update-source {own}\n neighbor {peer} bfd\n neighbor {peer} bfd profile fast\n"
            ));
        }
        Self::start(host, &profile, &bgp)
    }

    fn start_multihop(host: &Host, own: &str, peer: &str, milliseconds: u32) -> Self {
        let profile = format!(
            "bfd\n profile fast\n  receive-interval {milliseconds}\n  transmit-interval {milliseconds}\n  detect-multiplier 3\n  minimum-ttl 254\n exit\nexit\n"
        );
        let bgp = format!(
            "router bgp 64635\n bgp router-id 172.22.35.1\n no bgp ebgp-requires-policy\n \
             neighbor {peer} remote-as 64636\n neighbor {peer} timers connect 1\n \
             neighbor {peer} ebgp-multihop 2\n neighbor {peer} update-source {own}\n \
             neighbor {peer} bfd\n neighbor {peer} bfd profile fast\n"
        );
        Self::start(host, &profile, &bgp)
    }

    fn bfd(&self, peer: &str) -> Result<String, String> {
        let reply = self.json("bfdd", "show bfd peers json")?;
        let mut peers = reply.as_array().into_iter().flatten();
        let up = peers.find(|it| it["peer"] == peer && it["status"] == "up");
        up.map(ToString::to_string).ok_or_else(|| reply.to_string())
    }
}

macro_rules! against_bird_and_frr {
    ($($story:ident),* $(,)?) => {
        mod bird {
            $(#[test] fn $story() { if super::requested() { super::$story::<super::WrittenBird>(); } })*
        }
        mod frr {
            $(#[test] fn $story() { if super::requested() { super::$story::<super::WrittenFrr>(); } })*
        }
    };
}

against_bird_and_frr! {
    a_silent_link_ends_the_session_within_the_detection_time_and_heals,
    intervals_of_300_ms_notice_within_a_second,
    timers_are_agreed_on_and_changed_without_touching_the_bgp_session,
    several_sessions_share_a_process_and_fail_apart,
    a_router_two_hops_away_is_watched_too,
    ipv6_is_watched_too,
}

fn a_silent_link_ends_the_session_within_the_detection_time_and_heals<R: BfdRouter>() {
    let (host, node) = Lan::new().router_and_node();
    let router = R::start(&host, &[NODE], 50);
    node.with_runtime(|runtime| {
        let (_speaker, mut peer) = dial(runtime, config(ROUTER).bfd(fast()));
        let is_up = |peer: &PeerHandle| bfd_up(&router, peer, NODE, ms(150));
        is_up(&peer);
        notices_within(ms(0)..ms(200), runtime, &node, &mut peer, is_up);
        assert!(peer.bfd().expect("a session").stats.failures >= 1);
    });
}

fn intervals_of_300_ms_notice_within_a_second<R: BfdRouter>() {
    let (host, node) = Lan::new().router_and_node();
    let router = R::start(&host, &[NODE], 300);
    node.with_runtime(|runtime| {
        let (_speaker, mut peer) = dial(runtime, config(ROUTER).bfd(BfdProfile::new()));
        let is_up = |peer: &PeerHandle| bfd_up(&router, peer, NODE, ms(900));
        is_up(&peer);
        notices_within(ms(600)..ms(1_000), runtime, &node, &mut peer, is_up);
    });
}

fn timers_are_agreed_on_and_changed_without_touching_the_bgp_session<R: BfdRouter>() {
    let (host, node) = Lan::new().router_and_node();
    let router = R::start(&host, &[NODE], 1_000);
    node.with_runtime(|runtime| {
        let (_speaker, peer) = dial(runtime, config(ROUTER).bfd(fast()));
        // In each direction, the longer of our interval and the one that the router can receive.
        bfd_up(&router, &peer, NODE, ms(3_000));
        wait_for_bfd(&peer, "its timers", |it| it.transmit_interval == ms(1_000));
        let before = losses(&peer);
        let slower = BfdProfile::new().transmit_interval(ms(1_700)).receive_interval(ms(1_900));
        let slower = config(ROUTER).bfd(slower.multiplier(5));
        runtime.block_on(peer.update(slower)).unwrap();
        wait_for_bfd(&peer, "ours", |it| {
            (it.transmit_interval, it.detection_time) == (ms(1_700), ms(5_700))
        });
        wait_until(SOON, "them there", || {
            let said = router.bfd(NODE)?;
            // BIRD: interval and timeout in seconds; FRR: what it has received.
            let bird = said.contains("1.900") && said.contains("8.500");
            let frr = said.contains("\"remote-transmit-interval\":1700")
                && said.contains("\"remote-detect-multiplier\":5");
            if bird || frr { Ok(()) } else { Err(said) }
        });
        runtime.block_on(peer.update(config(ROUTER).bfd(fast()))).unwrap();
        wait_for_bfd(&peer, "the first ones again", |it| {
            (it.transmit_interval, it.detection_time) == (ms(1_000), ms(3_000))
        });
        assert_eq!(losses(&peer), before);
    });
}

fn several_sessions_share_a_process_and_fail_apart<R: BfdRouter>() {
    let lan = Lan::new();
    let hosts = [1, 2, 3].map(|n| lan.host(&format!("router{n}"), &[&format!("172.22.35.{n}/24")]));
    let node = lan.host("node", &["172.22.35.26/24"]);
    // The first and the last are so slow that a busy machine raises no false alarm.
    let intervals = [1_000, 300, 1_000];
    let routers = [0, 1, 2].map(|index| R::start(&hosts[index], &[NODE], intervals[index]));
    node.with_runtime(|runtime| {
        let speaker = runtime.block_on(speaker().start()).unwrap();
        let [mut first, mut second, mut third] =
            ["172.22.35.1", "172.22.35.2", "172.22.35.3"].map(|address| {
                let config = config(address).bfd(BfdProfile::new());
                runtime.block_on(speaker.add_peer(config)).unwrap()
            });
        for (peer, router) in [(&mut first, &routers[0]), (&mut third, &routers[2])] {
            runtime.block_on(established(peer));
            bfd_up(router, peer, NODE, ms(3_000));
        }
        runtime.block_on(established(&mut second));
        let is_up = |peer: &PeerHandle| bfd_up(&routers[1], peer, NODE, ms(900));
        is_up(&second);
        let before = [&first, &third].map(losses);
        notices_within(ms(0)..ms(1_000), runtime, &hosts[1], &mut second, is_up);
        assert_eq!([&first, &third].map(losses), before);
    });
}

fn a_router_two_hops_away_is_watched_too<R: BfdRouter>() {
    let (near, far) = (Lan::new(), Lan::new());
    let node = near.host("node", &["10.1.0.26/24"]);
    let host = far.host("router", &["10.2.0.1/24"]);
    let between = near.host("between", &["10.1.0.254/24"]);
    far.join(&between, "lan1", &["10.2.0.254/24"]);
    between.forward_packets();
    node.ip("route add default via 10.1.0.254");
    host.ip("route add default via 10.2.0.254");

    let router = R::start_multihop(&host, "10.2.0.1", "10.1.0.26", 300);
    node.with_runtime(|runtime| {
        let config = quick(PeerConfig::new(address("10.2.0.1"), ROUTER_AS)).multihop(2);
        let near = config.clone().bfd(BfdProfile::new().minimum_ttl(255));
        let (_speaker, mut peer) = dial(runtime, near);
        // One router between makes it 254, and BIRD sends no more than the system's 64.
        let told = wait_until(SOON, "the TTL", || match peer.bfd() {
            Some(BfdStatus { problem: Some(text), .. }) => Ok(text),
            other => Err(format!("{other:?}")),
        });
        assert!(told.contains("expected at least 255"), "{told}");
        runtime.block_on(peer.update(config.bfd(BfdProfile::new().minimum_ttl(63)))).unwrap();
        let is_up = |peer: &PeerHandle| bfd_up(&router, peer, "10.1.0.26", ms(900));
        is_up(&peer);
        notices_within(ms(0)..ms(1_000), runtime, &host, &mut peer, is_up);
    });
}

fn ipv6_is_watched_too<R: BfdRouter>() {
    let lan = Lan::new();
    // FRR has no IPv6 session without a link-local address.
    let host = lan.host("router", &["fd22::1/64", "fe80::1/64", "172.22.35.1/24"]);
    let node = lan.host("node", &["fd22::26/64"]);
    let router = R::start(&host, &["fd22::26"], 300);
    node.with_runtime(|runtime| {
        let (_speaker, mut peer) = dial(runtime, config("fd22::1").bfd(BfdProfile::new()));
        let is_up = |peer: &PeerHandle| bfd_up(&router, peer, "fd22::26", ms(900));
        is_up(&peer);
        notices_within(ms(0)..ms(1_000), runtime, &node, &mut peer, is_up);
    });
}

#[test]
fn a_router_that_takes_its_bfd_out_of_service_keeps_its_session() {
    if !requested() {
        return;
    }
    let (host, node) = Lan::new().router_and_node();
    let router: WrittenFrr = BfdRouter::start(&host, &[NODE], 1_000);

    node.with_runtime(|runtime| {
        let (_speaker, peer) = dial(runtime, config(ROUTER).bfd(fast()));
        bfd_up(&router, &peer, NODE, ms(3_000));
        let before = losses(&peer);
        router.configure("bfdd", &["bfd", "profile fast", "shutdown"]).unwrap();
        wait_for_bfd(&peer, "its word", |it| it.remote_state == State::AdminDown);
        // The peer's task hears of it a moment later.
        wait_until(SOON, "the status of the peer", || match peer.status().bfd {
            Some(State::Down) => Ok(()),
            other => Err(format!("{other:?}")),
        });
        router.configure("bfdd", &["bfd", "profile fast", "no shutdown"]).unwrap();
        bfd_up(&router, &peer, NODE, ms(3_000));
        assert_eq!(losses(&peer), Losses { bfd_ups: before.bfd_ups + 1, ..before });
    });
}

#[test]
fn a_router_without_bfd_has_its_session_nevertheless() {
    if !requested() {
        return;
    }
    let (host, node) = Lan::new().router_and_node();
    let _router = WrittenBird::start(
        &host,
        "router id 172.22.35.1;\nprotocol bgp { local as 64635; neighbor 172.22.35.26 as 64636; \
         connect delay time 1; ipv4 { import all; export none; }; }\n",
    );
    node.with_runtime(|runtime| {
        let (_speaker, peer) = dial(runtime, config(ROUTER).bfd(fast()));
        wait_for_bfd(&peer, "the first words", |it| it.stats.sent >= 3);
        assert!(peer.status().is_established());
        assert_eq!(peer.status().bfd, Some(State::Down));
    });
}

/// Pulls a host's cable until our BFD ends the session within these times, and plugs it in again after each attempt.
///
/// A busy machine may notice late, and its router may send its last packet late, or be the first to raise an alarm. A
/// machine that can be on time is so at least once in a few attempts.
fn notices_within(
    times: Range<Duration>,
    runtime: &Runtime,
    host: &Host,
    peer: &mut PeerHandle,
    is_up: impl Fn(&PeerHandle),
) {
    let mut silences = Vec::new();
    while !silences.iter().flatten().any(|silent| times.contains(silent)) {
        assert!(silences.len() < ATTEMPTS, "noticed after {silences:?}");
        silences.push(cut(runtime, host, peer));
        host.plug();
        runtime.block_on(established(peer));
        is_up(peer);
    }
}

/// Pulls a host's cable, and returns how long the session lasts. `None` if the router has ended it.
fn cut(runtime: &Runtime, host: &Host, peer: &mut PeerHandle) -> Option<Duration> {
    host.unplug();
    let start = Instant::now();
    let down = peer.wait_for(|status| !status.is_established());
    let ended = runtime.block_on(async { tokio::time::timeout(SOON, down).await });
    let silent = start.elapsed();

    let down = ended.expect("it ends").unwrap().last_down.expect("a reason");
    let DownReason::Local(notification) = &down else { return None };
    assert_eq!(notification.code, ErrorCode::CEASE);
    assert!(down.to_string().contains("BFD down"), "{down}");
    Some(silent)
}

/// The losses of a peer's sessions since it was added.
///
/// Tests compare them with those from before. While a connection comes up, FRR 8.4 may delete its BFD session and begin another,
/// which a busy machine may notice late, and take for a failure.
#[derive(Debug, PartialEq)]
struct Losses {
    sessions: u64,
    bfd_failures: u64,
    bfd_ups: u64,
}

fn losses(peer: &PeerHandle) -> Losses {
    let bfd = peer.bfd().expect("a session").stats;
    let sessions = peer.status().stats.sessions_lost;
    Losses { sessions, bfd_failures: bfd.failures, bfd_ups: bfd.ups }
}

/// Waits until BFD is up at both ends, and its detection time at ours is as agreed.
fn bfd_up(router: &impl BfdRouter, peer: &PeerHandle, node: &str, detection: Duration) {
    wait_for_bfd(peer, "BFD", |it| it.state == State::Up && it.detection_time == detection);
    wait_until(SOON, "BFD at the router", || router.bfd(node));
}

fn wait_for_bfd(peer: &PeerHandle, what: &str, wanted: impl Fn(&BfdStatus) -> bool) {
    wait_until(SOON, what, || match peer.bfd() {
        Some(status) if wanted(&status) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

fn dial(runtime: &Runtime, config: PeerConfig) -> (Speaker, PeerHandle) {
    runtime.block_on(async {
        let speaker = speaker().start().await.unwrap();
        let mut peer = speaker.add_peer(config).await.unwrap();
        established(&mut peer).await;
        (speaker, peer)
    })
}

async fn established(peer: &mut PeerHandle) {
    let up = tokio::time::timeout(SOON, peer.established()).await.map(Result::unwrap);
    assert!(up.is_ok(), "no session: {:?}", peer.status());
}

fn speaker() -> bgp_session::SpeakerBuilder {
    Speaker::builder(NODE_AS, BgpIdentifier::new(172, 22, 35, 26))
}

fn config(router: &str) -> PeerConfig {
    quick(PeerConfig::new(address(router), ROUTER_AS))
}

fn quick(config: PeerConfig) -> PeerConfig {
    let second = Duration::from_secs(1);
    config.connect_retry(second).connect_timeout(second).idle_hold(second / 10, second)
}

fn fast() -> BfdProfile {
    BfdProfile::new().interval(ms(50))
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an IP address")
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
