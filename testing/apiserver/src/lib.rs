//! A small Kubernetes API server in this process, for tests.
//!
//! It keeps objects in memory and behaves as the real server does where a controller notices: one resourceVersion
//! for everything, lists in pages, watches from a version with bookmarks and initial events, 410 in both forms,
//! label and field selectors, merge patches, JSON patches, strategic merge patches of what has no keyed lists,
//! server-side apply with owners of fields, status subresources, conflicts, generateName, the schemas of custom
//! resources with pruning and defaults, webhooks that must be asked and do not answer, and what it refuses in names, labels,
//! Services, EndpointSlices, Events and Leases. Who may do what is read from
//! the manifests under test. What can go wrong is on demand: see [`ApiServer::fail_next`] and its neighbours.
//!
//! It is no API server: nothing is scheduled or garbage collected, there is no admission but what is named above,
//! and every list of an object counts as one field.
//!
//! ```no_run
//! # async fn a_test() {
//! use test_apiserver::ApiServer;
//!
//! let manifests = ["deploy/rbac.yaml"].map(|path| std::fs::read_to_string(path).unwrap());
//! let server = ApiServer::builder().manifests(&manifests).start().await;
//! let kubeconfig = server.kubeconfig("ferrolb-system/speaker"); // a token of that service account
//! // ... a client with this kubeconfig may do what that account's roles say, and meets 403 elsewhere
//! # }
//! ```

mod access;
mod admission;
mod apply;
mod failure;
mod faults;
mod path;
mod resource;
mod schema;
mod selector;
mod serve;
mod server;
mod store;
mod validation;
mod watching;
mod write;

pub use server::{ApiServer, Builder, Fault};
pub use watching::Cut;

/// A request that was made, by whom, and whether it was allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// The token: `admin`, or `namespace/name` of a service account.
    pub who: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: &'static str,
    /// With its subresource: `services/status`.
    pub resource: String,
    /// Empty across namespaces.
    pub namespace: String,
    /// The object's name, where the request has one.
    pub name: Option<String>,
    /// Whether the access rules allow it.
    pub allowed: bool,
}
