//! The documentation of this repository: its links, and the book that is built of it. And planted mistakes, each of which
//! is found.

use std::fs;
use std::path::{Path, PathBuf};

use test_book::{Page, build, check};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_link_of_the_repository_leads_somewhere() {
    let problems: Vec<_> = check(&root()).unwrap().iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_book_has_each_page_with_the_anchors_that_links_name() {
    let destination = tempfile::tempdir().unwrap();
    build(&root(), destination.path()).unwrap();

    let mut anchors = 0;
    let sources = root().join("docs");
    for name in pages_below(&sources) {
        if name == Path::new("SUMMARY.md") {
            continue;
        }
        let built = match name.file_name() {
            Some(file) if file == "README.md" => name.with_file_name("index.html"),
            _ => name.with_extension("html"),
        };
        let html = fs::read_to_string(destination.path().join(&built)).unwrap();
        for anchor in Page::parse(&fs::read_to_string(sources.join(&name)).unwrap()).anchors {
            assert!(html.contains(&format!(" id=\"{anchor}\"")), "{}#{anchor}", built.display());
            anchors += 1;
        }
        assert_asks_no_other_site(&built, &html);
    }
    assert!(anchors > 50, "{anchors}");

    let examples = fs::read_to_string(destination.path().join("examples.html")).unwrap();
    for included in ["passwordSecret: ", "password-secret: ", "allow-shared-ip: "] {
        assert!(examples.contains(included), "{included}");
    }
}

/// Operators may read the book without a connection to the internet, and no other site learns what they read.
fn assert_asks_no_other_site(page: &Path, html: &str) {
    for (tag, attribute) in [("<link ", "href=\""), ("<script ", "src=\""), ("<img ", "src=\"")] {
        for element in html.split(tag).skip(1) {
            let element = element.split('>').next().unwrap();
            let target = element.split(attribute).nth(1).unwrap_or_default();
            let is_outside = target.starts_with("http") || target.starts_with("//");
            assert!(!is_outside, "{}: {tag}{element}", page.display());
        }
    }
}

fn pages_below(directory: &Path) -> Vec<PathBuf> {
    let mut names = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|it| it == "md") {
                names.push(path.strip_prefix(directory).unwrap().to_owned());
            }
        }
    }
    names
}

/// A repository with these pages, and the problems that are found in it.
fn problems_of(pages: &[(&str, &str)]) -> Vec<String> {
    let repository = tempfile::tempdir().unwrap();
    for (name, text) in pages {
        let path = repository.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    check(repository.path()).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn each_kind_of_wrong_link_is_found_with_its_line() {
    let cases = [
        (3, "[a](missing.md)", "there is no missing.md"),
        (
            3,
            "[a](docs/a.md#no-such-words)",
            "docs/a.md has no heading with the anchor no-such-words",
        ),
        (3, "[a](#Title)", "README.md has no heading with the anchor Title"),
        (3, "![a](picture.png)", "there is no picture.png"),
        (3, "[a](../other/README.md)", "leads out of the repository"),
        (3, "[a](/docs/a.md)", "leads out of the repository"),
        (3, "[a][nowhere]", "the page does not define this reference"),
        (5, "[a]: gone.md\n\n[a]", "there is no gone.md"),
        (3, "<a href=\"docs/a.md\">a</a>", "written in HTML"),
        (3, "[a](http://example.com/)", "expected https"),
        (3, "[a](https://localhost/)", "expected https"),
        (3, "[a](https://example..com/)", "expected https"),
        (3, "[a](<https://example.com/a b>)", "expected https"),
        (3, "<ftp://example.com/>", "expected https"),
        (3, "`docs/gone.md`", "there is no docs/gone.md"),
        (5, "| a |\n| - |\n| [a](gone.md) |", "there is no gone.md"),
    ];
    for (line, text, expected) in cases {
        let page = format!("# Title\n\n{text}\n");
        let found = problems_of(&[
            ("README.md", &page),
            ("docs/SUMMARY.md", "- [A](a.md)\n"),
            ("docs/a.md", "# A\n"),
        ]);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains(expected), "{text}: {found:?}");
        assert!(found[0].starts_with(&format!("README.md:{line}: ")), "{found:?}");
    }
}

#[test]
fn right_links_and_examples_in_code_are_no_problems() {
    let page = "# A title, `with code` & more\n\n# Twice\n\n# Twice\n\n[a](#a-title-with-code--more) [b](#twice-1) \
                [c](docs/a.md#part_1) [d](docs) [e](https://example.com/a?b=c#d) <https://example.com> [OPTIONS] \
                `[f](gone.md)` `docs/a.md` `docs/` `other/gone.md` `docs/*.md` `target/gone`\n\n```\n[g](gone.md)\n```\n\n    [h](gone.md)\n";
    let found = problems_of(&[
        ("README.md", page),
        ("docs/SUMMARY.md", "- [A](a.md)\n"),
        ("docs/a.md", "# A\n\n## Part_1\n\n[back](./a.md#a)\n"),
        ("target/debris.md", "[a](gone.md)"),
        (".hidden/debris.md", "[a](gone.md)"),
    ]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn the_book_is_complete_and_its_links_stay_in_it() {
    let found = problems_of(&[
        ("README.md", "[a](docs/a.md)\n"),
        ("docs/SUMMARY.md", "- [A](a.md)\n- [A again](a.md)\n"),
        ("docs/a.md", "[out](../README.md)\n"),
        ("docs/routers/forgotten.md", "# Forgotten\n"),
    ]);
    assert_eq!(
        found,
        [
            "docs/a.md:1: ../README.md leads out of the book: name the file without a link",
            "docs/SUMMARY.md:2: docs/a.md is listed twice",
            "docs/routers/forgotten.md:1: docs/SUMMARY.md does not list this page, so the book does not have it",
        ]
    );
}

#[test]
fn a_book_without_one_of_its_pages_is_not_built() {
    let repository = tempfile::tempdir().unwrap();
    fs::copy(root().join("book.toml"), repository.path().join("book.toml")).unwrap();
    fs::create_dir(repository.path().join("docs")).unwrap();
    fs::write(repository.path().join("docs/SUMMARY.md"), "- [A](a.md)\n").unwrap();
    let destination = tempfile::tempdir().unwrap();
    let error = build(repository.path(), destination.path()).unwrap_err();
    assert!(format!("{error:#}").contains("a.md"), "{error:#}");
}
