//! Problems of a configuration: the place of each, the value found and the expected one.

use std::fmt;

use serde::Serialize;

/// The severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "a file either takes effect or it does not")]
pub enum Severity {
    /// The files are rejected as a whole.
    Error,
    /// The files take effect, but something in them is probably a mistake.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// A problem at a place.
///
/// Shown as `file:line:column: error: path: message`, which editors and CI systems understand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The file's name as it was given. Bytes that are not UTF-8 are replaced.
    pub file: String,
    /// The line, from 1; 0 if the problem is about the file itself.
    pub line: u32,
    /// The column in characters, from 1; 0 if the problem is about the file itself.
    pub column: u32,
    /// The keys that lead to the value, such as `address-pools[1].addresses[0]`; may be empty.
    pub path: String,
    /// The value found and the expected one, in a sentence.
    pub message: String,
}

impl Diagnostic {
    /// An error about a file as a whole.
    pub fn file_error(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            line: 0,
            column: 0,
            path: String::new(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}: ", self.severity)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// The problems of files that could not be read: at least one error, and all warnings.
///
/// Ordered by file, line and column. Shown one per line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// The problems, in order.
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.0
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Returns all diagnostics as an error if one of them is an error, or else the warnings, in order of file and line.
pub(crate) fn settle(mut all: Vec<Diagnostic>) -> Result<Vec<Diagnostic>, Diagnostics> {
    // A stable sort, so that diagnostics at one place stay in the order in which they were found.
    all.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));

    if all.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(Diagnostics(all));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_is_shown_in_the_format_of_compilers() {
        let mut diagnostic = Diagnostic::file_error("config.yaml", "expected a number");
        assert_eq!(diagnostic.to_string(), "config.yaml: error: expected a number");
        (diagnostic.line, diagnostic.column) = (3, 7);
        diagnostic.path = "peers[0].my-asn".to_owned();
        assert_eq!(
            diagnostic.to_string(),
            "config.yaml:3:7: error: peers[0].my-asn: expected a number"
        );
    }

    #[test]
    fn warnings_alone_are_not_a_failure_and_a_failure_lists_them_in_order() {
        let warning = Diagnostic {
            severity: Severity::Warning,
            line: 2,
            ..Diagnostic::file_error("b", "odd")
        };
        assert_eq!(settle(vec![warning.clone()]), Ok(vec![warning.clone()]));
        let error = Diagnostic::file_error("a", "wrong");
        let failed = settle(vec![warning.clone(), error.clone()]).unwrap_err();
        assert_eq!(failed.as_slice(), [error, warning]);
        assert_eq!(failed.to_string(), "a: error: wrong\nb:2:0: warning: odd");
    }
}
