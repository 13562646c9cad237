//! A client that opens many connections per second, and notes what becomes of each.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use test_peers::Host;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// The time within which a connection must deliver the banner. It is shorter than the first retransmission of a SYN, so
/// one lost packet is one failure.
const PATIENCE: Duration = Duration::from_millis(900);
/// The reason for a failure without any answer.
const TIMEOUT: &str = "timeout";
/// The source ports, used one after the other: a port must not come again while a node remembers it in conntrack.
const PORTS: std::ops::Range<u16> = 2_000..65_000;

/// What became of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It delivered the banner of a pod.
    Served {
        /// The pod's name.
        pod: String,
        /// The pod's node.
        node: String,
        /// The client's address as the pod sees it.
        client: IpAddr,
    },
    /// It failed for this reason.
    Failed(&'static str),
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The time at which it was opened.
    pub opened: Instant,
    /// The time until its end.
    pub took: Duration,
    /// What became of it.
    pub outcome: Outcome,
}

impl Attempt {
    /// Returns true if the client gave up waiting.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.outcome == Outcome::Failed(TIMEOUT)
    }
}

/// A running client.
#[derive(Debug)]
pub struct Client {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Attempt>>>,
}

impl Client {
    /// Starts to open `per_second` connections to `target` from a host, and waits for the first one.
    ///
    /// # Panics
    ///
    /// If the host has no IPv4 address, or no thread can be started.
    #[must_use]
    pub fn start(host: &Host, target: SocketAddr, per_second: u32) -> Self {
        let (host, stop) = (host.clone(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let own = host.addresses().iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        });
        let own = own.expect("the client has an IPv4 address");

        let (began, beginning) = channel();
        let thread = std::thread::spawn(move || {
            host.enter(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(async {
                    let _ = began.send(());
                    open_all(own, target, per_second, &stopped).await
                })
            })
        });
        beginning.recv().expect("the client starts");
        Self { stop, thread: Some(thread) }
    }

    /// Stops opening connections, waits for the last of them, and returns all.
    ///
    /// # Panics
    ///
    /// If the client has.
    #[must_use]
    pub fn stop(mut self) -> Vec<Attempt> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("a client is stopped once");
        thread.join().expect("the client does not panic")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn open_all(
    own: Ipv4Addr,
    target: SocketAddr,
    per_second: u32,
    stop: &AtomicBool,
) -> Vec<Attempt> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut open, mut attempts) = (JoinSet::new(), Vec::new());

    let mut ports = PORTS.cycle();
    while !stop.load(Ordering::Relaxed) {
        tokio::select! {
            _ = ticks.tick() => {
                let port = ports.next().expect("ports without end");
                open.spawn(attempt((own, port).into(), target));
            }
            Some(ended) = open.join_next() => attempts.extend(ended),
        }
    }

    while let Some(ended) = open.join_next().await {
        attempts.extend(ended);
    }
    attempts.sort_by_key(|attempt: &Attempt| attempt.opened);
    attempts
}

async fn attempt(own: SocketAddr, target: SocketAddr) -> Attempt {
    let opened = Instant::now();
    let outcome = match tokio::time::timeout(PATIENCE, banner(own, target)).await {
        Ok(Ok(banner)) => parse(&banner).unwrap_or(Outcome::Failed("half a banner")),
        Ok(Err(error)) => Outcome::Failed(reason(&error)),
        Err(_) => Outcome::Failed(TIMEOUT),
    };
    Attempt { opened, took: opened.elapsed(), outcome }
}

async fn banner(own: SocketAddr, target: SocketAddr) -> std::io::Result<String> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // A reset at the end leaves no socket in TIME_WAIT on either side.
    socket.set_zero_linger()?;
    socket.bind(own)?;

    let mut stream = socket.connect(target).await?;
    let mut banner = Vec::with_capacity(80);
    while !banner.ends_with(b"\n") {
        if stream.read_buf(&mut banner).await? == 0 {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&banner).into_owned())
}

fn parse(banner: &str) -> Option<Outcome> {
    let mut words = banner.strip_suffix('\n')?.split(' ');
    let (pod, node) = (words.next()?.to_owned(), words.next()?.to_owned());
    let client: SocketAddr = words.next()?.parse().ok()?;
    Some(Outcome::Served { pod, node, client: client.ip() })
}

fn reason(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::ConnectionReset => "reset",
        ErrorKind::HostUnreachable => "host unreachable",
        ErrorKind::NetworkUnreachable => "network unreachable",
        ErrorKind::AddrInUse => "the source port is in use",
        _ => "another error",
    }
}
