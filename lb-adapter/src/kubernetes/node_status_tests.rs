use super::*;

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

#[test]
fn a_status_that_no_heartbeat_follows_holds() {
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
