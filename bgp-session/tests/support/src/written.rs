//! Daemons whose whole configuration the test writes itself, for what a [`crate::RouterConfig`] has no word for.

use std::io::{BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::bird::read_reply;
use crate::frr::exchange;
use crate::lan::Host;
use crate::process::{Process, new_directory};
use crate::requirements::program;
use crate::wait::wait_until;

const STARTUP: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(10);

/// BIRD with a configuration of the test's.
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
    /// If it does not come up, as with a configuration that it doesn't understand.
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

    /// Asks as `birdc` would, and gives the lines of the reply without their numbers.
    ///
    /// # Errors
    ///
    /// If the control socket does not answer.
    pub fn ask(&self, command: &str) -> Result<String, String> {
        let ask = || {
            let mut stream = UnixStream::connect(self.directory.path().join("control"))?;
            stream.set_read_timeout(Some(ANSWER))?;
            let mut lines = BufReader::new(stream.try_clone()?);
            read_reply(&mut lines)?;
            writeln!(stream, "{command}")?;
            read_reply(&mut lines)
        };
        ask().map_err(|error: std::io::Error| format!("BIRD's control socket: {error}"))
    }
}

/// FRR's `zebra`, `bfdd` and `bgpd` with configurations of the test's.
#[derive(Debug)]
pub struct WrittenFrr {
    // Ended in this order: `bgpd` before those that it talks to.
    _processes: Vec<Process>,
    directory: Arc<TempDir>,
}

impl WrittenFrr {
    /// Starts the three on a host, each with its configuration, and waits until all answer.
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
        // Two of them give up being root, and must still find their files.
        let path = frr.directory.path();
        let owned = Command::new("chown").arg("-R").arg("frr:frr").arg(path).status();
        assert!(owned.is_ok_and(|status| status.success()), "the directory can be given to frr");
        for name in ["zebra", "bfdd", "bgpd"] {
            let process = frr.launch(host, name);
            frr._processes.insert(0, process);
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

    fn launch(&self, host: &Host, name: &str) -> Process {
        let path = program("bgpd").with_file_name(name);
        let file = |name: String| self.directory.path().join(name);
        let directory = Arc::clone(&self.directory);
        let mut process = Process::start_in(directory, host, &path, |command| {
            command.args(["-P", "0"]).arg("-f").arg(file(format!("{name}.conf")));
            command.arg("-i").arg(file(format!("{name}.pid")));
            command.arg("-z").arg(file("zserv.api".to_owned()));
            command.arg("--vty_socket").arg(self.directory.path());
            match name {
                "bfdd" => command.arg("--bfdctl").arg(file("bfdd.sock".to_owned())),
                // It keeps the user, and leaves the kernel's routes alone.
                "bgpd" => command.args(["-S", "-n"]),
                _ => command,
            };
        });
        wait_until(STARTUP, &format!("{name}'s vty socket"), || {
            process.assert_running();
            self.ask(name, "show version").map(drop)
        });
        process
    }

    /// Runs a command of `vtysh` at one of the daemons, and gives what it prints.
    ///
    /// # Errors
    ///
    /// If the vty socket does not answer.
    pub fn ask(&self, daemon: &str, command: &str) -> Result<String, String> {
        self.converse(daemon, ["enable", command])
    }

    /// Gives the last answer.
    fn converse<'a>(
        &self,
        daemon: &str,
        commands: impl IntoIterator<Item = &'a str>,
    ) -> Result<String, String> {
        let converse = || {
            let socket = self.directory.path().join(daemon).with_extension("vty");
            let mut stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(ANSWER))?;
            let mut answer = String::new();
            for command in commands {
                answer = exchange(&mut stream, command)?;
            }
            Ok(answer)
        };
        converse().map_err(|error: std::io::Error| format!("{daemon}'s vty socket: {error}"))
    }

    /// Runs lines of configuration at one of the daemons.
    ///
    /// # Errors
    ///
    /// If the vty socket does not answer.
    pub fn configure(&self, daemon: &str, lines: &[&str]) -> Result<(), String> {
        let all = ["enable", "configure terminal"].iter().chain(lines).chain(&["end"]);
        self.converse(daemon, all.copied()).map(drop)
    }

    /// Runs a command whose answer is JSON.
    ///
    /// # Errors
    ///
    /// If there is no such answer.
    pub fn json(&self, daemon: &str, command: &str) -> Result<serde_json::Value, String> {
        let reply = self.ask(daemon, command)?;
        serde_json::from_str(&reply).map_err(|error| format!("{command}: {error}: {reply}"))
    }
}
