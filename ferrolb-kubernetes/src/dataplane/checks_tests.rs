use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};

use super::super::network::HostNetwork;
use super::*;

const LOOPBACK: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::LOCALHOST)];

fn service() -> ServiceKey {
    ServiceKey::new("mail", "smtp")
}

/// A port at which nothing listens. The socket is bound to it, so nobody else can listen there either.
fn closed_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// A server that answers each request with these octets and closes the connection. Returns its port.
async fn server(answer: impl Into<Vec<u8>>) -> u16 {
    let answer = answer.into();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    port
}

/// An answer as kube-proxy gives it.
fn answer(status: &str, namespace: &str, name: &str) -> String {
    let body = format!(
        "{{\n\t\"service\": {{\n\t\t\"namespace\": \"{namespace}\",\n\t\t\"name\": \"{name}\"\n\t}},\n\t\
         \"localEndpoints\": 1,\n\t\"serviceProxyHealthy\": true\n}}"
    );
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Load-Balancing-Endpoint-Weight: 1\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// Returns the result of a check of this health port: `forwards`, or the problem; and true if a dataplane has answered.
async fn check(port: u16) -> (String, bool) {
    let (found, has_answered) =
        run(&HostNetwork, &Check::HealthPort(port), &service(), &LOOPBACK).await;
    let found = match found {
        Observation::Forwards => "forwards".to_owned(),
        Observation::ForwardsNow => panic!("no check of a health port"),
        Observation::NoEndpoint(problem) | Observation::DoesNot(problem) => {
            let prefix = format!("its health port {port} ");
            problem.strip_prefix(&prefix).expect("the port is named").to_owned()
        }
    };
    (found, has_answered)
}

#[tokio::test]
async fn kube_proxy_answers_200_with_ready_endpoints_and_503_without() {
    let port = server(answer("200 OK", "mail", "smtp")).await;
    assert_eq!(check(port).await, ("forwards".to_owned(), true));
    let port = server(answer("503 Service Unavailable", "mail", "smtp")).await;
    let none = "reports that no endpoint on the node is ready";
    assert_eq!(check(port).await, (none.to_owned(), true));
    // kube-router has a body of its own.
    let port = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK").await;
    assert_eq!(check(port).await, ("forwards".to_owned(), true));
}

#[tokio::test]
async fn an_answer_that_is_no_health_check_says_what_it_is() {
    for (answer, problem) in [
        (answer("200 OK", "mail", "imap"), "answers for another Service, mail/imap"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"
                .to_owned(),
            "answers with status 302",
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "answers with status 404",
        ),
        ("220 mail.example ESMTP\r\n".to_owned(), "does not answer in HTTP: invalid HTTP"),
        (String::new(), "does not answer in HTTP: connection closed"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_owned(), "sends an unreadable body: "),
        (
            format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{}", "x".repeat(100_000)),
            "sends an unreadable body: length limit exceeded",
        ),
    ] {
        let (found, has_answered) = check(server(answer).await).await;
        assert!(found.starts_with(problem), "{found}");
        assert!(!has_answered);
    }
}

#[tokio::test]
async fn a_refused_port_and_a_silent_one_have_different_problems() {
    let (_socket, refused) = closed_port();
    let (problem, has_answered) = check(refused).await;
    assert!(
        problem.starts_with(&format!("is not reachable at 127.0.0.1:{refused}: ")),
        "{problem}"
    );
    assert!(!has_answered);

    // A stopped kube-proxy accepts connections and never answers.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (problem, _) = check(silent.local_addr().unwrap().port()).await;
    assert_eq!(problem, "does not answer within 500ms");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sent = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&sent);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        while stream.write_all(b"400\r\n").await.is_ok()
            && stream.write_all(&[b'x'; 1024]).await.is_ok()
            && stream.write_all(b"\r\n").await.is_ok()
        {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (problem, _) = check(port).await;
    assert!(problem.starts_with("sends an unreadable body"), "{problem}");
}

#[tokio::test]
async fn a_connection_is_a_check_of_every_address() {
    let open = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = open.local_addr().unwrap().port();
    let connect = async |addresses: &[&str]| {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let check = Check::Connect(ConnectTarget { addresses, port, remote_endpoints: Vec::new() });
        run(&HostNetwork, &check, &service(), &LOOPBACK).await.0
    };
    assert_eq!(connect(&["127.0.0.1"]).await, Observation::Forwards);
    let Observation::DoesNot(problem) = connect(&["127.0.0.1", "127.0.0.2"]).await else {
        panic!()
    };
    let expected = format!("a connection from the node to 127.0.0.2:{port}: ");
    assert!(problem.starts_with(&expected), "{problem}");
}

#[tokio::test]
async fn the_health_of_kube_proxy_is_read_from_its_own_answer_only() {
    let body = r#"{"lastUpdated":"2026-11-30T08:26:29Z","currentTime":"2026-11-30T08:26:29Z"}"#;
    let length = body.len();
    let port = server(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")).await;
    assert!(proxy_health(&HostNetwork, port, &LOOPBACK).await.unwrap().is_healthy);
    let port = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let problem = proxy_health(&HostNetwork, port, &LOOPBACK).await.unwrap_err();
    assert_eq!(problem, "status 200, and a body that is not JSON");
}

#[tokio::test]
async fn an_endpoint_that_answers_or_refuses_from_one_hop_away_is_a_host() {
    let open = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = open.local_addr().unwrap().port();
    let is_near = async |endpoints: &[&str]| {
        let remote_endpoints = endpoints.iter().map(|address| address.parse().unwrap()).collect();
        has_near_endpoint(
            &HostNetwork,
            &ConnectTarget { addresses: Vec::new(), port, remote_endpoints },
        )
        .await
    };
    assert!(is_near(&["127.0.0.1"]).await);
    assert!(is_near(&["127.0.0.9"]).await, "nothing listens there, but the host is near");
    assert!(!is_near(&[]).await);
}

#[tokio::test]
async fn a_former_health_port_has_to_be_closed_before_a_connection_counts() {
    let open = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let service_port = open.local_addr().unwrap().port();
    let target = ConnectTarget {
        addresses: LOOPBACK.to_vec(),
        port: service_port,
        remote_endpoints: Vec::new(),
    };
    let former = server(answer("503 Service Unavailable", "mail", "smtp")).await;
    let check = Check::ClosedPortAndConnect(former, target.clone());
    let problem = format!("its former health port {former} is still served");
    assert_eq!(
        run(&HostNetwork, &check, &service(), &LOOPBACK).await.0,
        Observation::DoesNot(problem)
    );
    let (_socket, closed) = closed_port();
    let check = Check::ClosedPortAndConnect(closed, target);
    assert_eq!(run(&HostNetwork, &check, &service(), &LOOPBACK).await.0, Observation::ForwardsNow);
}
