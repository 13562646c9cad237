//! Results on stdout.

use std::io::{self, Write};

use serde::Serialize;

use crate::Failure;

/// Writes the result of a command with `write`. A reader that has closed the pipe has seen enough, which is no error.
///
/// # Errors
///
/// Stdout cannot be written.
pub(crate) fn write_stdout(
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match write(&mut stdout) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::Unusable(format!("cannot write to stdout: {error}"))),
    }
}

/// Writes a value as one line of JSON.
pub(crate) fn write_json_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}
