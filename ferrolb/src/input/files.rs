//! Readings of the manifests that a command follows, with reports of their errors.
//!
//! Owns which readings are put in force. When files are read is the business of [`ferrolb_node::files`].

use ferrolb_node::files::ManifestResult;
use lb_adapter::manifest::Manifests;

use crate::output::Problems;

/// Tells about what readings came to, and passes the good ones on.
#[derive(Debug)]
pub struct Intake {
    problems: Problems,
    refused: bool,
}

impl Intake {
    /// Nothing was refused yet.
    pub fn new(problems: Problems) -> Self {
        Self { problems, refused: false }
    }

    /// Whether what is written now is not in force.
    pub fn is_stale(&self) -> bool {
        self.refused
    }

    /// What is to be put in force; nothing if there are errors, or if `check` finds one.
    pub fn take(
        &mut self,
        reading: ManifestResult,
        check: impl FnOnce(&Manifests) -> Result<(), String>,
    ) -> Option<Manifests> {
        let checked = reading.map(|manifests| check(&manifests).map(|()| manifests));
        let manifests = match checked {
            Ok(Ok(manifests)) => manifests,
            Ok(Err(why)) => {
                self.problems.error(&format!("{why}: {LAST_GOOD}"));
                self.refused = true;
                return None;
            }
            Err(errors) => {
                self.problems.refused(errors.as_slice(), LAST_GOOD);
                self.refused = true;
                return None;
            }
        };
        self.problems.warnings(&manifests.warnings);
        if std::mem::take(&mut self.refused) {
            self.problems.mended();
        }
        Some(manifests)
    }
}

/// What follows from an error in files that were right before.
const LAST_GOOD: &str = "the last good configuration stays in force";
