//! The routes that the peer should have.

use ipnet::IpNet;

use crate::peer::Peer;
use crate::rib::{Route, RouteSet};

impl Peer {
    /// Makes `routes` the whole of what the peer should have; what it has been told already is not repeated.
    ///
    /// The routes are shared with the set, and with other peers that were given it, not copied.
    pub fn set_routes(&mut self, routes: &RouteSet) {
        self.adj_rib_out.set(routes);
    }

    /// The peer should have this route, in place of one to the same prefix with the same path identifier.
    pub fn announce(&mut self, route: &Route) {
        self.adj_rib_out.announce(route);
    }

    /// The peer should not have any route to `prefix`.
    pub fn withdraw(&mut self, prefix: IpNet) {
        self.adj_rib_out.withdraw(prefix);
    }

    /// The peer should not have the path with this identifier to `prefix` (RFC 7911).
    pub fn withdraw_path(&mut self, prefix: IpNet, path_id: u32) {
        self.adj_rib_out.withdraw_path(prefix, path_id);
    }

    /// While draining, all our routes carry GRACEFUL_SHUTDOWN, and the LOCAL_PREF 0 towards an internal peer, so that
    /// traffic goes another way before the session ends (RFC 8326). What the peer has been told is repeated so.
    pub fn drain(&mut self, draining: bool) {
        if self.draining != draining {
            self.draining = draining;
            self.adj_rib_out.repeat();
        }
    }
}
