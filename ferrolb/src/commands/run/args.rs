//! The arguments of `ferrolb run`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ferrolb_node::grace;

use crate::cli::duration;
use crate::input::ClusterArgs;

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
    /// File that remembers which Service has which address, written atomically. Default:
    /// $STATE_DIRECTORY/NODE.json as systemd sets it, else /var/lib/ferrolb/NODE.json.
    #[arg(long, value_name = "FILE", env = "FERROLB_STATE_FILE")]
    pub state_file: Option<PathBuf>,
    /// How long Services keep their addresses after the last pool is gone, such as 5m; 0 is not at all.
    #[arg(long, value_name = "TIME", default_value = grace::DEFAULT_GRACE_PERIOD, env = "FERROLB_POOL_GRACE_PERIOD", value_parser = duration)]
    pub pool_grace_period: Duration,
    /// Answer over HTTP here: /livez, /readyz, /metrics, and /objects, which `ferrolb explain`, `diff`
    /// and `router-config` ask for. 127.0.0.1:7472 is where they ask. Default: nowhere.
    #[arg(long, value_name = "ADDRESS:PORT", env = "FERROLB_HTTP")]
    pub http: Option<SocketAddr>,
    /// What a cluster is like.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
