//! The start of a command that keeps running: manifests without errors, and the addresses of the last run.

use std::path::{Path, PathBuf};

use ferrolb_node::files::{ManifestSource, StateFile};
use lb_adapter::manifest::{self, Manifests, Options};

use crate::Failure;
use crate::output::Problems;

/// The input that a command starts with.
#[derive(Debug)]
pub(crate) struct Startup {
    pub(crate) source: ManifestSource,
    pub(crate) manifests: Manifests,
    pub(crate) state_file: StateFile,
}

impl Startup {
    /// Reads the manifests and the state file, and reports warnings and errors.
    pub(crate) fn read(
        dir: &Path,
        options: &Options,
        state_file: Option<PathBuf>,
        problems: Problems,
    ) -> Result<Self, Failure> {
        let (source, reading) = ManifestSource::open(dir, options).map_err(|error| {
            Failure::Unusable(format!("cannot read {}: {error}", manifest::shown(dir)))
        })?;

        let manifests = match reading {
            Ok(manifests) => manifests,
            Err(errors) => {
                problems.rejected(errors.as_slice(), "nothing is announced");
                return Err(Failure::Configuration);
            }
        };
        problems.warnings(&manifests.warnings);

        let state_file = StateFile::open(state_file).map_err(Failure::unusable)?;
        Ok(Self { source, manifests, state_file })
    }
}
