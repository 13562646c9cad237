//! kube-proxy on one node, in nftables mode: our stand-in, or a real one in its place.
//!
//! The stand-in follows kube-proxy since 1.34: the same chains and maps, the same choice of endpoints, the same health
//! ports, and above all the same rhythm. A change starts a sync at once if none ran within `minSyncPeriod`; otherwise the
//! sync waits for the end of that period. So the sync that a new Service starts knows neither its address nor its
//! endpoints, and the one that does comes a period later.
//!
//! It must not know FerroLB: it only reads the API server, as kube-proxy does.

mod commits;
mod health;
mod model;
mod nft;
mod real;
mod rules;
mod runner;
mod stand_in;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use test_peers::Host;
use tokio::sync::oneshot;

use commits::{CommitLog, NftMonitor};
use real::RealProxy;
use stand_in::StandInConfig;

/// The default of `nftables.minSyncPeriod`.
pub const MIN_SYNC_PERIOD: Duration = Duration::from_secs(1);

/// The variable with the path of a real kube-proxy.
const REAL: &str = "FERROLB_TEST_KUBE_PROXY";

/// kube-proxy on one node, running or not.
#[derive(Debug)]
pub struct KubeProxy {
    commits: Arc<CommitLog>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    StandIn(StandIn),
    Real { proxy: RealProxy, _monitor: NftMonitor },
}

/// The stand-in, on a thread of its own while it runs.
#[derive(Debug)]
struct StandIn {
    host: Host,
    config: StandInConfig,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl KubeProxy {
    /// Starts it on a node: the program that `FERROLB_TEST_KUBE_PROXY` names, or else the stand-in. `pod_cidr` has the
    /// pods of all nodes.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(host: &Host, address: Ipv4Addr, kubeconfig: PathBuf, pod_cidr: &str) -> Self {
        let commits: Arc<CommitLog> = Arc::default();
        let kind = match std::env::var_os(REAL) {
            Some(program) => Kind::Real {
                _monitor: NftMonitor::start(host, Arc::clone(&commits)),
                proxy: RealProxy::new(program.into(), host, address, &kubeconfig, pod_cidr),
            },
            None => {
                let config = StandInConfig {
                    node: host.name().to_owned(),
                    address,
                    kubeconfig,
                    pod_cidr: pod_cidr.to_owned(),
                    min_sync_period: MIN_SYNC_PERIOD,
                    commits: Arc::clone(&commits),
                    stalled: Arc::default(),
                    rhythm: Arc::default(),
                };
                Kind::StandIn(StandIn { host: host.clone(), config, running: None })
            }
        };

        let mut proxy = Self { commits, kind };
        proxy.start_again();
        proxy
    }

    /// Kills it: its ports refuse, and its rules stay in the kernel.
    ///
    /// # Panics
    ///
    /// If the stand-in has.
    pub fn kill(&mut self) {
        match &mut self.kind {
            Kind::StandIn(proxy) => proxy.kill(),
            Kind::Real { proxy, .. } => proxy.kill(),
        }
    }

    /// Starts it after [`KubeProxy::kill`]. It replaces the rules that it finds.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start_again(&mut self) {
        self.kill();
        match &mut self.kind {
            Kind::StandIn(proxy) => proxy.start(),
            Kind::Real { proxy, .. } => proxy.start(),
        }
    }

    /// Makes it hang until [`KubeProxy::resume`]: it syncs no more. The ports of the stand-in go on answering, as if a call of
    /// the kernel never returned. A real one is stopped, so that its ports accept connections and are silent.
    ///
    /// # Panics
    ///
    /// If a real one cannot be stopped.
    pub fn stall(&self) {
        self.set_stalled(true);
    }

    /// Ends what [`KubeProxy::stall`] began.
    pub fn resume(&self) {
        self.set_stalled(false);
    }

    fn set_stalled(&self, stalled: bool) {
        match &self.kind {
            Kind::StandIn(proxy) => proxy.config.stalled.store(stalled, Ordering::Relaxed),
            Kind::Real { proxy, .. } => proxy.stall(stalled),
        }
    }

    /// Returns true if a change would start a sync at once: none is wanted, and the last one is long enough ago. True if
    /// it does not run.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        match &self.kind {
            Kind::StandIn(proxy) => proxy.running.is_none() || proxy.config.rhythm.is_idle(),
            Kind::Real { proxy, .. } => proxy.is_idle(),
        }
    }

    /// The times at which the node began to serve (true) or ceased to serve an address, by the commits of its rules.
    #[must_use]
    pub fn served(&self, address: Ipv4Addr) -> Vec<(Instant, bool)> {
        self.commits.of(address)
    }
}

impl StandIn {
    fn start(&mut self) {
        self.config.stalled.store(false, Ordering::Relaxed);
        let (host, config) = (self.host.clone(), self.config.clone());
        let (stop, stopped) = oneshot::channel::<()>();

        let work = move || {
            host.enter(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(async {
                    tokio::select! {
                        () = stand_in::run(config) => {}
                        _ = stopped => {}
                    }
                });
            });
        };
        self.running = Some((stop, std::thread::spawn(work)));
    }

    fn kill(&mut self) {
        let Some((stop, thread)) = self.running.take() else { return };
        drop(stop);
        thread.join().expect("the stand-in for kube-proxy ends");
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // Not `kill`: if the test is already unwinding, a second panic would abort it.
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}
