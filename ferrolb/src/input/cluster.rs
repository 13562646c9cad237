//! Clusters, read from manifests or recordings, or fetched from a process or an API server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use lb_adapter::allocator::HeldAddresses;
use lb_adapter::engine::{Change, Engine};
use lb_adapter::manifest;
use lb_adapter::model::Config;
use lb_adapter::recording::{Cluster, Replay};

use super::arguments::{ClusterArgs, ConfigurationArgs};
use super::content::InputContent;
use super::process::{FetchedRecording, ProcessArgs};
use crate::Failure;
use crate::output::Problems;

/// Reads a directory or a file of manifests, or a recording to its end. The addresses in `held` take precedence over the
/// status of the Services.
///
/// # Errors
///
/// It cannot be read, or the manifests have errors, which are reported.
pub fn read_cluster(
    path: &Path,
    args: &ClusterArgs,
    held: HeldAddresses,
    problems: Problems,
) -> Result<Cluster, Failure> {
    cluster_of(InputContent::read(path)?, args, held, problems)
}

/// Does the same as [`read_cluster`] with content that has been read.
pub(crate) fn cluster_of(
    content: InputContent,
    args: &ClusterArgs,
    held: HeldAddresses,
    problems: Problems,
) -> Result<Cluster, Failure> {
    if let InputContent::Recording(text) = &content {
        return Ok(replay(text, args, held, problems));
    }

    let manifests = content.manifests(&args.configuration.manifests(), problems)?;
    let mut engine = Engine::new(args.options(), None).remembering(held);
    engine.load(manifests);
    Ok(Cluster { engine, sessions: BTreeMap::new() })
}

/// Reads the objects of manifests or of a recording, and replaces their configuration.
///
/// # Errors
///
/// The same as for [`read_cluster`].
pub fn read_with_config(
    path: &Path,
    config: &Arc<Config>,
    args: &ClusterArgs,
    problems: Problems,
) -> Result<Cluster, Failure> {
    let content = InputContent::read(path)?;
    if let InputContent::Recording(text) = &content {
        let mut cluster = replay(text, args, HeldAddresses::new(), problems);
        cluster.engine.apply(Change::Config(Arc::clone(config)));
        return Ok(cluster);
    }

    let options = manifest::Options { config_required: false, ..args.configuration.manifests() };
    let mut manifests = content.manifests(&options, problems)?;
    manifests.config = Config::clone(config);

    let mut engine = Engine::new(args.options(), None);
    engine.load(manifests);
    Ok(Cluster { engine, sessions: BTreeMap::new() })
}

/// Reads the cluster at `path` if there is one, and otherwise fetches it.
///
/// # Errors
///
/// The same as for [`read_cluster`] and [`fetch_cluster`].
pub fn read_or_fetch(
    path: Option<&Path>,
    process: &ProcessArgs,
    args: &ClusterArgs,
    problems: Problems,
) -> Result<Cluster, Failure> {
    if let Some(path) = path {
        return read_cluster(path, args, HeldAddresses::new(), problems);
    }

    // A Service in a cluster has the addresses in its status, as for the speakers. The addresses that a controller
    // would assign to it do not matter.
    let args = ClusterArgs { follow_status: process.is_cluster(), ..args.clone() };
    fetch_cluster(process, &args, problems)
}

/// Fetches the cluster of a process or of an API server.
///
/// # Errors
///
/// It cannot be reached, or its answer is wrong.
pub fn fetch_cluster(
    process: &ProcessArgs,
    args: &ClusterArgs,
    problems: Problems,
) -> Result<Cluster, Failure> {
    Ok(fetch_cluster_from(process, args, &BTreeSet::new(), problems)?.0)
}

/// Does the same as [`fetch_cluster`], and looks for the configuration in `namespaces` first if the arguments name no
/// namespace. Returns also the arguments with the namespace where the configuration was found.
pub(crate) fn fetch_cluster_from(
    process: &ProcessArgs,
    args: &ClusterArgs,
    namespaces: &BTreeSet<String>,
    problems: Problems,
) -> Result<(Cluster, ClusterArgs), Failure> {
    let fetched = process.fetch(&args.configuration, namespaces, problems)?;
    let FetchedRecording { recording, namespace, .. } = fetched;
    let found = namespace.or_else(|| args.configuration.namespace.clone());

    let configuration = args.configuration.recorded(found.clone());
    let recorded = ClusterArgs { configuration, ..args.clone() };
    let cluster = replay(&recording, &recorded, HeldAddresses::new(), problems);

    let configuration = ConfigurationArgs { namespace: found, ..args.configuration.clone() };
    Ok((cluster, ClusterArgs { configuration, ..args.clone() }))
}

/// Replays a recording to its end.
fn replay(text: &[u8], args: &ClusterArgs, held: HeldAddresses, problems: Problems) -> Cluster {
    let mut replay = empty_replay(args, true).remembering(held);
    for problem in replay.apply_all(text) {
        problems.error(&problem);
    }
    replay.into_cluster()
}

/// Returns a replay before its first step. If `expect_sync` is true, it assigns no addresses before the sync.
pub(crate) fn empty_replay(cluster: &ClusterArgs, expect_sync: bool) -> Replay {
    let configuration = &cluster.configuration;
    let replay = Replay::new(configuration.namespace(), cluster.options(), expect_sync);
    replay.with_config_map(configuration.config_map())
}
