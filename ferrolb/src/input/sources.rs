//! The files that a command checks or converts, unparsed.

use std::path::PathBuf;

use lb_adapter::manifest::{self, Source};

use crate::Failure;

/// The files given to a command.
#[derive(Debug)]
pub(crate) struct InputFiles {
    /// The name for all of them together.
    pub(crate) name: String,
    /// The files, in the order given.
    pub(crate) sources: Vec<Source>,
}

impl InputFiles {
    /// Reads files, directories and stdin.
    ///
    /// # Errors
    ///
    /// Some of them cannot be read. The error names each.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut unreadable = Vec::new();
        let mut sources: Vec<Source> = Vec::new();
        for path in paths {
            // A file that is given twice, or together with its directory, is read once.
            for source in manifest::load(path, &mut unreadable) {
                if !sources.iter().any(|known| known.name == source.name) {
                    sources.push(source);
                }
            }
        }

        if !unreadable.is_empty() {
            let errors =
                unreadable.iter().map(|error| format!("{}: {}", error.file, error.message));
            return Err(Failure::Unusable(errors.collect::<Vec<_>>().join("; ")));
        }
        let names: Vec<_> = paths.iter().map(|path| manifest::shown(path)).collect();
        Ok(Self { name: names.join(", "), sources })
    }
}
