//! [`Originated`]: the routes that handles asked for, as the peer should have them at this stage of a drain (RFC 8326).
//!
//! Outside of the last stage nothing is kept here: the core's Adj-RIB-Out holds what is wanted, and marks it.

use std::mem;

use bgp_core::{
    peer::Peer,
    rib::{Route, RouteSet},
};
use ipnet::IpNet;

use crate::DrainStage;

/// What is wanted while a drain keeps it from the peer.
#[derive(Default)]
pub(super) struct Originated {
    stage: DrainStage,
    /// All that handles asked for; empty but in [`DrainStage::Withdrawn`].
    wanted: RouteSet,
}

impl Originated {
    /// Goes to another stage. Answers whether it is another.
    pub(super) fn enter(&mut self, stage: DrainStage, peer: &mut Peer) -> bool {
        let before = mem::replace(&mut self.stage, stage);
        if before == stage {
            return false;
        }
        if stage == DrainStage::Withdrawn {
            self.wanted = peer.routes();
            peer.set_routes(&RouteSet::new());
        } else if before == DrainStage::Withdrawn {
            peer.set_routes(&mem::take(&mut self.wanted));
        }
        peer.drain(stage == DrainStage::Marked);
        true
    }

    pub(super) fn set(&mut self, routes: &RouteSet, peer: &mut Peer) {
        if self.stage == DrainStage::Withdrawn {
            self.wanted = routes.clone();
        } else {
            peer.set_routes(routes);
        }
    }

    pub(super) fn announce(&mut self, route: Route, peer: &mut Peer) {
        if self.stage == DrainStage::Withdrawn {
            self.wanted.insert(route);
        } else {
            peer.announce(&route);
        }
    }

    pub(super) fn withdraw(&mut self, prefix: IpNet, peer: &mut Peer) {
        if self.stage == DrainStage::Withdrawn {
            self.wanted.remove(&prefix);
        }
        peer.withdraw(prefix);
    }

    pub(super) fn withdraw_path(&mut self, prefix: IpNet, path_id: u32, peer: &mut Peer) {
        if self.stage == DrainStage::Withdrawn {
            self.wanted.remove_path(&prefix, path_id);
        }
        peer.withdraw_path(prefix, path_id);
    }
}
