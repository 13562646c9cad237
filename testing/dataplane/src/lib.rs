//! The data path of a cluster, for tests that count connections: real packets, real nftables rules, a real router.
//!
//! A test builds a [`Network`], starts an [`EcmpRouter`] on its router, a [`KubeProxy`] on each node and [`Pods`] behind
//! the nodes, and lets a [`Client`] open connections while something happens. Everything is in network namespaces and
//! ends when its value is dropped.
//!
//! The API server, the controller and the speakers belong to the test. This crate must not know FerroLB, so that it
//! judges what a client sees and nothing else.
//!
//! It needs what `test-peers` needs, and `nft`.

mod client;
mod kube_proxy;
mod network;
mod pods;
mod router;

pub use client::{Attempt, Client, Outcome};
pub use kube_proxy::{KubeProxy, MIN_SYNC_PERIOD};
pub use network::{CLIENT, Network, Node, POD_CIDR};
pub use pods::Pods;
pub use router::{EcmpConfig, EcmpRouter};
