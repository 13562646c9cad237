//! Collecting the problems of one text and giving each its place in the file.

use std::fmt::Display;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Severity};
use super::field::Field;
use super::yaml::Position;

/// Where a text stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The text is the file.
    File,
    /// The text is a literal block scalar of the file; its first character stands here.
    Block(Position),
    /// The text is a scalar that stands here, written so that lines do not correspond.
    Scalar(Position),
}

/// Where something stands, in whichever file: what is found wrong only when all files are read is
/// told by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
    column: u32,
    /// The line of the text that is a scalar of the file, if the file's own says too little.
    inner_line: Option<u32>,
    pub(crate) path: String,
    subject: Option<Arc<Subject>>,
}

/// The object that something is in.
#[derive(Debug, PartialEq, Eq)]
struct Subject {
    /// Kind, namespace and name.
    name: String,
    /// The path of the object itself: not empty in a List.
    path: String,
}

impl Place {
    /// `file:line`, to refer to it from elsewhere.
    pub(crate) fn shown(&self) -> String {
        shown(&self.file, self.line)
    }
}

/// Collects the problems of one text.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    file: Arc<str>,
    origin: Origin,
    subject: Option<Arc<Subject>>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    /// For the text of a whole file.
    pub(crate) fn new(file: &str, diagnostics: &'a mut Vec<Diagnostic>) -> Self {
        Self { file: file.into(), origin: Origin::File, subject: None, diagnostics }
    }

    /// For a text inside the file.
    pub(crate) fn within(&mut self, origin: Origin) -> Report<'_> {
        let (file, subject) = (Arc::clone(&self.file), self.subject.clone());
        Report { file, origin, subject, diagnostics: self.diagnostics }
    }

    /// For the object at this path, by kind, namespace and name.
    pub(crate) fn about(&mut self, name: String, path: impl Display) -> Report<'_> {
        let (file, origin) = (Arc::clone(&self.file), self.origin);
        let subject = Some(Arc::new(Subject { name, path: path.to_string() }));
        Report { file, origin, subject, diagnostics: self.diagnostics }
    }

    /// A value is wrong.
    pub(crate) fn error(&mut self, path: impl Display, at: Position, message: impl Into<String>) {
        self.push(Severity::Error, &path, at, message.into());
    }

    /// A value is suspicious.
    pub(crate) fn warning(&mut self, path: impl Display, at: Position, message: impl Into<String>) {
        self.push(Severity::Warning, &path, at, message.into());
    }

    /// `file:line` of a place in this text, to refer to it from elsewhere.
    pub(crate) fn place(&self, at: Position) -> String {
        let (place, _) = self.locate(at);
        shown(&self.file, place.line)
    }

    /// Where a value stands.
    pub(crate) fn place_of(&self, field: &Field<'_>) -> Place {
        self.placed(field.path, field.position())
    }

    /// Where something at this path stands.
    pub(crate) fn placed(&self, path: impl Display, at: Position) -> Place {
        let (place, inner) = self.locate(at);
        Place {
            file: Arc::clone(&self.file),
            line: place.line,
            column: place.column,
            inner_line: inner.map(|inner| inner.line),
            path: path.to_string(),
            subject: self.subject.clone(),
        }
    }

    fn push(&mut self, severity: Severity, path: &dyn Display, at: Position, message: String) {
        // Nothing is made of what would not be listed.
        if self.diagnostics.len() <= 2 * LIMIT {
            push(self.diagnostics, severity, &self.placed(path, at), message);
        }
    }

    /// The place in the file, and the one in the text if the former says too little.
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

/// Line 0 is the file as a whole.
fn shown(file: &str, line: u32) -> String {
    if line == 0 { file.to_owned() } else { format!("{file}:{line}") }
}

/// Adds an error about something in whichever file.
pub(crate) fn error(diagnostics: &mut Vec<Diagnostic>, at: &Place, message: impl Into<String>) {
    push(diagnostics, Severity::Error, at, message.into());
}

/// Adds a warning about something in whichever file.
pub(crate) fn warning(diagnostics: &mut Vec<Diagnostic>, at: &Place, message: impl Into<String>) {
    push(diagnostics, Severity::Warning, at, message.into());
}

/// Whether no more errors are listed, so that more need not be looked for.
pub(crate) fn is_full(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().filter(|it| it.severity == Severity::Error).count() > LIMIT
}

/// Returns true if a diagnostic only says that no more are listed. The place is that of one that is not.
pub(crate) fn is_notice(diagnostic: &Diagnostic) -> bool {
    diagnostic.message == notice(diagnostic.severity)
}

fn notice(severity: Severity) -> String {
    format!("from here on no more {severity}s are listed")
}

fn push(diagnostics: &mut Vec<Diagnostic>, severity: Severity, at: &Place, mut message: String) {
    if let Some(line) = at.inner_line {
        message.push_str(&format!(" (line {line} of the text)"));
    }
    // An error is shown with its place. A warning is often seen without its file, in a log or in a list of warnings.
    if let Some(subject) = &at.subject
        && severity == Severity::Warning
        && at.path == subject.path
    {
        message = format!("{}: {message}", subject.name);
    }
    let mut path = at.path.clone();
    match diagnostics.iter().filter(|it| it.severity == severity).count() {
        ..LIMIT => {}
        LIMIT => {
            path.clear();
            message = notice(severity);
        }
        _ => return,
    }
    let (file, line, column) = (at.file.to_string(), at.line, at.column);
    diagnostics.push(Diagnostic { severity, file, line, column, path, message });
}

/// Errors, and warnings, that are listed; a file of megabytes of nonsense needs no more.
const LIMIT: usize = 1_000;
