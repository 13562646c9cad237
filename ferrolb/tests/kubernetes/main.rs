//! `ferrolb controller` and `ferrolb speaker`, as processes with the rights of our own roles, at an API server.
//!
//! With `FERROLB_TEST_KUBECONFIG` set, the tests use that server, in namespaces of their own and with the rights of that
//! kubeconfig. Tests that need faults, the recorded requests or a cluster of their own are skipped then. The Namespaces and
//! Nodes of a test are removed when it ends, even if it fails. Resource types that the server lacks are installed and
//! stay. Each test creates 300 Services of other controllers, 100 at a real server, or as many as `FERROLB_TEST_SERVICES`
//! says. Half of them take a cluster IP, and a server with the default range has 254 of these.

mod access;
mod answers;
#[path = "../support/api.rs"]
mod api;
#[path = "../support/baseline.rs"]
mod baseline;
mod cluster;
mod conditions;
mod controller;
mod crowd;
mod dataplane;
mod guide;
mod https;
mod migration;
mod operator;
mod outage;
mod plugin;
#[path = "../support/ports.rs"]
mod ports;
mod program;
mod questions;
mod real;
mod secrets;
mod skew;
mod speaker;
mod statuses;
mod transitions;
