use std::net::Ipv4Addr;
use std::time::Duration;

use bgp_session::{Asn, BgpIdentifier, DownReason, PeerConfig, PeerHandle, Speaker};
use ferrolb_api::{Event, EventKind};

use super::*;

const NODE: Asn = Asn(64_600);

/// An address that only this process uses.
fn address(host: u8) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 + high % 128, low, host)
}

/// A passive router with the node as its peer, and the node's sessions with it.
struct Pair {
    node: Ipv4Addr,
    router: Speaker,
    at_router: PeerHandle,
    desired: BTreeMap<SessionKey, DesiredSession>,
    sessions: Sessions,
    log: EventLog,
}

impl Pair {
    async fn established(host: u8) -> Self {
        let (node, at) = (address(host), address(host + 1));
        let builder = Speaker::builder(Asn(64_500), BgpIdentifier::new(10, 78, 0, host));
        let router = builder.listen((at, 0).into()).start().await.unwrap();
        let at_router = PeerConfig::new(node, NODE).local_address(at.into()).passive();
        let at_router = router.add_peer(at_router).await.unwrap();

        let log = EventLog::new();
        let sessions = Sessions::new(Arc::new(Notify::new()), log.clone());
        let mut pair = Self { node, router, at_router, desired: BTreeMap::new(), sessions, log };
        pair.desire("tor", |peer| peer);
        pair.apply().await;
        pair.wait_for_session().await;
        pair
    }

    /// Sets the only desired session.
    fn desire(&mut self, name: &str, change: impl FnOnce(PeerConfig) -> PeerConfig) {
        let peer = PeerConfig::new(self.router.listen_addr().unwrap(), Asn(64_500));
        let peer = peer.local_address(self.node.into());
        let pause = Duration::from_millis(20);
        let peer = change(peer.idle_hold(pause, pause).connect_retry(pause));
        let config =
            SessionConfig::new(NODE, BgpIdentifier::new(10, 78, 1, 1), RemotePeer::Address(peer));
        let session = DesiredSession::new(config, RouteSet::default());
        self.desired = BTreeMap::from([(SessionKey::new("kube1", name), session)]);
    }

    async fn apply(&mut self) {
        assert!(self.sessions.apply(&self.desired).await.is_empty());
    }

    fn key(&self) -> SessionKey {
        self.desired.keys().next().unwrap().clone()
    }

    fn is_established(&self) -> bool {
        self.sessions.status(&self.key()).is_some_and(|status| status.is_established())
            && self.at_router.status().is_established()
    }

    async fn wait_for_session(&self) {
        wait_until("a session", || self.is_established()).await;
    }

    /// Fails if a session comes up although the peer is disabled.
    async fn expect_no_session(&self, when: &str) {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!self.is_established(), "{when}: {:?}", self.sessions);
        let status = self.sessions.status(&self.key()).unwrap().peer.unwrap();
        assert!(status.disabled, "{when}");
        assert_eq!(status.disabled_message, "rack 7 moves", "{when}");
        assert_eq!(self.sessions.disabled(&self.key()), Some("rack 7 moves"), "{when}");
    }

    fn event(&self, kind: EventKind) -> Option<Event> {
        self.log.page(None).events.into_iter().rev().find(|event| event.kind == kind)
    }
}

async fn wait_until(what: &str, is_met: impl Fn() -> bool) {
    let met = async {
        while !is_met() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), met).await.is_ok(), "{what}");
}

