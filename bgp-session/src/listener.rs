//! The accept loop: connections in, to the registry; nothing is read from them here.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};

use crate::{
    Accepted,
    registry::{Alive, Registry},
};

/// Accepts until `open` changes or its sender is dropped.
pub(crate) async fn run(
    listener: Arc<TcpListener>,
    registry: Arc<Registry>,
    mut open: watch::Receiver<()>,
    alive: Alive,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = open.changed() => break,
        };
        match accepted {
            Ok((stream, remote)) => hand_over(&registry, stream, remote),
            Err(error) if concerns_one_connection(&error) => {
                tracing::debug!(%error, "connection ended before it was accepted");
            }
            Err(error) => {
                // Out of descriptors or memory: the connection stays in the queue, so that trying
                // again at once would spin.
                tracing::warn!(%error, "cannot accept connections, trying again soon");
                tokio::select! {
                    () = sleep(PAUSE) => {}
                    _ = open.changed() => break,
                }
            }
        }
    }
    // The port must be free before the task counts as ended.
    drop(listener);
    drop(alive);
}

fn hand_over(registry: &Registry, stream: TcpStream, remote: SocketAddr) {
    match registry.accept_tcp(stream, remote) {
        Accepted::Peer(peer) => tracing::debug!(%peer, %remote, "accepted a connection"),
        Accepted::Busy(peer) => {
            tracing::debug!(%peer, %remote, "closed a connection: too many are waiting");
        }
        Accepted::Stranger => {
            tracing::debug!(%remote, "closed a connection: no peer has that address");
        }
    }
}

/// Whether the error tells of the connection that would have been accepted, not of the listener.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

const PAUSE: Duration = Duration::from_millis(200);
