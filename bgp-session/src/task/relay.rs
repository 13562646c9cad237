//! The routes of other peers that are relayed to this one: a member of the group that fits its session.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bgp_core::rib::{RelayRules, RouteSet};

use super::{PeerTask, wake::Wake};
use crate::{
    DrainStage, clock,
    relay::{Membership, Relays},
};

/// The peer's place among those that routes are relayed to.
pub(super) struct Relaying {
    relays: Arc<Relays>,
    member: Option<(RelayRules, Membership)>,
}

impl Relaying {
    pub(super) fn new(relays: Arc<Relays>) -> Self {
        Self { relays, member: None }
    }
}

impl PeerTask {
    /// Joins the group that fits a new session, whose first routes are all that the group has.
    pub(super) fn begin_relay(&mut self) {
        self.relaying.member = None;
        self.follow_relay();
    }

    /// Moves to the group that fits the session and the configuration, or to none.
    pub(super) fn follow_relay(&mut self) {
        let number = self.relaying.relays.number(self.config.id());
        let Some(rules) = self.peer.relay_rules(number) else {
            self.relaying.member = None;
            return;
        };

        let is_new =
            self.relaying.member.as_ref().is_none_or(|(known, _)| !known.share_group(&rules));
        if is_new {
            let membership = self.relaying.relays.join(number, rules.clone());
            self.relaying.member = Some((rules, membership));
        }
        if self.originated.stage() == DrainStage::Withdrawn {
            self.peer.set_relayed(&RouteSet::new());
        }
    }

    /// Relays all routes again after the last stage of a drain that was cancelled.
    pub(super) fn relay_after_drain(&mut self) {
        if self.relaying.member.take().is_some() {
            self.follow_relay();
        }
    }

    /// Waits for changed routes, once all before them have been sent. A drain may withhold them.
    pub(super) fn poll_relayed(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        let Some((_, membership)) = &mut self.relaying.member else { return Poll::Pending };
        let is_withheld = self.originated.stage() == DrainStage::Withdrawn;
        if is_withheld || self.peer.adj_rib_out().has_pending() {
            return Poll::Pending;
        }
        membership.poll_changed(cx).map(|()| Wake::Relayed)
    }

    /// Gives the latest routes to the peer.
    pub(super) fn relay(&mut self) {
        let Some((_, membership)) = &mut self.relaying.member else { return };
        if let Some(routes) = membership.take() {
            self.peer.set_time(clock::now());
            self.peer.set_relayed(&routes);
            self.reports.monitor.routes_out_changed();
        }
    }

    /// Passes on the VRPs of the speaker. A policy that depends on them makes another group fit.
    pub(super) fn vrps_changed(&mut self) {
        self.peer.set_time(clock::now());
        self.peer.change_vrps(&self.inputs.vrps.take());
        self.follow_relay();
    }
}
