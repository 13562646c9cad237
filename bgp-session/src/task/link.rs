//! [`Link`]: one connection of a peer as its task holds it, and how it is laid down.
//!
//! Octets only: which ones is the core's business.

use std::{
    future::Future,
    io,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use bgp_core::{Direction, fsm::TransportError};
use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::Transport;

/// An open connection and what waits to be written to it.
pub(super) struct Link {
    transport: Transport,
    /// Composed by the core, not yet taken by the socket.
    pub(super) outbox: BytesMut,
    /// How much room to offer to the next read.
    read_size: usize,
    /// The connection takes nothing any more. What the peer said before may still be there to read,
    /// and the end of the reading will tell that the connection is gone.
    deaf: bool,
}

impl Link {
    pub(super) fn new(transport: Transport) -> Self {
        Self { transport, outbox: BytesMut::new(), read_size: READ_SIZE_FIRST, deaf: false }
    }

    /// Whether the outbox should be filled further: sending is pulled, so that what waits here
    /// is bounded however slow the peer reads.
    pub(super) fn has_room(&self) -> bool {
        !self.deaf && self.outbox.len() < HIGH_WATER
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
                    // The peer has much to say.
                    self.read_size = (self.read_size * 2).min(READ_SIZE_MOST);
                }
                Ok(())
            }
            Err(error) => Err(transport_error(&error)),
        })
    }

    /// Writes once. Pending also when there is nothing to write.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.deaf || self.outbox.is_empty() {
            return Poll::Pending;
        }
        let write = pin!(self.transport.writer.write_buf(&mut self.outbox)).poll(cx);
        write.map(|written| match written {
            Ok(octets) if octets > 0 => {}
            // Neither nothing nor an error is a reason to stop reading, see `deaf`.
            Ok(_) | Err(_) => {
                self.deaf = true;
                self.outbox.clear();
            }
        })
    }

    /// Writes what is left, tells the peer that no more will come, and waits for its end, all within
    /// a bounded time. Closing with unread octets would reset the connection, and the peer's system
    /// would throw away our NOTIFICATION before the peer had read it.
    pub(super) async fn close(mut self) {
        let last_words = async {
            self.transport.writer.write_all_buf(&mut self.outbox).await?;
            self.transport.writer.shutdown().await
        };
        if !matches!(timeout(LAST_WORDS_LIMIT, last_words).await, Ok(Ok(()))) {
            return;
        }
        let mut waste = [0; 4_096];
        let drained =
            async { while self.transport.reader.read(&mut waste).await.is_ok_and(|n| n > 0) {} };
        // Late or not, there is nothing more to do.
        let _ = timeout(DRAIN_LIMIT, drained).await;
    }
}

/// The connections of a peer: at most one of each direction.
#[derive(Default)]
pub(super) struct Links {
    outgoing: Option<Link>,
    incoming: Option<Link>,
}

impl Links {
    pub(super) fn insert(&mut self, direction: Direction, link: Link) {
        *self.slot(direction) = Some(link);
    }

    pub(super) fn remove(&mut self, direction: Direction) -> Option<Link> {
        self.slot(direction).take()
    }

    pub(super) fn get_mut(&mut self, direction: Direction) -> Option<&mut Link> {
        self.slot(direction).as_mut()
    }

    /// What was composed and not yet taken, of both.
    pub(super) fn octets_waiting(&self) -> usize {
        let links = [&self.outgoing, &self.incoming].into_iter().flatten();
        links.map(|link| link.outbox.len()).sum()
    }

    fn slot(&mut self, direction: Direction) -> &mut Option<Link> {
        match direction {
            Direction::Outgoing => &mut self.outgoing,
            Direction::Incoming => &mut self.incoming,
        }
    }
}

/// What the system said, in the core's words.
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
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(1);
const DRAIN_LIMIT: Duration = Duration::from_secs(1);
