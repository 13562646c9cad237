//! Tests of sessions: they come up, stay up and end.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::net::Net;
use super::secs;
use crate::fsm::{ConnectMode, DownReason, Refusal, StateKind, TransportError};
use crate::peer::{Endpoints, Output, Peer};
use crate::wire::{CeaseSubcode, ErrorCode, Notification, Open};
use crate::{AfiSafi, Asn, BgpIdentifier, Direction};

fn up() -> Net {
    let mut net = Net::new(Net::configs(), 1);
    net.bring_up();
    net
}

fn downs(net: &Net, i: usize) -> Vec<&DownReason> {
    net.nodes[i]
        .log
        .iter()
        .filter_map(|output| match output {
            Output::Down(reason) => Some(reason),
            _ => None,
        })
        .collect()
}

#[test]
fn two_peers_come_up_and_agree_on_everything() {
    let net = up();
    for i in 0..2 {
        let agreed = net.nodes[i].peer.negotiated().expect("a session");
        assert!(agreed.four_octet_as && agreed.route_refresh);
        assert_eq!(agreed.families, [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST]);
        assert_eq!(agreed.hold_time, secs(90));
    }
    assert_eq!(net.nodes[0].peer.negotiated().expect("a session").remote_asn, Asn(64635));
}

#[test]
fn a_session_lives_for_a_day_on_keepalives() {
    let mut net = up();
    net.run(secs(24 * 3600));
    assert!(net.is_up());
    assert_eq!(net.nodes[0].peer.stats().established_transitions, 1);
    let keepalives = net.nodes[0].peer.stats().received.keepalive;
    assert!((2880..=3840).contains(&keepalives), "one every 22.5 to 30 s: {keepalives}");
}

#[test]
fn a_cut_wire_ends_the_session_by_the_hold_timer_and_a_healed_one_brings_it_back_soon() {
    let mut net = up();
    net.cut = true;
    net.run(secs(91));
    assert!(!net.is_up());
    let hold = Notification::hold_timer_expired();
    assert_eq!(downs(&net, 0), [&DownReason::Local(hold)]);
    net.run(secs(3600));
    net.cut = false;
    net.run_until_up(secs(10));
}

#[test]
fn an_administrative_shutdown_reaches_the_peer_in_its_words() {
    let mut net = up();
    let cease = Notification::cease_with_message(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN, "upgrade");
    net.mutate(0, |peer, now| peer.stop(now, cease.clone()));
    net.run(secs(1));
    assert_eq!(net.nodes[0].peer.state(), StateKind::Idle);
    assert_eq!(net.nodes[0].peer.poll_timeout(), None);
    assert_eq!(downs(&net, 0), [&DownReason::Local(cease.clone())]);
    assert_eq!(downs(&net, 1), [&DownReason::Remote(cease)]);
    assert!(downs(&net, 1)[0].to_string().contains("upgrade"));
}

#[test]
fn a_stopped_peer_refuses_connections_until_it_is_started_again() {
    let mut net = up();
    net.mutate(0, |peer, now| {
        peer.stop(now, Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN));
    });
    net.run(secs(300));
    assert!(net.states().iter().all(|state| *state < StateKind::OpenSent));
    net.mutate(0, |peer, now| peer.start(now));
    net.run_until_up(secs(10));
}

#[test]
fn a_passive_peer_waits_in_active_and_is_reached_by_the_other() {
    let mut configs = Net::configs();
    configs[0].fsm.connect_mode = ConnectMode::Passive;
    let mut net = Net::new(configs, 1);
    net.mutate(0, |peer, now| peer.start(now));
    net.run(secs(600));
    assert_eq!(net.nodes[0].peer.state(), StateKind::Active);
    net.mutate(1, |peer, now| peer.start(now));
    net.run_until_up(secs(5));
    assert!(!net.nodes[0].log.contains(&Output::Connect));
}

#[test]
fn a_connection_whose_peer_is_gone_does_not_keep_the_next_one_out() {
    let mut configs = Net::configs();
    configs[0].fsm.connect_mode = ConnectMode::Passive;
    let mut net = Net::new(configs, 1);
    net.mutate(0, |peer, now| peer.start(now));
    for _ in 0..3 {
        net.dial_and_vanish(0);
        assert_eq!(net.nodes[0].peer.state(), StateKind::OpenSent);
    }
    net.mutate(1, |peer, now| peer.start(now));
    net.run(Duration::from_millis(200));
    assert!(net.is_up(), "{:?}", net.states());

    let connections = net.nodes[0].peer.stats().sent.open;
    net.dial_and_vanish(0);
    net.run(secs(1));
    assert!(net.is_up(), "an Established one stays");
    assert_eq!(net.nodes[0].peer.stats().sent.open, connections);
}

