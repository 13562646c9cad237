use bgp_session::bfd::{BfdStatus, State};

use super::*;
use ferrolb_node::sessions::SessionStatus;

#[test]
fn a_status_is_stale_after_three_heartbeats_or_when_the_controller_says_so() {
    let written: Timestamp = "2024-05-01T10:00:00Z".parse().unwrap();
    let after = |seconds| written + SignedDuration::from_secs(seconds);
    let mut status = json!({"heartbeatTime": "2024-05-01T10:00:00Z", "heartbeatPeriodSeconds": 60,
        "conditions": [{"type": "Ready", "status": "True"}]});
    assert!(!is_stale(&status, after(180)));
    assert!(is_stale(&status, after(181)));
    status["conditions"] = stopped_reporting("2024-05-01T10:00:00Z")["conditions"].clone();
    assert!(is_stale(&status, after(0)));
}

fn sample(name: &str, state: State, problem: Option<&str>) -> SessionSample {
    let mut bfd = BfdStatus::default();
    (bfd.state, bfd.problem) = (state, problem.map(str::to_owned));
    let status = SessionStatus { bfd: Some(bfd), ..SessionStatus::default() };
    SessionSample::new(name, format!("{name}:179"), status)
}

fn peer(name: &str, has_bfd: bool) -> ConfiguredPeer {
    ConfiguredPeer { name: name.to_owned(), endpoint: format!("{name}:179"), has_bfd }
}

/// The status of a node with this configuration and these sessions.
fn written(peers: &[ConfiguredPeer], sessions: &[SessionSample]) -> Value {
    status(&SpeakerState {
        node: "n1",
        config: &ConfigStatus { loaded: true, ..ConfigStatus::default() },
        peers,
        sessions,
        services: 0,
        drain: DrainSample::Serving,
        refused: &BTreeMap::new(),
        dataplane: &DataplaneProblems::default(),
        clock: &WallClock::now(),
    })
}

#[test]
fn a_speaker_whose_bfd_cannot_begin_is_not_ready_and_names_the_peer() {
    let taken = "cannot receive BFD at 10.77.0.11:3784: Address in use";
    let peers = [peer("a", true), peer("b", true)];
    // An old error of a session that is up no longer counts.
    let good = [sample("a", State::Up, Some(taken)), sample("b", State::Down, None)];
    assert_ne!(written(&peers, &good)["conditions"][0]["reason"], "BFDNotUp");

    let bad = [sample("a", State::Up, None), sample("b", State::Down, Some(taken))];
    let status = written(&peers, &bad);
    let condition = &status["conditions"][0];
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("False"), &json!("BFDNotUp")));
    let message = condition["message"].as_str().unwrap();
    assert_eq!(message, format!("no BFD session with b (b:179): {taken}"));
    assert_eq!(status["sessions"][1]["bfdProblem"], taken);
    assert_eq!(status["sessions"][0]["bfdProblem"], Value::Null);
}

#[test]
fn the_columns_count_all_configured_peers() {
    // The session with c could not be opened, and d has no BFD.
    let peers = [peer("a", true), peer("b", true), peer("c", true), peer("d", false)];
    let sessions = [sample("a", State::Up, None), sample("b", State::Down, None)];
    let status = written(&peers, &sessions);
    assert_eq!((&status["established"], &status["bfd"]), (&json!("0/4"), &json!("1/3")));
    assert_eq!(status["problem"], "SessionDown: a, b, c and 1 more");
    assert_eq!(status["lastSessionChange"], Value::Null);

    assert_eq!(written(&peers[3..], &[])["bfd"], "-");
    assert_eq!(written(&[], &[])["established"], "0/0");
}

#[test]
fn a_status_without_a_heartbeat_period_holds() {
    let later: Timestamp = "2025-05-01T10:00:00Z".parse().unwrap();
    let status = json!({"heartbeatTime": "2024-05-01T10:00:00Z", "heartbeatPeriodSeconds": null});
    assert!(!is_stale(&ended(status), later));
    assert!(!is_stale(&json!({"sessions": []}), later));
    for odd in
        [json!({"heartbeatTime": "soon", "heartbeatPeriodSeconds": 1}), json!(7), json!(null)]
    {
        assert!(!is_stale(&odd, later), "{odd}");
    }
    let absurd =
        json!({"heartbeatTime": "2024-05-01T10:00:00Z", "heartbeatPeriodSeconds": u64::MAX});
    assert!(!is_stale(&absurd, later));
}
