//! Our programs, as processes on this machine.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{Cluster, slice_of};

impl Cluster {
    /// A cluster with this configuration, in the format of MetalLB 0.7.3.
    pub(crate) async fn new(config: &str) -> Self {
        Self::at(std::net::Ipv4Addr::LOCALHOST.into(), config).await
    }

    /// Gives a Service endpoints at loopback addresses. The API rejects these, so only a server of ours can have them.
    pub(crate) fn put_slice(&self, service: &str, endpoints: Vec<Value>) {
        let server = self.server.as_ref().expect("a server of ours");
        let mut slice = slice_of(service, endpoints);
        slice["metadata"]["namespace"] = json!(self.namespace);
        server.put(slice);
    }

    /// Starts one of our programs, with the rights of its service account.
    pub(crate) fn start(&self, program: &str, name: &str, arguments: &[&str]) -> Program {
        Program::spawn(self.arguments(program, name, arguments))
    }

    /// Like [`start`](Self::start), with the log in this file.
    pub(crate) fn start_logged(
        &self,
        program: &str,
        name: &str,
        arguments: &[&str],
        log: &Path,
    ) -> Program {
        let log = File::create(log).unwrap();
        Program::spawn_to(self.arguments(program, name, arguments), log.into())
    }
}

/// A process of one of our programs, which is killed when this is dropped.
pub(crate) struct Program(Child);

impl Program {
    /// Starts `ferrolb` with these arguments.
    pub(crate) fn spawn(arguments: Vec<std::ffi::OsString>) -> Self {
        Self::spawn_to(arguments, Stdio::inherit())
    }

    /// Starts another binary of `ferrolb` with these arguments.
    pub(crate) fn spawn_binary(binary: &Path, arguments: Vec<std::ffi::OsString>) -> Self {
        Self::spawn_command(Command::new(binary), arguments, Stdio::inherit())
    }

    fn spawn_to(arguments: Vec<std::ffi::OsString>, log: Stdio) -> Self {
        Self::spawn_command(Command::new(env!("CARGO_BIN_EXE_ferrolb")), arguments, log)
    }

    fn spawn_command(mut command: Command, arguments: Vec<std::ffi::OsString>, log: Stdio) -> Self {
        command.args(arguments).env_remove("RUST_LOG").stdout(Stdio::null()).stderr(log);
        // The default socket is for the processes of this machine. A test that needs one names it with --socket.
        command.env("FERROLB_SOCKET", "off");
        Self(command.spawn().unwrap())
    }

    /// Kills the process, as a power failure would.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Sends a signal, for example to stop and resume the process.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), signal).unwrap();
    }

    /// Terminates the process as Kubernetes ends a pod, and waits for its exit code, which must be 0.
    pub(crate) async fn terminate(mut self) {
        self.signal(rustix::process::Signal::TERM);
        let begin = Instant::now();
        let status = loop {
            match self.0.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(begin.elapsed() < Duration::from_secs(20), "it does not end"),
            }
            // The API server runs in this thread too, so waiting must not block it.
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(status.success(), "{status}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
