//! FRR's `bgpd`, with `zebra` and `bfdd` if a test uses BFD: a file configures it, and its vty
//! socket answers questions.

use std::fmt::Write as _;
use std::net::IpAddr;

use serde_json::Value;

use crate::config::{Neighbor, Originated, RouterConfig};
use crate::daemon::{Daemon, number, parse_community, parse_large_community, parse_route_target};
use crate::lan::Host;
use crate::requirements::{program, version};
use crate::router::{Path, Router, Session};
use crate::vty;

/// FRR's `bgpd` on a host of the test's LAN.
#[derive(Debug)]
pub struct Frr(Daemon);

impl Frr {
    /// Runs a command of `vtysh` in enable mode, and returns the output.
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
        let all = [&["configure terminal"], lines, &["end"]].concat();
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
        // Without `debug`, the log says nothing about sessions.
        let debug = if self.0.config.quiet { "" } else { "debug bgp neighbor-events\n" };
        let mut text = format!("frr defaults datacenter\nlog file {}\n{debug}", log.display());

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

        if neighbors.iter().any(|neighbor| neighbor.route_server) {
            text.push_str(" no bgp enforce-first-as\n");
        }
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
        let remote_as = format!("remote-as {}", neighbor.asn);
        let update_source = format!("update-source {own}");
        let timers = format!("timers {} {hold_time}", (hold_time / 3).max(1));

        let mut lines = vec![
            remote_as,
            update_source,
            timers,
            "timers connect 1".to_owned(),
            "disable-connected-check".to_owned(),
        ];
        for (condition, line) in [
            (neighbor.passive, "passive"),
            (neighbor.ttl_security, "ttl-security hops 1"),
            // FRR can leave out only a few single capabilities.
            (neighbor.two_octet_as, "dont-capability-negotiate"),
            (neighbor.extended_next_hop, "capability extended-nexthop"),
            (neighbor.strict_capabilities, "strict-capability-match"),
            (neighbor.bfd, "bfd 3 50 50"),
        ] {
            if condition {
                lines.push(line.to_owned());
            }
        }
        if let Some(key) = &neighbor.password {
            lines.push(format!("password {key}"));
        }
        if let Some(role) = neighbor.role {
            lines.push(format!("local-role {}", role.word()));
        }

        for line in lines {
            let _ = writeln!(text, " neighbor {} {line}", neighbor.address);
        }
    }

    /// Starts `bfdd`, which does BFD, and `zebra`, which reports interfaces and the requests of `bgpd` to it.
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

    for (condition, line) in [
        (true, "activate"),
        // With an extended next hop, the router's IPv6 address stays the next hop of IPv4 routes.
        (family == "ipv6", "route-map NEXT-HOP-6 out"),
        (family == "ipv4" && !neighbor.extended_next_hop, "route-map NEXT-HOP-4 out"),
        (neighbor.add_path, "addpath-tx-all-paths"),
    ] {
        if condition {
            let _ = writeln!(text, "  neighbor {} {line}", neighbor.address);
        }
    }
    if let Some(limit) = neighbor.maximum_prefixes {
        let _ = writeln!(text, "  neighbor {} maximum-prefix {limit}", neighbor.address);
    }
}

impl Router for Frr {
    const NAME: &'static str = "FRR";

    fn version() -> Option<String> {
        version("bgpd", "--version")
    }

    fn start(host: &Host, config: RouterConfig) -> Self {
        let mut frr = Self(Daemon::new(Self::NAME, host, config));
        frr.launch(false);
        frr
    }

    fn daemon(&self) -> &Daemon {
        &self.0
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.0
    }

    fn launch(&mut self, _restarting: bool) {
        self.0.refuse_several_paths();
        self.0.write("bgpd.conf", &self.config_text());
        let zebra = self.0.config.has_bfd();
        if zebra {
            self.start_companions();
        }

        self.0.launch(
            &program("bgpd"),
            |daemon, command| vty::prepare(command, daemon.directory().path(), "bgpd", zebra),
            |daemon| vty::answers(daemon.directory().path(), "bgpd"),
        );
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
        let established = reply["bgpState"] == "Established";
        let hold_time = reply["bgpTimerHoldTimeMsecs"].as_u64().map(|time| time / 1000);

        let causes = [
            "lastResetDueTo",
            "lastErrorCodeSubcode",
            "lastNotificationReason",
            "lastShutdownDescription",
        ]
        .map(|name| reply[name].as_str().unwrap_or_default());
        let causes: Vec<&str> = causes.into_iter().filter(|cause| !cause.is_empty()).collect();

        Ok(Session {
            state: reply["bgpState"].as_str().unwrap_or_default().to_owned(),
            hold_time: hold_time.filter(|_| established).and_then(|time| time.try_into().ok()),
            last_error: causes.join(", "),
        })
    }

    fn accepted(&self, neighbor: IpAddr) -> Result<u64, String> {
        let reply = self.json(&format!("show bgp neighbors {neighbor} json"))?;
        let families = &reply[neighbor.to_string()]["addressFamilyInfo"];
        let families = families.as_object().into_iter().flat_map(|families| families.values());
        Ok(families.filter_map(|family| family["acceptedPrefixCounter"].as_u64()).sum())
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
        let up = peers.any(|peer| peer["peer"] == *neighbor && peer["status"] == "up");
        if up { Ok(()) } else { Err(reply.to_string()) }
    }

    fn log(&self) -> String {
        self.0.read("bgpd.log")
    }
}

/// The route-map that gives a route its communities, line by line.
fn route_map(route: &Originated) -> Vec<String> {
    let mut lines = vec![format!("route-map {} permit 10", map_name(route))];
    for (attribute, words) in [
        ("community", route.community_words()),
        ("large-community", route.large_community_words()),
        ("extcommunity rt", route.route_target_words()),
    ] {
        if !words.is_empty() {
            lines.push(format!(" set {attribute} {}", words.join(" ")));
        }
    }
    lines.push("exit".to_owned());
    lines
}

fn network(route: &Originated) -> String {
    format!("network {} route-map {}", route.prefix, map_name(route))
}

fn map_name(route: &Originated) -> String {
    format!("ROUTE-{}", route.prefix.replace([':', '/', '.'], "-"))
}

/// Parses a path from a neighbour. Returns `None` for a route of the router itself.
fn parse_path(path: &Value) -> Option<Path> {
    let segments = path["aspath"]["segments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let as_path =
        segments.iter().flat_map(|segment| segment["list"].as_array().into_iter().flatten());

    let next_hops = path["nexthops"].as_array()?;
    // There may be a link-local next hop beside the global one.
    let next_hop = next_hops.iter().find(|hop| hop["scope"] != "link-local")?;

    let path = Path {
        from: path["peer"]["peerId"].as_str()?.parse().ok()?,
        next_hop: next_hop["ip"].as_str()?.parse().ok()?,
        as_path: as_path.filter_map(|asn| asn.as_u64()?.try_into().ok()).collect(),
        local_pref: number(&path["locPrf"]),
        med: number(&path["metric"]),
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
