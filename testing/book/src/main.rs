//! `make book`: builds the documentation into `target/book`, and reports every link that leads nowhere.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use mdbook_driver::errors::Result;

fn main() -> Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let destination = root.join("target/book");
    let mut stderr = io::stderr().lock();

    let problems = test_book::check(&root)?;
    for problem in &problems {
        writeln!(stderr, "{problem}")?;
    }
    if !problems.is_empty() {
        writeln!(stderr, "book: {} problems", problems.len())?;
        return Ok(ExitCode::FAILURE);
    }

    test_book::build(&root, &destination)?;
    writeln!(io::stdout(), "book: {}", destination.join("index.html").display())?;
    Ok(ExitCode::SUCCESS)
}
