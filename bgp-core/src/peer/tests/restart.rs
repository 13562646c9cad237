//! Tests of graceful restart: routes outlive their session for the negotiated time (RFC 4724, 8538, 9494).

use std::time::Duration;

use ipnet::IpNet;

use super::net::Net;
use super::secs;
use crate::fsm::{ConnectMode, DownReason, RestartConfig, TransportError};
use crate::peer::{Import, Output, Peer, PeerSettings};
use crate::rib::{Route, RouteSet};
use crate::wire::{CeaseSubcode, Community, ErrorCode, Notification};

/// Configurations in which node 0 restarts and node 1 waits for it.
fn configs(change: impl Fn(&mut RestartConfig)) -> [PeerSettings; 2] {
    let mut configs = Net::configs();
    for config in &mut configs {
        let mut restart = RestartConfig::default();
        change(&mut restart);
        config.fsm.extensions.graceful_restart = Some(restart);
        config.import = Import::Keep;
        config.fsm.hold_time = secs(9);
    }
    configs
}

fn routes(lasts: &[u8]) -> RouteSet {
    let prefix = |last: &u8| -> IpNet { format!("10.0.0.{last}/32").parse().expect("a prefix") };
    lasts.iter().map(|last| Route::new(prefix(last))).collect()
}

/// A session in which node 0 has announced routes 1 to 3. Route 3 must not become long-lived.
fn up(configs: [PeerSettings; 2]) -> Net {
    let mut net = Net::new(configs, 5);
    let mut all = routes(&[1, 2]);
    let third = Route::new("10.0.0.3/32".parse().expect("a prefix"));
    all.insert(third.community(Community::NO_LLGR));
    net.mutate(0, |peer, _| peer.set_routes(&all));
    net.bring_up();
    assert_eq!(held(&net), [1, 2, 3]);
    net
}

/// The last octets of the routes that node 1 has.
fn held(net: &Net) -> Vec<u8> {
    let last = |prefix: IpNet| match prefix {
        IpNet::V4(prefix) => prefix.addr().octets()[3],
        IpNet::V6(_) => 0,
    };
    net.nodes[1].peer.adj_rib_in().iter().map(|(prefix, _)| last(prefix)).collect()
}

/// The number of routes that node 1 has reported as withdrawn.
fn gone(net: &Net) -> usize {
    let of = |output: &Output| match output {
        Output::Received(routes) => routes.withdrawn.len(),
        _ => 0,
    };
    net.nodes[1].log.iter().map(of).sum()
}

fn restart(net: &mut Net) {
    net.cut_power(0);
    net.mutate(0, |peer, now| {
        peer.restarted(now + secs(60));
        peer.start(now);
    });
}

#[test]
fn routes_of_a_killed_speaker_stay_until_its_end_of_rib() {
    let mut net = up(configs(|_| ()));
    restart(&mut net);
    net.run(secs(20));
    assert!(net.is_up());
    let agreed = net.nodes[1].peer.negotiated().expect("a session").extensions.clone();
    assert!(agreed.graceful_restart.expect("it has it").restarting, "the R bit");
    // The node has returned, but does not know its routes yet, so the End-of-RIB waits.
    assert_eq!((held(&net), gone(&net)), (vec![1, 2, 3], 0));
    net.mutate(0, |peer, _| peer.set_routes(&routes(&[1, 2])));
    net.run(secs(1));
    assert_eq!((held(&net), gone(&net)), (vec![1, 2], 1));
    // A later session is not a restart.
    net.inject(0, &[0; 19]);
    net.run(secs(10));
    let agreed = net.nodes[1].peer.negotiated().expect("a session").extensions.clone();
    assert!(!agreed.graceful_restart.expect("it has it").restarting);
}

/// RFC 4724, section 5.
#[test]
fn a_peer_that_returns_early_need_not_wait_for_the_hold_timer() {
    for dialler in [None, Some(0), Some(1)] {
        let mut configs = configs(|_| ());
        for (i, config) in configs.iter_mut().enumerate() {
            config.fsm.hold_time = secs(90);
            if dialler.is_some_and(|dialler| dialler != i) {
                config.fsm.connect_mode = ConnectMode::Passive;
            }
        }
        let mut net = up(configs);
        net.run(secs(10));
        restart(&mut net);
        net.run(secs(4));
        assert_eq!(net.is_up(), dialler != Some(1), "who never dials is not heard of");
        assert_eq!((held(&net), gone(&net)), (vec![1, 2, 3], 0));
        let told = net.nodes[1].log.iter().find_map(|output| match output {
            Output::Down(reason) => Some(reason.clone()),
            _ => None,
        });
        let replaced = DownReason::Transport(TransportError::Replaced);
        assert_eq!(told, (dialler != Some(1)).then_some(replaced));
    }
}

/// A second connection of a peer without graceful restart does not end the session, nor does one of a collision.
#[test]
fn a_second_connection_is_refused_unless_it_shows_a_restart() {
    for (with, pause) in [(false, 60), (true, 0)] {
        let mut configs = configs(|_| ());
        if !with {
            configs[0].fsm.extensions.graceful_restart = None;
        }
        let mut net = up(configs);
        net.run(secs(pause));
        net.dial_and_vanish(1);
        assert!(net.is_up());
        net.run(secs(60));
        let downs = net.nodes[1].log.iter().filter(|it| matches!(it, Output::Down(_))).count();
        assert!(net.is_up() && downs == 0, "{with} {downs}");
    }
}

