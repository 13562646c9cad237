//! Tests of the Adj-RIB-Out in pages, with the attributes as sent.

use std::time::Duration;

use super::net::Net;
use super::{prefix, secs};
use crate::fsm::ConnectMode;
use crate::peer::PeerSettings;
use crate::rib::{OutPage, OutRoute, OutRouteState, Route, RouteSet, Unsendable};
use crate::wire::{AddPath, AddPathMode, AsPath, Community};
use crate::{AfiSafi, Asn};

const SMTP: &str = "172.22.35.70/32";

fn configs() -> [PeerSettings; 2] {
    let mut configs = Net::configs();
    configs[0].fsm.connect_mode = ConnectMode::Active;
    configs[1].fsm.connect_mode = ConnectMode::Passive;
    configs
}

fn up(configs: [PeerSettings; 2]) -> Net {
    let mut net = Net::new(configs, 1);
    net.bring_up();
    net
}

/// All routes of node 0 towards its peer.
fn list(net: &Net) -> Vec<OutRoute> {
    let OutPage { routes, next } = net.nodes[0].peer.adj_rib_out_page(None, 1_000);
    assert_eq!(next, None);
    routes
}

fn set(net: &mut Net, routes: impl IntoIterator<Item = Route>) {
    let routes: RouteSet = routes.into_iter().collect();
    net.mutate(0, |peer, now| {
        peer.set_time(now);
        peer.set_routes(&routes);
    });
}

/// The age of a route, to a second.
fn age(net: &Net, route: &OutRoute) -> u64 {
    (net.now - route.since.expect("a time")).as_secs()
}

#[test]
fn routes_are_listed_with_the_attributes_that_the_peer_gets() {
    let mut net = up(configs());
    let community = Community::new(64636, 7);
    let ipv6 = Route::new(prefix("fd22:0:0:70::/64")).next_hop("fd22::1".parse().expect("it"));
    set(&mut net, [Route::new(prefix(SMTP)).community(community).local_pref(7), ipv6]);
    net.run(secs(60));

    let [smtp, ipv6] = &list(&net)[..] else { panic!("two routes") };
    assert_eq!((smtp.prefix, smtp.state), (prefix(SMTP), OutRouteState::Sent));
    assert_eq!(smtp.attributes.as_path, AsPath::sequence([Asn(64636)]));
    assert_eq!(smtp.attributes.local_pref, None, "not towards an external peer");
    assert_eq!(smtp.attributes.communities, [community]);
    let next_hop = smtp.attributes.next_hop.expect("the session's address").to_string();
    assert_eq!(next_hop, "10.0.0.1");
    assert_eq!(ipv6.attributes.next_hop.expect("its own").to_string(), "fd22::1");
    assert!((59..=60).contains(&age(&net, smtp)), "{}", age(&net, smtp));

    let drained = Community::GRACEFUL_SHUTDOWN;
    net.mutate(0, |peer, _| peer.drain(true));
    net.run(secs(10));
    let [smtp, _] = &list(&net)[..] else { panic!("two routes") };
    assert_eq!((smtp.attributes.communities.as_slice()), [community, drained]);
    assert!(age(&net, smtp) <= 10, "it was sent again");
}

#[test]
fn a_route_waits_while_the_peer_reads_nothing() {
    let mut net = up(configs());
    set(&mut net, [Route::new(prefix(SMTP)), Route::new(prefix("10.0.0.1/32"))]);
    net.run(secs(30));
    net.nodes[1].stalled = true;
    // More than the window takes.
    let many = (0..4_000_u32).map(|n| {
        let text = format!("10.1.{}.{}/32", n / 250, n % 250);
        Route::new(prefix(&text)).med(n)
    });
    let changed = Route::new(prefix(SMTP)).med(10_000);
    set(&mut net, many.chain([changed]));
    net.run(secs(20));

    let routes = net.nodes[0].peer.adj_rib_out_page(None, 10_000).routes;
    let of = |text: &str| routes.iter().find(|route| route.prefix == prefix(text)).expect("it");
    let waiting = of("10.1.15.249/32");
    assert_eq!(waiting.state, OutRouteState::Pending { replaces: false });
    assert_eq!(age(&net, waiting), 20);
    let replacing = of(SMTP);
    assert_eq!(replacing.state, OutRouteState::Pending { replaces: true });
    assert_eq!(replacing.attributes.med, Some(10_000), "what it will get");
    let sent = routes.iter().filter(|route| route.state == OutRouteState::Sent).count();
    assert!(sent > 0 && sent < 4_000, "{sent}");

    net.mutate(0, |peer, now| {
        peer.set_time(now);
        peer.withdraw(prefix(SMTP));
    });
    let routes = net.nodes[0].peer.adj_rib_out_page(Some(prefix(SMTP).into()), 10).routes;
    let [gone] = &routes[..] else { panic!("{routes:?}") };
    assert_eq!((gone.state, gone.path_id), (OutRouteState::Withdrawing, 0));
    assert_eq!((gone.attributes.med, age(&net, gone)), (None, 0), "what the peer still has");

    net.nodes[1].stalled = false;
    net.run(secs(10));
    let all = net.nodes[0].peer.adj_rib_out_page(None, 10_000).routes;
    assert!(all.iter().all(|route| route.state == OutRouteState::Sent) && all.len() == 4_000);
}

