//! Stories of relayed routes: the router is a client of ours, and so is another speaker behind us.

use std::net::Ipv4Addr;

use bgp_session::{
    Asn, BgpIdentifier, Community, Import, PeerConfig, PeerHandle, RawAttribute, Relay, Route,
    RouteSet, Speaker,
    policy::{Match, Policy, PrefixMatch, Rule},
    wire::{AttributeCode, AttributeFlags},
};
use test_peers::{Host, Neighbor, Originated, Router, wait_until};
use tokio::runtime::Runtime;

use crate::site::*;

const OTHER: &str = "172.22.35.27";
const OTHER_AS: u32 = 64_637;
const LATE: &str = "172.22.35.28";
const LATE_AS: u32 = 64_638;
const IPV6: &str = "fd22:0:0:70::/64";

/// Another client of ours, on a host of its own.
struct Client {
    host: Host,
    speaker: Speaker,
    peer: PeerHandle,
    /// Dropped last, on no runtime.
    runtime: Runtime,
}

impl Client {
    fn new(site: &Site, own: &str, asn: u32) -> Self {
        let host = site.host(own);
        let identifier = BgpIdentifier::from(own.parse::<Ipv4Addr>().expect("an IPv4 address"));
        let (runtime, speaker, peer) = host.enter(|| {
            let runtime = test_peers::runtime();
            let (speaker, peer) = runtime.block_on(async {
                let config = quick(PeerConfig::new(address(NODE), Asn(NODE_AS)));
                let config = config.import(Import::Keep).allow_any_first_as();
                site.peer(Speaker::builder(Asn(asn), identifier), config).await
            });
            (runtime, speaker, peer)
        });
        Self { host, speaker, peer, runtime }
    }

    fn announces(&self, routes: impl IntoIterator<Item = Route>) {
        let routes: RouteSet = routes.into_iter().collect();
        self.host.enter(|| self.runtime.block_on(self.peer.set_routes(routes))).unwrap();
    }

    fn prefixes(&self, expected: &[&str]) {
        wait_until(SOON, "the routes of the other client", || {
            let table = self.speaker.loc_rib();
            let prefixes: Vec<_> = table.iter().map(|(prefix, _)| prefix.to_string()).collect();
            if prefixes == expected { Ok(()) } else { Err(format!("{prefixes:?}")) }
        });
    }
}

/// Us, as a route server that the router is a client of.
fn server() -> Neighbor {
    node().route_server()
}

/// Our side of the sessions with the router and with the other clients.
fn serve(runtime: &Runtime, site: &Site, to_router: PeerConfig, relay: Relay) -> Speaker {
    let client = |own: &str, asn| PeerConfig::new(address(own), Asn(asn)).passive();
    let others = [client(OTHER, OTHER_AS), client(LATE, LATE_AS)];
    runtime.block_on(async {
        let speaker = site.start(listening()).await;
        for config in others.into_iter().chain([to_router]) {
            let config = config.import(Import::Keep).relay(relay);
            let config = config.next_hop_ipv6(NODE_IPV6.parse().unwrap());
            // The peer stays as long as the speaker.
            std::mem::forget(speaker.add_peer(config).await.expect("a peer"));
        }
        speaker
    })
}

/// A route with attributes of all kinds.
fn rich(prefix_text: &str) -> Route {
    let unknown = RawAttribute {
        code: AttributeCode(0xe9),
        flags: AttributeFlags::OPTIONAL.with(AttributeFlags::TRANSITIVE),
        value: bytes::Bytes::from_static(b"unknown"),
    };
    Route::new(prefix(prefix_text))
        .prepend(Asn(4_200_000_001), 1)
        .med(5)
        .atomic_aggregate()
        .community(Community::new(64_635, 7))
        .large_community((4_200_000_001, 1, 2).into())
        .raw_attribute(unknown)
}

