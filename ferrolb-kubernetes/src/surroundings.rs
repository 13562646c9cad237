//! The world outside of a program: what it reaches, and what reaches it.
//!
//! The binary gives the real one. A program that runs others as libraries, such as a simulation, gives another.

use std::fmt;
use std::sync::Arc;

use bgp_session::{Connector, TcpConnector};
use kube::Client;
use tokio::sync::mpsc;

use super::dataplane::{DataplaneNetwork, HostNetwork};
use ferrolb_node::api::Identity;
use ferrolb_node::http::StatusRequest;
use ferrolb_node::signals::Signals;

/// The surroundings of a controller, and of a speaker together with its [`NodeNetwork`].
#[expect(clippy::exhaustive_structs, reason = "a program has nothing else outside")]
pub struct Surroundings {
    /// The identity of the process, with its events.
    pub identity: Identity,
    /// The connection to the API server.
    pub client: Client,
    /// The requests of an HTTP server, or of another part of the same process.
    pub requests: mpsc::Receiver<StatusRequest>,
    /// The signals that end the program.
    pub signals: Signals,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// The network of a speaker's node.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "a speaker opens no other connections")]
pub struct NodeNetwork {
    /// Opens the connections to routers.
    pub connector: Arc<dyn Connector>,
    /// Opens those to the dataplane.
    pub dataplane: Arc<dyn DataplaneNetwork>,
}

impl NodeNetwork {
    /// The network of the host that this process runs on.
    pub fn of_host() -> Self {
        Self { connector: Arc::new(TcpConnector), dataplane: Arc::new(HostNetwork) }
    }
}

impl fmt::Debug for NodeNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeNetwork").field("dataplane", &self.dataplane).finish_non_exhaustive()
    }
}
