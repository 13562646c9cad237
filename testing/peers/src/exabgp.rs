//! ExaBGP: a file configures it, and a companion program that it starts takes commands and reports.
//!
//! ExaBGP keeps no table. Its table here is the result of all UPDATEs that it has reported, each as a line of JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::config::{Neighbor, Originated, RouterConfig};
use crate::daemon::{Daemon, list, number, parse_route_target};
use crate::lan::Host;
use crate::requirements::{program, version};
use crate::router::{Path, Router, Session};

/// The companion program that ExaBGP starts, outside of its process group. It writes ExaBGP's reports to one file, and
/// passes on the commands that are appended to the other. Both parts end soon after ExaBGP.
const COMPANION: &str = "#!/bin/sh
cd \"$(dirname \"$0\")\" || exit 1
tail -n +1 -s 0.1 -f --pid=$$ commands &
: >running
exec cat >>reports
";

/// ExaBGP on a host of the test's LAN.
#[derive(Debug)]
pub struct Exabgp(Daemon);

impl Exabgp {
    /// Sends a command of ExaBGP's API.
    ///
    /// # Errors
    ///
    /// If the command cannot be written. ExaBGP writes errors of the command to its log.
    pub fn send_command(&self, command: &str) -> Result<(), String> {
        let file = std::fs::File::options().append(true).open(self.0.file("commands"));
        let written =
            file.and_then(|mut commands| commands.write_all(format!("{command}\n").as_bytes()));
        written.map_err(|error| format!("ExaBGP's commands: {error}"))
    }

    /// The reports about one neighbour or about all, oldest first.
    fn reports(&self, neighbor: Option<IpAddr>) -> Vec<Value> {
        let peer = neighbor.map(|address| address.to_string());
        let text = self.0.read("reports");
        let reports = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        reports
            .filter(|report| {
                peer.as_ref().is_none_or(|peer| report["neighbor"]["address"]["peer"] == **peer)
            })
            .collect()
    }

    fn config_text(&self) -> String {
        let mut text = format!(
            "process tests {{\n  run {};\n  encoder json;\n}}\n",
            self.0.file("companion").display()
        );
        for neighbor in &self.0.config.neighbors {
            self.write_neighbor(&mut text, neighbor);
        }
        text
    }

    fn write_neighbor(&self, text: &mut String, neighbor: &Neighbor) {
        let RouterConfig { identifier, asn, hold_time, routes, .. } = &self.0.config;
        let _ = write!(
            text,
            "neighbor {peer} {{\n  router-id {identifier};\n  local-address {own};\n  \
             local-as {asn};\n  peer-as {peer_as};\n  hold-time {hold_time};\n  connect 179;\n  \
             listen 179;\n  passive {passive};\n  adj-rib-out true;\n  \
             family {{ ipv4 unicast; ipv6 unicast; }}\n  capability {{ route-refresh enable; \
             asn4 {asn4}; graceful-restart {restart}; extended-message {extended}; \
             add-path {add_path}; nexthop {next_hop}; }}\n  api {{ processes [ tests ]; \
             neighbor-changes; receive {{ parsed; open; update; notification; }} }}\n",
            peer = neighbor.address,
            own = self.0.local_address(neighbor),
            peer_as = neighbor.asn,
            passive = neighbor.passive,
            asn4 = enabled(!neighbor.two_octet_as),
            restart = neighbor
                .graceful_restart
                .map_or_else(|| "disable".to_owned(), |seconds| seconds.to_string()),
            extended = enabled(neighbor.extended_messages),
            add_path = if neighbor.add_path { "send/receive" } else { "disable" },
            next_hop = enabled(neighbor.extended_next_hop),
        );

        if let Some(key) = &neighbor.password {
            let _ = writeln!(text, "  md5-password \"{key}\";");
        }
        if neighbor.ttl_security {
            text.push_str("  outgoing-ttl 255;\n  incoming-ttl 255;\n");
        }
        if neighbor.extended_next_hop {
            text.push_str("  nexthop { ipv4 unicast ipv6; }\n");
        }

        for family in ["ipv4", "ipv6"] {
            let _ = writeln!(text, "  announce {{ {family} {{");
            for route in routes.iter().filter(|route| route.is_ipv6() == (family == "ipv6")) {
                let _ = writeln!(text, "    unicast {};", self.words(route));
            }
            text.push_str("  } }\n");
        }
        text.push_str("}\n");
    }

