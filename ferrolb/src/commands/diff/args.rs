//! The arguments of `ferrolb diff`.

use std::path::PathBuf;

use clap::Args;

use crate::input::{ClusterArgs, ProcessArgs};
use crate::output::OutputFormat;

/// Arguments of `ferrolb diff`.
#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
#[non_exhaustive]
pub struct DiffArgs {
    /// The current state: a directory or file of manifests, or a recording; `-` is stdin. Default: with --from, the state
    /// of its objects; else ask the process at --url, or --cluster.
    #[arg(value_name = "OLD")]
    #[cfg_attr(feature = "kubernetes", arg(conflicts_with = "api_server"))]
    pub old: Option<PathBuf>,
    /// The new state; `-` is stdin. Services keep their addresses from OLD if they can. If OLD is a cluster, or NEW is only
    /// a configuration, the configuration of NEW is applied to the objects of OLD.
    #[arg(value_name = "NEW", required_unless_present = "drain")]
    pub new: Option<PathBuf>,
    /// Instead of NEW: show what moves if this node is drained, and which nodes remain for each of its Services. The
    /// current state is that of --from, of the process at --url, or of --cluster.
    #[arg(long, value_name = "NODE", conflicts_with_all = ["old", "new"])]
    pub drain: Option<String>,
    /// Read Services, endpoints and nodes from here, and only the configuration from OLD and NEW; `-` is stdin. With
    /// --drain, read everything from here.
    #[arg(long, value_name = "DIR|RECORDING")]
    #[cfg_attr(feature = "kubernetes", arg(conflicts_with = "api_server"))]
    pub from: Option<PathBuf>,
    /// The process to ask.
    #[command(flatten)]
    pub process: ProcessArgs,
    /// `json` prints one document.
    #[arg(long, short, value_enum, default_value_t, env = "FERROLB_OUTPUT")]
    pub output: OutputFormat,
    /// The options of the cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
