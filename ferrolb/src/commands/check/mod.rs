//! `ferrolb check`: the errors and warnings of a configuration, before it is applied.
//!
//! Owns the command and its output. [`lb_adapter::check`] finds the problems, with the code that reads the files when they
//! are put in force.

mod args;
mod report;
mod snippet;

pub use args::CheckArgs;
use lb_adapter::manifest::Options;

use crate::Failure;
use crate::input::InputFiles;
use crate::output::{OutputFormat, write_stdout};
use report::Report;

/// Checks the files, and prints the problems.
///
/// # Errors
///
/// The files have errors, or warnings with `--strict`, or they cannot be read.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let files = InputFiles::read(&args.files)?;
    let options = Options { lenient: true, ..args.cluster.configuration.manifests() };
    let planner_options = args.cluster.options();
    let (problems, manifests) =
        lb_adapter::check::examine(&options, &files.name, &files.sources, &planner_options);

    let report = Report::new(&problems, &files.sources);
    write_stdout(|out| match args.output {
        OutputFormat::Text => report.write_text(manifests.as_ref(), out),
        OutputFormat::Json => report.write_json(out),
    })?;

    if report.has_errors() || (args.strict && report.has_warnings()) {
        return Err(Failure::Configuration);
    }
    Ok(())
}
