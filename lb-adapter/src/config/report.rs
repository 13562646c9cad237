//! Collecting the problems of one text and giving each its place in the file.

use std::fmt::Display;

use super::diagnostic::{Diagnostic, Severity};
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

/// Collects the problems of one text.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    file: &'a str,
    origin: Origin,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    /// For the text of a whole file.
    pub(crate) fn new(file: &'a str, diagnostics: &'a mut Vec<Diagnostic>) -> Self {
        Self { file, origin: Origin::File, diagnostics }
    }

    /// For a text inside the file.
    pub(crate) fn within(&mut self, origin: Origin) -> Report<'_> {
        Report { file: self.file, origin, diagnostics: self.diagnostics }
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
        format!("{}:{}", self.file, place.line)
    }

    fn push(&mut self, severity: Severity, path: &dyn Display, at: Position, mut message: String) {
        let (place, inner) = self.locate(at);
        if let Some(inner) = inner {
            message.push_str(&format!(" (line {} of the text)", inner.line));
        }
        let mut path = path.to_string();
        match self.diagnostics.iter().filter(|it| it.severity == severity).count() {
            ..LIMIT => {}
            LIMIT => {
                path.clear();
                message = format!("from here on no more {severity}s are listed");
            }
            _ => return,
        }
        self.diagnostics.push(Diagnostic {
            severity,
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            path,
            message,
        });
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

/// Errors, and warnings, that are listed; a file of megabytes of nonsense needs no more.
const LIMIT: usize = 1_000;
