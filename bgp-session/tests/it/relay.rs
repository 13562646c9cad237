//! Relayed routes, in virtual time: a speaker between clients that have one session with it each.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Weak},
    time::Duration,
};

use bgp_session::{
    AddPathMode, AfiSafi, Asn, BgpIdentifier, Connecting, Connector, EventKind, GracefulShutdown,
    Import, Ipv4Net, LocRibSnapshot, PeerConfig, PeerHandle, PeerId, Relay, RestartConfig, Route,
    RouteSet, Speaker, SpeakerError,
    policy::{Action, Match, Policy, PrefixMatch, Rule},
};
use tokio::{io::duplex, time::sleep};

use crate::{
    pipes::transport,
    world::{ROUTER, prefixes, routes, soon, table},
};

const SERVER: &str = "192.0.2.1:179";

/// Connects a client to the speaker in the middle.
struct ToServer {
    server: Weak<Speaker>,
    from: String,
}

impl Connector for ToServer {
    fn connect(&self, _peer: &PeerConfig) -> Connecting {
        let (ours, theirs) = duplex(65_536);
        if let Some(server) = self.server.upgrade() {
            server.accept(transport(theirs, SERVER, &self.from));
        }
        let ours = transport(ours, &self.from, SERVER);
        Box::pin(async { Ok(ours) })
    }
}

/// A client: a speaker in an AS of its own, with one session.
struct Client {
    speaker: Speaker,
    peer: PeerHandle,
    /// The session at the other end.
    at_server: PeerHandle,
}

async fn server() -> Arc<Speaker> {
    let builder = Speaker::builder(ROUTER, BgpIdentifier::new(192, 0, 2, 1));
    Arc::new(builder.start().await.unwrap())
}

fn asn(number: u8) -> Asn {
    Asn(65_000 + u32::from(number))
}

fn id(number: u8) -> PeerId {
    PeerId::from([192, 0, 2, number])
}

fn towards_client(number: u8) -> PeerConfig {
    let address = IpAddr::from([192, 0, 2, number]);
    let config = PeerConfig::new(address, asn(number)).passive().import(Import::Keep);
    config.next_hop_ipv6("2001:db8::1".parse().unwrap())
}

fn towards_server(number: u8) -> PeerConfig {
    let address: std::net::SocketAddr = SERVER.parse().unwrap();
    let config = PeerConfig::new(address, ROUTER).import(Import::Keep).allow_any_first_as();
    config.jitter_seed(7).next_hop_ipv6(format!("2001:db8::{number}").parse().unwrap())
}

impl Client {
    async fn new(server: &Arc<Speaker>, number: u8, at_server: PeerConfig) -> Self {
        Self::with(server, number, at_server, towards_server(number)).await
    }

    async fn with(
        server: &Arc<Speaker>,
        number: u8,
        at_server: PeerConfig,
        config: PeerConfig,
    ) -> Self {
        let at_server = server.add_peer(at_server).await.unwrap();
        let connector =
            ToServer { server: Arc::downgrade(server), from: format!("192.0.2.{number}:40000") };
        let builder = Speaker::builder(asn(number), BgpIdentifier::new(192, 0, 2, number));
        let speaker = builder.connector(connector).start().await.unwrap();
        let peer = speaker.add_peer(config).await.unwrap();
        let mut client = Self { speaker, peer, at_server };
        soon("the session", client.peer.established()).await.unwrap();
        client
    }

    async fn announces(&self, set: RouteSet) {
        self.peer.set_routes(set).await.unwrap();
    }

    /// Waits until the client holds exactly these routes, and returns them.
    async fn holds(&self, expected: &[&str]) -> LocRibSnapshot {
        table(&self.speaker, &format!("{expected:?}"), |table| prefixes(table) == expected).await
    }

    /// Waits until the best path to a prefix is this one.
    async fn path_is(&self, prefix: &str, path: &str) {
        let prefix = prefix.parse().unwrap();
        let best =
            |table: &LocRibSnapshot| Some(table.best(&prefix)?.attributes.as_path.to_string());
        table(&self.speaker, path, |table| best(table).as_deref() == Some(path)).await;
    }
}

/// Clients 2, 3 and so on of a speaker that relays to all of them in this way.
async fn clients<const N: usize>(relay: Relay) -> (Arc<Speaker>, [Client; N]) {
    let server = server().await;
    let mut clients = Vec::new();
    for number in (2..).take(N) {
        clients.push(Client::new(&server, number, towards_client(number).relay(relay)).await);
    }
    (server, clients.try_into().ok().expect("all of them"))
}

