//! The connection to the API server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http;
use hyper_timeout::TimeoutConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::ConfigExt as _;
use kube::client::retry::RetryPolicy;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::retry::RetryLayer;
use tower::{BoxError, ServiceBuilder};

use super::reachability;
use ferrolb_node::{Error, causes};

/// Returns a client for the cluster of a kubeconfig file. Without a path, the file is the one that `KUBECONFIG` names; without
/// that, the client uses the service account of the pod.
///
/// Sends no request yet: the API server may be unreachable while this process starts.
///
/// # Errors
///
/// There is no configuration, or it cannot be read.
pub(super) async fn connect(kubeconfig: Option<&PathBuf>) -> Result<Client, Error> {
    let config = find_config(kubeconfig).await?;
    client(config, Repetition::Retry).map_err(|error| Error::new(causes(&error)))
}

/// Does the same as [`connect`] for requests that the API server passes on. A refusal may be the answer of a pod, which says nothing
/// about the API server: it is not logged, and the request is not repeated.
///
/// # Errors
///
/// As for [`connect`].
pub(super) async fn connect_to_pods(kubeconfig: Option<&PathBuf>) -> Result<Client, Error> {
    let config = find_config(kubeconfig).await?;
    client(config, Repetition::Once).map_err(|error| Error::new(causes(&error)))
}

/// What happens after a response that the API server is not available.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repetition {
    /// The request is repeated, and the outage is logged.
    Retry,
    /// The response is the result.
    Once,
}

/// Returns the configuration of a kubeconfig file, of `KUBECONFIG`, or of the pod.
async fn find_config(kubeconfig: Option<&PathBuf>) -> Result<Config, Error> {
    let config = match kubeconfig {
        Some(path) => config_from_file(path).await?,
        None => Config::infer().await.map_err(|error| {
            Error::new(format!(
                "cannot find the API server: run this in a pod, or set KUBECONFIG or --kubeconfig: {}",
                causes(&error)
            ))
        })?,
    };

    if let Some(proxy) = &config.proxy_url {
        // The message must not contain the user and password of the proxy.
        let host = proxy.host().unwrap_or_default();
        return Err(Error::new(format!(
            "the kubeconfig's proxy-url or HTTPS_PROXY sets the proxy {host} for the API server, \
             but FerroLB does not support proxies"
        )));
    }
    Ok(config)
}

async fn config_from_file(path: &Path) -> Result<Config, Error> {
    let file = Kubeconfig::read_from(path).map_err(|error| {
        Error::new(format!("--kubeconfig {}: {}", path.display(), causes(&error)))
    })?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    config.map_err(|error| Error::new(causes(&error)))
}

/// Returns the client that [`Client::try_from`] builds without a proxy, but limits the read buffer of each connection:
/// every watch has a connection, and its buffer never shrinks.
fn client(config: Config, repetition: Repetition) -> Result<Client, kube::Error> {
    let mut connector = TimeoutConnector::new(config.rustls_https_connector()?);
    connector.set_connect_timeout(Some(Duration::from_secs(5)));
    connector.set_read_timeout(Some(SILENT));
    connector.set_write_timeout(config.write_timeout);

    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .http1_max_buf_size(READ_AHEAD)
        .build(connector);

    let retries = repetition == Repetition::Retry;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(
            (retries && config.default_retry).then(|| RetryLayer::new(RetryPolicy::server_retry())),
        )
        // Outside the credentials: without a token no request reaches the API server either.
        .map_result(move |response: Result<http::Response<_>, BoxError>| {
            if retries {
                reachability::observe(response.as_ref().map(|response| response.status().as_u16()));
            }
            response
        })
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}

/// Waits for the response to a request, or to several that belong together, for at most [`TIMEOUT`].
///
/// A connection that no longer carries responses then fails like a refused one. That happens when a load balancer in front of
/// the API server has forgotten the connection, and TCP would take a quarter of an hour to notice.
pub(super) async fn with_timeout<T, E: From<kube::Error>>(
    request: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(TIMEOUT, request).await {
        Ok(response) => response,
        Err(_) => {
            reachability::failed(&format!("no response within {} s", TIMEOUT.as_secs()));
            Err(kube::Error::Service("the API server does not respond".into()).into())
        }
    }
}

/// The time after which a request without a response has failed.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// The time without any data after which a connection counts as dead. The API server ends each watch shortly before that.
const SILENT: Duration = Duration::from_secs(300);

/// The read buffer of a connection, in octets. Larger responses are read in pieces.
const READ_AHEAD: usize = 32 << 10;

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
