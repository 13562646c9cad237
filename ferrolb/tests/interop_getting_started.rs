//! The commands of docs/getting-started.md, with a real BIRD.
//!
//! The test runs as root if `FERROLB_TEST_INTEROP=1` (`make interop`).

#[path = "support/pages.rs"]
mod pages;

use test_peers::requested;

use pages::{Shell, steps};

const PAGE: &str = include_str!("../../docs/getting-started.md");

#[test]
fn the_first_chapter_runs_as_printed() {
    if !requested() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut shell = Shell::start(env!("CARGO_BIN_EXE_ferrolb"), directory.path(), true);
    let steps = steps(PAGE);
    assert!(steps.len() > 20, "{}", steps.len());
    for step in &steps {
        shell.take(step);
    }
    // The last step removes what the others created.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
