//! [`Page`]: where a command writes the answers of a process.
//!
//! Owns the look of the output and what happens if the reader goes away. Knows no answer.

use std::io::{self, Write};

use super::format::ViewFormat;
use super::style::Style;
use crate::Failure;

/// The look of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// The format.
    pub(crate) format: ViewFormat,
    /// Plain or coloured.
    pub(crate) style: Style,
    /// The number of columns, if lines must not be longer.
    pub(crate) width: Option<usize>,
}

/// A page on stdout, or on a part of the screen.
pub(crate) struct Page<'a> {
    /// The look.
    pub(crate) look: Look,
    out: &'a mut dyn Write,
    is_closed: bool,
}

impl<'a> Page<'a> {
    pub(crate) fn new(look: Look, out: &'a mut dyn Write) -> Self {
        Self { look, out, is_closed: false }
    }

    /// Returns true if the reader has gone, so that a command may end early.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Writes a part of the page. If its reader has closed the pipe, that is no error.
    ///
    /// # Errors
    ///
    /// The page cannot be written.
    pub(crate) fn write(
        &mut self,
        write: impl FnOnce(&mut dyn Write, Look) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.is_closed {
            return Ok(());
        }
        match write(self.out, self.look) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            Err(error) => Err(Failure::Unusable(format!("cannot write to stdout: {error}"))),
        }
    }

    /// Writes a document of the process as it is.
    ///
    /// # Errors
    ///
    /// The page cannot be written.
    pub(crate) fn document(&mut self, document: &[u8]) -> Result<(), Failure> {
        self.write(|out, _| {
            out.write_all(document.trim_ascii_end())?;
            writeln!(out)
        })
    }
}
