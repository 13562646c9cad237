//! The facts of a speaker, for its answers.
//!
//! Owns no state. [`ferrolb_node::api`] makes the answers.

use ferrolb_api::{Configuration, Dataplane, Drain, Watch};
use ferrolb_node::actions::Controls;
use ferrolb_node::api::{Identity, Process};
use ferrolb_node::metrics::{self, Sample};
use ferrolb_node::sessions::Sessions;
use lb_adapter::engine::Engine;

use super::speaker::Speaker;

impl Process for Speaker {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn controls(&mut self) -> Controls<'_> {
        Controls {
            identity: &self.identity,
            sessions: Some(self.announcer.sessions_mut()),
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
        Some(self.announcer.sessions())
    }

    fn configuration(&self) -> Configuration {
        self.informer.configuration(&self.namespace)
    }

    /// A router that is down is no reason to restart the speaker.
    fn not_ready(&self) -> Option<String> {
        if !self.informer.has_synced() {
            return Some("not all objects have been listed yet".to_owned());
        }

        let config = self.informer.config_status();
        // A speaker may be installed before its configuration: it is ready for it.
        if !config.loaded && !config.is_absent {
            return Some("there has been no valid configuration yet".to_owned());
        }
        None
    }

    fn drain(&self) -> Drain {
        self.drain.status()
    }

    fn watches(&self) -> Vec<Watch> {
        self.informer.watches()
    }

    fn dataplane(&self) -> Option<Dataplane> {
        let sample = self.dataplane.sample();
        Some(Dataplane {
            held: sample.held,
            depreferenced: sample.depreferenced,
            withdrawn: sample.withdrawn,
            kube_proxy_healthy: sample.kube_proxy_healthy,
        })
    }

    fn metrics(&self) -> String {
        let sample = Sample {
            node: Some(self.node.clone()),
            config: self.informer.config_sample(),
            sessions: self.announcer.samples(&self.engine),
            probes: metrics::probe_samples(&self.engine, &self.node),
            announced: metrics::announced_addresses(&self.engine, &self.node),
            drain: self.drain.sample(),
            dataplane: Some(self.dataplane.sample()),
            api: self.informer.api_sample(0),
            ..Sample::default()
        };
        metrics::encode(&sample, &self.latency).unwrap_or_default()
    }
}
