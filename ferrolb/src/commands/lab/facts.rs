//! The facts of a lab, for its answers.
//!
//! Owns no state. [`ferrolb_node::api`] makes the answers.

use ferrolb_api::Configuration;
use ferrolb_node::actions::Controls;
use ferrolb_node::api::{Identity, Process, snapshot};
use ferrolb_node::metrics::{self, Latency, Sample};
use ferrolb_node::sessions::Sessions;
use lb_adapter::engine::Engine;
use lb_adapter::recording::ProcessSnapshot;

use super::cluster::LabCluster;

impl Process for LabCluster {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn controls(&mut self) -> Controls<'_> {
        Controls { identity: &self.identity, sessions: Some(&mut self.sessions), drain: None }
    }

    fn engine(&self) -> Option<&Engine> {
        Some(&self.engine)
    }

    fn sessions(&self) -> Option<&Sessions> {
        Some(&self.sessions)
    }

    fn configuration(&self) -> Configuration {
        self.reload.configuration(&self.source, self.loaded_at)
    }

    async fn refresh(&mut self) {
        self.sessions.refresh_unsendable(false).await;
    }

    async fn objects(&mut self) -> Result<ProcessSnapshot, String> {
        self.sessions.refresh_unsendable(true).await;
        Ok(ProcessSnapshot {
            namespace: self.configuration.namespace().to_owned(),
            config_map: self.configuration.config_map.clone(),
            ..snapshot(self, self.files.clone())
        })
    }

    /// The metrics of a process have no label for a node, so those of sessions are left out.
    fn metrics(&self) -> String {
        let sample = Sample {
            config: self.reload.config_sample(self.loaded_at),
            pools: metrics::pool_samples(&self.engine),
            pending_services: Some(metrics::pending_services(&self.engine)),
            ..Sample::default()
        };
        metrics::encode(&sample, &Latency::new()).unwrap_or_default()
    }
}
