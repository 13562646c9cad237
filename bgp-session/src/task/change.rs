//! The changes to a peer that handles and the speaker request, other than its routes and its end.

use std::sync::Arc;

use bgp_core::{
    fsm::StateKind,
    wire::{CeaseSubcode, Notification},
};

use super::PeerTask;
use crate::{
    PeerConfig, SpeakerError, Updated, clock,
    command::Command,
    config::{self, ResetPolicy},
    registry::Registration,
};

impl PeerTask {
    /// Handles a command that changes the peer itself.
    pub(super) fn change(&mut self, command: Command, registration: &Registration) {
        match command {
            Command::Disable(cease) => {
                self.bfd.disabled(true);
                self.reports.disabled(cease.message().unwrap_or_default());
                self.peer.stop(clock::now(), cease);
            }
            Command::Enable => {
                self.bfd.disabled(false);
                self.peer.start(clock::now());
                self.reports.enabled();
            }
            Command::Reset(cease) => self.peer.reset(clock::now(), cease),
            Command::Update(config, resets, answer) => {
                let updated = self.update(Arc::new(*config), resets, registration);
                // The caller may have stopped waiting for the answer.
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
        resets: ResetPolicy,
        registration: &Registration,
    ) -> Result<Updated, SpeakerError> {
        let now = clock::now();
        let (asn, identifier) = self.speaker;
        // A seed that the configuration does not name stays as it is.
        let settings = config.settings(asn, identifier, self.peer.settings().fsm.jitter_seed);

        let before = (self.config.as_ref(), self.peer.settings());
        let changes = config::changes(before, (&config, &settings));
        let mut updated = Updated { changes, reset: false };
        let established = self.peer.state() == StateKind::Established;
        let needs_reset = updated.needs_reset().next().is_some();

        // The last step that can fail comes before the first change.
        registration.update(&config)?;
        self.config = config;
        self.peer.reconfigure(now, settings);
        self.follow_bfd_config();

        if needs_reset && established && resets == ResetPolicy::IfNeeded {
            self.peer.reset(now, Notification::cease(CeaseSubcode::OTHER_CONFIGURATION_CHANGE));
            self.early_start.request();
            updated.reset = true;
        }

        self.reports.updated(&self.config, &updated);
        Ok(updated)
    }

    /// Applies the current stage of the speaker's drain.
    pub(super) fn drain(&mut self) {
        let stage = self.inputs.drain.take();
        if self.originated.enter(stage, &mut self.peer) {
            self.reports.draining(stage);
        }
    }
}
