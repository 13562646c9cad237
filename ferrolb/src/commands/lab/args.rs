//! The arguments of `ferrolb lab`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::duration;
use crate::input::ClusterArgs;
use crate::output::OutputFormat;

/// Arguments of `ferrolb lab`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct LabArgs {
    /// Directory or file with the manifests; `-` is stdin, which is read once.
    #[arg(value_name = "DIR", env = "FERROLB_DIR")]
    pub dir: PathBuf,
    /// End as soon as the router's table is right: 0, or 1 with the differences after --timeout.
    #[arg(long, conflicts_with = "follow")]
    pub once: bool,
    /// Stay and follow changes of the files even if stdout is no terminal.
    #[arg(long)]
    pub follow: bool,
    /// How long --once waits, such as 30s or 1m.
    #[arg(long, value_name = "TIME", default_value = "30s", env = "FERROLB_TIMEOUT", value_parser = duration)]
    pub timeout: Duration,
    /// TCP port of the routers; 0 is any that is free.
    #[arg(long, default_value_t = 1790, env = "FERROLB_PORT")]
    pub port: u16,
    /// `json` prints one document; with --follow one line for each change.
    #[arg(long, short, value_enum, default_value_t, env = "FERROLB_OUTPUT")]
    pub output: OutputFormat,
    /// File that remembers which Service has which address. Default: not over a restart.
    #[arg(long, value_name = "FILE", env = "FERROLB_STATE_FILE")]
    pub state_file: Option<PathBuf>,
    /// What a cluster is like.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
