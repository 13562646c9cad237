//! The routes of other peers that are relayed to this one.
//!
//! The driver has a [`RelayGroup`](crate::rib::RelayGroup) for all peers with equal rules, and gives each of them its part.

use ipnet::IpNet;

use crate::peer::{Peer, PeerSettings};
use crate::rib::{ExportRules, Relay, RelayRules, RouteSet};

/// The way in which the relayed routes were chosen. They are sent by it until others are given, even if the settings change
/// before that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relayed {
    relay: Relay,
    /// The networks that we share with the peer. `None` if the routes are prepared, since an export policy was given prepared
    /// routes and may have set the same attributes again.
    shared_networks: Option<Vec<IpNet>>,
}

impl Relayed {
    fn new(relay: Relay, settings: &PeerSettings) -> Self {
        let is_prepared = settings.policies.export.is_some();
        let shared_networks = (!is_prepared).then(|| settings.shared_networks.clone());
        Self { relay, shared_networks }
    }

    /// Adds the rules for these routes.
    pub(super) fn export_rules<'a>(&'a self, rules: ExportRules<'a>) -> ExportRules<'a> {
        let rules = rules.relay(Some(self.relay));
        match &self.shared_networks {
            Some(networks) => rules.prepare_relayed(networks),
            None => rules,
        }
    }
}

impl Peer {
    /// The rules by which routes of other peers are relayed to this one in its session. `None` without a session, and without
    /// [`PeerSettings::relay`]. `number`: the peer's own among those of [`RelayGroup::update`](crate::rib::RelayGroup::update).
    #[must_use]
    pub fn relay_rules(&self, number: u32) -> Option<RelayRules> {
        let negotiated = self.negotiated()?;
        let mut rules = RelayRules::new(self.settings.relay?, negotiated.peer_type);
        rules.several_paths.clone_from(&negotiated.extensions.add_path_send);
        rules.only_member = Some(number).filter(|_| !rules.several_paths.is_empty());
        rules.long_lived = !negotiated.extensions.long_lived.is_empty();
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
    /// [`relay_rules`](Self::relay_rules) has done so. The routes are shared with the other members of the group. Those of families
    /// that the session does not carry are left out.
    ///
    /// After changed settings, the peer keeps what it has until the first routes by the new rules. Then all are sent again, if the
    /// same routes now leave with other attributes.
    ///
    /// They belong to the session: it begins without any, and End-of-RIB waits for the first call. After
    /// [`restarted`](Self::restarted), it waits until the deadline, because the other peers are only returning.
    pub fn set_relayed(&mut self, routes: &RouteSet) {
        let (Some(relay), Some(negotiated)) = (self.settings.relay, self.negotiated()) else {
            return;
        };
        let routes = routes.of_families(|family| negotiated.has_family(family));
        self.change_routes(|peer| peer.adj_rib_out.set(&routes));

        let relayed = Some(Relayed::new(relay, &self.settings));
        if self.relayed != relayed {
            self.relayed = relayed;
            self.encoded.forget();
            if !self.adj_rib_out.advertised().is_empty() {
                self.adj_rib_out.repeat();
            }
        }
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
            self.relayed = None;
            self.awaits_relayed = false;
            self.adj_rib_out.hold_end_of_rib(self.restarting.is_some());
        }
    }

    /// Applies changed settings of a peer that relays, or has done so before. If it still does, its routes stay as they are until
    /// [`set_relayed`](Self::set_relayed), because those at hand were chosen by the old rules.
    pub(super) fn relay_changed(&mut self, before: &PeerSettings) {
        let (relays, relayed) = (self.settings.relay.is_some(), before.relay.is_some());
        if relays == relayed {
            self.shared_networks_changed();
            return;
        }

        self.originated = None;
        self.relayed = None;
        self.change_routes(|peer| peer.adj_rib_out.set(&RouteSet::new()));
        self.awaits_relayed = relays && self.established().is_some();
        self.adj_rib_out.hold_end_of_rib(self.restarting.is_some() || self.awaits_relayed);
    }

    /// Prepares the routes by the new shared networks, if the session does that. The group stays the same, so it gives no others.
    fn shared_networks_changed(&mut self) {
        let new = &self.settings.shared_networks;
        let networks = self.relayed.as_mut().and_then(|it| it.shared_networks.as_mut());
        if let Some(networks) = networks.filter(|networks| *networks != new) {
            networks.clone_from(new);
            self.adj_rib_out.repeat();
        }
    }
}
