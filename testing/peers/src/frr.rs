//! FRR's `bgpd`, with `zebra` and `bfdd` where BFD is wanted: configured by a file, asked over its
//! vty socket.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::process::Command;

use serde_json::Value;

use crate::config::{Neighbor, Originated, RouterConfig};
use crate::daemon::{Daemon, parse_community, parse_large_community, parse_route_target};
use crate::lan::Host;
use crate::requirements::program;
use crate::router::{Path, Router, Session};
use crate::vty;

/// FRR's `bgpd` on a host of the test's LAN.
#[derive(Debug)]
pub struct Frr(Daemon);

impl Frr {
    /// Runs a command of `vtysh` in enable mode, and gives what it prints.
    ///
    /// # Errors
    ///
    /// If the vty socket does not answer.
    pub fn ask(&self, command: &str) -> Result<String, String> {
        let mut replies = self.converse(&[command])?;
        Ok(replies.pop().unwrap_or_default())
    }

    /// Runs lines of configuration.
    ///
    /// # Errors
    ///
    /// If the vty socket does not answer.
    pub fn configure(&self, lines: &[&str]) -> Result<(), String> {
        let all: Vec<&str> = ["configure terminal"]
            .into_iter()
            .chain(lines.iter().copied())
            .chain(["end"])
            .collect();
        self.converse(&all).map(drop)
    }

    fn converse(&self, commands: &[&str]) -> Result<Vec<String>, String> {
        vty::converse(self.0.directory().path(), "bgpd", commands)
    }

    fn json(&self, command: &str) -> Result<Value, String> {
        let reply = self.ask(command)?;
        serde_json::from_str(&reply).map_err(|error| format!("{command}: {error}: {reply}"))
    }

    fn config_text(&self) -> String {
        let RouterConfig { identifier, asn, routes, neighbors, .. } = &self.0.config;
        let log = self.0.file("bgpd.log");
        // The log's words about sessions need `debug`.
        let mut text = format!(
            "frr defaults datacenter\nlog file {}\ndebug bgp neighbor-events\n",
            log.display()
        );
        for route in routes {
            text.push_str(&route_map(route).join("\n"));
            text.push('\n');
        }
        for (name, set, own) in [
            ("NEXT-HOP-4", "set ip next-hop", self.0.own_address(false)),
            ("NEXT-HOP-6", "set ipv6 next-hop global", self.0.own_address(true)),
        ] {
            let set = own.map(|own| format!(" {set} {own}\n")).unwrap_or_default();
            let _ = write!(text, "route-map {name} permit 10\n{set}exit\n");
        }
        let _ = write!(
            text,
            "router bgp {asn}\n bgp router-id {identifier}\n no bgp ebgp-requires-policy\n \
             no bgp network import-check\n no bgp default ipv4-unicast\n"
        );
        let seconds = neighbors.iter().find_map(|neighbor| neighbor.graceful_restart);
        if let Some(seconds) = seconds {
            let _ = write!(
                text,
                " bgp graceful-restart\n bgp graceful-restart restart-time {seconds}\n \
                 bgp graceful-restart preserve-fw-state\n"
            );
        }
        if let Some(seconds) = neighbors.iter().find_map(|neighbor| neighbor.long_lived) {
            let _ = writeln!(text, " bgp long-lived-graceful-restart stale-time {seconds}");
        }
        for neighbor in neighbors {
            self.write_neighbor(&mut text, neighbor);
        }
        for family in ["ipv4", "ipv6"] {
            let _ = writeln!(text, " address-family {family} unicast");
            for neighbor in neighbors {
                write_activation(&mut text, family, neighbor);
            }
            for route in routes.iter().filter(|route| route.is_ipv6() == (family == "ipv6")) {
                let _ = writeln!(text, "  {}", network(route));
            }
            text.push_str(" exit-address-family\n");
        }
        text.push_str("exit\n");
        text
    }

