//! The routes of other peers that are relayed to this one.
//!
//! The driver has a [`RelayGroup`](crate::rib::RelayGroup) for all peers with equal rules, and gives each of them its part.

use crate::peer::{Peer, PeerSettings};
use crate::rib::{RelayRules, RouteSet};

impl Peer {
    /// The rules by which routes of other peers are relayed to this one in its session. `None` without a session, and without
    /// [`PeerSettings::relay`].
    #[must_use]
    pub fn relay_rules(&self) -> Option<RelayRules> {
        let negotiated = self.negotiated()?;
        let mut rules = RelayRules::new(self.settings.relay?, negotiated.peer_type);
        rules.several_paths.clone_from(&negotiated.extensions.add_path_send);
        if let Some(policy) = &self.settings.policies.export {
            rules.policy = Some(policy.clone());
            rules.local_asn = negotiated.local_asn;
            if policy.uses_validity() {
                rules.vrps = self.vrps().clone();
            }
            // Otherwise the session itself applies them.
            rules.shared_networks.clone_from(&self.settings.shared_networks);
        }
        Some(rules)
    }

    /// Replaces all routes that are relayed to the peer. The export policy is not applied, because the group of
    /// [`relay_rules`](Self::relay_rules) has done so. The routes are shared with the other members of the group.
    ///
    /// They belong to the session: it begins without any, and End-of-RIB waits for the first call. After
    /// [`restarted`](Self::restarted), it waits until the deadline, because the other peers are only returning.
    pub fn set_relayed(&mut self, routes: &RouteSet) {
        if self.settings.relay.is_none() || self.established().is_none() {
            return;
        }
        self.change_routes(|peer| peer.adj_rib_out.set(routes));
        self.awaits_relayed = false;
        self.adj_rib_out.hold_end_of_rib(self.restarting.is_some());
    }

    /// Begins a session to which routes are relayed.
    pub(super) fn begin_relay(&mut self) {
        if self.settings.relay.is_some() {
            self.awaits_relayed = true;
            self.adj_rib_out.hold_end_of_rib(true);
        }
    }

    /// Drops the routes that were relayed to the session.
    pub(super) fn end_relay(&mut self) {
        if self.settings.relay.is_some() {
            self.adj_rib_out.set(&RouteSet::new());
            self.awaits_relayed = false;
            self.adj_rib_out.hold_end_of_rib(self.restarting.is_some());
        }
    }

    /// Applies changed settings of a peer that relays, or has done so before. All its routes are sent again, with the routes of
    /// another group or by other rules.
    pub(super) fn relay_changed(&mut self, before: &PeerSettings) {
        let PeerSettings { relay, shared_networks, policies, .. } = &self.settings;
        let same_rules = before.relay == *relay
            && before.shared_networks == *shared_networks
            && before.policies.export.is_some() == policies.export.is_some();
        let (relays, relayed) = (relay.is_some(), before.relay.is_some());

        if !same_rules {
            self.adj_rib_out.repeat();
        }
        if relays != relayed {
            self.originated = None;
            self.change_routes(|peer| peer.adj_rib_out.set(&RouteSet::new()));
        }
    }
}
