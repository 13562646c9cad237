//! Reloads of the manifests that a command follows.
//!
//! Owns which manifests are put in force, and reports their errors. [`ferrolb_node::files`] decides when files are read.

use std::path::Path;

use ferrolb_api::{Configuration, ConfigurationState, Timestamp};
use ferrolb_node::events::{EventLog, configuration_loaded, configuration_refused};
use ferrolb_node::files::ManifestResult;
use ferrolb_node::metrics::ConfigSample;
use lb_adapter::config::{Diagnostics, Severity};
use lb_adapter::manifest::{Manifests, shown};

use crate::output::Problems;

/// Passes valid manifests on, and reports the errors of the others.
#[derive(Debug)]
pub struct Reload {
    problems: Problems,
    last_failed: bool,
    /// The errors of the files on disk, the first ones.
    errors: Vec<String>,
    events: EventLog,
}

impl Reload {
    /// Returns a value that has not rejected any manifests yet. It records what becomes of them.
    pub fn new(problems: Problems, events: EventLog) -> Self {
        Self { problems, last_failed: false, errors: Vec::new(), events }
    }

    /// Returns the state of the configuration from this place, loaded at this time.
    pub fn configuration(&self, source: &Path, loaded_at: Option<Timestamp>) -> Configuration {
        let state = match loaded_at {
            None => ConfigurationState::Missing,
            Some(_) if self.last_failed => ConfigurationState::Stale,
            Some(_) => ConfigurationState::Valid,
        };
        let source = shown(source);
        Configuration { state, source, loaded_at, errors: self.errors.clone() }
    }

    /// Returns the state of the configuration for metrics.
    pub fn config_sample(&self, loaded_at: Option<Timestamp>) -> ConfigSample {
        let seconds = loaded_at.map(|time| time.as_duration().as_secs_f64());
        ConfigSample::new(loaded_at.is_some(), self.last_failed, seconds)
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
                self.refuse(errors_of(&errors));
                return None;
            }
        };
        if let Err(error) = check(&manifests) {
            self.problems.error(&format!("{error}: {CONSEQUENCE}"));
            self.refuse(vec![error]);
            return None;
        }

        self.errors.clear();
        self.problems.warnings(&manifests.warnings);
        if std::mem::take(&mut self.last_failed) {
            self.problems.resolved();
        }
        self.events.record(configuration_loaded());
        Some(manifests)
    }

    fn refuse(&mut self, errors: Vec<String>) {
        self.last_failed = true;
        self.events.record(configuration_refused(&errors, CONSEQUENCE));
        self.errors = errors;
    }
}

/// Returns the errors among the problems, each with its place. None has a line of the file, which may contain a password.
fn errors_of(diagnostics: &Diagnostics) -> Vec<String> {
    let errors = diagnostics.as_slice().iter().filter(|it| it.severity == Severity::Error);
    errors.take(MOST_ERRORS).map(ToString::to_string).collect()
}

/// The most errors that are kept.
const MOST_ERRORS: usize = 20;
/// The consequence of an error in files that had none before.
const CONSEQUENCE: &str = "the last valid configuration stays in force";
