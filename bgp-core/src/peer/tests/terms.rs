//! Tests of the values that both ends negotiate and that an operator changes: AS numbers, roles, limits, configurations.

use std::time::Duration;

use super::net::Net;
use super::secs;
use crate::fsm::{
    ConnectMode, DownReason, EndedBy, LocalAs, ReceivedPath, Refusal, RemoteAs, RoleConfig,
    SentPath, StateKind, Timer, TransportError,
};
use crate::peer::{
    ConnectionRefused, Endpoints, Exceeded, Import, Output, Peer, PeerSettings, PrefixLimit,
    PrefixLimits,
};
use crate::rib::{Route, RouteSet};
use crate::wire::{CeaseSubcode, Notification, Role};
use crate::{AfiSafi, Asn, Direction};

fn up_with(change: impl FnOnce(&mut [PeerSettings; 2])) -> Net {
    let mut configs = Net::configs();
    change(&mut configs);
    let mut net = Net::new(configs, 1);
    net.start();
    net.run(secs(2));
    net
}

fn hosts(count: u8) -> RouteSet {
    (0..count).map(|n| Route::new(format!("10.0.0.{n}/32").parse().expect("a prefix"))).collect()
}

fn failures(net: &Net, i: usize) -> Vec<&DownReason> {
    let log = net.nodes[i].log.iter();
    log.filter_map(|output| match output {
        Output::Failed(reason) => Some(reason),
        _ => None,
    })
    .collect()
}

#[test]
fn a_peer_in_any_external_as_is_accepted_and_one_in_ours_is_refused() {
    let net = up_with(|configs| configs[0].fsm.remote_as = RemoteAs::External);
    assert!(net.is_up());
    assert_eq!(net.nodes[0].peer.negotiated().expect("a session").remote_asn, Asn(64635));

    let net = up_with(|configs| {
        configs[0].fsm.remote_as = RemoteAs::External;
        (configs[1].fsm.local_asn, configs[1].fsm.remote_as) = (Asn(64636), RemoteAs::Any);
    });
    assert!(!net.is_up());
    let reason = failures(&net, 0)[0];
    assert_eq!(
        reason.to_string(),
        "refused by us: the peer is in AS 64636, expected an AS other than ours"
    );
    assert_eq!(reason.ended_by(), EndedBy::Us);
    assert_eq!(reason.notification().map(|it| (it.code.0, it.subcode)), Some((2, 2)));
}

#[test]
fn a_wrong_as_is_reported_with_both_numbers() {
    let net = up_with(|configs| configs[0].fsm.remote_as = Asn(65000).into());
    let expected =
        Refusal::WrongAs { expected: Asn(65000).into(), local: Asn(64636), received: Asn(64635) };
    assert!(failures(&net, 0).contains(&&DownReason::Refused(expected)));
    assert!(failures(&net, 1).iter().any(|reason| reason.ended_by() == EndedBy::Peer));
}

#[test]
fn the_paths_of_a_dynamic_peer_begin_with_the_as_of_its_open() {
    let mut net = up_with(|configs| {
        (configs[1].fsm.remote_as, configs[1].import) = (RemoteAs::Any, Import::Keep);
    });
    net.mutate(0, |peer, _| peer.set_routes(&hosts(2)));
    net.run(secs(1));
    assert_eq!(net.nodes[1].peer.adj_rib_in().len(), 2);
}

#[test]
fn roles_that_fit_are_known_to_both_ends_and_others_refused() {
    let with = |a: Role, b: Role| {
        up_with(|configs| {
            configs[0].fsm.role = Some(RoleConfig::new(a));
            configs[1].fsm.role = Some(RoleConfig::new(b));
        })
    };
    let net = with(Role::CUSTOMER, Role::PROVIDER);
    let agreed = net.nodes[0].peer.negotiated().expect("a session");
    assert_eq!(
        (agreed.local_role, agreed.remote_role),
        (Some(Role::CUSTOMER), Some(Role::PROVIDER))
    );
    let net = with(Role::CUSTOMER, Role::CUSTOMER);
    assert!(!net.is_up());
    let told = [0, 1].into_iter().flat_map(|i| failures(&net, i));
    assert!(told.filter_map(DownReason::notification).any(|it| (it.code.0, it.subcode) == (2, 11)));
}

