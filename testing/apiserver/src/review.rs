//! The reviews of the API server: who the owner of a token is (TokenReview), and what a user may do (SubjectAccessReview).
//!
//! Owns the answers, and the refusal of questions that the real server refuses. A review is answered and not stored.

use std::sync::PoisonError;

use serde_json::{Value, json};

use crate::access::{ADMIN, RequestAttributes};
use crate::failure::Failure;
use crate::handler::ServerState;

/// Returns the kind of review that a resource is. `None` for other resources.
pub(crate) fn kind(group: &str, plural: &str) -> Option<ReviewKind> {
    match (group, plural) {
        ("authentication.k8s.io", "tokenreviews") => Some(ReviewKind::Token),
        ("authorization.k8s.io", "subjectaccessreviews") => Some(ReviewKind::SubjectAccess),
        _ => None,
    }
}

/// A kind of review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReviewKind {
    Token,
    SubjectAccess,
}

impl ReviewKind {
    /// Answers a review, which gets its status.
    pub(crate) fn answer(self, state: &ServerState, body: &[u8]) -> Result<Value, Failure> {
        let mut review: Value = serde_json::from_slice(body)
            .map_err(|error| Failure::bad_request(format!("the body of the request: {error}")))?;
        if !review.is_object() {
            return Err(Failure::bad_request("the body of the request is no object"));
        }
        review["status"] = match self {
            Self::Token => token_status(state, &review["spec"])?,
            Self::SubjectAccess => access_status(state, &review["spec"]).map_err(|why| {
                Failure::invalid("SubjectAccessReview.authorization.k8s.io", "", why)
            })?,
        };
        Ok(review)
    }
}

/// Knows `admin`, and the tokens of service accounts that exist.
fn token_status(state: &ServerState, spec: &Value) -> Result<Value, Failure> {
    let token = spec["token"].as_str().unwrap_or_default();
    if token.is_empty() {
        let message = "token is required for TokenReview in authentication";
        return Err(Failure::bad_request(message));
    }
    if token == ADMIN {
        let user = json!({"username": "kubernetes-admin",
            "groups": ["system:masters", "system:authenticated"]});
        return Ok(json!({"authenticated": true, "user": user}));
    }

    let account = token.split_once('/').filter(|(namespace, name)| {
        let accounts = state.store.list("serviceaccounts", Some(namespace)).1;
        accounts.iter().any(|account| account["metadata"]["name"] == *name)
    });
    let Some((namespace, name)) = account else {
        let error = "[invalid bearer token, service account token is not valid]";
        return Ok(json!({"authenticated": false, "user": {}, "error": error}));
    };
    let groups = [
        "system:serviceaccounts",
        &format!("system:serviceaccounts:{namespace}"),
        "system:authenticated",
    ];
    let username = format!("system:serviceaccount:{namespace}:{name}");
    Ok(json!({"authenticated": true, "user": {"username": username, "groups": groups},
        "audiences": ["https://kubernetes.default.svc"]}))
}

fn access_status(state: &ServerState, spec: &Value) -> Result<Value, String> {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    match (resource.is_object(), path.is_object()) {
        (true, true) => {
            return Err("spec.nonResourceAttributes: Invalid value: cannot be specified in combination with \
                        resourceAttributes"
                .to_owned());
        }
        (false, false) => {
            return Err(
                "spec.resourceAttributes: Invalid value: exactly one of nonResourceAttributes or \
                        resourceAttributes must be specified"
                    .to_owned(),
            );
        }
        _ => {}
    }
    let user = spec["user"].as_str().unwrap_or_default();
    let groups: Vec<_> =
        spec["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if user.is_empty() && groups.is_empty() {
        return Err(
            "spec.user: Invalid value: at least one of user or group must be specified".to_owned()
        );
    }

    let authorizer = state.authorizer.read().unwrap_or_else(PoisonError::into_inner);
    let account =
        user.strip_prefix("system:serviceaccount:").map(|name| name.replacen(':', "/", 1));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_allowed = groups.contains(&"system:masters")
        || account.is_some_and(|account| {
            if path.is_object() {
                return authorizer.may_use_path(
                    &account,
                    &text(&path["verb"]),
                    &text(&path["path"]),
                );
            }
            let subresource = text(&resource["subresource"]);
            let plural = text(&resource["resource"]);
            let is_whole = subresource.is_empty();
            authorizer.is_allowed(
                &account,
                &RequestAttributes {
                    verb: text(&resource["verb"]).into(),
                    group: text(&resource["group"]),
                    resource: if is_whole { plural } else { format!("{plural}/{subresource}") },
                    namespace: text(&resource["namespace"]),
                    name: Some(text(&resource["name"])).filter(|name| !name.is_empty()),
                },
            )
        });
    let mut status = json!({"allowed": is_allowed});
    if !is_allowed {
        status["reason"] = json!("no role of the user allows this");
    }
    Ok(status)
}
