//! The guard of the TCP listener: a browser must not be led here, and nothing changes the process.
//!
//! Owns the check of the header `Host`, which keeps pages of other origins out whose name was bound to this address (DNS
//! rebinding), and the refusal of everything that is not a read. The Unix socket needs neither: its file has permissions.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use ferrolb_api::ApiError;

use super::api;

/// The names, besides `localhost`, by which clients may call this server.
pub(super) type AllowedHosts = Arc<[String]>;

/// Passes a request on if it may come over TCP.
pub(super) async fn check(
    State(allowed): State<AllowedHosts>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let error = ApiError {
            error: format!("{path} does not take {} over TCP", request.method()),
            hint: Some(
                "what changes the state of the process goes through its Unix socket: `ferrolb` commands find it, and \
                 --socket names it"
                    .to_owned(),
            ),
        };
        return api::failure(StatusCode::FORBIDDEN, &error);
    }

    let host = request.headers().get(header::HOST).map(|host| host.as_bytes());
    let host = host.map(|host| String::from_utf8_lossy(host).into_owned());
    match host {
        // Without the header it is no browser.
        Some(host) if !OPEN_PATHS.contains(&path) && !is_allowed(&host, &allowed) => {
            let error = ApiError {
                error: format!(
                    "the request names the host {host:?}: expected an IP address or localhost"
                ),
                hint: Some("allow the name with --allow-host".to_owned()),
            };
            api::failure(StatusCode::FORBIDDEN, &error)
        }
        _ => next.run(request).await,
    }
}

/// Returns true if the value of `Host` is an IP address, `localhost`, or an allowed name.
fn is_allowed(host: &str, allowed: &[String]) -> bool {
    let name = without_port(host);
    if let Some(address) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty() && port.bytes().all(|octet| octet.is_ascii_digit()) =>
        {
            name
        }
        _ => host,
    }
}

/// The paths that Prometheus and the kubelet read, under any name of the host. They reveal nothing that a page could use.
const OPEN_PATHS: [&str; 4] = ["/livez", "/healthz", "/readyz", "/metrics"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_localhost_and_allowed_names_pass() {
        let allowed = ["lb.example".to_owned()];
        for host in [
            "127.0.0.1",
            "127.0.0.1:7472",
            "[::1]",
            "[fd00::1]:7472",
            "localhost:7472",
            "LOCALHOST",
            "lb.example:80",
        ] {
            assert!(is_allowed(host, &allowed), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:7472",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "[evil]",
            "lb.example.org",
        ] {
            assert!(!is_allowed(host, &allowed), "{host}");
        }
    }
}
