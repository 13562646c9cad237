//! GoBGP: a file configures it, and its client `gobgp` adds routes and asks questions.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::process::Command;

use serde_json::Value;

use crate::config::{Neighbor, Originated, RouterConfig};
use crate::daemon::{Daemon, list, number, run_client};
use crate::lan::Host;
use crate::requirements::{program, version};
use crate::router::{Path, Router, Session};

/// GoBGP's names of the states, by its numbers.
const STATES: [&str; 7] =
    ["Unknown", "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"];

/// GoBGP on a host of the test's LAN.
///
/// It waits at least ten seconds before it dials for the first time. A test that wants a session
/// soon dials GoBGP.
#[derive(Debug)]
pub struct Gobgp(Daemon);

impl Gobgp {
    /// Asks as `gobgp` would.
    ///
    /// # Errors
    ///
    /// If GoBGP does not answer.
    pub fn ask(&self, words: &[&str]) -> Result<String, String> {
        ask(&self.0, words)
    }

    fn json(&self, words: &[&str]) -> Result<Value, String> {
        let reply = self.ask(&[words, &["-j"]].concat())?;
        serde_json::from_str(&reply).map_err(|error| format!("{words:?}: {error}: {reply}"))
    }

    fn config_text(&self) -> String {
        let RouterConfig { identifier, asn, neighbors, .. } = &self.0.config;
        let addresses: Vec<String> =
            self.0.host().addresses().iter().map(|own| format!("\"{own}\"")).collect();
        let mut text = format!(
            "[global.config]\n  as = {asn}\n  router-id = \"{identifier}\"\n  \
             local-address-list = [{}]\n",
            addresses.join(", ")
        );

        for neighbor in neighbors {
            self.write_neighbor(&mut text, neighbor);
        }

        text
    }

    fn write_neighbor(&self, text: &mut String, neighbor: &Neighbor) {
        let hold_time = self.0.config.hold_time;
        let own = self.0.local_address(neighbor);
        let _ = write!(
            text,
            "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{peer}\"\n    \
             peer-as = {asn}\n    auth-password = \"{key}\"\n    \
             admin-down = {waits}\n  [neighbors.timers.config]\n    \
             connect-retry = 1\n    idle-hold-time-after-reset = 1\n    hold-time = {hold_time}\n    \
             keepalive-interval = {keepalive}\n  [neighbors.transport.config]\n    \
             passive-mode = {passive}\n    local-address = \"{own}\"\n",
            peer = neighbor.address,
            asn = neighbor.asn,
            key = neighbor.password.as_deref().unwrap_or_default(),
            waits = self.waits_for_routes(),
            keepalive = (hold_time / 3).max(1),
            passive = neighbor.passive,
        );

        if neighbor.ttl_security {
            text.push_str(
                "  [neighbors.ttl-security.config]\n    enabled = true\n    ttl-min = 255\n",
            );
        }

        if let Some(seconds) = neighbor.graceful_restart {
            let _ = write!(
                text,
                "  [neighbors.graceful-restart.config]\n    enabled = true\n    \
                 restart-time = {seconds}\n    notification-enabled = true\n    \
                 long-lived-enabled = {}\n",
                neighbor.long_lived.is_some()
            );
        }

        for family in ["ipv4-unicast", "ipv6-unicast"] {
            write_family(text, family, neighbor);
        }
    }

    /// Returns true if sessions must wait until GoBGP has been given its routes, which its file cannot have.
    fn waits_for_routes(&self) -> bool {
        !self.0.config.routes.is_empty() || self.0.config.restarts_gracefully()
    }

    fn originate(&self, route: &Originated) {
        let mut words = ["global", "rib", "add", "-a", family(&route.prefix), &route.prefix]
            .map(str::to_owned)
            .to_vec();
        words.extend(["nexthop".to_owned(), self.0.next_hop(route).to_string()]);

        let mut attributes = vec![
            ("community", route.community_words().join(",")),
            ("large-community", route.large_community_words().join(",")),
        ];
        attributes.extend(route.route_target_words().into_iter().map(|target| ("rt", target)));

        for (name, value) in attributes {
            if !value.is_empty() {
                words.extend([name.to_owned(), value]);
            }
        }

        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.ask(&words).expect("GoBGP adds a route");
    }
}

