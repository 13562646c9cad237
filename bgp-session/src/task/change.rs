//! The changes to a peer that handles and the speaker request, other than its routes and its end.

use std::sync::Arc;

use bgp_core::{
    AfiSafi,
    fsm::StateKind,
    wire::{CeaseSubcode, Notification},
};

use super::PeerTask;
use crate::{
    DrainStage, OperatorAction, PeerConfig, SpeakerError, Updated, clock,
    command::{Command, RefreshAnswer},
    config::{self, ResetPolicy},
    registry::Registration,
};

impl PeerTask {
    /// Handles a command that changes the peer itself.
    pub(super) fn change(&mut self, command: Command, registration: &Registration) {
        match command {
            Command::Disable(cease) => {
                self.reports.operator(OperatorAction::Disable(message(&cease)));
                self.bfd.disabled(true);
                self.peer.stop(clock::now(), cease);
            }
            Command::Enable => {
                self.reports.operator(OperatorAction::Enable);
                self.bfd.disabled(false);
                self.peer.start(clock::now());
            }
            Command::Reset(cease, answer) => {
                let enabled = !self.bfd.is_disabled();
                if enabled {
                    self.reports.operator(OperatorAction::Reset(message(&cease)));
                    self.peer.reset(clock::now(), cease);
                }
                // The caller may have stopped waiting for the answer.
                let _ = answer.send(enabled);
            }
            Command::Update(config, resets, answer) => {
                let updated = self.update(Arc::new(*config), resets, registration);
                // Handles look there for whether the peer relays.
                self.publish();
                // The caller may have stopped waiting for the answer.
                let _ = answer.send(updated);
            }
            Command::SetRoutes(_)
            | Command::Announce(..)
            | Command::Withdraw(_)
            | Command::WithdrawPath(..)
            | Command::Refresh(..)
            | Command::Resend(..)
            | Command::Unsendable(_)
            | Command::RoutesSent(_)
            | Command::AdjRibIn(..)
            | Command::AdjRibOut(..)
            | Command::RepeatRoutes
            | Command::Tables(_)
            | Command::Shutdown(_)
            | Command::Abandon => {}
        }
    }

    /// Asks the peer for its routes again.
    pub(super) fn refresh(&mut self, family: AfiSafi, answer: RefreshAnswer) {
        let outcome = self.peer.request_refresh(family);
        if outcome.is_ok() {
            self.reports.operator(OperatorAction::Refresh(family));
        }
        // The caller may have stopped waiting for the answer.
        let _ = answer.send(outcome);
    }

    /// Asks the peer for its routes of all families again. One that cannot be asked repeats nothing.
    pub(super) fn repeat_routes(&mut self) {
        for family in self.peer.settings().fsm.families.clone() {
            if let Err(error) = self.peer.request_refresh(family) {
                tracing::debug!(%family, %error, "the peer does not show its routes to a station again");
            }
        }
    }

    /// Sends our routes again.
    pub(super) fn resend(&mut self, family: AfiSafi, answer: RefreshAnswer) {
        let outcome = self.peer.resend(family);
        if outcome.is_ok() {
            self.reports.operator(OperatorAction::Resend(family));
        }
        // The caller may have stopped waiting for the answer.
        let _ = answer.send(outcome);
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
        self.follow_relay();
        self.reports.monitor.routes_out_changed();

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
        let before = self.originated.stage();
        if self.originated.enter(stage, &mut self.peer) {
            self.reports.draining(stage);
            if before == DrainStage::Withdrawn {
                self.relay_after_drain();
            }
        }
    }
}

/// The text for the peer's operator in a Cease.
fn message(cease: &Notification) -> String {
    cease.message().unwrap_or_default().to_owned()
}
