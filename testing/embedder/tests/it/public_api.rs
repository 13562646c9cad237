//! The public API of each library is the one that is listed in its folder.

use std::{fmt::Write, fs, path::Path};

use test_embedder::{Listing, RUST};

/// Compares a listing with `LIBRARY/public-api.txt`, or writes that file with `FERROLB_BLESS=1`.
fn compare(package: &str) {
    let rust = Listing::rust().unwrap();
    if rust != RUST {
        return skipped(&rust);
    }

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(package);
    let path = path.join("public-api.txt");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let found = Listing::of(package, target).unwrap().to_string();
    if std::env::var_os("FERROLB_BLESS").is_some() {
        fs::write(&path, found).unwrap();
        return;
    }

    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differences = differences(&expected, &found);
    assert!(
        differences.is_empty(),
        "the public API of {package} is not the one in {package}/public-api.txt. If the change is wanted, run\n\
         FERROLB_BLESS=1 cargo test -p test-embedder public_api\n{differences}"
    );
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(rust: &str) {
    eprintln!("skipped: the public API is compared with Rust {RUST}, this is {rust}");
}

/// Returns the lines that only one of the texts has.
fn differences(expected: &str, found: &str) -> String {
    let mut differences = String::new();
    for line in expected.lines().filter(|line| !found.lines().any(|other| other == *line)) {
        writeln!(differences, "- {line}").unwrap();
    }
    for line in found.lines().filter(|line| !expected.lines().any(|other| other == *line)) {
        writeln!(differences, "+ {line}").unwrap();
    }
    differences
}

#[test]
fn the_api_of_bgp_core_is_the_listed_one() {
    compare("bgp-core");
}

#[test]
fn the_api_of_bgp_session_is_the_listed_one() {
    compare("bgp-session");
}

#[test]
fn a_new_and_a_missing_item_are_shown() {
    assert_eq!(differences("a\nb\n", "b\nc\n"), "- a\n+ c\n");
    assert_eq!(differences("a\nb\n", "a\nb\n"), "");
}