fn write_family(text: &mut String, family: &str, neighbor: &Neighbor) {
    let table = "neighbors.afi-safis";
    let _ =
        writeln!(text, "  [[{table}]]\n    [{table}.config]\n      afi-safi-name = \"{family}\"",);

    if neighbor.graceful_restart.is_some() {
        let _ = writeln!(text, "    [{table}.mp-graceful-restart.config]\n      enabled = true");
    }
    if let Some(seconds) = neighbor.long_lived {
        let _ = writeln!(
            text,
            "    [{table}.long-lived-graceful-restart.config]\n      enabled = true\n      \
             restart-time = {seconds}"
        );
    }

    if let Some(limit) = neighbor.maximum_prefixes {
        let _ = writeln!(text, "    [{table}.prefix-limit.config]\n      max-prefixes = {limit}");
    }

    if neighbor.add_path {
        let _ = writeln!(
            text,
            "    [{table}.add-paths.config]\n      receive = true\n      send-max = 16"
        );
    }
}

fn target(daemon: &Daemon) -> String {
    format!("unix://{}", daemon.file("control").display())
}

fn ask(daemon: &Daemon, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program("gobgp"));
    run_client(command.arg("--target").arg(target(daemon)).args(words))
}

fn family(prefix: &str) -> &'static str {
    if prefix.contains(':') { "ipv6" } else { "ipv4" }
}

impl Router for Gobgp {
    const NAME: &'static str = "GoBGP";

    fn version() -> Option<String> {
        version("gobgpd", "--version")
    }

    fn start(host: &Host, config: RouterConfig) -> Self {
        let mut gobgp = Self(Daemon::new(Self::NAME, host, config));
        gobgp.launch(false);
        gobgp
    }

    fn daemon(&self) -> &Daemon {
        &self.0
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.0
    }

    fn launch(&mut self, restarting: bool) {
        self.0.refuse_several_paths();
        self.0.refuse("strict capabilities", |neighbor| neighbor.strict_capabilities);
        self.0.refuse("BFD", |neighbor| neighbor.bfd);
        self.0.refuse("extended messages", |neighbor| neighbor.extended_messages);
        self.0.refuse("way to leave four-octet AS numbers out", |neighbor| neighbor.two_octet_as);
        self.0.refuse("roles", |neighbor| neighbor.role.is_some());

        self.0.write("gobgpd.toml", &self.config_text());
        self.0.remove("control");

        let restart: &[&str] = if restarting { &["-r"] } else { &[] };
        self.0.launch(
            &program("gobgpd"),
            |daemon, command| {
                command.args(restart).arg("-p").arg("-f").arg(daemon.file("gobgpd.toml"));
                let level = if daemon.config.quiet { "warn" } else { "debug" };
                command.arg("--pprof-disable").arg(format!("--log-level={level}"));
                command.arg("--api-hosts").arg(target(daemon));
            },
            |daemon| ask(daemon, &["neighbor"]).map(drop),
        );

        for route in &self.0.config.routes {
            self.originate(route);
        }

        // A session before GoBGP has its routes would begin with an End-of-RIB, and the peer would drop the routes that it
        // kept over the restart.
        if !self.waits_for_routes() {
            return;
        }
        for neighbor in &self.0.config.neighbors {
            self.ask(&["neighbor", &neighbor.address.to_string(), "enable"])
                .expect("GoBGP enables a neighbour");
        }
    }

    fn set_routes(&mut self, routes: Vec<Originated>) {
        let old = std::mem::replace(&mut self.0.config.routes, routes);
        let routes = &self.0.config.routes;

        for Originated { prefix, .. } in &old {
            if !routes.iter().any(|route| route.prefix == *prefix) {
                self.ask(&["global", "rib", "del", "-a", family(prefix), prefix])
                    .expect("GoBGP withdraws a route");
            }
        }

        for route in routes.iter().filter(|route| !old.contains(route)) {
            self.originate(route);
        }
    }

    fn ask_for_refresh(&self, neighbor: IpAddr) -> Result<(), String> {
        self.ask(&["neighbor", &neighbor.to_string(), "softresetin"]).map(drop)
    }

    fn shut_down(&self, neighbor: IpAddr, message: &str) -> Result<(), String> {
        self.ask(&["neighbor", &neighbor.to_string(), "shutdown", "--reason", message]).map(drop)
    }

