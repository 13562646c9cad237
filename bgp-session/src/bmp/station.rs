//! [`StationHandle`]: an embedder's handle on the stream to a station, and the task behind it.

use std::{
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{sleep, timeout},
};
use tracing::Instrument;

use crate::{SpeakerError, clock, listener::Accept, socket, speaker::SpeakerInner};

use super::{
    StationConfig, StationContext, Stop,
    outlet::{Ended, stopped},
    stream::Stream,
};

/// The stream to a monitoring station, from [`Speaker::add_station`](crate::Speaker::add_station). Dropping it ends the stream
/// with a Termination, in the background.
pub struct StationHandle {
    local_addr: Option<SocketAddr>,
    stop: watch::Sender<Stop>,
    status: watch::Receiver<StationStatus>,
}

/// The latest facts about the stream to a station.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StationStatus {
    /// The station's end of the connection, while there is one.
    pub connected: Option<SocketAddr>,
    /// The time when the connection was opened, or when the last one ended.
    pub since: Option<Instant>,
    /// The number of connections so far.
    pub connections: u64,
    /// The number of streams that started over because the station read too slowly.
    pub overruns: u64,
    /// The number of octets sent on connections that have ended.
    pub octets: u64,
    /// The reason why the last connection ended, or could not be opened.
    pub last_error: Option<String>,
}

impl StationHandle {
    /// Starts the task of a station.
    pub(crate) fn start(
        speaker: &SpeakerInner,
        config: StationConfig,
    ) -> Result<Self, SpeakerError> {
        let address = config.address;
        let listener = config.listens.then(|| socket::listening(address)).transpose();
        let listener = listener.map_err(|source| SpeakerError::Listen { address, source })?;
        let local_addr = listener.as_ref().and_then(|listener| listener.local_addr().ok());

        let (stop, receive_stop) = watch::channel(Stop::default());
        let (status, receive_status) = watch::channel(StationStatus::default());
        let context = speaker.station_context(config, receive_stop);
        let task = StationTask { context, listener, next: None, status };
        let span = tracing::info_span!("station", %address);
        tokio::spawn(task.run().instrument(span));
        Ok(Self { local_addr, stop, status: receive_status })
    }

    /// The address that the station connects to, with the port that the system chose if port 0 was requested; `None` if the
    /// speaker connects.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// The latest facts.
    pub fn status(&self) -> StationStatus {
        self.status.borrow().clone()
    }

    /// Waits until the status satisfies `wanted`. It may do so already. Returns `None` if it never will, because the speaker is
    /// gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done loses nothing. The next call sees what this one would have seen.
    pub async fn wait_for(
        &mut self,
        wanted: impl FnMut(&StationStatus) -> bool,
    ) -> Option<StationStatus> {
        self.status.wait_for(wanted).await.ok().map(|status| status.clone())
    }

    /// Ends the stream with a Termination and a text for the station's operator (empty for none), and waits until the connection
    /// is closed: a second at most.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future after the first poll does not keep the stream. It ends in the background.
    pub async fn close(mut self, text: &str) {
        self.stop.send_replace(Stop(Some(text.to_owned())));
        // The task drops its end of the channel last.
        while self.status.changed().await.is_ok() {}
    }
}

impl fmt::Debug for StationHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StationHandle")
            .field("status", &*self.status.borrow())
            .finish_non_exhaustive()
    }
}

/// The task of a station.
struct StationTask<L> {
    context: StationContext,
    listener: Option<L>,
    /// The connection that replaces the one before.
    next: Option<(TcpStream, SocketAddr)>,
    status: watch::Sender<StationStatus>,
}

impl<L: Accept> StationTask<L> {
    async fn run(mut self) {
        let mut closed = self.context.monitoring.closed();
        let mut stop = self.context.stop.clone();
        let mut pause = self.context.config.first_pause;
        loop {
            let opened = tokio::select! {
                _ = stopped(&mut stop) => return,
                _ = closed.wait_for(|closed| *closed) => return,
                opened = self.open() => opened,
            };

            let lasted = match opened {
                Ok((stream, remote)) => {
                    let since = clock::now();
                    match self.serve(stream, remote).await {
                        None => continue,
                        Some(Ended::Stopped(_) | Ended::NoSpeaker) => return,
                        Some(_) => clock::now().saturating_duration_since(since),
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "no connection to the station");
                    report_error(&self.status, &error);
                    Duration::ZERO
                }
            };

            if self.listener.is_some() {
                continue;
            }
            if lasted > pause {
                pause = self.context.config.first_pause;
            }
            tokio::select! {
                _ = stopped(&mut stop) => return,
                _ = closed.wait_for(|closed| *closed) => return,
                () = sleep(pause) => {}
            }
            pause = pause.saturating_mul(2).min(self.context.config.longest_pause);
        }
    }

    /// Waits for the next connection.
    async fn open(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        if let Some(next) = self.next.take() {
            return Ok(next);
        }
        if let Some(listener) = &self.listener {
            return Ok(accept(listener, &self.status).await);
        }
        let address = self.context.config.address;
        let stream = timeout(CONNECT_LIMIT, TcpStream::connect(address))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok((stream, address))
    }

