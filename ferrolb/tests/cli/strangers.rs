//! Many clients at the HTTP port of `ferrolb run`, which must not use up the resources of the sessions.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::run::{Router, manifests_for};
use crate::world::{Manifests, Process, ferrolb, wait_until};

/// More clients than fit in the memory limit of the manifests at 60 kB each.
const STRANGERS: usize = 1_300;

/// Starts the process for kube1 with a limit on descriptors. Returns its HTTP address too.
fn start(manifests: &Manifests, descriptors: u32) -> (Process, SocketAddr) {
    let (dir, state) = (manifests.path(), manifests.beside("kube1.json"));
    let [dir, state] = [&dir, &state].map(|path| path.to_str().unwrap());
    let run = ["run", dir, "--node", "kube1", "--state-file", state, "--http", "127.0.0.1:0"];
    let process = Process::start(with_descriptors(&ferrolb(&run), descriptors));
    let line = process.error(|line| line.contains("serving health checks and metrics"));
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    (process, address.parse().unwrap())
}

/// The command with a limit that it cannot raise.
fn with_descriptors(command: &Command, descriptors: u32) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {descriptors}; exec \"$@\""), "sh"]);
    limited.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

fn is_alive(http: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = String::new();
    write!(stream, "GET /livez HTTP/1.0\r\n\r\n").unwrap();
    stream.read_to_string(&mut answer).is_ok() && answer.ends_with("ok\n")
}

/// The peak memory of a process, in kB.
fn resident(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn unfinished_requests_leave_enough_memory_and_descriptors_for_sessions() {
    // This process needs descriptors for the other ends.
    let mut own = getrlimit(Resource::Nofile);
    own.current = own.maximum;
    setrlimit(Resource::Nofile, own).unwrap();

    let router = Router::start();
    let manifests = manifests_for(&router);
    let (process, http) = start(&manifests, 64);
    wait_until("the table", || router.has_all());
    assert!(is_alive(http));
    let before = resident(&process);

    let header = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(60_000));
    let mut held = Vec::new();
    for nth in 0..STRANGERS {
        let mut stream = TcpStream::connect(http).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        // The process may close the connection before the whole request is written.
        let _ = stream.write_all(if nth % 2 == 0 { header.as_bytes() } else { b"GET /" });
        held.push(stream);
    }
    assert!(is_alive(http), "a probe is answered all the same");
    let grown = resident(&process) - before;
    assert!(grown < 8_000, "{STRANGERS} of them took {grown} kB");

    // With all clients connected, a reset session comes back, and files are read.
    router.reset();
    wait_until("the session and the table again", || router.has_all());
    let services = manifests.read("services.yaml");
    manifests.write("services.yaml", &services.replace("name: smtp", "name: smtp2"));
    process.error(|line| line.contains("smtp2"));
    assert!(is_alive(http));
    drop(held);
}
