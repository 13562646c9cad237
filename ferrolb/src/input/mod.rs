//! The clusters that commands work on: manifests, recordings, and the objects of a running process or a cluster.
//!
//! Owns the arguments that say where a cluster is, and reading it. Decides nothing about the cluster.

mod api_server;
mod arguments;
mod cluster;
mod content;
mod duration;
mod file;
mod listen;
mod place;
mod process;
mod reload;
mod sources;
mod startup;
mod view;

#[cfg(feature = "kubernetes")]
pub use api_server::ApiServerArgs;
pub use api_server::{ClusterNodeArgs, InClusterArgs};
pub use arguments::{ClusterArgs, ConfigurationArgs, DrainArgs};
pub(crate) use cluster::{cluster_of, empty_replay, fetch_cluster_from};
pub use cluster::{fetch_cluster, read_cluster, read_or_fetch, read_with_config};
pub(crate) use content::{InputContent, check_stdin_used_once};
pub(crate) use duration::parse_duration;
pub(crate) use file::read_file;
pub use listen::{HttpAddress, HttpArgs, SocketArgs};
pub(crate) use place::Found;
pub use place::PlaceArgs;
pub use process::ProcessArgs;
pub use reload::Reload;
pub(crate) use sources::InputFiles;
pub(crate) use startup::Startup;
#[cfg(feature = "top")]
pub(crate) use view::parse_interval;
pub use view::{NodeArgs, ViewArgs};