#[test]
fn the_start_of_a_peer_with_a_session_changes_nothing() {
    for seed in 0..10 {
        let mut net = Net::new(Net::configs(), seed);
        net.start();
        net.run_until_up(secs(10));
        net.run(secs(1));
        let reported = [0, 1].map(|i| net.nodes[i].log.len());
        net.start();
        net.run(secs(20));
        assert_eq!([0, 1].map(|i| net.nodes[i].log.len()), reported, "seed {seed}");
    }
}

#[test]
fn a_stranger_at_the_address_of_the_peer_does_not_end_its_attempt() {
    let [config, _] = Net::configs();
    let now = Net::new(Net::configs(), 1).now;
    let mut peer = Peer::new(config);
    peer.start(now);
    let at = |address: &str| address.parse().expect("an address");
    let endpoints = Endpoints { local: at("10.0.0.1:179"), remote: at("10.0.0.2:40000") };
    for direction in [Direction::Outgoing, Direction::Incoming] {
        peer.connected(now, direction, endpoints).expect("wanted");
    }
    // The stranger's identifier is higher, so the incoming connection would win.
    let stranger = Open::new(Asn(65000), 90, BgpIdentifier(Ipv4Addr::new(10, 0, 0, 9)), vec![]);
    stranger.encode(peer.read_buffer(Direction::Incoming));
    peer.received(now, Direction::Incoming);
    assert_eq!(peer.outgoing.fsm.state(), StateKind::OpenSent);
    let refused = std::iter::from_fn(|| peer.poll_output()).any(|output| {
        matches!(output, Output::Failed(DownReason::Refused(Refusal::WrongAs { .. })))
    });
    assert!(refused, "and is told so");
}

#[test]
fn a_wrong_as_is_refused_at_growing_intervals() {
    let mut configs = Net::configs();
    configs[0].fsm.remote_as = Asn(65000).into();
    configs[1].fsm.connect_mode = ConnectMode::Passive;
    let mut net = Net::new(configs, 1);
    net.start();
    net.run(secs(600));
    let refusals = net.nodes[0]
        .log
        .iter()
        .filter(|output| {
            matches!(output, Output::Failed(DownReason::Refused(Refusal::WrongAs { .. })))
        })
        .count();
    assert!((12..=20).contains(&refusals), "1, 2, 4 .. 60 s apart: {refusals}");
    assert!(downs(&net, 0).is_empty(), "a session that never was is not lost");
}

#[test]
fn garbage_ends_the_session_with_a_header_error_and_it_comes_back() {
    let mut net = up();
    net.inject(0, &[0; 19]);
    net.run(Duration::from_millis(100));
    let [DownReason::Remote(notification)] = downs(&net, 1)[..] else { panic!("one end") };
    assert_eq!((notification.code, notification.subcode), (ErrorCode::MESSAGE_HEADER, 1));
    net.run_until_up(secs(5));
}

#[test]
fn messages_split_anywhere_are_understood() {
    let mut net = up();
    let keepalive = [&[0xff; 16][..], &[0, 19, 4]].concat();
    let before = net.nodes[0].peer.stats().received.keepalive;
    for octet in keepalive.iter().chain(&keepalive) {
        net.inject(0, &[*octet]);
    }
    net.inject(0, &[keepalive.clone(), keepalive.clone(), keepalive].concat());
    assert_eq!(net.nodes[0].peer.stats().received.keepalive, before + 5);
    assert!(net.is_up());
}

#[test]
fn a_hanging_process_loses_its_session_only_at_the_other_end_and_recovers() {
    let mut net = up();
    net.nodes[1].stalled = true;
    net.run(secs(200));
    let [DownReason::Local(notification)] = downs(&net, 1)[..] else { panic!("one end") };
    assert_eq!(notification.code, ErrorCode::HOLD_TIMER_EXPIRED);
    net.nodes[1].stalled = false;
    net.run_until_up(secs(20));
}

#[test]
fn a_refused_connection_is_reported_as_such() {
    let mut net = Net::new(Net::configs(), 1);
    net.mutate(0, |peer, now| peer.start(now));
    net.run(secs(3));
    let refused = Output::Failed(DownReason::Transport(TransportError::Refused));
    assert!(net.nodes[0].log.contains(&refused));
}

#[test]
fn octets_for_a_connection_that_is_not_there_reach_no_other() {
    let mut net = up();
    let outgoing = net.nodes[0].outgoing.is_some();
    let (used, unused) = if outgoing {
        (Direction::Outgoing, Direction::Incoming)
    } else {
        (Direction::Incoming, Direction::Outgoing)
    };
    // Half a header waits on the current connection.
    net.nodes[0].peer.read_buffer(used).extend_from_slice(&[0xff; 10]);
    net.mutate(0, |peer, now| peer.received(now, used));
    net.nodes[0].peer.read_buffer(unused).extend_from_slice(&[0; 30]);
    net.mutate(0, |peer, now| peer.received(now, unused));
    assert!(net.nodes[0].peer.read_buffer(unused).is_empty());
    assert_eq!(net.nodes[0].peer.read_buffer(used).as_ref(), [0xff; 10]);
    assert!(net.is_up());
}
