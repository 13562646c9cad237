//! The command `ferrolb diff`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Difference, State};
use crate::allocator::Held;
use crate::args::OutputFormat;
use crate::cluster::{Cluster, ClusterArgs, manifests};
use crate::engine::Change;
use crate::failure::Failure;
use crate::report::Problems;

/// Arguments of `ferrolb diff`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct DiffArgs {
    /// What there is: a directory or file of manifests, or a recording.
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// What there would be. Services keep the addresses of OLD for as long as they may.
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Take Services, endpoints and nodes from here, and of OLD and NEW the configuration alone.
    #[arg(long, value_name = "DIR|RECORDING")]
    pub from: Option<PathBuf>,
    /// `json` prints one document.
    #[arg(long, short, value_enum, default_value_t, env = "FERROLB_OUTPUT")]
    pub output: OutputFormat,
    /// What a cluster is like.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Prints what would change.
///
/// # Errors
///
/// The files cannot be read or are wrong.
pub fn run(args: &DiffArgs, problems: Problems) -> Result<(), Failure> {
    let (before, after) = states(args, problems)?;
    let differences = before.diff(&after);
    let mut out = io::stdout().lock();
    let written = match args.output {
        OutputFormat::Text => write_text(&mut out, &differences),
        OutputFormat::Json => serde_json::to_writer(&mut out, &differences)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    };
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Unusable(format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}

fn states(args: &DiffArgs, problems: Problems) -> Result<(State, State), Failure> {
    if let Some(from) = &args.from {
        let config = |path| {
            let read = manifests(path, &args.cluster, true, problems);
            read.map(|manifests| Arc::new(manifests.config))
        };
        let (old, new) = (config(&args.old)?, config(&args.new)?);
        let mut engine = Cluster::of_config(from, &old, &args.cluster, problems)?.engine;
        let before = State::of(&engine);
        engine.apply(Change::Config(new));
        return Ok((before, State::of(&engine)));
    }
    let old = Cluster::read(&args.old, &args.cluster, Held::new(), problems)?.engine;
    let new = Cluster::read(&args.new, &args.cluster, old.held(), problems)?.engine;
    Ok((State::of(&old), State::of(&new)))
}

fn write_text(out: &mut dyn Write, differences: &[Difference]) -> io::Result<()> {
    for difference in differences {
        writeln!(out, "{difference}")?;
    }
    let resets = differences
        .iter()
        .any(|it| matches!(it, Difference::Reset { .. } | Difference::Closed { .. }));
    match (differences.is_empty(), resets) {
        (true, _) => writeln!(out, "nothing changes"),
        (false, true) => Ok(()),
        (false, false) => writeln!(out, "session resets: none"),
    }
}
