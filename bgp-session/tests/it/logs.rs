//! The log that an operator reads: the life of a session, and what does not fill it.

use std::{io, time::Duration};

use bgp_session::{PeerConfig, StateKind};
use test_log_lines::TestLog;
use tokio::time::{Instant, sleep};
use tracing::Level;

use crate::{
    pipes::{node_by_hand, pair, towards_pipe},
    scripted::Scripted,
    world::{both_up, soon, towards_node},
};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// The lines at INFO and above that are about the peer.
fn lines(log: &TestLog) -> Vec<String> {
    let mut lines = log.lines(" peer{");
    lines.retain(|line| {
        line.contains(" INFO ") || line.contains(" WARN ") || line.contains(" ERROR ")
    });
    lines
}

/// Fails unless there is one line for each of these words, in this order.
fn tell(lines: &[String], expected: &[&str]) {
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, words) in lines.iter().zip(expected) {
        assert!(line.contains(words), "{words} is not in {line}\n{lines:#?}");
    }
}

fn tor() -> PeerConfig {
    towards_pipe().name("tor-1")
}

#[tokio::test(start_paused = true)]
async fn the_log_tells_the_life_of_a_session() {
    let (log, _guard) = TestLog::begin();
    let (node, mut dials) = node_by_hand().await;
    let mut at_node = node.add_peer(tor()).await.unwrap();
    soon("a dial", dials.recv()).await.unwrap().refuse();
    let mut router = Scripted::new(soon("a dial", dials.recv()).await.unwrap().connect(4_096));
    router.shake_hands(30).await;
    at_node.established().await.unwrap();
    sleep(Duration::from_secs(20)).await;
    drop(router);
    let idle = at_node.wait_for(|status| status.state == StateKind::Idle);
    soon("the end", idle).await.unwrap();
    let mut router = Scripted::new(soon("a dial", dials.recv()).await.unwrap().connect(4_096));
    router.shake_hands(30).await;
    at_node.established().await.unwrap();

    let lines = lines(&log);
    let story =
        ["connecting", "no session", "session up", "session down", "connecting", "session up"];
    tell(&lines, &story);
    assert!(lines.iter().all(|line| line.contains("name=\"tor-1\" peer=192.0.2.1")), "{lines:#?}");
    assert!(lines[1].contains("refused") && lines[1].contains("retry_in="), "{}", lines[1]);
    for agreed in
        ["hold_time=30s", "families=\"ipv4-unicast\"", "four-octet-as", "failed_attempts=1"]
    {
        assert!(lines[2].contains(agreed), "{agreed} is not in {}", lines[2]);
    }
    for told in ["closed the connection", "uptime=20s", "retry_in="] {
        assert!(lines[3].contains(told), "{told} is not in {}", lines[3]);
    }
    assert!(lines[5].contains("down_for="), "{}", lines[5]);
}

#[tokio::test(start_paused = true)]
async fn a_router_that_refuses_for_a_day_takes_two_lines() {
    let (log, _guard) = TestLog::begin_at(Level::INFO);
    let (node, mut dials) = node_by_hand().await;
    let at_node = node.add_peer(tor()).await.unwrap();
    tokio::spawn(async move {
        while let Some(dial) = dials.recv().await {
            dial.refuse();
        }
    });
    sleep(DAY).await;

    tell(&lines(&log), &["connecting", "no session"]);
    assert!(at_node.status().connect_retry_counter > 500, "it has tried all day");
}

