//! The check of all links of a repository: where each of them leads, and whether every page of the book is in its summary.
//! Reads files, and changes none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::page::Page;

/// The directory of the book's pages, and the page that lists them.
const BOOK: &str = "docs";
const SUMMARY: &str = "docs/SUMMARY.md";

/// Something wrong with a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The page, relative to the repository.
    pub page: PathBuf,
    /// The number of its line, from 1.
    pub line: usize,
    /// What was found, and what was expected.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.page.display(), self.line, self.text)
    }
}

/// Checks the links of every page of the repository at `root`, and returns all problems.
///
/// A link to a file needs the file, and a link to an anchor needs a heading. A link from the book stays in the book, since
/// the built book has nothing else. A link to another site needs `https` and a host. Each page of the book is in the summary.
/// A path in the font of code, such as `docs/SUMMARY.md`, names a file that exists.
///
/// # Errors
///
/// Returns an error if a directory or a page cannot be read.
pub fn check(root: &Path) -> io::Result<Vec<Problem>> {
    let mut names = Vec::new();
    collect(root, Path::new(""), &mut names)?;
    names.sort();

    let mut pages = BTreeMap::new();
    for name in names {
        let page = Page::parse(&fs::read_to_string(root.join(&name))?);
        pages.insert(name, page);
    }

    let repository = Repository { root, pages: &pages };
    let mut problems = Vec::new();
    for (name, page) in &pages {
        for link in &page.links {
            let refused = match &link.target {
                Some(target) => repository.refuse(name, target),
                None => Some("the page does not define this reference".to_owned()),
            };
            problems.extend(refused.map(|text| Problem {
                page: name.clone(),
                line: link.line,
                text,
            }));
        }
        for (line, words) in &page.code {
            if repository.is_missing_file(words) {
                let text = format!("there is no {words}");
                problems.push(Problem { page: name.clone(), line: *line, text });
            }
        }
        for line in &page.html_links {
            let text = "this link is written in HTML, which is not checked: write it in Markdown"
                .to_owned();
            problems.push(Problem { page: name.clone(), line: *line, text });
        }
    }
    problems.extend(repository.not_in_summary());
    Ok(problems)
}

/// Collects the pages below a directory of the repository, without hidden directories and what Cargo builds.
fn collect(root: &Path, directory: &Path, names: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(directory))? {
        let entry = entry?;
        let name = directory.join(entry.file_name());
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if entry.file_type()?.is_dir() {
            if !is_hidden && entry.file_name() != "target" {
                collect(root, &name, names)?;
            }
        } else if name.extension().is_some_and(|it| it == "md") {
            names.push(name);
        }
    }
    Ok(())
}

/// All pages of a repository, and the files beside them.
struct Repository<'a> {
    root: &'a Path,
    pages: &'a BTreeMap<PathBuf, Page>,
}

impl Repository<'_> {
    /// Returns why a link of this page leads nowhere, or `None` if it leads somewhere.
    fn refuse(&self, page: &Path, target: &str) -> Option<String> {
        if let Some((scheme, rest)) = target.split_once(':') {
            return refuse_external(scheme, rest, target);
        }

        let (file, anchor) = match target.split_once('#') {
            Some((file, anchor)) => (file, Some(anchor)),
            None => (target, None),
        };
        let file = if file.is_empty() {
            page.to_owned()
        } else {
            let Some(file) = resolve(page, file) else {
                return Some(format!("{target} leads out of the repository"));
            };
            file
        };

        if !self.root.join(&file).exists() {
            return Some(format!("{target}: there is no {}", file.display()));
        }
        if page.starts_with(BOOK) && !file.starts_with(BOOK) {
            return Some(format!("{target} leads out of the book: name the file without a link"));
        }

        let anchor = anchor?;
        let anchors = self.pages.get(&file).map(|it| it.anchors.as_slice()).unwrap_or_default();
        if anchors.iter().any(|it| it == anchor) {
            None
        } else {
            Some(format!("{target}: {} has no heading with the anchor {anchor}", file.display()))
        }
    }

    /// Returns true if this is the path of a file in one of the repository's directories, and the file is missing.
    fn is_missing_file(&self, words: &str) -> bool {
        let is_path = |it: char| it.is_ascii_alphanumeric() || "-_./".contains(it);
        let Some((directory, _)) = words.split_once('/').filter(|_| words.chars().all(is_path))
        else {
            return false;
        };
        // Cargo's directory is empty in a new clone.
        let is_ours = !["", ".", "..", "target"].contains(&directory);
        let is_ours = is_ours && self.root.join(directory).is_dir();
        is_ours && !self.root.join(words).exists()
    }

    /// Returns the pages of the book that its summary does not list, and those that it lists twice.
    fn not_in_summary(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut listed = BTreeSet::new();
        let links =
            self.pages.get(Path::new(SUMMARY)).map(|it| it.links.as_slice()).unwrap_or_default();
        for link in links {
            let target = link.target.as_deref().and_then(|it| resolve(Path::new(SUMMARY), it));
            if let Some(target) = target.filter(|it| !listed.insert(it.clone())) {
                let text = format!("{} is listed twice", target.display());
                problems.push(Problem { page: SUMMARY.into(), line: link.line, text });
            }
        }

        for name in self.pages.keys().filter(|it| it.starts_with(BOOK)) {
            if name != Path::new(SUMMARY) && !listed.contains(name) {
                let text =
                    format!("{SUMMARY} does not list this page, so the book does not have it");
                problems.push(Problem { page: name.clone(), line: 1, text });
            }
        }
        problems
    }
}

/// Returns what a relative path on a page names, relative to the repository, or `None` if that is outside.
fn resolve(page: &Path, target: &str) -> Option<PathBuf> {
    let mut path = page.parent().unwrap_or_else(|| Path::new("")).to_owned();
    for component in Path::new(target).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Returns what is wrong with the form of a link to another site.
fn refuse_external(scheme: &str, rest: &str, target: &str) -> Option<String> {
    let host =
        rest.strip_prefix("//").and_then(|it| it.split(['/', '?', '#']).next()).unwrap_or_default();
    let is_host = |it: &str| {
        let label = |it: &str| {
            !it.is_empty() && it.chars().all(|it| it.is_ascii_alphanumeric() || it == '-')
        };
        it.contains('.') && it.split('.').all(label)
    };
    let is_readable = target.chars().all(|it| it.is_ascii_graphic());
    if scheme == "https" && is_host(host) && is_readable {
        None
    } else {
        Some(format!("{target}: expected https, the name of a host, and a path without blanks"))
    }
}
