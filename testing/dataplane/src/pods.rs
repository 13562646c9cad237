//! Pods: small TCP servers with addresses of their own, which tell each client who serves it and what they see of it.
//!
//! All pods of a cluster run on one thread. A pod is a process as far as a client can tell: while it runs it serves,
//! whatever the API server says about it, and when it is killed its port refuses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use test_peers::Host;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// Connections that wait until a pod accepts them.
const BACKLOG: u32 = 1024;

/// The pods of a cluster.
#[derive(Debug)]
pub struct Pods {
    runtime: Option<Runtime>,
    running: BTreeMap<SocketAddr, JoinHandle<()>>,
    /// The times at which pods began and ceased to serve: +1 and -1, with the port that they serve.
    log: Mutex<Vec<(Instant, bool, SocketAddr)>>,
}

impl Pods {
    /// No pod yet.
    ///
    /// # Panics
    ///
    /// If no thread can be started.
    #[must_use]
    pub fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = Some(runtime.expect("a runtime"));
        Self { runtime, running: BTreeMap::new(), log: Mutex::default() }
    }

    /// Starts a pod in the namespace of a node's pods. Its banner is `POD NODE CLIENT`.
    ///
    /// # Panics
    ///
    /// If the address is in use.
    pub fn start(&mut self, host: &Host, node: &str, pod: &str, address: SocketAddr) {
        let runtime = self.runtime.as_ref().expect("a runtime until the end");
        let listener = host.enter(|| {
            let _runtime = runtime.enter();
            listen(address).expect("a pod can listen at its address")
        });

        let greeting = format!("{pod} {node} ");
        let serving = runtime.spawn(async move {
            loop {
                let Ok((mut stream, client)) = listener.accept().await else { continue };
                let banner = format!("{greeting}{client}\n");
                tokio::spawn(async move {
                    let _ = stream.write_all(banner.as_bytes()).await;
                    // The client closes first, so that the server keeps no port in TIME_WAIT.
                    let _ = stream.read(&mut [0]).await;
                });
            }
        });
        self.running.insert(address, serving);
        self.note(true, address);
    }

    /// Kills a pod: its port refuses when this returns.
    ///
    /// # Panics
    ///
    /// If there is no such pod.
    pub fn kill(&mut self, address: SocketAddr) {
        let serving = self.running.remove(&address).expect("a running pod");
        self.note(false, address);
        serving.abort();
        let runtime = self.runtime.as_ref().expect("a runtime until the end");
        let ended = runtime.handle().clone();
        // The listener closes when the task is dropped, on the other thread.
        std::thread::scope(|scope| {
            scope.spawn(|| drop(ended.block_on(serving)));
        });
    }

    fn note(&self, serves: bool, address: SocketAddr) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push((Instant::now(), serves, address));
    }

    /// Returns true if any pod at this port ran at that time.
    #[must_use]
    pub fn any_ran(&self, port: u16, at: Instant) -> bool {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = log.iter().filter(|(time, _, address)| *time <= at && address.port() == port);
        changes.map(|(_, serves, _)| if *serves { 1_i32 } else { -1 }).sum::<i32>() > 0
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Default for Pods {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        // A runtime must not be dropped in an asynchronous context in any other way.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