pub(crate) fn a_route_server_of_ours_changes_nothing_between_its_clients<R: Router>(site: &Site) {
    let config = router_config(server()).route(Originated::new("10.1.0.0/16"));
    let router: R = site.router(config);
    site.on(|runtime| {
        let without = Match::prefixes([PrefixMatch::exactly(prefix("10.4.0.0/16"))]);
        let policy = Policy::accept_all().rule(Rule::reject(without));
        let to_router = peer_config().export_policy(policy);
        let speaker = serve(runtime, site, to_router, Relay::RouteServer);
        let other = Client::new(site, OTHER, OTHER_AS);
        let ipv6 = Route::new(prefix(IPV6)).next_hop(address("fd22::27"));
        let plain = |text| Route::new(prefix(text));
        other.announces([rich("10.2.0.0/16"), ipv6.clone(), plain("10.4.0.0/16")]);

        let path = only_path(&router, "10.2.0.0/16");
        assert_eq!((path.from, path.next_hop), (address(NODE), address(OTHER)));
        assert_eq!((path.as_path, path.med), (vec![OTHER_AS, 4_200_000_001], Some(5)));
        assert_eq!(path.communities, [(64_635, 7)]);
        assert_eq!(path.large_communities, [(4_200_000_001, 1, 2)]);
        let path = only_path(&router, IPV6);
        assert_eq!((path.next_hop, path.as_path), (address("fd22::27"), vec![OTHER_AS]));

        let back = received(&other.speaker, "10.1.0.0/16");
        assert_eq!(back.as_path.to_string(), ROUTER_AS.to_string());
        assert_eq!(back.next_hop.map(|it| it.address()), Some(address(ROUTER)));
        // A client that comes late gets everything, also what the policy keeps from the router.
        let late = Client::new(site, LATE, LATE_AS);
        late.prefixes(&["10.1.0.0/16", "10.2.0.0/16", "10.4.0.0/16", IPV6]);
        router.path_count("10.4.0.0/16", 0).unwrap();
        let unknown = &received(&late.speaker, "10.2.0.0/16").unknown;
        assert_eq!((unknown[0].code.0, &unknown[0].value[..]), (0xe9, &b"unknown"[..]));

        // The router's own route and the late client's share a prefix: neither hides the other.
        late.announces([plain("10.1.0.0/16"), plain("10.2.0.0/16")]);
        wait_until(SOON, "the late client's path beside the router's own", || {
            let paths = router.paths("10.1.0.0/16")?;
            let other = paths.iter().find(|path| path.from == address(NODE));
            let is_there = other.is_some_and(|path| path.as_path == [LATE_AS]);
            if is_there { Ok(()) } else { Err(format!("{paths:?}")) }
        });
        wait_until(SOON, "the shorter path", || {
            let path = router.path_count("10.2.0.0/16", 1)?.remove(0);
            if path.as_path == [LATE_AS] { Ok(()) } else { Err(format!("{path:?}")) }
        });

        other.announces([ipv6]);
        drop(late);
        wait_until(SOON, "the end of the routes", || router.path_count("10.2.0.0/16", 0));
        only_path(&router, IPV6);
        other.prefixes(&["10.1.0.0/16"]);
        drop(speaker);
    });
}

pub(crate) fn a_router_of_ours_passes_routes_on_with_its_as_and_its_next_hop<R: Router>(
    site: &Site,
) {
    let config = router_config(node()).route(Originated::new("10.1.0.0/16"));
    let router: R = site.router(config);
    site.on(|runtime| {
        let _speaker = serve(runtime, site, peer_config(), Relay::Router);
        let other = Client::new(site, OTHER, OTHER_AS);
        let kept = Route::new(prefix("10.3.0.0/16")).community(Community::NO_EXPORT);
        let ipv6 = Route::new(prefix(IPV6)).next_hop(address("fd22::27"));
        other.announces([rich("10.2.0.0/16"), kept, ipv6]);

        let path = only_path(&router, "10.2.0.0/16");
        assert_eq!((path.next_hop, path.med), (address(NODE), None));
        assert_eq!(path.as_path, [NODE_AS, OTHER_AS, 4_200_000_001]);
        assert_eq!(path.communities, [(64_635, 7)]);
        assert_eq!(path.large_communities, [(4_200_000_001, 1, 2)]);
        let path = only_path(&router, IPV6);
        assert_eq!((path.next_hop, path.as_path), (address(NODE_IPV6), vec![NODE_AS, OTHER_AS]));
        router.path_count("10.3.0.0/16", 0).unwrap();
        let back = received(&other.speaker, "10.1.0.0/16");
        assert_eq!(back.as_path.to_string(), format!("{NODE_AS} {ROUTER_AS}"));
        assert_eq!(back.next_hop.map(|it| it.address()), Some(address(NODE)));

        other.announces([]);
        wait_until(SOON, "the end of the route", || router.path_count("10.2.0.0/16", 0));
    });
}

pub(crate) fn a_client_of_ours_that_is_killed_loses_its_routes_and_gets_all_again<R: Router>(
    site: &Site,
) {
    let config = router_config(server()).route(Originated::new("10.1.0.0/16"));
    let mut router: R = site.router(config);
    site.on(|runtime| {
        let _speaker = serve(runtime, site, peer_config(), Relay::RouteServer);
        let other = Client::new(site, OTHER, OTHER_AS);
        other.announces([Route::new(prefix("10.2.0.0/16"))]);
        only_path(&router, "10.2.0.0/16");
        other.prefixes(&["10.1.0.0/16"]);

        router.kill();
        other.prefixes(&[]);
        other.announces([Route::new(prefix("10.5.0.0/16"))]);
        router.start_again();
        only_path(&router, "10.5.0.0/16");
        router.path_count("10.2.0.0/16", 0).unwrap();
        other.prefixes(&["10.1.0.0/16"]);
    });
}
