//! The arguments of `ferrolb run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ferrolb_node::grace;

use crate::input::{ClusterArgs, DrainArgs, HttpArgs, parse_duration};

/// Arguments of `ferrolb run`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct RunArgs {
    /// Directory or file with the manifests; `-` is stdin, which is read once.
    #[arg(value_name = "DIR", env = "FERROLB_DIR")]
    pub dir: PathBuf,
    /// Name of the Node to speak for.
    #[arg(long, value_name = "NAME", env = "FERROLB_NODE")]
    pub node: String,
    /// File for the addresses of the Services, which is replaced atomically. Default: NODE.json in $STATE_DIRECTORY, which
    /// systemd sets, else in /var/lib/ferrolb.
    #[arg(long, value_name = "FILE", env = "FERROLB_STATE_FILE")]
    pub state_file: Option<PathBuf>,
    /// Time for which Services keep their addresses after the last pool is deleted, such as 5m; 0 to release them at
    /// once.
    #[arg(long, value_name = "TIME", default_value = grace::DEFAULT_GRACE_PERIOD, env = "FERROLB_POOL_GRACE_PERIOD", value_parser = parse_duration)]
    pub pool_grace_period: Duration,
    /// The times of a drain, which an operator requests.
    #[command(flatten)]
    pub drain: DrainArgs,
    /// The places where it answers.
    #[command(flatten)]
    pub http: HttpArgs,
    /// The options of the cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
