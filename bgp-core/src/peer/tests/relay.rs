//! Tests of relayed routes: when they are sent, with which attributes, and that they belong to the session.

use std::net::IpAddr;
use std::sync::Arc;

use super::net::Net;
use super::{prefix, secs};
use crate::fsm::RestartConfig;
use crate::peer::{Import, Output, PeerSettings};
use crate::policy::{Action, Match, Policy, Rule};
use crate::rib::{Relay, Route, RouteSet};
use crate::wire::{AsPath, CeaseSubcode, Notification, PathAttributes};
use crate::{AfiSafi, Asn};

const V4: AfiSafi = AfiSafi::IPV4_UNICAST;

/// Two nodes with a session. Node 0 relays routes to node 1 as a route server.
fn up(change: impl FnOnce(&mut [PeerSettings; 2])) -> Net {
    let mut configs = Net::configs();
    configs[0].relay = Some(Relay::RouteServer);
    configs[1].import = Import::Keep;
    configs[1].allow_any_first_as = true;
    change(&mut configs);
    let mut net = Net::new(configs, 4);
    net.bring_up();
    net
}

/// Routes as a peer in AS 65001 has sent them.
fn received(texts: &[&str]) -> RouteSet {
    let attributes = PathAttributes {
        as_path: AsPath::sequence([Asn(65_001), Asn(65_002)]),
        next_hop: Some("10.0.0.77".parse::<IpAddr>().expect("an address").into()),
        med: Some(5),
        ..PathAttributes::default()
    };
    let attributes = Arc::new(attributes);
    let route = |text: &&str| Route::with_attributes(prefix(text), Arc::clone(&attributes));
    texts.iter().map(route).collect()
}

fn relay(net: &mut Net, routes: &RouteSet) {
    net.mutate(0, |peer, _| peer.set_relayed(routes));
    net.run(secs(1));
}

fn held(net: &Net) -> Vec<String> {
    net.nodes[1].peer.adj_rib_in().iter().map(|(prefix, _)| prefix.to_string()).collect()
}

/// The path, next hop and metric of the route that node 1 holds.
fn attributes(net: &Net) -> String {
    let found = net.nodes[1].peer.adj_rib_in().get(&prefix("192.0.2.0/24"));
    let PathAttributes { as_path, next_hop, med, .. } = &**found.expect("the route is held");
    format!("{as_path} via {} med {med:?}", next_hop.expect("a next hop"))
}

fn ends_of_rib(net: &Net) -> usize {
    net.nodes[1].log.iter().filter(|it| **it == Output::EndOfRib(V4)).count()
}

#[test]
fn end_of_rib_waits_for_the_relayed_routes() {
    let mut net = up(|_| ());
    net.run(secs(30));
    assert_eq!(ends_of_rib(&net), 0);
    relay(&mut net, &received(&["192.0.2.0/24"]));
    assert_eq!((held(&net), ends_of_rib(&net)), (vec!["192.0.2.0/24".to_owned()], 1));

    // Even if there are none.
    let mut net = up(|_| ());
    relay(&mut net, &RouteSet::new());
    assert_eq!(ends_of_rib(&net), 1);
}

#[test]
fn relayed_routes_belong_to_the_session() {
    let mut net = up(|_| ());
    relay(&mut net, &received(&["192.0.2.0/24"]));
    net.mutate(0, |peer, now| {
        peer.reset(now, Notification::cease(CeaseSubcode::ADMINISTRATIVE_RESET));
    });
    assert!(net.nodes[0].peer.adj_rib_out().is_empty());
    assert!(net.nodes[0].peer.relay_rules(1).is_none());
    // Without a session there is nothing to set.
    net.mutate(0, |peer, _| peer.set_relayed(&received(&["192.0.2.0/24"])));
    assert!(net.nodes[0].peer.adj_rib_out().is_empty());

    net.run_until_up(secs(60));
    net.run(secs(5));
    assert_eq!((held(&net), ends_of_rib(&net)), (vec![], 1));
    relay(&mut net, &received(&["198.51.100.0/24"]));
    assert_eq!((held(&net), ends_of_rib(&net)), (vec!["198.51.100.0/24".to_owned()], 2));
}

