//! Places in files: lines and columns, and values by file, path and object.

use std::fmt::{self, Display};
use std::sync::Arc;

/// A position in a text, counted from 1; columns are characters. Line 0 stands for the text as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    /// The position of values that come from no file, such as objects of the API server.
    pub(crate) const NOWHERE: Self = Self { line: 0, column: 0 };

    /// The position at this line and column. Numbers beyond 32 bits are capped.
    pub(crate) fn new(line: usize, column: usize) -> Self {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let column = u32::try_from(column).unwrap_or(u32::MAX);
        Self { line, column }
    }
}

/// The position of a text within its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The text is the whole file.
    File,
    /// The text is a literal block scalar of the file. Its first character is at this position.
    Block(Position),
    /// The text is a scalar at this position, written so that its lines are not lines of the file.
    Scalar(Position),
}

/// The place of a value in a file. It outlives the reading of the file, so that problems that only show once all files
/// are read can be reported at their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
    pub(super) column: u32,
    /// The line within the embedded text, if the line of the file says too little.
    pub(super) inner_line: Option<u32>,
    pub(crate) path: String,
    pub(super) object: Option<Arc<NamedObject>>,
}

/// The object that contains a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NamedObject {
    /// Kind, namespace and name.
    pub(super) name: String,
    /// The path of the object itself: not empty in a List.
    pub(super) path: String,
}

/// `file:line`, for messages about another place.
impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&file_and_line(&self.file, self.line))
    }
}

/// Returns `file:line`, or only the file if the line is 0.
pub(super) fn file_and_line(file: &str, line: u32) -> String {
    if line == 0 { file.to_owned() } else { format!("{file}:{line}") }
}
