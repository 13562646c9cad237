//! The configuration of the next OPEN: all that is configured, or without the capabilities that the peer has refused.

use std::sync::Arc;

use tracing::info;

use crate::fsm::{DownReason, FsmConfig};
use crate::peer::Peer;

impl Peer {
    /// Leaves the capabilities that the peer has refused out of the next OPEN (RFC 5492, section 3).
    pub(super) fn reduce(&mut self, reason: &DownReason) {
        let DownReason::Remote(notification) = reason else { return };
        let Some(reduced) = self.offered.without_refused(notification) else { return };
        info!(refused = %notification, "the next OPEN leaves out what the peer refuses");
        self.offer(reduced);
    }

    /// Makes the next OPEN from the whole configuration.
    pub(super) fn offer_all(&mut self) {
        if *self.offered != self.settings.fsm {
            self.offer(self.settings.fsm.clone());
        }
    }

    /// Makes the next OPEN from this configuration.
    fn offer(&mut self, config: FsmConfig) {
        self.offered = Arc::new(config);
        self.outgoing.fsm.set_config(Arc::clone(&self.offered));
        if let Some(incoming) = &mut self.incoming {
            incoming.fsm.set_config(Arc::clone(&self.offered));
        }
    }
}
