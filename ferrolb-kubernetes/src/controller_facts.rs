//! The facts of a controller, for its answers: of the leader, and of a standby.
//!
//! Owns no state of the leader. [`ferrolb_node::api`] makes the answers.

use ferrolb_api::{Configuration, ConfigurationState, Node, Watch};
use ferrolb_node::actions::Controls;
use ferrolb_node::api::{Identity, Process};
use ferrolb_node::metrics::{self, Latency, Sample};
use lb_adapter::engine::Engine;
use tokio::sync::watch;

use super::controller::Leader;

/// A controller that waits for the Lease. It knows no objects.
pub(super) struct Standby {
    identity: Identity,
    namespace: String,
    /// The identity of the leader.
    leader: watch::Receiver<Option<String>>,
}

impl Standby {
    pub(super) fn new(
        identity: Identity,
        namespace: &str,
        leader: watch::Receiver<Option<String>>,
    ) -> Self {
        Self { identity, namespace: namespace.to_owned(), leader }
    }
}

impl Process for Standby {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn controls(&mut self) -> Controls<'_> {
        Controls { identity: &self.identity, sessions: None, drain: None }
    }

    fn engine(&self) -> Option<&Engine> {
        None
    }

    fn configuration(&self) -> Configuration {
        Configuration {
            state: ConfigurationState::Missing,
            source: format!("namespace {}", self.namespace),
            loaded_at: None,
            errors: Vec::new(),
        }
    }

    fn is_leader(&self) -> Option<bool> {
        Some(false)
    }

    fn leader(&self) -> Option<String> {
        self.leader.borrow().clone()
    }

    fn metrics(&self) -> String {
        metrics::encode(&Sample::default(), &Latency::new()).unwrap_or_default()
    }
}

impl Process for Leader {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn controls(&mut self) -> Controls<'_> {
        Controls { identity: &self.identity, sessions: None, drain: None }
    }

    fn engine(&self) -> Option<&Engine> {
        Some(&self.engine)
    }

    fn configuration(&self) -> Configuration {
        self.informer.configuration(&self.namespace)
    }

    fn not_ready(&self) -> Option<String> {
        let has_synced = self.informer.has_synced();
        (!has_synced).then(|| "not all objects have been listed yet".to_owned())
    }

    fn is_leader(&self) -> Option<bool> {
        Some(true)
    }

    fn reported_nodes(&self) -> Option<Vec<Node>> {
        Some(self.heartbeats.nodes())
    }

    fn watches(&self) -> Vec<Watch> {
        self.informer.watches()
    }

    fn metrics(&self) -> String {
        let sample = Sample {
            config: self.informer.config_sample(),
            pools: metrics::pool_samples(&self.engine),
            pending_services: Some(metrics::pending_services(&self.engine)),
            api: self.informer.api_sample(self.services.failed_writes()),
            ..Sample::default()
        };
        metrics::encode(&sample, &Latency::new()).unwrap_or_default()
    }
}
