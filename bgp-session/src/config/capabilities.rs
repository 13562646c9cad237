//! The setters for what our OPEN offers to the peer: address families and capabilities (RFC 5492).

use bgp_core::{
    AfiSafi,
    fsm::RestartConfig,
    wire::{AddPath, AddPathMode},
};

use crate::PeerConfig;

impl PeerConfig {
    /// Sets the address families to offer (RFC 4760). Default: IPv4 and IPv6 unicast.
    #[must_use]
    pub fn families(mut self, families: impl IntoIterator<Item = AfiSafi>) -> Self {
        self.protocol.settings.fsm.families = families.into_iter().collect();
        self
    }

    /// Offers graceful restart with its defaults (RFC 4724, RFC 8538): the router keeps our routes while this process
    /// restarts, and we keep the peer's routes while it does. If a peer dials while its session is up, we conclude that it
    /// has restarted, and do not wait for the HoldTimer (RFC 4724, section 5). Default: off.
    ///
    /// Call [`restarted`](Self::restarted) after a restart.
    #[must_use]
    pub fn graceful_restart(self) -> Self {
        self.graceful_restart_with(RestartConfig::default())
    }

    /// Offers graceful restart with the given times, and long-lived graceful restart (RFC 9494).
    #[must_use]
    pub fn graceful_restart_with(mut self, restart: RestartConfig) -> Self {
        self.protocol.settings.fsm.extensions.graceful_restart = Some(restart);
        self
    }

    /// Tells the peer that this process has just been started again and may have announced routes before (the R bit of
    /// RFC 4724). End-of-RIB follows only after the first
    /// [`PeerHandle::set_routes`](crate::PeerHandle::set_routes), at the latest after the restart time. Has no effect
    /// without graceful restart.
    #[must_use]
    pub fn restarted(mut self) -> Self {
        self.protocol.restarted = true;
        self
    }

    /// Offers several paths to each prefix of a family: received, sent, or both (RFC 7911); see
    /// [`Route::path`](crate::Route::path). Default: one path.
    #[must_use]
    pub fn add_path(mut self, family: AfiSafi, mode: AddPathMode) -> Self {
        let add_path = &mut self.protocol.settings.fsm.extensions.add_path;
        add_path.retain(|offer| offer.family != family);
        add_path.push(AddPath { family, mode });
        self
    }

    /// Offers messages of up to 65,535 octets (RFC 8654). Default: offered.
    #[must_use]
    pub fn extended_messages(mut self, offered: bool) -> Self {
        self.protocol.settings.fsm.extensions.extended_messages = offered;
        self
    }

    /// Offers IPv4 routes with IPv6 next hops (RFC 8950). Default: offered.
    #[must_use]
    pub fn extended_next_hop(mut self, offered: bool) -> Self {
        self.protocol.settings.fsm.extensions.extended_next_hop = offered;
        self
    }

    /// Offers route refreshes with a beginning and an end (RFC 7313). Default: offered.
    #[must_use]
    pub fn enhanced_refresh(mut self, offered: bool) -> Self {
        self.protocol.settings.fsm.extensions.enhanced_refresh = offered;
        self
    }

    /// Offers route refreshes at the request of either end (RFC 2918). Default: offered.
    #[must_use]
    pub fn route_refresh(mut self, offered: bool) -> Self {
        self.protocol.settings.fsm.route_refresh = offered;
        self
    }

    /// Offers AS numbers of two octets only, as routers did before RFC 6793. Default: four octets are offered.
    #[must_use]
    pub fn two_octet_as(mut self) -> Self {
        self.protocol.settings.fsm.four_octet_as = false;
        self
    }

    /// Offers no capability at all, for a router that is older than RFC 5492: the OPEN has no optional parameters, and the
    /// session carries IPv4 unicast and AS numbers of two octets. Default: capabilities are offered. If the peer refuses
    /// some of them by a NOTIFICATION, the next OPENs leave them out until that session ends, or the peer is reset or
    /// reconfigured.
    #[must_use]
    pub fn without_capabilities(mut self) -> Self {
        self.protocol.settings.fsm.capabilities = false;
        self
    }
}
