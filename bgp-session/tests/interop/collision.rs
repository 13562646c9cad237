//! Two connections with one router, kept open in parallel until it has our OPEN on both.

use std::net::SocketAddr;

use bgp_session::{Asn, Connecting, Connector, Endpoints, PeerConfig, Route, Transport};
use test_peers::{Router, RouterConfig, wait_until};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::site::*;

/// RFC 4271 section 6.8 with RFC 6286: the connection that the end with the higher identifier dialled stays.
pub(crate) fn of_two_connections_the_higher_identifiers_stays<R: Router>(site: &Site) {
    for (identifier, ours_stays) in [(ROUTER, true), ("172.22.35.200", false)] {
        site.on(|runtime| {
            runtime.block_on(async {
                let listener = listener();
                let config = RouterConfig::new(identifier, ROUTER_AS).neighbor(node());
                let router: R = site.router(config);
                let accepted = tokio::time::timeout(SOON, listener.accept()).await;
                let (accepted, _) = accepted.expect("the router dials").expect("a connection");
                let (gate, closed) = watch::channel(false);
                let speaker = site.start(speaker().connector(Deaf(closed.clone()))).await;
                let config = PeerConfig::new(address(ROUTER), Asn(ROUTER_AS));
                // No other connection interferes with these two.
                let config = config.connect_retry(SOON * 2).connect_timeout(SOON * 2);
                let mut peer = speaker.add_peer(config).await.unwrap();
                let sent = |count| {
                    let stats = peer.stats();
                    if stats.sent.open == count { Ok(()) } else { Err(format!("{stats:?}")) }
                };
                wait_until(SOON, "our OPEN on the connection that we dialled", || sent(1));
                speaker.accept(deaf(accepted, closed));
                wait_until(SOON, "our OPEN on the router's", || sent(2));
                gate.send_replace(true);

                established(&mut peer).await;
                peer.announce(Route::new(prefix(SMTP))).await.unwrap();
                only_path(&router, SMTP);
                assert_eq!(peer.stats().established_transitions, 1);
                let endpoints = peer.status().endpoints.expect("the ends of the connection");
                let stayed = if ours_stays { endpoints.remote } else { endpoints.local };
                assert_eq!(stayed.port(), 179, "{identifier}: {endpoints:?}");
            });
        });
    }
}

/// Listens on our port 179. The previous listener may live on for a moment in a process that another test is just starting,
/// between its fork and its exec.
fn listener() -> TcpListener {
    let bound = wait_until(SOON, "port 179", || {
        std::net::TcpListener::bind((NODE, 179)).map_err(|error| error.to_string())
    });
    bound.set_nonblocking(true).expect("a listener that does not block");
    TcpListener::from_std(bound).expect("a listener of tokio's")
}

/// Dials, and returns a connection that receives nothing until the gate is open.
struct Deaf(watch::Receiver<bool>);

impl Connector for Deaf {
    fn connect(&self, _: &PeerConfig) -> Connecting {
        let gate = self.0.clone();
        Box::pin(async move {
            let stream = TcpStream::connect(SocketAddr::new(address(ROUTER), 179)).await?;
            Ok(deaf(stream, gate))
        })
    }
}

/// A connection on which nothing arrives before the gate is open.
fn deaf(stream: TcpStream, mut gate: watch::Receiver<bool>) -> Transport {
    let endpoints = Endpoints {
        local: stream.local_addr().expect("an open connection"),
        remote: stream.peer_addr().expect("an open connection"),
    };
    let (mut from_router, writer) = stream.into_split();
    let (reader, mut to_speaker) = tokio::io::simplex(1 << 16);
    tokio::spawn(async move {
        if gate.wait_for(|open| *open).await.is_ok() {
            let _ = tokio::io::copy(&mut from_router, &mut to_speaker).await;
        }
    });
    Transport::new(reader, writer, endpoints)
}
