//! Faults of every kind, drawn from a seed. After the last fault both peers must recover on their own.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::net::Net;
use crate::BgpIdentifier;
use crate::fsm::{ConnectMode, StateKind, Timer};
use crate::peer::{Import, Output, Peer, PeerSettings};
use crate::rib::{Route, RouteSet};
use crate::wire::{CeaseSubcode, Notification};

/// The number of runs of each test. The two tests share the machine's processors.
const SEEDS: u64 = 1_250;
const STEPS: usize = 40;

/// The largest number of routes of a peer.
const MANY: u16 = 300;
/// The octets that fit the socket, and one message.
const MOST_UNDER_WAY: usize = 8_192 + 4_096;

/// The time after the last fault within which both peers must recover.
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn ten_seconds_after_any_faults_both_tables_are_right() {
    heals_after_anything(0..SEEDS);
}

#[test]
fn ten_seconds_after_any_other_faults_both_tables_are_right() {
    heals_after_anything(SEEDS..2 * SEEDS);
}

fn heals_after_anything(seeds: std::ops::Range<u64>) {
    let mut ends = BTreeSet::new();
    for seed in seeds {
        let mut net = Net::new(configs(seed), seed);
        net.start();
        for step in 0..STEPS {
            harm(&mut net);
            // Mostly within a handshake, and sometimes as long as a HoldTime.
            let longest = match net.random(4) {
                0 => 20,
                1 => 60,
                2 => 1000,
                _ => 12_000,
            };
            let pause = Duration::from_millis(u64::from(net.random(longest)));
            net.run(pause);
            check(&net, &format!("seed {seed}, step {step}"));
        }
        heal(&mut net);
        net.run(LIMIT);
        check(&net, &format!("seed {seed}, healed"));
        for i in 0..2 {
            let states = net.states();
            assert_eq!(net.open_connections(i), 1, "seed {seed}, node {i}, {states:?}");
            let (there, here) = (&net.nodes[1 - i].peer, &net.nodes[i].peer);
            let wanted = there.adj_rib_out().desired();
            let wanted: Vec<_> = wanted.iter().map(|(p, a)| (p, a.med)).collect();
            let held: Vec<_> = here.adj_rib_in().iter().map(|(p, a)| (p, a.med)).collect();
            assert_eq!(held, wanted, "seed {seed}, node {i}, {states:?}");
        }
        ends.extend(net.nodes.iter().flat_map(|node| &node.log).filter_map(how_it_ended));
    }
    // All ways to end a session have occurred.
    let expected = [(1, 1), (4, 0), (5, 1), (6, 2), (6, 7), (8, 0)];
    let missing: Vec<_> = expected.iter().filter(|end| !ends.contains(end)).collect();
    assert!(missing.is_empty(), "no session or attempt ended by {missing:?}: {ends:?}");
}

/// The NOTIFICATION that ended a session or an attempt.
fn how_it_ended(output: &Output) -> Option<(u8, u8)> {
    match output {
        Output::Down(reason) | Output::Failed(reason) => {
            reason.notification().map(|it| (it.code.0, it.subcode))
        }
        _ => None,
    }
}

/// Configurations of which both ends dial or one waits, either identifier is higher, and one or both delay their OPEN.
fn configs(seed: u64) -> [PeerSettings; 2] {
    let [mut a, mut b] = Net::configs();
    if seed & 1 != 0 {
        a.fsm.local_identifier = BgpIdentifier(Ipv4Addr::new(10, 0, 0, 2));
        b.fsm.local_identifier = BgpIdentifier(Ipv4Addr::new(10, 0, 0, 1));
    }
    a.fsm.connect_mode = if seed & 2 == 0 { ConnectMode::Both } else { ConnectMode::Passive };
    for (config, bit) in [(&mut a, 4), (&mut b, 8)] {
        config.fsm.delay_open_time = (seed & bit != 0).then_some(Duration::from_millis(50));
        // Short enough to end a connection of which only one end is left within the limit. With longer HoldTimers, a
        // driver uses TCP keepalives.
        config.fsm.hold_time = Duration::from_secs(6);
        config.fsm.open_hold_time = Duration::from_secs(4);
        config.fsm.send_hold_time = Some(Duration::from_secs(4));
        config.fsm.idle_hold_max = Duration::from_secs(4);
        config.import = Import::Keep;
    }
    [a, b]
}

