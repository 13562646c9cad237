use lb_adapter::config::Diagnostic;

use super::*;

/// The facts of a node with these peers and no problem.
struct Node {
    config: ConfigStatus,
    peers: Vec<PeerState>,
    drain: DrainSample,
    refused: BTreeMap<&'static str, String>,
    dataplane: DataplaneProblems,
}

impl Node {
    fn new(peers: Vec<PeerState>) -> Self {
        Self {
            config: ConfigStatus { loaded: true, ..ConfigStatus::default() },
            peers,
            drain: DrainSample::Serving,
            refused: BTreeMap::new(),
            dataplane: DataplaneProblems::default(),
        }
    }

    fn conditions(&self) -> NodeConditions {
        conditions(&Facts {
            config: &self.config,
            peers: &self.peers,
            drain: self.drain,
            refused: &self.refused,
            dataplane: &self.dataplane,
        })
    }

    /// The status and the reason of both conditions, and the problem.
    fn words(&self) -> (String, String, Option<String>) {
        let NodeConditions { conditions, problem } = self.conditions();
        let word = |at: usize, kind: &str| {
            let condition = &conditions[at];
            assert_eq!(condition["type"], kind);
            let [status, reason] =
                ["status", "reason"].map(|key| condition[key].as_str().unwrap().to_owned());
            format!("{status} {reason}")
        };
        (word(0, "Ready"), word(1, "Degraded"), problem)
    }

    fn expect(&self, ready: &str, degraded: &str, problem: Option<&str>) {
        assert_eq!(self.words(), (ready.into(), degraded.into(), problem.map(str::to_owned)));
    }

    /// The message of Degraded.
    fn message(&self) -> String {
        self.conditions().conditions[1]["message"].as_str().unwrap().to_owned()
    }

    fn ready_message(&self) -> String {
        self.conditions().conditions[0]["message"].as_str().unwrap().to_owned()
    }
}

fn up(name: &str) -> PeerState {
    PeerState {
        name: name.to_owned(),
        endpoint: format!("{name}.example:179"),
        is_established: true,
        ..PeerState::default()
    }
}

fn down(name: &str, error: Option<&str>) -> PeerState {
    PeerState { is_established: false, error: error.map(str::to_owned), ..up(name) }
}

fn with_bfd(state: Option<State>, peer: PeerState) -> PeerState {
    PeerState { has_bfd: true, bfd: state, ..peer }
}

const READY_WORD: &str = "True SpeakerReady";

#[test]
fn a_node_whose_sessions_and_bfd_are_up_is_not_degraded() {
    let node = Node::new(vec![up("a"), with_bfd(Some(State::Up), up("b"))]);
    node.expect(READY_WORD, "False AsExpected", None);
    assert_eq!(node.ready_message(), "the speaker announces what it should");
}

#[test]
fn a_session_that_is_down_degrades_the_node_and_names_the_peer() {
    let mut node = Node::new(vec![up("a"), down("b", Some("Connection refused")), down("c", None)]);
    node.expect(READY_WORD, "True SessionDown", Some("SessionDown: b, c"));
    assert_eq!(
        node.message(),
        "no session with b (b.example:179): Connection refused; \
         c (c.example:179): none has been established yet"
    );
    assert!(!node.ready_message().contains("what it should"), "{}", node.ready_message());

    // An operator has disabled them.
    for peer in &mut node.peers[1..] {
        peer.is_disabled = true;
    }
    node.expect(READY_WORD, "False PeersDisabled", None);
    assert_eq!(node.message(), "an operator has disabled b (b.example:179); c (c.example:179)");
}

#[test]
fn a_node_without_any_session_announces_nothing_and_is_not_ready() {
    let mut node = Node::new(vec![down("a", Some("Connection refused"))]);
    node.expect("False NoSession", "True SessionDown", Some("SessionDown: a"));
    assert!(node.ready_message().contains("a (a.example:179): Connection refused"));

    node.peers[0].is_disabled = true;
    node.expect(READY_WORD, "False PeersDisabled", None);
}

#[test]
fn a_node_that_no_peer_selects_or_that_is_drained_is_not_degraded() {
    let mut node = Node::new(Vec::new());
    node.dataplane.has_proxy_failed = true;
    node.expect(READY_WORD, "False NoPeers", None);

    node.peers = vec![with_bfd(None, down("a", None)), with_bfd(Some(State::Down), up("b"))];
    node.dataplane.services = vec![("mail/smtp".to_owned(), "no answer".to_owned())];
    for stage in [DrainSample::Graceful, DrainSample::Withdrawn] {
        node.drain = stage;
        node.expect(READY_WORD, "False Draining", None);
    }
    // Other problems do not end with the sessions.
    node.config.errors = vec![Diagnostic::file_error("spec.peerASN", "is missing")];
    node.expect(READY_WORD, "True ConfigurationStale", Some("ConfigurationStale"));
}

