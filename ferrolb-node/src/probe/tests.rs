//! Probes of real sockets, on loopback addresses.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;

fn key() -> ServiceKey {
    ServiceKey::new("default", "a")
}

fn target(probe: &str, addresses: &[&str]) -> ProbeTarget {
    let mut probe: Probe = probe.parse().unwrap();
    probe.interval = Duration::from_millis(10);
    probe.fall = 1.try_into().unwrap();
    probe.rise = 1.try_into().unwrap();
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    ProbeTarget { probe, hold_down: Duration::ZERO, addresses, announced: false }
}

/// Answers each request for `/ok` with 204, and others with 500.
async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = [0; 1024];
        let read = stream.read(&mut request).await.unwrap_or(0);
        let status = if request[..read].starts_with(b"GET /ok ") { "204 No" } else { "500 No" };
        let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.ok();
    }
}

async fn next(found: &mut mpsc::Receiver<Found>) -> ProbeStatus {
    next_found(found).await.probed
}

async fn next_found(found: &mut mpsc::Receiver<Found>) -> Found {
    timeout(Duration::from_secs(30), found.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_service_goes_up_and_down_with_what_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(serve(listener));
    let (mut prober, mut found) = Prober::new();
    let set = |prober: &mut Prober, target| prober.set([(key(), target)].into());
    set(&mut prober, target(&format!("http:{port}/ok"), &["127.0.0.1"]));
    assert_eq!(next(&mut found).await, ProbeStatus::Up);
    set(&mut prober, target(&format!("http:{port}/wrong"), &["127.0.0.1"]));
    let ProbeStatus::Down(why) = next(&mut found).await else { panic!("expected Down") };
    assert_eq!(why, format!("127.0.0.1:{port}: HTTP status 500"));
    set(&mut prober, target(&format!("tcp:{port}"), &["127.0.0.1"]));
    assert_eq!(next(&mut found).await, ProbeStatus::Up);
    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
    assert!(matches!(next(&mut found).await, ProbeStatus::Down(_)));
    assert_eq!(prober.set(BTreeMap::new()), [key()]);
}

#[tokio::test]
async fn other_endpoints_go_on_where_those_before_have_come_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (mut prober, mut found) = Prober::new();
    let mut held = |addresses: &[&str]| {
        let mut target = target(&format!("tcp:{port}"), addresses);
        target.hold_down = Duration::from_secs(3600);
        prober.put(key(), target)
    };
    assert!(!held(&["127.0.0.2"]));
    assert!(matches!(next(&mut found).await, ProbeStatus::Down(_)));
    // One that answers is not trusted at once, as if nothing had happened before.
    assert!(!held(&["127.0.0.1"]));
    assert_eq!(next(&mut found).await, ProbeStatus::HeldDown);
    // Without any there is nothing to be said against it.
    assert!(!held(&[]));
    assert_eq!(next(&mut found).await, ProbeStatus::Up);
    // The next one is held down as the one before, and nothing is known of it before its first try.
    assert!(held(&["127.0.0.1"]));
    assert_eq!(next(&mut found).await, ProbeStatus::HeldDown);
    assert!(!held(&[]));
    assert_eq!(next(&mut found).await, ProbeStatus::Up);
    assert!(held(&["127.0.0.2"]));
    assert!(matches!(next(&mut found).await, ProbeStatus::Down(_)));
    assert!(prober.remove(&key()) && !prober.remove(&key()));
}

#[tokio::test]
async fn what_was_found_before_endpoints_came_does_not_count() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let probe = format!("tcp:{}", listener.local_addr().unwrap().port());
    let (mut prober, mut found) = Prober::new();
    assert!(!prober.put(key(), target(&probe, &[])));
    let nothing = next_found(&mut found).await;
    assert_eq!(nothing.probed, ProbeStatus::Up);
    assert!(prober.is_current(&nothing));
    assert_eq!(prober.set([(key(), target(&probe, &["127.0.0.1"]))].into()), [key()]);
    assert!(!prober.is_current(&nothing), "it is of the time without endpoints");
    let answered = next_found(&mut found).await;
    assert_eq!(answered.probed, ProbeStatus::Up, "it is news, since nothing was known");
    assert!(prober.is_current(&answered));
    assert!(prober.remove(&key()) && !prober.is_current(&answered));
}

#[tokio::test]
async fn one_endpoint_that_answers_is_enough_and_none_is_nothing_to_find() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let probe: Probe = format!("tcp:{port}").parse().unwrap();
    let all = ["127.0.0.2", "127.0.0.1"].map(|address| address.parse().unwrap());
    assert_eq!(attempt::any(&probe, &all).await, Ok(()));
    assert!(attempt::any(&probe, &all[..1]).await.is_err());
    assert_eq!(attempt::any(&probe, &[]).await, Ok(()));
}

#[tokio::test]
async fn what_does_not_answer_in_time_has_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut probe: Probe = format!("http:{port}/ok").parse().unwrap();
    probe.timeout = Duration::from_millis(20);
    let why = attempt::any(&probe, &["127.0.0.1".parse().unwrap()]).await.unwrap_err();
    assert!(why.ends_with("no answer within 20ms"), "{why}");
}
