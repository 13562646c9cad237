//! Pipes in the place of TCP: a connector whose dials the test answers.

use std::{io, sync::Arc};

use bgp_session::{
    Accepted, Connecting, Connector, Endpoints, PeerConfig, PeerHandle, Speaker, Transport,
};
use tokio::{
    io::{AsyncReadExt, DuplexStream, duplex, split},
    sync::{mpsc, oneshot},
};

use crate::world::{NODE, ROUTER, routes, table, towards_node};

pub(crate) const AT_ROUTER: &str = "192.0.2.1:179";
pub(crate) const AT_NODE: &str = "192.0.2.7:40000";

/// Hands each attempt to connect to the test.
pub(crate) struct ByHand {
    dials: mpsc::Sender<Dial>,
}

/// An attempt to connect. If it is dropped, the dial hangs.
pub(crate) struct Dial {
    answer: oneshot::Sender<io::Result<Transport>>,
}

impl ByHand {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Dial>) {
        let (dials, receiver) = mpsc::channel(1_000);
        (Self { dials }, receiver)
    }
}

impl Connector for ByHand {
    fn connect(&self, _peer: &PeerConfig) -> Connecting {
        let (answer, outcome) = oneshot::channel();
        self.dials.try_send(Dial { answer }).unwrap();
        Box::pin(async {
            match outcome.await {
                Ok(outcome) => outcome,
                Err(_) => std::future::pending().await,
            }
        })
    }
}

impl Dial {
    /// Connects, and returns the other end of the pipe.
    pub(crate) fn connect(self, capacity: usize) -> DuplexStream {
        let (ours, theirs) = duplex(capacity);
        // The attempt may have been given up.
        let _ = self.answer.send(Ok(transport(ours, AT_NODE, AT_ROUTER)));
        theirs
    }

    pub(crate) fn refuse(self) {
        self.fail(io::ErrorKind::ConnectionRefused.into());
    }

    pub(crate) fn fail(self, error: io::Error) {
        // The attempt may have been given up.
        let _ = self.answer.send(Err(error));
    }
}

pub(crate) fn transport(stream: DuplexStream, local: &str, remote: &str) -> Transport {
    let (reader, writer) = split(stream);
    let endpoints = Endpoints { local: local.parse().unwrap(), remote: remote.parse().unwrap() };
    Transport::new(reader, writer, endpoints)
}

/// A node that dials by hand.
pub(crate) async fn node_by_hand() -> (Speaker, mpsc::Receiver<Dial>) {
    let (connector, dials) = ByHand::new();
    let identifier = bgp_session::BgpIdentifier::new(172, 22, 35, 25);
    let node = Speaker::builder(NODE, identifier).connector(connector).start().await.unwrap();
    (node, dials)
}

/// The node's side of the session; the jitter is the same in every run.
pub(crate) fn towards_pipe() -> PeerConfig {
    let address: std::net::SocketAddr = AT_ROUTER.parse().unwrap();
    PeerConfig::new(address, ROUTER).jitter_seed(7)
}

/// Connects all dials of the node to the router.
pub(crate) fn patch_through(mut dials: mpsc::Receiver<Dial>, router: &Arc<Speaker>) {
    let router = Arc::downgrade(router);
    tokio::spawn(async move {
        while let Some(dial) = dials.recv().await {
            let Some(router) = router.upgrade() else { return };
            let pipe = dial.connect(65_536);
            router.accept(transport(pipe, AT_ROUTER, AT_NODE));
        }
    });
}

/// A router without a socket.
pub(crate) async fn router_without_socket() -> Arc<Speaker> {
    let identifier = bgp_session::BgpIdentifier::new(172, 22, 35, 1);
    Arc::new(Speaker::builder(ROUTER, identifier).start().await.unwrap())
}

/// Both speakers of a session over a pipe, and their handles.
pub(crate) async fn pair() -> (Arc<Speaker>, PeerHandle, Speaker, PeerHandle) {
    let router = router_without_socket().await;
    let at_router = router.add_peer(towards_node("192.0.2.7")).await.unwrap();
    let (node, dials) = node_by_hand().await;
    patch_through(dials, &router);
    let at_node = node.add_peer(towards_pipe()).await.unwrap();
    (router, at_router, node, at_node)
}

#[tokio::test(start_paused = true)]
async fn an_embedder_can_provide_its_own_transport() {
    let (router, _at_router, _node, at_node) = pair().await;
    at_node.set_routes(routes(&["172.22.35.70/32"])).await.unwrap();
    table(&router, "the route", |table| table.len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_from_another_address_is_not_the_peers() {
    let (router, at_router, ..) = pair().await;
    let (ours, theirs) = duplex(100);
    let stranger = transport(ours, AT_ROUTER, "192.0.2.8:40000");
    assert_eq!(router.accept(stranger), Accepted::Stranger);
    drop(theirs);
    let (ours, _theirs) = duplex(100);
    let peer = transport(ours, AT_ROUTER, AT_NODE);
    assert_eq!(router.accept(peer), Accepted::Peer(at_router.id()));
}

#[tokio::test(start_paused = true)]
async fn a_router_that_dials_again_is_not_kept_out_by_the_connection_it_forgot() {
    let router = router_without_socket().await;
    let mut at_router = router.add_peer(towards_node("192.0.2.7")).await.unwrap();
    let dial = || {
        let (ours, theirs) = duplex(65_536);
        router.accept(transport(ours, AT_ROUTER, AT_NODE));
        theirs
    };
    let mut forgotten = dial();
    let mut forgotten_too = dial();
    let mut scripted = crate::scripted::Scripted::new(dial());

    // Only the second connection is refused.
    scripted.shake_hands_as(NODE, 90).await;
    at_router.established().await.unwrap();
    for connection in [&mut forgotten, &mut forgotten_too] {
        let mut heard = Vec::new();
        connection.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard.last_chunk(), Some(&[6, 7]), "Cease / Connection Collision Resolution");
    }
}
