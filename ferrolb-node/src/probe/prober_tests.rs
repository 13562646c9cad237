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

/// Responds to each request for `/ok` with 204, and to others with 500.
async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = [0; 1024];
        let read = stream.read(&mut request).await.unwrap_or(0);
        let status = if request[..read].starts_with(b"GET /ok ") { "204 No" } else { "500 No" };
        let response = format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n");
        stream.write_all(response.as_bytes()).await.ok();
    }
}

async fn next(results: &mut mpsc::Receiver<ProbeResult>) -> ProbeStatus {
    next_result(results).await.status
}

async fn next_result(results: &mut mpsc::Receiver<ProbeResult>) -> ProbeResult {
    timeout(Duration::from_secs(30), results.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_service_goes_up_and_down_with_its_endpoints() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(serve(listener));
    let (mut prober, mut results) = Prober::new();
    prober.set_targets([(key(), target(&format!("http:{port}/ok"), &["127.0.0.1"]))].into());
    assert_eq!(next(&mut results).await, ProbeStatus::Up);
    prober.set_targets([(key(), target(&format!("http:{port}/wrong"), &["127.0.0.1"]))].into());
    let ProbeStatus::Down(error) = next(&mut results).await else { panic!("expected Down") };
    assert_eq!(error, format!("127.0.0.1:{port}: HTTP status 500"));
    prober.set_targets([(key(), target(&format!("tcp:{port}"), &["127.0.0.1"]))].into());
    assert_eq!(next(&mut results).await, ProbeStatus::Up);

    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
    assert!(matches!(next(&mut results).await, ProbeStatus::Down(_)));
    assert_eq!(prober.set_targets(BTreeMap::new()), [key()]);
}

#[tokio::test]
async fn new_endpoints_continue_with_the_status_of_those_before() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (mut prober, mut results) = Prober::new();
    let mut set_addresses = |addresses: &[&str]| {
        let mut target = target(&format!("tcp:{port}"), addresses);
        target.hold_down = Duration::from_secs(3600);
        prober.set_target(key(), target)
    };
    assert!(!set_addresses(&["127.0.0.2"]));
    assert!(matches!(next(&mut results).await, ProbeStatus::Down(_)));

    // An endpoint that responds is held down, because the one before failed.
    assert!(!set_addresses(&["127.0.0.1"]));
    assert_eq!(next(&mut results).await, ProbeStatus::HeldDown);

    // Without endpoints, the Service counts as up.
    assert!(!set_addresses(&[]));
    assert_eq!(next(&mut results).await, ProbeStatus::Up);

    // The next endpoint is held down like the one before, and its status is unknown before its first attempt.
    assert!(set_addresses(&["127.0.0.1"]));
    assert_eq!(next(&mut results).await, ProbeStatus::HeldDown);
    assert!(!set_addresses(&[]));
    assert_eq!(next(&mut results).await, ProbeStatus::Up);
    assert!(set_addresses(&["127.0.0.2"]));
    assert!(matches!(next(&mut results).await, ProbeStatus::Down(_)));
    assert!(prober.remove(&key()) && !prober.remove(&key()));
}

#[tokio::test]
async fn a_result_from_before_there_were_endpoints_does_not_count() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let probe = format!("tcp:{}", listener.local_addr().unwrap().port());
    let (mut prober, mut results) = Prober::new();
    assert!(!prober.set_target(key(), target(&probe, &[])));
    let idle = next_result(&mut results).await;
    assert_eq!(idle.status, ProbeStatus::Up);
    assert!(prober.is_current(&idle));
    assert_eq!(prober.set_targets([(key(), target(&probe, &["127.0.0.1"]))].into()), [key()]);
    assert!(!prober.is_current(&idle), "its epoch had no endpoints");

    let success = next_result(&mut results).await;
    assert_eq!(success.status, ProbeStatus::Up, "reported, since the status was unknown");
    assert!(prober.is_current(&success));
    assert!(prober.remove(&key()) && !prober.is_current(&success));
}

#[tokio::test]
async fn one_responding_endpoint_is_enough_and_no_endpoint_is_a_success() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let probe: Probe = format!("tcp:{port}").parse().unwrap();
    let all = ["127.0.0.2", "127.0.0.1"].map(|address| address.parse().unwrap());
    assert_eq!(probe_any(&probe, &all).await, Ok(()));
    assert!(probe_any(&probe, &all[..1]).await.is_err());
    assert_eq!(probe_any(&probe, &[]).await, Ok(()));
}

#[tokio::test]
async fn an_endpoint_that_does_not_respond_in_time_has_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut probe: Probe = format!("http:{port}/ok").parse().unwrap();
    probe.timeout = Duration::from_millis(20);
    let error = probe_any(&probe, &["127.0.0.1".parse().unwrap()]).await.unwrap_err();
    assert!(error.ends_with("no response within 20ms"), "{error}");
}
