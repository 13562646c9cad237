//! A connection between a node and a router, in memory: two streams of octets that can stall and break.
//!
//! Owns the octets on their way. `network` decides which links there are and what happens to them.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bgp_session::{Endpoints, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The octets that a direction holds before its writer has to wait, as the buffers of a TCP connection do.
const CAPACITY: usize = 16 << 10;

/// A connection, by which the world stalls or breaks it.
#[derive(Clone, Debug)]
pub(crate) struct Link(Arc<Mutex<LinkState>>);

#[derive(Debug, Default)]
struct LinkState {
    /// What each end has written and the other has not read.
    streams: [Stream; 2],
    is_stalled: bool,
    is_broken: bool,
}

#[derive(Debug, Default)]
struct Stream {
    octets: VecDeque<u8>,
    /// True if the writer has closed its end.
    is_closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Stream {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Link {
    /// Opens a connection. Returns its two ends too: that of the side with the first address, and the other.
    pub(crate) fn open(endpoints: Endpoints) -> (Self, Transport, Transport) {
        let link = Self(Arc::default());
        let other = Endpoints { local: endpoints.remote, remote: endpoints.local };
        let near = Transport::new(link.reader(0), link.writer(0), endpoints);
        let far = Transport::new(link.reader(1), link.writer(1), other);
        (link, near, far)
    }

    fn reader(&self, end: usize) -> Reader {
        Reader { link: self.clone(), end }
    }

    fn writer(&self, end: usize) -> Writer {
        Writer { link: self.clone(), end }
    }

    fn lock(&self) -> MutexGuard<'_, LinkState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets no octet pass until it is called again with `false`.
    pub(crate) fn stall(&self, is_stalled: bool) {
        let mut state = self.lock();
        state.is_stalled = is_stalled;
        state.streams.iter_mut().for_each(Stream::wake);
    }

    /// Breaks the connection: both ends get an error, and what is on its way is lost.
    pub(crate) fn cut(&self) {
        let mut state = self.lock();
        state.is_broken = true;
        state.streams.iter_mut().for_each(Stream::wake);
    }

    /// Returns true if the connection is of no use to either end any more.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.lock();
        state.is_broken || state.streams.iter().all(|stream| stream.is_closed)
    }
}

/// The receiving half of one end.
#[derive(Debug)]
struct Reader {
    link: Link,
    end: usize,
}

/// The sending half of one end.
#[derive(Debug)]
struct Writer {
    link: Link,
    end: usize,
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.link.lock();
        let LinkState { streams, is_stalled, is_broken } = &mut *state;
        let stream = &mut streams[1 - self.end];
        if *is_broken {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if *is_stalled || stream.octets.is_empty() && !stream.is_closed {
            stream.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }

        let count = stream.octets.len().min(buffer.remaining());
        for octet in stream.octets.drain(..count) {
            buffer.put_slice(&[octet]);
        }
        if let Some(writer) = stream.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.link.lock();
        let LinkState { streams, is_broken, .. } = &mut *state;
        let is_gone = streams[1 - self.end].is_closed;
        let stream = &mut streams[self.end];
        if *is_broken || is_gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = CAPACITY.saturating_sub(stream.octets.len());
        if room == 0 {
            stream.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }

        let count = room.min(octets.len());
        stream.octets.extend(&octets[..count]);
        if let Some(reader) = stream.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

impl Writer {
    fn close(&self) {
        let mut state = self.link.lock();
        state.streams[self.end].is_closed = true;
        state.streams.iter_mut().for_each(Stream::wake);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}
