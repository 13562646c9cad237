//! A real kube-proxy as a process on a node, in the place of the stand-in.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_peers::{Host, Process};

use super::MIN_SYNC_PERIOD;

/// After this time without a sync, none is waiting for the end of `minSyncPeriod`.
const IDLE: SignedDuration = SignedDuration::from_millis(1200);

/// A kube-proxy that runs or not.
#[derive(Debug)]
pub(super) struct RealProxy {
    program: PathBuf,
    host: Host,
    address: Ipv4Addr,
    directory: TempDir,
    process: Option<Process>,
}

impl RealProxy {
    /// Prepares this program for a node. It does not run yet.
    pub(super) fn new(
        program: PathBuf,
        host: &Host,
        address: Ipv4Addr,
        kubeconfig: &Path,
        pod_cidr: &str,
    ) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let period = format!("{}ms", MIN_SYNC_PERIOD.as_millis());
        // The API server of the tests speaks JSON. A namespace may not change the limits of conntrack.
        let config = json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "hostnameOverride": host.name(),
            "mode": "nftables",
            "clusterCIDR": pod_cidr,
            "clientConnection": {"kubeconfig": kubeconfig, "contentType": "application/json"},
            "healthzBindAddress": "0.0.0.0:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "conntrack": {"maxPerCore": 0, "min": 0},
            "nftables": {"minSyncPeriod": period, "syncPeriod": "30s"},
        });

        let file = directory.path().join("config.yaml");
        std::fs::write(file, config.to_string()).expect("a configuration can be written");
        Self { program, host: host.clone(), address, directory, process: None }
    }

    pub(super) fn start(&mut self) {
        let file = self.directory.path().join("config.yaml");
        let process = Process::start(&self.host, &self.program, |command| {
            command.arg("--config").arg(file);
        });
        self.process = Some(process);
    }

    pub(super) fn kill(&mut self) {
        self.process = None;
    }

    pub(super) fn stall(&self, stall: bool) {
        let Some(process) = &self.process else { return };
        if stall {
            process.suspend();
        } else {
            process.resume();
        }
    }

    /// Returns true if a change would start a sync at once, or if it does not run.
    pub(super) fn is_idle(&self) -> bool {
        if self.process.is_none() {
            return true;
        }
        let last_sync = self.last_sync();
        last_sync.is_some_and(|at| Timestamp::now().duration_since(at) > IDLE)
    }

    fn last_sync(&self) -> Option<Timestamp> {
        let answer = self.host.enter(|| healthz(self.address)).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        let body: Value = serde_json::from_str(body).ok()?;
        body["status"]["IPv4"]["lastUpdated"].as_str()?.parse().ok()
    }
}

fn healthz(address: Ipv4Addr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((address, 10256))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
