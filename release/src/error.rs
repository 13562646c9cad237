//! The errors of this program.

use std::io;
use std::path::PathBuf;

/// Why an output could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another program did not run, or did not succeed.
    #[error("{command}: {message}")]
    Command {
        /// The command with its arguments.
        command: String,
        /// What it said.
        message: String,
    },
    /// A file, or the output of another program, is not what it should be.
    #[error("{what}: {message}")]
    Unexpected {
        /// What was read.
        what: String,
        /// What is wrong with it.
        message: String,
    },
    /// The output could not be written.
    #[error("output: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    /// An error about a file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::File { path, error }
    }

    /// An error about the content of something.
    pub(crate) fn unexpected(what: impl Into<String>, message: impl ToString) -> Self {
        Self::Unexpected { what: what.into(), message: message.to_string() }
    }
}
