//! The client against processes that answer, that answer with something else, and that do not answer.

use ferrolb_api::PoolList;
use ferrolb_api::action::{Done, PeerAction};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, UnixListener};

use super::*;

/// Serves one connection with this text. Returns the place, and the request once it is served.
fn serve(
    answer: impl Into<Vec<u8>>,
) -> (Client, tokio::task::JoinHandle<String>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kube1.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let answer = answer.into();
    let request = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(&answer).await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (Client::new(Place::Socket(path)), request, directory)
}

fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

async fn error_of(answer: impl Into<Vec<u8>>) -> String {
    let (client, _request, _directory) = serve(answer);
    client.get::<PoolList>("/v1/pools").await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_request_names_the_host_and_its_answer_is_a_value() {
    let (client, request, _directory) =
        serve(response("200 OK", "{\"pools\":[],\"pending\":3,\"new\":1}"));
    let list: PoolList = client.get("/v1/pools").await.unwrap();
    assert_eq!(list.pending, 3);
    let request = request.await.unwrap();
    assert!(request.starts_with("GET /v1/pools HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("host: localhost\r\n"), "{request}");

    let (client, request, _directory) = serve(response("200 OK", "{\"done\":\"reset\"}"));
    let action = PeerAction { message: Some("maintenance".to_owned()), ..PeerAction::default() };
    let done: Done = client.post("/v1/peers/tor1/reset", &action).await.unwrap();
    assert_eq!(done.done, "reset");
    let request = request.await.unwrap();
    assert!(request.starts_with("POST /v1/peers/tor1/reset HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"message\":\"maintenance\"}"), "{request}");
}

#[tokio::test]
async fn an_error_of_the_process_is_the_error() {
    let body = "{\"error\":\"there is no peer tor9\",\"hint\":\"the peers are tor1 and tor2\"}";
    let error = error_of(response("404 Not Found", body)).await;
    assert_eq!(error, "there is no peer tor9; the peers are tor1 and tor2");

    // Another program, or a process of another version.
    let error = error_of(response("404 Not Found", "<html>nothing</html>\n")).await;
    assert!(error.ends_with("kube1.sock/v1/pools: 404 <html>nothing</html>"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_incomplete_or_something_else_is_an_error() {
    let error = error_of("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{\"pools\":").await;
    assert!(error.contains("kube1.sock: the response is truncated"), "{error}");
    let error = error_of("SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    assert!(error.contains("the response is not HTTP"), "{error}");
    let error = error_of("").await;
    assert!(error.contains("closed the connection without a response"), "{error}");
    let error = error_of("HTTP/1.1 200 OK\r\nContent-Le").await;
    assert!(error.contains("closed the connection without a response"), "{error}");
    let error = error_of(response("200 OK", "{\"pools\": 7}")).await;
    assert!(error.contains("kube1.sock/v1/pools: invalid type: integer `7`"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_an_error() {
    let (client, _request, _directory) = serve(response("200 OK", &"a".repeat(100)));
    let error = client.get_raw("/objects", 99).await.unwrap_err().to_string();
    assert!(error.contains("more than 99 octets"), "{error}");
}

/// Time passes at once while the client waits.
#[tokio::test(start_paused = true)]
async fn a_process_that_hangs_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kube1.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let client = Client::new(Place::Socket(path));
    let error = client.get::<PoolList>("/v1/pools").await.unwrap_err().to_string();
    assert!(error.ends_with("the response is not complete after 15 seconds"), "{error}");
}

#[tokio::test]
async fn a_place_without_a_process_is_named() {
    // The socket takes the port, but does not listen.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let free = socket.local_addr().unwrap();
    let client = Client::new(Place::of_url(&format!("http://{free}")).unwrap());
    let error = client.get::<PoolList>("/v1/pools").await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("no response from http://{free}: ")), "{error}");
}

#[tokio::test]
async fn events_arrive_until_the_stream_ends() {
    let stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\
                  event: missed\ndata: 2\n\n: alive\n\nid: 3\ndata: {\"id\":3}\n\n";
    let (client, request, _directory) = serve(stream);
    let mut events = client.events(Some(0)).await.unwrap();
    assert_eq!(events.next().await.unwrap(), Some(StreamItem::Missed(2)));
    assert_eq!(events.next().await.unwrap(), Some(StreamItem::Event("{\"id\":3}".to_owned())));
    assert_eq!(events.next().await.unwrap(), None);
    let request = request.await.unwrap();
    assert!(request.starts_with("GET /v1/events?since=0 "), "{request}");
    assert!(request.contains("accept: text/event-stream\r\n"), "{request}");
}

#[tokio::test]
async fn only_sockets_with_a_process_count() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let _live = UnixListener::bind(path("kube1.sock")).unwrap();
    drop(UnixListener::bind(path("stale.sock")).unwrap());
    std::fs::write(path("file.sock"), "").unwrap();
    let names = ["kube1.sock", "stale.sock", "file.sock", "missing.sock"];
    let sockets = Sockets::of(names.map(path).to_vec()).await;
    assert_eq!(sockets, Sockets { live: vec![path("kube1.sock")], forbidden: Vec::new() });
}

#[test]
fn names_are_escaped_in_paths() {
    assert_eq!(escaped("tor1.example-2_x").to_string(), "tor1.example-2_x");
    assert_eq!(escaped("a/b c?%").to_string(), "a%2Fb%20c%3F%25");
    assert_eq!(escaped("fd00::1").to_string(), "fd00::1");
    assert_eq!(escaped("ü").to_string(), "%C3%BC");
}
