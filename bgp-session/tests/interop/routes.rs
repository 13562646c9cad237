//! Stories of routes and their attributes, in both directions, over each kind of session.

use bgp_session::{
    AfiSafi, AsPath, Asn, Community, ExtendedCommunity, Import, IpNet, LargeCommunity,
    OutRouteState, PathAttributes, PeerConfig, Route, RouteSet,
};
use test_peers::{Neighbor, Originated, Router, RouterConfig, wait_until};

use crate::site::*;

pub(crate) fn routes_arrive_with_the_attributes_they_were_given<R: Router>(site: &Site) {
    let router: R = site.router_of(node());
    site.on(|runtime| {
        let (_speaker, peer) = runtime.block_on(site.listen_and_dial(peer_config()));
        let smtp = Route::new(prefix("172.22.35.70/32"))
            .community(Community::new(64635, 100))
            .community(Community::NO_EXPORT)
            .local_pref(100)
            .med(7);
        let ipv6 = Route::new(prefix("fd22:0:0:70::/64"))
            .next_hop(address(NODE_IPV6))
            .community(Community::new(64635, 6));
        let plain = Route::new(prefix("200.1.154.0/24")).next_hop(address("172.22.35.99"));
        let routes = RouteSet::from([smtp, ipv6, plain]);
        runtime.block_on(peer.set_routes(routes)).unwrap();

        let path = only_path(&router, "172.22.35.70/32");
        assert_eq!((path.from, path.next_hop), (address(NODE), address(NODE)));
        assert_eq!((path.as_path.as_slice(), path.med), (&[NODE_AS][..], Some(7)));
        assert_eq!(path.local_pref, None, "LOCAL_PREF has no place in an external session");
        assert_eq!(path.communities, [(64635, 100), (65535, 65281)]);

        // What we list is what the router has.
        let first: IpNet = prefix("172.22.35.70/32");
        let listed = runtime.block_on(peer.adj_rib_out(Some(first.into()), 1)).unwrap();
        let [route] = &listed.routes[..] else { panic!("{listed:?}") };
        assert_eq!((route.prefix, route.state), (first, OutRouteState::Sent));
        let (sent, next_hop) = (&route.attributes, route.attributes.next_hop.unwrap());
        assert_eq!((next_hop.address(), sent.med), (path.next_hop, path.med));
        assert_eq!(sent.as_path, AsPath::sequence([Asn(NODE_AS)]));
        assert_eq!(sent.communities.len(), 2);

        let path = only_path(&router, "fd22:0:0:70::/64");
        assert_eq!((path.next_hop, path.communities), (address(NODE_IPV6), vec![(64635, 6)]));
        let path = only_path(&router, "200.1.154.0/24");
        assert_eq!(
            (path.next_hop, path.communities, path.med),
            (address("172.22.35.99"), vec![], None)
        );
    });
}

pub(crate) fn what_changes_is_withdrawn_or_replaced_and_nothing_else<R: Router>(site: &Site) {
    let router: R = site.router_of(node());
    site.on(|runtime| {
        let (_speaker, peer) = runtime.block_on(site.dial(peer_config()));
        let routes = (64..96).map(|host| Route::new(prefix(&format!("172.22.35.{host}/32"))));
        let routes: Vec<Route> = routes.collect();
        let set = |routes: &[Route]| {
            runtime.block_on(peer.set_routes(routes.iter().cloned().collect::<RouteSet>()))
        };
        set(&routes).unwrap();
        for host in 64..96 {
            only_path(&router, &format!("172.22.35.{host}/32"));
        }
        let sent = peer.stats();
        // One is withdrawn, one changes, and the other thirty are not repeated.
        let changed = routes[1].clone().community(Community::new(64635, 1));
        set(&[&[changed], &routes[2..]].concat()).unwrap();
        wait_until(SOON, "the withdrawal", || router.path_count("172.22.35.64/32", 0));
        wait_until(SOON, "the replacement", || {
            let path = router.path_count("172.22.35.65/32", 1)?.remove(0);
            if path.communities == [(64635, 1)] { Ok(()) } else { Err(format!("{path:?}")) }
        });
        let now = wait_until(SOON, "the counters", || {
            let now = peer.stats();
            let withdrawn = now.prefixes_withdrawn_out - sent.prefixes_withdrawn_out;
            if withdrawn == 1 { Ok(now) } else { Err(format!("{now:?}")) }
        });
        assert_eq!(now.prefixes_announced_out - sent.prefixes_announced_out, 1);
        runtime.block_on(peer.withdraw(prefix("172.22.35.95/32"))).unwrap();
        wait_until(SOON, "the last withdrawal", || router.path_count("172.22.35.95/32", 0));
        only_path(&router, "172.22.35.94/32");
    });
}

