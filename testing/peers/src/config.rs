//! What a router is told before it starts, whichever daemon it is.

use std::net::IpAddr;

/// A router to start: its identifier, AS, neighbours and the routes that it originates.
///
/// Its end of a session is the address of its host that is of the neighbour's family; its routes
/// have the host's address of their own family as next hop, and its IPv6 address if a neighbour
/// has [`Neighbor::extended_next_hop`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouterConfig {
    /// Its BGP Identifier, by custom its IPv4 address.
    pub identifier: String,
    /// Its AS number.
    pub asn: u32,
    /// The hold time that it offers, in seconds.
    pub hold_time: u16,
    /// Those that may open a session, or that it dials.
    pub neighbors: Vec<Neighbor>,
    /// The routes that it announces to all of them.
    pub routes: Vec<Originated>,
}

impl RouterConfig {
    /// A router without neighbours or routes, which offers a hold time of 90 seconds.
    #[must_use]
    pub fn new(identifier: &str, asn: u32) -> Self {
        let identifier = identifier.to_owned();
        Self { identifier, asn, hold_time: 90, neighbors: Vec::new(), routes: Vec::new() }
    }

    /// Sets the hold time that it offers, in seconds.
    #[must_use]
    pub fn hold_time(mut self, seconds: u16) -> Self {
        self.hold_time = seconds;
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

    /// Whether any neighbour is told of graceful restart.
    pub(crate) fn restarts_gracefully(&self) -> bool {
        self.neighbors.iter().any(|neighbor| neighbor.graceful_restart.is_some())
    }

    /// Whether any neighbour is watched by BFD.
    pub(crate) fn has_bfd(&self) -> bool {
        self.neighbors.iter().any(|neighbor| neighbor.bfd)
    }
}

/// A neighbour of a router under test.
///
/// A daemon that lacks what is asked for here panics when it is started, with the reason.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Neighbor {
    /// Its address.
    pub address: IpAddr,
    /// Its AS number.
    pub asn: u32,
    /// Whether the router waits for it to dial.
    pub passive: bool,
    /// The key of TCP MD5 (RFC 2385), if the session has one.
    pub password: Option<String>,
    /// Whether only packets count that no router has forwarded (GTSM, RFC 5082).
    pub ttl_security: bool,
    /// Whether the router is an old speaker to it, without four-octet AS numbers (RFC 6793).
    pub two_octet_as: bool,
    /// The restart time of graceful restart (RFC 4724) in seconds, if it is on.
    pub graceful_restart: Option<u16>,
    /// The time of long-lived graceful restart (RFC 9494) in seconds, if it is on.
    pub long_lived: Option<u32>,
    /// With how many prefixes of it the router ends the session, if that is limited.
    pub maximum_prefixes: Option<u32>,
    /// Whether several paths to a prefix go both ways (ADD-PATH, RFC 7911), those that other
    /// neighbours announced included.
    pub add_path: bool,
    /// Whether IPv4 routes may have IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// Whether messages of more than 4,096 octets may go both ways (RFC 8654).
    pub extended_messages: bool,
    /// Whether BFD watches it (RFC 5881): one hop, every 50 ms, lost after three.
    pub bfd: bool,
    /// Whether a neighbour that BFD loses may be restarting, so that its routes are kept as graceful restart has it.
    /// FRR does so anyway.
    pub bfd_graceful: bool,
    /// What the router is to it (RFC 9234), if that is to be agreed on.
    pub role: Option<Role>,
    /// The router carries IPv4 routes only, and refuses a neighbour that offers a capability that it does not have.
    pub strict_capabilities: bool,
}

/// What a router is to its neighbour (RFC 9234).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// It sells the neighbour transit.
    Provider,
    /// It buys transit of the neighbour.
    Customer,
    /// Both exchange their own routes and those of their customers.
    Peer,
}

impl Role {
    /// The word of all daemons for it.
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
    /// If the address is none.
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
        }
    }

    /// Makes the router carry IPv4 routes only, and refuse a neighbour that offers a capability that it does not have.
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

    /// Sends with a TTL of 255, and takes nothing else.
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

    /// Turns graceful restart on, with that restart time.
    #[must_use]
    pub fn graceful_restart(mut self, seconds: u16) -> Self {
        self.graceful_restart = Some(seconds);
        self
    }

    /// Turns long-lived graceful restart on, with that time, besides graceful restart.
    #[must_use]
    pub fn long_lived(mut self, seconds: u32) -> Self {
        self.long_lived = Some(seconds);
        self
    }

    /// Ends the session when it has announced more prefixes than that.
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

    /// Watches it by BFD.
    #[must_use]
    pub fn bfd(mut self) -> Self {
        self.bfd = true;
        self
    }

    /// Watches it by BFD, and takes it for restarting when BFD loses it.
    #[must_use]
    pub fn bfd_graceful(mut self) -> Self {
        self.bfd_graceful = true;
        self.bfd()
    }

    /// Says what the router is to it.
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
    /// Which of several paths to the prefix it is (ADD-PATH, RFC 7911). Only ExaBGP originates more than one; the others
    /// relay those that they hear of.
    pub path_id: Option<u32>,
    /// Its standard communities.
    pub communities: Vec<(u16, u16)>,
    /// Its large communities (RFC 8092).
    pub large_communities: Vec<(u32, u32, u32)>,
    /// Its route targets, of the extended communities (RFC 4360) the kind that everybody has: an
    /// AS number of two octets and a number.
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

    /// Makes it one of several paths to the prefix.
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
