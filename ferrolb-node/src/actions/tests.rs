use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bgp_session::{Asn, BgpIdentifier, PeerConfig, PeerHandle, RouteSet, Speaker};
use ferrolb_api::action::RefreshDirection;
use ferrolb_api::{Configuration, ConfigurationState, DrainStage, Severity};
use lb_adapter::engine::Engine;
use lb_adapter::planner::PlannerOptions;
use tokio::sync::Notify;

use super::*;
use crate::drain::{DrainRequester, DrainStep, DrainTimes};
use crate::events::EventLog;
use crate::log::{Log, RecentLines};
use crate::sessions::{DesiredSession, RemotePeer, SessionConfig};

/// A node whose operator acts. Its engine knows no peer.
struct Node {
    identity: Identity,
    engine: Engine,
    sessions: Sessions,
    drain: Drain,
}

impl Process for Node {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn controls(&mut self) -> Controls<'_> {
        Controls {
            identity: &self.identity,
            sessions: Some(&mut self.sessions),
            drain: Some(&mut self.drain),
        }
    }

    async fn advance_drain(&mut self) {
        match self.drain.due() {
            Some(DrainStep::Begin) => self.drain.begin(std::future::pending()),
            Some(DrainStep::Cancel | DrainStep::Resume) => self.drain.serve(),
            None => {}
        }
    }

    fn drain(&self) -> ferrolb_api::Drain {
        self.drain.status()
    }

    fn engine(&self) -> Option<&Engine> {
        Some(&self.engine)
    }

    fn sessions(&self) -> Option<&Sessions> {
        Some(&self.sessions)
    }

    fn configuration(&self) -> Configuration {
        Configuration {
            state: ConfigurationState::Valid,
            source: String::new(),
            loaded_at: None,
            errors: Vec::new(),
        }
    }

    fn metrics(&self) -> String {
        String::new()
    }
}

impl Node {
    fn new() -> Self {
        let set = |filter: &str| match filter {
            "loud" => Err("\"loud\": expected a level".to_owned()),
            _ => Ok(()),
        };
        let identity =
            Identity::new(Program::Run, None, Log::new("info", RecentLines::default(), set));
        let events = identity.events().clone();
        let times = DrainTimes { marked: Duration::from_secs(1), withdrawn: Duration::ZERO };
        Self {
            identity,
            engine: Engine::new(PlannerOptions::default(), None),
            sessions: Sessions::new(Arc::new(Notify::new()), events.clone()),
            drain: Drain::new("kube1", times, events),
        }
    }

    fn events(&self) -> &EventLog {
        self.identity.events()
    }

    async fn act(&mut self, action: Action) -> ActionResult {
        let (reply, answer) = oneshot::channel();
        act(self, action, reply).await;
        answer.await.unwrap()
    }

    /// Acts on the peer `tor`.
    async fn on_peer(&mut self, request: PeerRequest) -> ActionResult {
        peer::checked(&request)?;
        let key = SessionKey::new("kube1", "tor");
        let events = self.identity.events().clone();
        match peer::act(&mut self.sessions, &events, &key, request).await? {
            peer::Outcome::Done(answer) => Ok(answer),
            peer::Outcome::UnderWay(work) => {
                let (reply, answer) = oneshot::channel();
                peer::answer_later(work, reply);
                answer.await.unwrap()
            }
        }
    }

    /// Returns what was done to the peer `tor`, after a check that it is an event too.
    async fn done(&mut self, request: PeerRequest) -> String {
        let before = self.operator_events();
        let ActionAnswer::Done(Done { done }) = self.on_peer(request).await.unwrap() else {
            panic!("no answer about a peer")
        };
        assert_eq!(self.operator_events(), before + 1, "{done}");
        done
    }

    fn operator_events(&self) -> usize {
        let events = self.events().page(None).events;
        events.iter().filter(|event| event.kind == EventKind::Operator).count()
    }
}

fn bad_request(result: ActionResult) -> String {
    let Err(Refused::BadRequest(error)) = result else { panic!("{result:?}") };
    error.error
}

