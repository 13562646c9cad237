//! The facts of the node's process, for its answers.
//!
//! Owns no state. [`ferrolb_node::api`] makes the answers.

use ferrolb_api::{Configuration, Drain};
use ferrolb_node::actions::Controls;
use ferrolb_node::api::{Identity, Process, snapshot};
use ferrolb_node::metrics::{self, Sample};
use ferrolb_node::sessions::Sessions;
use lb_adapter::engine::Engine;
use lb_adapter::recording::ProcessSnapshot;

use super::node_process::NodeProcess;

// There is a valid configuration from the start, and a router that is down is no reason for a restart: the process is ready.
impl Process for NodeProcess {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn controls(&mut self) -> Controls<'_> {
        Controls {
            identity: &self.identity,
            sessions: Some(&mut self.sessions),
            drain: Some(&mut self.drain),
        }
    }

    async fn advance_drain(&mut self) {
        self.follow_drain_requests().await;
    }

    fn engine(&self) -> Option<&Engine> {
        Some(&self.engine)
    }

    fn sessions(&self) -> Option<&Sessions> {
        Some(&self.sessions)
    }

    fn drain(&self) -> Drain {
        self.drain.status()
    }

    fn configuration(&self) -> Configuration {
        self.reload.configuration(&self.source, self.loaded_at)
    }

    fn metrics(&self) -> String {
        let sample = Sample {
            node: Some(self.name.clone()),
            config: self.reload.config_sample(self.loaded_at),
            pools: metrics::pool_samples(&self.engine),
            pending_services: Some(metrics::pending_services(&self.engine)),
            sessions: metrics::session_samples(&self.engine, &self.sessions, &self.name),
            probes: metrics::probe_samples(&self.engine, &self.name),
            announced: metrics::announced_addresses(&self.engine, &self.name),
            drain: self.drain.sample(),
            ..Sample::default()
        };
        metrics::encode(&sample, &self.latency).unwrap_or_default()
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
}
