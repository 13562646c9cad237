//! [`Originated`]: the routes to announce, as the current stage of a drain allows (RFC 8326).
//!
//! Only the last stage keeps routes here. Before that the core's Adj-RIB-Out holds them all, and marks them. A peer to which the
//! routes of others are relayed has none of its own.

use std::mem;

use bgp_core::{
    peer::Peer,
    rib::{Route, RouteSet},
};
use ipnet::IpNet;

use crate::DrainStage;

/// The wanted routes while a drain withholds them from the peer.
#[derive(Default)]
pub(super) struct Originated {
    stage: DrainStage,
    /// All wanted routes in [`DrainStage::Withdrawn`]; empty in the other stages.
    withheld: RouteSet,
}

impl Originated {
    /// The current stage.
    pub(super) fn stage(&self) -> DrainStage {
        self.stage
    }

    /// Enters a stage. Returns true if it differs from the one before.
    pub(super) fn enter(&mut self, stage: DrainStage, peer: &mut Peer) -> bool {
        let before = mem::replace(&mut self.stage, stage);
        if before == stage {
            return false;
        }

        if relays(peer) {
            if stage == DrainStage::Withdrawn {
                peer.set_relayed(&RouteSet::new());
            }
        } else if stage == DrainStage::Withdrawn {
            self.withheld = peer.routes();
            peer.set_routes(&RouteSet::new());
        } else if before == DrainStage::Withdrawn {
            peer.set_routes(&mem::take(&mut self.withheld));
        }
        peer.drain(stage == DrainStage::Marked);
        true
    }

    pub(super) fn set(&mut self, routes: &RouteSet, peer: &mut Peer) {
        if relays(peer) {
            return;
        }
        if self.stage == DrainStage::Withdrawn {
            self.withheld = routes.clone();
        } else {
            peer.set_routes(routes);
        }
    }

    pub(super) fn announce(&mut self, route: Route, peer: &mut Peer) {
        if relays(peer) {
            return;
        }
        if self.stage == DrainStage::Withdrawn {
            self.withheld.insert(route);
        } else {
            peer.announce(&route);
        }
    }

    pub(super) fn withdraw(&mut self, prefix: IpNet, peer: &mut Peer) {
        if relays(peer) {
            return;
        }
        if self.stage == DrainStage::Withdrawn {
            self.withheld.remove(&prefix);
        }
        peer.withdraw(prefix);
    }

    pub(super) fn withdraw_path(&mut self, prefix: IpNet, path_id: u32, peer: &mut Peer) {
        if relays(peer) {
            return;
        }
        if self.stage == DrainStage::Withdrawn {
            self.withheld.remove_path(&prefix, path_id);
        }
        peer.withdraw_path(prefix, path_id);
    }
}

/// Returns true if the peer gets the routes of other peers. A handle refuses others, unless the configuration has just changed.
fn relays(peer: &Peer) -> bool {
    peer.settings().relay.is_some()
}
