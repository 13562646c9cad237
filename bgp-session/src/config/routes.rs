//! What becomes of routes: the extensions of the protocol that are offered, next hops and policies.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use bgp_core::{
    AfiSafi,
    fsm::{Extensions, RestartConfig},
    peer::PeerSettings,
    policy::{NextHops, Policies, Policy},
    wire::{AddPath, AddPathMode},
};

use crate::{Import, PeerConfig};

/// What [`PeerConfig`] holds of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Routing {
    extensions: Extensions,
    next_hops: NextHops,
    policies: Policies,
    two_octet_as: bool,
    allow_as_sets: bool,
    no_route_refresh: bool,
    no_capabilities: bool,
    restarted: bool,
}

impl PeerConfig {
    /// Graceful restart with its defaults (RFC 4724, RFC 8538): what we announced stays at the router while this
    /// process restarts, and the peer's routes stay here while it does. A peer that dials while its session is up has
    /// restarted, and need not wait for the HoldTimer (RFC 4724, section 5). Default: off.
    ///
    /// After a restart say so by [`restarted`](Self::restarted).
    #[must_use]
    pub fn graceful_restart(self) -> Self {
        self.graceful_restart_with(RestartConfig::default())
    }

    /// Graceful restart with times of one's own, and long-lived graceful restart (RFC 9494).
    #[must_use]
    pub fn graceful_restart_with(mut self, restart: RestartConfig) -> Self {
        self.routing.extensions.graceful_restart = Some(restart);
        self
    }

    /// This process has just been started again, and may have announced routes to the peer before. The peer is told so
    /// (the R bit of RFC 4724), and that all is announced again (End-of-RIB) only after the first
    /// [`PeerHandle::set_routes`](crate::PeerHandle::set_routes), at the latest after the restart time. Without effect
    /// where graceful restart is off.
    #[must_use]
    pub fn restarted(mut self) -> Self {
        self.routing.restarted = true;
        self
    }

    /// Several paths to a prefix of that family, received, sent, or both (RFC 7911); see
    /// [`Route::path`](crate::Route::path). Default: one path.
    #[must_use]
    pub fn add_path(mut self, family: AfiSafi, mode: AddPathMode) -> Self {
        self.routing.extensions.add_path.retain(|it| it.family != family);
        self.routing.extensions.add_path.push(AddPath { family, mode });
        self
    }

    /// Messages of up to 65,535 octets (RFC 8654). Default: offered.
    #[must_use]
    pub fn extended_messages(mut self, offered: bool) -> Self {
        self.routing.extensions.extended_messages = offered;
        self
    }

    /// IPv4 routes with IPv6 next hops (RFC 8950). Default: offered.
    #[must_use]
    pub fn extended_next_hop(mut self, offered: bool) -> Self {
        self.routing.extensions.extended_next_hop = offered;
        self
    }

    /// Route refreshes with a beginning and an end (RFC 7313). Default: offered.
    #[must_use]
    pub fn enhanced_refresh(mut self, offered: bool) -> Self {
        self.routing.extensions.enhanced_refresh = offered;
        self
    }

    /// Route refreshes on request of either end (RFC 2918). Default: offered.
    #[must_use]
    pub fn route_refresh(mut self, offered: bool) -> Self {
        self.routing.no_route_refresh = !offered;
        self
    }

    /// Offers no capability at all, as to a router that is older than RFC 5492: the OPEN has no optional parameters, and the
    /// session carries IPv4 unicast and AS numbers of two octets. Default: capabilities are offered. Those that the peer
    /// refuses by a NOTIFICATION are left out of the next OPENs, until that session ends or the peer is reset or
    /// reconfigured.
    #[must_use]
    pub fn without_capabilities(mut self) -> Self {
        self.routing.no_capabilities = true;
        self
    }

    /// Speak as a peer that knows AS numbers of two octets only (before RFC 6793). Default: four octets are offered.
    #[must_use]
    pub fn two_octet_as(mut self) -> Self {
        self.routing.two_octet_as = true;
        self
    }

    /// Keeps routes whose path has an AS_SET or AS_CONFED_SET, if routes are kept at all. Default: they are treated as
    /// withdrawn (RFC 9774). A change of this makes the speaker ask the peer for its routes again.
    #[must_use]
    pub fn allow_as_sets(mut self) -> Self {
        self.routing.allow_as_sets = true;
        self
    }

    /// The next hop of IPv4 routes that have none of their own. Default: the session's local address.
    #[must_use]
    pub fn next_hop_ipv4(mut self, address: Ipv4Addr) -> Self {
        self.routing.next_hops.ipv4 = Some(address);
        self
    }

    /// The next hop of IPv6 routes that have none of their own; on a link-local session, the global address beside it
    /// (RFC 2545). Default: the session's local address.
    #[must_use]
    pub fn next_hop_ipv6(mut self, address: Ipv6Addr) -> Self {
        self.routing.next_hops.ipv6 = Some(address);
        self
    }

    /// Keeps the received routes that the policy accepts, as it leaves them (RFC 8212).
    /// [`import`](Self::import)`(Import::Keep)` alone is the policy that accepts all. A change asks the peer for its
    /// routes again; no session ends.
    #[must_use]
    pub fn import_policy(mut self, policy: impl Into<Arc<Policy>>) -> Self {
        self.routing.policies.import = Some(policy.into());
        self.import(Import::Keep)
    }

    /// Announces what the policy accepts of the routes that the peer is given, as it leaves them. Default: all of them;
    /// nothing else is ever announced, so that giving routes is the export policy that RFC 8212 asks for. A change holds
    /// at once.
    ///
    /// ```
    /// use bgp_session::policy::{Action, Match, Policy, Rule};
    /// use bgp_session::{Asn, PeerConfig};
    ///
    /// let router: std::net::IpAddr = "192.0.2.1".parse()?;
    /// let longer = Rule::change(Match::all()).action(Action::Prepend(Asn(64_512), 2));
    /// let backup = PeerConfig::new(router, Asn(64_500)).export_policy(Policy::accept_all().rule(longer));
    /// # let _ = backup;
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn export_policy(mut self, policy: impl Into<Arc<Policy>>) -> Self {
        self.routing.policies.export = Some(policy.into());
        self
    }
}

impl Routing {
    pub(crate) fn apply(&self, settings: &mut PeerSettings) {
        settings.next_hops = self.next_hops;
        settings.policies.clone_from(&self.policies);
        settings.allow_as_sets = self.allow_as_sets;

        let fsm = &mut settings.fsm;
        fsm.extensions.clone_from(&self.extensions);
        fsm.route_refresh = !self.no_route_refresh;
        fsm.capabilities = !self.no_capabilities;
        fsm.four_octet_as = !self.two_octet_as;
    }

    /// How long the peer may hope for us, where this process has just been started again.
    pub(crate) fn restart_time(&self) -> Option<std::time::Duration> {
        let restart = self.extensions.graceful_restart.as_ref()?;
        self.restarted.then_some(restart.restart_time)
    }
}
