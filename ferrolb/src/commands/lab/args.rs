//! The arguments of `ferrolb lab`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::input::{ClusterArgs, HttpArgs, parse_duration};
use crate::output::OutputFormat;

/// Arguments of `ferrolb lab`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct LabArgs {
    /// Directory or file with the manifests; `-` is stdin, which is read once.
    #[arg(value_name = "DIR", env = "FERROLB_DIR")]
    pub dir: PathBuf,
    /// End as soon as the routers' tables are as planned, with exit code 0; or after --timeout, with the differences and
    /// exit code 1.
    #[arg(long, conflicts_with = "follow")]
    pub once: bool,
    /// Keep running and follow changes of the files, even if stdout is not a terminal.
    #[arg(long)]
    pub follow: bool,
    /// Time limit of --once, such as 30s or 1m.
    #[arg(long, value_name = "TIME", default_value = "30s", env = "FERROLB_TIMEOUT", value_parser = parse_duration)]
    pub timeout: Duration,
    /// TCP port of the routers; 0 for any free port.
    #[arg(long, default_value_t = 1790, env = "FERROLB_PORT")]
    pub port: u16,
    /// `json` prints one document, or one line for each change with --follow.
    #[arg(long, short, value_enum, default_value_t, env = "FERROLB_OUTPUT")]
    pub output: OutputFormat,
    /// File for the addresses of the Services. Default: none, so that a restart may change them.
    #[arg(long, value_name = "FILE", env = "FERROLB_STATE_FILE")]
    pub state_file: Option<PathBuf>,
    /// The places where it answers.
    #[command(flatten)]
    pub http: HttpArgs,
    /// The options of the cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