#[test]
fn a_restarted_speaker_that_never_gets_routes_sends_end_of_rib_in_time() {
    let mut net = up(configs(|_| ()));
    restart(&mut net);
    net.run(secs(59));
    assert_eq!(held(&net), [1, 2, 3]);
    net.run(secs(3));
    assert!(held(&net).is_empty(), "the End-of-RIB came at the deadline");
}

#[test]
fn routes_of_a_peer_that_does_not_return_are_dropped_after_its_restart_time() {
    let mut net = up(configs(|restart| restart.restart_time = secs(30)));
    net.cut_power(0);
    net.run(secs(25));
    assert!(!net.is_up());
    assert_eq!(held(&net), [1, 2, 3]);
    net.run(secs(10));
    assert!(held(&net).is_empty());
    assert_eq!(gone(&net), 3);
}

#[test]
fn routes_of_a_peer_that_did_not_keep_forwarding_are_dropped_when_it_returns() {
    let mut net = up(configs(|restart| restart.forwarding = false));
    restart(&mut net);
    net.run(secs(20));
    assert!(net.is_up() && held(&net).is_empty());
}

#[test]
fn long_lived_routes_are_kept_with_a_mark_unless_they_have_no_llgr() {
    let mut net = up(configs(|restart| {
        restart.restart_time = secs(10);
        restart.long_lived = Some(secs(600));
    }));
    net.cut_power(0);
    net.run(secs(30));
    assert_eq!(held(&net), [1, 2], "RFC 9494, section 4.2: not what has NO_LLGR");
    let marked = |(_, attributes): (_, &std::sync::Arc<crate::wire::PathAttributes>)| {
        attributes.communities.contains(&Community::LLGR_STALE)
    };
    let left = net.nodes[1].peer.adj_rib_in();
    assert!(left.iter().all(marked));
    let sets: Vec<_> =
        left.iter().map(|(_, attributes)| std::sync::Arc::as_ptr(attributes)).collect();
    assert_eq!(sets[0], sets[1], "equal attributes are stored once");
    net.run(secs(560));
    assert_eq!(held(&net), [1, 2]);
    net.run(secs(30));
    assert!(held(&net).is_empty());
}

#[test]
fn a_peer_that_returns_within_the_long_lived_time_replaces_its_routes() {
    let mut net = up(configs(|restart| {
        restart.restart_time = secs(5);
        restart.long_lived = Some(secs(600));
    }));
    net.cut_power(0);
    net.run(secs(120));
    assert_eq!(held(&net), [1, 2]);
    net.mutate(0, |peer, now| {
        peer.restarted(now + secs(60));
        peer.set_routes(&routes(&[2]));
        peer.start(now);
    });
    net.run(secs(20));
    assert_eq!(held(&net), [2]);
    let left = net.nodes[1].peer.adj_rib_in();
    assert!(left.iter().all(|(_, attributes)| attributes.communities.is_empty()));
}

#[test]
fn a_notification_keeps_the_routes_if_both_ends_agree_and_a_hard_reset_never() {
    for (both, kept) in [(true, 3), (false, 0)] {
        let mut configs = configs(|_| ());
        configs[0].fsm.extensions.graceful_restart =
            Some(RestartConfig { notification: both, ..RestartConfig::default() });
        let mut net = up(configs);
        net.inject(0, &[0; 19]);
        net.run(Duration::from_millis(100));
        assert!(!net.is_up());
        assert_eq!(held(&net).len(), kept, "RFC 8538: {both}");
    }
    let mut net = up(configs(|_| ()));
    let cease = Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN);
    net.mutate(0, |peer, now| peer.stop(now, cease));
    net.run(secs(1));
    assert!(held(&net).is_empty(), "RFC 8538, section 3.1: it does not come back");
    let told = net.nodes[1].log.iter().find_map(|output| match output {
        Output::Down(reason) => reason.notification(),
        _ => None,
    });
    let told = told.expect("a reason");
    assert_eq!((told.code, told.subcode), (ErrorCode::CEASE, CeaseSubcode::HARD_RESET.0));
}

#[test]
fn a_stop_drops_the_routes_that_were_kept_for_the_peer() {
    let mut net = up(configs(|_| ()));
    net.cut_power(0);
    net.run(secs(15));
    assert_eq!(held(&net), [1, 2, 3]);
    net.mutate(1, |peer, now| {
        peer.stop(now, Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN));
    });
    assert!(held(&net).is_empty());
    assert_eq!(net.nodes[1].peer.poll_timeout(), None);
}

#[test]
fn without_the_capability_the_routes_of_a_lost_session_are_dropped() {
    for without in 0..2 {
        let mut configs = configs(|_| ());
        configs[without].fsm.extensions.graceful_restart = None;
        let mut net = up(configs);
        net.cut_power(0);
        net.mutate(0, Peer::start);
        net.run(secs(10));
        assert!(held(&net).is_empty(), "node {without}");
    }
}