fn conflict(result: ActionResult) -> String {
    let Err(Refused::Conflict(error)) = result else { panic!("{result:?}") };
    error.error
}

fn message(text: &str) -> PeerAction {
    PeerAction { message: Some(text.to_owned()), ..PeerAction::default() }
}

/// Starts a router, and opens a session with it under the name `tor`.
async fn with_router(node: &mut Node, host: u8) -> (Speaker, PeerHandle) {
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = |host| Ipv4Addr::new(127, 64 + high % 128, low, host);
    let router = Speaker::builder(Asn(64_500), BgpIdentifier::new(10, 79, 0, host))
        .listen((address(host), 0).into())
        .start()
        .await
        .unwrap();
    let at_router = PeerConfig::new(address(host + 1), Asn(64_600)).passive();
    let mut at_router = router.add_peer(at_router).await.unwrap();

    let peer = PeerConfig::new(router.listen_addr().unwrap(), Asn(64_500));
    let peer = RemotePeer::Address(peer.local_address(address(host + 1).into()));
    let config = SessionConfig::new(Asn(64_600), BgpIdentifier::new(10, 79, 1, host), peer);
    let desired = DesiredSession::new(config, RouteSet::new());
    let desired = [(SessionKey::new("kube1", "tor"), desired)].into();
    assert!(node.sessions.apply(&desired).await.is_empty());
    at_router.established().await.unwrap();
    (router, at_router)
}