    fn write_neighbor(&self, text: &mut String, neighbor: &Neighbor) {
        let hold_time = self.0.config.hold_time;
        let own = self.0.local_address(neighbor);
        let mut set = |condition: bool, line: &str| {
            if condition {
                let _ = writeln!(text, " neighbor {} {line}", neighbor.address);
            }
        };
        set(true, &format!("remote-as {}", neighbor.asn));
        set(true, &format!("update-source {own}"));
        set(true, &format!("timers {} {hold_time}", (hold_time / 3).max(1)));
        set(true, "timers connect 1");
        set(true, "disable-connected-check");
        set(neighbor.passive, "passive");
        set(neighbor.ttl_security, "ttl-security hops 1");
        // Of single capabilities it can be told to leave out only a few.
        set(neighbor.two_octet_as, "dont-capability-negotiate");
        set(neighbor.extended_next_hop, "capability extended-nexthop");
        set(neighbor.strict_capabilities, "strict-capability-match");
        set(neighbor.bfd, "bfd 3 50 50");
        if let Some(key) = &neighbor.password {
            set(true, &format!("password {key}"));
        }
        if let Some(role) = neighbor.role {
            set(true, &format!("local-role {}", role.word()));
        }
    }

    /// `bfdd` does BFD, and `zebra` tells it of interfaces and of what `bgpd` wants.
    fn start_companions(&mut self) {
        for name in ["zebra", "bfdd"] {
            let log = format!("log file {}\n", self.0.file(&format!("{name}.log")).display());
            self.0.write(&format!("{name}.conf"), &log);
        }
        vty::give_away(self.0.directory().path());
        for name in ["zebra", "bfdd"] {
            self.0.accompany(name);
        }
    }
}

fn write_activation(text: &mut String, family: &str, neighbor: &Neighbor) {
    if family == "ipv6" && neighbor.strict_capabilities {
        return;
    }
    let mut set = |condition: bool, line: &str| {
        if condition {
            let _ = writeln!(text, "  neighbor {} {line}", neighbor.address);
        }
    };
    set(true, "activate");
    // Its own IPv6 address stays the next hop of IPv4 routes where that is to be.
    set(family == "ipv6", "route-map NEXT-HOP-6 out");
    set(family == "ipv4" && !neighbor.extended_next_hop, "route-map NEXT-HOP-4 out");
    set(neighbor.add_path, "addpath-tx-all-paths");
    if let Some(limit) = neighbor.maximum_prefixes {
        set(true, &format!("maximum-prefix {limit}"));
    }
}

impl Router for Frr {
    const NAME: &'static str = "FRR";

    fn start(host: &Host, config: RouterConfig) -> Self {
        let mut frr = Self(Daemon::new(Self::NAME, host, config));
        frr.launch(false);
        frr
    }

    fn daemon(&mut self) -> &mut Daemon {
        &mut self.0
    }

    fn launch(&mut self, _restarting: bool) {
        self.0.refuse_several_paths();
        self.0.write("bgpd.conf", &self.config_text());
        let zebra = self.0.config.has_bfd();
        if zebra {
            self.start_companions();
        }
        let prepare = |daemon: &Daemon, command: &mut Command| {
            vty::prepare(command, daemon.directory().path(), "bgpd", zebra);
        };
        let ready = |daemon: &Daemon| vty::answers(daemon.directory().path(), "bgpd");
        self.0.launch(&program("bgpd"), prepare, ready);
    }