#[tokio::test(start_paused = true)]
async fn a_router_relays_its_best_paths_to_all_other_peers() {
    let (_server, [a, b, c]) = clients(Relay::Router).await;
    a.announces(routes(&["10.1.0.0/24", "10.2.0.0/24", "fd22::/64"])).await;
    b.announces(routes(&["10.2.0.0/24", "10.3.0.0/24"])).await;

    let held = c.holds(&["10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24", "fd22::/64"]).await;
    let best = held.best(&"10.1.0.0/24".parse().unwrap()).unwrap();
    assert_eq!(best.attributes.as_path.to_string(), "64635 65002");
    assert_eq!(best.attributes.next_hop.unwrap().to_string(), "192.0.2.1", "next hop self");
    // Of the prefix of both the path of `a` is the best. `a` gets none, and `b` that of `a`.
    a.holds(&["10.3.0.0/24"]).await;
    b.holds(&["10.1.0.0/24", "10.2.0.0/24", "fd22::/64"]).await;

    a.announces(routes(&["10.1.0.0/24"])).await;
    c.holds(&["10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"]).await;
    a.holds(&["10.2.0.0/24", "10.3.0.0/24"]).await;
    b.holds(&["10.1.0.0/24"]).await;
    c.path_is("10.2.0.0/24", "64635 65003").await;
}

