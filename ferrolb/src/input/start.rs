//! How every command begins: with files that are right, and with what is remembered.

use std::path::{Path, PathBuf};

use crate::cli::Failure;
use crate::output::Problems;
use ferrolb_node::files::ManifestSource;
use ferrolb_node::files::StateFile;
use lb_adapter::manifest::{self, Manifests, Options};

/// What a command begins with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) source: ManifestSource,
    pub(crate) manifests: Manifests,
    pub(crate) memory: StateFile,
}

impl Start {
    /// Reads the files and the memory, and tells about warnings and errors.
    pub(crate) fn read(
        dir: &Path,
        options: &Options,
        state_file: Option<PathBuf>,
        problems: Problems,
    ) -> Result<Self, Failure> {
        let unreadable =
            |error| Failure::Unusable(format!("cannot read {}: {error}", manifest::shown(dir)));
        let (source, reading) = ManifestSource::open(dir, options).map_err(unreadable)?;
        let manifests = match reading {
            Ok(manifests) => manifests,
            Err(errors) => {
                problems.refused(errors.as_slice(), "nothing is announced");
                return Err(Failure::Configuration);
            }
        };
        problems.warnings(&manifests.warnings);
        let memory = StateFile::open(state_file).map_err(Failure::unusable)?;
        Ok(Self { source, manifests, memory })
    }
}
