//! The table of vulnerabilities names tests that exist, and each of its cases is in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The tests that were written for the table; its other tests were there before.
const CASES: &str = "bgp-core/tests/it/vulnerabilities";

struct Row {
    number: String,
    path: String,
    test: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of all tables of the page.
fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/vulnerabilities.md")).expect("the page");
    page.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .filter(|line| !line.starts_with("number |") && !line.starts_with("---"))
        .map(|line| {
            let cells: Vec<_> = line.split(" | ").collect();
            let [number, _implementation, _input, _ours, test] = cells[..] else {
                panic!("five cells are expected: {line}");
            };
            let test = test.strip_prefix('`').and_then(|it| it.strip_suffix('`'));
            let (path, test) = test
                .and_then(|it| it.split_once("`: `"))
                .unwrap_or_else(|| panic!("a path and a test are expected: {line}"));

            // The year of a number that has none is in brackets.
            let number = number.split(" (").next().unwrap_or(number);
            Row { number: number.to_owned(), path: path.to_owned(), test: test.to_owned() }
        })
        .collect()
}

#[test]
fn each_row_of_the_vulnerabilities_names_a_test_that_exists() {
    let rows = rows();
    assert!(rows.len() >= 200, "{} rows", rows.len());

    for Row { number, path, test } in rows {
        let file = fs::read_to_string(root().join(&path)).unwrap_or_default();
        let definition = format!("fn {test}(");
        let exists = file.lines().any(|line| line.contains(&definition));
        assert!(exists, "{number}: {path} has no test {test}");
    }
}

#[test]
fn each_vulnerability_has_one_row_and_its_case() {
    let mut cases = String::new();
    for entry in fs::read_dir(root().join(CASES)).expect("the cases") {
        cases += &fs::read_to_string(entry.expect("a file").path()).expect("a file of cases");
    }

    let mut numbers = BTreeSet::new();
    for Row { number, path, .. } in rows() {
        assert!(numbers.insert(number.clone()), "{number} has two rows");
        let has_case = !path.starts_with(CASES) || cases.contains(&number);
        assert!(has_case, "{number}: no test of {CASES} names it");
    }

    let page = fs::read_to_string(root().join("docs/vulnerabilities.md")).expect("the page");
    let words = cases.split(|it: char| !it.is_ascii_alphanumeric() && it != '-');
    for number in words.filter(|it| it.starts_with("CVE-")) {
        assert!(page.contains(number), "{number} has a case and no row");
    }
}
