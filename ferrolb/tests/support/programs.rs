//! The programs of the reference cluster as processes in network namespaces: controllers on the host of the API server,
//! and a speaker on each node.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use test_peers::{Host, Process};

use crate::cluster::Cluster;

const FERROLB: &str = env!("CARGO_BIN_EXE_ferrolb");
/// The address of the router.
pub(crate) const ROUTER: Ipv4Addr = Ipv4Addr::new(172, 22, 35, 1);
/// The address of the API server and the controllers.
pub(crate) const API: Ipv4Addr = Ipv4Addr::new(172, 22, 35, 2);
/// The nodes: names and addresses.
pub(crate) const NODES: [(&str, Ipv4Addr); 3] = [
    ("kube1", Ipv4Addr::new(172, 22, 35, 25)),
    ("kube2", Ipv4Addr::new(172, 22, 35, 26)),
    ("kube3", Ipv4Addr::new(172, 22, 35, 27)),
];
/// The duration of a Lease without a renewal.
pub(crate) const LEASE: Duration = Duration::from_secs(4);
/// The time limit for the end of a process. A drain has two steps within a second.
const SOON: Duration = Duration::from_secs(30);

/// The running programs, and the cluster that they belong to.
pub(crate) struct Programs {
    // Dropped in this order: the programs that dial end first.
    pub(crate) speakers: BTreeMap<&'static str, Process>,
    pub(crate) controllers: BTreeMap<&'static str, Process>,
    pub(crate) cluster: Cluster,
    hosts: BTreeMap<&'static str, Host>,
    api: Host,
    /// The times of the election. Those of [`Programs::start`] are short.
    pub(crate) election: Vec<String>,
    speaker_arguments: Vec<&'static str>,
}

impl Programs {
    /// Adds the nodes to the cluster, and starts these controllers and a speaker on each node, with these arguments.
    pub(crate) async fn start(
        cluster: Cluster,
        api: Host,
        hosts: BTreeMap<&'static str, Host>,
        controllers: &[&'static str],
        speaker_arguments: &[&'static str],
    ) -> Self {
        for (name, address) in NODES {
            cluster.add_node(name, address).await;
        }
        let (speakers, speaker_arguments) = (BTreeMap::new(), speaker_arguments.to_vec());
        let lease = format!("--lease-duration={}s", LEASE.as_secs());
        let election = [&*lease, "--renew-deadline=3s", "--retry-period=200ms"];
        let election = election.map(str::to_owned).to_vec();
        let mut programs = Self {
            speakers,
            controllers: BTreeMap::new(),
            cluster,
            hosts,
            api,
            election,
            speaker_arguments,
        };

        for name in controllers {
            programs.start_controller(name);
        }
        for (name, _) in NODES {
            programs.start_speaker(name);
        }
        programs
    }

    pub(crate) fn start_controller(&mut self, name: &'static str) {
        let more: Vec<_> = self.election.iter().map(String::as_str).collect();
        let arguments = self.cluster.arguments("controller", name, &more);
        self.controllers.insert(name, start(&self.api, arguments));
    }

    /// Starts a speaker with the arguments of all speakers.
    pub(crate) fn start_speaker(&mut self, node: &'static str) {
        let more = ["--node-name", node, "--drain-marked", "300ms", "--drain-withdrawn", "100ms"];
        let more = [&more[..], &self.speaker_arguments].concat();
        let arguments = self.cluster.arguments("speaker", node, &more);
        self.speakers.insert(node, start(&self.hosts[node], arguments));
    }

    /// Kills a speaker, without a chance to say goodbye.
    pub(crate) fn kill_speaker(&mut self, node: &str) {
        self.speakers.remove(node).expect("a speaker").kill();
    }

    /// Ends a speaker as Kubernetes ends a pod.
    pub(crate) async fn terminate_speaker(&mut self, node: &str) {
        terminate(self.speakers.remove(node).expect("a speaker")).await;
    }

    /// Kills a node's processes as a power failure would: no peer is notified.
    pub(crate) fn cut_power(&mut self, node: &str) {
        self.unplug(node);
        self.kill_speaker(node);
    }

    /// Cuts a node off from both its router and the API server.
    pub(crate) fn unplug(&self, node: &str) {
        self.hosts[node].unplug();
    }

    pub(crate) fn plug(&self, node: &str) {
        self.hosts[node].plug();
    }

    /// Runs work on a node.
    pub(crate) fn on<T: Send>(&self, node: &str, work: impl FnOnce() -> T + Send) -> T {
        self.hosts[node].enter(work)
    }

    /// Fails the test if one of the programs has ended.
    pub(crate) fn assert_running(&mut self) {
        for program in self.speakers.values_mut().chain(self.controllers.values_mut()) {
            program.assert_running();
        }
    }

    /// Ends all programs as Kubernetes ends pods. Returns the cluster without them.
    pub(crate) async fn end(self) -> Cluster {
        for process in self.speakers.into_values().chain(self.controllers.into_values()) {
            terminate(process).await;
        }
        self.cluster
    }
}

fn start(host: &Host, arguments: Vec<OsString>) -> Process {
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