#[test]
fn a_session_without_add_path_shows_which_path_it_carries() {
    let path = |id| Route::new(prefix(SMTP)).path(id).med(id);
    let states = |net: &Net| list(net).iter().map(|it| (it.path_id, it.state)).collect::<Vec<_>>();
    let mut net = Net::new(configs(), 1);
    set(&mut net, [path(3), path(7)]);
    assert_eq!(states(&net), [(3, OutRouteState::NoSession), (7, OutRouteState::NoSession)]);
    net.bring_up();
    assert_eq!(states(&net), [(3, OutRouteState::Sent), (7, OutRouteState::OtherPath)]);

    let mut configs = configs();
    for config in &mut configs {
        let (family, mode) = (AfiSafi::IPV4_UNICAST, AddPathMode::BOTH);
        config.fsm.extensions.add_path = vec![AddPath { family, mode }];
    }
    let mut net = up(configs);
    set(&mut net, [path(3), path(7)]);
    net.run(secs(1));
    assert_eq!(states(&net), [(3, OutRouteState::Sent), (7, OutRouteState::Sent)]);
}

#[test]
fn routes_that_cannot_be_sent_are_listed_with_the_reason() {
    let mut configs = configs();
    configs[1].fsm.families = vec![AfiSafi::IPV4_UNICAST];
    configs[0].fsm.extensions.extended_next_hop = false;
    let mut net = up(configs);
    let ipv6: std::net::IpAddr = "fd22::1".parse().expect("an address");
    let foreign = Route::new(prefix(SMTP)).next_hop(ipv6);
    set(&mut net, [foreign, Route::new(prefix("fd22:0:0:70::/64"))]);
    net.run(secs(5));

    let [foreign, family] = &list(&net)[..] else { panic!("two routes") };
    let why = Unsendable::NextHopFamily { family: AfiSafi::IPV4_UNICAST, next_hop: ipv6 };
    assert_eq!(foreign.state, OutRouteState::Unsendable(why));
    assert!(age(&net, foreign) <= 5);
    let why = Unsendable::FamilyNotOffered { family: AfiSafi::IPV6_UNICAST };
    assert_eq!(family.state, OutRouteState::Unsendable(why));
    let listed = [foreign, family].map(|route| (route.prefix, route.state));
    let unsendable = net.nodes[0].peer.unsendable();
    let expected = unsendable.iter().map(|it| (it.prefix, OutRouteState::Unsendable(it.why)));
    assert!(expected.eq(listed));
}

#[test]
fn only_a_change_of_a_route_makes_it_young_again() {
    let mut net = up(configs());
    let routes =
        (0..20_u8).map(|n| Route::new(prefix(&format!("10.0.0.{n}/32")))).collect::<Vec<_>>();
    set(&mut net, routes.clone());
    net.run(secs(100));
    let mut changed = routes;
    changed[7] = changed[7].clone().med(1);
    changed.remove(3);
    set(&mut net, changed);
    net.run(Duration::from_millis(50_500));

    let ages: Vec<_> = list(&net).iter().map(|route| age(&net, route)).collect();
    assert_eq!(ages.len(), 19);
    // Without the fourth, the eighth is the seventh.
    assert!((50..=51).contains(&ages[6]), "{ages:?}");
    let old = ages.iter().enumerate().filter(|(n, _)| *n != 6).all(|(_, age)| *age >= 149);
    assert!(old, "{ages:?}");
}
