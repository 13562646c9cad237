use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::*;
use crate::api::{Answer, Refused};
use crate::events::EventLog;
use crate::log::RecentLines;
use ferrolb_api::{ApiError, Service, ServiceList, ServiceState};
use lb_adapter::manifest::Source;
use tokio::net::UnixStream;

/// More octets than fit into the buffers of two sockets.
const LARGE: usize = 16 << 20;

fn short_limits() -> ConnectionLimits {
    let [head, lifetime, last_response, unread_stream] =
        [150, 400, 150, 900].map(Duration::from_millis);
    ConnectionLimits { connections: 4, head, lifetime, last_response, unread_stream }
}

/// Starts a server whose loop is alive but not ready, and knows these objects.
async fn listen(limits: ConnectionLimits, known: ProcessSnapshot) -> HttpServer {
    listen_also(limits, known, None).await
}

/// Like [`listen`], also on a Unix socket.
async fn listen_also(
    limits: ConnectionLimits,
    known: ProcessSnapshot,
    socket: Option<(SocketFile, UnixListener)>,
) -> HttpServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listeners = Listeners {
        tcp: Some(listener),
        socket,
        allowed_hosts: Vec::new(),
        protection: Protection::default(),
    };
    let (server, mut requests) =
        HttpServer::serve(listeners, EventLog::new(), RecentLines::default(), limits);
    let metrics = "m 1\n".repeat(LARGE / 4);
    tokio::spawn(async move {
        loop {
            match next_request(&mut requests).await {
                StatusRequest::Live(reply) => drop(reply.send(())),
                StatusRequest::Ready(reply) => drop(reply.send(Err("not yet".to_owned()))),
                StatusRequest::Metrics(reply) => drop(reply.send(metrics.clone())),
                StatusRequest::Objects(reply) => drop(reply.send(Ok(known.clone()))),
                StatusRequest::Api(Query::Services(_), reply) => {
                    drop(reply.send(Ok(large_answer())));
                }
                StatusRequest::Api(_, reply) => {
                    drop(reply.send(Err(Refused::Unavailable(ApiError::new("not yet")))));
                }
                StatusRequest::Act(..) => panic!("an action over TCP"),
            }
        }
    });
    server
}

/// An answer that does not fit into the buffers of two Unix sockets.
fn large_answer() -> Answer {
    let service = Service {
        namespace: "web".to_owned(),
        name: "n".repeat(1 << 20),
        state: ServiceState::Pending,
        addresses: Vec::new(),
        pool: None,
        announced_by: 0,
        nodes: 0,
        problem: None,
    };
    Answer::Services(ServiceList { services: vec![service], next: None })
}

async fn send(server: &HttpServer, octets: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address().unwrap()).await.unwrap();
    stream.write_all(octets).await.unwrap();
    stream
}

/// Returns everything received until the connection ends.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let end = timeout(Duration::from_secs(20), stream.read_to_end(&mut received)).await;
    // A connection that is cut off may end with a reset.
    assert!(
        end.is_ok(),
        "the connection does not end after {}",
        String::from_utf8_lossy(&received)
    );
    String::from_utf8(received).unwrap()
}

async fn get(server: &HttpServer, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    read_to_end(&mut send(server, request.as_bytes()).await).await
}

/// Returns the version and status of a response, whose rest is not read.
async fn status(server: &HttpServer, path: &str) -> String {
    let mut stream = send(server, format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await;
    read_status(&mut stream).await
}

async fn read_status(stream: &mut TcpStream) -> String {
    let mut received = [0; 12];
    timeout(Duration::from_secs(20), stream.read_exact(&mut received)).await.unwrap().unwrap();
    String::from_utf8(received.to_vec()).unwrap()
}

/// Returns objects of this many Namespaces, one line each.
fn known(namespaces: usize) -> ProcessSnapshot {
    let namespace =
        |nth: usize| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: n{nth}}}\n---\n");
    let octets = (0..namespaces).map(namespace).collect::<String>().into_bytes();
    let sources = vec![Source { name: "namespaces.yaml".to_owned(), octets }];
    ProcessSnapshot { sources, ..ProcessSnapshot::default() }
}

