//! `ferrolb controller` and `ferrolb speaker`, as processes with the rights of our own roles, at an API server.
//!
//! With `FERROLB_TEST_KUBECONFIG` set, what does not need a fault runs at that server, in a namespace of its own,
//! with the rights of that kubeconfig.

mod access;
mod cluster;
mod controller;
mod guide;
mod migration;
mod program;
mod questions;
mod speaker;
mod statuses;
mod transitions;
