//! The harness tried on itself: the two daemons as each other's neighbours.
//!
//! When an interoperability test fails, this tells whether the daemons, the namespaces and the
//! reading of their answers still work on this machine.

use std::net::IpAddr;
use std::time::Duration;

use test_peers::{
    Bird, Frr, Lan, Neighbor, Originated, Router, RouterConfig, requested, wait_until,
};

const SOON: Duration = Duration::from_secs(30);
const BIRD: &str = "10.77.0.1";
const FRR: &str = "10.77.0.2";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn bird_and_frr_tell_of_each_other_what_they_were_configured_with() {
    if !requested() {
        return;
    }
    let lan = Lan::new();
    let bird_host = lan.host("bird", &["10.77.0.1/24", "fd77::1/64"]);
    let frr_host = lan.host("frr", &["10.77.0.2/24", "fd77::2/64"]);
    let config = RouterConfig::new(BIRD, 64501)
        .hold_time(30)
        .neighbor(Neighbor::new(FRR, 64502))
        .route(Originated::new("10.1.0.0/16").community(64501, 7).community(65535, 65281))
        .route(Originated::new("fd01::/48"));
    let mut bird = Bird::start(&bird_host, config);
    let config = RouterConfig::new(FRR, 64502)
        .neighbor(Neighbor::new(BIRD, 64501))
        .route(Originated::new("10.2.0.0/16").community(64502, 9))
        .route(Originated::new("fd02::/48").community(64502, 10));
    let mut frr = Frr::start(&frr_host, config);

    let at_bird = wait_until(SOON, "the session at BIRD", || bird.established(address(FRR)));
    let at_frr = wait_until(SOON, "the session at FRR", || frr.established(address(BIRD)));
    assert_eq!((at_bird.hold_time, at_frr.hold_time), (Some(30), Some(30)));

    let path =
        wait_until(SOON, "BIRD's route at FRR", || frr.path_count("10.1.0.0/16", 1)).remove(0);
    assert_eq!((path.from, path.next_hop), (address(BIRD), address(BIRD)));
    assert_eq!(path.as_path, [64501]);
    assert_eq!(path.communities, [(64501, 7), (65535, 65281)]);
    assert!(path.used, "the only path is the best: {path:?}");
    let path = wait_until(SOON, "BIRD's IPv6 route", || frr.path_count("fd01::/48", 1)).remove(0);
    assert_eq!(path.next_hop, address("fd77::1"));

    let path =
        wait_until(SOON, "FRR's route at BIRD", || bird.path_count("10.2.0.0/16", 1)).remove(0);
    assert_eq!((path.from, path.next_hop, path.local_pref), (address(FRR), address(FRR), None));
    assert_eq!((path.as_path, path.communities), (vec![64502], vec![(64502, 9)]));
    let path = wait_until(SOON, "FRR's IPv6 route", || bird.path_count("fd02::/48", 1)).remove(0);
    assert_eq!(path.next_hop, address("fd77::2"));

    for prefixes in [bird.prefixes(), frr.prefixes()] {
        assert_eq!(prefixes.unwrap(), ["10.1.0.0/16", "10.2.0.0/16", "fd01::/48", "fd02::/48"]);
    }

    frr.set_routes(vec![Originated::new("10.3.0.0/16")]);
    wait_until(SOON, "the new route", || bird.path_count("10.3.0.0/16", 1));
    wait_until(SOON, "the end of the old one", || bird.path_count("10.2.0.0/16", 0));

    bird.stop();
    let ended = wait_until(SOON, "FRR's word of the end", || {
        let session = frr.session(address(BIRD))?;
        if session.last_error.is_empty() { Err(format!("{session:?}")) } else { Ok(session) }
    });
    assert!(ended.last_error.contains("Administrative Shutdown"), "{ended:?}");
    bird.start_again();
    wait_until(SOON, "the session once more", || bird.established(address(FRR)));
    wait_until(SOON, "BIRD's route once more", || frr.path_count("10.1.0.0/16", 1));

    frr.configure(&["router bgp 64502", "neighbor 10.77.0.1 shutdown message maintenance"])
        .unwrap();
    let ended = wait_until(SOON, "BIRD's word of the end", || {
        let session = bird.session(address(FRR))?;
        if session.state == "Established" { Err(format!("{session:?}")) } else { Ok(session) }
    });
    assert!(ended.last_error.contains("maintenance"), "{ended:?}");
}

#[test]
fn an_unplugged_host_hears_nothing_until_it_is_plugged_in() {
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