#[tokio::test]
async fn a_disabled_peer_stays_disabled_through_changes_of_the_configuration_and_a_drain() {
    let mut pair = Pair::established(51).await;
    pair.sessions.disable(&pair.key(), "rack 7 moves").await.unwrap();
    wait_until("the end", || !pair.is_established()).await;
    let Some(DownReason::Remote(cease)) = pair.at_router.status().last_down else { panic!() };
    assert_eq!(cease.message(), Some("rack 7 moves"));
    pair.expect_no_session("disabled").await;

    pair.desire("tor", |peer| peer.hold_time(Duration::from_secs(30)));
    pair.apply().await;
    pair.expect_no_session("changed in place").await;

    pair.desire("core", |peer| peer.hold_time(Duration::from_secs(30)));
    pair.apply().await;
    pair.expect_no_session("renamed").await;

    let at_once = GracefulShutdown::new().marked_for(Duration::ZERO).withdrawn_for(Duration::ZERO);
    pair.sessions.drain(&at_once).await;
    pair.sessions.forget_ended();
    assert!(pair.sessions.is_empty());
    pair.apply().await;
    pair.expect_no_session("opened again after a drain").await;

    pair.sessions.enable(&pair.key()).await.unwrap();
    pair.wait_for_session().await;
    assert_eq!(pair.sessions.disabled(&pair.key()), None);

    let up = pair.event(EventKind::SessionUp).unwrap();
    assert_eq!((up.node.as_deref(), up.peer.as_deref()), (Some("kube1"), Some("core")));
    assert_eq!(up.text, "the session with AS 64500, 10.78.0.51, is up: ipv4-unicast, ipv6-unicast");
    pair.sessions.shutdown("").await;
}

#[tokio::test]
async fn a_peer_that_leaves_the_configuration_is_enabled_when_it_returns() {
    let mut pair = Pair::established(53).await;
    pair.sessions.disable(&pair.key(), "rack 7 moves").await.unwrap();
    let desired = std::mem::take(&mut pair.desired);
    pair.apply().await;
    pair.desired = desired;
    pair.apply().await;
    pair.wait_for_session().await;
    pair.sessions.shutdown("").await;
}

#[tokio::test]
async fn a_reset_tells_the_router_why_and_the_session_returns() {
    let mut pair = Pair::established(55).await;
    let control = pair.sessions.control(&pair.key()).unwrap();
    control.reset("new filter").await.unwrap();
    wait_until("another session", || {
        pair.at_router.status().stats.established_transitions == 2 && pair.is_established()
    })
    .await;
    let reason = pair.at_router.status().last_down.unwrap().to_string();
    assert!(reason.contains("administrative reset: \"new filter\""), "{reason}");

    wait_until("the events", || pair.log.page(None).events.len() > 3).await;
    let down = pair.event(EventKind::SessionDown).unwrap();
    assert_eq!(down.severity, ferrolb_api::Severity::Warning, "it was intended");
    assert!(down.text.contains("ended by us: Cease: administrative reset"), "{}", down.text);
    assert_eq!(down.peer.as_deref(), Some("tor"));

    pair.sessions.disable(&pair.key(), "").await.unwrap();
    let error = pair.sessions.control(&pair.key()).unwrap().reset("").await.unwrap_err();
    assert!(error.to_string().contains("is disabled"), "{error}");
    pair.sessions.shutdown("").await;
}

#[tokio::test]
async fn routes_are_sent_again_for_every_family_and_asked_for_if_the_peer_can_be_asked() {
    let mut pair = Pair::established(57).await;
    let control = pair.sessions.control(&pair.key()).unwrap();
    let families = control.resend().await.unwrap();
    assert_eq!(families.len(), 2, "{families:?}");
    assert_eq!(control.refresh().await.unwrap(), families);
    wait_until("requests at the router", || {
        pair.at_router.status().stats.received.route_refresh >= 2
    })
    .await;

    pair.sessions.disable(&pair.key(), "").await.unwrap();
    wait_until("the end", || !pair.is_established()).await;
    let error = control.resend().await.unwrap_err().to_string();
    assert_eq!(error, "there is no session to refresh: its state is Idle");
    pair.sessions.shutdown("").await;
}

#[tokio::test]
async fn an_attempt_that_fails_again_for_the_same_reason_is_one_event() {
    let mut pair = Pair::established(61).await;
    pair.router.shutdown("power work").await;
    wait_until("several attempts", || {
        let status = pair.sessions.status(&pair.key()).unwrap().peer.unwrap();
        status.connect_retry_counter > 3
    })
    .await;
    let events = pair.log.page(None).events;
    let of = |kind| events.iter().filter(|event| event.kind == kind).collect::<Vec<_>>();
    assert_eq!(of(EventKind::SessionFailed).len(), 1, "{events:#?}");
    let down = of(EventKind::SessionDown);
    assert!(down[0].text.contains("power work"), "{}", down[0].text);
    assert_eq!(down[0].severity, ferrolb_api::Severity::Error);
    pair.sessions.shutdown("").await;
}
