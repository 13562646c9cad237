//! Telling about problems of the files, on stderr.

use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::output::LogFormat;
use lb_adapter::config::{Diagnostic, Severity};

/// Writes problems of the files in the form that the logs have.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Problems {
    format: LogFormat,
}

impl Problems {
    /// In text one line each, as compilers write them; in JSON one event each.
    pub fn new(format: LogFormat) -> Self {
        Self { format }
    }

    /// Tells about errors that keep the files from taking effect, and about the warnings beside
    /// them; then what follows from it.
    pub fn refused(self, problems: &[Diagnostic], consequence: &str) {
        let errors = problems.iter().filter(|it| it.severity == Severity::Error).count();
        self.each(problems);
        let noun = if errors == 1 { "error" } else { "errors" };
        self.error(&format!("{errors} {noun} in the files: {consequence}"));
    }

    /// Tells that files that were refused are right again.
    pub fn mended(self) {
        match self.format {
            LogFormat::Text => line("ferrolb: the files are right again"),
            LogFormat::Json => tracing::info!("the files are right again"),
        }
    }

    /// Tells about what is odd in files that have taken effect.
    pub fn warnings(self, warnings: &[Diagnostic]) {
        self.each(warnings);
    }

    /// Tells about something odd that is in no file.
    pub fn warning(self, message: &str) {
        match self.format {
            LogFormat::Text => line(&format!("ferrolb: warning: {message}")),
            LogFormat::Json => tracing::warn!("{message}"),
        }
    }

    /// Writes what a command has assumed.
    pub fn note(self, message: &str) {
        match self.format {
            LogFormat::Text => line(&format!("ferrolb: note: {message}")),
            LogFormat::Json => tracing::info!("{message}"),
        }
    }

    /// Tells about something that went wrong elsewhere.
    pub fn error(self, message: &str) {
        match self.format {
            LogFormat::Text => line(&format!("ferrolb: error: {message}")),
            LogFormat::Json => tracing::error!("{message}"),
        }
    }

    fn each(self, problems: &[Diagnostic]) {
        for problem in problems {
            match self.format {
                LogFormat::Text => line(&problem.to_string()),
                LogFormat::Json => event(problem),
            }
        }
    }
}

fn event(problem: &Diagnostic) {
    let Diagnostic { severity, file, line, column, path, message, .. } = problem;
    match severity {
        Severity::Error => tracing::error!(%file, line, column, %path, "{message}"),
        Severity::Warning => tracing::warn!(%file, line, column, %path, "{message}"),
    }
}

/// Nobody can be told that stderr is closed.
fn line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The time of day in UTC, for events on a terminal.
pub fn clock() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = now.as_secs() % (24 * 60 * 60);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", now.subsec_millis())
}
