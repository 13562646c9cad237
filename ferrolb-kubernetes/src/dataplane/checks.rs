//! The checks of a node's dataplane: requests to health ports and to kube-proxy, and connections to Services.
//!
//! Owns the time limits. [`super::network`] opens the connections, and [`super::health_port`] and [`super::proxy_health`] read
//! the answers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::http::StatusCode;
use hyper::body::Bytes;
use tokio::time::timeout;

use lb_adapter::model::ServiceKey;

use super::health_port::{HealthAnswer, other_service};
use super::network::DataplaneNetwork;
use super::proxy_health::ProxyHealth;
use super::service_gate::{Check, ConnectTarget, Observation};

/// The time limit of a request to a health port or to kube-proxy.
const REQUEST: Duration = Duration::from_millis(500);
/// The time limit of a connection to a Service. A packet that has met no rule gets no answer, so a new connection follows soon.
const CONNECT: Duration = Duration::from_millis(200);
/// The time limit of a connection that shows whether an endpoint is one hop away.
const NEAR: Duration = Duration::from_millis(50);
/// The hops of a connection to a Service: enough to reach a pod on another node after the address was translated here, too few
/// to be forwarded to a pod by the router and another node.
const HOPS: u8 = 2;
/// The same if a pod uses the network of its host. The router and the other node would deliver two hops to it, whether or not
/// this node has translated the address.
const HOPS_TO_HOST: u8 = 1;

/// Checks whether the dataplane of the node, which has these addresses, forwards to a Service. The second value is true if
/// something answered as a health port does.
pub(super) async fn run(
    network: &dyn DataplaneNetwork,
    check: &Check,
    service: &ServiceKey,
    node: &[IpAddr],
) -> (Observation, bool) {
    match check {
        Check::HealthPort(port) => check_health_port(network, *port, service, node).await,
        Check::HealthPortAndConnect(port, target) => {
            let (found, has_answered) = check_health_port(network, *port, service, node).await;
            match found {
                Observation::Forwards => (check_connect(network, target).await, has_answered),
                _ => (found, has_answered),
            }
        }
        Check::Connect(target) => (check_connect(network, target).await, false),
        Check::ClosedPortAndConnect(port, target) => {
            let former = get_from_node(network, *port, node).await;
            if former.is_ok_and(|(_, body)| other_service(&body, service).is_none()) {
                let problem = format!("its former health port {port} is still served");
                return (Observation::DoesNot(problem), false);
            }

            let found = match check_connect(network, target).await {
                Observation::Forwards => Observation::ForwardsNow,
                other => other,
            };
            (found, false)
        }
    }
}

/// Asks kube-proxy's health check on this port.
pub(super) async fn proxy_health(
    network: &dyn DataplaneNetwork,
    port: u16,
    node: &[IpAddr],
) -> Result<ProxyHealth, String> {
    let (status, body) = get_from_node(network, port, node).await?;
    ProxyHealth::read(status.as_u16(), &body)
}

async fn check_health_port(
    network: &dyn DataplaneNetwork,
    port: u16,
    service: &ServiceKey,
    node: &[IpAddr],
) -> (Observation, bool) {
    let fails = |problem: String| Observation::DoesNot(format!("its health port {port} {problem}"));
    let (status, body) = match get_from_node(network, port, node).await {
        Ok(answer) => answer,
        Err(problem) => return (fails(problem), false),
    };

    match HealthAnswer::read(status, &body, service) {
        HealthAnswer::Ready => (Observation::Forwards, true),
        HealthAnswer::NoEndpoint(problem) => {
            (Observation::NoEndpoint(format!("its health port {port} {problem}")), true)
        }
        HealthAnswer::Wrong(problem) => (fails(problem), false),
    }
}

/// Requests `/healthz` at the first address of the node, or at its loopback address if none is known.
async fn get_from_node(
    network: &dyn DataplaneNetwork,
    port: u16,
    node: &[IpAddr],
) -> Result<(StatusCode, Bytes), String> {
    let address = node.first().copied().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let address = SocketAddr::new(address, port);
    match timeout(REQUEST, network.healthz(address)).await {
        Ok(result) => result,
        Err(_) => Err(format!("does not answer within {REQUEST:?}")),
    }
}

/// Connects to each address of the Service from the node.
async fn check_connect(network: &dyn DataplaneNetwork, target: &ConnectTarget) -> Observation {
    let hops = if has_near_endpoint(network, target).await { HOPS_TO_HOST } else { HOPS };
    for address in &target.addresses {
        let address = SocketAddr::new(*address, target.port);
        let problem = match timeout(CONNECT, network.connect(address, hops)).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {CONNECT:?}"),
        };
        return Observation::DoesNot(format!("a connection from the node to {address}: {problem}"));
    }
    Observation::Forwards
}

/// Returns true if an endpoint on another node answers from one hop away, as the node itself does and a pod on it does not. A
/// refused connection is an answer.
async fn has_near_endpoint(network: &dyn DataplaneNetwork, target: &ConnectTarget) -> bool {
    let attempts = target.remote_endpoints.iter().map(|address| {
        let address = SocketAddr::new(*address, target.port);
        timeout(NEAR, network.connect(address, HOPS_TO_HOST))
    });
    let results = futures_util::future::join_all(attempts).await;
    results.into_iter().flatten().any(|result| match result {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::ConnectionRefused,
    })
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
