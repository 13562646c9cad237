//! The accept loop: hands incoming connections to the registry, and reads nothing from them.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};

use crate::{
    Accepted,
    registry::{Registry, TaskGuard},
};

/// A source of connections: a listening socket, or a stub in a test.
pub(crate) trait Accept {
    /// Waits for the next connection.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>>;
}

impl Accept for TcpListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        Self::poll_accept(self, cx)
    }
}

/// Accepts until `open` changes or its sender is dropped.
pub(crate) async fn run(
    listener: Arc<impl Accept>,
    registry: Arc<Registry>,
    mut open: watch::Receiver<()>,
    task: TaskGuard,
) {
    // The error of the last attempt to accept, which is logged once.
    let mut logged = None;
    loop {
        let accepted = tokio::select! {
            accepted = poll_fn(|cx| listener.poll_accept(cx)) => accepted,
            _ = open.changed() => break,
        };

        match accepted {
            Ok((stream, remote)) => {
                logged = None;
                hand_over(&registry, stream, remote);
            }
            Err(error) if concerns_one_connection(&error) => {
                tracing::debug!(%error, "connection ended before it was accepted");
            }
            Err(error) => {
                // Out of descriptors or memory. The connection stays in the queue, so trying
                // again at once would spin.
                if logged.replace(error.kind()) != Some(error.kind()) {
                    tracing::warn!(%error, "cannot accept connections, trying again soon");
                }
                tokio::select! {
                    () = sleep(PAUSE) => {}
                    _ = open.changed() => break,
                }
            }
        }
    }

    // The port must be free before the task counts as ended.
    drop(listener);
    drop(task);
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

/// Returns true if the error is about the connection that would have been accepted, and not about the listener.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

const PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use test_log_lines::TestLog;
    use tokio::time::{Instant, sleep_until};

    use super::*;

    /// A listener of a process that has no descriptors left.
    struct Exhausted {
        calls: AtomicUsize,
        error: fn() -> io::Error,
    }

    impl Accept for Exhausted {
        fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
            let calls = self.calls.fetch_add(1, Ordering::Relaxed);
            assert!(calls < 1_000, "it spins");
            Poll::Ready(Err((self.error)()))
        }
    }

    async fn calls_in_ten_seconds(error: fn() -> io::Error) -> usize {
        let listener = Arc::new(Exhausted { calls: AtomicUsize::new(0), error });
        let registry = Arc::new(Registry::default());
        let open = watch::Sender::new(());
        let task = registry.count_task();
        let ten_seconds = Instant::now() + Duration::from_secs(10);
        tokio::select! {
            () = run(Arc::clone(&listener), registry, open.subscribe(), task) => {}
            () = sleep_until(ten_seconds) => {}
        }
        listener.calls.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn without_descriptors_it_tries_now_and_then_and_does_not_spin() {
        let (log, _guard) = TestLog::begin();
        let calls = calls_in_ten_seconds(|| io::Error::from_raw_os_error(libc::EMFILE)).await;
        assert!((40..=51).contains(&calls), "{calls}");
        assert_eq!(log.count("cannot accept connections"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_while_it_waits_for_descriptors() {
        let error = || io::Error::from_raw_os_error(libc::ENFILE);
        let listener = Arc::new(Exhausted { calls: AtomicUsize::new(0), error });
        let registry = Arc::new(Registry::default());
        let open = watch::Sender::new(());
        let task = registry.count_task();
        let running = tokio::spawn(run(listener, Arc::clone(&registry), open.subscribe(), task));
        sleep(PAUSE / 2).await;
        let before = Instant::now();
        open.send_replace(());
        running.await.unwrap();
        assert_eq!(before.elapsed(), Duration::ZERO);
        registry.ended().await;
    }

    #[test]
    fn an_aborted_connection_is_no_reason_to_pause() {
        assert!(concerns_one_connection(&io::Error::from_raw_os_error(libc::ECONNABORTED)));
        assert!(!concerns_one_connection(&io::Error::from_raw_os_error(libc::EMFILE)));
        assert!(!concerns_one_connection(&io::Error::from_raw_os_error(libc::ENOBUFS)));
    }
}
