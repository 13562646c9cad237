//! A small Kubernetes API server for tests, which runs inside the test process.
//!
//! It keeps objects in memory, and behaves like the real server wherever a controller would notice a difference:
//!
//! - lists and watches: one resourceVersion for all objects, pages, bookmarks, initial events, 410 in both forms, and
//!   label and field selectors;
//! - writes: merge patches, JSON patches, strategic merge patches of objects without keyed lists, server-side apply with
//!   owners of fields, status subresources, conflicts, and generateName;
//! - checks: the schemas of custom resources with pruning and defaults, required webhooks that do not respond, and the
//!   rules for names, labels, Services, EndpointSlices, Events and Leases;
//! - Services: cluster IPs of both families, node ports, and the ports for health checks. kube-proxy can run against it;
//! - reviews: TokenReview for the tokens of this server, and SubjectAccessReview by its rules.
//!
//! The access rules come from the manifests under test. Tests can inject faults: see [`ApiServer::fail_next`] and the
//! methods next to it.
//!
//! The server is not complete: it neither schedules pods nor collects garbage, has no admission beyond these checks, and
//! treats every list in an object as one field.
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
mod pod_proxy;
mod request_log;
mod resource;
mod response;
mod review;
mod schema;
mod selector;
mod server;
mod service;
mod store;
mod traffic;
mod validation;
mod watch;
mod write;

pub use clock::set_time_source;
pub use faults::Fault;
pub use request_log::RecordedRequest;
pub use server::{ApiServer, Builder};
pub use traffic::TrafficKey;
pub use watch::Cut;
