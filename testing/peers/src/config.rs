//! The configuration of a router, the same for all daemons.

use std::net::IpAddr;

/// A router to start: its identifier, AS, neighbours and the routes that it originates.
///
/// The router's end of a session is the host's address of the neighbour's family. The next hop of its routes is
/// the host's address of the route's family, or its IPv6 address if a neighbour has
/// [`Neighbor::extended_next_hop`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouterConfig {
    /// Its BGP Identifier, by custom its IPv4 address.
    pub identifier: String,
    /// Its AS number.
    pub asn: u32,
    /// The hold time that it offers, in seconds.
    pub hold_time: u16,
    /// The neighbours that it dials, or that may open a session.
    pub neighbors: Vec<Neighbor>,
    /// The routes that it announces to all neighbours.
    pub routes: Vec<Originated>,
    /// True if it also announces the routes of each neighbour to the others. FRR, GoBGP and OpenBGPD always do.
    pub transit: bool,
    /// True if its log says only what goes wrong, so that a benchmark does not measure the log.
    pub quiet: bool,
}

impl RouterConfig {
    /// A router without neighbours or routes, which offers a hold time of 90 seconds.
    #[must_use]
    pub fn new(identifier: &str, asn: u32) -> Self {
        let identifier = identifier.to_owned();
        Self {
            identifier,
            asn,
            hold_time: 90,
            neighbors: Vec::new(),
            routes: Vec::new(),
            transit: false,
            quiet: false,
        }
    }

    /// Sets the hold time that it offers, in seconds.
    #[must_use]
    pub fn hold_time(mut self, seconds: u16) -> Self {
        self.hold_time = seconds;
        self
    }

    /// Makes it announce the routes of each neighbour to the others.
    #[must_use]
    pub fn transit(mut self) -> Self {
        self.transit = true;
        self
    }

    /// Makes its log say only what goes wrong.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Adds a neighbour.
    #[must_use]
    pub fn neighbor(mut self, neighbor: Neighbor) -> Self {
        self.neighbors.push(neighbor);
        self
    }

    /// Adds a route to originate.
    #[must_use]
    pub fn route(mut self, route: Originated) -> Self {
        self.routes.push(route);
        self
    }

    /// Returns true if graceful restart is on for any neighbour.
    pub(crate) fn restarts_gracefully(&self) -> bool {
        self.neighbors.iter().any(|neighbor| neighbor.graceful_restart.is_some())
    }

    /// Returns true if BFD watches any neighbour.
    pub(crate) fn has_bfd(&self) -> bool {
        self.neighbors.iter().any(|neighbor| neighbor.bfd)
    }
}

/// A neighbour of a router under test.
///
/// If a daemon lacks a configured feature, its start panics with the reason.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Neighbor {
    /// Its address.
    pub address: IpAddr,
    /// Its AS number.
    pub asn: u32,
    /// True if the router waits for the neighbour to dial.
    pub passive: bool,
    /// The key of TCP MD5 (RFC 2385), if the session has one.
    pub password: Option<String>,
    /// True if the router accepts only packets that no router has forwarded (GTSM, RFC 5082).
    pub ttl_security: bool,
    /// True if the router acts as an old speaker, without four-octet AS numbers (RFC 6793).
    pub two_octet_as: bool,
    /// The restart time of graceful restart (RFC 4724) in seconds, if it is on.
    pub graceful_restart: Option<u16>,
    /// The time of long-lived graceful restart (RFC 9494) in seconds, if it is on.
    pub long_lived: Option<u32>,
    /// The number of prefixes from the neighbour at which the router ends the session, if there is a limit.
    pub maximum_prefixes: Option<u32>,
    /// True if both sides send several paths to a prefix (ADD-PATH, RFC 7911), including the paths of other
    /// neighbours.
    pub add_path: bool,
    /// True if IPv4 routes may have IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// True if messages of more than 4,096 octets may be sent and received (RFC 8654).
    pub extended_messages: bool,
    /// True if BFD watches the neighbour (RFC 5881): one hop, every 50 ms, lost after three.
    pub bfd: bool,
    /// True if a neighbour that BFD loses may be restarting, so that its routes are kept as by graceful restart.
    /// FRR always does so.
    pub bfd_graceful: bool,
    /// The router's role towards the neighbour (RFC 9234), if they negotiate it.
    pub role: Option<Role>,
    /// True if the neighbour is a route server, whose paths do not begin with its AS (RFC 7947).
    pub route_server: bool,
    /// True if the router carries only IPv4 routes, and refuses a neighbour that offers a capability that the router lacks.
    pub strict_capabilities: bool,
}

/// The role of a router towards its neighbour (RFC 9234).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// It sells transit to the neighbour.
    Provider,
    /// It buys transit from the neighbour.
    Customer,
    /// Both exchange their own routes and those of their customers.
    Peer,
}

impl Role {
    /// The role's name in the configuration of every daemon.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Customer => "customer",
            Self::Peer => "peer",
        }
    }
}

impl Neighbor {
    /// A neighbour that the router dials, on port 179, and listens for.
    ///
    /// # Panics
    ///
    /// If the address cannot be parsed.
    #[must_use]
    pub fn new(address: &str, asn: u32) -> Self {
        Self {
            address: address.parse().expect("an IP address"),
            asn,
            passive: false,
            password: None,
            ttl_security: false,
            two_octet_as: false,
            graceful_restart: None,
            long_lived: None,
            maximum_prefixes: None,
            add_path: false,
            extended_next_hop: false,
            extended_messages: false,
            bfd: false,
            bfd_graceful: false,
            role: None,
            strict_capabilities: false,
            route_server: false,
        }
    }

