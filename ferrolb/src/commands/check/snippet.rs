//! The line that a problem is in, without the passwords that may be in it.

use std::io::{self, Write};

use serde::Serialize;

use lb_adapter::config::{Diagnostic, resembles};

/// A line of a file, and where in it the problem begins.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Snippet {
    text: String,
    #[serde(skip)]
    line: u32,
    /// Characters before it.
    #[serde(skip)]
    indent: usize,
}

impl Snippet {
    /// The line of a problem of a text with these lines, if there is one that may be shown.
    pub(super) fn of(diagnostic: &Diagnostic, lines: &[&str]) -> Option<Self> {
        let at = usize::try_from(diagnostic.line).ok()?.checked_sub(1)?;
        let line = lines.get(at)?;
        // A problem without a path is one of the text itself, and then nobody knows what its
        // lines are.
        let secret = || lines.iter().any(|line| line.contains("Secret"));
        // The name of a Secret is none.
        let path = diagnostic.path.strip_suffix("passwordSecret.name").unwrap_or(&diagnostic.path);
        if is_secret(path) || (diagnostic.path.is_empty() && secret()) {
            return None;
        }
        let column = usize::try_from(diagnostic.column).ok()?.saturating_sub(1);
        let shown = without_secrets(line);
        // Of a long line the part that matters.
        let skipped = column.saturating_sub(BEFORE);
        let text: String = shown.chars().skip(skipped).take(WIDTH).map(plain).collect();
        Some(Self {
            text: text.trim_end().to_owned(),
            line: diagnostic.line,
            indent: column - skipped,
        })
    }

    /// Writes it with its number, and a mark below.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{:>6} | {}", self.line, self.text)?;
        writeln!(out, "       | {}^", " ".repeat(self.indent.min(WIDTH)))
    }
}

/// Tabs would move the mark, and other control characters do worse.
fn plain(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// The line, with everything after a key that may be a password's in dots.
fn without_secrets(line: &str) -> String {
    for (at, _) in line.match_indices(':') {
        let Some(before) = line.get(..at) else { continue };
        let word = before.trim_end().trim_end_matches(['"', '\'']);
        let start = word.rfind(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)));
        let word = start.and_then(|start| word.get(start..)).unwrap_or(word);
        let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
        if is_secret(word) {
            return format!("{before}: ...");
        }
    }
    line.to_owned()
}

/// Whether what goes by this name should not be shown, also if the name is misspelt.
fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    ["pass", "secret", "pwd", "stringdata"].iter().any(|part| lower.contains(part))
        || resembles(&lower, "password")
}

/// Characters of a line that are shown, and how many of these before the problem at most.
const WIDTH: usize = 120;
const BEFORE: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, column: u32, line: &str) -> Option<String> {
        let mut diagnostic = Diagnostic::file_error("f", "wrong");
        (diagnostic.line, diagnostic.column) = (1, column);
        diagnostic.path = path.to_owned();
        Snippet::of(&diagnostic, &[line]).map(|it| it.text)
    }

    #[test]
    fn passwords_are_not_in_it_however_they_are_written() {
        for line in [
            "  password: hunter2",
            "- {peer-asn: 1, password: \"hunter2\", my-asn: 2}",
            "  \"password\" : 'hunter2'",
            "  pasword: hunter2",
            "  passwrod: hunter2",
            "  router-password: hunter2",
            "  PASSWORD: hunter2",
            "stringData: {pw: hunter2}",
            "passphrase: a: hunter2",
        ] {
            let shown = of("peers[0].my-asn", 1, line).unwrap();
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.ends_with(": ..."), "{shown}");
        }
        assert_eq!(of("peers[0].password", 1, "hunter2"), None);
        assert_eq!(of("data.password", 1, "hunter2"), None);
        assert_eq!(of("", 1, "kind: Secret"), None);
    }

    #[test]
    fn the_mark_is_below_the_problem_in_long_lines_too() {
        let line = format!("{}x: 1", "a".repeat(500));
        let mut diagnostic = Diagnostic::file_error("f", "wrong");
        (diagnostic.line, diagnostic.column, diagnostic.path) = (1, 501, "x".to_owned());
        let snippet = Snippet::of(&diagnostic, &[&line]).unwrap();
        assert_eq!(snippet.text.chars().nth(snippet.indent), Some('x'));
        let mut out = Vec::new();
        snippet.write(&mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines[0].find('x'), lines[1].find('^'));
    }
}