#[tokio::test]
async fn actions_on_a_peer_say_what_they_did() {
    let mut node = Node::new();
    let (_router, mut at_router) = with_router(&mut node, 71).await;

    let out = node.done(PeerRequest::Refresh(Refresh::default())).await;
    assert_eq!(out, "peer tor: sending the routes again: ipv4-unicast, ipv6-unicast");
    let inbound = Refresh { direction: RefreshDirection::In, node: None };
    let asked = node.done(PeerRequest::Refresh(inbound)).await;
    assert_eq!(asked, "peer tor: asked for the peer's routes again: ipv4-unicast, ipv6-unicast");

    let reset = node.done(PeerRequest::Reset(message("new filter"))).await;
    assert_eq!(reset, "peer tor: reset the session: \"new filter\"");
    let down = at_router.wait_for(|status| status.last_down.is_some()).await.unwrap();
    assert!(down.last_down.unwrap().to_string().contains("new filter"));
    at_router.established().await.unwrap();

    let disabled = node.done(PeerRequest::Disable(message("rack 7 moves"))).await;
    assert_eq!(disabled, "peer tor: disabled the peer: \"rack 7 moves\"");
    let again = node.done(PeerRequest::Disable(message("rack 8"))).await;
    assert_eq!(again, "peer tor: disabled the peer: \"rack 8\"; it was disabled already");
    let events = node.events().page(None).events;
    let event = events.iter().rfind(|event| event.kind == EventKind::Operator).unwrap();
    assert_eq!((event.peer.as_deref(), event.severity), (Some("tor"), Severity::Warning));

    let before = node.operator_events();
    let reset = conflict(node.on_peer(PeerRequest::Reset(PeerAction::default())).await);
    assert_eq!(reset, "peer tor is disabled, so that it has no session");
    assert_eq!(node.operator_events(), before, "nothing happened");
    let enabled = node.done(PeerRequest::Enable(PeerAction::default())).await;
    assert_eq!(enabled, "peer tor: enabled the peer");
    at_router.established().await.unwrap();
    node.sessions.shutdown("").await;
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused_with_what_was_expected() {
    let mut node = Node::new();
    let long = "é".repeat(128);
    let text = "message: it has 256 octets, expected at most 255 (RFC 9003)";
    for request in [PeerRequest::Reset(message(&long)), PeerRequest::Disable(message(&long))] {
        assert_eq!(bad_request(node.on_peer(request).await), text);
    }
    let drain = Action::Drain(DrainRequest { message: Some(long) });
    assert_eq!(bad_request(node.act(drain).await), text);
    assert!(node.drain.is_serving() && !node.drain.is_requested());

    let with_text = bad_request(node.on_peer(PeerRequest::Enable(message("hello"))).await);
    assert!(with_text.starts_with("message: expected none"), "{with_text}");
    let level = LogLevelRequest { filter: Some("loud".to_owned()) };
    let level = bad_request(node.act(Action::LogLevel(level)).await);
    assert_eq!(level, "filter: \"loud\": expected a level");

    let unknown = PeerRequest::Disable(PeerAction::default());
    let unknown = node.act(Action::Peer("tro".to_owned(), unknown)).await;
    let Err(Refused::NotFound(unknown)) = unknown else { panic!("{unknown:?}") };
    assert!(unknown.error.starts_with("there is no peer \"tro\""), "{}", unknown.error);
    assert_eq!(node.operator_events(), 0);
}

#[tokio::test]
async fn a_peer_without_the_capability_cannot_be_asked_for_its_routes() {
    let mut node = Node::new();
    let (_router, mut at_router) = with_router(&mut node, 75).await;
    let config = PeerConfig::new(at_router.id().address(), Asn(64_600)).passive();
    at_router.update_without_reset(config.route_refresh(false)).await.unwrap();
    node.done(PeerRequest::Reset(PeerAction::default())).await;
    at_router.wait_for(|status| status.stats.established_transitions == 2).await.unwrap();
    at_router.established().await.unwrap();

    let inbound = Refresh { direction: RefreshDirection::In, ..Refresh::default() };
    let text = conflict(node.on_peer(PeerRequest::Refresh(inbound)).await);
    assert!(text.contains("ROUTE-REFRESH (RFC 2918) was not negotiated"), "{text}");
    node.sessions.shutdown("").await;
}

#[tokio::test]
async fn the_log_level_changes_and_returns_to_the_one_of_the_start() {
    let mut node = Node::new();
    let mut set = async |filter: Option<&str>| {
        let request = LogLevelRequest { filter: filter.map(str::to_owned) };
        let answer = node.act(Action::LogLevel(request)).await.unwrap();
        (answer, node.identity.log().filter(), node.operator_events())
    };
    let done = |text: &str| ActionAnswer::Done(Done { done: text.to_owned() });
    let changed = done("the log level is debug; before: info");
    assert_eq!(set(Some("debug")).await, (changed, "debug".to_owned(), 1));
    let restored = done("the log level is info, as at the start; before: debug");
    assert_eq!(set(None).await, (restored, "info".to_owned(), 2));
}

#[tokio::test]
async fn an_operator_s_undrain_does_not_end_the_drain_of_the_node_object() {
    let mut node = Node::new();
    let answer = async |node: &mut Node, action| {
        let answer = node.act(action).await.unwrap();
        let ActionAnswer::Drain(drain) = answer else { panic!("{answer:?}") };
        (drain.stage, drain.requested_by.unwrap_or_default(), drain.note.unwrap_or_default())
    };
    let idle = answer(&mut node, Action::Undrain).await;
    let nothing = "the node is not being drained".to_owned();
    assert_eq!(idle, (DrainStage::Serving, String::new(), nothing));

    let begin = answer(&mut node, Action::Drain(DrainRequest::default())).await;
    let (by, note) = ("operator".to_owned(), "the drain begins".to_owned());
    assert_eq!(begin, (DrainStage::Marked, by, note));
    node.drain.set_requested(DrainRequester::Annotation, true);

    let (stage, by, note) = answer(&mut node, Action::Undrain).await;
    assert_eq!((stage, by.as_str()), (DrainStage::Marked, "annotation"));
    assert_eq!(note, "the node stays drained, because its drain is also requested by: annotation");
    assert_eq!(node.drain.due(), None);

    node.drain.finish();
    let reset = PeerRequest::Reset(PeerAction::default());
    let text = conflict(node.act(Action::Peer("tor".to_owned(), reset)).await);
    assert_eq!(text, "peer tor: the node is drained, so that it has no sessions");
}
