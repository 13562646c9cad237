use kube::Config;
use kube::api::{Patch, PatchParams};
use test_apiserver::{ApiServer, Fault};

use super::*;
use test_log_lines::TestLog;

const RESOURCES: &str = include_str!("../../deploy/kustomize/crds/ferrolb.io.yaml");

/// Heartbeats without an API server, which is not asked.
fn heartbeats() -> Heartbeats {
    let nowhere = Config::new("http://127.0.0.1:1".parse().unwrap());
    Heartbeats::new(Client::try_from(nowhere).unwrap(), "metallb-system", "test")
}

fn status(version: &str, status: Value) -> WatchEvent {
    let object = json!({"apiVersion": "ferrolb.io/v1alpha1", "kind": "BGPNodeStatus", "status": status,
        "metadata": {"name": "kube1", "namespace": "metallb-system", "resourceVersion": version}});
    WatchEvent::Applied(Kind::BgpNodeStatus, Box::new(serde_json::from_value(object).unwrap()))
}

fn ready(value: &str) -> Value {
    json!([{"type": "Ready", "status": value, "lastTransitionTime": "2024-05-01T10:00:00Z"}])
}

/// The status of a speaker that renews its heartbeat within a minute.
fn beat(version: &str, time: &str) -> WatchEvent {
    let conditions = ready("True");
    status(
        version,
        json!({"heartbeatTime": time, "heartbeatPeriodSeconds": 60, "conditions": conditions}),
    )
}

/// Returns the speakers that are silent by now, each with its mark, which is not written.
fn silent(heartbeats: &mut Heartbeats) -> Vec<(String, SilentMark)> {
    let Heartbeats { speakers, writer, .. } = heartbeats;
    let mut marks = Vec::new();
    writer.begin::<std::future::Pending<_>>(|name| match decide(speakers, name) {
        Decision::Write(mark) => {
            marks.push((name.clone(), mark));
            Decision::Skip
        }
        Decision::Wait(until) => Decision::Wait(until),
        Decision::Skip => Decision::Skip,
    });
    marks
}

/// Takes in an event, waits, and returns the silent speakers.
async fn after(
    heartbeats: &mut Heartbeats,
    seen: WatchEvent,
    seconds: u64,
) -> Vec<(String, SilentMark)> {
    assert!(heartbeats.take(seen).is_none());
    tokio::time::advance(Duration::from_secs(seconds)).await;
    silent(heartbeats)
}

