//! Stories of later extensions: route refresh, long messages, other next hops, several paths.

use bgp_session::{
    AddPathMode, AfiSafi, Asn, BgpIdentifier, Community, Import, LargeCommunity, NextHop,
    PathAttributes, PeerConfig, Route, RouteSet, Speaker,
};
use test_peers::{Neighbor, Originated, Router, wait_until};

use crate::site::*;

pub(crate) fn a_refresh_that_we_ask_for_brings_all_routes_again<R: Router>(site: &Site) {
    let originated = ["10.1.0.0/16", "10.2.0.0/16", "fd99::/48"];
    let config =
        originated.iter().fold(router_config(node()), |c, text| c.route(Originated::new(text)));
    let _router: R = site.router(config);
    site.on(|runtime| {
        let (speaker, peer) = runtime.block_on(site.dial(peer_config().import(Import::Keep)));
        for route in originated {
            received(&speaker, route);
        }
        let before = peer.stats();
        runtime.block_on(peer.refresh(AfiSafi::IPV4_UNICAST)).unwrap();
        wait_until(SOON, "both IPv4 routes again", || {
            let now = peer.stats();
            let again = now.prefixes_announced_in - before.prefixes_announced_in;
            if again >= 2 { Ok(()) } else { Err(format!("{now:?}")) }
        });
        assert_eq!(peer.stats().established_transitions, 1);
        for route in originated {
            received(&speaker, route);
        }
    });
}

pub(crate) fn a_message_may_be_longer_than_4096_octets<R: Router>(site: &Site) {
    let router: R = site.router_of(node().extended_messages());
    site.on(|runtime| {
        let (_speaker, peer) = runtime.block_on(site.dial(peer_config()));
        // Twelve octets each.
        let large_communities: Vec<_> =
            (0..1_000).map(|n| LargeCommunity::new(NODE_AS, 1, n)).collect();
        let attributes = PathAttributes { large_communities, ..PathAttributes::default() };
        let route = Route::with_attributes(prefix(SMTP), attributes.into());
        runtime.block_on(peer.announce(route)).unwrap();
        // BIRD shows as many as fit into a line.
        assert!(only_path(&router, SMTP).large_communities.len() > 20);
        assert!(peer.stats().octets_out > 12_000, "in one message");
        assert_eq!(peer.stats().established_transitions, 1);
    });
}

pub(crate) fn routes_of_ipv4_have_next_hops_of_ipv6_both_ways<R: Router>(site: &Site) {
    let neighbor = Neighbor::new(NODE_IPV6, NODE_AS).extended_next_hop();
    let config = router_config(neighbor).route(Originated::new("10.8.0.0/13"));
    let router: R = site.router(config);
    site.on(|runtime| {
        let config = quick(PeerConfig::new(address(ROUTER_IPV6), Asn(ROUTER_AS)));
        let (speaker, peer) = runtime.block_on(site.dial(config.import(Import::Keep)));
        let route = Route::new(prefix(SMTP)).next_hop(address(NODE_IPV6));
        runtime.block_on(peer.announce(route)).unwrap();
        assert_eq!(only_path(&router, SMTP).next_hop, address(NODE_IPV6));
        let next_hop = received(&speaker, "10.8.0.0/13").next_hop.as_ref().map(NextHop::address);
        assert_eq!(next_hop, Some(address(ROUTER_IPV6)));
    });
}

pub(crate) fn several_paths_of_ours_reach_the_router<R: Router>(site: &Site) {
    let router: R = site.router_of(node().add_path());
    site.on(|runtime| {
        let config = peer_config().add_path(AfiSafi::IPV4_UNICAST, AddPathMode::BOTH);
        let (_speaker, peer) = runtime.block_on(site.dial(config));
        let path = |id: u32| Route::new(prefix(SMTP)).path(id).med(id);
        runtime.block_on(peer.set_routes(RouteSet::from([path(1), path(2), path(3)]))).unwrap();
        let meds = |wanted: &[u32]| {
            wait_until(SOON, "the paths", || {
                let paths = router.path_count(SMTP, wanted.len())?;
                let mut meds: Vec<u32> = paths.iter().filter_map(|path| path.med).collect();
                meds.sort_unstable();
                if meds == wanted { Ok(()) } else { Err(format!("{paths:?}")) }
            });
        };
        meds(&[1, 2, 3]);
        runtime.block_on(peer.withdraw_path(prefix(SMTP), 2)).unwrap();
        meds(&[1, 3]);
    });
}

pub(crate) fn several_paths_that_the_router_originates_reach_us<R: Router>(site: &Site) {
    let path =
        |id: u32, value: u16| Originated::new("10.9.0.0/16").path(id).community(64_635, value);
    let config = router_config(node().add_path()).route(path(7, 1)).route(path(8, 2));
    let _router: R = site.router(config);
    site.on(|runtime| {
        let config = peer_config().add_path(AfiSafi::IPV4_UNICAST, AddPathMode::BOTH);
        let (speaker, _peer) = runtime.block_on(site.dial(config.import(Import::Keep)));
        let paths = wait_until(SOON, "both paths", || {
            let table = speaker.loc_rib();
            let paths = table.paths(&prefix("10.9.0.0/16"));
            let mut paths: Vec<_> =
                paths.iter().map(|p| (p.path_id, p.attributes.communities.clone())).collect();
            paths.sort_unstable();
            if paths.len() == 2 { Ok(paths) } else { Err(format!("{paths:?}")) }
        });
        let community = |value| vec![Community::new(64_635, value)];
        assert_eq!(paths, [(7, community(1)), (8, community(2))]);
    });
}

pub(crate) fn several_paths_of_the_routers_reach_us<R: Router>(site: &Site) {
    const SHARED: &str = "10.9.0.0/16";
    let others = [("172.22.35.27", 64_637), ("172.22.35.28", 64_638)];
    let config = router_config(node().add_path());
    let config =
        others.iter().fold(config, |config, (own, asn)| config.neighbor(Neighbor::new(own, *asn)));
    let _router: R = site.router(config);
    let others = others.map(|(own, asn)| (site.host(own), own, asn));

    site.on(|runtime| {
        let config = peer_config().add_path(AfiSafi::IPV4_UNICAST, AddPathMode::BOTH);
        let (speaker, _peer) = runtime.block_on(site.dial(config.import(Import::Keep)));
        let announce = |(host, own, asn): &(test_peers::Host, &str, u32)| {
            let identifier: std::net::Ipv4Addr = own.parse().expect("an IPv4 address");
            host.enter(|| {
                let runtime = test_peers::runtime();
                let other = runtime.block_on(async {
                    let builder = Speaker::builder(Asn(*asn), BgpIdentifier::from(identifier));
                    let (other, peer) = site.peer(builder, peer_config()).await;
                    peer.announce(Route::new(prefix(SHARED))).await.unwrap();
                    (other, peer)
                });
                (runtime, other)
            })
        };
        let mut others: Vec<_> = others.iter().map(announce).collect();
        let paths = |wanted: &[&str]| {
            wait_until(SOON, "the paths of the others", || {
                let table = speaker.loc_rib();
                let mut seen: Vec<String> = table
                    .paths(&prefix(SHARED))
                    .iter()
                    .map(|path| path.attributes.as_path.to_string())
                    .collect();
                seen.sort_unstable();
                if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
            });
        };
        paths(&["64635 64637", "64635 64638"]);
        drop(others.pop());
        paths(&["64635 64637"]);
    });
}
