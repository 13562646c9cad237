//! Manifests that can be changed, and processes that end with the test.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A deadline longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A copy of the reference example that a test can change.
pub(crate) struct Manifests {
    directory: TempDir,
}

impl Manifests {
    pub(crate) fn reference() -> Self {
        let manifests = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(manifests.path()).unwrap();
        for entry in fs::read_dir(reference()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), manifests.path().join(entry.file_name())).unwrap();
        }
        manifests
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("manifests")
    }

    /// A directory with one file of manifests.
    pub(crate) fn of(text: &str) -> Self {
        let manifests = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(manifests.path()).unwrap();
        manifests.write("all.yaml", text);
        manifests
    }

    /// A path beside the manifests.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).unwrap();
    }

    /// Replaces every occurrence of a text in a file, which must contain it.
    pub(crate) fn replace(&self, file: &str, from: &str, to: &str) -> &Self {
        let text = self.read(file);
        assert!(text.contains(from), "{file} has no {from:?}");
        self.write(file, &text.replace(from, to));
        self
    }
}

/// The node kube1 with these addresses, its peer and advertisement with these fields, and an endpoint of the Service
/// `web/shop` on the node. The pool and the Service are left to the test.
pub(crate) fn around_a_shop(addresses: &str, peer: &str, advertisement: &str) -> String {
    format!(
        "apiVersion: v1
kind: Node
metadata: {{name: kube1}}
status: {{addresses: [{addresses}]}}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: rack, namespace: metallb-system}}
spec: {{myASN: 64636, peerASN: 64635, {peer}}}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {{name: all, namespace: metallb-system}}
spec: {{{advertisement}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: shop-x1, namespace: web, labels: {{kubernetes.io/service-name: shop}}}}
addressType: IPv4
ports: [{{port: 443}}]
endpoints: [{{addresses: [10.244.1.9], nodeName: kube1, conditions: {{ready: true}}}}]
"
    )
}

pub(crate) fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/reference")
}

/// The binary, without the environment variables that change its behaviour.
pub(crate) fn ferrolb(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferrolb"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("FERROLB_") || ["NO_COLOR", "RUST_LOG"].contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    // Tests run beside each other, and would find each other's default address and socket. The tests of answers name theirs.
    command.envs([("FERROLB_HTTP", "off"), ("FERROLB_SOCKET", "off")]);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// The output of a command that must succeed.
pub(crate) fn printed(arguments: &[&str]) -> String {
    let output = ferrolb(arguments).output().unwrap();
    if arguments.first() == Some(&"explain") {
        return explained(&output);
    }
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The output of `explain`, whose exit code must be that of its summary.
pub(crate) fn explained(output: &Output) -> String {
    let printed = text(&output.stdout);
    let is_announced = match serde_json::from_str::<Value>(&printed) {
        Ok(document) => document["announced"] == true,
        Err(_) => printed.lines().any(|line| line.starts_with("announced by ")),
    };
    let code = if is_announced { 0 } else { 1 };
    assert_eq!(output.status.code(), Some(code), "{printed}{}", text(&output.stderr));
    assert!(!printed.is_empty(), "{}", text(&output.stderr));
    printed
}

/// Runs `ferrolb lab DIR --port 0` with more arguments to its end.
pub(crate) fn lab(dir: &Path, arguments: &[&str]) -> Output {
    let dir = dir.to_str().unwrap();
    let mut command = ferrolb(&["lab", dir, "--port", "0"]);
    command.args(arguments).output().unwrap()
}

/// The document of a lab that exits successfully.
pub(crate) fn lab_document(dir: &Path, arguments: &[&str]) -> Value {
    let output = lab(dir, &[&["--once", "--output", "json"], arguments].concat());
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// A process that runs until it is ended.
pub(crate) struct Process {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Starts `ferrolb lab DIR --port 0 --follow` with more arguments.
    pub(crate) fn lab(dir: &Path, arguments: &[&str]) -> Self {
        let mut command = ferrolb(&["lab", dir.to_str().unwrap(), "--port", "0", "--follow"]);
        command.args(arguments);
        Self::start(command)
    }

    /// The next matching line of stdout.
    pub(crate) fn line(&self, wanted: impl Fn(&str) -> bool) -> String {
        wait_for(&self.stdout, &wanted, "stdout")
    }

    /// The next matching line of stderr.
    pub(crate) fn error(&self, wanted: impl Fn(&str) -> bool) -> String {
        wait_for(&self.stderr, &wanted, "stderr")
    }

    /// The next document on stdout.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.line(|_| true)).unwrap()
    }

    /// The remaining lines of stdout so far.
    pub(crate) fn rest(&self) -> Vec<String> {
        self.stdout.try_iter().collect()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let kill = format!("kill -s {signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits until the process exits.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the test harness shows it with the failure")]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            for line in self.stderr.try_iter() {
                eprintln!("stderr: {line}");
            }
        }
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn wait_for(lines: &Receiver<String>, wanted: &dyn Fn(&str) -> bool, what: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    let mut passed = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) if wanted(&line) => return line,
            Ok(line) => passed.push(line),
            Err(RecvTimeoutError::Timeout) => panic!("no such line on {what}, only {passed:#?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("{what} ended with {passed:#?}"),
        }
    }
}

/// Repeats a check until it is true.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} does not come to be");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The next hops of a prefix in a document. Empty if the prefix is missing.
pub(crate) fn next_hops(document: &Value, prefix: &str) -> Vec<String> {
    let routes = document["routes"].as_array().unwrap();
    let route = routes.iter().find(|route| route["prefix"] == prefix);
    let hops = route.map(|route| route["next_hops"].as_array().unwrap().clone());
    let hops = hops.unwrap_or_default();
    hops.iter().map(|hop| hop.as_str().unwrap().to_owned()).collect()
}