    fn words(&self, route: &Originated) -> String {
        let mut text = format!("{} next-hop {}", route.prefix, self.0.next_hop(route));
        if let Some(id) = route.path_id {
            let _ = write!(text, " path-information {}", std::net::Ipv4Addr::from(id));
        }

        let targets = route.route_target_words();
        let targets = targets.iter().map(|word| format!("target:{word}")).collect();

        for (name, words) in [
            ("community", route.community_words()),
            ("large-community", route.large_community_words()),
            ("extended-community", targets),
        ] {
            if !words.is_empty() {
                let _ = write!(text, " {name} [ {} ]", words.join(" "));
            }
        }
        text
    }

    /// The paths after all reported changes, by prefix, neighbour and path identifier.
    fn table(&self) -> BTreeMap<(String, IpAddr, String), Path> {
        let mut table = BTreeMap::new();
        for report in self.reports(None) {
            let neighbor = &report["neighbor"];
            let Some(from) = neighbor["address"]["peer"].as_str().and_then(|a| a.parse().ok())
            else {
                continue;
            };

            if report["type"] == "state" && neighbor["state"] == "down" {
                table.retain(|(_, peer, _), _| *peer != from);
            }

            let update = &neighbor["message"]["update"];
            for (_, routes) in entries(&update["withdraw"]) {
                for route in routes.as_array().into_iter().flatten() {
                    let (prefix, id) = key(route);
                    table.remove(&(prefix, from, id));
                }
            }

            for (_, next_hops) in entries(&update["announce"]) {
                for (next_hop, routes) in entries(next_hops) {
                    // A link-local address beside the global one is an entry of its own.
                    let next_hop: IpAddr = match next_hop.parse() {
                        Ok(IpAddr::V6(hop)) if hop.segments()[0] == 0xfe80 => continue,
                        Ok(next_hop) => next_hop,
                        Err(_) => continue,
                    };
                    let path = Path { next_hop, ..parse_path(from, &update["attribute"]) };
                    for route in routes.as_array().into_iter().flatten() {
                        let (prefix, id) = key(route);
                        table.insert((prefix, from, id), path.clone());
                    }
                }
            }
        }
        table
    }
}

impl Router for Exabgp {
    const NAME: &'static str = "ExaBGP";

    fn version() -> Option<String> {
        version("exabgp", "--version")
    }

    fn start(host: &Host, config: RouterConfig) -> Self {
        let mut exabgp = Self(Daemon::new(Self::NAME, host, config));
        exabgp.launch(false);
        exabgp
    }

    fn daemon(&self) -> &Daemon {
        &self.0
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.0
    }

    fn launch(&mut self, _restarting: bool) {
        self.0.refuse("strict capabilities", |neighbor| neighbor.strict_capabilities);
        self.0.refuse("BFD", |neighbor| neighbor.bfd);
        self.0.refuse("maximum of prefixes", |neighbor| neighbor.maximum_prefixes.is_some());
        self.0.refuse("roles", |neighbor| neighbor.role.is_some());
        self.0.refuse("long-lived graceful restart", |neighbor| neighbor.long_lived.is_some());

        self.0.write("exabgp.conf", &self.config_text());
        self.0.write("companion", COMPANION);
        self.0.write("reports", "");
        self.0.write("commands", "");

        let companion = self.0.file("companion");
        std::fs::set_permissions(&companion, std::fs::Permissions::from_mode(0o755))
            .expect("a mode can be set");

        self.0.remove("running");
        self.0.launch(
            &program("exabgp"),
            |daemon, command| {
                command.arg(daemon.file("exabgp.conf"));
                command.env("exabgp.daemon.user", "root").env("exabgp.daemon.drop", "false");
                command.env("exabgp.api.cli", "false").env("exabgp.api.ack", "false");
                command.env("exabgp.log.destination", daemon.file("exabgp.log"));
            },
            |daemon| {
                // ExaBGP starts its companion last.
                if daemon.file("running").exists() {
                    Ok(())
                } else {
                    Err(daemon.read("exabgp.log"))
                }
            },
        );
    }