#[tokio::test(start_paused = true)]
async fn a_route_server_leaves_routes_as_they_are_and_hides_none() {
    let (_server, [a, b, c]) = clients(Relay::RouteServer).await;
    let route = || Route::new("10.2.0.0/24".parse().unwrap()).med(5);
    a.announces([route()].into()).await;
    b.announces([route().prepend(Asn(65_003), 1)].into()).await;

    let held = c.holds(&["10.2.0.0/24"]).await;
    let best = held.best(&"10.2.0.0/24".parse().unwrap()).unwrap();
    assert_eq!(best.attributes.as_path.to_string(), "65002");
    assert_eq!(best.attributes.next_hop.unwrap().to_string(), "192.0.2.2");
    assert_eq!(best.attributes.med, Some(5));
    // The client with the best path gets the best of the others.
    a.path_is("10.2.0.0/24", "65003 65003").await;
    b.path_is("10.2.0.0/24", "65002").await;

    a.announces(RouteSet::new()).await;
    c.path_is("10.2.0.0/24", "65003 65003").await;
    a.path_is("10.2.0.0/24", "65003 65003").await;
    b.holds(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn each_client_of_a_route_server_has_its_own_policy() {
    let server = server().await;
    let avoids = Policy::accept_all().rule(Rule::reject(Match::PeerAs(asn(2).into())));
    let config = |number| towards_client(number).relay(Relay::RouteServer);
    let a = Client::new(&server, 2, config(2)).await;
    let b = Client::new(&server, 3, config(3)).await;
    let c = Client::new(&server, 4, config(4).export_policy(avoids)).await;
    let d = Client::new(&server, 5, config(5)).await;
    a.announces(routes(&["10.1.0.0/24", "10.2.0.0/24"])).await;
    let longer = Route::new("10.2.0.0/24".parse().unwrap()).prepend(Asn(65_003), 1);
    b.announces([longer].into()).await;

    d.path_is("10.2.0.0/24", "65002").await;
    c.path_is("10.2.0.0/24", "65003 65003").await;
    c.holds(&["10.2.0.0/24"]).await;

    // The policy of one client changes, and the others notice nothing.
    let updates = d.at_server.stats().sent.update;
    let only = Match::prefixes([PrefixMatch::exactly("10.1.0.0/24".parse().unwrap())]);
    let marks = Policy::reject_all().rule(Rule::accept(only).action(Action::Med(Some(9))));
    c.at_server.update(config(4).export_policy(marks)).await.unwrap();
    let held = c.holds(&["10.1.0.0/24"]).await;
    assert_eq!(held.best(&"10.1.0.0/24".parse().unwrap()).unwrap().attributes.med, Some(9));
    assert_eq!(d.at_server.stats().sent.update, updates);
    assert_eq!(c.peer.stats().established_transitions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_late_gets_everything_and_then_end_of_rib() {
    let (server, [a, b]) = clients(Relay::RouteServer).await;
    a.announces(routes(&["10.1.0.0/24", "fd22::/64"])).await;
    b.holds(&["10.1.0.0/24", "fd22::/64"]).await;

    let late = towards_client(9).relay(Relay::RouteServer);
    let at_server = server.add_peer(late).await.unwrap();
    let connector = ToServer { server: Arc::downgrade(&server), from: "192.0.2.9:40000".into() };
    let builder = Speaker::builder(asn(9), BgpIdentifier::new(192, 0, 2, 9));
    let speaker = builder.connector(connector).start().await.unwrap();
    let mut events = speaker.events();
    let _peer = speaker.add_peer(towards_server(9)).await.unwrap();
    let mut log = Vec::new();
    soon("both ends of RIB", async {
        while log.iter().filter(|it| matches!(it, EventKind::EndOfRib(_))).count() < 2 {
            let kind = events.next().await.unwrap().unwrap().kind;
            if matches!(kind, EventKind::EndOfRib(_) | EventKind::RoutesChanged { .. }) {
                log.push(kind);
            }
        }
    })
    .await;
    assert!(matches!(log[0], EventKind::RoutesChanged { .. }), "{log:?}");
    assert_eq!(prefixes(&speaker.loc_rib()), ["10.1.0.0/24", "fd22::/64"]);
    drop(at_server);
}

#[tokio::test(start_paused = true)]
async fn the_routes_of_a_client_that_is_gone_are_withdrawn_from_the_others() {
    let (server, [a, b]) = clients(Relay::RouteServer).await;
    a.announces(routes(&["10.1.0.0/24"])).await;
    b.holds(&["10.1.0.0/24"]).await;
    a.peer.disable("away").await.unwrap();
    b.holds(&[]).await;
    a.peer.enable().await.unwrap();
    b.holds(&["10.1.0.0/24"]).await;
    server.peer(id(2)).unwrap().shutdown("gone").await.unwrap();
    b.holds(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn the_routes_of_a_client_that_restarts_stay_with_the_others() {
    let server = server().await;
    let mut restart = RestartConfig::default();
    restart.restart_time = Duration::from_secs(60);
    let graceful = |config: PeerConfig| config.graceful_restart_with(restart.clone());
    let config = |number| graceful(towards_client(number).relay(Relay::RouteServer));
    let a = Client::with(&server, 2, config(2), graceful(towards_server(2))).await;
    let b = Client::with(&server, 3, config(3), graceful(towards_server(3))).await;
    a.announces(routes(&["10.1.0.0/24"])).await;
    b.holds(&["10.1.0.0/24"]).await;

    a.speaker.abandon().await;
    sleep(Duration::from_secs(50)).await;
    let updates = b.at_server.stats().sent.update;
    b.holds(&["10.1.0.0/24"]).await;
    sleep(Duration::from_secs(20)).await;
    b.holds(&[]).await;
    assert_eq!(b.at_server.stats().sent.update, updates + 1, "only the withdrawal");
}

#[tokio::test(start_paused = true)]
async fn refreshes_of_relayed_routes_go_both_ways() {
    let (_server, [a, b]) = clients(Relay::Router).await;
    a.announces(routes(&["10.1.0.0/24"])).await;
    b.holds(&["10.1.0.0/24"]).await;
    let announced = |it: &Client| it.at_server.stats().prefixes_announced_out;

    b.peer.refresh(AfiSafi::IPV4_UNICAST).await.unwrap();
    soon("the route again", async {
        while announced(&b) < 2 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    // An equal route is not relayed again.
    a.at_server.refresh(AfiSafi::IPV4_UNICAST).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(a.at_server.stats().prefixes_announced_in, 2);
    assert_eq!(announced(&b), 2);
}

#[tokio::test(start_paused = true)]
async fn a_drain_marks_and_withdraws_relayed_routes_and_may_be_cancelled() {
    let (server, [a, b]) = clients(Relay::RouteServer).await;
    a.announces(routes(&["10.1.0.0/24"])).await;
    b.holds(&["10.1.0.0/24"]).await;

    let secs = Duration::from_secs;
    let how = GracefulShutdown::new().marked_for(secs(10)).withdrawn_for(secs(10));
    let draining = tokio::spawn({
        let server = Arc::clone(&server);
        async move { server.drain(how).await }
    });
    sleep(secs(5)).await;
    let held = b.holds(&["10.1.0.0/24"]).await;
    let best = held.best(&"10.1.0.0/24".parse().unwrap()).unwrap();
    assert_eq!(best.attributes.communities, [bgp_session::Community::GRACEFUL_SHUTDOWN]);

    sleep(secs(10)).await;
    b.holds(&[]).await;
    a.announces(routes(&["10.1.0.0/24", "10.2.0.0/24"])).await;
    sleep(secs(2)).await;
    b.holds(&[]).await;
    draining.abort();
    let held = b.holds(&["10.1.0.0/24", "10.2.0.0/24"]).await;
    let best = held.best(&"10.1.0.0/24".parse().unwrap()).unwrap();
    assert!(best.attributes.communities.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_with_add_path_gets_every_path_but_its_own() {
    let server = server().await;
    let config = |number| towards_client(number).relay(Relay::RouteServer);
    let a = Client::new(&server, 2, config(2)).await;
    let b = Client::new(&server, 3, config(3)).await;
    let v4 = AfiSafi::IPV4_UNICAST;
    let sends = config(4).add_path(v4, AddPathMode::SEND);
    let takes = towards_server(4).add_path(v4, AddPathMode::RECEIVE);
    let c = Client::with(&server, 4, sends, takes).await;
    for client in [&a, &b, &c] {
        client.announces(routes(&["10.1.0.0/24"])).await;
    }

    let prefix = "10.1.0.0/24".parse().unwrap();
    let paths = |table: &LocRibSnapshot| {
        let mut paths: Vec<_> =
            table.paths(&prefix).iter().map(|path| path.attributes.as_path.to_string()).collect();
        paths.sort();
        paths
    };
    table(&c.speaker, "both paths", |table| paths(table) == ["65002", "65003"]).await;
    a.announces(RouteSet::new()).await;
    table(&c.speaker, "the other path", |table| paths(table) == ["65003"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_with_relayed_routes_is_given_no_others_and_one_call_serves_many() {
    let server = server().await;
    let a = Client::new(&server, 2, towards_client(2).relay(Relay::Router)).await;
    let b = Client::new(&server, 3, towards_client(3)).await;
    let c = Client::new(&server, 4, towards_client(4)).await;
    let set = routes(&["10.9.0.0/24"]);
    let refused = a.at_server.set_routes(set.clone()).await.unwrap_err();
    assert!(matches!(refused, SpeakerError::PeerRelays { peer } if peer == id(2)), "{refused}");
    let refused = server.set_routes([id(3), id(2)], set.clone()).await.unwrap_err();
    assert!(matches!(refused, SpeakerError::PeerRelays { .. }), "{refused}");
    let unknown = server.set_routes([id(3), id(77)], set.clone()).await.unwrap_err();
    assert!(matches!(unknown, SpeakerError::PeerShutDown { .. }), "{unknown}");

    server.set_routes([id(3), id(4)], set.clone()).await.unwrap();
    for client in [&b, &c] {
        client.holds(&["10.9.0.0/24"]).await;
    }
    // Once the peer has none of them relayed, it may be given routes.
    a.at_server.update(towards_client(2)).await.unwrap();
    a.at_server.set_routes(set).await.unwrap();
    a.holds(&["10.9.0.0/24"]).await;
}

#[tokio::test(start_paused = true)]
async fn many_routes_arrive_whole_while_they_change() {
    let (_server, [a, b, c]) = clients(Relay::Router).await;
    let many = |count: u32, med| -> RouteSet {
        let host = |n: u32| Ipv4Net::new_assert(Ipv4Addr::from(0x0a00_0000 + n), 32);
        (0..count)
            .map(|n| Route::new(host(n).into()).prepend(asn(2), (med + n) as usize % 4))
            .collect()
    };
    for (count, med) in [(5_000, 1), (3_000, 2), (6_000, 3), (6_000, 0), (4_000, 2)] {
        a.announces(many(count, med)).await;
        sleep(Duration::from_millis(3)).await;
    }

    let expected = many(4_000, 2);
    for client in [&b, &c] {
        let held = table(&client.speaker, "the last set", |table| {
            table.len() == 4_000
                && expected.iter().all(|(prefix, sent)| {
                    let length = sent.as_path.hop_count() + 2;
                    table
                        .best(&prefix)
                        .is_some_and(|it| it.attributes.as_path.hop_count() == length)
                })
        });
        held.await;
    }
    assert!(a.speaker.loc_rib().is_empty());
}
