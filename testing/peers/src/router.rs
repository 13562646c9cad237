//! The interface of all routers: starting one, changing it, and asking for its sessions and paths.

use std::net::IpAddr;

use serde_json::Value;

use crate::config::{Originated, RouterConfig};
use crate::daemon::Daemon;
use crate::lan::Host;

/// A router's view of the session with one neighbour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The state's name in RFC 4271, as the daemon spells it.
    pub state: String,
    /// The negotiated hold time in seconds, once there is one.
    pub hold_time: Option<u16>,
    /// The cause of the last session's end, in the daemon's own words; empty if none has ended.
    pub last_error: String,
}

/// One path to a prefix in a router's table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Path {
    /// The neighbour that announced it.
    pub from: IpAddr,
    /// Its next hop.
    pub next_hop: IpAddr,
    /// Its AS_PATH, of one sequence.
    pub as_path: Vec<u32>,
    /// The LOCAL_PREF that came with it, if one did. Only BIRD and ExaBGP show the LOCAL_PREF of an external
    /// neighbour; the others drop it.
    pub local_pref: Option<u32>,
    /// Its MULTI_EXIT_DISC, if one came with it.
    pub med: Option<u32>,
    /// Its standard communities, sorted.
    pub communities: Vec<(u16, u16)>,
    /// Its large communities, sorted.
    pub large_communities: Vec<(u32, u32, u32)>,
    /// Its route targets, sorted, of those with an AS number of two octets.
    pub route_targets: Vec<(u16, u32)>,
    /// True if the router uses it: the best path, and with FRR those that share the load with it.
    /// ExaBGP has no table, and uses every path that it has received.
    pub used: bool,
}

impl Path {
    /// A path with no attributes yet.
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

    /// The path with each list of communities sorted.
    pub(crate) fn sorted(mut self) -> Self {
        self.communities.sort_unstable();
        self.large_communities.sort_unstable();
        self.route_targets.sort_unstable();
        self
    }

    /// The paths that `parse` finds in a JSON array, ordered by neighbour; empty if the value is no array.
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

    /// The version of the installed program; `None` if it is not installed.
    #[must_use]
    fn version() -> Option<String>;

    /// Starts it on a host and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    fn start(host: &Host, config: RouterConfig) -> Self;

    /// Its files and its process.
    fn daemon(&self) -> &Daemon;

    /// Its files and its process, to change them.
    fn daemon_mut(&mut self) -> &mut Daemon;

    /// Starts its process and waits until it answers. If `restarting`, it is the restarting speaker of graceful restart.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    fn launch(&mut self, restarting: bool);

    /// Ends it with a SIGTERM, by which it closes its sessions, and waits until it is gone.
    fn stop(&mut self) {
        self.daemon_mut().terminate();
    }

    /// Kills it, without a NOTIFICATION to its neighbours.
    fn kill(&mut self) {
        self.daemon_mut().kill();
    }

    /// Starts it again after [`Router::stop`] or [`Router::kill`]. If graceful restart is configured, it is the
    /// restarting speaker.
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
    /// The daemon's error.
    fn ask_for_refresh(&self, neighbor: IpAddr) -> Result<(), String>;

    /// Ends the session with a neighbour for good, with Cease / Administrative Shutdown and a
    /// message (RFC 9003).
    ///
    /// # Errors
    ///
    /// The daemon's error.
    fn shut_down(&self, neighbor: IpAddr, message: &str) -> Result<(), String>;

    /// The session with a neighbour.
    ///
    /// # Errors
    ///
    /// The daemon's error.
    fn session(&self, neighbor: IpAddr) -> Result<Session, String>;

    /// The number of routes that it has accepted from a neighbour.
    ///
    /// # Errors
    ///
    /// The daemon's error.
    fn accepted(&self, neighbor: IpAddr) -> Result<u64, String>;

    /// All paths to a prefix from all neighbours, ordered by neighbour.
    ///
    /// # Errors
    ///
    /// The daemon's error.
    fn paths(&self, prefix: &str) -> Result<Vec<Path>, String>;

    /// The prefixes in its table, its own routes included, sorted as text.
    ///
    /// # Errors
    ///
    /// The daemon's error.
    fn prefixes(&self) -> Result<Vec<String>, String>;

    /// Returns `Ok` if its BFD session with a neighbour is up, for [`crate::wait_until`]. Not all routers have BFD.
    ///
    /// # Errors
    ///
    /// The router's list of BFD sessions.
    fn bfd_up(&self, neighbor: IpAddr) -> Result<(), String> {
        Err(format!("{} has no BFD session with {neighbor}", Self::NAME))
    }

    /// The daemon's log.
    fn log(&self) -> String;

    /// Returns the session with a neighbour if it is Established, for [`crate::wait_until`].
    ///
    /// # Errors
    ///
    /// The session in its present state.
    fn established(&self, neighbor: IpAddr) -> Result<Session, String> {
        let session = self.session(neighbor)?;
        if session.state == "Established" { Ok(session) } else { Err(format!("{session:?}")) }
    }

    /// Returns the paths to a prefix if there are as many as `count` and the daemon has chosen among them (which
    /// happens a moment later), for [`crate::wait_until`].
    ///
    /// # Errors
    ///
    /// The present paths.
    fn path_count(&self, prefix: &str, count: usize) -> Result<Vec<Path>, String> {
        let paths = self.paths(prefix)?;
        let chosen = count == 0 || paths.iter().any(|path| path.used);
        if chosen && paths.len() == count { Ok(paths) } else { Err(format!("{prefix}: {paths:?}")) }
    }
}