#[tokio::test(start_paused = true)]
async fn a_speaker_that_misses_three_heartbeats_is_marked_once() {
    let mut heartbeats = heartbeats();
    let first = beat("1", "2024-05-01T10:00:00Z");
    assert_eq!(after(&mut heartbeats, first, 179).await, []);
    // Its clock may be wrong: only the difference counts.
    let second = beat("2", "2024-05-01T09:00:00Z");
    assert_eq!(after(&mut heartbeats, second, 100).await, []);
    // The same one once more, as when the object gets a label.
    assert_eq!(after(&mut heartbeats, beat("3", "2024-05-01T09:00:00Z"), 0).await, []);
    let before = Instant::now();
    heartbeats.due().await;
    assert_eq!(before.elapsed(), Duration::from_secs(80));
    let marked = silent(&mut heartbeats);
    let [(name, SilentMark { patch, .. })] = &marked[..] else { panic!("{marked:?}") };
    assert_eq!((name.as_str(), &patch["metadata"]["resourceVersion"]), ("kube1", &json!("3")));
    let condition = &patch["status"]["conditions"][0];
    assert_eq!(condition["status"], "Unknown");
    assert_eq!(condition["reason"], "SpeakerStoppedReporting");
    assert!(condition["message"].as_str().unwrap().contains("since 2024-05-01T09:00:00Z"));
    assert_ne!(condition["lastTransitionTime"], "2024-05-01T10:00:00Z");
    let degraded = &patch["status"]["conditions"][1];
    assert_eq!((&degraded["type"], &degraded["status"]), (&json!("Degraded"), &json!("Unknown")));
    assert_eq!(patch["status"]["problem"], "SpeakerStoppedReporting");

    let mut unknown =
        json!({"heartbeatTime": "2024-05-01T09:00:00Z", "heartbeatPeriodSeconds": 60});
    unknown["conditions"] = patch["status"]["conditions"].clone();
    assert_eq!(after(&mut heartbeats, status("4", unknown), 10_000).await, []);
    // The speaker returns, and is lost again.
    let third = beat("5", "2024-05-01T12:00:00Z");
    assert_eq!(after(&mut heartbeats, third, 179).await, []);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(silent(&mut heartbeats).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_speaker_that_has_ended_or_promises_no_heartbeat_or_is_gone_is_left_alone() {
    let mut heartbeats = heartbeats();
    // The statuses of a version without heartbeats, and of a speaker that has ended.
    let old = json!({"node": "kube1", "sessions": []});
    assert_eq!(after(&mut heartbeats, status("1", old), 10_000).await, []);
    let ended = json!({"heartbeatTime": "2024-05-01T09:00:00Z", "conditions": ready("False")});
    assert_eq!(after(&mut heartbeats, status("2", ended), 10_000).await, []);
    for gone in [
        WatchEvent::Deleted(Kind::BgpNodeStatus, ("metallb-system".to_owned(), "kube1".to_owned())),
        WatchEvent::Listed(Kind::BgpNodeStatus, Some(super::super::watch::ListedNames::default())),
    ] {
        assert_eq!(after(&mut heartbeats, beat("3", "2024-05-01T10:00:00Z"), 100).await, []);
        assert_eq!(after(&mut heartbeats, gone, 10_000).await, []);
    }
    // In the first list nothing can be missing.
    assert!(heartbeats.take(beat("4", "2024-05-01T10:00:00Z")).is_none());
    let listed = WatchEvent::Listed(Kind::BgpNodeStatus, None);
    assert_eq!(after(&mut heartbeats, listed, 10_000).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn events_about_other_objects_are_handed_on() {
    let mut heartbeats = heartbeats();
    assert!(heartbeats.take(WatchEvent::Listed(Kind::Service, None)).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_mark_is_logged_once_written_and_a_failed_write_with_its_reason() {
    let (log, _guard) = TestLog::begin();
    let server = ApiServer::builder().manifests(&[RESOURCES]).start().await;
    let client = Client::new(server.service("admin"), "default");
    let mut heartbeats = Heartbeats::new(client, "default", "test");
    server.put(json!({"apiVersion": "ferrolb.io/v1alpha1", "kind": "BGPNodeStatus",
        "metadata": {"namespace": "default", "name": "kube1"},
        "status": {"heartbeatTime": "2024-05-01T10:00:00Z", "heartbeatPeriodSeconds": 60,
            "conditions": ready("True")}}));
    let api = heartbeats.api.clone();
    let seen = async || {
        WatchEvent::Applied(Kind::BgpNodeStatus, Box::new(api.get("kube1").await.unwrap()))
    };
    let stopped = "the speaker has stopped reporting";
    // Time passes in the loop of a controller.
    let pass = async |heartbeats: &mut Heartbeats, time| {
        let passes = async {
            loop {
                heartbeats.due().await;
                heartbeats.mark();
            }
        };
        drop(tokio::time::timeout(Duration::from_secs(time), passes).await);
    };

    // The speaker has just reported.
    heartbeats.take(seen().await);
    server.fail_next(1, Fault::Conflict);
    pass(&mut heartbeats, 240).await;
    assert_eq!((log.count(stopped), log.count("cannot mark the silent speaker")), (0, 0));

    // The object gets a label.
    let labels = json!({"metadata": {"labels": {"a": "b"}}});
    api.patch("kube1", &PatchParams::default(), &Patch::Merge(labels)).await.unwrap();
    heartbeats.speakers.clear();
    heartbeats.take(seen().await);
    server.set_delay(Duration::from_secs(3600));
    pass(&mut heartbeats, 240).await;
    assert_eq!(log.count(stopped), 0);
    let failed = log.lines("cannot mark the silent speaker");
    let say_why = failed.iter().all(|line| line.contains("does not respond"));
    assert!(failed.len() >= 3 && say_why, "{failed:?}");
    server.set_delay(Duration::ZERO);
    pass(&mut heartbeats, 60).await;
    assert_eq!(log.count(stopped), 1);
    assert!(is_unknown(
        &api.get("kube1").await.unwrap().get(&["status", "conditions"]).unwrap().to_json()
    ));
}

#[tokio::test(start_paused = true)]
async fn all_silent_speakers_are_marked_however_many_they_are() {
    const NODES: usize = 5 * LIMITS.at_once + 1;
    let (log, _guard) = TestLog::begin();
    let server = ApiServer::builder().manifests(&[RESOURCES]).start().await;
    let client = Client::new(server.service("admin"), "default");
    let mut heartbeats = Heartbeats::new(client, "default", "test");
    for node in 0..NODES {
        let name = format!("node-{node}");
        server.put(json!({"apiVersion": "ferrolb.io/v1alpha1", "kind": "BGPNodeStatus",
            "metadata": {"namespace": "default", "name": name},
            "status": {"heartbeatTime": "2024-05-01T10:00:00Z", "heartbeatPeriodSeconds": 60,
                "conditions": ready("True")}}));
        let object = heartbeats.api.get(&name).await.unwrap();
        heartbeats.take(WatchEvent::Applied(Kind::BgpNodeStatus, Box::new(object)));
    }
    // Nothing else wakes the loop, and some writes fail.
    server.fail_next(LIMITS.at_once, Fault::Internal);
    let passes = async {
        loop {
            heartbeats.due().await;
            heartbeats.mark();
        }
    };
    drop(tokio::time::timeout(Duration::from_secs(200), passes).await);
    assert_eq!(log.count("the speaker has stopped reporting"), NODES);
}