#[test]
fn a_local_as_is_seen_in_paths_as_configured() {
    for (sent, received, expected) in [
        (SentPath::BothAses, ReceivedPath::AsReceived, "64636 65100"),
        (SentPath::LocalAsAlone, ReceivedPath::AsReceived, "64636"),
    ] {
        let mut net = up_with(|configs| {
            let local_as = LocalAs { speaker_asn: Asn(65100), sent, received };
            configs[0].fsm.local_as = Some(local_as);
            configs[1].import = Import::Keep;
        });
        net.mutate(0, |peer, _| peer.set_routes(&hosts(1)));
        net.run(secs(1));
        let (_, attributes) = net.nodes[1].peer.adj_rib_in().iter().next().expect("a route");
        assert_eq!(attributes.as_path.to_string(), expected);
    }
    for (received, expected) in
        [(ReceivedPath::WithLocalAs, "64636 64635"), (ReceivedPath::AsReceived, "64635")]
    {
        let mut net = up_with(|configs| {
            let sent = SentPath::BothAses;
            configs[0].fsm.local_as = Some(LocalAs { speaker_asn: Asn(65100), sent, received });
            configs[0].import = Import::Keep;
        });
        let looped = Route::new("10.1.0.0/16".parse().expect("a prefix"));
        let mut through_us = crate::wire::PathAttributes::default();
        through_us.as_path.prepend(Asn(65100), 1);
        let looped = Route::with_attributes(looped.prefix(), through_us.into());
        net.mutate(1, |peer, _| peer.set_routes(&hosts(1)));
        net.mutate(1, |peer, _| peer.announce(&looped));
        net.run(secs(1));
        let held: Vec<_> = net.nodes[0].peer.adj_rib_in().iter().collect();
        assert_eq!(held.len(), 1, "the speaker's own AS in a path is a loop too");
        assert_eq!(held[0].1.as_path.to_string(), expected);
    }
}

/// A session in which node 1 accepts this number of prefixes.
fn limited(limit: PrefixLimit) -> Net {
    up_with(|configs| {
        configs[1].import = Import::Keep;
        configs[1].maximum_prefixes = PrefixLimits::each(limit);
    })
}

#[test]
fn a_warning_comes_once_before_the_limit_and_again_when_the_number_has_fallen() {
    let mut net = limited(PrefixLimit::new(10));
    for (count, warnings) in [(6, 0), (7, 1), (9, 1), (3, 1), (8, 2), (10, 2)] {
        net.mutate(0, |peer, _| peer.set_routes(&hosts(count)));
        net.run(secs(1));
        let warned = |output: &&Output| matches!(output, Output::PrefixWarning { limit: 10, .. });
        assert_eq!(net.nodes[1].log.iter().filter(warned).count(), warnings, "{count} prefixes");
    }
    assert!(net.is_up(), "ten are as many as there may be");
}

#[test]
fn beyond_the_limit_the_session_ends_and_stays_away_for_the_pause() {
    let exceeded = Exceeded::Restart(secs(600));
    let mut net = limited(PrefixLimit { exceeded, ..PrefixLimit::new(5) });
    net.mutate(0, |peer, _| peer.set_routes(&hosts(6)));
    net.run(secs(1));
    let cease = Notification::maximum_prefixes(AfiSafi::IPV4_UNICAST, 5);
    assert!(net.nodes[1].log.contains(&Output::Down(DownReason::Local(cease.clone()))));
    assert!(net.nodes[0].log.contains(&Output::Down(DownReason::Remote(cease))));
    assert!(net.nodes[1].peer.is_paused());
    net.mutate(0, |peer, _| peer.set_routes(&hosts(4)));
    net.run(secs(590));
    assert_eq!(net.nodes[1].peer.state(), StateKind::Idle);
    assert_eq!(net.nodes[1].peer.stats().established_transitions, 1, "neither end gets a session");
    net.run_until_up(secs(20));
}

#[test]
fn a_limit_may_stop_the_peer_until_the_operator_starts_it_or_only_warn() {
    let mut net = limited(PrefixLimit { exceeded: Exceeded::Stop, ..PrefixLimit::new(5) });
    net.mutate(0, |peer, _| peer.set_routes(&hosts(6)));
    net.run(secs(24 * 3600));
    assert_eq!(net.nodes[1].peer.state(), StateKind::Idle);
    assert_eq!(net.nodes[1].peer.poll_timeout(), None);
    net.mutate(0, |peer, _| peer.set_routes(&hosts(5)));
    net.mutate(1, Peer::start);
    net.run_until_up(secs(10));

    let mut net = limited(PrefixLimit { exceeded: Exceeded::Warn, ..PrefixLimit::new(5) });
    net.mutate(0, |peer, _| peer.set_routes(&hosts(6)));
    net.run(secs(1));
    assert!(net.is_up());
    assert_eq!(net.nodes[1].peer.adj_rib_in().len(), 6);
}

