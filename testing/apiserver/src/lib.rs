//! A small Kubernetes API server in this process, for tests.
//!
//! It keeps objects in memory, and behaves like the real server wherever a controller would notice: one resourceVersion
//! for everything, lists in pages, watches from a version with bookmarks and initial events, 410 in both forms,
//! label and field selectors, merge patches, JSON patches, strategic merge patches of objects without keyed lists,
//! server-side apply with owners of fields, status subresources, conflicts, generateName, the schemas of custom
//! resources with pruning and defaults, required webhooks that do not answer, and the checks of names, labels,
//! Services, EndpointSlices, Events and Leases. The access rules come from
//! the manifests under test. Faults are on demand: see [`ApiServer::fail_next`] and the methods beside it.
//!
//! It is no complete API server: it does not schedule or collect garbage, has no other admission than the above,
//! and treats every list of an object as one field.
//!
//! ```no_run
//! # async fn a_test() {
//! use test_apiserver::ApiServer;
//!
//! let manifests = ["deploy/rbac.yaml"].map(|path| std::fs::read_to_string(path).unwrap());
//! let server = ApiServer::builder().manifests(&manifests).start().await;
//! let kubeconfig = server.kubeconfig("ferrolb-system/speaker"); // a token of that service account
//! // ... a client with this kubeconfig may do what the roles of that account allow, and gets a 403 otherwise
//! # }
//! ```

mod access;
mod admission;
mod apply;
mod clock;
mod discovery;
mod failure;
mod faults;
mod handler;
mod path;
mod request_log;
mod resource;
mod schema;
mod selector;
mod server;
mod store;
mod validation;
mod watch;
mod write;

pub use faults::Fault;
pub use request_log::RecordedRequest;
pub use server::{ApiServer, Builder};
pub use watch::Cut;
