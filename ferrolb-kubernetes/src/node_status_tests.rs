use bgp_session::bfd::{BfdStatus, State};

use super::*;
use ferrolb_node::sessions::SessionStatus;

#[test]
fn a_status_is_stale_after_three_heartbeats_or_when_the_controller_says_so() {
    let written: Timestamp = "2024-05-01T10:00:00Z".parse().unwrap();
    let after = |seconds| written + SignedDuration::from_secs(seconds);
    let mut status = json!({"heartbeatTime": "2024-05-01T10:00:00Z", "heartbeatPeriodSeconds": 60,
        "conditions": [ready("True", "SpeakerReady", "")]});
    assert!(!is_stale(&status, after(180)));
    assert!(is_stale(&status, after(181)));
    status["conditions"] = json!([stopped_reporting("2024-05-01T10:00:00Z")]);
    assert!(is_stale(&status, after(0)));
}

fn sample(name: &str, state: State, problem: Option<&str>) -> SessionSample {
    let mut bfd = BfdStatus::default();
    (bfd.state, bfd.problem) = (state, problem.map(str::to_owned));
    let status = SessionStatus { bfd: Some(bfd), ..SessionStatus::default() };
    SessionSample::new(name, format!("{name}:179"), status)
}

#[test]
fn a_speaker_whose_bfd_cannot_begin_is_not_ready_and_names_the_peer() {
    let config = ConfigStatus { loaded: true, ..ConfigStatus::default() };
    let written = |sessions: &[SessionSample]| {
        status("n1", &config, sessions, 0, DrainSample::Serving, &BTreeMap::new())
    };
    let taken = "cannot receive BFD at 10.77.0.11:3784: Address in use";
    // An old error of a session that is up no longer counts.
    let good = [sample("a", State::Up, Some(taken)), sample("b", State::Down, None)];
    assert_eq!(written(&good)["conditions"][0]["status"], "True");

    let bad = [sample("a", State::Up, None), sample("b", State::Down, Some(taken))];
    let status = written(&bad);
    let condition = &status["conditions"][0];
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("False"), &json!("BFDNotUp")));
    let message = condition["message"].as_str().unwrap();
    assert_eq!(message, format!("no BFD session with b (b:179): {taken}"));
    assert_eq!(status["sessions"][1]["bfdProblem"], taken);
    assert_eq!(status["sessions"][0]["bfdProblem"], Value::Null);
    assert_eq!(status["established"], "0/2");
}

#[test]
fn a_speaker_that_may_not_watch_is_not_ready_and_names_the_resource() {
    let config = ConfigStatus { loaded: true, ..ConfigStatus::default() };
    let why = "services is forbidden: User \"ferrolb\" cannot list resource \"services\" (403)";
    let refused = BTreeMap::from([("services", why.to_owned())]);
    let status = status("n1", &config, &[], 0, DrainSample::Serving, &refused);
    let condition = &status["conditions"][0];
    assert_eq!(
        (&condition["status"], &condition["reason"]),
        (&json!("False"), &json!("WatchRefused"))
    );
    let message = condition["message"].as_str().unwrap();
    assert!(message.contains(&format!("services: {why}")), "{message}");
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