#[test]
fn a_second_connection_brings_no_session_into_the_pause() {
    let mut net = up_with(|configs| {
        configs[0].fsm.connect_mode = ConnectMode::Passive;
        configs[1].import = Import::Keep;
    });
    net.mutate(0, |peer, _| peer.set_routes(&hosts(6)));
    net.run(secs(1));
    net.dial_and_vanish(1);
    assert_eq!(net.open_connections(1), 2);
    net.mutate(1, |peer, now| {
        let mut config = peer.settings().clone();
        let exceeded = Exceeded::Restart(secs(600));
        config.maximum_prefixes =
            PrefixLimits::each(PrefixLimit { exceeded, ..PrefixLimit::new(5) });
        peer.reconfigure(now, config);
    });
    assert!(net.nodes[1].peer.is_paused());
    assert_eq!((net.nodes[1].peer.state(), net.open_connections(1)), (StateKind::Idle, 0));
}

#[test]
fn each_family_is_counted_on_its_own() {
    let mut net = up_with(|configs| {
        configs[1].import = Import::Keep;
        let limits = PrefixLimits::each(100).family(AfiSafi::IPV6_UNICAST, 1);
        configs[1].maximum_prefixes = limits;
    });
    net.mutate(0, |peer, _| peer.set_routes(&hosts(50)));
    net.run(secs(1));
    assert!(net.is_up());
    let next_hop: std::net::IpAddr = "2001:db8::1".parse().expect("an address");
    for prefix in ["2001:db8:1::/64", "2001:db8:2::/64"] {
        let route = Route::new(prefix.parse().expect("a prefix")).next_hop(next_hop);
        net.mutate(0, |peer, _| peer.announce(&route));
        net.run(Duration::from_millis(50));
    }
    let cease = Notification::maximum_prefixes(AfiSafi::IPV6_UNICAST, 1);
    assert!(net.nodes[1].log.contains(&Output::Down(DownReason::Local(cease))));
}

#[test]
fn a_peer_that_stops_reading_is_ended_by_the_send_hold_timer() {
    let mut net = up_with(|configs| configs[0].fsm.send_hold_time = Some(secs(20)));
    net.run(secs(5));
    net.nodes[1].stalled = true;
    let began = net.now;
    let routes = (0..2_000).map(|n| {
        let prefix = ipnet::Ipv4Net::new_assert((0x0a00_0000 | n).into(), 32);
        Route::new(prefix.into()).med(n)
    });
    let routes: RouteSet = routes.collect();
    net.mutate(0, |peer, _| peer.set_routes(&routes));
    let composed = net.nodes[0].peer.stats().prefixes_announced_out;
    assert!(composed < 400, "what the socket takes, and no more: {composed}");
    net.run(secs(20) - Duration::from_millis(1));
    assert!(net.is_up());
    net.run(Duration::from_millis(1));
    assert_eq!(net.now, began + secs(20));
    let reason = DownReason::Local(Notification::send_hold_timer_expired());
    assert!(reason.to_string().ends_with("the peer has stopped reading"), "{reason}");
    assert!(net.nodes[0].log.contains(&Output::Down(reason)));
}

#[test]
fn the_send_hold_time_is_twice_a_long_hold_time_and_off_without_one_or_by_configuration() {
    for (hold, send_hold, expected) in [
        (3600, None, Some(secs(7200))),
        (90, None, Some(secs(480))),
        (0, None, None),
        (0, Some(secs(10)), None),
        (90, Some(Duration::ZERO), None),
    ] {
        let mut net = up_with(|configs| {
            for config in configs.iter_mut() {
                (config.fsm.hold_time, config.fsm.send_hold_time) = (secs(hold), send_hold);
            }
        });
        let (direction, now) = (session_direction(&net, 0), net.now);
        let peer = &mut net.nodes[0].peer;
        peer.send_blocked(now, direction);
        let fsm = &peer.connection(direction).expect("the session").fsm;
        let runs = fsm.deadline(Timer::SendHold).map(|at| at.duration_since(now));
        assert_eq!(runs, expected, "hold time {hold}, {send_hold:?}");
    }
}

fn session_direction(net: &Net, i: usize) -> Direction {
    net.nodes[i].peer.established().expect("a session")
}

#[test]
fn a_reset_says_so_and_brings_the_session_back_at_once() {
    let mut net = up_with(|_| {});
    net.run(secs(60));
    let cease = Notification::cease_with_message(CeaseSubcode::ADMINISTRATIVE_RESET, "new filter");
    net.mutate(0, |peer, now| peer.reset(now, cease.clone()));
    net.run(secs(2));
    assert!(net.is_up(), "{:?}", net.states());
    assert!(net.nodes[1].log.contains(&Output::Down(DownReason::Remote(cease))));
    assert_eq!(net.nodes[0].peer.stats().established_transitions, 2);

    let stop = Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN);
    net.mutate(0, |peer, now| peer.stop(now, stop.clone()));
    net.mutate(0, |peer, now| peer.reset(now, stop));
    net.run(secs(60));
    assert_eq!(net.nodes[0].peer.state(), StateKind::Idle, "a stopped peer stays so");
}

