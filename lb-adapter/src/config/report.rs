//! The problems of a text, each with its place in the file.

use std::fmt::Display;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Severity};
use super::place::{NamedObject, Origin, Place, Position, file_and_line};

/// Collects the problems of a text.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    file: Arc<str>,
    origin: Origin,
    object: Option<Arc<NamedObject>>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    /// A report about the text of a whole file.
    pub(crate) fn new(file: &str, diagnostics: &'a mut Vec<Diagnostic>) -> Self {
        Self { file: file.into(), origin: Origin::File, object: None, diagnostics }
    }

    /// A report about a text within the file.
    pub(crate) fn within(&mut self, origin: Origin) -> Report<'_> {
        let (file, object) = (Arc::clone(&self.file), self.object.clone());
        Report { file, origin, object, diagnostics: self.diagnostics }
    }

    /// A report about the object at this path. `name` is its kind, namespace and name.
    pub(crate) fn about(&mut self, name: String, path: impl Display) -> Report<'_> {
        let (file, origin) = (Arc::clone(&self.file), self.origin);
        let object = Some(Arc::new(NamedObject { name, path: path.to_string() }));
        Report { file, origin, object, diagnostics: self.diagnostics }
    }

    /// Adds an error about the value at this path.
    pub(crate) fn error(&mut self, path: impl Display, at: Position, message: impl Into<String>) {
        self.push(Severity::Error, &path, at, message.into());
    }

    /// Adds a warning about the value at this path.
    pub(crate) fn warning(&mut self, path: impl Display, at: Position, message: impl Into<String>) {
        self.push(Severity::Warning, &path, at, message.into());
    }

    /// Returns `file:line` of a position in this text, for messages about another place.
    pub(crate) fn file_and_line(&self, at: Position) -> String {
        let (position, _) = self.locate(at);
        file_and_line(&self.file, position.line)
    }

    /// Returns the place of the value at this path.
    pub(crate) fn place(&self, path: impl Display, at: Position) -> Place {
        let (position, inner) = self.locate(at);
        Place {
            file: Arc::clone(&self.file),
            line: position.line,
            column: position.column,
            inner_line: inner.map(|inner| inner.line),
            path: path.to_string(),
            object: self.object.clone(),
        }
    }

    fn push(&mut self, severity: Severity, path: &dyn Display, at: Position, message: String) {
        // A problem beyond the limit is not listed, so there is no need to describe it.
        if self.diagnostics.len() <= 2 * LIMIT {
            push(self.diagnostics, severity, &self.place(path, at), message);
        }
    }

    /// Returns the position in the file, and the position in the text if that of the file says too little.
    fn locate(&self, at: Position) -> (Position, Option<Position>) {
        match self.origin {
            Origin::File => (at, None),
            Origin::Block(start) => {
                let line = start.line.saturating_add(at.line).saturating_sub(1);
                let column = start.column.saturating_add(at.column).saturating_sub(1);
                (Position { line, column }, None)
            }
            Origin::Scalar(start) => (start, Some(at)),
        }
    }
}

/// Adds an error about a place in any file.
pub(crate) fn error(diagnostics: &mut Vec<Diagnostic>, at: &Place, message: impl Into<String>) {
    push(diagnostics, Severity::Error, at, message.into());
}

/// Adds a warning about a place in any file.
pub(crate) fn warning(diagnostics: &mut Vec<Diagnostic>, at: &Place, message: impl Into<String>) {
    push(diagnostics, Severity::Warning, at, message.into());
}

/// Returns true if no more errors are listed, so that there is no need to look for more.
pub(crate) fn is_full(diagnostics: &[Diagnostic]) -> bool {
    count(diagnostics, Severity::Error) > LIMIT
}

/// Returns true if a diagnostic only says that the rest is not listed. Its place is that of the first one left out.
pub(crate) fn is_limit_notice(diagnostic: &Diagnostic) -> bool {
    diagnostic.message == limit_notice(diagnostic.severity)
}

fn limit_notice(severity: Severity) -> String {
    format!("more than {LIMIT} {severity}s, the rest is not listed")
}

fn count(diagnostics: &[Diagnostic], severity: Severity) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
}

fn push(diagnostics: &mut Vec<Diagnostic>, severity: Severity, at: &Place, mut message: String) {
    let listed = count(diagnostics, severity);
    if listed > LIMIT {
        return;
    }

    if let Some(line) = at.inner_line {
        message.push_str(&format!(" (line {line} of the embedded text)"));
    }
    // An error is shown with its place. A warning is often seen without its file, in a log or in a list of warnings.
    if let Some(object) = &at.object
        && severity == Severity::Warning
        && at.path == object.path
    {
        message = format!("{}: {message}", object.name);
    }

    let mut path = at.path.clone();
    if listed == LIMIT {
        path.clear();
        message = limit_notice(severity);
    }
    let (file, line, column) = (at.file.to_string(), at.line, at.column);
    diagnostics.push(Diagnostic { severity, file, line, column, path, message });
}

/// The most errors, and the most warnings, that are listed.
const LIMIT: usize = 1_000;
