//! The line of a file that has a problem, without passwords.

use std::io::{self, Write};

use lb_adapter::config::{Diagnostic, resembles};
use serde::Serialize;

/// A line of a file, with the column of the problem.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Snippet {
    text: String,
    #[serde(skip)]
    line: u32,
    /// The number of characters before the problem.
    #[serde(skip)]
    indent: usize,
}

impl Snippet {
    /// Returns the line of a problem; `None` if there is no such line, or it may contain a password.
    pub(super) fn of(diagnostic: &Diagnostic, lines: &[&str]) -> Option<Self> {
        let index = usize::try_from(diagnostic.line).ok()?.checked_sub(1)?;
        let line = lines.get(index)?;
        if may_be_secret(diagnostic, lines) {
            return None;
        }

        // Of a long line, show the part with the problem.
        let column = usize::try_from(diagnostic.column).ok()?.saturating_sub(1);
        let skipped = column.saturating_sub(MAX_BEFORE);
        let line = without_secrets(line);
        let text: String = line.chars().skip(skipped).take(MAX_WIDTH).map(printable).collect();
        Some(Self {
            text: text.trim_end().to_owned(),
            line: diagnostic.line,
            indent: column - skipped,
        })
    }

    /// Writes the line with its number, and a mark below the problem.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{:>6} | {}", self.line, self.text)?;
        writeln!(out, "       | {}^", " ".repeat(self.indent.min(MAX_WIDTH)))
    }
}

/// Returns true if the value with a problem may be a password.
fn may_be_secret(diagnostic: &Diagnostic, lines: &[&str]) -> bool {
    // The name of a Secret is not secret.
    let path = diagnostic.path.strip_suffix("passwordSecret.name").unwrap_or(&diagnostic.path);
    if is_secret(path) {
        return true;
    }
    // A problem without a path is one of the text itself, in which any line may belong to a Secret.
    diagnostic.path.is_empty() && lines.iter().any(|line| line.contains("Secret"))
}

/// Replaces control characters: a tab would move the mark, and others could do worse.
fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// Returns the line, with dots for the rest of it after a key that may be a password's.
fn without_secrets(line: &str) -> String {
    for (colon, _) in line.match_indices(':') {
        let Some(before) = line.get(..colon) else { continue };
        let key = before.trim_end().trim_end_matches(['"', '\'']);
        let start = key.rfind(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)));
        let key = start.and_then(|start| key.get(start..)).unwrap_or(key);
        let key = key.trim_start_matches(|c: char| !c.is_alphanumeric());
        if is_secret(key) {
            return format!("{before}: ...");
        }
    }
    line.to_owned()
}

/// Returns true if a key's value should not be shown, even if the key is misspelt.
fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    let has_word = ["pass", "secret", "pwd", "stringdata"].iter().any(|word| key.contains(word));
    has_word || resembles(&key, "password")
}

/// The number of characters of a line that are shown.
const MAX_WIDTH: usize = 120;
/// The number of them before the problem.
const MAX_BEFORE: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, column: u32, line: &str) -> Option<String> {
        let mut diagnostic = Diagnostic::file_error("f", "wrong");
        (diagnostic.line, diagnostic.column) = (1, column);
        diagnostic.path = path.to_owned();
        Snippet::of(&diagnostic, &[line]).map(|snippet| snippet.text)
    }

    #[test]
    fn a_snippet_never_contains_a_password() {
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
