//! The routes that the peer should have: through the export policy to the Adj-RIB-Out. Also our own graceful
//! restart.

use std::time::Instant;

use ipnet::IpNet;

use crate::peer::validation::LastPassed;
use crate::peer::{Peer, PeerSettings};
use crate::policy::Policy;
use crate::rib::{Route, RouteSet};

impl Peer {
    /// Replaces all routes that the peer should have. Routes that were already announced are not repeated.
    ///
    /// The routes are shared with the set and with other peers that were given it. Only those that the export policy changes
    /// are copied.
    pub fn set_routes(&mut self, routes: &RouteSet) {
        self.change_routes(|peer| match peer.settings.policies.export.clone() {
            None => peer.adj_rib_out.set(routes),
            Some(policy) => {
                let passed = peer.exported(&policy, routes);
                peer.adj_rib_out.set(&passed);
                peer.originated = Some(routes.clone());
            }
        });
        self.release_end_of_rib();
    }

    /// Adds a route that the peer should have. It replaces one with the same prefix and path identifier.
    pub fn announce(&mut self, route: &Route) {
        self.change_routes(|peer| peer.announce_one(route));
    }

    fn announce_one(&mut self, route: &Route) {
        let Some(policy) = &self.settings.policies.export else {
            self.adj_rib_out.announce(route);
            return;
        };

        let (prefix, path_id) = (route.prefix(), route.path_id());
        match policy.apply(prefix, route.attributes(), &self.export_context(self.vrps())) {
            Some(attributes) => {
                let route = Route::with_attributes(prefix, attributes).path(path_id);
                self.adj_rib_out.announce(&route);
            }
            None => self.adj_rib_out.withdraw_path(prefix, path_id),
        }

        self.originated.get_or_insert_default().insert(route.clone());
    }

    /// Removes every route to `prefix` from those that the peer should have.
    pub fn withdraw(&mut self, prefix: IpNet) {
        self.change_routes(|peer| peer.adj_rib_out.withdraw(prefix));
        if let Some(originated) = &mut self.originated {
            originated.remove(&prefix);
        }
    }

    /// Removes the path with this identifier to `prefix` from the routes that the peer should have (RFC 7911).
    pub fn withdraw_path(&mut self, prefix: IpNet, path_id: u32) {
        self.change_routes(|peer| peer.adj_rib_out.withdraw_path(prefix, path_id));
        if let Some(originated) = &mut self.originated {
            originated.remove_path(&prefix, path_id);
        }
    }

    /// All routes that the peer should have: those that it was given, before the export policy, or the
    /// [relayed](Self::set_relayed) ones, which are those after it.
    #[must_use]
    pub fn routes(&self) -> RouteSet {
        self.originated.clone().unwrap_or_else(|| self.adj_rib_out.desired())
    }

    /// Reports, before [`Peer::start`], that this process has just restarted and that the peer may still have its routes
    /// (RFC 4724, section 4.1). Until `deadline`, or the first session, our OPEN carries the R bit. Until `deadline`, or the
    /// first [`Peer::set_routes`], no End-of-RIB is sent, because the peer would drop routes that are not announced again
    /// yet.
    pub fn restarted(&mut self, deadline: Instant) {
        if self.settings.fsm.extensions.graceful_restart.is_some() {
            self.restarting = Some(deadline);
            self.adj_rib_out.hold_end_of_rib(true);
            self.set_restarting(true);
        }
    }

    /// Allows End-of-RIB, because the first routes are known.
    fn release_end_of_rib(&mut self) {
        if self.restarting.is_some() {
            self.adj_rib_out.hold_end_of_rib(self.awaits_relayed);
        }
    }

    pub(super) fn end_restart(&mut self, now: Instant) {
        if self.restarting.take_if(|deadline| *deadline <= now).is_some() {
            self.adj_rib_out.hold_end_of_rib(self.awaits_relayed);
            self.set_restarting(false);
        }
    }

    pub(super) fn set_restarting(&mut self, restarting: bool) {
        self.outgoing.fsm.set_restarting(restarting);
        if let Some(incoming) = &mut self.incoming {
            incoming.fsm.set_restarting(restarting);
        }
    }

    /// Applies changed settings to routes: the export policy may select other routes, and next hops may differ.
    pub(super) fn settings_changed(&mut self, before: &PeerSettings) {
        let new = self.settings.policies.export.clone();
        if before.relay.is_some() || self.settings.relay.is_some() {
            self.relay_changed(before);
        } else if before.policies.export != new {
            let routes = self.routes();
            self.originated = None;
            // Not by `set_routes`, which would allow End-of-RIB: the embedder has not given any routes.
            self.change_routes(|peer| match new {
                None => peer.adj_rib_out.set(&routes),
                Some(policy) => {
                    let passed = peer.exported(&policy, &routes);
                    peer.adj_rib_out.set(&passed);
                    peer.originated = Some(routes);
                }
            });
        }

        self.encoded.forget();
        self.adj_rib_in.interner.clear();
        if before.next_hops != self.settings.next_hops {
            self.adj_rib_out.repeat();
        }

        // Routes that the old policy rejected or changed have to be requested again (RFC 2918).
        let settings = &self.settings;
        let rules = before.allow_as_sets != settings.allow_as_sets
            || before.allow_martian_next_hops != settings.allow_martian_next_hops
            || before.allow_any_first_as != settings.allow_any_first_as;
        if rules || before.policies.import != settings.policies.import {
            if !self.keeps_unfiltered() {
                self.adj_rib_in.forget_unfiltered();
            }
            for family in self.settings.fsm.families.clone() {
                // A peer that cannot be asked keeps what it has sent.
                let _ = self.request_refresh(family);
            }
        }
    }

    /// Starts or ends a drain. While draining, all our routes carry GRACEFUL_SHUTDOWN, and LOCAL_PREF 0 towards an internal
    /// peer, so that traffic moves elsewhere before the session ends (RFC 8326). Routes that were announced are repeated
    /// with these attributes.
    pub fn drain(&mut self, draining: bool) {
        if self.draining != draining {
            self.draining = draining;
            self.encoded.forget();
            self.adj_rib_out.repeat();
        }
    }

    /// The routes that pass an export policy. Adjacent routes with equal attributes share them.
    pub(super) fn exported(&self, policy: &Policy, routes: &RouteSet) -> RouteSet {
        let context = self.export_context(self.vrps());
        let mut last = LastPassed::default();
        routes.filter_map(|prefix, attributes| last.apply(policy, prefix, attributes, &context))
    }
}
