//! Tests of the facts that a peer keeps for an operator: the last messages, and the timers that run.

use std::time::Duration;

use bytes::BytesMut;

use super::net::Net;
use super::secs;
use crate::fsm::{ConnectMode, RestartConfig, StateKind, Timer};
use crate::peer::{Import, KeptFor, Output, Peer, PeerTimer};
use crate::rib::{Route, RouteSet};
use crate::wire::{Capability, CeaseSubcode, ErrorCode, Notification, OpenSubcode};
use crate::{AfiSafi, Asn, Direction};

/// Two nodes, of which node 0 opens the connection.
fn configs() -> [crate::peer::PeerSettings; 2] {
    let mut configs = Net::configs();
    configs[0].fsm.connect_mode = ConnectMode::Active;
    configs[1].fsm.connect_mode = ConnectMode::Passive;
    configs
}

fn up() -> Net {
    let mut net = Net::new(configs(), 1);
    net.bring_up();
    net
}

/// The time that a timer has left.
fn left(net: &Net, i: usize, timer: PeerTimer) -> Option<Duration> {
    let running = net.nodes[i].peer.timers().find(|running| running.timer == timer)?;
    Some(running.left(net.now))
}

fn of_connection(direction: Direction, timer: Timer) -> PeerTimer {
    PeerTimer::Connection(direction, timer)
}

#[test]
fn the_open_that_one_end_sent_is_the_one_that_the_other_received() {
    let net = up();
    for (i, asn) in [Asn(64636), Asn(64635)].into_iter().enumerate() {
        let (ours, theirs) = (&net.nodes[i].peer, &net.nodes[1 - i].peer);
        let sent = ours.last_messages().open_sent.as_ref().expect("sent");
        let received = theirs.last_messages().open_received.as_ref().expect("received");
        assert_eq!(sent.message, received.message);
        assert_eq!(sent.message.asn, asn);
        assert!(sent.message.capabilities.contains(&Capability::EnhancedRouteRefresh));
        assert!(sent.at < received.at && received.at < net.now);
    }
    let directions = [0, 1].map(|i| net.nodes[i].peer.session_direction());
    assert_eq!(directions, [Some(Direction::Outgoing), Some(Direction::Incoming)]);
}

#[test]
fn a_session_keeps_the_octets_of_its_opens_beyond_its_end() {
    let mut net = up();
    let starts = [0, 1].map(|i| net.nodes[i].peer.session_start().cloned().expect("a session"));
    assert_eq!(starts[0].sent_open, starts[1].received_open);
    assert_eq!(starts[1].sent_open, starts[0].received_open);
    assert_eq!(starts[0].endpoints.local, starts[1].endpoints.remote);
    for (i, start) in starts.iter().enumerate() {
        let mut octets = BytesMut::new();
        let sent = net.nodes[i].peer.last_messages().open_sent.clone().expect("sent");
        sent.message.encode(&mut octets);
        assert_eq!(start.sent_open, octets);
    }

    let cease = Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN);
    net.mutate(0, |peer, now| peer.stop(now, cease));
    net.run(secs(5));
    assert_eq!(net.nodes[1].peer.state(), StateKind::Active);
    assert_eq!(net.nodes[1].peer.session_start(), Some(&starts[1]));
}

#[test]
fn received_messages_are_reported_before_their_effects_if_that_is_wanted() {
    let mut net = Net::new(configs(), 1);
    net.nodes[0].peer.report_messages(true);
    net.bring_up();
    let route = Route::new("192.0.2.0/24".parse().unwrap());
    net.mutate(1, |peer, _| peer.set_routes(&RouteSet::from([route])));
    net.run(secs(1));
    let cease = Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN);
    net.mutate(1, |peer, now| peer.stop(now, cease));
    net.run(secs(1));

    let kinds = net.nodes[0].log.iter().filter_map(|output| match output {
        Output::MessageReceived(Direction::Outgoing, octets) => Some(octets[18]),
        Output::Up(_) => Some(100),
        Output::Down(_) => Some(101),
        _ => None,
    });
    // The UPDATEs are End-of-RIBs and the route.
    let mut kinds: Vec<_> = kinds.collect();
    kinds.dedup();
    assert_eq!(kinds, [1, 4, 100, 2, 3, 101]);
    let of_other = |output: &Output| matches!(output, Output::MessageReceived(..));
    assert!(!net.nodes[1].log.iter().any(of_other));
}

#[test]
fn the_opens_of_a_collision_are_those_of_the_connection_that_stays() {
    for seed in 0..50 {
        let mut net = Net::new(Net::configs(), seed);
        net.bring_up();
        let [a, b] = [0, 1].map(|i| net.nodes[i].peer.last_messages().clone());
        let opens = [a.open_sent, b.open_received, b.open_sent, a.open_received];
        let [a_sent, b_received, b_sent, a_received] = opens.map(|open| open.expect("an OPEN").at);
        // A packet takes at most 16 ms, so that these are two ends of one connection.
        for (sent, received) in [(a_sent, b_received), (b_sent, a_received)] {
            assert!(sent < received && received - sent <= Duration::from_millis(16), "{seed}");
        }
    }
}

