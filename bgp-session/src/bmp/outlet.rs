//! [`Outlet`]: the octets on their way to a station.

use std::io;

use bytes::BytesMut;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::watch,
};

use crate::monitoring::Queue;

use super::Stop;

/// The reason why a stream has ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The station closed the connection, or it failed.
    Closed(io::Error),
    /// The station read so slowly that this number of observations was lost, or more.
    TooSlow(u64),
    /// The stream was closed by a handle, with this text.
    Stopped(String),
    /// The speaker is gone.
    NoSpeaker,
}

/// The octets that a station has yet to get, and the way to it.
pub(super) struct Outlet<'a, W> {
    pub(super) out: BytesMut,
    writer: W,
    queue: &'a Queue,
    stop: watch::Receiver<Stop>,
    /// The number of octets that the system has taken.
    pub(super) octets: u64,
}

/// The number of octets from which on they are sent before more are composed.
const HIGH_WATER: usize = 64 * 1_024;

impl<'a, W: AsyncWrite + Unpin> Outlet<'a, W> {
    pub(super) fn new(writer: W, queue: &'a Queue, stop: watch::Receiver<Stop>) -> Self {
        Self { out: BytesMut::new(), writer, queue, stop, octets: 0 }
    }

    /// Returns true if octets should be sent before more are composed.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= HIGH_WATER
    }

    /// Sends all octets. While the station does not read, this waits until something was lost or the stream is stopped.
    pub(super) async fn flush(&mut self) -> Result<(), Ended> {
        while !self.out.is_empty() {
            let sent = tokio::select! {
                biased;
                stopped = stopped(&mut self.stop) => return Err(Ended::Stopped(stopped)),
                () = self.queue.lost() => return Err(Ended::TooSlow(1)),
                sent = self.writer.write_buf(&mut self.out) => sent.map_err(Ended::Closed)?,
            };
            if sent == 0 {
                return Err(Ended::Closed(io::ErrorKind::WriteZero.into()));
            }
            self.octets += sent as u64;
        }
        Ok(())
    }

    /// Sends all octets and closes the connection. The caller limits the time.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.writer.write_all_buf(&mut self.out).await?;
        self.writer.shutdown().await
    }
}

/// Waits until a stream is stopped, and returns the text for the station.
pub(super) async fn stopped(stop: &mut watch::Receiver<Stop>) -> String {
    match stop.wait_for(|stop| stop.0.is_some()).await {
        Ok(stop) => stop.0.clone().unwrap_or_default(),
        // The handle is gone.
        Err(_) => String::new(),
    }
}
