//! Both peers dial at once: exactly one connection becomes the session (RFC 4271, section 6.8).

use std::net::Ipv4Addr;
use std::time::Duration;

use super::net::Net;
use super::secs;
use crate::BgpIdentifier;
use crate::peer::Output;

/// Which way round the identifiers are must not matter.
fn configs(swapped: bool) -> [crate::fsm::FsmConfig; 2] {
    let [mut a, mut b] = Net::configs();
    if swapped {
        a.local_identifier = BgpIdentifier(Ipv4Addr::new(10, 0, 0, 2));
        b.local_identifier = BgpIdentifier(Ipv4Addr::new(10, 0, 0, 1));
    }
    [a, b]
}

#[test]
fn simultaneous_connections_end_in_one_session_that_never_flaps() {
    for swapped in [false, true] {
        for seed in 0..500 {
            let mut net = Net::new(configs(swapped), seed);
            net.start();
            net.run(secs(60));
            assert!(net.is_up(), "seed {seed}: {:?}", net.states());
            for i in 0..2 {
                assert_eq!(net.open_connections(i), 1, "seed {seed}, node {i}");
                let stats = net.nodes[i].peer.stats();
                assert_eq!(stats.established_transitions, 1, "seed {seed}, node {i}");
                let lost = net.nodes[i].log.iter().any(|o| matches!(o, Output::Down(_)));
                assert!(!lost, "seed {seed}, node {i}: a collision is no loss");
            }
        }
    }
}

#[test]
fn after_a_collision_the_session_comes_back_whichever_connection_carried_it() {
    for seed in 0..100 {
        let mut net = Net::new(Net::configs(), seed);
        net.start();
        net.run_until_up(secs(10));
        net.run(secs(40));
        net.inject((seed % 2) as usize, &[0; 19]);
        net.run(Duration::from_millis(50));
        net.run_until_up(secs(10));
        net.run(secs(5));
        assert_eq!(net.open_connections(0), 1, "seed {seed}");
        assert_eq!(net.nodes[0].peer.stats().established_transitions, 2, "seed {seed}");
    }
}
