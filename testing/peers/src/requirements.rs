//! The switch for interoperability tests, and the programs that they need.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;

/// The programs that must be installed.
const NEEDED: [&str; 13] = [
    "ip", "nft", "bird", "bgpd", "zebra", "bfdd", "gobgpd", "gobgp", "exabgp", "openbgpd",
    "bgpctl", "tshark", "stayrtr",
];

/// The note on stderr that the tests are skipped, printed once in a process.
static SKIP_NOTE: Once = Once::new();

/// Returns true if interoperability tests are requested with `FERROLB_TEST_INTEROP=1`.
///
/// Without the variable, it prints a note on stderr (with `0`, it prints nothing), and the test should return.
/// With it, everything that the tests need must be installed.
///
/// # Panics
///
/// If the tests are requested and cannot run: not root, or a program is missing.
#[must_use]
pub fn requested() -> bool {
    let request = std::env::var("FERROLB_TEST_INTEROP").unwrap_or_default();
    if request == "0" {
        return false;
    }

    if request.is_empty() {
        // Not `eprintln!`, which the test runner would capture.
        SKIP_NOTE.call_once(|| {
            let _ = writeln!(
                std::io::stderr(),
                "tests against real routers are skipped, because they need root and installed \
                 routers: run `make test`, or set FERROLB_TEST_INTEROP=1"
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

/// The version of a program, if it is installed and prints one.
pub(crate) fn version(name: &str, option: &str) -> Option<String> {
    let output = Command::new(find(name)?).arg(option).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    text.split_whitespace().find(is_version).map(str::to_owned)
}

/// The path of a program, which must be installed.
pub(crate) fn program(name: &str) -> PathBuf {
    find(name).unwrap_or_else(|| {
        panic!(
            "interoperability tests need the program `{name}`, which is not installed: \
             `make test-deps` installs it (Debian packages bird2, frr, gobgpd, exabgp, openbgpd, \
             stayrtr, tshark, iproute2 and nftables)"
        )
    })
}

/// The path of a program, if it is installed. Debian installs daemons where only root's `PATH` looks, and FRR's elsewhere.
///
/// FRR and OpenBGPD both call their daemon `bgpd`. Here `bgpd` is FRR's, and `openbgpd` is OpenBGPD's.
fn find(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = match name {
        "bgpd" | "zebra" | "bfdd" => vec!["/usr/lib/frr".into(), "/usr/libexec/frr".into()],
        "openbgpd" => vec!["/usr/sbin".into(), "/usr/local/sbin".into()],
        _ => std::env::split_paths(&paths).chain(["/usr/sbin".into(), "/sbin".into()]).collect(),
    };

    let file = if name == "openbgpd" { "bgpd" } else { name };
    directories.into_iter().map(|directory| directory.join(file)).find(|path| path.is_file())
}