    /// Makes the router carry only IPv4 routes, and refuse a neighbour that offers a capability that the router lacks.
    #[must_use]
    pub fn strict_capabilities(mut self) -> Self {
        self.strict_capabilities = true;
        self
    }

    /// Makes the router wait for this neighbour to dial.
    #[must_use]
    pub fn passive(mut self) -> Self {
        self.passive = true;
        self
    }

    /// Signs the session's segments with this key.
    #[must_use]
    pub fn password(mut self, key: &str) -> Self {
        self.password = Some(key.to_owned());
        self
    }

    /// Sends with a TTL of 255, and accepts no other.
    #[must_use]
    pub fn ttl_security(mut self) -> Self {
        self.ttl_security = true;
        self
    }

    /// Makes the router an old speaker, whose AS numbers have two octets.
    #[must_use]
    pub fn two_octet_as(mut self) -> Self {
        self.two_octet_as = true;
        self
    }

    /// Turns graceful restart on, with this restart time.
    #[must_use]
    pub fn graceful_restart(mut self, seconds: u16) -> Self {
        self.graceful_restart = Some(seconds);
        self
    }

    /// Turns long-lived graceful restart on, with this time, in addition to graceful restart.
    #[must_use]
    pub fn long_lived(mut self, seconds: u32) -> Self {
        self.long_lived = Some(seconds);
        self
    }

    /// Ends the session if the neighbour announces more prefixes than this.
    #[must_use]
    pub fn maximum_prefixes(mut self, limit: u32) -> Self {
        self.maximum_prefixes = Some(limit);
        self
    }

    /// Sends and receives several paths to a prefix.
    #[must_use]
    pub fn add_path(mut self) -> Self {
        self.add_path = true;
        self
    }

    /// Lets IPv4 routes have IPv6 next hops.
    #[must_use]
    pub fn extended_next_hop(mut self) -> Self {
        self.extended_next_hop = true;
        self
    }

    /// Lets messages be longer than 4,096 octets.
    #[must_use]
    pub fn extended_messages(mut self) -> Self {
        self.extended_messages = true;
        self
    }

    /// Watches the neighbour by BFD.
    #[must_use]
    pub fn bfd(mut self) -> Self {
        self.bfd = true;
        self
    }

    /// Watches the neighbour by BFD, and assumes that it restarts if BFD loses it.
    #[must_use]
    pub fn bfd_graceful(mut self) -> Self {
        self.bfd_graceful = true;
        self.bfd()
    }

    /// Accepts paths that do not begin with the neighbour's AS, because it is a route server.
    #[must_use]
    pub fn route_server(mut self) -> Self {
        self.route_server = true;
        self
    }

    /// Sets the router's role towards the neighbour.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }
}

/// A route that a router originates.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Originated {
    /// `10.1.0.0/16` or `fd01::/48`.
    pub prefix: String,
    /// The path identifier, if there are several paths to the prefix (ADD-PATH, RFC 7911). Only ExaBGP originates more
    /// than one; the others relay the paths that they receive.
    pub path_id: Option<u32>,
    /// Its standard communities.
    pub communities: Vec<(u16, u16)>,
    /// Its large communities (RFC 8092).
    pub large_communities: Vec<(u32, u32, u32)>,
    /// Its route targets: extended communities (RFC 4360) of the usual kind, with an AS number of two octets
    /// and a number.
    pub route_targets: Vec<(u16, u32)>,
}

impl Originated {
    /// A route without communities.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            path_id: None,
            communities: Vec::new(),
            large_communities: Vec::new(),
            route_targets: Vec::new(),
        }
    }

    /// Makes the route one of several paths to the prefix.
    #[must_use]
    pub fn path(mut self, path_id: u32) -> Self {
        self.path_id = Some(path_id);
        self
    }

    /// Adds a community.
    #[must_use]
    pub fn community(mut self, asn: u16, value: u16) -> Self {
        self.communities.push((asn, value));
        self
    }

    /// Adds a large community.
    #[must_use]
    pub fn large_community(mut self, administrator: u32, one: u32, two: u32) -> Self {
        self.large_communities.push((administrator, one, two));
        self
    }

    /// Adds a route target.
    #[must_use]
    pub fn route_target(mut self, asn: u16, value: u32) -> Self {
        self.route_targets.push((asn, value));
        self
    }

    pub(crate) fn is_ipv6(&self) -> bool {
        self.prefix.contains(':')
    }

    /// Its communities, each as `1:2`.
    pub(crate) fn community_words(&self) -> Vec<String> {
        self.communities.iter().map(|(asn, value)| format!("{asn}:{value}")).collect()
    }

    /// Its large communities, each as `1:2:3`.
    pub(crate) fn large_community_words(&self) -> Vec<String> {
        self.large_communities.iter().map(|(a, b, c)| format!("{a}:{b}:{c}")).collect()
    }

    /// Its route targets, each as `1:2`.
    pub(crate) fn route_target_words(&self) -> Vec<String> {
        self.route_targets.iter().map(|(asn, value)| format!("{asn}:{value}")).collect()
    }
}
