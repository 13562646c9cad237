//! A whole file or stdin, and its lines.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use lb_adapter::manifest::{is_stdin, shown};

use crate::cli::Failure;

/// Reads a file, or stdin for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = match is_stdin(path) {
        true => io::stdin().lock().read_to_end(&mut text),
        false => File::open(path).and_then(|mut file| file.read_to_end(&mut text)),
    };
    read.map_err(|error| Failure::Unusable(format!("cannot read {}: {error}", shown(path))))?;
    Ok(text)
}
