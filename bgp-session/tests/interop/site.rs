//! The site of a story: a LAN with a host for the router and one for us, a capture of our cable, and the report of a failed
//! test about our side.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bgp_session::{
    Asn, BgpIdentifier, PathAttributes, PeerConfig, PeerHandle, Speaker, SpeakerBuilder,
};
use test_peers::{Capture, Host, Lan, Neighbor, Path, Router, RouterConfig, wait_until};
use tokio::runtime::Runtime;

pub(crate) const ROUTER: &str = "172.22.35.1";
pub(crate) const ROUTER_IPV6: &str = "fd22::1";
pub(crate) const ROUTER_AS: u32 = 64635;
pub(crate) const NODE: &str = "172.22.35.26";
pub(crate) const NODE_IPV6: &str = "fd22::26";
pub(crate) const NODE_AS: u32 = 64636;
/// The first route of most stories.
pub(crate) const SMTP: &str = "172.22.35.70/32";
/// Far longer than anything needs. A test that passes never waits so long.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The LAN of one test.
#[derive(Debug)]
pub(crate) struct Site {
    lan: Lan,
    router: Host,
    pub(crate) node: Host,
    capture: Option<Capture>,
    events: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// A LAN whose capture is named after the test.
    pub(crate) fn new(router: &str, story: &str) -> Self {
        let lan = Lan::new();
        let (host, node) = lan.router_and_node();
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("captures");
        std::fs::create_dir_all(&directory).expect("a directory for captures");
        let file = directory.join(format!("{}-{story}.pcap", router.to_lowercase()));
        let capture = Some(Capture::start(&node, &file));
        Self { lan, router: host, node, capture, events: Arc::default() }
    }

    /// Adds another host, with this address.
    pub(crate) fn host(&self, own: &str) -> Host {
        self.lan.host(&format!("host{}", own.replace('.', "-")), &[&format!("{own}/24")])
    }

    /// Starts the router.
    pub(crate) fn router<R: Router>(&self, config: RouterConfig) -> R {
        R::start(&self.router, config)
    }

    /// Starts the router with us as its only neighbour.
    pub(crate) fn router_of<R: Router>(&self, neighbor: Neighbor) -> R {
        self.router(router_config(neighbor))
    }

    /// Runs a story on our host, with a runtime whose threads are in its namespace.
    pub(crate) fn on(&self, story: impl FnOnce(&Runtime) + Send) {
        self.node.with_runtime(story);
    }

    /// Starts a speaker. Its events are printed if the test fails.
    pub(crate) async fn start(&self, builder: SpeakerBuilder) -> Speaker {
        let speaker = builder.start().await.expect("a speaker");
        let mut events = speaker.events();
        let seen = Arc::clone(&self.events);
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                seen.lock().unwrap_or_else(|e| e.into_inner()).push(format!("{event:?}"));
            }
        });
        speaker
    }

    /// Starts a speaker that only dials, and waits for its session.
    pub(crate) async fn dial(&self, config: PeerConfig) -> (Speaker, PeerHandle) {
        self.peer(speaker(), config).await
    }

    /// Starts a speaker that only dials, with a peer that has no session yet.
    pub(crate) async fn add(&self, config: PeerConfig) -> (Speaker, PeerHandle) {
        let speaker = self.start(speaker()).await;
        let peer = speaker.add_peer(config).await.expect("a peer");
        (speaker, peer)
    }

    /// Starts a speaker that also listens on port 179, so that both ends may dial at the same time.
    pub(crate) async fn listen_and_dial(&self, config: PeerConfig) -> (Speaker, PeerHandle) {
        let builder = [NODE, NODE_IPV6]
            .into_iter()
            .fold(speaker(), |builder, own| builder.listen(SocketAddr::new(address(own), 179)));
        self.peer(builder, config).await
    }

    /// Starts a speaker and waits for its session with this peer.
    pub(crate) async fn peer(
        &self,
        builder: SpeakerBuilder,
        config: PeerConfig,
    ) -> (Speaker, PeerHandle) {
        let speaker = self.start(builder).await;
        let mut peer = speaker.add_peer(config).await.expect("a peer");
        established(&mut peer).await;
        (speaker, peer)
    }

    /// Lets tshark check everything that we sent.
    #[track_caller]
    pub(crate) fn judge(mut self) {
        let capture = self.capture.take().expect("a capture");
        capture.judge(&[address(NODE), address(NODE_IPV6)]);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let events = self.events.lock().unwrap_or_else(|e| e.into_inner());
        let mut stderr = std::io::stderr();
        let _ = writeln!(stderr, "--- our events\n{}\n---", events.join("\n"));
        if let Some(capture) = &self.capture {
            let _ = writeln!(stderr, "--- the capture: {}\n---", capture.file().display());
        }
    }
}

pub(crate) fn router_config(neighbor: Neighbor) -> RouterConfig {
    RouterConfig::new(ROUTER, ROUTER_AS).neighbor(neighbor)
}

/// Us, as a neighbour of the router.
pub(crate) fn node() -> Neighbor {
    Neighbor::new(NODE, NODE_AS)
}

/// The router, as a peer of ours.
pub(crate) fn peer_config() -> PeerConfig {
    quick(PeerConfig::new(address(ROUTER), Asn(ROUTER_AS)))
}

/// With short pauses, because the router may just be starting.
pub(crate) fn quick(config: PeerConfig) -> PeerConfig {
    let second = Duration::from_secs(1);
    config.connect_retry(second).connect_timeout(second).idle_hold(second / 10, second)
}

pub(crate) fn speaker() -> SpeakerBuilder {
    Speaker::builder(Asn(NODE_AS), BgpIdentifier::new(172, 22, 35, 26))
}

/// A speaker that listens on port 179.
pub(crate) fn listening() -> SpeakerBuilder {
    let own = [NODE, NODE_IPV6].map(|own| SocketAddr::new(address(own), 179));
    own.into_iter().fold(speaker(), SpeakerBuilder::listen)
}

pub(crate) async fn established(peer: &mut PeerHandle) {
    let up = tokio::time::timeout(SOON, peer.established()).await.map(Result::unwrap);
    assert!(up.is_ok(), "no session: {:?}", peer.status());
}

/// Waits for the end of a session, and returns its reason as text.
pub(crate) async fn ended(peer: &mut PeerHandle) -> String {
    let down = peer.wait_for(|status| !status.is_established());
    let status = tokio::time::timeout(SOON, down).await.expect("an end of the session").unwrap();
    status.last_down.expect("a reason").to_string()
}

/// The attributes of the best route that a speaker has to a prefix.
pub(crate) fn received(speaker: &Speaker, prefix_text: &str) -> Arc<PathAttributes> {
    wait_until(SOON, &format!("a route to {prefix_text}"), || {
        let table = speaker.loc_rib();
        let best = table.best(&prefix(prefix_text)).map(|path| Arc::clone(&path.attributes));
        best.ok_or_else(|| format!("{table:?}"))
    })
}

pub(crate) fn only_path<R: Router>(router: &R, prefix: &str) -> Path {
    wait_until(SOON, &format!("one path at {}", R::NAME), || router.path_count(prefix, 1)).remove(0)
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().expect("an IP address")
}

pub(crate) fn prefix<P: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> P {
    text.parse().expect("a prefix")
}
