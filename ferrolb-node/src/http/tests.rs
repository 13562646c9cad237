use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::*;
use lb_adapter::manifest::Source;

/// More octets than the buffers of two sockets hold.
const LARGE: usize = 16 << 20;

fn quick() -> Limits {
    let [head, lifetime, last] = [150, 400, 150].map(Duration::from_millis);
    Limits { connections: 4, head, lifetime, last }
}

/// A listener whose loop says that it lives, and knows this.
async fn listen(limits: Limits, known: Known) -> Http {
    let address = "127.0.0.1:0".parse().unwrap();
    let (http, mut asked) = Http::listen_with(address, limits).await.unwrap();
    let metrics = "m 1\n".repeat(LARGE / 4);
    tokio::spawn(async move {
        loop {
            match next(&mut asked).await {
                Question::Live(tell) => drop(tell.send(())),
                Question::Ready(tell) => drop(tell.send(Err("not yet".to_owned()))),
                Question::Metrics(tell) => drop(tell.send(metrics.clone())),
                Question::Objects(tell) => drop(tell.send(Ok(known.clone()))),
            }
        }
    });
    http
}

async fn send(http: &Http, octets: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(http.address()).await.unwrap();
    stream.write_all(octets).await.unwrap();
    stream
}

/// All that comes until the connection ends.
async fn hear(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let end = timeout(Duration::from_secs(20), stream.read_to_end(&mut heard)).await;
    // One that is cut off may end with a reset.
    assert!(end.is_ok(), "the connection does not end, after {}", String::from_utf8_lossy(&heard));
    String::from_utf8(heard).unwrap()
}

async fn get(http: &Http, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    hear(&mut send(http, request.as_bytes()).await).await
}

/// The first words of an answer, whose rest is not read.
async fn status(http: &Http, path: &str) -> String {
    let mut stream = send(http, format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await;
    begin(&mut stream).await
}

async fn begin(stream: &mut TcpStream) -> String {
    let mut heard = [0; 12];
    timeout(Duration::from_secs(20), stream.read_exact(&mut heard)).await.unwrap().unwrap();
    String::from_utf8(heard.to_vec()).unwrap()
}

/// Manifests of this number of Namespaces, which are a line each.
fn known(namespaces: usize) -> Known {
    let namespace =
        |nth: usize| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: n{nth}}}\n---\n");
    let octets = (0..namespaces).map(namespace).collect::<String>().into_bytes();
    let sources = vec![Source { name: "namespaces.yaml".to_owned(), octets }];
    Known { sources, ..Known::default() }
}

#[tokio::test]
async fn a_head_that_does_not_come_and_a_connection_without_a_next_request_are_ended() {
    let http =
        listen(Limits { lifetime: Duration::from_secs(60), ..quick() }, Known::default()).await;
    let begin = Instant::now();
    hear(&mut send(&http, b"").await).await;
    hear(&mut send(&http, b"GET /livez HTTP/1.1\r\nX: ").await).await;
    let kept = hear(&mut send(&http, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await).await;
    assert!(kept.ends_with("\r\n\r\nok\n"), "{kept}");
    assert!(begin.elapsed() >= 3 * quick().head, "none before its time");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let http = listen(quick(), Known::default()).await;
    let large = format!("GET /livez HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(60_000));
    let mut stream = TcpStream::connect(http.address()).await.unwrap();
    // It may be refused before it has been sent.
    let _ = stream.write_all(large.as_bytes()).await;
    let mut heard = [0; 12];
    if timeout(Duration::from_secs(20), stream.read_exact(&mut heard)).await.unwrap().is_ok() {
        assert_eq!(&heard, b"HTTP/1.1 431");
    }
}

#[tokio::test]
async fn a_new_connection_takes_the_place_of_the_oldest() {
    let patient = Limits { head: Duration::from_secs(60), ..quick() };
    let http =
        listen(Limits { lifetime: Duration::from_secs(60), ..patient }, Known::default()).await;
    let mut held = Vec::new();
    for _ in 0..quick().connections {
        held.push(send(&http, b"GET /livez HTTP/1.1\r\nX: ").await);
    }
    assert!(get(&http, "/livez").await.ends_with("\r\n\r\nok\n"));
    hear(&mut held[0]).await;
    let still = timeout(Duration::from_millis(50), held[1].read_u8()).await;
    assert!(still.is_err(), "the others stay: {still:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_cut_off_and_others_are_not_kept_from_theirs() {
    let lifetime = Duration::from_secs(3);
    let http = listen(Limits { connections: 100, lifetime, ..quick() }, Known::default()).await;
    let mut unread = Vec::new();
    for _ in 0..SCRAPES {
        let mut stream = send(&http, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(begin(&mut stream).await, "HTTP/1.1 200");
        unread.push(stream);
    }
    assert_eq!(status(&http, "/metrics").await, "HTTP/1.0 503", "every place is taken");
    assert!(get(&http, "/livez").await.ends_with("\r\n\r\nok\n"), "a probe needs no place");

    let free = async {
        while status(&http, "/metrics").await != "HTTP/1.0 200" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), free).await.expect("an end of the answers that are not read");
    let mut heard = Vec::new();
    let end = unread[0].read_to_end(&mut heard);
    let _ = timeout(Duration::from_secs(20), end).await.unwrap();
    assert!(heard.len() < LARGE, "not all of it: {}", heard.len());
}

#[tokio::test]
async fn a_recording_comes_in_pieces_and_says_how_long_it_is() {
    let known = known(3_000);
    let recording = known.recording();
    assert!(recording.len() > 10 * (16 << 10), "many pieces: {}", recording.len());
    let patient = Limits { lifetime: Duration::from_secs(60), ..quick() };
    let http = listen(patient, known).await;
    let answer = get(&http, "/objects").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", recording.len())), "{head}");
    assert_eq!(body, recording);

    let ready = get(&http, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.0 503") && ready.ends_with("not yet\n"), "{ready}");
}
