//! A self-test of the harness: BIRD as the neighbour of each other daemon.
//!
//! When an interoperability test fails, this shows whether the daemons, the namespaces and the
//! parsing of their output still work on this machine.

use std::net::IpAddr;
use std::time::Duration;

use test_peers::{
    Bird, Exabgp, Frr, Gobgp, Lan, Neighbor, Openbgpd, Originated, Path, Router, RouterConfig,
    requested, wait_until,
};

const SOON: Duration = Duration::from_secs(30);
const BIRD: &str = "10.77.0.1";
const OTHER: &str = "10.77.0.2";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn bird_and_frr_report_the_configured_session() {
    bird_and_another_report_the_session::<Frr>();
}

#[test]
fn bird_and_gobgp_report_the_configured_session() {
    bird_and_another_report_the_session::<Gobgp>();
}

#[test]
fn bird_and_exabgp_report_the_configured_session() {
    bird_and_another_report_the_session::<Exabgp>();
}

#[test]
fn bird_and_openbgpd_report_the_configured_session() {
    bird_and_another_report_the_session::<Openbgpd>();
}

fn bird_and_another_report_the_session<R: Router>() {
    if !requested() {
        return;
    }
    let lan = Lan::new();
    let bird_host = lan.host("bird", &["10.77.0.1/24", "fd77::1/64"]);
    let other_host = lan.host("other", &["10.77.0.2/24", "fd77::2/64"]);
    let config = RouterConfig::new(BIRD, 64501)
        .hold_time(30)
        .neighbor(Neighbor::new(OTHER, 64502))
        .route(
            Originated::new("10.1.0.0/16")
                .community(64501, 7)
                .community(65535, 65281)
                .large_community(4_200_000_001, 1, 4_294_967_295)
                .route_target(64501, 100_000),
        )
        .route(Originated::new("fd01::/48"));
    let mut bird = Bird::start(&bird_host, config);
    let config = RouterConfig::new(OTHER, 64502)
        .neighbor(Neighbor::new(BIRD, 64501))
        .route(
            Originated::new("10.2.0.0/16")
                .community(64502, 9)
                .large_community(4_200_000_002, 30, 40)
                .route_target(64502, 8),
        )
        .route(Originated::new("fd02::/48").community(64502, 10));
    let mut other = R::start(&other_host, config);

    let at_bird = wait_until(SOON, "the session at BIRD", || bird.established(address(OTHER)));
    let there = wait_until(SOON, "the session there", || other.established(address(BIRD)));
    assert_eq!((at_bird.hold_time, there.hold_time), (Some(30), Some(30)));

    let path = only_path(&other, "10.1.0.0/16");
    assert_eq!((path.from, path.next_hop), (address(BIRD), address(BIRD)));
    assert_eq!(path.as_path, [64501]);
    assert_eq!(path.communities, [(64501, 7), (65535, 65281)]);
    assert_eq!(path.large_communities, [(4_200_000_001, 1, 4_294_967_295)]);
    assert_eq!(path.route_targets, [(64501, 100_000)]);
    assert!(path.used, "the only path is the best: {path:?}");
    assert_eq!(only_path(&other, "fd01::/48").next_hop, address("fd77::1"));

    let path = only_path(&bird, "10.2.0.0/16");
    assert_eq!((path.from, path.next_hop, path.local_pref), (address(OTHER), address(OTHER), None));
    assert_eq!((path.as_path, path.communities), (vec![64502], vec![(64502, 9)]));
    assert_eq!(path.large_communities, [(4_200_000_002, 30, 40)]);
    assert_eq!(path.route_targets, [(64502, 8)]);
    let path = only_path(&bird, "fd02::/48");
    assert_eq!((path.next_hop, path.communities), (address("fd77::2"), vec![(64502, 10)]));

    assert_eq!((bird.accepted(address(OTHER)), other.accepted(address(BIRD))), (Ok(2), Ok(2)));
    assert!(bird.uptime(address(OTHER)).unwrap() < SOON);
    assert!(!bird.daemon().process_ids().is_empty() && !other.daemon().process_ids().is_empty());
    for version in [Bird::version(), R::version()] {
        assert!(version.is_some_and(|version| version.contains('.')));
    }

    for prefixes in [bird.prefixes(), other.prefixes()] {
        assert_eq!(prefixes.unwrap(), ["10.1.0.0/16", "10.2.0.0/16", "fd01::/48", "fd02::/48"]);
    }

    other.set_routes(vec![Originated::new("10.3.0.0/16")]);
    only_path(&bird, "10.3.0.0/16");
    wait_until(SOON, "the end of the old one", || bird.path_count("10.2.0.0/16", 0));
    other.ask_for_refresh(address(BIRD)).unwrap();
    bird.ask_for_refresh(address(OTHER)).unwrap();
    bird.established(address(OTHER)).expect("a session that a refresh does not end");

    bird.stop();
    wait_until(SOON, "the end of BIRD's route", || other.path_count("10.1.0.0/16", 0));
    let ended = other.session(address(BIRD)).unwrap();
    let words = ended.last_error.to_lowercase();
    // ExaBGP and GoBGP may see the end of the connection before they have read why.
    let expected: &[&str] = match R::NAME {
        name if name == Exabgp::NAME => &["peer reset"],
        name if name == Gobgp::NAME => &["administrative", "read-failed"],
        _ => &["administrative"],
    };
    assert!(expected.iter().any(|expected| words.contains(expected)), "{ended:?}");
    bird.start_again();
    only_path(&other, "10.1.0.0/16");
    only_path(&bird, "10.3.0.0/16");

    other.kill();
    wait_until(SOON, "BIRD's word of the loss", || lost(&bird));
    other.start_again();
    wait_until(SOON, "the session after a kill", || bird.established(address(OTHER)));
    only_path(&bird, "10.3.0.0/16");

    if R::NAME == Exabgp::NAME {
        // This daemon ends an established session when another connection collides with it, and loses the command:
        // BIRD opens its own connection within a second.
        std::thread::sleep(Duration::from_secs(2));
        wait_until(SOON, "a session that stays", || bird.established(address(OTHER)));
    }
    only_path(&other, "10.1.0.0/16");
    other.established(address(BIRD)).expect("a session to end");
    other.shut_down(address(BIRD), "maintenance").unwrap();
    let expected = if R::NAME == Exabgp::NAME { "Administrative shutdown" } else { "maintenance" };
    // Not the last line about the session, because the daemon keeps dialling in vain.
    wait_until(SOON, "BIRD's word of the end", || {
        let log = bird.log();
        if log.contains(expected) { Ok(()) } else { Err(log) }
    });
}

/// Fails unless the session at BIRD is down.
fn lost(bird: &Bird) -> Result<(), String> {
    let session = bird.session(address(OTHER))?;
    if session.state == "Established" { Err(format!("{session:?}")) } else { Ok(()) }
}

fn only_path<R: Router>(router: &R, prefix: &str) -> Path {
    wait_until(SOON, &format!("one path at {}", R::NAME), || router.path_count(prefix, 1)).remove(0)
}

#[test]
fn an_unplugged_host_receives_nothing_until_it_is_plugged_in() {
    if !requested() {
        return;
    }
    let lan = Lan::new();
    let one = lan.host("one", &["10.77.0.1/24"]);
    let two = lan.host("two", &["10.77.0.2/24"]);
    let listener = one.enter(|| std::net::TcpListener::bind("10.77.0.1:179")).unwrap();
    let target = listener.local_addr().unwrap();
    let dial = |limit| two.enter(|| std::net::TcpStream::connect_timeout(&target, limit));
    dial(SOON).expect("a connection over the LAN");
    one.unplug();
    let error = dial(Duration::from_millis(300)).expect_err("no connection");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    one.plug();
    dial(SOON).expect("a connection over the LAN again");
}
