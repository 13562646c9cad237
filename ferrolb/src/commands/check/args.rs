//! The arguments of `ferrolb check`.

use std::path::PathBuf;

use clap::Args;

use crate::input::ClusterArgs;
use crate::output::OutputFormat;

/// Arguments of `ferrolb check`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct CheckArgs {
    /// Files and directories: ConfigMaps, bare configurations of MetalLB up to 0.12, metallb.io resources, and other
    /// manifests; `-` is stdin. Together they are one configuration.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Fail also if there are only warnings.
    #[arg(long)]
    pub strict: bool,
    /// `json` prints one document.
    #[arg(long, short, value_enum, default_value_t, env = "FERROLB_OUTPUT")]
    pub output: OutputFormat,
    /// The options of the cluster, which decide which Services are checked.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