#[test]
fn a_refused_open_and_the_notification_are_kept_after_the_attempt() {
    let mut configs = configs();
    configs[0].fsm.remote_as = Asn(65000).into();
    let mut net = Net::new(configs, 1);
    net.start();
    net.run(Duration::from_millis(500));
    assert_eq!(net.states(), [StateKind::Idle, StateKind::Active]);

    let [a, b] = [0, 1].map(|i| net.nodes[i].peer.last_messages());
    let refused = a.open_received.as_ref().expect("an OPEN that was refused");
    assert_eq!(refused.message.asn, Asn(64635));
    let sent = a.notification_sent.as_ref().expect("a NOTIFICATION");
    let received = b.notification_received.as_ref().expect("a NOTIFICATION");
    assert_eq!(sent.message, received.message);
    let expected = (ErrorCode::OPEN_MESSAGE, OpenSubcode::BAD_PEER_AS.0);
    assert_eq!((sent.message.code, sent.message.subcode), expected);
    assert!(a.notification_received.is_none() && b.notification_sent.is_none());
    assert_eq!(net.nodes[0].peer.connect_retry_counter(), 1);
}

#[test]
fn a_notification_outlives_the_next_session_with_its_text_and_its_time() {
    let mut net = up();
    let reset = CeaseSubcode::ADMINISTRATIVE_RESET;
    let cease = Notification::cease_with_message(reset, "new filter");
    let at = net.now;
    net.mutate(0, |peer, now| peer.reset(now, cease));
    net.run(secs(10));
    assert!(net.is_up());

    let sent = net.nodes[0].peer.last_messages().notification_sent.clone().expect("it");
    assert_eq!((sent.message.message(), sent.at), (Some("new filter"), at));
    let received = net.nodes[1].peer.last_messages().notification_received.clone().expect("it");
    assert_eq!(received.message, sent.message);
    let opened = net.nodes[1].peer.last_messages().open_received.clone().expect("it");
    assert!(opened.at > received.at, "the OPEN is that of the session after it");
}

#[test]
fn the_timers_of_a_session_show_what_is_left() {
    let mut net = up();
    let (ours, theirs) = (Direction::Outgoing, Direction::Incoming);
    for (i, direction) in [ours, theirs].into_iter().enumerate() {
        let hold = left(&net, i, of_connection(direction, Timer::Hold)).expect("it runs");
        assert!(hold > secs(88) && hold < secs(90), "{hold:?}");
        let keepalive = left(&net, i, of_connection(direction, Timer::Keepalive));
        assert!(keepalive.expect("it runs") < secs(30));
        assert_eq!(net.nodes[i].peer.timers().count(), 2);
    }

    net.cut = true;
    net.run(secs(60));
    let hold = left(&net, 0, of_connection(ours, Timer::Hold)).expect("it runs");
    assert!(hold < secs(30), "the peer is silent: {hold:?}");
    net.run(secs(31));
    assert_eq!(left(&net, 0, of_connection(ours, Timer::Hold)), None);
}

#[test]
fn the_timers_without_a_session_show_when_the_next_attempt_is_due() {
    let mut configs = configs();
    configs[0].fsm.remote_as = Asn(65000).into();
    let mut net = Net::new(configs, 1);
    net.start();
    let attempt = left(&net, 0, of_connection(Direction::Outgoing, Timer::ConnectRetry));
    assert!(attempt.expect("a connection is being opened") > secs(3));

    net.run(Duration::from_millis(500));
    let pause = of_connection(Direction::Outgoing, Timer::IdleHold);
    assert!(left(&net, 0, pause).expect("the pause after the refusal") <= secs(1));
    net.mutate(0, |peer, now| {
        peer.stop(now, Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN));
    });
    assert_eq!(net.nodes[0].peer.timers().count(), 0, "a stopped peer waits for nothing");
}

#[test]
fn the_restart_timers_run_while_a_peer_is_away_and_until_its_end_of_rib() {
    let mut configs = configs();
    for config in &mut configs {
        config.fsm.extensions.graceful_restart = Some(RestartConfig::default());
    }
    configs[1].import = Import::Keep;
    let mut net = Net::new(configs, 1);
    let route = Route::new(super::prefix("10.0.0.0/24"));
    net.mutate(0, |peer, _| peer.set_routes(&RouteSet::from([route])));
    net.bring_up();

    net.cut_power(0);
    net.run(secs(100));
    let family = AfiSafi::IPV4_UNICAST;
    let away = left(&net, 1, PeerTimer::Stale(family, KeptFor::Restart)).expect("kept");
    // The loss was noticed with the first KEEPALIVE after it.
    assert!((secs(42)..=secs(50)).contains(&away), "{away:?}");

    net.mutate(0, |peer, now| {
        peer.restarted(now + secs(120));
        peer.start(now);
    });
    net.run(secs(10));
    assert!(net.is_up());
    let own = left(&net, 0, PeerTimer::OwnRestart).expect("its routes are not set yet");
    assert_eq!(own, secs(110));
    let stale = left(&net, 1, PeerTimer::Stale(family, KeptFor::EndOfRib)).expect("kept");
    assert!(stale > secs(340), "{stale:?}");
}

#[test]
fn timers_have_the_names_of_the_rfcs() {
    let hold = of_connection(Direction::Incoming, Timer::Hold);
    assert_eq!(hold.to_string(), "HoldTimer");
    let stale = PeerTimer::Stale(AfiSafi::IPV6_UNICAST, KeptFor::Refresh);
    assert_eq!(stale.to_string(), "stale ipv6-unicast routes, kept until its refresh ends");
}

#[test]
fn a_peer_without_any_session_has_no_messages() {
    let [settings, _] = configs();
    let peer = Peer::new(settings);
    assert_eq!(*peer.last_messages(), crate::peer::LastMessages::default());
    assert_eq!((peer.session_direction(), peer.timers().count()), (None, 0));
}
