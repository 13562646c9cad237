//! OpenBGPD: a file configures it, and `bgpctl` asks it.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use crate::config::{Neighbor, Originated, RouterConfig};
use crate::daemon::{
    Daemon, number, numbers, parse_community, parse_large_community, parse_route_target, run_client,
};
use crate::lan::Host;
use crate::requirements::{program, version};
use crate::router::{Path, Router, Session};

/// The directory that OpenBGPD's processes chroot into. On Debian only systemd creates it.
const JAIL: &str = "/run/openbgpd";

/// OpenBGPD on a host of the test's LAN.
#[derive(Debug)]
pub struct Openbgpd(Daemon);

impl Openbgpd {
    /// Asks as `bgpctl` would.
    ///
    /// # Errors
    ///
    /// If OpenBGPD does not answer.
    pub fn ask(&self, words: &[&str]) -> Result<String, String> {
        ask(&self.0, words)
    }

    fn json(&self, words: &[&str]) -> Result<Value, String> {
        let reply = self.ask(&[&["-j"], words].concat())?;
        if reply.is_empty() {
            // `bgpctl` prints nothing for an empty table.
            return Ok(Value::Null);
        }
        serde_json::from_str(&reply).map_err(|error| format!("{words:?}: {error}: {reply}"))
    }

    fn write_config(&self) {
        self.0.write("bgpd.conf", &self.config_text());
        // OpenBGPD refuses a file that others may read, since it may have passwords in it.
        std::fs::set_permissions(self.0.file("bgpd.conf"), std::fs::Permissions::from_mode(0o600))
            .expect("a mode can be set");
    }

    fn config_text(&self) -> String {
        let RouterConfig { identifier, asn, hold_time, routes, neighbors, .. } = &self.0.config;
        let mut text = format!("AS {asn}");

        // A four-octet AS number needs AS_TRANS beside it, for old speakers.
        if *asn > u32::from(u16::MAX) {
            text.push_str(" 23456");
        }

        let _ = write!(
            text,
            "\nrouter-id {identifier}\nfib-update no\nholdtime {hold_time}\nsocket \"{}\"\n",
            self.0.file("control").display()
        );
        for own in self.0.host().addresses() {
            let _ = writeln!(text, "listen on {own}");
        }

        for route in routes {
            let _ = write!(text, "network {} set {{", route.prefix);
            for word in route.community_words() {
                let _ = write!(text, " community {word}");
            }
            for word in route.large_community_words() {
                let _ = write!(text, " large-community {word}");
            }
            for word in route.route_target_words() {
                let _ = write!(text, " ext-community rt {word}");
            }
            let _ = writeln!(text, " nexthop {} }}", self.0.next_hop(route));
        }

        for neighbor in neighbors {
            self.write_neighbor(&mut text, neighbor);
        }

        // Without this, the next hop of an external neighbour's route is always the address of the session,
        // even ::1 for IPv6 routes over IPv4.
        text.push_str("allow from any\nallow to any\nmatch to any set nexthop no-modify\n");
        text
    }

    fn write_neighbor(&self, text: &mut String, neighbor: &Neighbor) {
        let local_address = format!("local-address {}", self.0.local_address(neighbor));
        let _ = writeln!(text, "  neighbor {} {{\n  remote-as {}", neighbor.address, neighbor.asn);

        for (condition, line) in [
            // On Linux a neighbour with a local address gets no key on the listening socket.
            (neighbor.password.is_none(), local_address.as_str()),
            (true, "announce IPv4 unicast"),
            (true, "announce IPv6 unicast"),
            (neighbor.passive, "passive"),
            // `nexthop no-modify` works only for neighbours that may be several hops away.
            (neighbor.ttl_security, "ttl-security yes"),
            (!neighbor.ttl_security, "multihop 64"),
            (neighbor.two_octet_as, "announce as-4byte no"),
            (neighbor.graceful_restart.is_some(), "announce restart yes"),
            (neighbor.add_path, "announce add-path recv yes"),
            (neighbor.add_path, "announce add-path send all"),
        ] {
            if condition {
                let _ = writeln!(text, "  {line}");
            }
        }

        if let Some(limit) = neighbor.maximum_prefixes {
            let _ = writeln!(text, "  max-prefix {limit}");
        }
        if let Some(key) = &neighbor.password {
            let _ = writeln!(text, "  tcp md5sig password \"{key}\"");
        }
        if neighbor.route_server {
            text.push_str("  enforce neighbor-as no\n");
        }
        if let Some(role) = neighbor.role {
            let _ = writeln!(text, "  announce policy {}", role.word());
        }
        text.push_str("  }\n");
    }
}

fn ask(daemon: &Daemon, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program("bgpctl"));
    run_client(command.arg("-s").arg(daemon.file("control")).args(words))
}

impl Router for Openbgpd {
    const NAME: &'static str = "OpenBGPD";

