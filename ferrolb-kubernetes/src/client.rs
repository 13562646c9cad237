//! The connection to the API server.

use std::path::PathBuf;
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

use super::reach;
use ferrolb_node::{Error, causes};

/// Connects with a kubeconfig file; without one as `KUBECONFIG` says, or as a pod does.
///
/// Nothing is asked of the server yet: it may be away while this process starts.
///
/// # Errors
///
/// There is no configuration, or it cannot be read.
pub(super) async fn connect(kubeconfig: Option<&PathBuf>) -> Result<Client, Error> {
    let config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| {
                Error::new(format!("--kubeconfig {}: {}", path.display(), causes(&error)))
            })?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(|error| Error::new(causes(&error)))?
        }
        None => Config::infer().await.map_err(|error| {
            Error::new(format!(
                "no way to the API server: expected to run in a pod, or KUBECONFIG or --kubeconfig: {}",
                causes(&error)
            ))
        })?,
    };
    if let Some(proxy) = &config.proxy_url {
        // Its user and password stay out of it.
        let host = proxy.host().unwrap_or_default();
        return Err(Error::new(format!(
            "the API server is to be reached through the proxy {host} (proxy-url of the kubeconfig, or HTTPS_PROXY), \
             and FerroLB knows no proxies"
        )));
    }
    client(config).map_err(|error| Error::new(causes(&error)))
}

/// What [`Client::try_from`] makes where there is no proxy, with an end to how much a connection reads ahead: each watch
/// has one, and keeps what it once grew to.
fn client(config: Config) -> Result<Client, kube::Error> {
    let mut connector = TimeoutConnector::new(config.rustls_https_connector()?);
    connector.set_connect_timeout(Some(Duration::from_secs(5)));
    connector.set_read_timeout(Some(SILENT));
    connector.set_write_timeout(config.write_timeout);
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .http1_max_buf_size(READ_AHEAD)
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.default_retry.then(|| RetryLayer::new(RetryPolicy::server_retry())))
        // Around the credentials: a token that cannot be had keeps every request from the API server, too.
        .map_result(|answer: Result<http::Response<_>, BoxError>| {
            reach::observe(answer.as_ref().map(|answer| answer.status().as_u16()));
            answer
        })
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}

/// Waits for the answer to a request, or to several that are one. A connection that no longer carries answers, as when a
/// load balancer before the API server has forgotten it, fails as one that is refused does; TCP would take a quarter of an
/// hour to end it.
pub(super) async fn answered<T>(
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, kube::Error> {
    match tokio::time::timeout(TIMEOUT, request).await {
        Ok(answer) => answer,
        Err(_) => {
            reach::failed(&format!("it does not answer within {} s", TIMEOUT.as_secs()));
            Err(kube::Error::Service("the API server does not answer".into()))
        }
    }
}

/// A request that is not answered by then has failed.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// A connection on which nothing comes for so long is dead, though nothing ends it: that of a list that a watch begins
/// with, too. The API server ends a watch a moment before.
const SILENT: Duration = Duration::from_secs(300);

/// Octets; what is larger comes in pieces.
const READ_AHEAD: usize = 32 << 10;

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
