//! The output of `ferrolb check`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use lb_adapter::config::{Diagnostic, Severity};
use lb_adapter::manifest::{Manifests, Source};
use lb_adapter::model::ServiceType;
use serde::Serialize;

use super::snippet::Snippet;

/// The problems of all files, with their number.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    errors: usize,
    warnings: usize,
    problems: Vec<ReportedProblem<'a>>,
}

#[derive(Debug, Serialize)]
struct ReportedProblem<'a> {
    #[serde(flatten)]
    diagnostic: &'a Diagnostic,
    /// The line of the problem; `None` if it may contain a password.
    snippet: Option<Snippet>,
}

impl<'a> Report<'a> {
    pub(super) fn new(diagnostics: &'a [Diagnostic], sources: &[Source]) -> Self {
        let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for source in sources {
            if let Ok(text) = std::str::from_utf8(&source.octets) {
                lines.insert(&source.name, text.lines().collect());
            }
        }

        let mut report = Self { errors: 0, warnings: 0, problems: Vec::new() };
        for diagnostic in diagnostics {
            match diagnostic.severity {
                Severity::Error => report.errors += 1,
                Severity::Warning => report.warnings += 1,
            }
            let lines = lines.get(diagnostic.file.as_str());
            let snippet = lines.and_then(|lines| Snippet::of(diagnostic, lines));
            report.problems.push(ReportedProblem { diagnostic, snippet });
        }
        report
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    pub(super) fn has_warnings(&self) -> bool {
        self.warnings > 0
    }

    pub(super) fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }

    pub(super) fn write_text(
        &self,
        manifests: Option<&Manifests>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        for problem in &self.problems {
            writeln!(out, "{}", problem.diagnostic)?;
            if let Some(snippet) = &problem.snippet {
                snippet.write(out)?;
            }
        }

        if let Some(manifests) = manifests {
            write!(out, "{}: ", summary(manifests))?;
        }
        match (self.errors, self.warnings) {
            (0, 0) => writeln!(out, "no problems"),
            (0, warnings) => writeln!(out, "{}", counted(warnings, "warning")),
            (errors, 0) => writeln!(out, "{}", counted(errors, "error")),
            (errors, warnings) => {
                writeln!(out, "{}, {}", counted(errors, "error"), counted(warnings, "warning"))
            }
        }
    }
}

/// Returns the numbers of objects.
fn summary(manifests: &Manifests) -> String {
    let config = &manifests.config;
    let mut counts = vec![
        counted(config.peers.len(), "peer"),
        counted(config.pools.len(), "pool"),
        counted(config.bgp_advertisements.len(), "advertisement"),
    ];

    let services = manifests.services.iter();
    let services = services.filter(|service| service.type_ == ServiceType::LoadBalancer).count();
    if services > 0 {
        counts.push(counted(services, "Service"));
    }
    counts.join(", ")
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