    /// Sends a stream until it ends. Returns `None` if another connection has replaced it.
    async fn serve(&mut self, stream: TcpStream, remote: SocketAddr) -> Option<Ended> {
        // A station that vanishes without a word is noticed even if there is nothing to send.
        let keepalive = TcpKeepalive::new().with_time(IDLE).with_interval(IDLE / 3);
        if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keepalive) {
            tracing::debug!(%error, "no TCP keepalives to the station");
        }
        tracing::info!(%remote, "connected to the station");
        self.status.send_modify(|status| {
            status.connected = Some(remote);
            status.since = Some(clock::now());
            status.connections += 1;
        });

        let context = &self.context;
        let (interest, limit) = (context.config.interest(), context.config.buffer);
        let (observer, sessions) = context.monitoring.observe(interest, limit);
        let (reader, writer) = stream.into_split();
        let mut stream = Stream::new(context, observer.queue(), writer);
        let next = async {
            match &self.listener {
                Some(listener) => accept(listener, &self.status).await,
                None => std::future::pending().await,
            }
        };
        let (ended, next) = tokio::select! {
            ended = stream.run(sessions, reader) => (Some(ended), None),
            next = next => (None, Some(next)),
        };

        let octets = stream.octets();
        self.next = next;
        self.report(ended.as_ref(), octets);
        ended
    }

    /// Reports the end of a connection.
    fn report(&self, ended: Option<&Ended>, octets: u64) {
        let text = match ended {
            None => "the station connected again".to_owned(),
            Some(Ended::Closed(error)) => error.to_string(),
            Some(Ended::TooSlow(_)) => "the station reads too slowly".to_owned(),
            Some(Ended::Stopped(_)) => "the stream was closed".to_owned(),
            Some(Ended::NoSpeaker) => "the speaker has ended".to_owned(),
        };
        match ended {
            Some(Ended::TooSlow(missed)) => {
                tracing::warn!(missed, "the station reads too slowly: the stream starts over");
            }
            _ => tracing::info!(reason = text, "the stream to the station has ended"),
        }

        self.status.send_modify(|status| {
            status.connected = None;
            status.since = Some(clock::now());
            status.overruns += u64::from(matches!(ended, Some(Ended::TooSlow(_))));
            status.octets += octets;
            status.last_error = Some(text);
        });
    }
}

/// Waits for a connection to a listener. Errors go into the status.
async fn accept(
    listener: &impl Accept,
    status: &watch::Sender<StationStatus>,
) -> (TcpStream, SocketAddr) {
    loop {
        match poll_fn(|cx| listener.poll_accept(cx)).await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::debug!(%error, "no connection from the station");
                report_error(status, &error);
                // Such as too many open files. There may be fewer soon.
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

fn report_error(status: &watch::Sender<StationStatus>, error: &io::Error) {
    status.send_modify(|status| status.last_error = Some(error.to_string()));
}

/// The time after which an attempt to connect is given up.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The pause after a connection that could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);
/// The time without octets after which the system looks whether the station is there.
const IDLE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Poll},
    };

    use tokio::net::TcpListener;

    use super::{super::tests::context, *};

    /// A listener of a process that has no descriptors left.
    #[derive(Default)]
    struct Exhausted {
        calls: Arc<AtomicUsize>,
    }

    impl Accept for Exhausted {
        fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
            let calls = self.calls.fetch_add(1, Ordering::Relaxed);
            assert!(calls < 1_000, "it spins");
            Poll::Ready(Err(io::Error::from_raw_os_error(libc::EMFILE)))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_descriptors_a_station_is_accepted_again_now_and_then() {
        let (context, _stop) = context(StationConfig::listen(([192, 0, 2, 7], 11_019).into()));
        let context = Arc::into_inner(context).unwrap();
        let (status, reported) = watch::channel(StationStatus::default());
        let listener = Exhausted::default();
        let calls = Arc::clone(&listener.calls);
        let task = StationTask { context, listener: Some(listener), next: None, status };
        let ended = timeout(Duration::from_secs(10), task.run()).await;

        assert!(ended.is_err());
        let calls = calls.load(Ordering::Relaxed);
        assert!((9..=11).contains(&calls), "{calls}");
        let error = reported.borrow().last_error.clone().unwrap();
        assert!(error.contains("Too many open files"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_absent_station_is_tried_after_any_pause() {
        // Nothing listens on the discard port of this address.
        let config = StationConfig::connect(([127, 0, 15, 100], 9).into());
        let (context, _stop) = context(config.reconnect(Duration::MAX, Duration::MAX));
        let context = Arc::into_inner(context).unwrap();
        let (status, mut reported) = watch::channel(StationStatus::default());
        let task = StationTask::<TcpListener> { context, listener: None, next: None, status };
        let running = tokio::spawn(task.run());
        for _ in 0..3 {
            reported.changed().await.unwrap();
        }
        running.abort();
    }
}
