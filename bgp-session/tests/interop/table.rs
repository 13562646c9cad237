//! The table of features and daemons in `docs/interop.md`, made of the same rows as the tests.

use std::fmt::Write as _;
use std::path::PathBuf;

/// The daemons, in the order of a row's cells.
const DAEMONS: [&str; 5] = ["BIRD", "FRR", "GoBGP", "ExaBGP", "OpenBGPD"];

/// One feature.
pub(crate) struct Row {
    /// A description for readers.
    pub(crate) title: &'static str,
    /// The test's name in the module of each daemon.
    pub(crate) story: &'static str,
    pub(crate) cells: [Cell; 5],
}

/// The support of a feature by one daemon.
pub(crate) enum Cell {
    /// The story is a test, which passes.
    Yes,
    /// The daemon does not have it, or not in a usable form, with the reason.
    No(&'static str),
}

const HEAD: &str = "\
# Interoperation

`make test` runs FerroLB's speaker against real routers, each in a network namespace of its own, over TCP on port 179. Each *yes* is
a test that passes: it runs the scenario of its row with that daemon. The test records everything that we send, and Wireshark's dissector
must find nothing malformed in it. The daemons are those of Debian 12: BIRD 2.0.12, FRR 8.4.4, GoBGP 3.10, ExaBGP 4.2.21 and
OpenBGPD 7.7.

The tests generate this page, and one of them checks it: `FERROLB_WRITE_DOCS=1 cargo test -p bgp-session --test interop table` writes
it. This command runs a single cell, as root:

```text
FERROLB_TEST_INTEROP=1 cargo test -p bgp-session --test interop gobgp::TEST
```

";

/// The page.
pub(crate) fn page(rows: &[Row]) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    let mut text = String::from(HEAD);
    let _ = writeln!(text, "| feature | {} |", DAEMONS.join(" | "));
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for row in rows {
        let cells = row.cells.each_ref().map(|cell| match cell {
            Cell::Yes => "yes".to_owned(),
            Cell::No(reason) => {
                let known = reasons.iter().position(|known| known == reason);
                let index = known.unwrap_or_else(|| {
                    reasons.push(reason);
                    reasons.len() - 1
                });
                format!("no ({})", index + 1)
            }
        });
        let _ = writeln!(text, "| {} | {} |", row.title, cells.join(" | "));
    }
    text.push_str("\nWhy not:\n\n");
    for (index, reason) in reasons.iter().enumerate() {
        let _ = writeln!(text, "{}. {reason}", index + 1);
    }
    text.push_str("\nThe tests, by row:\n\n");
    for row in rows {
        let _ = writeln!(text, "- {}: `{}`", row.title, row.story);
    }
    text
}

#[test]
fn the_table_in_the_docs_is_made_of_the_tests() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/interop.md");
    let page = page(crate::MATRIX);
    if std::env::var_os("FERROLB_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("docs/interop.md can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/interop.md is not what the tests say; FERROLB_WRITE_DOCS=1 in front of this test \
         writes it. It should be:\n{page}"
    );
}
