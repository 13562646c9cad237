//! Changes of a peer's configuration: the ones that end its session, and the routes that the router keeps until the next.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bgp_session::{
    Asn, BgpIdentifier, EventKind, Events, Import, PeerConfig, PeerHandle, RemoteAs, RestartConfig,
    Route, Speaker,
};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::*;

const SOON: Duration = Duration::from_secs(20);
const NODE: &str = "127.0.90.2";

/// A router that keeps the node's routes, and the node's side of the session.
struct Site {
    node_at_router: PeerHandle,
    events: Events,
    router: Speaker,
    sessions: Sessions,
    /// The name of the router in the node's configuration.
    peer: &'static str,
}

impl Site {
    /// With `notification`, both ends keep routes after a NOTIFICATION (the N bit of RFC 8538).
    async fn new(listen: &str, notification: bool) -> (Self, SessionConfig) {
        let listen: IpAddr = listen.parse().expect("an address");
        let router = Speaker::builder(Asn(64635), BgpIdentifier::new(10, 0, 0, 1))
            .listen(SocketAddr::new(listen, 0))
            .start()
            .await
            .expect("a speaker");
        let mut restart = RestartConfig::default();
        restart.notification = notification;

        let config = PeerConfig::new(node(), RemoteAs::Any)
            .passive()
            .graceful_restart_with(restart)
            .import(Import::Keep);
        let node_at_router = router.add_peer(config).await.expect("a peer");
        let events = router.events();

        let sessions = Sessions::new(Arc::new(Notify::new()), EventLog::new());
        let address = router.listen_addr().expect("it listens");
        let config = PeerConfig::new(address, Asn(64635)).local_address(node()).graceful_restart();
        let identifier = BgpIdentifier::new(10, 0, 0, 2);
        let config = SessionConfig::new(Asn(64636), identifier, RemotePeer::Address(config));

        let mut site = Self { node_at_router, events, router, sessions, peer: "router" };
        site.apply(&config).await;
        let up = site.node_at_router.established();
        timeout(SOON, up).await.expect("a session").expect("a peer");
        site.wait_for_route().await;
        (site, config)
    }

    async fn apply(&mut self, config: &SessionConfig) {
        let key = SessionKey::new("n1", self.peer);
        let routes = [Route::new("192.0.2.1/32".parse().expect("a prefix"))];
        let desired = DesiredSession::new(config.clone(), routes.into_iter().collect());
        let failed = self.sessions.apply(&BTreeMap::from([(key, desired)])).await;
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// Waits for the route at the router.
    async fn wait_for_route(&self) {
        let mut changed = self.router.loc_rib_changed();
        let received = async {
            while self.router.loc_rib().is_empty() {
                changed.changed().await.expect("the speaker runs");
            }
        };
        timeout(SOON, received).await.expect("the route");
    }

    /// Waits for the end of the session and for the next one. Returns what the router received, and how many routes it
    /// lost in between.
    async fn next_session(&mut self) -> (String, usize) {
        let (mut reason, mut lost, mut end_of_rib) = (None, 0, false);
        while reason.is_none() || !end_of_rib {
            let event = timeout(SOON, self.events.next()).await.expect("an event");
            match event.expect("the speaker runs").expect("no event is missed").kind {
                EventKind::Down(why) => (reason, end_of_rib) = (Some(why.to_string()), false),
                EventKind::RoutesChanged { withdrawn, .. } => lost += withdrawn,
                EventKind::EndOfRib(_) => end_of_rib = true,
                _ => {}
            }
        }
        (reason.unwrap_or_default(), lost)
    }
}

fn node() -> IpAddr {
    NODE.parse().expect("an address")
}

type ConfigMutation = fn(SessionConfig) -> SessionConfig;

fn with_remote(config: SessionConfig, change: fn(PeerConfig) -> PeerConfig) -> SessionConfig {
    SessionConfig { remote: config.remote.map_config(change), ..config }
}

/// The changes that need a new session with the same router.
const CHANGES: [(&str, ConfigMutation); 6] = [
    ("myASN", |config| SessionConfig { asn: Asn(64700), ..config }),
    ("routerID", |config| SessionConfig { identifier: BgpIdentifier::new(10, 0, 0, 99), ..config }),
    ("peerASN", |config| {
        with_remote(config, |config| {
            let config = PeerConfig::new(config.address(), RemoteAs::External);
            config.local_address(node()).graceful_restart()
        })
    }),
    ("ebgpMultiHop", |config| with_remote(config, |config| config.multihop(255))),
    ("families", |config| {
        with_remote(config, |config| config.families([bgp_session::AfiSafi::IPV4_UNICAST]))
    }),
    ("several paths", |config| {
        with_remote(config, |config| {
            config.add_path(bgp_session::AfiSafi::IPV4_UNICAST, bgp_session::AddPathMode::SEND)
        })
    }),
];

#[tokio::test]
async fn a_changed_parameter_ends_the_session_and_the_router_keeps_the_routes() {
    for (what, change) in CHANGES {
        let (mut site, config) = Site::new("127.0.90.1", true).await;
        let before = Instant::now();
        site.apply(&change(config)).await;
        let (reason, lost) = site.next_session().await;
        assert_eq!(reason, "ended by the peer: Cease: other configuration change", "{what}");
        assert_eq!(lost, 0, "{what}");

        let took = before.elapsed();
        assert!(took < Duration::from_secs(5), "{what}: the next session came after {took:?}");
        site.sessions.shutdown("").await;
        site.router.shutdown("").await;
    }
}

#[tokio::test]
async fn without_the_n_bit_the_router_receives_the_same_cease() {
    let (mut site, config) = Site::new("127.0.91.1", false).await;
    site.apply(&CHANGES[1].1(config)).await;
    let (reason, _) = site.next_session().await;
    assert_eq!(reason, "ended by the peer: Cease: other configuration change");
    site.sessions.shutdown("").await;
    site.router.shutdown("").await;
}

#[tokio::test]
async fn a_change_of_timers_alone_keeps_the_session() {
    let (mut site, config) = Site::new("127.0.92.1", true).await;
    site.apply(&with_remote(config, |config| config.hold_time(Duration::from_secs(30)))).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(site.node_at_router.stats().sessions_lost, 0);
    site.sessions.shutdown("").await;
    site.router.shutdown("").await;
}

#[tokio::test]
async fn a_peer_that_is_renamed_and_changed_at_once_keeps_its_routes() {
    let (mut site, config) = Site::new("127.0.93.1", true).await;
    site.peer = "another name";
    site.apply(&with_remote(config, |config| config.multihop(255))).await;
    let (reason, lost) = site.next_session().await;
    assert_eq!(reason, "ended by the peer: Cease: other configuration change");
    assert_eq!(lost, 0);
    site.sessions.shutdown("").await;
    site.router.shutdown("").await;
}

#[tokio::test]
async fn the_session_of_a_removed_peer_ends_for_good() {
    for notification in [false, true] {
        let (mut site, _) = Site::new("127.0.94.1", notification).await;
        assert!(site.sessions.apply(&BTreeMap::new()).await.is_empty());
        let down = site.node_at_router.wait_for(|status| status.last_down.is_some());
        let status = timeout(SOON, down).await.expect("the end").expect("a peer");
        let reason = status.last_down.expect("a reason").to_string();
        assert!(reason.contains("peer de-configured"), "{reason}");
        assert_eq!(reason.contains("hard reset"), notification, "{reason}");
        assert!(site.router.loc_rib().is_empty(), "{notification}");
        site.router.shutdown("").await;
    }
}