    fn set_routes(&mut self, routes: Vec<Originated>) {
        let old = std::mem::replace(&mut self.0.config.routes, routes);
        let routes = &self.0.config.routes;
        for route in old.iter().filter(|old| !routes.iter().any(|new| new.prefix == old.prefix)) {
            self.send_command(&format!("withdraw route {}", self.words(route))).expect("a command");
        }
        for route in routes.iter().filter(|route| !old.contains(route)) {
            self.send_command(&format!("announce route {}", self.words(route))).expect("a command");
        }
    }

    fn ask_for_refresh(&self, neighbor: IpAddr) -> Result<(), String> {
        for family in ["ipv4", "ipv6"] {
            self.send_command(&format!(
                "neighbor {neighbor} announce route-refresh {family} unicast"
            ))?;
        }
        Ok(())
    }

    /// Ignores the message, because ExaBGP cannot send one. ExaBGP opens the session again soon.
    fn shut_down(&self, neighbor: IpAddr, _message: &str) -> Result<(), String> {
        self.send_command(&format!("neighbor {neighbor} teardown 2"))
    }

    fn session(&self, neighbor: IpAddr) -> Result<Session, String> {
        let mut session = Session { state: "Idle".to_owned(), ..Session::default() };
        for report in self.reports(Some(neighbor)) {
            let neighbor = &report["neighbor"];

            match report["type"].as_str() {
                Some("open") => {
                    let theirs = neighbor["open"]["hold_time"].as_u64();
                    let theirs = theirs.and_then(|seconds| u16::try_from(seconds).ok());
                    session.hold_time = theirs.map(|seconds| seconds.min(self.0.config.hold_time));
                }
                Some("notification") => session.last_error = neighbor["notification"].to_string(),
                Some("state") if neighbor["state"] == "up" => {
                    session.state = "Established".to_owned();
                }
                Some("state") if neighbor["state"] == "down" => {
                    session.state = "Idle".to_owned();
                    session.hold_time = None;
                    session.last_error = neighbor["reason"].as_str().unwrap_or_default().to_owned();
                }
                _ => {}
            }
        }

        Ok(session)
    }

    fn accepted(&self, neighbor: IpAddr) -> Result<u64, String> {
        let from_it = self.table().into_keys().filter(|(_, from, _)| *from == neighbor).count();
        Ok(u64::try_from(from_it).unwrap_or(u64::MAX))
    }

    fn paths(&self, prefix: &str) -> Result<Vec<Path>, String> {
        let table = self.table().into_iter();
        Ok(table.filter(|((held, ..), _)| held == prefix).map(|(_, path)| path).collect())
    }

    fn prefixes(&self) -> Result<Vec<String>, String> {
        let own = self.0.config.routes.iter().map(|route| route.prefix.clone());
        let mut prefixes: Vec<String> =
            self.table().into_keys().map(|(prefix, ..)| prefix).chain(own).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        Ok(prefixes)
    }

    fn log(&self) -> String {
        self.0.read("exabgp.log")
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// The configuration's word for a feature that is on or off.
const fn enabled(on: bool) -> &'static str {
    if on { "enable" } else { "disable" }
}

/// The prefix and the path identifier of a route; the identifier is empty if there is none.
fn key(route: &Value) -> (String, String) {
    let [prefix, path_id] = ["nlri", "path-information"]
        .map(|name| route[name].as_str().unwrap_or_default().to_owned());
    (prefix, path_id)
}

fn parse_path(from: IpAddr, attributes: &Value) -> Path {
    let targets =
        list(&attributes["extended-community"]).iter().filter_map(|value| value["string"].as_str());

    let path = Path {
        as_path: list(&attributes["as-path"]).iter().filter_map(number).collect(),
        local_pref: number(&attributes["local-preference"]),
        med: number(&attributes["med"]),
        communities: list(&attributes["community"]).iter().filter_map(community).collect(),
        large_communities: list(&attributes["large-community"])
            .iter()
            .filter_map(large_community)
            .collect(),
        route_targets: targets.filter_map(parse_route_target).collect(),
        used: true,
        ..Path::from(from)
    };
    path.sorted()
}

fn community(value: &Value) -> Option<(u16, u16)> {
    Some((number(&value[0])?.try_into().ok()?, number(&value[1])?.try_into().ok()?))
}

fn large_community(value: &Value) -> Option<(u32, u32, u32)> {
    Some((number(&value[0])?, number(&value[1])?, number(&value[2])?))
}
