//! `ferrolb run` and three routers, BIRD or FRR, that monitor it by BFD at the same time.
//!
//! The tests run as root if `FERROLB_TEST_INTEROP=1` (`make interop`).

mod support {
    pub(crate) mod scrape;
    pub(crate) mod three_routers;
}

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use test_peers::{Lan, Process, WrittenBird, WrittenFrr, requested, wait_until};

use support::scrape::{HTTP, metrics, value};
use support::three_routers::{BfdRouter, CONFIG, NODE, Site};

const FERROLB: &str = env!("CARGO_BIN_EXE_ferrolb");
const SOON: Duration = Duration::from_secs(30);
/// The addresses of the routers, in the order of their numbers.
const ROUTERS: [&str; 3] = ["172.22.35.1", "fd22::2", "10.2.0.1"];

#[test]
fn three_birds_use_bfd_with_a_node_which_notices_when_one_is_cut_off() {
    if requested() {
        all_are_watched::<WrittenBird>();
    }
}

#[test]
fn three_frrs_use_bfd_with_a_node_which_notices_when_one_is_cut_off() {
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
        command.args(["--socket", "off"]);
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

    // While a connection comes up, FRR 8.4 may begin BFD again, which a busy machine may take for a failure. So only later
    // flaps count.
    let flaps = || {
        [ROUTERS[0], ROUTERS[2]].map(|router| {
            let metric = format!("ferrolb_bgp_session_flaps_total{{peer=\"{router}:179\"");
            value(&site.node, &metric).expect("the number of flaps")
        })
    };
    let before = flaps();

    // The second router is cut off: a failure that concerns only later sessions must not go unnoticed.
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
    assert_eq!(flaps(), before, "{}", process.output());
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
