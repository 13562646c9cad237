//! Reads files, or objects of the API server, as a whole.

use std::path::Path;

use super::collector::{ApiObject, Collector};
use super::files::{load, shown};
use super::manifests::{Manifests, Source};
use super::options::Options;
use super::service_places::ServicePlaces;
use crate::config::draft::Draft;
use crate::config::{Diagnostic, Diagnostics, settle};

/// Reads a file, or the files of a directory that [`files`](super::files) lists.
///
/// # Errors
///
/// A file cannot be read or has an error. The problems of all files are listed.
pub fn read(path: &Path) -> Result<Manifests, Diagnostics> {
    read_with(&Options::default(), path)
}

/// Reads a file, or the files of a directory that [`files`](super::files) lists, with these options.
///
/// # Errors
///
/// A file cannot be read or has an error. The problems of all files are listed.
pub fn read_with(options: &Options, path: &Path) -> Result<Manifests, Diagnostics> {
    let mut diagnostics = Vec::new();
    let sources = load(path, &mut diagnostics);
    parse_loaded(options, &shown(path), sources, diagnostics)
}

/// Parses files that [`load`] has read, with the problems that it reported.
pub fn parse_loaded(
    options: &Options,
    name: &str,
    sources: Vec<Source>,
    diagnostics: Vec<Diagnostic>,
) -> Result<Manifests, Diagnostics> {
    let manifests = parse_all(options, name, &sources, diagnostics)?;
    Ok(Manifests { sources, ..manifests })
}

/// Parses files in memory. `name` is the name of all files together in diagnostics.
///
/// # Errors
///
/// A file has an error. The problems of all files are listed.
pub fn parse(name: &str, sources: &[Source]) -> Result<Manifests, Diagnostics> {
    parse_with(&Options::default(), name, sources)
}

/// Parses files in memory, with these options.
///
/// # Errors
///
/// A file has an error. The problems of all files are listed.
pub fn parse_with(
    options: &Options,
    name: &str,
    sources: &[Source],
) -> Result<Manifests, Diagnostics> {
    parse_all(options, name, sources, Vec::new())
}

fn parse_all(
    options: &Options,
    name: &str,
    sources: &[Source],
    mut diagnostics: Vec<Diagnostic>,
) -> Result<Manifests, Diagnostics> {
    let mut collector = collect(options, sources, &mut diagnostics);
    let config = collector.resolve(name, &mut diagnostics);
    let warnings = settle(diagnostics)?;
    Ok(collector.into_manifests(config, warnings))
}

fn collect<'a>(
    options: &'a Options,
    sources: &[Source],
    diagnostics: &mut Vec<Diagnostic>,
) -> Collector<'a> {
    let mut collector = Collector::new(options);
    // Problems so far mean that some file could not be read.
    if !diagnostics.is_empty() {
        collector.set_incomplete();
    }
    for source in sources {
        collector.add_file(source, diagnostics);
    }
    collector
}

/// Reads objects of the API server. `name` is the name of all objects together in diagnostics.
pub fn read_api_objects<'a>(
    options: &Options,
    name: &str,
    objects: impl IntoIterator<Item = ApiObject<'a>>,
) -> Result<Manifests, Diagnostics> {
    let (mut collector, mut diagnostics) = (Collector::new(options), Vec::new());
    for object in objects {
        collector.add_api_object(&object, &mut diagnostics);
    }
    let config = collector.resolve(name, &mut diagnostics);
    let warnings = settle(diagnostics)?;
    Ok(collector.into_manifests(config, warnings))
}

/// The result of checking files before they are applied.
#[derive(Debug)]
pub struct Examination {
    /// The objects, if there is no error.
    pub manifests: Option<Manifests>,
    /// The configuration in force as it was read, with its places.
    pub(crate) draft: Option<Draft>,
    /// The places of the Services.
    pub(crate) services: ServicePlaces,
    /// All errors and warnings, in order of file and line, including those about settings without effect.
    pub problems: Vec<Diagnostic>,
}

/// Parses files, and also looks for settings without effect or with an unintended one.
pub fn examine(
    options: &Options,
    name: &str,
    sources: &[Source],
    mut diagnostics: Vec<Diagnostic>,
) -> Examination {
    let mut collector = collect(options, sources, &mut diagnostics);
    let config = collector.resolve(name, &mut diagnostics);
    collector.lint(&config, &mut diagnostics);
    let draft = collector.draft().cloned();
    let services = collector.take_service_places();

    match settle(diagnostics) {
        Ok(problems) => {
            let manifests = collector.into_manifests(config, problems.clone());
            Examination { manifests: Some(manifests), draft, services, problems }
        }
        Err(problems) => {
            let problems = problems.into_iter().collect();
            Examination { manifests: None, draft, services, problems }
        }
    }
}
