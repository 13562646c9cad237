//! HTTP: any octets of a client get whole responses or a closed connection, over the real server with a real main loop.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ferrolb_api::{Configuration, ConfigurationState, Program};
use ferrolb_node::actions::Controls;
use ferrolb_node::api::{Identity, Process, answer};
use ferrolb_node::http::{Accept, HttpServer, Paths, next_request};
use ferrolb_node::log::Log;
use ferrolb_node::sessions::Sessions;
use lb_adapter::engine::Engine;
use lb_adapter::manifest::{self, Options, Source};
use lb_adapter::planner::PlannerOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{sleep, timeout};

use crate::input::{Input, is_set};
use crate::memory;

/// The octets that fit into the connection in each direction.
const BUFFER: usize = 4_096;
/// The time after which a connection on which no more is sent has been closed, with some margin. A stream of events is the
/// exception: it lasts as long as it is read.
const CLOSED_BY: Duration = Duration::from_secs(60);

/// The first octet is how the client sends, and over which kind of listener; the rest is what it sends.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let how = input.octet();
    let paths = if is_set(how, 0) { Paths::All } else { Paths::Read };
    let received = memory::run(exchange(paths, how, input.rest()));
    judge(&received);
}

/// Sends octets to a server, and returns all that it answers.
async fn exchange(paths: Paths, how: u8, octets: &[u8]) -> Vec<u8> {
    let identity = Identity::new(Program::Speaker, Some("n1".to_owned()), Log::fixed("info"));
    let (client, stream) = duplex(BUFFER);
    let (server, mut requests) = HttpServer::on(OneStream::new(stream), paths, &identity);
    let mut process = Fixed::new(identity);
    let main_loop = async {
        loop {
            let request = next_request(&mut requests).await;
            answer(&mut process, request).await;
        }
    };

    let received = tokio::select! {
        received = converse(client, how, octets) => received,
        () = main_loop => Vec::new(),
    };
    drop(server);
    received
}

/// Writes in pieces, with pauses if the input says so, and reads until the end of the connection.
async fn converse(client: DuplexStream, how: u8, octets: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(client);
    let piece = if is_set(how, 1) { 7 } else { 1_024 };
    let write = async {
        for piece in octets.chunks(piece) {
            if is_set(how, 2) {
                sleep(Duration::from_millis(900)).await;
            }
            // The server closes a connection whose octets make no sense.
            if writer.write_all(piece).await.is_err() {
                return;
            }
        }
        if is_set(how, 3) {
            let _ = writer.shutdown().await;
        }
    };

    let mut received = Vec::new();
    let read = async {
        let mut buffer = [0; BUFFER];
        while let Ok(length @ 1..) = reader.read(&mut buffer).await {
            received.extend_from_slice(&buffer[..length]);
            assert!(received.len() < 16 << 20, "endless responses");
        }
    };
    let pauses = Duration::from_millis(900) * u32::try_from(octets.len()).unwrap_or(u32::MAX);
    let ended = timeout(CLOSED_BY + pauses, async { tokio::join!(write, read) }).await;
    assert!(ended.is_ok() || carries_events(&received), "the connection stays open");
    received
}

/// Returns true if a stream of events is among the responses.
fn carries_events(received: &[u8]) -> bool {
    let kind = b"content-type: text/event-stream";
    received.windows(kind.len()).any(|octets| octets == kind)
}

/// What was received is a sequence of whole responses, the last of which may be a stream of events.
fn judge(mut received: &[u8]) {
    while !received.is_empty() {
        let end = received.windows(4).position(|octets| octets == b"\r\n\r\n");
        let end = end.expect("a whole head") + 4;
        let (head, rest) = received.split_at(end);
        let head = std::str::from_utf8(head).expect("a head of text").to_ascii_lowercase();
        judge_head(&head);
        if carries_events(head.as_bytes()) {
            return;
        }

        let length = field(&head, "content-length");
        received = match length {
            // The answer to HEAD has no body.
            _ if starts_response(rest) => rest,
            Some(length) => rest.get(length.parse().expect("a length")..).expect("a whole body"),
            None if field(&head, "transfer-encoding") == Some("chunked") => after_chunks(rest),
            None => rest,
        };
        assert!(starts_response(received), "octets that belong to no response: {received:02x?}");
    }
}

fn starts_response(octets: &[u8]) -> bool {
    octets.is_empty() || octets.starts_with(b"HTTP/1.")
}

/// A head has a status line with a status that we mean, and fields.
fn judge_head(head: &str) {
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().unwrap_or_default();
    let (version, rest) = status.split_once(' ').expect("a status line");
    assert!(["http/1.0", "http/1.1"].contains(&version), "{status}");
    let status: u16 = rest.get(..3).expect("a status").parse().expect("a number");
    assert!((100..600).contains(&status) && status != 500, "{head}");
    for line in lines {
        let (name, value) = line.split_once(':').expect("a field");
        assert!(!name.is_empty() && !value.contains(|c: char| c.is_control()), "{line:?}");
    }
}

/// Returns the value of a field of a head in lower case.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.split("\r\n").filter_map(|line| line.split_once(": "));
    fields.filter(|(found, _)| *found == name).map(|(_, value)| value).next()
}

