//! A controller and a speaker under the filter of deploy/seccomp/ferrolb.json, with BIRD as the router.
//!
//! A thread of the test applies the filter to itself, and starts the program, which inherits it. So nothing but the kernel decides
//! whether the profile is sufficient.

use std::net::Ipv4Addr;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use seccompiler::{BpfProgram, TargetArch, apply_filter, compile_from_json};
use serde_json::{Value, json};
use test_peers::{Host, Lan, WrittenBird};

use crate::cluster::{Cluster, wait};

const PROFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/seccomp/ferrolb.json");
const NODE: Ipv4Addr = Ipv4Addr::new(172, 22, 35, 25);
const PREFIX: &str = "172.22.36.64/32";

/// Translates the profile for seccompiler, which has a form of its own.
fn filter() -> BpfProgram {
    let profile: Value = serde_json::from_str(&std::fs::read_to_string(PROFILE).unwrap()).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    let [rule] = &profile["syscalls"].as_array().unwrap()[..] else { panic!("one rule") };
    assert_eq!(rule["action"], "SCMP_ACT_ALLOW");
    let calls = rule["names"].as_array().unwrap().iter().map(|name| json!({"syscall": name}));
    let calls: Vec<_> = calls.collect();

    let filters = json!({"pod": {"mismatch_action": {"errno": rustix::io::Errno::PERM.raw_os_error()},
        "match_action": "allow", "filter": calls}});
    let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
    compile_from_json(filters.to_string().as_bytes(), arch).unwrap().remove("pod").unwrap()
}

/// A process under the filter, which ends with the test.
struct Confined(Child);

impl Confined {
    fn start(host: &Host, arguments: Vec<std::ffi::OsString>) -> Self {
        let child = host.enter(|| {
            apply_filter(&filter()).unwrap();
            let link = std::env::temp_dir().join("a-link-that-the-filter-forbids");
            let refused = std::os::unix::fs::symlink("nowhere", link).unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);

            let mut command = Command::new(env!("CARGO_BIN_EXE_ferrolb"));
            command.args(arguments).env_remove("RUST_LOG").env("FERROLB_SOCKET", "off");
            command.spawn().unwrap()
        });
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        assert!(status.lines().any(|line| line == "Seccomp:\t2"), "{status}");
        Self(child)
    }

    /// Asks it to end, as Kubernetes ends a pod.
    fn terminate(&self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
    }

    /// Waits until it has ended as it should.
    async fn end(mut self) {
        let begin = Instant::now();
        let status = loop {
            match self.0.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(begin.elapsed() < Duration::from_secs(30), "it does not end"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(status.success(), "{status}");
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A Service from its creation to the end of a drain, with MD5 and BFD.
pub(crate) fn the_profile_is_sufficient() {
    let lan = Lan::new();
    let router = lan.host("router", &["172.22.35.1/24"]);
    let api = lan.host("api", &["172.22.35.2/24"]);
    let node = lan.host("kube1", &[&format!("{NODE}/24")]);
    let bird = WrittenBird::start(
        &router,
        &format!(
            "router id 172.22.35.1;
protocol direct {{ ipv4; }}
protocol bfd {{ interface \"*\" {{ interval 300 ms; multiplier 3; }}; }}
protocol bgp node {{
  local as 64635; neighbor {NODE} as 64636; direct; passive on; password \"secret\"; bfd on;
  ipv4 {{ import all; export none; }};
}}
"
        ),
    );
    let config = "bfd-profiles: [{name: fast}]
peers:
- {my-asn: 64636, peer-asn: 64635, peer-address: 172.22.35.1, password: secret, bfd-profile: fast}
address-pools:\n- {name: default, protocol: bgp, addresses: [172.22.36.64/32]}
";

    let api_address = api.addresses()[0];
    api.enter(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let cluster = Cluster::at(api_address, config).await;
            cluster.add_node("kube1", NODE).await;
            let controller = Confined::start(&api, cluster.arguments("controller", "a", &[]));
            let more = ["--node-name", "kube1", "--drain-marked", "1s", "--drain-withdrawn", "3s"];
            let speaker = Confined::start(&node, cluster.arguments("speaker", "kube1", &more));
            cluster.endpoints("web", &[("kube1", true)]).await;
            cluster.create("web", json!({})).await;

            wait("the route", async || {
                let reply = bird.ask(&format!("show route {PREFIX}"))?;
                if reply.contains("via 172.22.35.25") { Ok(()) } else { Err(reply) }
            })
            .await;
            wait("BFD", async || {
                let reply = bird.ask("show bfd sessions")?;
                let is_up =
                    reply.lines().any(|it| it.contains("172.22.35.25") && it.contains("Up"));
                if is_up { Ok(()) } else { Err(reply) }
            })
            .await;
            speaker.terminate();
            wait("the withdrawal", async || {
                let reply = bird.ask(&format!("show route {PREFIX}"))?;
                if reply.contains("Network not found") { Ok(()) } else { Err(reply) }
            })
            .await;
            // The end of the session would remove the route too, but it comes later.
            let session = bird.ask("show protocols node").unwrap();
            assert!(session.contains("Established"), "{session}");
            speaker.end().await;
            controller.terminate();
            controller.end().await;
            cluster.end().await;
        });
    });
}
