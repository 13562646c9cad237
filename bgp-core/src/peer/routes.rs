//! The routes that the peer should have: through the export policy to the Adj-RIB-Out; and what the peer is asked for.

use std::sync::Arc;
use std::time::Instant;

use ipnet::IpNet;

use crate::AfiSafi;
use crate::peer::{Peer, PeerSettings};
use crate::policy::Policy;
use crate::rib::{Route, RouteSet};
use crate::wire::PathAttributes;

impl Peer {
    /// Makes `routes` the whole of what the peer should have; what it has been told already is not repeated.
    ///
    /// The routes are shared with the set, and with other peers that were given it, not copied, but for those that the
    /// export policy changes.
    pub fn set_routes(&mut self, routes: &RouteSet) {
        self.change_routes(|peer| match peer.settings.policies.export.clone() {
            None => peer.adj_rib_out.set(routes),
            Some(policy) => {
                peer.adj_rib_out.set(&apply(&policy, routes));
                peer.originated = Some(routes.clone());
            }
        });
        self.release_end_of_rib();
    }

    /// The peer should have this route, in place of one to the same prefix with the same path identifier.
    pub fn announce(&mut self, route: &Route) {
        self.change_routes(|peer| peer.announce_one(route));
    }

    fn announce_one(&mut self, route: &Route) {
        let Some(policy) = &self.settings.policies.export else {
            self.adj_rib_out.announce(route);
            return;
        };
        let (prefix, path_id) = (route.prefix(), route.path_id());
        match policy.apply(prefix, route.attributes()) {
            Some(attributes) => {
                let route = Route::with_attributes(prefix, attributes).path(path_id);
                self.adj_rib_out.announce(&route);
            }
            None => self.adj_rib_out.withdraw_path(prefix, path_id),
        }
        self.originated.get_or_insert_default().insert(route.clone());
    }

    /// The peer should not have any route to `prefix`.
    pub fn withdraw(&mut self, prefix: IpNet) {
        self.change_routes(|peer| peer.adj_rib_out.withdraw(prefix));
        if let Some(originated) = &mut self.originated {
            originated.remove(&prefix);
        }
    }

    /// The peer should not have the path with this identifier to `prefix` (RFC 7911).
    pub fn withdraw_path(&mut self, prefix: IpNet, path_id: u32) {
        self.change_routes(|peer| peer.adj_rib_out.withdraw_path(prefix, path_id));
        if let Some(originated) = &mut self.originated {
            originated.remove_path(&prefix, path_id);
        }
    }

    /// All that the peer should have, before the export policy.
    #[must_use]
    pub fn routes(&self) -> RouteSet {
        self.originated.clone().unwrap_or_else(|| self.adj_rib_out.desired())
    }

    /// Asks the peer to send all its routes of a family again (RFC 2918). Those that it does not repeat are gone when it
    /// says that it is done, where it can say so (RFC 7313).
    ///
    /// `false`: there is no session, or the peer does not understand the request.
    pub fn request_refresh(&mut self, family: AfiSafi) -> bool {
        let asked = self.negotiated().is_some_and(|it| it.route_refresh && it.has_family(family));
        if asked {
            self.refresh_due.insert(family);
        }
        asked
    }

    /// Says, before [`Peer::start`], that this process has just been started again, and that the peer may still have its
    /// routes (RFC 4724, section 4.1). Until `deadline`, or the first session, our OPEN says so. Until `deadline`, or the
    /// first [`Peer::set_routes`], no End-of-RIB is sent: the peer would drop what was not announced again yet.
    pub fn restarted(&mut self, deadline: Instant) {
        if self.settings.fsm.extensions.graceful_restart.is_some() {
            self.restarting = Some(deadline);
            self.adj_rib_out.hold_end_of_rib(true);
            self.say_restarting(true);
        }
    }

    /// The first routes are known.
    fn release_end_of_rib(&mut self) {
        if self.restarting.is_some() {
            self.adj_rib_out.hold_end_of_rib(false);
        }
    }

    pub(super) fn end_restart(&mut self, now: Instant) {
        if self.restarting.take_if(|deadline| *deadline <= now).is_some() {
            self.adj_rib_out.hold_end_of_rib(false);
            self.say_restarting(false);
        }
    }

    pub(super) fn say_restarting(&mut self, restarting: bool) {
        self.outgoing.fsm.set_restarting(restarting);
        if let Some(incoming) = &mut self.incoming {
            incoming.fsm.set_restarting(restarting);
        }
    }

    /// Another configuration is in force: the export policy may let the peer have other routes, and next hops may differ.
    pub(super) fn settings_changed(&mut self, before: &PeerSettings) {
        let new = self.settings.policies.export.clone();
        if before.policies.export != new {
            let routes = self.routes();
            self.originated = None;
            // Not by `set_routes`: the embedder has said nothing new.
            self.change_routes(|peer| match new {
                None => peer.adj_rib_out.set(&routes),
                Some(policy) => {
                    peer.adj_rib_out.set(&apply(&policy, &routes));
                    peer.originated = Some(routes);
                }
            });
        }

        self.encoded.forget();
        if before.next_hops != self.settings.next_hops {
            self.adj_rib_out.repeat();
        }

        // What a policy let pass, or kept out, before has to be asked for again (RFC 2918).
        let as_sets = before.allow_as_sets != self.settings.allow_as_sets;
        if as_sets || before.policies.import != self.settings.policies.import {
            let families = self.settings.fsm.families.clone();
            families.into_iter().for_each(|family| {
                self.request_refresh(family);
            });
        }
    }

    /// While draining, all our routes carry GRACEFUL_SHUTDOWN, and the LOCAL_PREF 0 towards an internal peer, so that
    /// traffic goes another way before the session ends (RFC 8326). What the peer has been told is repeated so.
    pub fn drain(&mut self, draining: bool) {
        if self.draining != draining {
            self.draining = draining;
            self.encoded.forget();
            self.adj_rib_out.repeat();
        }
    }
}

/// The routes that pass a policy. Neighbours with equal attributes share them.
fn apply(policy: &Policy, routes: &RouteSet) -> RouteSet {
    let mut last: Option<Arc<PathAttributes>> = None;
    routes.filter_map(|prefix, attributes| {
        let passed = policy.apply(prefix, attributes)?;
        match &last {
            Some(last) if *last == passed && !Arc::ptr_eq(&passed, attributes) => {
                Some(Arc::clone(last))
            }
            _ => {
                last = Some(Arc::clone(&passed));
                Some(passed)
            }
        }
    })
}
