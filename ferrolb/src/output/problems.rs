//! Errors and warnings on stderr.

use std::io::{self, Write as _};

use lb_adapter::config::{Diagnostic, Severity};

use super::format::LogFormat;
use crate::Failure;

/// Writes errors and warnings in the format of the logs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Problems {
    format: LogFormat,
}

impl Problems {
    /// Returns a writer for a format: in text, one line each, as compilers do; in JSON, one event each.
    pub fn new(format: LogFormat) -> Self {
        Self { format }
    }

    /// Reports errors that keep the files from taking effect, their warnings, and the consequence.
    pub fn rejected(self, problems: &[Diagnostic], consequence: &str) {
        self.diagnostics(problems);

        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        let noun = if errors == 1 { "error" } else { "errors" };
        self.error(&format!("{errors} {noun} in the files: {consequence}"));
    }

    /// Reports that rejected files have no errors any more.
    pub fn resolved(self) {
        match self.format {
            LogFormat::Text => write_line("ferrolb: the files have no errors any more"),
            LogFormat::Json => tracing::info!("the files have no errors any more"),
        }
    }

    /// Reports the warnings about files that have taken effect.
    pub fn warnings(self, warnings: &[Diagnostic]) {
        self.diagnostics(warnings);
    }

    /// Reports a warning that is about no file.
    pub fn warning(self, message: &str) {
        match self.format {
            LogFormat::Text => write_line(&format!("ferrolb: warning: {message}")),
            LogFormat::Json => tracing::warn!("{message}"),
        }
    }

    /// Reports an assumption of a command.
    pub fn note(self, message: &str) {
        match self.format {
            LogFormat::Text => write_line(&format!("ferrolb: note: {message}")),
            LogFormat::Json => tracing::info!("{message}"),
        }
    }

    /// Reports an error that is in no file.
    pub fn error(self, message: &str) {
        match self.format {
            LogFormat::Text => write_line(&format!("ferrolb: error: {message}")),
            LogFormat::Json => tracing::error!("{message}"),
        }
    }

    /// Reports the failure of a command, unless that has been done.
    pub fn failure(self, failure: &Failure) {
        if let Some(message) = failure.message() {
            self.error(message);
        }
    }

    fn diagnostics(self, diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics {
            match self.format {
                LogFormat::Text => write_line(&diagnostic.to_string()),
                LogFormat::Json => log(diagnostic),
            }
        }
    }
}

fn log(diagnostic: &Diagnostic) {
    let Diagnostic { severity, file, line, column, path, message, .. } = diagnostic;
    match severity {
        Severity::Error => tracing::error!(%file, line, column, %path, "{message}"),
        Severity::Warning => tracing::warn!(%file, line, column, %path, "{message}"),
    }
}

/// Writes a line to stderr. There is no place left to report that stderr is closed.
fn write_line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
