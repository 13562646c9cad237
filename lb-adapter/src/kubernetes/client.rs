//! The connection to the API server.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::failure::Failure;

/// Connects with a kubeconfig file; without one as `KUBECONFIG` says, or as a pod does.
///
/// Nothing is asked of the server yet: it may be away while this process starts.
///
/// # Errors
///
/// There is no configuration, or it cannot be read.
pub(super) async fn connect(kubeconfig: Option<&PathBuf>) -> Result<Client, Failure> {
    let mut config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| {
                Failure::Unusable(format!("--kubeconfig {}: {error}", path.display()))
            })?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(Failure::unusable)?
        }
        None => Config::infer().await.map_err(|error| {
            Failure::Unusable(format!(
                "no way to the API server: expected to run in a pod, or KUBECONFIG or --kubeconfig: {error}"
            ))
        })?,
    };
    config.connect_timeout = Some(Duration::from_secs(5));
    Client::try_from(config).map_err(Failure::unusable)
}
