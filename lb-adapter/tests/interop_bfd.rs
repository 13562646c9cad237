//! `ferrolb run` and three routers that watch it by BFD, BIRD or FRR, at once.
//!
//! They run when `FERROLB_TEST_INTEROP=1`, as root (`make interop`).

#[path = "three_routers/mod.rs"]
mod three_routers;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use test_peers::{Host, Lan, Process, WrittenBird, WrittenFrr, requested, wait_until};

use three_routers::{BfdRouter, CONFIG, NODE, Site};

const FERROLB: &str = env!("CARGO_BIN_EXE_ferrolb");
const SOON: Duration = Duration::from_secs(30);
/// In the order of their numbers.
const ROUTERS: [&str; 3] = ["172.22.35.1", "fd22::2", "10.2.0.1"];
const HTTP: &str = "127.0.0.1:7472";

#[test]
fn three_birds_are_watched_at_once_and_one_that_is_cut_off_is_noticed() {
    if requested() {
        all_are_watched::<WrittenBird>();
    }
}

#[test]
fn three_frrs_are_watched_at_once_and_one_that_is_cut_off_is_noticed() {
    if requested() {
        all_are_watched::<WrittenFrr>();
    }
}

fn all_are_watched<R: BfdRouter>() {
    let site = Site::<R>::on(&Lan::new());
    let files = tempfile::tempdir().expect("a temporary directory");
    fs::write(files.path().join("all.yaml"), objects()).expect("the objects");
    let process = Process::start(&site.node, Path::new(FERROLB), |command| {
        command.arg("run").arg(files.path()).args(["--node", "kube1", "--http", HTTP]);
        command.arg("--state-file").arg(files.path().join(".state"));
    });
    let all_up = || {
        let metrics = metrics(&site.node)?;
        for router in ROUTERS {
            let up = format!("metallb_bfd_session_up{{peer=\"{router}\",vrf=\"default\"}} 1.0");
            if !metrics.lines().any(|line| line == up) {
                return Err(format!("{metrics}\n{}", process.output()));
            }
        }
        site.is_watched()
    };
    wait_until(SOON, "BFD with the three", all_up);
    let sessions = || {
        ROUTERS.map(|router| {
            value(&site.node, &format!("metallb_bgp_session_up{{peer=\"{router}:179\""))
        })
    };
    wait_until(SOON, "the three sessions", || match sessions() {
        up if up.iter().all(|it| it.as_deref() == Ok("1.0")) => Ok(()),
        other => Err(format!("{other:?}")),
    });

    // The second one: the first alone was watched once.
    site.hosts[1].unplug();
    let begin = Instant::now();
    wait_until(SOON, "the end of the second session", || match sessions() {
        [_, Ok(up), _] if up == "0.0" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let silent = begin.elapsed();
    assert!(silent < Duration::from_secs(3), "noticed after {silent:?}");
    site.hosts[1].plug();
    wait_until(SOON, "BFD with the three again", all_up);
    for router in [ROUTERS[0], ROUTERS[2]] {
        let flaps = format!("ferrolb_bgp_session_flaps_total{{peer=\"{router}:179\"");
        assert_eq!(value(&site.node, &flaps).as_deref(), Ok("0"), "{}", process.output());
    }
}

fn metrics(host: &Host) -> Result<String, String> {
    let fetch = || {
        let mut stream = TcpStream::connect(HTTP)?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    host.enter(fetch).map_err(|error: std::io::Error| error.to_string())
}

fn value(host: &Host, name: &str) -> Result<String, String> {
    let metrics = metrics(host)?;
    let line = metrics.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.rsplit(' ').next()).map(str::to_owned).ok_or(metrics)
}

fn objects() -> String {
    let config: String = CONFIG.lines().map(|line| format!("    {line}\n")).collect();
    let addresses = NODE.map(|address| format!("{{type: InternalIP, address: \"{address}\"}}"));
    format!(
        "apiVersion: v1
kind: ConfigMap
metadata: {{name: config, namespace: metallb-system}}
data:
  config: |
{config}---
apiVersion: v1
kind: Node
metadata: {{name: kube1}}
status: {{addresses: [{}]}}
",
        addresses.join(", ")
    )
}
