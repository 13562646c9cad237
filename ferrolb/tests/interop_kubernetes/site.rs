//! The hosts of a story, and the programs that run on them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use test_peers::{Host, Lan, Neighbor, Path as RoutePath, Process, Router, RouterConfig, Session};

use crate::cluster::{Cluster, wait};

const FERROLB: &str = env!("CARGO_BIN_EXE_ferrolb");
const ROUTER: Ipv4Addr = Ipv4Addr::new(172, 22, 35, 1);
const API: Ipv4Addr = Ipv4Addr::new(172, 22, 35, 2);
/// The nodes: names and addresses.
pub(crate) const NODES: [(&str, Ipv4Addr); 3] = [
    ("kube1", Ipv4Addr::new(172, 22, 35, 25)),
    ("kube2", Ipv4Addr::new(172, 22, 35, 26)),
    ("kube3", Ipv4Addr::new(172, 22, 35, 27)),
];
pub(crate) const EVERYWHERE: &[&str] = &["kube1", "kube2", "kube3"];
/// The duration of a Lease without a renewal.
pub(crate) const LEASE: Duration = Duration::from_secs(4);
/// The time limit for the end of a process. A drain has two steps within a second.
const SOON: Duration = Duration::from_secs(30);

/// The settings of the routers and the nodes.
#[derive(Clone, Debug)]
pub(crate) struct SiteConfig {
    /// The router's side of each session.
    pub(crate) neighbor: fn(Neighbor) -> Neighbor,
    /// Further keys of the peer in the configuration, each after a comma.
    pub(crate) peer: &'static str,
    /// The start of the configuration.
    pub(crate) config: &'static str,
    /// The speaker's `--on-exit`: the treatment of its routes when it exits.
    pub(crate) on_exit: &'static str,
    /// True if BFD monitors the nodes.
    pub(crate) bfd: bool,
}

impl Default for SiteConfig {
    /// Plain sessions, and a hold time short enough for a test.
    fn default() -> Self {
        Self {
            neighbor: |neighbor| neighbor,
            peer: ", hold-time: 9s",
            config: "",
            on_exit: "drain",
            bfd: false,
        }
    }
}

/// A cluster with its router.
pub(crate) struct Site<R> {
    // Dropped in this order: the programs that dial end first.
    pub(crate) speakers: BTreeMap<&'static str, Process>,
    pub(crate) controllers: BTreeMap<&'static str, Process>,
    pub(crate) router: Arc<R>,
    pub(crate) cluster: Cluster,
    hosts: BTreeMap<&'static str, Host>,
    api: Host,
    settings: SiteConfig,
}

/// Runs a story with its own hosts, on the host of the API server.
pub(crate) fn run<R: Router>(settings: SiteConfig, story: impl AsyncFnOnce(&mut Site<R>) + Send) {
    let lan = Lan::new();
    let host = |name: &str, address: Ipv4Addr| lan.host(name, &[&format!("{address}/24")]);
    let router = host("router", ROUTER);
    let api = host("api", API);
    let hosts: BTreeMap<_, _> =
        NODES.into_iter().map(|(name, address)| (name, host(name, address))).collect();

    let mut config = RouterConfig::new(&ROUTER.to_string(), 64635);
    for (_, address) in NODES {
        let neighbor = Neighbor::new(&address.to_string(), 64636).passive();
        config = config.neighbor((settings.neighbor)(neighbor));
    }
    let router = Arc::new(R::start(&router, config));

    api.clone().enter(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2).enable_all().build().unwrap().block_on(async {
            let mut site = Site::begin(router, hosts, api, settings).await;
            story(&mut site).await;
            site.end().await;
        });
    });
}

impl<R: Router> Site<R> {
    async fn begin(
        router: Arc<R>,
        hosts: BTreeMap<&'static str, Host>,
        api: Host,
        settings: SiteConfig,
    ) -> Self {
        let SiteConfig { config, peer, .. } = &settings;
        let config = format!(
            "{config}peers:\n- {{my-asn: 64636, peer-asn: 64635, peer-address: {ROUTER}{peer}}}\n\
             address-pools:\n- name: default\n  protocol: bgp\n  addresses: [172.22.35.64/26]\n  \
             allow-health: true\n"
        );

        let cluster = Cluster::at(API.into(), &config).await;
        for (name, address) in NODES {
            cluster.add_node(name, address).await;
        }
        let (speakers, controllers) = (BTreeMap::new(), BTreeMap::new());

        let mut site = Self { speakers, controllers, router, cluster, hosts, api, settings };
        for name in ["a", "b"] {
            site.start_controller(name);
        }
        for (name, _) in NODES {
            site.start_speaker(name);
        }
        site
    }

