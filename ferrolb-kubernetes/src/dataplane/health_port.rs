//! [`HealthAnswer`]: what a Service's health port (`healthCheckNodePort`) says, as kube-proxy and Cilium serve it.
//!
//! Owns the reading of an answer. [`super::checks`] asks, and knows the port.

use axum::http::StatusCode;
use serde_json::Value;

use lb_adapter::model::ServiceKey;

/// An answer of a health port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the gate has a rule for each")]
pub enum HealthAnswer {
    /// A ready endpoint of the Service is on the node.
    Ready,
    /// None is. This is what the port says, with the subject left out.
    NoEndpoint(&'static str),
    /// It is not an answer about the Service, for this reason.
    Wrong(String),
}

impl HealthAnswer {
    /// Reads an answer to the question about a Service.
    pub fn read(status: StatusCode, body: &[u8], service: &ServiceKey) -> Self {
        if let Some(other) = other_service(body, service) {
            return Self::Wrong(format!("answers for another Service, {other}"));
        }
        match status {
            StatusCode::OK => Self::Ready,
            StatusCode::SERVICE_UNAVAILABLE => {
                Self::NoEndpoint("reports that no endpoint on the node is ready")
            }
            other => Self::Wrong(format!("answers with status {}", other.as_u16())),
        }
    }
}

/// Returns the Service that a health port answers for, if it is another one. The body is JSON in kube-proxy and Cilium.
pub(super) fn other_service(body: &[u8], service: &ServiceKey) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let namespace = answer["service"]["namespace"].as_str()?;
    let name = answer["service"]["name"].as_str()?;
    let is_same = *namespace == *service.namespace && *name == *service.name;
    (!is_same).then(|| format!("{}/{}", shown(namespace), shown(name)))
}

/// Returns a text of an answer as far as it can be a name.
fn shown(text: &str) -> String {
    let is_of_name = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
    text.chars().take_while(is_of_name).take(63).collect()
}