#[tokio::test(start_paused = true)]
async fn reasons_that_take_turns_are_logged_once_each_and_only_so_many() {
    let (log, _guard) = TestLog::begin_at(Level::INFO);
    let (node, mut dials) = node_by_hand().await;
    let _at_node = node.add_peer(tor()).await.unwrap();
    tokio::spawn(async move {
        let mut number = 0;
        while let Some(dial) = dials.recv().await {
            number += 1;
            if number % 2 == 0 {
                dial.refuse();
            } else {
                dial.fail(io::Error::other(format!("error {}", number % 50)));
            }
        }
    });
    sleep(DAY).await;
    let lines = lines(&log);
    assert_eq!(lines.len(), 1 + 8, "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_goes_up_and_down_for_hours_does_not_fill_the_log() {
    let (log, _guard) = TestLog::begin_at(Level::INFO);
    let (node, mut dials) = node_by_hand().await;
    let quick = tor().idle_hold(Duration::from_secs(1), Duration::from_secs(2));
    let at_node = node.add_peer(quick).await.unwrap();
    let begin = Instant::now();
    tokio::spawn(async move {
        while let Some(dial) = dials.recv().await {
            let mut router = Scripted::new(dial.connect(4_096));
            router.shake_hands(30).await;
            sleep(Duration::from_secs(5)).await;
            while begin.elapsed() > 4 * HOUR {
                router.say_keepalive().await;
                sleep(Duration::from_secs(10)).await;
            }
        }
    });
    sleep(4 * HOUR).await;

    let lost = at_node.stats().sessions_lost;
    let lines = lines(&log);
    assert!(lost > 1_000, "{lost}");
    let most = 20 + 4 * 6 + 1;
    assert!(lines.len() <= most, "{lines:#?}");
    assert!(lines[20..].iter().all(|line| line.contains(" left_out=")), "{lines:#?}");

    // Once it is quiet, the log says how it ended.
    sleep(HOUR).await;
    let last = log.lines("the session has been up and down").pop().unwrap();
    assert!(last.contains("state=Established"), "{last}");
    let quiet = log.lines(" peer{").len();
    sleep(HOUR).await;
    assert_eq!(log.lines(" peer{").len(), quiet);
}

#[tokio::test(start_paused = true)]
async fn a_name_changes_while_the_session_is_up() {
    let (log, _guard) = TestLog::begin();
    let (_router, mut at_router, _node, mut at_node) = pair().await;
    both_up(&mut at_router, &mut at_node).await;
    let up = at_node.status().since;
    let updated = at_node.update(towards_pipe().name("spine-2")).await.unwrap();
    assert_eq!(updated.changes.iter().map(|change| change.field).collect::<Vec<_>>(), ["name"]);
    assert!(!updated.reset);
    assert_eq!(at_node.status().since, up, "the session goes on");

    at_node.disable("").await.unwrap();
    let idle = at_node.wait_for(|status| status.state == StateKind::Idle);
    soon("the end", idle).await.unwrap();
    let down = log.lines("session down");
    assert!(
        down.iter().any(|line| line.contains("peer{name=\"spine-2\" peer=192.0.2.1")),
        "{down:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_line_of_any_level_has_a_password() {
    let (log, _guard) = TestLog::begin_at(Level::TRACE);
    let (node, mut dials) = node_by_hand().await;
    let mut at_node = node.add_peer(tor().password("s3sam3-one")).await.unwrap();
    soon("a dial", dials.recv()).await.unwrap().refuse();
    let mut router = Scripted::new(soon("a dial", dials.recv()).await.unwrap().connect(4_096));
    router.shake_hands(30).await;
    at_node.established().await.unwrap();
    at_node.update(tor().password("s3sam3-two")).await.unwrap();
    sleep(Duration::from_secs(600)).await;
    let too_long = "s3sam3".repeat(20);
    let refused = at_node.update(tor().password(too_long.as_str())).await.unwrap_err();
    assert!(!refused.to_string().contains("s3sam3"), "{refused}");
    assert!(node.add_peer(towards_node("192.0.2.9").password(too_long.as_str())).await.is_err());
    tracing::trace!(status = ?at_node.status(), config = ?tor().password("s3sam3-three"), "all of it");

    assert!(log.count("session up") >= 1 && log.count("all of it") == 1);
    assert_eq!(log.lines("s3sam3"), [""; 0]);
}