#[tokio::test]
async fn connections_without_a_complete_head_or_a_next_request_are_closed() {
    let server = listen(
        ConnectionLimits { lifetime: Duration::from_secs(60), ..short_limits() },
        ProcessSnapshot::default(),
    )
    .await;
    let begin = Instant::now();
    read_to_end(&mut send(&server, b"").await).await;
    read_to_end(&mut send(&server, b"GET /livez HTTP/1.1\r\nX: ").await).await;
    let kept =
        read_to_end(&mut send(&server, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await).await;
    assert!(kept.ends_with("\r\n\r\nok\n"), "{kept}");
    assert!(begin.elapsed() >= 3 * short_limits().head, "none was closed early");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = listen(short_limits(), ProcessSnapshot::default()).await;
    let large = format!("GET /livez HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(60_000));
    let mut stream = TcpStream::connect(server.address().unwrap()).await.unwrap();
    // The server may refuse it before all of it has been sent.
    let _ = stream.write_all(large.as_bytes()).await;
    let mut received = [0; 12];
    if timeout(Duration::from_secs(20), stream.read_exact(&mut received)).await.unwrap().is_ok() {
        assert_eq!(&received, b"HTTP/1.1 431");
    }
}

#[tokio::test]
async fn a_new_connection_replaces_the_oldest() {
    let limits = ConnectionLimits { head: Duration::from_secs(60), ..short_limits() };
    let server = listen(
        ConnectionLimits { lifetime: Duration::from_secs(60), ..limits },
        ProcessSnapshot::default(),
    )
    .await;
    let mut held = Vec::new();
    for _ in 0..short_limits().connections {
        held.push(send(&server, b"GET /livez HTTP/1.1\r\nX: ").await);
    }
    assert!(get(&server, "/livez").await.ends_with("\r\n\r\nok\n"));
    read_to_end(&mut held[0]).await;
    let still = timeout(Duration::from_millis(50), held[1].read_u8()).await;
    assert!(still.is_err(), "the other connections stay: {still:?}");
}

#[tokio::test]
async fn an_unread_response_is_cut_off_and_does_not_block_others() {
    let lifetime = Duration::from_secs(3);
    let server = listen(
        ConnectionLimits { connections: 100, lifetime, ..short_limits() },
        ProcessSnapshot::default(),
    )
    .await;
    let mut unread = Vec::new();
    for _ in 0..MAX_SCRAPES {
        let mut stream = send(&server, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(read_status(&mut stream).await, "HTTP/1.1 200");
        unread.push(stream);
    }
    assert_eq!(status(&server, "/metrics").await, "HTTP/1.0 503", "all permits are taken");
    assert!(
        get(&server, "/livez").await.ends_with("\r\n\r\nok\n"),
        "a health check needs no permit"
    );

    let permit_is_free = async {
        while status(&server, "/metrics").await != "HTTP/1.0 200" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), permit_is_free).await.expect("an end of the unread responses");
    let mut received = Vec::new();
    let end = unread[0].read_to_end(&mut received);
    let _ = timeout(Duration::from_secs(20), end).await.unwrap();
    assert!(received.len() < LARGE, "not all of it: {}", received.len());
}

#[tokio::test]
async fn a_recording_is_sent_in_chunks_and_has_a_content_length() {
    let known = known(3_000);
    let recording = known.recording();
    assert!(recording.len() > 10 * (16 << 10), "many chunks: {}", recording.len());
    let limits = ConnectionLimits { lifetime: Duration::from_secs(60), ..short_limits() };
    let server = listen(limits, known).await;
    let response = get(&server, "/objects").await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", recording.len())), "{head}");
    assert_eq!(body, recording);

    let ready = get(&server, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.0 503") && ready.ends_with("not yet\n"), "{ready}");
}

/// Sends a request to a socket, and returns the beginning of the response.
async fn begin(path: &Path, target: &str) -> (UnixStream, String) {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
    let mut received = vec![0; 1024];
    let length = timeout(Duration::from_secs(20), stream.read(&mut received)).await.unwrap();
    received.truncate(length.unwrap());
    (stream, String::from_utf8(received).unwrap())
}

#[tokio::test]
async fn readers_who_do_not_read_keep_a_bounded_number_of_answers_and_no_health_check() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.sock");
    let socket = SocketFile::create(path.clone()).await.unwrap();
    let lifetime = Duration::from_secs(60);
    let limits = ConnectionLimits { connections: 100, lifetime, ..short_limits() };
    let server = listen_also(limits, ProcessSnapshot::default(), Some(socket)).await;

    let mut unread = Vec::new();
    for _ in 0..MAX_ANSWERS {
        let (stream, head) = begin(&path, "/v1/services").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        unread.push(stream);
    }
    let (_, refused) = begin(&path, "/v1/services").await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 5"), "{refused}");
    assert!(refused.contains("{\"error\":\"too many clients are reading answers"), "{refused}");
    assert!(get(&server, "/v1/status").await.starts_with("HTTP/1.0 503"), "they share the limit");
    assert!(begin(&path, "/livez").await.1.ends_with("ok\n"));

    drop(unread);
    let permit_is_free = async {
        while !begin(&path, "/v1/services").await.1.starts_with("HTTP/1.1 200") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), permit_is_free)
        .await
        .expect("a permit of those who have gone");
}

#[tokio::test]
async fn an_answer_that_the_process_refuses_is_an_error_in_json() {
    let server = listen(short_limits(), ProcessSnapshot::default()).await;
    let refused = get(&server, "/v1/status").await;
    assert!(refused.starts_with("HTTP/1.0 503"), "{refused}");
    assert!(refused.contains("content-type: application/json"), "{refused}");
    assert!(refused.ends_with("\r\n\r\n{\"error\":\"not yet\"}"), "{refused}");
}

#[tokio::test]
async fn a_socket_belongs_to_one_process_and_one_user() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.sock");
    let (file, listener) = SocketFile::create(path.clone()).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let error = SocketFile::create(path.clone()).await.unwrap_err();
    assert!(error.to_string().contains("another process listens on"), "{error}");

    // No process listens on it any more, as after a crash.
    drop(listener);
    let (second, _listener) = SocketFile::create(path.clone()).await.unwrap();
    drop(file);
    assert!(path.exists(), "the first does not remove the second's");
    drop(second);
    assert!(!path.exists());
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn what_a_killed_process_left_behind_does_not_prevent_a_socket() {
    let directory = tempfile::tempdir().unwrap();
    let left = directory.path().join(format!(".ferrolb-{}-0", std::process::id()));
    std::fs::create_dir(left).unwrap();

    let path = directory.path().join("s.sock");
    let (_file, _listener) = SocketFile::create(path.clone()).await.unwrap();
    assert!(path.exists());
}
