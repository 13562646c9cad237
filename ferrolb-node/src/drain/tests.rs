use tokio::time::{sleep, timeout};

use super::*;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn drain() -> (Drain, EventLog) {
    let log = EventLog::new();
    let times = DrainTimes { marked: secs(10), withdrawn: secs(5) };
    (Drain::new("kube1", times, log.clone()), log)
}

/// The work of sessions that take as long as the procedure, and a little more to end.
async fn work() {
    sleep(secs(15) + Duration::from_millis(200)).await;
}

fn texts(log: &EventLog) -> Vec<String> {
    log.page(None).events.into_iter().map(|event| event.text).collect()
}

#[tokio::test(start_paused = true)]
async fn a_drain_goes_through_its_stages_and_ends_when_it_is_no_longer_requested() {
    let (mut drain, log) = drain();
    assert_eq!((drain.due(), drain.status()), (None, DrainStatus::default()));
    assert!(timeout(secs(3_600), drain.advanced()).await.is_err(), "no drain is under way");

    drain.request_by_operator(None);
    assert_eq!(drain.due(), Some(DrainStep::Begin));
    let begin = Instant::now();
    drain.begin(work());
    assert_eq!((drain.due(), drain.stage()), (None, DrainStage::Marked));
    assert_eq!(drain.advanced().await, DrainStage::Withdrawn);
    assert_eq!((begin.elapsed(), drain.stage()), (secs(10), DrainStage::Withdrawn));
    // A cancelled wait loses nothing.
    assert!(timeout(secs(1), drain.advanced()).await.is_err());
    assert_eq!(drain.advanced().await, DrainStage::Drained);
    assert_eq!(begin.elapsed(), secs(15) + Duration::from_millis(200));
    let status = drain.status();
    assert_eq!(
        (status.stage, status.requested_by.as_deref()),
        (DrainStage::Drained, Some("operator"))
    );
    assert!(status.since.is_some());

    drain.release_by_operator();
    assert_eq!(drain.due(), Some(DrainStep::Resume));
    drain.serve();
    assert_eq!((drain.due(), drain.status()), (None, DrainStatus::default()));
    assert_eq!(
        texts(&log),
        [
            "draining, requested by operator: routes are marked with GRACEFUL_SHUTDOWN",
            "the routes are withdrawn: the sessions end soon",
            "the drain is complete: the sessions have ended",
            "the drain is no longer requested: announcing again",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_lasts_as_long_as_anything_requests_it() {
    let (mut drain, _) = drain();
    drain.set_requested(DrainRequester::Annotation, true);
    drain.request_by_operator(Some("new kernel".to_owned()));
    drain.begin(work());
    assert_eq!(drain.status().requested_by.as_deref(), Some("operator, annotation"));

    drain.release_by_operator();
    assert_eq!(drain.due(), None, "the Node still requests it");
    assert_eq!(drain.status().requested_by.as_deref(), Some("annotation"));
    assert_eq!(drain.other_requesters().as_deref(), Some("annotation"));
    drain.set_requested(DrainRequester::Taint, true);
    drain.set_requested(DrainRequester::Annotation, false);
    assert_eq!(drain.due(), None);
    drain.set_requested(DrainRequester::Taint, false);
    assert_eq!(drain.due(), Some(DrainStep::Cancel));
    drain.serve();
    assert!(drain.is_serving());
}

#[test]
fn the_routers_operators_get_the_operator_s_text_or_the_name_of_the_node() {
    let (mut drain, _) = drain();
    let times = GracefulShutdown::new().marked_for(secs(10));
    let default = times.clone().withdrawn_for(secs(5)).message("kube1 is being drained");
    assert_eq!(drain.procedure(), default);
    drain.request_by_operator(Some("new kernel".to_owned()));
    drain.skip_withdrawn(true);
    assert_eq!(drain.procedure(), times.withdrawn_for(Duration::ZERO).message("new kernel"));
    drain.release_by_operator();
    drain.skip_withdrawn(false);
    assert_eq!(drain.procedure(), default);
}
