//! What a test says to a router and asks of it, whichever daemon it is.

use std::net::IpAddr;

use crate::lan::Host;

/// A router to start: its identifier, AS, neighbours and the routes that it originates.
///
/// Its end of a session is the address of its host that is of the neighbour's family; its routes
/// have the host's address of their own family as next hop.
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
}

/// A neighbour of a router under test.
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
}

impl Neighbor {
    /// A neighbour that the router dials, on port 179, and listens for.
    ///
    /// # Panics
    ///
    /// If the address is none.
    #[must_use]
    pub fn new(address: &str, asn: u32) -> Self {
        let address = address.parse().expect("an IP address");
        Self { address, asn, passive: false, password: None }
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
}

/// A route that a router originates.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Originated {
    /// `10.1.0.0/16` or `fd01::/48`.
    pub prefix: String,
    /// Its standard communities.
    pub communities: Vec<(u16, u16)>,
}

impl Originated {
    /// A route without communities.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), communities: Vec::new() }
    }

    /// Adds a community.
    #[must_use]
    pub fn community(mut self, asn: u16, value: u16) -> Self {
        self.communities.push((asn, value));
        self
    }

    pub(crate) fn is_ipv6(&self) -> bool {
        self.prefix.contains(':')
    }
}

/// What a router says of the session with one neighbour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The state's name in RFC 4271, as the daemon spells it.
    pub state: String,
    /// The negotiated hold time in seconds, once there is one.
    pub hold_time: Option<u16>,
    /// Why the last session ended, in the daemon's own words; empty if none has.
    pub last_error: String,
}

/// One path to a prefix, as a router holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Path {
    /// The neighbour that announced it.
    pub from: IpAddr,
    /// Its next hop.
    pub next_hop: IpAddr,
    /// Its AS_PATH, of one sequence.
    pub as_path: Vec<u32>,
    /// The LOCAL_PREF that came with it, if one did. FRR drops it from an external neighbour
    /// before anybody can see; BIRD shows it.
    pub local_pref: Option<u32>,
    /// Its MULTI_EXIT_DISC, if one came with it.
    pub med: Option<u32>,
    /// Its standard communities, sorted.
    pub communities: Vec<(u16, u16)>,
    /// Its large communities, sorted.
    pub large_communities: Vec<(u32, u32, u32)>,
    /// Whether the router uses it: the best one, and with FRR those that share the load with it.
    pub used: bool,
}

/// A router that a test can start and ask.
pub trait Router: Sized + Send + Sync {
    /// Its name, for messages.
    const NAME: &'static str;

    /// Starts it on a host and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    fn start(host: &Host, config: RouterConfig) -> Self;

    /// Ends it with a SIGTERM, by which it closes its sessions, and waits until it is gone.
    fn stop(&mut self);

    /// Kills it, so that no neighbour hears of it.
    fn kill(&mut self);

    /// Starts it again after [`Router::stop`] or [`Router::kill`].
    fn start_again(&mut self);

    /// Replaces the routes that it originates, on a running daemon.
    fn set_routes(&mut self, routes: Vec<Originated>);

    /// What it says of the session with a neighbour.
    ///
    /// # Errors
    ///
    /// What went wrong in asking.
    fn session(&self, neighbor: IpAddr) -> Result<Session, String>;

    /// All paths that it holds to a prefix from any neighbour, ordered by neighbour.
    ///
    /// # Errors
    ///
    /// What went wrong in asking.
    fn paths(&self, prefix: &str) -> Result<Vec<Path>, String>;

    /// The prefixes that it holds paths to, its own routes included, sorted as text.
    ///
    /// # Errors
    ///
    /// What went wrong in asking.
    fn prefixes(&self) -> Result<Vec<String>, String>;

    /// All that it wrote to its log.
    fn log(&self) -> String;

    /// Whether the session with a neighbour is Established, for [`crate::wait_until`].
    ///
    /// # Errors
    ///
    /// The session as it is.
    fn established(&self, neighbor: IpAddr) -> Result<Session, String> {
        let session = self.session(neighbor)?;
        if session.state == "Established" { Ok(session) } else { Err(format!("{session:?}")) }
    }

    /// Whether the prefix has exactly as many paths, and the daemon has chosen among them (which
    /// comes a moment later), for [`crate::wait_until`].
    ///
    /// # Errors
    ///
    /// The paths that there are.
    fn path_count(&self, prefix: &str, count: usize) -> Result<Vec<Path>, String> {
        let paths = self.paths(prefix)?;
        let chosen = count == 0 || paths.iter().any(|path| path.used);
        if chosen && paths.len() == count { Ok(paths) } else { Err(format!("{prefix}: {paths:?}")) }
    }
}