    fn version() -> Option<String> {
        version("openbgpd", "-V")
    }

    fn start(host: &Host, config: RouterConfig) -> Self {
        let mut openbgpd = Self(Daemon::new(Self::NAME, host, config));
        openbgpd.launch(false);
        openbgpd
    }

    fn daemon(&self) -> &Daemon {
        &self.0
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.0
    }

    fn launch(&mut self, _restarting: bool) {
        self.0.refuse_several_paths();
        self.0.refuse("strict capabilities", |neighbor| neighbor.strict_capabilities);
        self.0.refuse("BFD outside of OpenBSD", |neighbor| neighbor.bfd);
        self.0.refuse("extended messages", |neighbor| neighbor.extended_messages);
        self.0.refuse("IPv4 routes with IPv6 next hops", |neighbor| neighbor.extended_next_hop);
        self.0.refuse("long-lived graceful restart", |neighbor| neighbor.long_lived.is_some());

        std::fs::create_dir_all(JAIL).expect("OpenBGPD's directory can be made");
        self.write_config();
        self.0.remove("control");
        self.0.launch(
            &program("openbgpd"),
            |daemon, command| {
                let verbose: &[&str] = if daemon.config.quiet { &[] } else { &["-v"] };
                command.arg("-d").args(verbose).arg("-f").arg(daemon.file("bgpd.conf"));
            },
            |daemon| ask(daemon, &["show", "summary"]).map(drop),
        );
    }

    fn set_routes(&mut self, routes: Vec<Originated>) {
        self.0.config.routes = routes;
        self.write_config();
        self.ask(&["reload"]).expect("OpenBGPD takes its configuration");
    }

    fn ask_for_refresh(&self, neighbor: IpAddr) -> Result<(), String> {
        self.ask(&["neighbor", &neighbor.to_string(), "refresh"]).map(drop)
    }

    fn shut_down(&self, neighbor: IpAddr, message: &str) -> Result<(), String> {
        self.ask(&["neighbor", &neighbor.to_string(), "down", message]).map(drop)
    }

    fn session(&self, neighbor: IpAddr) -> Result<Session, String> {
        let reply = self.json(&["show", "neighbor", &neighbor.to_string()])?;
        let reply = &reply["neighbors"][0];
        let state = reply["state"].as_str().ok_or_else(|| reply.to_string())?.to_owned();
        let words = ["last_error_received", "last_error_sent", "last_shutdown_reason"];
        let last_error: Vec<&str> = words.iter().filter_map(|name| reply[*name].as_str()).collect();
        let hold_time = reply["session"]["holdtime"].as_u64().filter(|_| state == "Established");
        Ok(Session {
            hold_time: hold_time.and_then(|seconds| seconds.try_into().ok()),
            last_error: last_error.join(", "),
            state,
        })
    }

    fn accepted(&self, neighbor: IpAddr) -> Result<u64, String> {
        let reply = self.json(&["show", "neighbor", &neighbor.to_string()])?;
        let count = &reply["neighbors"][0]["stats"]["prefixes"]["received"];
        count.as_u64().ok_or_else(|| reply.to_string())
    }

    fn paths(&self, prefix: &str) -> Result<Vec<Path>, String> {
        let reply = self.json(&["show", "rib", "detail", prefix])?;
        let paths =
            Path::list(&reply["rib"], |path| parse_path(path).filter(|_| path["prefix"] == prefix));
        Ok(paths)
    }

    fn prefixes(&self) -> Result<Vec<String>, String> {
        let reply = self.json(&["show", "rib"])?;
        let paths = reply["rib"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut prefixes: Vec<String> =
            paths.iter().filter_map(|path| Some(path["prefix"].as_str()?.to_owned())).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        Ok(prefixes)
    }

    fn log(&self) -> String {
        self.0.read("output")
    }
}

/// Parses a path from a neighbour. Returns `None` for a route of the router itself.
fn parse_path(path: &Value) -> Option<Path> {
    let internal = path["source"] == "internal";

    let read = Path {
        from: path["neighbor"]["remote_addr"].as_str()?.parse().ok()?,
        next_hop: path["exit_nexthop"].as_str()?.parse().ok()?,
        as_path: numbers(path["aspath"].as_str().unwrap_or_default()),
        // OpenBGPD invents a LOCAL_PREF for routes of an external neighbour.
        local_pref: number(&path["localpref"]).filter(|_| internal),
        // It does not distinguish a missing MED from zero.
        med: number(&path["metric"]).filter(|metric| *metric != 0),
        communities: words(&path["communities"]).filter_map(parse_community).collect(),
        large_communities: words(&path["large_communities"])
            .filter_map(parse_large_community)
            .collect(),
        route_targets: words(&path["extended_communities"])
            .filter_map(parse_route_target)
            .collect(),
        used: path["best"] == true,
    };
    Some(read.sorted())
}

fn words(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}
