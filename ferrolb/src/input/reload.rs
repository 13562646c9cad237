//! Reloads of the manifests that a command follows.
//!
//! Owns which manifests are put in force, and reports their errors. [`ferrolb_node::files`] decides when files are read.

use ferrolb_node::files::ManifestResult;
use lb_adapter::manifest::Manifests;

use crate::output::Problems;

/// Passes valid manifests on, and reports the errors of the others.
#[derive(Debug)]
pub struct Reload {
    problems: Problems,
    last_failed: bool,
}

impl Reload {
    /// Returns a value that has not rejected any manifests yet.
    pub fn new(problems: Problems) -> Self {
        Self { problems, last_failed: false }
    }

    /// Returns true if the files on disk are not in force, because they have errors.
    pub fn is_stale(&self) -> bool {
        self.last_failed
    }

    /// Returns the manifests, unless they have errors or `check` finds one.
    pub fn accept(
        &mut self,
        reading: ManifestResult,
        check: impl FnOnce(&Manifests) -> Result<(), String>,
    ) -> Option<Manifests> {
        let manifests = match reading {
            Ok(manifests) => manifests,
            Err(errors) => {
                self.problems.rejected(errors.as_slice(), CONSEQUENCE);
                self.last_failed = true;
                return None;
            }
        };
        if let Err(error) = check(&manifests) {
            self.problems.error(&format!("{error}: {CONSEQUENCE}"));
            self.last_failed = true;
            return None;
        }

        self.problems.warnings(&manifests.warnings);
        if std::mem::take(&mut self.last_failed) {
            self.problems.resolved();
        }
        Some(manifests)
    }
}

/// The consequence of an error in files that had none before.
const CONSEQUENCE: &str = "the last valid configuration stays in force";
