//! What Cargo puts into the package of each library.

use std::{fs, path::Path, process::Command};

/// The files of a package, as Cargo lists them.
fn files(package: &str) -> Vec<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["package", "--list", "--allow-dirty", "--offline", "--package", package]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_package_has_its_page_licences_and_examples_and_no_tests() {
    for (package, example) in
        [("bgp-core", "examples/pipe.rs"), ("bgp-session", "examples/collector.rs")]
    {
        let files = files(package);
        for wanted in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "src/lib.rs", example] {
            assert!(files.iter().any(|file| file == wanted), "{package} lacks {wanted}: {files:?}");
        }
        assert!(!files.iter().any(|file| file.starts_with("tests/")), "{files:?}");
    }
}

#[test]
fn the_licences_of_a_package_are_those_of_the_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for package in ["bgp-core", "bgp-session"] {
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let text = fs::read_to_string(root.join(package).join(licence)).unwrap();
            assert_eq!(
                text,
                fs::read_to_string(root.join(licence)).unwrap(),
                "{package} {licence}"
            );
        }
    }
}
