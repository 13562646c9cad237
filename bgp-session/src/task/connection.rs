//! [`Connection`]: one connection of a peer, with its outbox, and its orderly end.
//!
//! It moves octets. The core composes and reads them.

use std::{
    future::Future,
    io,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use bgp_core::{Direction, fsm::TransportError, peer::Endpoints};
use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::Transport;

/// An open connection and the octets that wait to be written to it.
pub(super) struct Connection {
    transport: Transport,
    /// Octets that the core has composed and the socket has not yet taken.
    pub(super) outbox: BytesMut,
    /// The number of octets that the socket has taken.
    taken: u64,
    /// The room to offer to the next read, in octets.
    read_size: usize,
    /// True if the connection takes no more octets. Octets that the peer sent before may still be unread,
    /// and the end of the stream will show that the connection is gone.
    write_closed: bool,
}

impl Connection {
    pub(super) fn new(transport: Transport) -> Self {
        let (outbox, read_size) = (BytesMut::new(), READ_SIZE_FIRST);
        Self { transport, outbox, taken: 0, read_size, write_closed: false }
    }

    /// Returns true if the outbox should be filled further. Its size is bounded, however slowly the peer reads.
    pub(super) fn has_room(&self) -> bool {
        !self.write_closed && self.outbox.len() < HIGH_WATER
    }

    /// The number of octets that the socket has taken, or `None` if it takes no more.
    pub(super) fn octets_taken(&self) -> Option<u64> {
        if self.write_closed { None } else { Some(self.taken) }
    }

    pub(super) fn endpoints(&self) -> Endpoints {
        self.transport.endpoints()
    }

    /// Reads once, straight into the core's buffer. Nothing is lost when this is not polled again.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<Result<(), TransportError>> {
        if buffer.capacity() - buffer.len() < self.read_size / 2 {
            buffer.reserve(self.read_size);
        }
        let room = buffer.capacity() - buffer.len();

        let read = pin!(self.transport.reader.read_buf(buffer)).poll(cx);
        read.map(|read| match read {
            Ok(0) => Err(TransportError::ClosedByPeer),
            Ok(octets) => {
                if octets >= room {
                    // The peer has more to send.
                    self.read_size = (self.read_size * 2).min(READ_SIZE_MOST);
                }
                Ok(())
            }
            Err(error) => Err(transport_error(&error)),
        })
    }

    /// Writes once. Pending also when there is nothing to write.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.write_closed || self.outbox.is_empty() {
            return Poll::Pending;
        }

        let write = pin!(self.transport.writer.write_buf(&mut self.outbox)).poll(cx);
        write.map(|written| match written {
            Ok(octets) if octets > 0 => {
                self.taken = self.taken.saturating_add(u64::try_from(octets).unwrap_or(u64::MAX));
            }
            // There may still be something to read, see `write_closed`.
            Ok(_) | Err(_) => {
                self.write_closed = true;
                self.outbox.clear();
            }
        })
    }

    /// Writes what is left within a bounded time, closes our direction, and waits up to `limit` for the peer to close its
    /// own. Closing with unread octets would reset the connection, and the peer's system would throw away our NOTIFICATION
    /// before the peer had read it.
    pub(super) async fn close(mut self, limit: Duration) {
        let last_octets = async {
            self.transport.writer.write_all_buf(&mut self.outbox).await?;
            self.transport.writer.shutdown().await
        };
        if !matches!(timeout(WRITE_LIMIT, last_octets).await, Ok(Ok(()))) {
            return;
        }

        let mut ignored = [0; 4_096];
        let end_of_stream =
            async { while self.transport.reader.read(&mut ignored).await.is_ok_and(|n| n > 0) {} };
        // Late or not, there is nothing more to do.
        let _ = timeout(limit, end_of_stream).await;
    }
}

/// The connections of a peer: at most one of each direction.
#[derive(Default)]
pub(super) struct Connections {
    outgoing: Option<Connection>,
    incoming: Option<Connection>,
}

impl Connections {
    pub(super) fn insert(&mut self, direction: Direction, connection: Connection) {
        *self.slot(direction) = Some(connection);
    }

    pub(super) fn remove(&mut self, direction: Direction) -> Option<Connection> {
        self.slot(direction).take()
    }

    pub(super) fn get_mut(&mut self, direction: Direction) -> Option<&mut Connection> {
        self.slot(direction).as_mut()
    }

    /// The ends of the only connection, or of the one that we opened.
    pub(super) fn any_endpoints(&self) -> Option<Endpoints> {
        self.outgoing.as_ref().or(self.incoming.as_ref()).map(Connection::endpoints)
    }

    /// The number of octets in the outboxes of both.
    pub(super) fn octets_waiting(&self) -> usize {
        let connections = [&self.outgoing, &self.incoming].into_iter().flatten();
        connections.map(|connection| connection.outbox.len()).sum()
    }

    /// Removes and returns all of them.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Connection> + use<> {
        [self.outgoing.take(), self.incoming.take()].into_iter().flatten()
    }

    fn slot(&mut self, direction: Direction) -> &mut Option<Connection> {
        match direction {
            Direction::Outgoing => &mut self.outgoing,
            Direction::Incoming => &mut self.incoming,
        }
    }
}

/// Translates the system's error into the core's.
pub(super) fn transport_error(error: &io::Error) -> TransportError {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => TransportError::Refused,
        Kind::TimedOut => TransportError::TimedOut,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => {
            TransportError::Unreachable
        }
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => TransportError::Reset,
        Kind::UnexpectedEof => TransportError::ClosedByPeer,
        _ => TransportError::Other(error.to_string()),
    }
}

const HIGH_WATER: usize = 64 * 1_024;
const READ_SIZE_FIRST: usize = 4 * 1_024;
const READ_SIZE_MOST: usize = 64 * 1_024;
const WRITE_LIMIT: Duration = Duration::from_secs(1);
