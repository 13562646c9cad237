//! What a test does with a router and asks of it, whichever daemon it is.

use std::net::IpAddr;

use serde_json::Value;

use crate::config::{Originated, RouterConfig};
use crate::daemon::Daemon;
use crate::lan::Host;

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
    /// The LOCAL_PREF that came with it, if one did. Of an external neighbour's, only BIRD and
    /// ExaBGP show it; the others drop it before anybody can see.
    pub local_pref: Option<u32>,
    /// Its MULTI_EXIT_DISC, if one came with it.
    pub med: Option<u32>,
    /// Its standard communities, sorted.
    pub communities: Vec<(u16, u16)>,
    /// Its large communities, sorted.
    pub large_communities: Vec<(u32, u32, u32)>,
    /// Its route targets, sorted, of those with an AS number of two octets.
    pub route_targets: Vec<(u16, u32)>,
    /// Whether the router uses it: the best one, and with FRR those that share the load with it.
    /// ExaBGP, which keeps no table, uses what it has heard of.
    pub used: bool,
}

impl Path {
    /// A path of which nothing else is known yet.
    pub(crate) const fn from(from: IpAddr) -> Self {
        Self {
            from,
            next_hop: from,
            as_path: Vec::new(),
            local_pref: None,
            med: None,
            communities: Vec::new(),
            large_communities: Vec::new(),
            route_targets: Vec::new(),
            used: false,
        }
    }

    /// The same with each list of communities in order.
    pub(crate) fn sorted(mut self) -> Self {
        self.communities.sort_unstable();
        self.large_communities.sort_unstable();
        self.route_targets.sort_unstable();
        self
    }

    /// Those in a list of JSON that `parse` makes a path of, ordered by neighbour; none if it is no list.
    pub(crate) fn list(list: &Value, parse: impl Fn(&Value) -> Option<Self>) -> Vec<Self> {
        let mut paths: Vec<Self> =
            list.as_array().into_iter().flatten().filter_map(parse).collect();
        paths.sort_by_key(|path| path.from);
        paths
    }
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

    /// Its files and its process.
    fn daemon(&mut self) -> &mut Daemon;

    /// Starts its process and waits until it answers; if `restarting`, as the restarting speaker of graceful restart.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    fn launch(&mut self, restarting: bool);

    /// Ends it with a SIGTERM, by which it closes its sessions, and waits until it is gone.
    fn stop(&mut self) {
        self.daemon().terminate();
    }

    /// Kills it, so that no neighbour hears of it.
    fn kill(&mut self) {
        self.daemon().kill();
    }

    /// Starts it again after [`Router::stop`] or [`Router::kill`]: where graceful restart is
    /// configured, as the restarting speaker.
    fn start_again(&mut self) {
        self.kill();
        let restarting = self.daemon().config.restarts_gracefully();
        self.launch(restarting);
    }

    /// Replaces the routes that it originates, on a running daemon.
    fn set_routes(&mut self, routes: Vec<Originated>);

    /// Asks a neighbour for all its routes again, by ROUTE-REFRESH (RFC 2918).
    ///
    /// # Errors
    ///
    /// What went wrong.
    fn ask_for_refresh(&self, neighbor: IpAddr) -> Result<(), String>;

    /// Ends the session with a neighbour for good, with Cease / Administrative Shutdown and a
    /// message (RFC 9003).
    ///
    /// # Errors
    ///
    /// What went wrong.
    fn shut_down(&self, neighbor: IpAddr, message: &str) -> Result<(), String>;

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

    /// Whether its BFD session with a neighbour is up, for [`crate::wait_until`]; only of routers that have BFD.
    ///
    /// # Errors
    ///
    /// What it says of its BFD sessions.
    fn bfd_up(&self, neighbor: IpAddr) -> Result<(), String> {
        Err(format!("{} has no BFD session with {neighbor}", Self::NAME))
    }

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
