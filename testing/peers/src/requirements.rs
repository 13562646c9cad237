//! Whether the tests were asked for, and whether this machine can run them.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Once;

/// What must be installed.
const NEEDED: [&str; 11] = [
    "ip", "bird", "bgpd", "zebra", "bfdd", "gobgpd", "gobgp", "exabgp", "openbgpd", "bgpctl",
    "tshark",
];

/// Whether this process has said that it skips.
static SAID: Once = Once::new();

/// Whether interoperability tests were asked for with `FERROLB_TEST_INTEROP=1`.
///
/// Without it the test says so on stderr (with `0`, it does not even say so) and should return.
/// With it, all that the tests need must be there.
///
/// # Panics
///
/// If the tests were asked for and cannot run: not root, or a program is missing.
#[must_use]
pub fn requested() -> bool {
    let wish = std::env::var("FERROLB_TEST_INTEROP").unwrap_or_default();
    if wish == "0" {
        return false;
    }
    if wish.is_empty() {
        // Not `eprintln!`, which the test runner would keep to itself.
        SAID.call_once(|| {
            let _ = writeln!(
                std::io::stderr(),
                "tests against real routers are skipped, for they need root and the routers \
                 installed: `make test` sees to that, or set FERROLB_TEST_INTEROP=1"
            );
        });
        return false;
    }
    assert!(
        rustix::process::geteuid().is_root(),
        "interoperability tests build network namespaces, which needs root: run `make test` as \
         root, or leave FERROLB_TEST_INTEROP unset"
    );
    for name in NEEDED {
        let _ = program(name);
    }
    true
}

/// Where a program is; Debian keeps daemons where only root's `PATH` looks, and FRR's elsewhere.
///
/// FRR's daemon and OpenBGPD's have the same name: here `bgpd` is FRR's and `openbgpd` the other.
pub(crate) fn program(name: &str) -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = match name {
        "bgpd" | "zebra" | "bfdd" => vec!["/usr/lib/frr".into(), "/usr/libexec/frr".into()],
        "openbgpd" => vec!["/usr/sbin".into(), "/usr/local/sbin".into()],
        _ => std::env::split_paths(&paths).chain(["/usr/sbin".into(), "/sbin".into()]).collect(),
    };
    let file = if name == "openbgpd" { "bgpd" } else { name };
    let found =
        directories.into_iter().map(|directory| directory.join(file)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "interoperability tests need the program `{name}`, which is not installed: \
             `make test-deps` installs it (Debian packages bird2, frr, gobgpd, exabgp, openbgpd, \
             tshark and iproute2)"
        )
    })
}
