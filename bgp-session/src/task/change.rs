//! What handles and the speaker change about a peer, beyond its routes.

use std::sync::Arc;

use bgp_core::{
    fsm::StateKind,
    wire::{CeaseSubcode, Notification},
};

use super::PeerTask;
use crate::{
    PeerConfig, SpeakerError, Updated, clock,
    command::Command,
    config::{self, Resets},
    registry::Registration,
};

impl PeerTask {
    /// Obeys a command that is not about routes, nor the end.
    pub(super) fn change(&mut self, command: Command, registration: &Registration) {
        match command {
            Command::Disable(cease) => {
                self.liveness.disabled(true);
                self.peer.stop(clock::now(), cease);
                self.reports.disabled(true);
            }
            Command::Enable => {
                self.liveness.disabled(false);
                self.peer.start(clock::now());
                self.reports.disabled(false);
            }
            Command::Reset(cease) => self.peer.reset(clock::now(), cease),
            Command::Update(config, resets, answer) => {
                let updated = self.update(Arc::new(*config), resets, registration);
                // Who asked may not wait for the answer.
                let _ = answer.send(updated);
            }
            Command::SetRoutes(_)
            | Command::Announce(..)
            | Command::Withdraw(_)
            | Command::WithdrawPath(..)
            | Command::Refresh(..)
            | Command::Unsendable(_)
            | Command::Shutdown(_)
            | Command::Abandon => {}
        }
    }

    fn update(
        &mut self,
        config: Arc<PeerConfig>,
        resets: Resets,
        registration: &Registration,
    ) -> Result<Updated, SpeakerError> {
        let now = clock::now();
        let (asn, identifier) = self.speaker;
        let settings = config.settings(asn, identifier, self.peer.settings().fsm.jitter_seed);
        let before = (self.config.as_ref(), self.peer.settings());
        let changes = config::changes(before, (&config, &settings));
        let mut updated = Updated { changes, reset: false };
        let established = self.peer.state() == StateKind::Established;
        let needed = updated.needs_reset().next().is_some();

        // The last step that can fail comes before the first change.
        registration.update(&config)?;
        self.config = config;
        self.peer.reconfigure(now, settings);
        self.follow_bfd_config();

        if needed && established && resets == Resets::IfNeeded {
            self.peer.reset(now, Notification::cease(CeaseSubcode::OTHER_CONFIGURATION_CHANGE));
            self.begin_when_closed = true;
            updated.reset = true;
        }

        self.reports.updated(&self.config, &updated);
        Ok(updated)
    }

    /// Goes as far as the speaker's drain has come.
    pub(super) fn drain(&mut self) {
        let stage = self.inputs.drain.take();
        if self.originated.enter(stage, &mut self.peer) {
            self.reports.draining(stage);
        }
    }
}
