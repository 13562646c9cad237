//! The dataplane of a node that starts.

use ferrolb_node::drain::DrainTimes;
use lb_adapter::planner::PlannerOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::{ControllerOptions, OnExit};
use super::*;

/// The options of a speaker whose kube-proxy has this port.
fn options(kube_proxy_port: u16) -> SpeakerOptions {
    SpeakerOptions {
        cluster: ControllerOptions::of_test("metallb-system").cluster,
        node: "kube1".to_owned(),
        ignore_exclude_label: false,
        on_exit: OnExit::Drain,
        drain: DrainTimes { marked: Duration::ZERO, withdrawn: Duration::ZERO },
        drain_annotation: None,
        drain_taint: None,
        heartbeat: Duration::from_secs(60),
        dataplane: DataplaneOptions {
            gate: DataplaneGate::Auto,
            delay: Duration::from_millis(1200),
            kube_proxy_port,
        },
    }
}

#[tokio::test]
async fn kube_proxy_is_asked_before_the_services_are_known() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let kube_proxy = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        let body = r#"{"lastUpdated": "now"}"#;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    });

    let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let mut dataplane =
        Dataplane::new(&Client::try_from(nowhere).unwrap(), Arc::new(HostNetwork), &options(port));
    assert_eq!(dataplane.sample().kube_proxy_healthy, None);
    let changes = tokio::time::timeout(Duration::from_secs(10), dataplane.next()).await.unwrap();
    assert_eq!(changes, []);
    assert_eq!(dataplane.sample().kube_proxy_healthy, Some(true));
    kube_proxy.await.unwrap();

    assert!(!dataplane.is_active());
    dataplane.update_all(&Engine::new(PlannerOptions::default(), None), |_| false);
    assert!(!dataplane.is_active(), "there is no configuration yet");
}
