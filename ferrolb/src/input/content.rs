//! The content of a path: a recording or manifests.
//!
//! Owns the rule that distinguishes them.

use std::collections::BTreeSet;
use std::path::Path;

use lb_adapter::config::Diagnostic;
use lb_adapter::manifest::{self, Manifests, Source};
use lb_adapter::recording::{self, lines};

use super::file::read_file;
use crate::Failure;
use crate::output::Problems;

/// The content of a path. It is read once, because stdin and pipes cannot be read again.
#[derive(Debug)]
pub(crate) enum InputContent {
    /// A recording.
    Recording(Vec<u8>),
    /// Manifests, not yet parsed.
    Manifests {
        /// The name for all of them together in diagnostics.
        name: String,
        sources: Vec<Source>,
        /// The files that could not be read.
        unreadable: Vec<Diagnostic>,
    },
}

impl InputContent {
    /// Reads a directory, a file, or stdin for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let name = manifest::shown(path);
        let mut unreadable = Vec::new();
        if path.is_dir() {
            let sources = manifest::load(path, &mut unreadable);
            return Ok(Self::Manifests { name, sources, unreadable });
        }

        let octets = read_file(path)?;
        if is_recording(&octets) {
            return Ok(Self::Recording(octets));
        }

        let source = manifest::limited(&name, octets, &mut unreadable);
        Ok(Self::Manifests { name, sources: source.into_iter().collect(), unreadable })
    }

    /// Returns the namespaces of the objects that belong to a configuration.
    pub(crate) fn namespaces(&self) -> BTreeSet<String> {
        let Self::Manifests { sources, .. } = self else { return BTreeSet::new() };
        let texts = sources.iter().filter_map(|source| std::str::from_utf8(&source.octets).ok());
        texts.flat_map(recording::namespaces_of).collect()
    }

    /// Returns the manifests, or fails if they have errors.
    pub(crate) fn manifests(
        self,
        options: &manifest::Options,
        problems: Problems,
    ) -> Result<Manifests, Failure> {
        let Self::Manifests { name, sources, unreadable } = self else {
            return Err(Failure::Unusable("expected manifests, found a recording".to_owned()));
        };

        match manifest::parse_loaded(options, &name, sources, unreadable) {
            Ok(manifests) => {
                problems.warnings(&manifests.warnings);
                Ok(manifests)
            }
            Err(errors) => {
                problems.rejected(errors.as_slice(), "they cannot be used");
                Err(Failure::Configuration)
            }
        }
    }
}

/// Returns true if a text is a recording: its first line that is not blank is a step.
fn is_recording(text: &[u8]) -> bool {
    let first = lines(text).find(|line| !line.trim_ascii().is_empty());
    first.is_some_and(recording::is_step)
}

/// Fails if more than one argument is stdin.
pub(crate) fn check_stdin_used_once<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Failure> {
    let count = paths.into_iter().filter(|path| manifest::is_stdin(path)).count();
    if count > 1 {
        let message = "stdin can be read only once: expected `-` for one argument only";
        return Err(Failure::Unusable(message.to_owned()));
    }
    Ok(())
}