    fn session(&self, neighbor: IpAddr) -> Result<Session, String> {
        let reply = self.json(&["neighbor", &neighbor.to_string()])?;
        let number = reply["state"]["session_state"].as_u64().unwrap_or_default();
        let state = usize::try_from(number).ok().and_then(|number| STATES.get(number));
        let state = state.map_or_else(|| number.to_string(), |&name| name.to_owned());
        let hold_time = reply["timers"]["state"]["negotiated_hold_time"].as_u64();

        let log = self.log();
        // Only the log says why a session ended.
        let key = format!("Key={neighbor}");
        let mut errors = log.lines().filter(|line| {
            let causes = ["received notification", "sent notification", "Peer Down"];
            line.contains(&key) && causes.iter().any(|words| line.contains(words))
        });
        let last = errors.next_back().unwrap_or_default().to_owned();
        let before = errors.next_back().unwrap_or_default();

        Ok(Session {
            hold_time: hold_time
                .filter(|_| state == "Established")
                .and_then(|seconds| seconds.try_into().ok()),
            // GoBGP logs a NOTIFICATION first, and then that the session is down.
            last_error: format!("{before}\n{last}").trim().to_owned(),
            state,
        })
    }

    fn accepted(&self, neighbor: IpAddr) -> Result<u64, String> {
        let reply = self.json(&["neighbor", &neighbor.to_string()])?;
        let families = list(&reply["afi_safis"]).iter();
        Ok(families.filter_map(|family| family["state"]["accepted"].as_u64()).sum())
    }

    fn paths(&self, prefix: &str) -> Result<Vec<Path>, String> {
        let reply = self.ask(&["global", "rib", "-a", family(prefix), prefix, "-j"]);
        let reply: Value = match reply {
            Ok(text) => serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?,
            Err(error) if error.contains("Network not in table") => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };

        // A table by prefix, or the list of the one prefix.
        let paths = if reply.is_array() { &reply } else { &reply[prefix] };
        Ok(Path::list(paths, parse_path))
    }

    fn prefixes(&self) -> Result<Vec<String>, String> {
        let mut prefixes = Vec::new();
        for family in ["ipv4", "ipv6"] {
            let reply = self.json(&["global", "rib", "-a", family])?;
            prefixes.extend(reply.as_object().into_iter().flat_map(|table| table.keys().cloned()));
        }

        prefixes.sort_unstable();
        Ok(prefixes)
    }

    fn log(&self) -> String {
        self.0.read("output")
    }
}

/// Parses a path from a neighbour. Returns `None` for a route of the router itself.
fn parse_path(path: &Value) -> Option<Path> {
    let from = path["neighbor-ip"].as_str()?.parse().ok()?;
    let mut read = Path { used: path["best"] == true, ..Path::from(from) };

    for attribute in list(&path["attrs"]) {
        // The numbers are those of the attribute types.
        match attribute["type"].as_u64()? {
            2 => {
                let segments = list(&attribute["as_paths"]);
                let numbers = segments.iter().flat_map(|segment| list(&segment["asns"]));
                read.as_path = numbers.filter_map(number).collect();
            }
            3 | 14 => read.next_hop = attribute["nexthop"].as_str()?.parse().ok()?,
            4 => read.med = number(&attribute["metric"]),
            5 => read.local_pref = number(&attribute["value"]),
            8 => {
                let communities = list(&attribute["communities"]).iter();
                read.communities =
                    communities.filter_map(|community| halves(number(community)?)).collect();
            }
            16 => {
                let communities = list(&attribute["value"]);
                let targets = communities
                    .iter()
                    .filter(|community| community["type"] == 0 && community["subtype"] == 2);
                read.route_targets = targets
                    .filter_map(|target| {
                        let (asn, value) = target["value"].as_str()?.split_once(':')?;
                        Some((asn.parse().ok()?, value.parse().ok()?))
                    })
                    .collect();
            }
            32 => {
                let communities = list(&attribute["value"]);
                read.large_communities = communities.iter().filter_map(large_community).collect();
            }
            _ => {}
        }
    }

    Some(read.sorted())
}

/// Splits a community into its AS number and its value.
fn halves(community: u32) -> Option<(u16, u16)> {
    Some(((community >> 16).try_into().ok()?, (community & 0xffff).try_into().ok()?))
}

fn large_community(value: &Value) -> Option<(u32, u32, u32)> {
    Some((number(&value["ASN"])?, number(&value["LocalData1"])?, number(&value["LocalData2"])?))
}