#[test]
fn bfd_that_is_not_up_degrades_the_node() {
    let mut node = Node::new(vec![with_bfd(Some(State::Up), up("a"))]);
    node.peers.push(with_bfd(Some(State::Down), up("b")));
    node.expect(READY_WORD, "True BFDNotUp", Some("BFDNotUp: b"));
    assert_eq!(node.message(), "no BFD session with b (b.example:179): its state is Down");

    // The end of a session explains the end of BFD.
    node.peers[1].is_established = false;
    node.expect(READY_WORD, "True SessionDown", Some("SessionDown: b"));
    assert!(!node.message().contains("BFD"), "{}", node.message());

    // A problem of this node keeps it from being ready, and is told in both conditions.
    node.peers[1].bfd_problem = Some("Address in use".to_owned());
    node.expect("False BFDNotUp", "True SessionDown", Some("SessionDown: b"));
    for message in [node.message(), node.ready_message()] {
        let expected = "no BFD session with b (b.example:179): Address in use";
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn the_dataplane_of_a_node_that_announces_degrades_it() {
    let mut node = Node::new(vec![up("a")]);
    node.dataplane.services = vec![("mail/smtp".to_owned(), "no answer at port 31234".to_owned())];
    node.expect(READY_WORD, "True ServicesHeld", Some("ServicesHeld: mail/smtp"));
    assert_eq!(
        node.message(),
        "the dataplane does not forward to mail/smtp: no answer at port 31234"
    );

    node.dataplane.has_proxy_failed = true;
    node.expect(READY_WORD, "True KubeProxyFailing", Some("KubeProxyFailing"));
    assert!(node.message().contains("\nthe dataplane does not forward"), "{}", node.message());
}

#[test]
fn routes_that_cannot_be_sent_degrade_the_node() {
    let mut node = Node::new(vec![up("a"), up("b"), up("c")]);
    let route = || Some("2001:db8::1/128 (the peer lacks ipv6-unicast)".to_owned());
    node.peers[1].unsendable = (1, route());
    node.expect(READY_WORD, "True RoutesUnsendable", Some("RoutesUnsendable: b"));
    assert_eq!(
        node.message(),
        "routes that cannot be sent to b (b.example:179): 2001:db8::1/128 (the peer lacks ipv6-unicast)"
    );
    node.peers[1].unsendable = (7, route());
    assert!(node.message().contains("7 routes, among them 2001:db8::1/128"), "{}", node.message());
}

#[test]
fn a_configuration_that_is_not_in_force_degrades_the_node() {
    let mut node = Node::new(vec![up("a")]);
    node.config.errors = vec![Diagnostic::file_error("spec.peerASN", "is missing")];
    node.expect(READY_WORD, "True ConfigurationStale", Some("ConfigurationStale"));
    let message = node.message();
    assert!(message.contains("spec.peerASN") && message.contains("an older one"), "{message}");

    node.config.loaded = false;
    node.peers.clear();
    node.expect("False NoConfiguration", "True ConfigurationStale", Some("ConfigurationStale"));
    assert!(!node.message().contains("an older one"), "{}", node.message());
}

#[test]
fn a_speaker_that_waits_for_its_first_configuration_is_not_degraded() {
    let mut node = Node::new(Vec::new());
    node.config = ConfigStatus { is_absent: true, ..ConfigStatus::default() };
    node.expect("False NoConfiguration", "False NoPeers", Some("NoConfiguration"));
}

#[test]
fn a_refused_watch_is_the_worst_problem() {
    let mut node = Node::new(vec![down("a", None)]);
    let why = "services is forbidden: User \"ferrolb\" cannot list resource \"services\" (403)";
    node.refused.insert("services", why.to_owned());
    node.expect("False WatchRefused", "True WatchRefused", Some("WatchRefused: services"));
    assert!(node.ready_message().contains(&format!("services: {why}")), "{}", node.ready_message());
}

#[test]
fn a_message_lists_some_of_many_peers_and_counts_the_rest() {
    let peers = (0..LISTED + 2).map(|number| down(&format!("p{number:02}"), None)).collect();
    let node = Node::new(peers);
    node.expect(
        "False NoSession",
        "True SessionDown",
        Some("SessionDown: p00, p01, p02 and 9 more"),
    );
    let message = node.message();
    assert!(message.ends_with("; and 2 more") && message.contains("p09 ("), "{message}");
    assert!(!message.contains("p10"), "{message}");
}

#[test]
fn the_state_of_a_silent_or_stopped_speaker_is_not_known_to_be_good() {
    for (found, ready, reason) in [
        (stopped_reporting("2024-05-01T10:00:00Z"), "Unknown", "SpeakerStoppedReporting"),
        (ended(), "False", "SpeakerEnded"),
    ] {
        assert_eq!(found.problem.as_deref(), Some(reason));
        let statuses = [&found.conditions[0]["status"], &found.conditions[1]["status"]];
        assert_eq!(statuses, [ready, "Unknown"]);
        assert_eq!(found.conditions[1]["reason"], reason);
    }
}

#[test]
fn a_peer_whose_session_does_not_exist_is_down() {
    let configured =
        ConfiguredPeer { name: "a".to_owned(), endpoint: "a:179".to_owned(), has_bfd: true };
    let state = PeerState::new(&configured, &[]);
    assert!(!state.is_established && state.has_bfd && state.bfd.is_none());
    Node::new(vec![state]).expect("False NoSession", "True SessionDown", Some("SessionDown: a"));
}