    pub(crate) fn start_controller(&mut self, name: &'static str) {
        let lease = format!("{}s", LEASE.as_secs());
        let more =
            ["--lease-duration", &lease, "--renew-deadline", "3s", "--retry-period", "200ms"];
        let arguments = self.cluster.arguments("controller", name, &more);
        self.controllers.insert(name, start(&self.api, arguments));
    }

    /// Starts a speaker with the `--on-exit` of the settings.
    pub(crate) fn start_speaker(&mut self, node: &'static str) {
        let on_exit = self.settings.on_exit;
        let more = ["--node-name", node, "--on-exit", on_exit, "--drain-marked", "300ms"];
        let more = [&more[..], &["--drain-withdrawn", "100ms"]].concat();
        let arguments = self.cluster.arguments("speaker", node, &more);
        self.speakers.insert(node, start(&self.hosts[node], arguments));
    }

    /// Kills a node's processes as a power failure would: no peer is notified.
    pub(crate) fn cut_power(&mut self, node: &str) {
        self.unplug(node);
        self.speakers.remove(node).unwrap().kill();
    }

    /// Cuts a node off from both its router and the API server.
    pub(crate) fn unplug(&self, node: &str) {
        self.hosts[node].unplug();
    }

    pub(crate) fn plug(&self, node: &str) {
        self.hosts[node].plug();
    }

    pub(crate) fn has_bfd(&self) -> bool {
        self.settings.bfd
    }

    /// Waits until the BGPNodeStatus of a node shows this state of BFD with the router.
    pub(crate) async fn expect_bfd(&self, node: &str, state: &str) {
        let api = self.cluster.node_statuses();
        wait(&format!("{node} to say that BFD is {state}"), async || {
            let status = api.get(node).await.map_err(|it| it.to_string())?.data;
            match &status["status"]["sessions"][0]["bfd"] {
                found if found == state => Ok(()),
                _ => Err(status.to_string()),
            }
        })
        .await;
    }

    /// Runs work on a node.
    pub(crate) fn on<T: Send>(&self, node: &str, work: impl FnOnce() -> T + Send) -> T {
        self.hosts[node].enter(work)
    }

    /// Ends a speaker as Kubernetes ends a pod.
    pub(crate) async fn terminate_speaker(&mut self, node: &str) {
        terminate(self.speakers.remove(node).unwrap()).await;
    }

    /// The session with a node, as reported by the router.
    pub(crate) fn session(&self, node: &str) -> Result<Session, String> {
        let (_, address) = NODES.iter().find(|(name, _)| *name == node).expect("a node");
        self.router.session(IpAddr::from(*address))
    }

    /// Waits until the router has exactly these prefixes, each through these nodes.
    pub(crate) async fn expect(&mut self, what: &str, expected: &[(&str, &[&str])]) {
        for speaker in self.speakers.values_mut().chain(self.controllers.values_mut()) {
            speaker.assert_running();
        }
        wait(what, async || {
            let mut prefixes = Vec::new();
            for (prefix, nodes) in expected {
                let found = nodes_of(&self.router.paths(prefix)?)?;
                if found != nodes.iter().copied().collect() {
                    return Err(format!("{prefix} through {found:?}"));
                }
                prefixes.push((*prefix).to_owned());
            }
            let held = self.router.prefixes()?;
            if held == prefixes { Ok(()) } else { Err(format!("{held:?}")) }
        })
        .await;
    }

    async fn end(self) {
        for process in self.speakers.into_values().chain(self.controllers.into_values()) {
            terminate(process).await;
        }
        let left = self.router.prefixes().unwrap();
        if self.settings.on_exit == "drain" {
            assert!(left.is_empty(), "left at the router: {left:?}");
        }
        self.cluster.end().await;
    }
}

/// The nodes that these paths lead to.
pub(crate) fn nodes_of(paths: &[RoutePath]) -> Result<BTreeSet<&'static str>, String> {
    let node = |hop: IpAddr| NODES.iter().find(|(_, it)| IpAddr::from(*it) == hop).map(|it| it.0);
    let of = |path: &RoutePath| {
        assert_eq!(path.next_hop, path.from, "a node announces its own address");
        node(path.next_hop).ok_or_else(|| format!("{path:?}"))
    };
    paths.iter().map(of).collect()
}

fn start(host: &Host, arguments: Vec<std::ffi::OsString>) -> Process {
    Process::start(host, Path::new(FERROLB), |command| {
        command.args(arguments).env_remove("RUST_LOG");
    })
}

/// Waits on another thread, because the API server runs on this one.
async fn terminate(mut process: Process) {
    let ended = tokio::task::spawn_blocking(move || {
        process.terminate();
        let status = process.wait(SOON);
        assert!(status.success(), "{status}: {}", process.output());
    });
    ended.await.unwrap();
}
