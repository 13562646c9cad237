//! The times at which a node began and ceased to serve addresses: by what the stand-in commits, or by what `nft monitor`
//! shows of a real kube-proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use test_peers::Host;

/// The changes of each address: a time, and true if the node serves it since then.
#[derive(Debug, Default)]
pub(super) struct CommitLog(Mutex<BTreeMap<Ipv4Addr, Vec<(Instant, bool)>>>);

impl CommitLog {
    /// Notes the addresses that reach a pod since now.
    pub(super) fn note(&self, serving: &BTreeSet<Ipv4Addr>) {
        let now = Instant::now();
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (address, changes) in log.iter_mut() {
            let serves = serving.contains(address);
            if changes.last().is_some_and(|(_, served)| *served != serves) {
                changes.push((now, serves));
            }
        }
        for address in serving {
            log.entry(*address).or_insert_with(|| vec![(now, true)]);
        }
    }

    /// The changes of an address.
    pub(super) fn of(&self, address: Ipv4Addr) -> Vec<(Instant, bool)> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.get(&address).cloned().unwrap_or_default()
    }
}

/// Follows the rules in a host's kernel.
#[derive(Debug)]
pub(super) struct NftMonitor(Child);

impl NftMonitor {
    /// Starts `nft monitor` on a host, which notes the addresses that kube-proxy's maps serve.
    pub(super) fn start(host: &Host, log: Arc<CommitLog>) -> Self {
        let mut command = host.command(Path::new("nft"));
        command.arg("monitor").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("`nft monitor` can be started");

        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            let mut maps = Maps::default();
            for line in output.lines().map_while(Result::ok) {
                if maps.read(&line) {
                    log.note(&maps.serving());
                }
            }
        });
        Self(child)
    }
}

impl Drop for NftMonitor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The addresses in the two maps that decide whether a node serves them.
#[derive(Debug, Default)]
struct Maps {
    services: BTreeSet<Ipv4Addr>,
    without_endpoints: BTreeSet<Ipv4Addr>,
}

impl Maps {
    /// Takes a line of `nft monitor`. Returns true if it is the last one of a transaction.
    fn read(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (verb, map, address) = match words[..] {
            ["#", "new", "generation", ..] => return true,
            [verb, "element", "ip", "kube-proxy", map, "{", address, ..] => (verb, map, address),
            _ => return false,
        };

        let map = match map {
            "service-ips" => &mut self.services,
            "no-endpoint-services" => &mut self.without_endpoints,
            _ => return false,
        };
        let Ok(address) = address.parse() else { return false };
        match verb {
            "add" => drop(map.insert(address)),
            "delete" => drop(map.remove(&address)),
            _ => {}
        }
        false
    }

    fn serving(&self) -> BTreeSet<Ipv4Addr> {
        &self.services - &self.without_endpoints
    }
}