#[test]
fn a_new_configuration_keeps_the_session_and_applies_to_the_next() {
    let mut net = up_with(|_| {});
    let mut config = net.nodes[0].peer.settings().clone();
    config.fsm.hold_time = secs(9);
    net.mutate(0, |peer, now| peer.reconfigure(now, config.clone()));
    net.run(secs(120));
    let hold_time = |net: &Net| net.nodes[0].peer.negotiated().map(|it| it.hold_time);
    assert_eq!(hold_time(&net), Some(secs(90)));
    assert_eq!(net.nodes[0].peer.stats().sessions_lost, 0);
    let cease = Notification::cease(CeaseSubcode::OTHER_CONFIGURATION_CHANGE);
    net.mutate(0, |peer, now| peer.reset(now, cease));
    net.run(secs(2));
    assert_eq!(hold_time(&net), Some(secs(9)));
}

#[test]
fn a_new_configuration_restarts_an_attempt() {
    // Neither end dials until one is configured to.
    let mut net = up_with(|configs| {
        configs[0].fsm.connect_mode = ConnectMode::Passive;
        configs[1].fsm.connect_mode = ConnectMode::Passive;
    });
    assert_eq!(net.states(), [StateKind::Active; 2]);
    let mut config = net.nodes[0].peer.settings().clone();
    config.fsm.connect_mode = ConnectMode::Active;
    net.mutate(0, |peer, now| peer.reconfigure(now, config));
    net.run(secs(1));
    assert!(net.is_up());
}

#[test]
fn a_peer_that_is_only_dialled_refuses_its_connections() {
    let net = up_with(|configs| {
        configs[0].fsm.connect_mode = ConnectMode::Active;
    });
    assert!(net.is_up());
    let mut peer = Peer::new({
        let [mut config, _] = Net::configs();
        config.fsm.connect_mode = ConnectMode::Active;
        config
    });
    peer.start(net.now);
    let at = |address: &str| address.parse().expect("an address");
    let endpoints = Endpoints { local: at("10.0.0.1:179"), remote: at("10.0.0.2:40000") };
    let answer = peer.connected(net.now, Direction::Incoming, endpoints);
    assert_eq!(answer, Err(ConnectionRefused::NotAwaited));
}

#[test]
fn a_session_takes_part_in_a_collision_only_if_it_is_configured_to() {
    for (detect, expected) in [(false, 1), (true, 2)] {
        let mut configs = Net::configs();
        // Node 1 has the higher identifier, so its connection wins.
        configs[0].collision_detect_established_state = detect;
        let now = Net::new(configs.clone(), 1).now;
        let mut peer = Peer::new(configs[0].clone());
        let at = |address: &str| address.parse().expect("an address");
        let endpoints = Endpoints { local: at("10.0.0.1:179"), remote: at("10.0.0.2:179") };
        peer.start(now);
        for direction in [Direction::Outgoing, Direction::Incoming] {
            peer.connected(now, direction, endpoints).expect("wanted");
            let open =
                crate::wire::Open::new(Asn(64635), 90, configs[1].fsm.local_identifier, vec![]);
            open.encode(peer.read_buffer(direction));
            crate::wire::encode_keepalive(peer.read_buffer(direction));
            peer.received(now, direction);
        }
        assert_eq!(peer.stats().established_transitions, expected, "detected: {detect}");
        assert_eq!(peer.state(), StateKind::Established);
    }
}

#[test]
fn a_peer_that_closes_before_its_open_may_not_know_us() {
    let [config, _] = Net::configs();
    let now = Net::new(Net::configs(), 1).now;
    let mut peer = Peer::new(config);
    peer.start(now);
    let at = |address: &str| address.parse().expect("an address");
    let endpoints = Endpoints { local: at("10.0.0.1:40000"), remote: at("10.0.0.2:179") };
    peer.connected(now, Direction::Outgoing, endpoints).expect("wanted");
    peer.disconnected(now, Direction::Outgoing, TransportError::ClosedByPeer);
    let told = std::iter::from_fn(|| peer.poll_output()).find_map(|output| match output {
        Output::Failed(reason) => Some(reason.to_string()),
        _ => None,
    });
    assert!(told.expect("a failure").contains("may not be configured for our address"));
}

#[test]
fn octets_are_counted_both_ways() {
    let net = up_with(|_| {});
    let [a, b] = [0, 1].map(|i| net.nodes[i].peer.stats().clone());
    assert!(a.octets_in > 0 && a.octets_out > 0);
    // Each node has read the octets that the other sent, except those of a lost collision.
    assert!(b.octets_out >= a.octets_in && a.octets_out >= b.octets_in);
}
