//! Peers by interface, found by router advertisements: with FRR's `neighbor IFACE interface`, and between two of us.
//!
//! They run when `FERROLB_TEST_INTEROP=1`, as root (`make interop`).

use std::time::Duration;

use bgp_session::{
    AfiSafi, Asn, BgpIdentifier, DownReason, Import, InterfaceHandle, InterfacePeer,
    InterfaceStatus, PeerConfig, PeerHandle, RemoteAs, Route, RouteSet, Speaker, bfd::BfdProfile,
};
use test_peers::{Host, Lan, WrittenFrr, requested, wait_until};
use tokio::runtime::Runtime;

const ROUTER_AS: Asn = Asn(64635);
const NODE_AS: Asn = Asn(64636);
const SOON: Duration = Duration::from_secs(30);

#[test]
fn frr_finds_us_and_is_found() {
    let Some((_router, node, frr)) = link_to_frr("") else { return };
    node.with_runtime(|runtime| {
        let (speaker, handle) = uplink(runtime, |config| config.families([AfiSafi::IPV6_UNICAST]));
        let status = found_and_established(&speaker, &handle);
        assert_eq!(status.peer.expect("the neighbour").to_string(), "fe80::1%2");
        let terms = speaker.peers()[0].negotiated.clone().expect("a session");
        assert_eq!(terms.remote_asn, ROUTER_AS, "any external one will do");

        let own = "fd26::/64";
        handle.set_routes(RouteSet::from([Route::new(own.parse().unwrap())]));
        wait_until(SOON, "our route at FRR", || {
            let reply = frr.json("bgpd", "show bgp ipv6 unicast json")?;
            match &reply["routes"][own][0] {
                path if path["valid"] == true => Ok(()),
                _ => Err(reply.to_string()),
            }
        });
        received(&speaker, &["fd99::/48"]);
        // Dropping the handle ends the session.
        drop(handle);
        wait_until(SOON, "the end", || {
            let left = speaker.peers();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
    });
}

#[test]
fn a_disabled_peer_by_interface_has_no_session_until_it_is_enabled() {
    let Some((_router, node, frr)) = link_to_frr("") else { return };
    node.with_runtime(|runtime| {
        let (speaker, handle) = uplink(runtime, |config| config);
        found_and_established(&speaker, &handle);
        handle.disable("rack 7 moves until noon");
        let is_disabled = || {
            let peers = speaker.peers();
            let [peer] = peers.as_slice() else { return Err(format!("{peers:?}")) };
            if peer.disabled && !peer.is_established() { Ok(()) } else { Err(format!("{peer:?}")) }
        };
        wait_until(SOON, "a disabled peer", is_disabled);
        wait_until(SOON, "the text at FRR", || {
            let neighbors = frr.json("bgpd", "show bgp neighbors json")?.to_string();
            if neighbors.contains("rack 7 moves until noon") { Ok(()) } else { Err(neighbors) }
        });

        // Advertisements go on, and must not start a session.
        std::thread::sleep(Duration::from_secs(3));
        is_disabled().expect("still disabled");
        handle.enable();
        found_and_established(&speaker, &handle);
    });
}

#[test]
fn ipv4_routes_have_link_local_next_hops_both_ways() {
    let Some((_router, node, frr)) = link_to_frr("") else { return };
    node.with_runtime(|runtime| {
        let (speaker, handle) = uplink(runtime, |config| config);
        found_and_established(&speaker, &handle);
        let own = "172.22.35.70/32";
        handle.set_routes(RouteSet::from([Route::new(own.parse().unwrap())]));
        wait_until(SOON, "our route at FRR", || frr.path_through(own, "fe80::26"));
        let prefix = "10.9.0.0/16".parse().unwrap();
        let path = wait_until(SOON, "FRR's route", || {
            let path = speaker.loc_rib().best(&prefix);
            path.ok_or_else(|| format!("{:?}", speaker.loc_rib()))
        });
        let next_hop = path.attributes.next_hop.expect("a next hop");
        assert_eq!(next_hop.link_local(), Some("fe80::1".parse().unwrap()), "{next_hop}");
    });
}

#[test]
fn a_password_signs_a_session_over_link_local_addresses() {
    let options = " neighbor lan0 password s3cret\n";
    let Some((_router, node, _frr)) = link_to_frr(options) else { return };
    node.with_runtime(|runtime| {
        let (speaker, handle) = uplink(runtime, |config| config.password("s3cret"));
        found_and_established(&speaker, &handle);
    });
}

#[test]
fn bfd_watches_an_unnumbered_peer_by_its_link_local_address() {
    let options = " neighbor lan0 bfd\n neighbor lan0 bfd profile fast\n";
    let Some((_router, node, frr)) = link_to_frr(options) else { return };
    node.with_runtime(|runtime| {
        let bfd = BfdProfile::new();
        let (speaker, handle) = uplink(runtime, |config| config.bfd(bfd));
        let watched = || {
            let status = found_and_established(&speaker, &handle);
            let peer = speaker.peer(status.peer.expect("the neighbour")).expect("a handle");
            wait_until(SOON, "BFD", || match peer.bfd() {
                Some(it) if it.detection_time == Duration::from_millis(900) => Ok(()),
                other => Err(format!("{other:?} {:?}", frr.ask("bfdd", "show bfd peers"))),
            });
            peer
        };

        let mut peer = watched();
        // A busy machine may notice late, or its router may be the first. One that can notice in time does so at least
        // once in a few attempts.
        let mut silences: Vec<Option<Duration>> = Vec::new();
        let limit = Duration::from_secs(1);
        while !silences.iter().flatten().any(|silent| *silent < limit) {
            assert!(silences.len() < 10, "noticed after {silences:?}");
            let start = tokio::time::Instant::now();
            node.unplug();
            ended(&peer);
            let silent = start.elapsed();
            let down = peer.status().last_down.expect("a reason");
            let by_us = matches!(down, DownReason::Local(_));
            assert!(!by_us || down.to_string().contains("BFD down"), "{down}");
            silences.push(by_us.then_some(silent));
            node.plug();
            peer = watched();
        }
    });
}

#[test]
fn two_speakers_on_a_link_find_each_other_and_a_replaced_one() {
    if !requested() {
        return;
    }
    let (router, node) = Lan::new().unnumbered_router_and_node();
    router.with_runtime(|at_router| {
        let begin = |asn| {
            let (speaker, handle) = begin(at_router, asn, |config| config);
            handle.set_routes(RouteSet::from([Route::new("fd99::/48".parse().unwrap())]));
            (speaker, handle)
        };
        let first = begin(ROUTER_AS);
        node.with_runtime(|runtime| {
            let (speaker, handle) = uplink(runtime, |config| config);
            found_and_established(&speaker, &handle);
            received(&speaker, &["fd99::/48"]);
            // Another AS at the same address: still external.
            at_router.block_on(first.0.shutdown(""));
            received(&speaker, &[]);
            let _second = router.enter(|| begin(Asn(64637)));
            received(&speaker, &["fd99::/48"]);
            assert_eq!(
                speaker
                    .loc_rib()
                    .iter()
                    .next()
                    .unwrap()
                    .1
                    .best()
                    .unwrap()
                    .attributes
                    .as_path
                    .to_string(),
                "64637"
            );
        });
    });
}

#[test]
fn the_configuration_changes_in_place_for_the_present_neighbour_and_for_later_ones() {
    let Some((router, node, frr)) = link_to_frr("") else { return };
    node.with_runtime(|runtime| {
        let (speaker, handle) = uplink(runtime, |config| config);
        let status = found_and_established(&speaker, &handle);
        let peer = speaker.peer(status.peer.expect("the neighbour")).expect("a handle");
        let since = peer.status().since;
        let longer = |config: PeerConfig| config.hold_time(Duration::from_secs(6));
        let updated = runtime.block_on(handle.update_without_reset(by_lan0(longer))).unwrap();
        assert!(updated.changes.iter().any(|it| it.field == "hold_time"), "{updated:?}");
        assert!(!updated.reset && peer.status().since == since, "it is the same session");
        // Then the neighbour is another process with the same configuration.
        drop(frr);
        ended(&peer);
        let _frr = self::frr(&router, " neighbor lan0 password s3cret\n");
        let secret =
            |config: PeerConfig| config.hold_time(Duration::from_secs(6)).password("s3cret");
        runtime.block_on(handle.update(by_lan0(secret))).unwrap();
        found_and_established(&speaker, &handle);
        let terms = speaker.peers()[0].negotiated.clone().expect("a session");
        assert_eq!(terms.hold_time, Duration::from_secs(6), "the shorter of both");
        let elsewhere = InterfacePeer::new("eth7", RemoteAs::External);
        let refused = runtime.block_on(handle.update(elsewhere)).unwrap_err();
        assert_eq!(
            format!("{refused:#}"),
            "cannot look for a neighbour on the interface eth7: expected lan0, since a different \
             interface means a different peer"
        );
    });
}

#[test]
fn the_problem_that_prevents_the_search_is_reported_and_cleared() {
    if !requested() {
        return;
    }
    let lan = Lan::new();
    let node = lan.host("node", &["172.22.35.26/24"]);
    node.with_runtime(|runtime| {
        let speaker = runtime.block_on(builder(NODE_AS).start()).unwrap();
        let look = |interface: &str| {
            let _entered = runtime.enter();
            speaker.add_interface_peer(InterfacePeer::new(interface, RemoteAs::External)).unwrap()
        };
        let problem = |handle: &InterfaceHandle, expected: &str| {
            wait_until(SOON, expected, || match handle.status().problem {
                Some(text) if text.contains(expected) => Ok(()),
                other => Err(format!("{other:?}")),
            });
        };
        problem(&look("eth7"), "there is no interface eth7");
        let handle = look("lan0");
        problem(&handle, "the interface lan0 has no link-local address");
        node.ip("address add fe80::26/64 dev lan0 nodad");
        wait_until(SOON, "its end", || match handle.status().problem {
            Some(problem) => Err(problem),
            None => Ok(()),
        });
    });
}

/// A router with FRR and these additional options, and our node. `None` if interoperability tests are not enabled.
fn link_to_frr(options: &str) -> Option<(Host, Host, WrittenFrr)> {
    if !requested() {
        return None;
    }
    let (router, node) = Lan::new().unnumbered_router_and_node();
    let frr = frr(&router, options);
    Some((router, node, frr))
}

fn frr(host: &Host, more: &str) -> WrittenFrr {
    let bfdd = "bfd\n profile fast\n  receive-interval 300\n  transmit-interval 300\n  detect-multiplier 3\n exit\nexit\n";
    let bgpd = format!(
        "router bgp {}\n bgp router-id 172.22.35.1\n no bgp ebgp-requires-policy\n \
         no bgp network import-check\n neighbor lan0 interface remote-as external\n \
         neighbor lan0 timers connect 1\n{more} address-family ipv6 unicast\n  neighbor lan0 activate\n  \
         network fd99::/48\n exit-address-family\n address-family ipv4 unicast\n  network 10.9.0.0/16\n \
         exit-address-family\nexit\n",
        ROUTER_AS.0
    );
    WrittenFrr::start(host, bfdd, &bgpd)
}

fn builder(asn: Asn) -> bgp_session::SpeakerBuilder {
    let [.., high, low] = asn.0.to_be_bytes();
    Speaker::builder(asn, BgpIdentifier::new(10, 0, high, low))
}

/// Starts a speaker with a peer by interface. The previous listener may live on for a moment in a process that another test is
/// just starting, between its fork and its exec.
fn begin(
    runtime: &Runtime,
    asn: Asn,
    change: impl FnOnce(PeerConfig) -> PeerConfig,
) -> (Speaker, InterfaceHandle) {
    let listening = || builder(asn).listen("[::]:179".parse().unwrap());
    let speaker = wait_until(SOON, "port 179", || {
        runtime.block_on(listening().start()).map_err(|error| error.to_string())
    });
    let _entered = runtime.enter();
    let handle = speaker.add_interface_peer(by_lan0(change)).unwrap();
    (speaker, handle)
}

/// The neighbour at the other end of the link, with short pauses.
fn by_lan0(change: impl FnOnce(PeerConfig) -> PeerConfig) -> InterfacePeer {
    InterfacePeer::new("lan0", RemoteAs::External).config(|config| {
        let second = Duration::from_secs(1);
        let config = config.connect_retry(second).idle_hold(second / 10, second);
        change(config.import(Import::Keep))
    })
}

fn uplink(
    runtime: &Runtime,
    change: impl FnOnce(PeerConfig) -> PeerConfig,
) -> (Speaker, InterfaceHandle) {
    begin(runtime, NODE_AS, change)
}

fn found_and_established(speaker: &Speaker, handle: &InterfaceHandle) -> InterfaceStatus {
    wait_until(SOON, "a session with the neighbour", || {
        let status = handle.status();
        let peer =
            status.peer.and_then(|id| speaker.peer(id)).ok_or_else(|| format!("{status:?}"))?;
        let session = peer.status();
        if session.is_established() { Ok(status) } else { Err(format!("{session:?}")) }
    })
}

/// Waits until the table has routes to exactly these prefixes.
fn received(speaker: &Speaker, expected: &[&str]) {
    wait_until(SOON, &format!("{expected:?}"), || {
        let seen: Vec<String> = speaker.loc_rib().iter().map(|(p, _)| p.to_string()).collect();
        if seen == expected { Ok(()) } else { Err(format!("{seen:?} {:?}", speaker.peers())) }
    });
}

fn ended(peer: &PeerHandle) {
    wait_until(SOON, "the end", || match peer.status() {
        it if it.is_established() => Err(format!("{it:?}")),
        _ => Ok(()),
    });
}
