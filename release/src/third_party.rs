//! The licences of what the binary contains, as one text for the people who receive it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::graph::{Graph, Id, Package};
use crate::sbom::expression;
use crate::toolchain::Toolchain;

/// How the names of files with a licence or a notice begin, in small letters.
const NAMES: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];

/// Where distributions have the licence of glibc.
const LGPL: &str = "/usr/share/common-licenses/LGPL-2.1";

/// Where the notices of glibc are, in the packages that the compilers need.
const GLIBC_NOTICES: [&str; 2] =
    ["/usr/share/doc/libc6-dev/copyright", "/usr/share/doc/libc6-dev-arm64-cross/copyright"];

const INTRODUCTION: &str = "\
FerroLB is licensed under MIT or Apache-2.0; see LICENSE-MIT and LICENSE-APACHE. Its binary also contains the packages
below. Each has its licence and the place of its sources here. The texts and notices that they ask for follow, each of them
once.

Rust's standard library is part of the binary too. The file RUST-LIBRARY.html, which comes with the toolchain, has its notices.

So is glibc, under LGPL-2.1-or-later, and libgcc, under GPL-3.0-or-later with the exception for programs that GCC links. You
may replace glibc by a version of your own: FerroLB's sources and `scripts/build-binary`, which are all that this takes, belong to
the release. The sources of glibc and libgcc are those of the versions below.
";

/// The text for these graphs, one for each architecture.
///
/// # Errors
///
/// If a package has no licence text, or a file cannot be read.
pub fn text(graphs: &[Graph], toolchain: &Toolchain) -> Result<String, Error> {
    let mut packages: BTreeMap<&Id, &Package> = BTreeMap::new();
    for graph in graphs {
        packages.extend(graph.third_parties());
    }

    let mut list = format!(
        "{INTRODUCTION}\nrust {}: {}\nglibc {}: https://sourceware.org/glibc/\nlibgcc of gcc {}: https://gcc.gnu.org/\n",
        toolchain.rust, "https://github.com/rust-lang/rust", toolchain.glibc, toolchain.gcc
    );
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (id, package) in packages {
        let name = format!("{} {}", id.name, id.version);
        let license = package.license.as_deref().map_or_else(|| "see below".to_owned(), expression);
        let place = package.repository.as_deref().unwrap_or("https://crates.io");
        // Writing to a string cannot fail.
        let _ = writeln!(list, "{name}: {license}, {place}");
        for text in texts_of(&name, package)? {
            texts.entry(text).or_default().insert(name.clone());
        }
    }
    for (path, text) in glibc()? {
        let text = normalized(&text);
        texts.entry(text).or_default().insert(format!("glibc ({path})"));
    }

    for (text, names) in texts {
        let rule = "=".repeat(100);
        let names: Vec<_> = names.into_iter().collect();
        let _ = write!(list, "\n{rule}\n{}\n{rule}\n\n{text}\n", names.join(", "));
    }
    Ok(list)
}

/// The licences and notices in the folder of a package.
fn texts_of(name: &str, package: &Package) -> Result<BTreeSet<String>, Error> {
    let mut files = Vec::new();
    find(&package.folder, &mut files)?;
    let mut texts = BTreeSet::new();
    for path in files {
        // A text that is not UTF-8 still has to be passed on.
        let content = fs::read(&path).map_err(Error::file(&path))?;
        texts.insert(normalized(&String::from_utf8_lossy(&content)));
    }
    if !texts.is_empty() {
        return Ok(texts);
    }

    // Apache-2.0 has the same text for all, so that a package which forgot it loses nothing. Others name their owner.
    let license = package.license.as_deref().map(expression).unwrap_or_default();
    if !license.split(" OR ").any(|it| it == "Apache-2.0") {
        return Err(Error::unexpected(name, format!("no text of the licence {license}")));
    }
    let path = crate::workspace().join("LICENSE-APACHE");
    let apache = fs::read_to_string(&path).map_err(Error::file(&path))?;
    let authors = package.authors.join(", ");
    let text = format!("Licensed under Apache-2.0 by {authors}.\n\n{}", normalized(&apache));
    Ok(BTreeSet::from([text]))
}

/// Collects the files of a folder that have a licence or a notice.
fn find(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
        let path = entry.map_err(Error::file(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_source = path.extension().is_some_and(|it| it == "rs");
        if path.is_dir() {
            find(&path, into)?;
        } else if !is_source && NAMES.iter().any(|it| name.starts_with(it)) {
            into.push(path);
        }
    }
    Ok(())
}

/// The licence and the notices of glibc, which its Debian package has.
fn glibc() -> Result<Vec<(&'static str, String)>, Error> {
    let notices = GLIBC_NOTICES.into_iter().find(|path| Path::new(path).exists());
    let notices = notices.unwrap_or(GLIBC_NOTICES[0]);
    let read = |path| Ok((path, fs::read_to_string(path).map_err(Error::file(path))?));
    [LGPL, notices].into_iter().map(read).collect()
}

/// A text without the differences that do not show: line ends, and space at the ends.
fn normalized(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

#[cfg(test)]
#[path = "third_party_tests.rs"]
mod tests;
