//! `ferrolb check`: what is wrong with a configuration, and what is odd, before it is applied.
//!
//! Owns the command and its output. What is wrong is found by [`lb_adapter::config`] and
//! [`lb_adapter::manifest`], as it is when the files are put to work.

mod snippet;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::Failure;
use crate::input::ClusterArgs;
use crate::output::OutputFormat;
use lb_adapter::config::{Diagnostic, Severity};
use lb_adapter::manifest::{self, Manifests, Options, Source};
use lb_adapter::model::ServiceType;
use snippet::Snippet;

/// Arguments of `ferrolb check`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct CheckArgs {
    /// Files, and directories of files: ConfigMaps, bare configurations of MetalLB up to 0.12,
    /// metallb.io resources, and other manifests; `-` is stdin. All of them together are one
    /// configuration.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Fail for warnings too.
    #[arg(long)]
    pub strict: bool,
    /// `json` prints one document.
    #[arg(long, short, value_enum, default_value_t, env = "FERROLB_OUTPUT")]
    pub output: OutputFormat,
    /// The options of the cluster. The Services that it would serve are judged.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Checks, and prints what it found.
///
/// # Errors
///
/// The files have errors, or warnings with `--strict`; or they cannot be read.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let read = Input::read(&args.files)?;
    let options = Options { lenient: true, ..args.cluster.configuration.manifests() };
    let (problems, manifests) =
        lb_adapter::check::examine(&options, &read.name, &read.sources, &args.cluster.options());
    let found = Found::of(&problems, &read.sources);
    let mut out = io::stdout().lock();
    let written = match args.output {
        OutputFormat::Text => found.write_text(manifests.as_ref(), &mut out),
        OutputFormat::Json => found.write_json(&mut out),
    };
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(Failure::Unusable(format!("stdout: {error}")));
        }
        _ => {}
    }
    match found.errors > 0 || (args.strict && found.warnings > 0) {
        true => Err(Failure::Configuration),
        false => Ok(()),
    }
}

/// The files that a command was given.
#[derive(Debug)]
pub(crate) struct Input {
    /// What all of them together are called.
    pub(crate) name: String,
    /// Each of them.
    pub(crate) sources: Vec<Source>,
}

impl Input {
    /// Reads files, directories and stdin.
    ///
    /// # Errors
    ///
    /// Some of them cannot be read; all of these are named.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut unreadable = Vec::new();
        let mut sources: Vec<Source> = Vec::new();
        for path in paths {
            let read = manifest::load(path, &mut unreadable);
            // A file that is named twice, or beside its directory, is read once.
            sources.extend(
                read.into_iter()
                    .filter(|new| !sources.iter().any(|old| old.name == new.name))
                    .collect::<Vec<_>>(),
            );
        }
        if !unreadable.is_empty() {
            let said = unreadable.iter().map(|it| format!("{}: {}", it.file, it.message));
            return Err(Failure::Unusable(said.collect::<Vec<_>>().join("; ")));
        }
        let names: Vec<_> = paths.iter().map(|path| manifest::shown(path)).collect();
        Ok(Self { name: names.join(", "), sources })
    }
}

/// What there is to tell.
#[derive(Debug, Serialize)]
struct Found<'a> {
    errors: usize,
    warnings: usize,
    problems: Vec<Problem<'a>>,
}

#[derive(Debug, Serialize)]
struct Problem<'a> {
    #[serde(flatten)]
    diagnostic: &'a Diagnostic,
    /// The line that it is in; not there where a password may be in it.
    snippet: Option<Snippet>,
}

impl<'a> Found<'a> {
    fn of(problems: &'a [Diagnostic], sources: &[Source]) -> Self {
        let texts: BTreeMap<&str, Vec<&str>> = sources
            .iter()
            .filter_map(|it| Some((it.name.as_str(), std::str::from_utf8(&it.octets).ok()?)))
            .map(|(name, text)| (name, text.lines().collect()))
            .collect();
        let count = |severity| problems.iter().filter(|it| it.severity == severity).count();
        let problem = |diagnostic: &'a Diagnostic| Problem {
            diagnostic,
            snippet: texts
                .get(diagnostic.file.as_str())
                .and_then(|lines| Snippet::of(diagnostic, lines)),
        };
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            problems: problems.iter().map(problem).collect(),
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }

    fn write_text(&self, manifests: Option<&Manifests>, out: &mut dyn Write) -> io::Result<()> {
        for problem in &self.problems {
            writeln!(out, "{}", problem.diagnostic)?;
            if let Some(snippet) = &problem.snippet {
                snippet.write(out)?;
            }
        }
        if let Some(manifests) = manifests {
            let config = &manifests.config;
            let counted = [
                counted(config.peers.len(), "peer"),
                counted(config.pools.len(), "pool"),
                counted(config.bgp_advertisements.len(), "advertisement"),
            ];
            let balanced = manifests.services.iter();
            let balanced = balanced.filter(|it| it.type_ == ServiceType::LoadBalancer).count();
            let services = (balanced > 0).then(|| self::counted(balanced, "Service"));
            let counted: Vec<_> = counted.into_iter().chain(services).collect();
            write!(out, "{}: ", counted.join(", "))?;
        }
        match (self.errors, self.warnings) {
            (0, 0) => writeln!(out, "nothing wrong"),
            (0, warnings) => writeln!(out, "{}", counted(warnings, "warning")),
            (errors, 0) => writeln!(out, "{}", counted(errors, "error")),
            (errors, warnings) => {
                writeln!(out, "{}, {}", counted(errors, "error"), counted(warnings, "warning"))
            }
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
