//! The arguments that name a cluster and one of its speakers.

use clap::Args;

use super::place::{Found, PlaceArgs};
use super::view::ViewArgs;
use crate::Failure;

/// The cluster whose API server is asked instead of a process.
#[cfg(feature = "kubernetes")]
#[derive(Clone, Debug, Default, Args)]
#[command(group = clap::ArgGroup::new("api_server").args(["of_cluster", "kubeconfig"]).multiple(true))]
#[non_exhaustive]
pub struct ApiServerArgs {
    /// Ask the API server of a cluster instead: the one that KUBECONFIG names, else the pod's.
    #[arg(long = "cluster")]
    pub of_cluster: bool,
    /// Ask the API server that this kubeconfig names.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<std::path::PathBuf>,
}

#[cfg(feature = "kubernetes")]
impl ApiServerArgs {
    /// Returns true if the arguments name a cluster rather than a process.
    pub(crate) fn is_given(&self) -> bool {
        self.of_cluster || self.kubeconfig.is_some()
    }
}

/// FerroLB in a cluster, which is asked instead of a process on this machine.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct InClusterArgs {
    /// The API server.
    #[cfg(feature = "kubernetes")]
    #[command(flatten)]
    pub api_server: ApiServerArgs,
    /// With --cluster: namespace of FerroLB. Default: that of the kubeconfig's context, metallb-system or ferrolb-system, the
    /// first that has speakers.
    #[cfg(feature = "kubernetes")]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
}

impl InClusterArgs {
    /// Returns true if the arguments name a cluster.
    pub(crate) fn is_given(&self) -> bool {
        #[cfg(feature = "kubernetes")]
        return self.api_server.is_given();
        #[cfg(not(feature = "kubernetes"))]
        false
    }

    /// Finds the process at `place`, or the speaker of this node in the cluster.
    ///
    /// # Errors
    ///
    /// It is not clear which process is meant, or the cluster has no speaker on the node.
    pub(crate) async fn find(
        &self,
        place: &PlaceArgs,
        node: Option<&str>,
    ) -> Result<Found, Failure> {
        #[cfg(feature = "kubernetes")]
        if self.is_given() {
            let (kubeconfig, namespace) =
                (self.api_server.kubeconfig.as_ref(), self.namespace.as_deref());
            let pod = ferrolb_kubernetes::SpeakerPod::find(kubeconfig, namespace, node).await?;
            return Ok(Found::pod(pod));
        }
        #[cfg(feature = "kubernetes")]
        if let Some(namespace) = &self.namespace {
            return Err(Failure::Unusable(format!(
                "--namespace {namespace}: expected --cluster or --kubeconfig with it: it is FerroLB's namespace in a cluster"
            )));
        }

        let _ = node;
        place.find().await
    }
}

/// The speaker to ask in a cluster, for answers about a whole process.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct ClusterNodeArgs {
    /// With --cluster: ask the speaker of this node, through the API server.
    #[cfg(feature = "kubernetes")]
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
}

impl ClusterNodeArgs {
    /// Returns the node, if there is one.
    ///
    /// # Errors
    ///
    /// There is one without a cluster.
    pub(crate) fn of(&self, cluster: &InClusterArgs) -> Result<Option<&str>, Failure> {
        #[cfg(feature = "kubernetes")]
        if let Some(node) = &self.node {
            if cluster.is_given() {
                return Ok(Some(node));
            }
            return Err(Failure::Unusable(format!(
                "--node {node}: expected --cluster or --kubeconfig with it: a process on this machine has only its own answer"
            )));
        }

        let _ = cluster;
        Ok(None)
    }
}

impl ViewArgs {
    /// Finds the process or the speaker to ask.
    ///
    /// # Errors
    ///
    /// As for [`InClusterArgs::find`].
    pub(crate) async fn find(&self, node: Option<&str>) -> Result<Found, Failure> {
        self.cluster.find(&self.place, node).await
    }
}
