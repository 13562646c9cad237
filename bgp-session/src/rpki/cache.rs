//! [`CacheTask`]: drives one [`RtrClient`] over its connection.

use std::{
    future::{Future, pending},
    io,
    sync::Arc,
    time::Duration,
};

use bgp_core::rpki::{RtrClient, RtrFailure, RtrOutput};
use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::watch,
    time::{sleep_until, timeout},
};

use super::{
    RtrCache, RtrStatus,
    validation::{CacheData, Choice},
};
use crate::{Connecting, LogPace, Transport, clock};

/// The task of a cache.
pub(super) struct CacheTask {
    cache: RtrCache,
    /// The place of the cache among the others.
    rank: usize,
    choice: Arc<Choice>,
    client: RtrClient,
    connecting: Option<Connecting>,
    connection: Option<Transport>,
    outbox: BytesMut,
    status: watch::Sender<RtrStatus>,
    log_pace: LogPace,
}

/// The next input of the task.
enum Wake {
    Connected(io::Result<Transport>),
    /// The buffer of the client has grown by this number of octets.
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Deadline,
}

impl CacheTask {
    pub(super) fn new(
        cache: RtrCache,
        rank: usize,
        choice: Arc<Choice>,
    ) -> (Self, watch::Receiver<RtrStatus>) {
        let client = RtrClient::new(clock::now());
        let (status, receiver) = watch::channel(status(&cache, &client));
        let task = Self {
            cache,
            rank,
            choice,
            client,
            connecting: None,
            connection: None,
            outbox: BytesMut::new(),
            status,
            log_pace: LogPace::default(),
        };
        (task, receiver)
    }

    /// Runs until it is aborted.
    pub(super) async fn run(mut self) {
        self.client.handle_timeout(clock::now());
        loop {
            self.perform_outputs().await;
            if let Some(expires) = self.client.expires() {
                self.choice.renew(self.rank, expires);
            }
            self.client.poll_transmit(&mut self.outbox);
            self.status.send_replace(status(&self.cache, &self.client));

            let wake = self.wait().await;
            self.handle(wake);
        }
    }

    async fn perform_outputs(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                RtrOutput::Connect => self.connecting = Some(self.cache.connect()),
                RtrOutput::Close => self.close().await,
                RtrOutput::VrpsChanged => {
                    let vrps = self.client.vrps().cloned();
                    tracing::info!(vrps = vrps.as_ref().map(|it| it.len()), "VRPs changed");
                    let data = vrps.zip(self.client.expires());
                    let data = data.map(|(vrps, expires)| CacheData { vrps, expires });
                    self.choice.store(self.rank, data);
                }
                RtrOutput::Failed(failure) => self.failed(&failure),
                other => tracing::error!(?other, "unknown output of the core"),
            }
        }
    }

    /// Sends the last words to the cache, if it takes them soon, and closes the connection.
    async fn close(&mut self) {
        self.client.poll_transmit(&mut self.outbox);
        self.connecting = None;
        if let Some(mut connection) = self.connection.take() {
            // The cache may be gone, or may not read.
            let _ = timeout(LAST_WORDS, connection.writer.write_all_buf(&mut self.outbox)).await;
        }
        self.outbox.clear();
    }

    fn failed(&mut self, failure: &RtrFailure) {
        if let Some(room) = self.log_pace.take() {
            tracing::warn!(reason = %failure, left_out = room.left_out, "no data from the RPKI cache");
        }
    }

    /// Waits for the next input. May be dropped at any time without loss.
    async fn wait(&mut self) -> Wake {
        let deadline = self.client.poll_timeout();
        let buffer = self.client.read_buffer();
        buffer.reserve(READ_SIZE);
        let (reader, writer) = match &mut self.connection {
            Some(Transport { reader, writer, .. }) => (Some(reader), Some(writer)),
            None => (None, None),
        };
        let writer = writer.filter(|_| !self.outbox.is_empty());

        tokio::select! {
            Some(outcome) = optional(self.connecting.as_mut()) => Wake::Connected(outcome),
            Some(read) = optional(reader.map(|it| it.read_buf(buffer))) => Wake::Read(read),
            Some(wrote) = optional(writer.map(|it| it.write_buf(&mut self.outbox))) => {
                Wake::Wrote(wrote)
            }
            Some(()) = optional(deadline.map(|it| sleep_until(it.into()))) => Wake::Deadline,
            // Without a connection there is always a deadline.
            else => pending().await,
        }
    }

    fn handle(&mut self, wake: Wake) {
        let now = clock::now();
        match wake {
            Wake::Connected(Ok(transport)) => {
                self.connecting = None;
                self.connection = Some(transport);
                self.outbox.clear();
                self.client.connected(now);
            }
            Wake::Connected(Err(error)) => {
                self.connecting = None;
                self.client.disconnected(now, format!("cannot connect: {error}"));
            }
            Wake::Read(Ok(0)) => self.lost("the cache closed the connection".to_owned()),
            Wake::Read(Ok(_)) => self.client.received(now),
            Wake::Read(Err(error)) | Wake::Wrote(Err(error)) => {
                self.lost(format!("the connection failed: {error}"));
            }
            Wake::Wrote(Ok(_)) => {}
            Wake::Deadline => self.client.handle_timeout(now),
        }
    }

    fn lost(&mut self, reason: String) {
        self.connection = None;
        self.client.disconnected(clock::now(), reason);
    }
}

/// Waits for a future, if there is one.
async fn optional<F: Future>(future: Option<F>) -> Option<F::Output> {
    Some(future?.await)
}

fn status(cache: &RtrCache, client: &RtrClient) -> RtrStatus {
    RtrStatus {
        address: cache.address(),
        state: client.state(),
        serial: client.serial(),
        vrps: client.vrps().map_or(0, |vrps| vrps.len()),
        is_used: false,
        last_failure: client.last_failure().cloned(),
    }
}

/// The most octets of one read, some 800 VRPs.
const READ_SIZE: usize = 16 * 1_024;
/// The time that an Error Report may take.
const LAST_WORDS: Duration = Duration::from_secs(1);