fn harm(net: &mut Net) {
    let i = usize::from(net.random(2) == 0);
    match net.random(17) {
        0 => net.cut = !net.cut,
        1 => net.nodes[i].stalled = !net.nodes[i].stalled,
        2 => net.mutate(i, |peer, now| {
            peer.stop(now, Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN));
        }),
        3 => net.mutate(i, Peer::start),
        4 => {
            net.cut_power(i);
            net.mutate(i, Peer::start);
        }
        5 => net.dial_and_vanish(i),
        6 if net.open_connections(i) > 0 => net.inject(i, &[0; 19]),
        7 if net.open_connections(i) > 0 => {
            net.inject(i, &[&[0xff; 16][..], &[0, 23, 5, 0, 1, 0, 1]].concat());
        }
        8 => net.nodes[i].frozen = !net.nodes[i].frozen,
        9 => net.loss = [0, 5, 30, 60][net.random(4) as usize],
        10 => net.slowest = [2, 16, 300, 3_000][net.random(4) as usize],
        // Both machines were suspended, or the clock jumped.
        11 => {
            let leap = net.random(100_000);
            net.now += Duration::from_millis(leap.into());
        }
        // More routes than the other end accepts at once, each in its own UPDATE.
        12 => {
            let routes: RouteSet = (0..u32::from(MANY)).map(|n| host(n).med(n)).collect();
            net.mutate(i, |peer, _| peer.set_routes(&routes));
        }
        13 | 14 => {
            let routes: RouteSet = (0..net.random(6)).map(|_| route(net)).collect();
            net.mutate(i, |peer, _| peer.set_routes(&routes));
        }
        15 => {
            let route = route(net);
            net.mutate(i, |peer, _| peer.announce(&route));
        }
        _ => {
            let route = route(net);
            net.mutate(i, |peer, _| peer.withdraw(route.prefix()));
        }
    }
}

/// One of a few routes, so that changes concern the same ones.
fn route(net: &mut Net) -> Route {
    host(net.random(6)).med(net.random(3))
}

fn host(n: u32) -> Route {
    Route::new(ipnet::Ipv4Net::new_assert((0x0a00_0000 | n).into(), 32).into())
}

fn heal(net: &mut Net) {
    (net.cut, net.loss, net.slowest) = (false, 0, 16);
    for i in 0..2 {
        (net.nodes[i].stalled, net.nodes[i].frozen) = (false, false);
        net.mutate(i, Peer::start);
    }
}

/// Checks the invariants that hold at any moment.
fn check(net: &Net, when: &str) {
    let fullest = net.fullest();
    assert!(fullest <= MOST_UNDER_WAY, "{when}: {fullest} octets wait on a connection");
    for (i, node) in net.nodes.iter().enumerate() {
        let outgoing = &node.peer.outgoing.fsm;
        let machines = [Some(outgoing), node.peer.incoming.as_ref().map(|it| &it.fsm)];
        let up = machines.iter().flatten().filter(|fsm| fsm.state() == StateKind::Established);
        assert!(up.count() <= 1, "{when}, node {i}: two sessions");
        for fsm in machines.iter().flatten().filter(|fsm| fsm.state() == StateKind::Idle) {
            let others = Timer::ALL.into_iter().filter(|timer| *timer != Timer::IdleHold);
            let running: Vec<_> = others.filter(|timer| fsm.deadline(*timer).is_some()).collect();
            assert!(running.is_empty(), "{when}, node {i}: {running:?} in Idle");
        }
        let known = node.peer.adj_rib_out().desired().len();
        let told = node.peer.adj_rib_out().advertised().len();
        let held = node.peer.adj_rib_in().len();
        let most = usize::from(MANY);
        assert!(known <= most && told <= most && held <= most, "{when}, node {i}: routes pile up");
        let waits = node.peer.state() == StateKind::Idle && node.peer.poll_timeout().is_none();
        assert!(!(waits && node.peer.started), "{when}, node {i}: nothing will ever happen");
    }
}
