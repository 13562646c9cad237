//! The setters for a peer's routes: the kept and the announced ones, next hops, and limits.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use bgp_core::{
    peer::{PrefixLimit, PrefixLimits},
    policy::Policy,
    rib::Relay,
};
use ipnet::IpNet;

use crate::{Import, PeerConfig};

/// Received routes.
impl PeerConfig {
    /// Keeps or drops the routes that this peer sends. Default: they are counted and dropped.
    #[must_use]
    pub fn import(mut self, import: Import) -> Self {
        self.protocol.settings.import = import;
        self
    }

    /// Keeps the received routes that the policy accepts, as it leaves them (RFC 8212).
    /// [`import`](Self::import)`(Import::Keep)` alone is the policy that accepts all. After a change the speaker asks the
    /// peer for its routes again; no session ends.
    #[must_use]
    pub fn import_policy(mut self, policy: impl Into<Arc<Policy>>) -> Self {
        self.protocol.settings.policies.import = Some(policy.into());
        self.import(Import::Keep)
    }

    /// Keeps routes whose path does not begin with the AS of the peer, if routes are kept at all: a route server does not add its
    /// AS (RFC 7947). Default: they are treated as withdrawn, unless our [`role`](Self::role) is that of a route server's
    /// client. After a change the speaker asks the peer for its routes again.
    #[must_use]
    pub fn allow_any_first_as(mut self) -> Self {
        self.protocol.settings.allow_any_first_as = true;
        self
    }

    /// Keeps routes whose path has an AS_SET or AS_CONFED_SET, if routes are kept at all. Default: they are treated as
    /// withdrawn (RFC 9774). After a change the speaker asks the peer for its routes again.
    #[must_use]
    pub fn allow_as_sets(mut self) -> Self {
        self.protocol.settings.allow_as_sets = true;
        self
    }

    /// Keeps routes whose next hop is not the address of a host (unspecified, loopback, multicast or reserved), if routes are kept
    /// at all, for labs. Default: they are treated as withdrawn (RFC 4271, section 6.3). After a change the speaker asks the peer
    /// for its routes again.
    #[must_use]
    pub fn allow_martian_next_hops(mut self) -> Self {
        self.protocol.settings.allow_martian_next_hops = true;
        self
    }

    /// Limits the prefixes of each family that the peer may send (RFC 4486). A plain number means Cease and a pause of
    /// 5 minutes. Routes that [`Import::Drop`] drops are not counted. Default: no limit.
    #[must_use]
    pub fn maximum_prefixes(self, limit: impl Into<PrefixLimit>) -> Self {
        self.prefix_limits(PrefixLimits::each(limit))
    }

    /// Like [`maximum_prefixes`](Self::maximum_prefixes), with another limit for each family.
    #[must_use]
    pub fn prefix_limits(mut self, limits: PrefixLimits) -> Self {
        self.protocol.settings.maximum_prefixes = limits;
        self
    }
}

/// Announced routes.
impl PeerConfig {
    /// Announces the peer's routes that the policy accepts, as it leaves them. Default: all of them. Nothing else is ever
    /// announced, so that giving routes is the export policy that RFC 8212 asks for. A change takes effect at once.
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
        self.protocol.settings.policies.export = Some(policy.into());
        self
    }

    /// Relays the routes of the other peers to this one: those that [`import`](Self::import)`(Import::Keep)` or an import policy
    /// keeps. [`export_policy`](Self::export_policy) selects and changes them, and is the one that RFC 8212 asks for. A
    /// [`Relay::RouteServer`] chooses among all paths that the policy of this client accepts. Peers with equal policies
    /// share one table; give them one `Arc`.
    ///
    /// The peer gets these routes only, so that [`PeerHandle::set_routes`](crate::PeerHandle::set_routes) and its like refuse
    /// routes. Default: no routes are relayed. A change takes effect at once.
    ///
    /// A new session gets the whole table, then End-of-RIB. Routes of a peer that restarts gracefully stay while they are kept.
    /// If we have [`restarted`](Self::restarted) ourselves, End-of-RIB waits for the restart time, because the other peers have
    /// yet to send their routes again.
    ///
    /// ```
    /// use bgp_session::{Asn, Import, PeerConfig, Relay};
    ///
    /// let client: std::net::IpAddr = "192.0.2.1".parse()?;
    /// let config = PeerConfig::new(client, Asn(64_500)).import(Import::Keep).relay(Relay::RouteServer);
    /// # let _ = config;
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn relay(mut self, relay: Relay) -> Self {
        self.protocol.settings.relay = Some(relay);
        self
    }

    /// Names a network that we share with the peer. A relayed route keeps a next hop in it, since the peer reaches that without
    /// us (a third-party next hop, RFC 4271 section 5.1.3). With 0.0.0.0/0 and ::/0 next hops are never changed. May be
    /// called again for more networks. Default: an external peer gets our address, unless we are a route server.
    #[must_use]
    pub fn shared_network(mut self, network: IpNet) -> Self {
        self.protocol.settings.shared_networks.push(network);
        self
    }

    /// Sets the next hop of IPv4 routes that have none of their own. Default: the session's local address.
    #[must_use]
    pub fn next_hop_ipv4(mut self, address: Ipv4Addr) -> Self {
        self.protocol.settings.next_hops.ipv4 = Some(address);
        self
    }

    /// Sets the next hop of IPv6 routes that have none of their own; on a link-local session, the global address beside it
    /// (RFC 2545). Default: the session's local address.
    #[must_use]
    pub fn next_hop_ipv6(mut self, address: Ipv6Addr) -> Self {
        self.protocol.settings.next_hops.ipv6 = Some(address);
        self
    }

    /// Sets the least time between two rounds of announcements (MinRouteAdvertisementIntervalTimer of
    /// RFC 4271 section 9.2.1.1); withdrawals never wait. Default: zero.
    #[must_use]
    pub fn advertisement_interval(mut self, time: Duration) -> Self {
        self.protocol.settings.min_route_advertisement_interval = time;
        self
    }
}
