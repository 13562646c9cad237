//! [`Streaming`]: whether a connection carries a stream, and when its reader last took something.
//!
//! A stream may live longer than other responses. It must end if its reader stops reading.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The stream of one connection, if it carries one. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Streaming {
    /// The time when the reader last took something.
    read_at: Arc<Mutex<Option<Instant>>>,
    /// The time without events after which a stream sends a comment.
    keep_alive: Duration,
}

impl Streaming {
    /// Returns the state of a connection without a stream.
    pub(super) fn new(keep_alive: Duration) -> Self {
        Self { read_at: Arc::default(), keep_alive }
    }

    /// Notes that the connection carries a stream, for as long as the result lives.
    pub(super) fn open(&self) -> OpenStream {
        *self.lock() = Some(Instant::now());
        OpenStream(self.clone())
    }

    /// Returns the time when the reader of the stream last took something; `None` if there is no stream.
    pub(super) fn read_at(&self) -> Option<Instant> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.read_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that is open. Dropping it ends the special treatment of the connection.
#[derive(Debug)]
pub(super) struct OpenStream(Streaming);

impl OpenStream {
    /// Notes that the reader has taken everything so far.
    pub(super) fn note_read(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    /// Returns the time without events after which the stream sends a comment.
    pub(super) fn keep_alive(&self) -> Duration {
        self.0.keep_alive
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}
