//! The recording of a running process, or of the objects of a cluster.

use std::collections::BTreeSet;

use clap::Args;

#[cfg(feature = "kubernetes")]
use super::api_server::ApiServerArgs;
use super::arguments::ConfigurationArgs;
use super::place::{Found, PlaceArgs};
use crate::Failure;
use crate::client::ClientError;
use crate::output::Problems;

/// The process or the cluster to ask.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct ProcessArgs {
    /// The process, which is asked if neither manifests nor a recording are given.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The cluster, which is asked instead.
    #[cfg(feature = "kubernetes")]
    #[command(flatten)]
    pub api_server: ApiServerArgs,
}

/// The recording of a process or a cluster.
#[derive(Debug)]
pub(crate) struct FetchedRecording {
    /// The name of the process or the cluster, for messages.
    pub(crate) name: String,
    pub(crate) recording: Vec<u8>,
    /// The namespace of a cluster's configuration.
    pub(crate) namespace: Option<String>,
}

impl ProcessArgs {
    /// Returns true if the arguments name a cluster rather than a process.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn is_cluster(&self) -> bool {
        self.api_server.is_given()
    }

    /// Returns true if the arguments name a cluster rather than a process.
    #[cfg(not(feature = "kubernetes"))]
    pub(crate) fn is_cluster(&self) -> bool {
        false
    }

    /// Fetches the recording of the process, or of the objects of the cluster.
    ///
    /// If the arguments name no namespace, the configuration of a cluster is looked for in `namespaces`, then in the
    /// namespace of the kubeconfig's context, then in the usual ones. The ConfigMap in the recording has the name that
    /// MetalLB's own manifests give it.
    ///
    /// # Errors
    ///
    /// The URL is invalid, or the process or API server cannot be reached or responds with an error.
    pub(crate) fn fetch(
        &self,
        configuration: &ConfigurationArgs,
        namespaces: &BTreeSet<String>,
        problems: Problems,
    ) -> Result<FetchedRecording, Failure> {
        #[cfg(feature = "kubernetes")]
        if self.is_cluster() {
            return self.fetch_from_cluster(configuration, namespaces, problems);
        }

        let _ = (configuration, namespaces, problems);
        self.fetch_from_process()
    }

    #[cfg(feature = "kubernetes")]
    fn fetch_from_cluster(
        &self,
        configuration: &ConfigurationArgs,
        namespaces: &BTreeSet<String>,
        problems: Problems,
    ) -> Result<FetchedRecording, Failure> {
        let (objects, searched) = ferrolb_kubernetes::list_cluster(
            self.api_server.kubeconfig.as_ref(),
            configuration.namespace.as_deref(),
            configuration.config_map(),
            namespaces,
        )?;
        let namespace = objects.namespace.clone();

        if !searched.is_empty() {
            problems.warning(&format!(
                "there is no configuration in the namespace {}: give its namespace with --namespace",
                searched.join(" or ")
            ));
        } else if configuration.namespace.is_none() {
            problems.note(&format!("using the configuration in the namespace {namespace}"));
        }

        let recording = objects.recording().into_bytes();
        let name = "the cluster".to_owned();
        Ok(FetchedRecording { name, recording, namespace: Some(namespace) })
    }

    fn fetch_from_process(&self) -> Result<FetchedRecording, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::unusable)?;
        runtime.block_on(async {
            let Found { client, note } = self.place.find().await?;
            let name = client.place().to_string();
            let recording = client.get_raw("/objects", MAX_OBJECTS).await.map_err(|error| {
                let note = note.map(|note| format!("; {note}")).unwrap_or_default();
                let hint = match error {
                    ClientError::Unreachable { .. } => {
                        "; start ferrolb run, or use --from, --socket, --url or --cluster"
                    }
                    _ => "",
                };
                Failure::Unusable(format!("{error}{note}{hint}"))
            })?;
            Ok(FetchedRecording { name, recording: recording.into(), namespace: None })
        })
    }
}

/// Several times the manifests of a large cluster.
const MAX_OBJECTS: usize = 256 * 1024 * 1024;
