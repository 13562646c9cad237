//! Daemons with a whole configuration by the test, for options that [`crate::RouterConfig`] does not have.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::bird;
use crate::lan::Host;
use crate::process::{Process, new_directory};
use crate::requirements::program;
use crate::vty;
use crate::wait::wait_until;

const STARTUP: Duration = Duration::from_secs(20);

/// BIRD with a configuration written by the test.
#[derive(Debug)]
pub struct WrittenBird {
    _process: Process,
    directory: Arc<TempDir>,
}

impl WrittenBird {
    /// Starts it on a host and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not come up, for example because it cannot parse the configuration.
    #[must_use]
    pub fn start(host: &Host, config: &str) -> Self {
        let directory = new_directory();
        let file = |name: &str| directory.path().join(name);
        let log = file("bird.log");
        let text = format!("log \"{}\" all;\nprotocol device {{}}\n{config}", log.display());
        std::fs::write(file("bird.conf"), text).expect("BIRD's configuration can be written");

        let mut process =
            Process::start_in(Arc::clone(&directory), host, &program("bird"), |command| {
                command.arg("-f").arg("-c").arg(file("bird.conf"));
                command.arg("-s").arg(file("control")).arg("-P").arg(file("pid"));
            });

        wait_until(STARTUP, "BIRD's control socket", || {
            process.assert_running();
            UnixStream::connect(file("control")).map(drop).map_err(|error| error.to_string())
        });
        Self { _process: process, directory }
    }

    /// Sends a command as `birdc` does, and returns the lines of the reply without their numbers.
    ///
    /// # Errors
    ///
    /// If the control socket does not answer.
    pub fn ask(&self, command: &str) -> Result<String, String> {
        bird::ask(&self.directory.path().join("control"), command)
    }
}

/// FRR's `zebra`, `bfdd` and `bgpd` with configurations written by the test.
#[derive(Debug)]
pub struct WrittenFrr {
    // They end in this order: `bgpd` before the daemons that it uses.
    _processes: Vec<Process>,
    directory: Arc<TempDir>,
}

impl WrittenFrr {
    /// Starts all three on a host, each with its configuration, and waits until they answer.
    ///
    /// # Panics
    ///
    /// If one does not come up.
    #[must_use]
    pub fn start(host: &Host, bfdd: &str, bgpd: &str) -> Self {
        let directory = new_directory();
        let mut frr = Self { _processes: Vec::new(), directory };

        frr.write("zebra", "");
        frr.write("bfdd", bfdd);
        frr.write("bgpd", &format!("frr defaults datacenter\n{bgpd}"));
        vty::give_away(frr.directory.path());

        for name in ["zebra", "bfdd", "bgpd"] {
            frr._processes.insert(0, vty::start(&frr.directory, host, name));
        }
        frr
    }

    fn write(&self, daemon: &str, text: &str) {
        let path = self.directory.path();
        let log = path.join(daemon).with_extension("log");
        let text = format!("log file {}\n{text}", log.display());
        std::fs::write(path.join(daemon).with_extension("conf"), text)
            .expect("FRR's configuration can be written");
    }

    /// Runs a command of `vtysh` at one of the daemons, and returns the output.
    ///
    /// # Errors
    ///
    /// If the vty socket does not answer.
    pub fn ask(&self, daemon: &str, command: &str) -> Result<String, String> {
        self.converse(daemon, &[command])
    }

    /// Runs commands, and returns the last answer.
    fn converse(&self, daemon: &str, commands: &[&str]) -> Result<String, String> {
        let mut answers = vty::converse(self.directory.path(), daemon, commands)?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Runs lines of configuration at one of the daemons.
    ///
    /// # Errors
    ///
    /// If the vty socket does not answer.
    pub fn configure(&self, daemon: &str, lines: &[&str]) -> Result<(), String> {
        let all = [&["configure terminal"], lines, &["end"]].concat();
        self.converse(daemon, &all).map(drop)
    }

    /// Runs a command that answers in JSON.
    ///
    /// # Errors
    ///
    /// If there is no answer, or it is not JSON.
    pub fn json(&self, daemon: &str, command: &str) -> Result<Value, String> {
        let reply = self.ask(daemon, command)?;
        serde_json::from_str(&reply).map_err(|error| format!("{command}: {error}: {reply}"))
    }

    /// Returns the first path that `bgpd` shows for a prefix, if it is valid and has that next hop.
    ///
    /// # Errors
    ///
    /// The present paths.
    pub fn path_through(&self, prefix: &str, next_hop: &str) -> Result<Value, String> {
        let family = if prefix.contains(':') { "ipv6" } else { "ipv4" };
        let reply = self.json("bgpd", &format!("show bgp {family} unicast {prefix} json"))?;
        let path = &reply["paths"][0];
        let mut hops = path["nexthops"].as_array().into_iter().flatten();
        let through = hops.any(|hop| hop["ip"] == next_hop);
        if path["valid"] == true && through { Ok(path.clone()) } else { Err(reply.to_string()) }
    }
}
