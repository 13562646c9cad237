//! A file or stdin, read to its end.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use lb_adapter::manifest::{is_stdin, shown};

use crate::Failure;

/// Reads a file, or stdin for `-`.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    read_to_end(path)
        .map_err(|error| Failure::Unusable(format!("cannot read {}: {error}", shown(path))))
}

fn read_to_end(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    if is_stdin(path) {
        io::stdin().lock().read_to_end(&mut octets)?;
    } else {
        File::open(path)?.read_to_end(&mut octets)?;
    }
    Ok(octets)
}