pub(crate) fn the_routers_routes_are_received_and_withdrawn<R: Router>(site: &Site) {
    let default = Originated::new("0.0.0.0/0").community(64635, 1).community(64635, 2);
    let config = router_config(node())
        .route(default.clone())
        .route(Originated::new("10.8.0.0/13"))
        .route(Originated::new("fd99::/48"));
    let mut router: R = site.router(config);
    site.on(|runtime| {
        let (speaker, _peer) = runtime.block_on(site.dial(peer_config().import(Import::Keep)));
        let received = |prefixes: &[&str]| {
            let seen: Vec<String> = speaker.loc_rib().iter().map(|(p, _)| p.to_string()).collect();
            if seen == prefixes { Ok(speaker.loc_rib()) } else { Err(format!("{seen:?}")) }
        };
        let routes = wait_until(SOON, "the router's routes", || {
            received(&["0.0.0.0/0", "10.8.0.0/13", "fd99::/48"])
        });
        let best = routes.best(&prefix("0.0.0.0/0")).expect("a path");
        assert_eq!(best.attributes.as_path.to_string(), ROUTER_AS.to_string());
        assert_eq!(best.attributes.next_hop, Some(address(ROUTER).into()));
        let communities = [Community::new(64635, 1), Community::new(64635, 2)];
        assert_eq!(best.attributes.communities, communities);
        let best = routes.best(&prefix("fd99::/48")).expect("a path");
        assert_eq!(best.attributes.next_hop, Some(address("fd22::1").into()));

        router.set_routes(vec![default]);
        wait_until(SOON, "the withdrawals", || received(&["0.0.0.0/0"]));
        router.stop();
        wait_until(SOON, "an empty table", || received(&[]));
    });
}

pub(crate) fn a_session_over_ipv6_carries_both_families<R: Router>(site: &Site) {
    let router: R = site.router_of(Neighbor::new(NODE_IPV6, NODE_AS));
    site.on(|runtime| {
        let config = PeerConfig::new(address("fd22::1"), Asn(ROUTER_AS));
        let (_speaker, peer) = runtime.block_on(site.dial(quick(config)));
        let routes = RouteSet::from([
            Route::new(prefix("fd22:0:0:70::/64")),
            Route::new(prefix("172.22.35.70/32")).next_hop(address(NODE)),
        ]);
        runtime.block_on(peer.set_routes(routes)).unwrap();
        assert_eq!(only_path(&router, "fd22:0:0:70::/64").next_hop, address(NODE_IPV6));
        assert_eq!(only_path(&router, "172.22.35.70/32").next_hop, address(NODE));
    });
}

pub(crate) fn an_internal_session_carries_local_pref_and_an_empty_as_path<R: Router>(site: &Site) {
    let router: R = site.router_of(Neighbor::new(NODE, ROUTER_AS));
    site.on(|runtime| {
        let (_speaker, peer) = runtime.block_on(site.dial(peer_config().local_asn(Asn(ROUTER_AS))));
        let preferred = Route::new(prefix("172.22.35.70/32")).local_pref(250);
        let plain = Route::new(prefix("172.22.35.71/32"));
        runtime.block_on(peer.set_routes(RouteSet::from([preferred, plain]))).unwrap();
        let path = only_path(&router, "172.22.35.70/32");
        assert_eq!((path.local_pref, path.as_path), (Some(250), vec![]));
        let path = only_path(&router, "172.22.35.71/32");
        assert_eq!((path.local_pref, path.next_hop), (Some(100), address(NODE)));
    });
}

pub(crate) fn communities_of_all_three_kinds_go_both_ways<R: Router>(site: &Site) {
    let route = Originated::new("10.8.0.0/13")
        .community(64635, 1)
        .large_community(4_200_000_001, 0, u32::MAX)
        .route_target(64635, 100_000);
    let router: R = site.router(router_config(node()).route(route));
    site.on(|runtime| {
        let (speaker, peer) = runtime.block_on(site.dial(peer_config().import(Import::Keep)));
        let target = ExtendedCommunity::route_target(Asn(64636), 70_000).expect("a route target");
        let attributes = PathAttributes {
            communities: vec![Community::new(64636, 7)],
            extended_communities: vec![target],
            large_communities: vec![LargeCommunity::new(4_200_000_002, 1, u32::MAX)],
            ..PathAttributes::default()
        };
        let route = Route::with_attributes(prefix(SMTP), attributes.into());
        runtime.block_on(peer.announce(route)).unwrap();

        let path = only_path(&router, SMTP);
        assert_eq!(path.communities, [(64636, 7)]);
        assert_eq!(path.large_communities, [(4_200_000_002, 1, u32::MAX)]);
        assert_eq!(path.route_targets, [(64636, 70_000)]);

        let best = received(&speaker, "10.8.0.0/13");
        assert_eq!(best.communities, [Community::new(64635, 1)]);
        assert_eq!(best.large_communities, [LargeCommunity::new(4_200_000_001, 0, u32::MAX)]);
        let target = ExtendedCommunity::route_target(Asn(64635), 100_000).expect("a route target");
        assert_eq!(best.extended_communities, [target]);
    });
}