#[test]
fn another_way_of_relaying_repeats_the_routes_with_other_attributes_in_the_same_session() {
    let mut net = up(|_| ());
    let routes = received(&["192.0.2.0/24"]);
    relay(&mut net, &routes);
    assert_eq!(attributes(&net), "65001 65002 via 10.0.0.77 med Some(5)");

    let reconfigure = |net: &mut Net, change: fn(&mut PeerSettings)| {
        let mut settings = net.nodes[0].peer.settings().clone();
        change(&mut settings);
        net.mutate(0, |peer, now| {
            peer.reconfigure(now, settings);
            peer.set_relayed(&routes);
        });
        net.run(secs(1));
    };
    reconfigure(&mut net, |it| it.relay = Some(Relay::Router));
    assert_eq!(attributes(&net), "64636 65001 65002 via 10.0.0.1 med None");
    reconfigure(&mut net, |it| it.shared_networks.push(prefix("10.0.0.0/24")));
    assert_eq!(attributes(&net), "64636 65001 65002 via 10.0.0.77 med None");
    // What the policy leaves is sent. Here it sets the received values again.
    reconfigure(&mut net, |it| {
        let rule = Rule::accept(Match::all()).action(Action::Med(Some(5)));
        it.policies.export = Some(Policy::accept_all().rule(rule).into());
    });
    assert_eq!(attributes(&net), "64636 65001 65002 via 10.0.0.77 med Some(5)");

    reconfigure(&mut net, |it| it.relay = None);
    assert_eq!(held(&net), [""; 0]);
    assert_eq!(net.nodes[0].peer.stats().established_transitions, 1, "without a new session");
}

#[test]
fn after_changed_settings_routes_are_sent_by_the_old_rules_until_those_by_the_new_ones_are_known() {
    let mut net = up(|configs| configs[0].relay = Some(Relay::Router));
    relay(&mut net, &received(&["192.0.2.0/24"]));
    let by_router = "64636 65001 65002 via 10.0.0.1 med None";
    assert_eq!(attributes(&net), by_router);

    let changes: [fn(&mut PeerSettings); 2] = [
        |it| it.policies.export = Some(Policy::accept_all().into()),
        |it| it.relay = Some(Relay::RouteServer),
    ];
    for change in changes {
        let mut settings = net.nodes[0].peer.settings().clone();
        change(&mut settings);
        net.mutate(0, |peer, now| peer.reconfigure(now, settings));
        net.mutate(1, |peer, _| peer.request_refresh(V4).expect("it is negotiated"));
        net.run(secs(1));
        assert_eq!(attributes(&net), by_router);
    }
    relay(&mut net, &received(&["192.0.2.0/24"]));
    assert_eq!(attributes(&net), "65001 65002 via 10.0.0.77 med Some(5)");
}

#[test]
fn changed_shared_networks_take_effect_without_other_routes() {
    let mut net = up(|configs| configs[0].relay = Some(Relay::Router));
    relay(&mut net, &received(&["192.0.2.0/24"]));
    let mut settings = net.nodes[0].peer.settings().clone();
    settings.shared_networks.push(prefix("10.0.0.0/24"));
    net.mutate(0, |peer, now| peer.reconfigure(now, settings));
    net.run(secs(1));
    assert_eq!(attributes(&net), "64636 65001 65002 via 10.0.0.77 med None");
}

#[test]
fn relayed_routes_of_a_family_that_was_not_negotiated_are_left_out() {
    let mut net = up(|configs| configs[1].fsm.families = vec![V4]);
    relay(&mut net, &received(&["192.0.2.0/24", "2001:db8::/32"]));
    let peer = &net.nodes[0].peer;
    assert_eq!((peer.adj_rib_out().len(), peer.unsendable_len()), (1, 0));
}

#[test]
fn end_of_rib_waits_no_longer_when_nothing_is_relayed_any_more() {
    let mut net = up(|_| ());
    net.run(secs(1));
    let mut settings = net.nodes[0].peer.settings().clone();
    settings.relay = None;
    net.mutate(0, |peer, now| peer.reconfigure(now, settings));
    net.run(secs(1));
    assert_eq!(ends_of_rib(&net), 1);
}

#[test]
fn a_peer_that_asks_for_a_refresh_gets_the_relayed_routes_again() {
    let mut net = up(|_| ());
    relay(&mut net, &received(&["192.0.2.0/24", "198.51.100.0/24"]));
    net.mutate(1, |peer, _| peer.request_refresh(V4).expect("it is negotiated"));
    net.run(secs(1));
    assert_eq!(net.nodes[0].peer.stats().prefixes_announced_out, 4);
    assert_eq!(held(&net), ["192.0.2.0/24", "198.51.100.0/24"]);
}

#[test]
fn after_our_restart_end_of_rib_waits_until_the_other_peers_have_had_time_to_return() {
    let mut configs = Net::configs();
    configs[0].relay = Some(Relay::RouteServer);
    configs[0].fsm.extensions.graceful_restart = Some(RestartConfig::default());
    let mut net = Net::new(configs, 4);
    let deadline = net.now + secs(60);
    net.mutate(0, |peer, _| peer.restarted(deadline));
    net.bring_up();
    relay(&mut net, &received(&["192.0.2.0/24"]));
    net.run(secs(40));
    assert_eq!(ends_of_rib(&net), 0);
    net.run(secs(20));
    assert_eq!(ends_of_rib(&net), 1);
}
