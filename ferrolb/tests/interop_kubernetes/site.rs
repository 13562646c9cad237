//! The hosts of a story, and the programs that run on them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use test_peers::{Host, Lan, Neighbor, Path as RoutePath, Router, RouterConfig, Session};

use crate::cluster::{Cluster, wait};
use crate::programs::{API, NODES, Programs, ROUTER};

pub(crate) const EVERYWHERE: &[&str] = &["kube1", "kube2", "kube3"];
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
    pub(crate) programs: Programs,
    pub(crate) router: Arc<R>,
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
        let on_exit = ["--on-exit", settings.on_exit];
        let programs = Programs::start(cluster, api, hosts, &["a", "b"], &on_exit).await;
        Self { programs, router, settings }
    }

    pub(crate) fn has_bfd(&self) -> bool {
        self.settings.bfd
    }

    /// Waits until the BGPNodeStatus of a node shows this state of BFD with the router.
    pub(crate) async fn expect_bfd(&self, node: &str, state: &str) {
        let api = self.programs.cluster.node_statuses();
        wait(&format!("{node} to say that BFD is {state}"), async || {
            let status = api.get(node).await.map_err(|it| it.to_string())?.data;
            match &status["status"]["sessions"][0]["bfd"] {
                found if found == state => Ok(()),
                _ => Err(status.to_string()),
            }
        })
        .await;
    }

    /// The session with a node, as reported by the router.
    pub(crate) fn session(&self, node: &str) -> Result<Session, String> {
        let (_, address) = NODES.iter().find(|(name, _)| *name == node).expect("a node");
        self.router.session(IpAddr::from(*address))
    }

    /// Waits until the router has exactly these prefixes, each through these nodes.
    pub(crate) async fn expect(&mut self, what: &str, expected: &[(&str, &[&str])]) {
        self.programs.assert_running();
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
        let cluster = self.programs.end().await;
        let left = self.router.prefixes().unwrap();
        if self.settings.on_exit == "drain" {
            assert!(left.is_empty(), "left at the router: {left:?}");
        }
        cluster.end().await;
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
