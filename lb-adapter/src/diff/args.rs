//! The command `ferrolb diff`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Difference, State};
use crate::allocator::Held;
use crate::args::OutputFormat;
use crate::ask::ProcessArgs;
use crate::cluster::{Cluster, ClusterArgs, manifests};
use crate::engine::Change;
use crate::failure::Failure;
use crate::report::Problems;

/// Arguments of `ferrolb diff`.
#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
#[non_exhaustive]
pub struct DiffArgs {
    /// What there is: a directory or file of manifests, or a recording. Default: with --from what is
    /// there, else what the process at --url knows, or --cluster.
    #[arg(value_name = "OLD")]
    pub old: Option<PathBuf>,
    /// What there would be. Services keep the addresses of OLD for as long as they may.
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Take Services, endpoints and nodes from here, and of OLD and NEW the configuration alone.
    #[arg(long, value_name = "DIR|RECORDING")]
    pub from: Option<PathBuf>,
    /// The process to ask.
    #[command(flatten)]
    pub process: ProcessArgs,
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
    let config = |path| {
        let read = manifests(path, &args.cluster, true, problems);
        read.map(|manifests| Arc::new(manifests.config))
    };
    if let Some(from) = &args.from {
        let new = config(&args.new)?;
        let old = match &args.old {
            Some(old) => Cluster::of_config(from, &config(old)?, &args.cluster, problems)?,
            None => Cluster::read(from, &args.cluster, Held::new(), problems)?,
        };
        let mut engine = old.engine;
        let before = State::of(&engine);
        engine.apply(Change::Config(new));
        return Ok((before, State::of(&engine)));
    }
    let old = args.old.as_deref();
    let old = Cluster::read_or_ask(old, &args.process, &args.cluster, problems)?.engine;
    let new = Cluster::read(&args.new, &args.cluster, old.held(), problems)?.engine;
    let states = (State::of(&old), State::of(&new));
    Ok(match args.old {
        Some(_) => states,
        // A process tells no passwords.
        None => (states.0.without_passwords(), states.1.without_passwords()),
    })
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
