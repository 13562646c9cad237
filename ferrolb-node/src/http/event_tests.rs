use std::time::Duration;

use ferrolb_api::EventKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::events::NewEvent;
use crate::log::RecentLines;

/// Limits under which a stream gets a comment after 200 ms without events.
const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 4,
    head: Duration::from_millis(150),
    lifetime: Duration::from_millis(300),
    last_response: Duration::from_millis(150),
    unread_stream: Duration::from_millis(600),
};

/// Starts a server whose loop is alive.
async fn listen() -> (HttpServer, EventLog) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let log = EventLog::new();
    let listeners = Listeners {
        tcp: Some(listener),
        socket: None,
        allowed_hosts: Vec::new(),
        protection: Protection::default(),
    };
    let (server, mut requests) =
        HttpServer::serve(listeners, log.clone(), RecentLines::default(), LIMITS);
    tokio::spawn(async move {
        loop {
            if let StatusRequest::Live(reply) = next_request(&mut requests).await {
                let _ = reply.send(());
            }
        }
    });
    (server, log)
}

fn record(log: &EventLog, text: &str) {
    log.record(NewEvent::info(EventKind::Drain, text));
}

async fn request(server: &HttpServer, path: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address().unwrap()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn open_stream(server: &HttpServer, headers: &str) -> TcpStream {
    request(server, "/v1/events", &format!("Accept: text/event-stream\r\n{headers}")).await
}

/// Reads until the text comes, and returns everything.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut received = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&received).contains(text) {
            let mut octets = [0; 4_096];
            let read = stream.read(&mut octets).await.unwrap();
            assert_ne!(read, 0, "it ends without {text:?}");
            received.extend_from_slice(&octets[..read]);
        }
    };
    let in_time = timeout(Duration::from_secs(20), reading).await;
    let received = String::from_utf8(received).unwrap();
    assert!(in_time.is_ok(), "no {text:?} in {received}");
    received
}

#[tokio::test]
async fn a_stream_outlives_other_connections_and_brings_each_event_at_once() {
    let (server, log) = listen().await;
    record(&log, "before");
    let mut stream = open_stream(&server, "").await;
    let head = read_until(&mut stream, "before").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/event-stream") && head.contains("id: 1\ndata: {"));

    let begin = Instant::now();
    for _ in 0..5 {
        read_until(&mut stream, ": keep-alive\n\n").await;
    }
    assert!(begin.elapsed() > 2 * LIMITS.lifetime, "{:?}", begin.elapsed());
    record(&log, "later");
    let event = read_until(&mut stream, "later").await;
    assert!(event.contains("id: 2\ndata: {\"id\":2,"), "{event}");
}

#[tokio::test]
async fn a_client_that_connects_again_gets_what_it_missed() {
    let (server, log) = listen().await;
    for text in ["one", "two", "three"] {
        record(&log, text);
    }
    let mut stream = open_stream(&server, "Last-Event-ID: 2\r\n").await;
    let received = read_until(&mut stream, "three").await;
    assert!(!received.contains("two"), "{received}");

    for _ in 0..EventLog::CAPACITY {
        record(&log, "flood");
    }
    let mut stream = open_stream(&server, "Last-Event-ID: 1\r\n").await;
    let received = read_until(&mut stream, "flood").await;
    assert!(received.contains("event: missed\ndata: 2\n\n"), "{received}");
}

#[tokio::test]
async fn events_are_also_a_page_and_a_wrong_number_is_an_error() {
    let (server, log) = listen().await;
    for text in ["one", "two"] {
        record(&log, text);
    }
    let page =
        read_until(&mut request(&server, "/v1/events?since=1", "").await, "\"missed\":0").await;
    assert!(page.contains("application/json") && page.contains("two"), "{page}");
    assert!(!page.contains("one"), "{page}");

    let wrong = read_until(&mut request(&server, "/v1/events?since=x", "").await, "}").await;
    assert!(wrong.starts_with("HTTP/1.1 400"), "{wrong}");
    assert!(wrong.contains("since=x: expected the number of an event"), "{wrong}");
    let wrong = read_until(&mut open_stream(&server, "Last-Event-ID: x\r\n").await, "}").await;
    assert!(wrong.contains("Last-Event-ID: x: expected the number of an event"), "{wrong}");
}

#[tokio::test]
async fn streams_are_few_and_leave_room_for_health_checks() {
    let (server, log) = listen().await;
    let mut streams = Vec::new();
    for _ in 0..MAX_STREAMS {
        let mut stream = open_stream(&server, "").await;
        read_until(&mut stream, "retry").await;
        streams.push(stream);
    }
    let refused = read_until(&mut open_stream(&server, "").await, "}").await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("too many"), "{refused}");

    // More connections than there may be: none of them replaces a stream.
    for _ in 0..3 * LIMITS.connections {
        let mut live = request(&server, "/livez", "").await;
        read_until(&mut live, "ok\n").await;
    }
    record(&log, "still there");
    for stream in &mut streams {
        read_until(stream, "still there").await;
    }

    streams.pop();
    let free = async {
        loop {
            let mut stream = open_stream(&server, "").await;
            if read_until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 200") {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), free).await.expect("a stream that ended makes room");
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_cut_off() {
    let (server, log) = listen().await;
    let mut stream = open_stream(&server, "").await;
    read_until(&mut stream, "retry").await;

    // More than the buffers of two sockets hold.
    let text = "x".repeat(4_000);
    let flood = async {
        for _ in 0..40 {
            for _ in 0..EventLog::CAPACITY / 8 {
                record(&log, &text);
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    flood.await;
    sleep(2 * LIMITS.unread_stream).await;

    let mut received = Vec::new();
    let end = timeout(Duration::from_secs(20), stream.read_to_end(&mut received)).await;
    assert!(end.is_ok(), "the connection ends: {} octets", received.len());
}