pub(crate) fn as_numbers_of_four_octets_go_both_ways<R: Router>(site: &Site) {
    let config = RouterConfig::new(ROUTER, 4_200_000_001)
        .neighbor(Neighbor::new(NODE, 4_200_000_002))
        .route(Originated::new("10.8.0.0/13"));
    let router: R = site.router(config);
    site.on(|runtime| {
        let config = quick(PeerConfig::new(address(ROUTER), Asn(4_200_000_001)));
        let config = config.local_asn(Asn(4_200_000_002)).import(Import::Keep);
        let (speaker, peer) = runtime.block_on(site.dial(config));
        assert!(peer.status().negotiated.expect("terms").four_octet_as);
        runtime.block_on(peer.announce(Route::new(prefix(SMTP)))).unwrap();
        assert_eq!(only_path(&router, SMTP).as_path, [4_200_000_002]);
        assert_eq!(received(&speaker, "10.8.0.0/13").as_path.to_string(), "4200000001");
    });
}

pub(crate) fn an_old_speaker_hears_of_as_trans<R: Router>(site: &Site) {
    /// The number that stands for an AS number that does not fit into two octets (AS_TRANS, RFC 6793).
    const AS_TRANS: u32 = 23_456;
    const FAR: u32 = 4_200_000_002;
    let config = router_config(node().two_octet_as()).route(Originated::new("10.8.0.0/13"));
    let router: R = site.router(config);

    site.on(|runtime| {
        let (speaker, peer) = runtime.block_on(site.dial(peer_config().import(Import::Keep)));
        assert!(!peer.status().negotiated.expect("terms").four_octet_as);
        let attributes =
            PathAttributes { as_path: AsPath::sequence([Asn(FAR)]), ..PathAttributes::default() };
        let route = Route::with_attributes(prefix(SMTP), attributes.into());
        runtime.block_on(peer.announce(route)).unwrap();
        let path = only_path(&router, SMTP);
        // A router that only omits the capability by configuration still reads AS4_PATH.
        let known = [[NODE_AS, AS_TRANS], [NODE_AS, FAR]];
        assert!(known.iter().any(|known| *known == *path.as_path), "{path:?}");
        let asn = ROUTER_AS.to_string();
        assert_eq!(received(&speaker, "10.8.0.0/13").as_path.to_string(), asn);
    });
}

pub(crate) fn routes_that_we_send_again_stay_at_the_router<R: Router>(site: &Site) {
    let router: R = site.router_of(node());
    site.on(|runtime| {
        let (_speaker, peer) = runtime.block_on(site.dial(peer_config()));
        let routes = [Route::new(prefix(SMTP)), Route::new(prefix("172.22.35.71/32")).med(5)];
        runtime.block_on(peer.set_routes(RouteSet::from(routes))).unwrap();
        for route in [SMTP, "172.22.35.71/32"] {
            only_path(&router, route);
        }

        let before = peer.stats();
        runtime.block_on(peer.resend(AfiSafi::IPV4_UNICAST)).unwrap();
        let terms = peer.status().negotiated.expect("a session");
        let markers = if terms.extensions.enhanced_refresh { 2 } else { 0 };
        let now = wait_until(SOON, "both routes and the markers", || {
            let now = peer.stats();
            let routes = now.prefixes_announced_out - before.prefixes_announced_out;
            let refreshes = now.sent.route_refresh - before.sent.route_refresh;
            if (routes, refreshes) == (2, markers) { Ok(now) } else { Err(format!("{now:?}")) }
        });
        // A change after them shows that the router has handled them.
        let last = Route::new(prefix("172.22.35.72/32"));
        runtime.block_on(peer.announce(last)).unwrap();
        for route in [SMTP, "172.22.35.71/32", "172.22.35.72/32"] {
            only_path(&router, route);
        }
        assert_eq!(now.established_transitions, 1);
        assert_eq!(peer.stats().sessions_lost, 0);
    });
}

pub(crate) fn a_refresh_that_the_router_asks_for_repeats_all_routes<R: Router>(site: &Site) {
    let router: R = site.router_of(node());
    site.on(|runtime| {
        let (_speaker, peer) = runtime.block_on(site.dial(peer_config()));
        let routes = RouteSet::from([
            Route::new(prefix(SMTP)),
            Route::new(prefix("172.22.35.71/32")).med(5),
            Route::new(prefix("fd22:0:0:70::/64")).next_hop(address(NODE_IPV6)),
        ]);
        runtime.block_on(peer.set_routes(routes)).unwrap();
        for route in [SMTP, "172.22.35.71/32", "fd22:0:0:70::/64"] {
            only_path(&router, route);
        }
        let before = peer.stats();
        router.ask_for_refresh(address(NODE)).expect("the router asks");
        let now = wait_until(SOON, "all routes again", || {
            let now = peer.stats();
            let again = now.prefixes_announced_out - before.prefixes_announced_out;
            if again >= 3 { Ok(now) } else { Err(format!("{now:?}")) }
        });
        assert!(now.received.route_refresh > before.received.route_refresh);
        assert_eq!(now.established_transitions, 1);
        only_path(&router, SMTP);
    });
}