    fn set_routes(&mut self, routes: Vec<Originated>) {
        let old = std::mem::replace(&mut self.0.config.routes, routes);
        let mut lines: Vec<String> = self.0.config.routes.iter().flat_map(route_map).collect();
        lines.push(format!("router bgp {}", self.0.config.asn));
        let gone = old.iter().filter(|route| !self.0.config.routes.contains(route));
        let changes = gone
            .map(|route| (route, format!("no network {}", route.prefix)))
            .chain(self.0.config.routes.iter().map(|route| (route, network(route))));
        for (route, line) in changes {
            let family = if route.is_ipv6() { "ipv6" } else { "ipv4" };
            lines.push(format!("address-family {family} unicast"));
            lines.push(line);
            lines.push("exit-address-family".to_owned());
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.configure(&lines).expect("FRR answers");
    }

    fn ask_for_refresh(&self, neighbor: IpAddr) -> Result<(), String> {
        for family in ["ipv4", "ipv6"] {
            self.ask(&format!("clear bgp {family} unicast {neighbor} soft in"))?;
        }
        Ok(())
    }

    fn shut_down(&self, neighbor: IpAddr, message: &str) -> Result<(), String> {
        let router = format!("router bgp {}", self.0.config.asn);
        self.configure(&[&router, &format!("neighbor {neighbor} shutdown message {message}")])
    }

    fn session(&self, neighbor: IpAddr) -> Result<Session, String> {
        let reply = self.json(&format!("show bgp neighbors {neighbor} json"))?;
        let reply = &reply[neighbor.to_string()];
        let text = |name: &str| reply[name].as_str().unwrap_or_default().to_owned();
        let established = reply["bgpState"] == "Established";
        let hold_time =
            reply["bgpTimerHoldTimeMsecs"].as_u64().map(|milliseconds| milliseconds / 1000);
        let words = [
            "lastResetDueTo",
            "lastErrorCodeSubcode",
            "lastNotificationReason",
            "lastShutdownDescription",
        ];
        let last_error: Vec<String> =
            words.map(text).into_iter().filter(|t| !t.is_empty()).collect();
        Ok(Session {
            state: text("bgpState"),
            hold_time: hold_time.filter(|_| established).and_then(|time| time.try_into().ok()),
            last_error: last_error.join(", "),
        })
    }

    fn paths(&self, prefix: &str) -> Result<Vec<Path>, String> {
        let family = if prefix.contains(':') { "ipv6" } else { "ipv4" };
        let reply = self.json(&format!("show bgp {family} unicast {prefix} json"))?;
        Ok(Path::list(&reply["paths"], parse_path))
    }

    fn prefixes(&self) -> Result<Vec<String>, String> {
        let mut prefixes = Vec::new();
        for family in ["ipv4", "ipv6"] {
            let reply = self.json(&format!("show bgp {family} unicast json"))?;
            prefixes
                .extend(reply["routes"].as_object().into_iter().flat_map(|r| r.keys().cloned()));
        }
        prefixes.sort_unstable();
        Ok(prefixes)
    }

    fn bfd_up(&self, neighbor: IpAddr) -> Result<(), String> {
        let replies = vty::converse(self.0.directory().path(), "bfdd", &["show bfd peers json"])?;
        let reply: Value = serde_json::from_str(&replies.concat()).map_err(|e| e.to_string())?;
        let neighbor = neighbor.to_string();
        let mut peers = reply.as_array().into_iter().flatten();
        match peers.any(|it| it["peer"] == *neighbor && it["status"] == "up") {
            true => Ok(()),
            false => Err(reply.to_string()),
        }
    }

    fn log(&self) -> String {
        self.0.read("bgpd.log")
    }
}

/// The route-map that gives a route its communities, line by line.
fn route_map(route: &Originated) -> Vec<String> {
    let mut lines = vec![format!("route-map {} permit 10", map_name(route))];
    let mut set = |what: &str, words: Vec<String>| {
        if !words.is_empty() {
            lines.push(format!(" set {what} {}", words.join(" ")));
        }
    };
    set("community", route.community_words());
    set("large-community", route.large_community_words());
    set("extcommunity rt", route.route_target_words());
    lines.push("exit".to_owned());
    lines
}

fn network(route: &Originated) -> String {
    format!("network {} route-map {}", route.prefix, map_name(route))
}

fn map_name(route: &Originated) -> String {
    format!("ROUTE-{}", route.prefix.replace([':', '/', '.'], "-"))
}

/// A path from a neighbour; none for a route of the router's own.
fn parse_path(path: &Value) -> Option<Path> {
    let segments = path["aspath"]["segments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let as_path =
        segments.iter().flat_map(|segment| segment["list"].as_array().into_iter().flatten());
    let next_hops = path["nexthops"].as_array()?;
    // A link-local next hop may stand beside the global one.
    let next_hop = next_hops.iter().find(|hop| hop["scope"] != "link-local")?;
    let number = |name: &str| path[name].as_u64().and_then(|number| number.try_into().ok());
    let path = Path {
        from: path["peer"]["peerId"].as_str()?.parse().ok()?,
        next_hop: next_hop["ip"].as_str()?.parse().ok()?,
        as_path: as_path.filter_map(|asn| asn.as_u64()?.try_into().ok()).collect(),
        local_pref: number("locPrf"),
        med: number("metric"),
        communities: words(&path["community"]).filter_map(parse_community).collect(),
        large_communities: words(&path["largeCommunity"])
            .filter_map(parse_large_community)
            .collect(),
        route_targets: words(&path["extendedCommunity"]).filter_map(parse_route_target).collect(),
        used: path["bestpath"]["overall"] == true || path["multipath"] == true,
    };
    Some(path.sorted())
}

fn words(communities: &Value) -> impl Iterator<Item = &str> {
    communities["string"].as_str().unwrap_or_default().split_whitespace()
}
