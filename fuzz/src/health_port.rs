//! Health ports: any answer on the port of a Service or of kube-proxy leads to a result in time, in one line.

use std::net::SocketAddr;
use std::time::Duration;

use ferrolb_kubernetes::{HealthAnswer, ProxyHealth, request_healthz};
use lb_adapter::model::ServiceKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::time::timeout;

use crate::input::{Input, is_set};
use crate::judge::judge_text;
use crate::memory;

/// The longest body that is read.
const BODY: usize = 8_192;

/// The first octet is how the server answers; the rest is the answer, either over HTTP or as the body alone.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let how = input.octet();
    let octets = input.rest();
    if is_set(how, 0) {
        let status = [200, 503, 404, 302][usize::from(how >> 1 & 3)];
        judge_body(status, octets);
        return;
    }

    match memory::run(ask(how, octets)) {
        Ok((status, body)) => {
            assert!(body.len() <= BODY, "{} octets are too many to keep", body.len());
            judge_body(status, &body);
        }
        Err(problem) => judge_text(&problem),
    }
}

/// Asks a server that answers with these octets, and then closes the connection or falls silent.
async fn ask(how: u8, octets: &[u8]) -> Result<(u16, Vec<u8>), String> {
    let (client, mut server) = duplex(1 << 16);
    let serve = async {
        let mut request = [0; 1_024];
        let length = server.read(&mut request).await.expect("a request");
        let request = String::from_utf8_lossy(&request[..length]);
        assert!(request.starts_with("GET /healthz HTTP/1.1\r\n"), "{request}");

        let piece = if is_set(how, 1) { 7 } else { 1_024 };
        for piece in octets.chunks(piece) {
            if server.write_all(piece).await.is_err() {
                break;
            }
        }
        if is_set(how, 2) {
            std::future::pending::<()>().await;
        }
        drop(server);
        std::future::pending::<()>().await;
    };

    let address = SocketAddr::from(([10, 0, 0, 1], 30_000));
    let request = timeout(Duration::from_millis(500), request_healthz(client, address));
    let answer = tokio::select! {
        answer = request => answer,
        () = serve => unreachable!("the server waits for ever"),
    };
    match answer {
        Ok(answer) => answer.map(|(status, body)| (status.as_u16(), body.to_vec())),
        Err(_) => {
            assert!(is_set(how, 2), "no result from a server that has closed the connection");
            Err("does not answer".to_owned())
        }
    }
}

/// Reads a body as an answer of both kinds.
fn judge_body(status: u16, body: &[u8]) {
    let service = ServiceKey::new("mail", "smtp");
    let code = status.try_into().expect("a status of HTTP");
    match HealthAnswer::read(code, body, &service) {
        HealthAnswer::Ready => assert_eq!(status, 200),
        HealthAnswer::NoEndpoint(problem) => {
            assert_eq!(status, 503);
            judge_text(problem);
        }
        HealthAnswer::Wrong(problem) => {
            judge_text(&problem);
            assert!(problem.len() < 200, "the log is not for {problem}");
        }
    }

    match ProxyHealth::read(status, body) {
        Ok(health) => assert!(!health.is_healthy || status == 200 || status == 503),
        Err(problem) => judge_text(&problem),
    }
}

/// Answers of kube-proxy and Cilium, over HTTP and alone, and of something else.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let service = r#"{"service":{"namespace":"mail","name":"smtp"},"localEndpoints":1}"#;
    let other = r#"{"service":{"namespace":"web","name":"www"},"localEndpoints":1}"#;
    let proxy = r#"{"lastUpdated":"2026-11-30T08:00:10Z","currentTime":"2026-11-30T08:00:10.5Z","nodeEligible":true,"healthy":true,"status":{"IPv4":{"lastUpdated":"2026-11-30T08:00:09Z","healthy":true},"IPv6":{"lastUpdated":"2026-11-30T08:00:08.25Z","healthy":true}}}"#;
    let over_http = |how: u8, status: &str, body: &str| {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
        [&[how], answer.as_bytes()].concat()
    };
    let chunked = "\0HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

    vec![
        ("ready".to_owned(), over_http(0, "200 OK", service)),
        ("no-endpoint".to_owned(), over_http(2, "503 Service Unavailable", service)),
        ("other".to_owned(), over_http(0, "200 OK", other)),
        ("proxy".to_owned(), over_http(4, "200 OK", proxy)),
        ("chunked".to_owned(), chunked.as_bytes().to_vec()),
        ("until-closed".to_owned(), b"\0HTTP/1.0 200 OK\r\n\r\nok".to_vec()),
        ("silent".to_owned(), b"\x04HTTP/1.1 2".to_vec()),
        ("not-http".to_owned(), b"\0SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ("body-ready".to_owned(), [b"\x01", service.as_bytes()].concat()),
        ("body-proxy".to_owned(), [b"\x03", proxy.as_bytes()].concat()),
    ]
}