/// Returns what follows the chunks of a body.
fn after_chunks(mut octets: &[u8]) -> &[u8] {
    loop {
        let end = octets.windows(2).position(|end| end == b"\r\n").expect("a chunk");
        let size = std::str::from_utf8(&octets[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a number");
        octets = octets.get(end + 2 + size..).expect("a whole chunk");
        octets = octets.strip_prefix(b"\r\n").expect("the end of a chunk");
        if size == 0 {
            return octets;
        }
    }
}

/// A listener with one connection.
struct OneStream(Mutex<Option<DuplexStream>>);

impl OneStream {
    fn new(stream: DuplexStream) -> Self {
        Self(Mutex::new(Some(stream)))
    }
}

impl Accept for OneStream {
    type Connection = DuplexStream;
    type Stream = DuplexStream;

    async fn accept_connection(&self) -> std::io::Result<DuplexStream> {
        let stream = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match stream {
            Some(stream) => Ok(stream),
            None => std::future::pending().await,
        }
    }

    fn open(
        &self,
        connection: DuplexStream,
    ) -> impl Future<Output = std::io::Result<DuplexStream>> + Send + 'static {
        std::future::ready(Ok(connection))
    }
}

/// A process whose objects are those of the seeds, without a session.
struct Fixed {
    identity: Identity,
    sessions: Sessions,
}

impl Fixed {
    fn new(identity: Identity) -> Self {
        let sessions = Sessions::new(Arc::default(), identity.events().clone());
        Self { identity, sessions }
    }
}

impl Process for Fixed {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn controls(&mut self) -> Controls<'_> {
        Controls { identity: &self.identity, sessions: Some(&mut self.sessions), drain: None }
    }

    fn engine(&self) -> Option<&Engine> {
        Some(engine())
    }

    fn sessions(&self) -> Option<&Sessions> {
        Some(&self.sessions)
    }

    fn configuration(&self) -> Configuration {
        Configuration {
            state: ConfigurationState::Valid,
            source: "seeds".to_owned(),
            loaded_at: None,
            errors: Vec::new(),
        }
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }
}

/// The engine with the objects of the seeds. No request changes it.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let sources = [Source { name: "all.yaml".to_owned(), octets: OBJECTS.into() }];
        let manifests = manifest::parse_with(&Options::default(), "all.yaml", &sources);
        let mut engine = Engine::new(PlannerOptions::default(), None);
        engine.load(manifests.expect("valid objects"));
        engine
    })
}

/// A request of each kind.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let get = |path: &str| format!("\x00GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let post = |path: &str, body: &str| {
        let length = body.len();
        format!("\x01POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let paths = [
        ("live", "/livez"),
        ("ready", "/readyz"),
        ("metrics", "/metrics"),
        ("objects", "/objects"),
        ("page", "/"),
        ("status", "/v1/status"),
        ("peers", "/v1/peers"),
        ("peer", "/v1/peers/tor1"),
        (
            "routes",
            "/v1/peers/tor1/routes?node=n1&prefix=192.0.2.0%2F24&limit=7&from=192.0.2.1/32%231",
        ),
        ("routes-of", "/v1/peers/tor1/routes?service=web/s"),
        ("nodes", "/v1/nodes"),
        ("services", "/v1/services?problems=true&from=web/a&limit=9"),
        ("service", "/v1/services/web/s"),
        ("pools", "/v1/pools"),
        ("pool", "/v1/pools/default?from=198.18.0.3&limit=2"),
        ("bfd", "/v1/bfd"),
        ("events", "/v1/events?since=0"),
        ("birdwatcher", "/protocols/bgp"),
        ("birdwatcher-routes", "/routes/protocol/tor1"),
        ("birdwatcher-status", "/status"),
    ];
    let mut seeds: Vec<_> = paths.map(|(name, path)| (name.to_owned(), get(path))).to_vec();
    seeds.extend([
        ("reset".to_owned(), post("/v1/peers/tor1/reset", "{\"message\":\"why\"}")),
        ("drain".to_owned(), post("/v1/drain", "{}")),
        ("log-level".to_owned(), post("/v1/log-level", "{\"filter\":\"debug\"}")),
        (
            "event-stream".to_owned(),
            get("/v1/events").replacen("Host", "Accept: text/event-stream\r\nHost", 1),
        ),
        ("log".to_owned(), get("/v1/log").replacen('\0', "\x01", 1)),
        ("pipelined".to_owned(), [get("/livez"), get("/readyz")[1..].to_owned()].concat()),
        ("head".to_owned(), get("/v1/status").replacen("GET", "HEAD", 1)),
        ("old".to_owned(), "\x0eGET /v1/pools HTTP/1.0\r\n\r\n".to_owned()),
        ("other-host".to_owned(), get("/v1/status").replacen("localhost", "example.com", 1)),
        (
            "chunked".to_owned(),
            "\x03POST /v1/undrain HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
                .to_owned(),
        ),
    ]);
    seeds.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}

/// The objects that the process knows.
const OBJECTS: &str = "\
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 127.0.0.1}]}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor1, namespace: metallb-system}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: default, namespace: metallb-system}
spec: {addresses: [198.18.0.0/16]}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: all, namespace: metallb-system}
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: web}
spec: {type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s, namespace: web, labels: {kubernetes.io/service-name: s}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1], nodeName: n1, conditions: {ready: true}}]
";
