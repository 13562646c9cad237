//! The common part of all daemons: a directory for the files, and a process that a test starts and stops.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::config::{Neighbor, Originated, RouterConfig};
use crate::lan::Host;
use crate::process::{Paused, Process, new_directory};
use crate::vty;
use crate::wait::wait_until;

/// The time in which a daemon must start or end.
const STARTUP: Duration = Duration::from_secs(20);

/// A routing daemon on a host, running or not.
#[derive(Debug)]
pub struct Daemon {
    name: &'static str,
    process: Option<Process>,
    /// The other programs that it needs. They end after it.
    companions: Vec<Process>,
    directory: Arc<TempDir>,
    host: Host,
    pub(crate) config: RouterConfig,
}

impl Daemon {
    pub(crate) fn new(name: &'static str, host: &Host, config: RouterConfig) -> Self {
        let (directory, host) = (new_directory(), host.clone());
        Self { name, process: None, companions: Vec::new(), directory, host, config }
    }

    pub(crate) const fn host(&self) -> &Host {
        &self.host
    }

    /// The daemon's directory, which its runs share.
    pub(crate) const fn directory(&self) -> &Arc<TempDir> {
        &self.directory
    }

    /// The path of a file in the daemon's directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text)
            .unwrap_or_else(|error| panic!("{}: {name} cannot be written: {error}", self.name));
    }

    /// The text of a file in the daemon's directory; empty if there is no such file.
    pub(crate) fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(self.file(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The host's first address of that family.
    pub(crate) fn own_address(&self, ipv6: bool) -> Option<IpAddr> {
        self.host.addresses().iter().copied().find(|address| address.is_ipv6() == ipv6)
    }

    /// The router's end of the session with a neighbour.
    pub(crate) fn local_address(&self, neighbor: &Neighbor) -> IpAddr {
        let own = self.own_address(neighbor.address.is_ipv6());
        own.expect("the host has an address of the neighbour's family")
    }

    /// The next hop that a route is announced with.
    pub(crate) fn next_hop(&self, route: &Originated) -> IpAddr {
        let extended = self.config.neighbors.iter().any(|neighbor| neighbor.extended_next_hop);
        let next_hop = self.own_address(route.is_ipv6() || extended);
        next_hop.expect("the host has an address for the route's next hop")
    }

    /// Panics if the configuration has several paths to a prefix.
    #[track_caller]
    pub(crate) fn refuse_several_paths(&self) {
        let several = self.config.routes.iter().any(|route| route.path_id.is_some());
        assert!(!several, "{} originates one path to a prefix", self.name);
    }

    /// Panics if a neighbour is configured with a feature that this daemon lacks.
    #[track_caller]
    pub(crate) fn refuse(&self, feature: &str, wanted: impl Fn(&Neighbor) -> bool) {
        let wanted = self.config.neighbors.iter().any(wanted);
        assert!(!wanted, "{} has no {feature}", self.name);
    }

    /// Starts another program of FRR's, and waits until it answers.
    #[track_caller]
    pub(crate) fn accompany(&mut self, name: &str) {
        self.companions.push(vty::start(&self.directory, &self.host, name));
    }

    /// Removes a file of the last run that would make the next run look ready at once.
    pub(crate) fn remove(&self, name: &str) {
        let _ = std::fs::remove_file(self.file(name));
    }

    /// Starts the program and waits until `ready` returns `Ok`.
    #[track_caller]
    pub(crate) fn launch(
        &mut self,
        program: &Path,
        prepare: impl FnOnce(&Self, &mut Command),
        ready: impl Fn(&Self) -> Result<(), String>,
    ) {
        let directory = Arc::clone(&self.directory);
        let process = Process::start_in(directory, &self.host, program, |command| {
            prepare(self, command);
        });

        self.process = Some(process);
        wait_until(STARTUP, &format!("{} to come up", self.name), || {
            if let Some(process) = &mut self.process {
                process.assert_running();
            }
            ready(self)
        });
    }

    /// Ends it with a SIGTERM and waits until it has ended.
    #[track_caller]
    pub(crate) fn terminate(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.terminate();
            process.wait(STARTUP);
        }
        self.companions.clear();
    }

    /// The ids of its processes and of the programs that it needs; empty if it does not run.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        self.process.iter().chain(&self.companions).flat_map(Process::process_ids).collect()
    }

    /// Pauses its process until the result is dropped, like a machine that is too busy for it.
    ///
    /// # Panics
    ///
    /// If it does not run.
    #[track_caller]
    pub fn pause(&self) -> Paused<'_> {
        self.process.as_ref().expect("a daemon that runs").pause()
    }

    /// Kills it and all its children.
    pub(crate) fn kill(&mut self) {
        self.process = None;
        self.companions.clear();
    }
}

/// The items of a JSON array; empty for any other value.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A JSON number, if it fits.
pub(crate) fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

/// The numbers in a text, with anything between them.
pub(crate) fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// Parses `1:2` as a community.
pub(crate) fn parse_community(word: &str) -> Option<(u16, u16)> {
    // Most daemons write well-known communities by name, each with its own spelling.
    match word.to_lowercase().replace(['_', '-'], "").as_str() {
        "gracefulshutdown" => return Some((65535, 0)),
        "llgrstale" => return Some((65535, 6)),
        "noexport" => return Some((65535, 65281)),
        "noadvertise" => return Some((65535, 65282)),
        "localas" | "noexportsubconfed" => return Some((65535, 65283)),
        _ => {}
    }
    let (asn, value) = word.split_once(':')?;
    Some((asn.parse().ok()?, value.parse().ok()?))
}

/// Parses `1:2:3` as a large community.
pub(crate) fn parse_large_community(word: &str) -> Option<(u32, u32, u32)> {
    let mut parts = word.split(':').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?))
}

/// Parses `RT:1:2`, `rt 1:2` or `target:1:2` as a route target. Returns `None` for another extended community.
pub(crate) fn parse_route_target(word: &str) -> Option<(u16, u32)> {
    let word = word.to_lowercase();
    let rest = ["rt:", "rt ", "target:"].iter().find_map(|kind| word.strip_prefix(kind))?;
    let (asn, value) = rest.split_once(':')?;
    Some((asn.parse().ok()?, value.parse().ok()?))
}

/// Runs a daemon's own client and returns its output.
pub(crate) fn run_client(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));

    if output.status.success() {
        return Ok(stdout.trim().to_owned());
    }
    let message = format!("{} {}", stdout.trim(), stderr.trim());
    Err(format!("{command:?}: {}: {}", output.status, message.trim()))
}
