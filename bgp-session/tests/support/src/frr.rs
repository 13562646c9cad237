//! FRR's `bgpd` without zebra: configured by a file, asked over its vty socket.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::lan::Host;
use crate::process::{Process, new_directory};
use crate::requirements::program;
use crate::router::{Neighbor, Originated, Path, Router, RouterConfig, Session};
use crate::wait::wait_until;

const STARTUP: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(10);

/// FRR's `bgpd` on a host of the test's LAN.
#[derive(Debug)]
pub struct Frr {
    process: Option<Process>,
    directory: Arc<TempDir>,
    host: Host,
    config: RouterConfig,
}

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
        let converse = || -> std::io::Result<Vec<String>> {
            let mut stream = UnixStream::connect(self.file("bgpd.vty"))?;
            stream.set_read_timeout(Some(ANSWER))?;
            exchange(&mut stream, "enable")?;
            commands.iter().map(|command| exchange(&mut stream, command)).collect()
        };
        converse().map_err(|error| format!("FRR's vty socket: {error}"))
    }

    fn json(&self, command: &str) -> Result<Value, String> {
        let reply = self.ask(command)?;
        serde_json::from_str(&reply).map_err(|error| format!("{command}: {error}: {reply}"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn config_text(&self) -> String {
        let RouterConfig { identifier, asn, routes, neighbors, .. } = &self.config;
        let log = self.file("bgpd.log");
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
            ("NEXT-HOP-4", "set ip next-hop", self.own_address(false)),
            ("NEXT-HOP-6", "set ipv6 next-hop global", self.own_address(true)),
        ] {
            let set = own.map(|own| format!(" {set} {own}\n")).unwrap_or_default();
            let _ = write!(text, "route-map {name} permit 10\n{set}exit\n");
        }
        let _ = write!(
            text,
            "router bgp {asn}\n bgp router-id {identifier}\n no bgp ebgp-requires-policy\n \
             no bgp network import-check\n no bgp default ipv4-unicast\n"
        );
        for neighbor in neighbors {
            self.write_neighbor(&mut text, neighbor);
        }
        for (family, map) in [("ipv4", "NEXT-HOP-4"), ("ipv6", "NEXT-HOP-6")] {
            let _ = writeln!(text, " address-family {family} unicast");
            for Neighbor { address, .. } in neighbors {
                let _ = writeln!(text, "  neighbor {address} activate");
                let _ = writeln!(text, "  neighbor {address} route-map {map} out");
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
        let hold_time = self.config.hold_time;
        let address = neighbor.address;
        let own = self.own_address(address.is_ipv6()).expect("an address of that family");
        let keepalive = (hold_time / 3).max(1);
        let _ = write!(
            text,
            " neighbor {address} remote-as {asn}\n neighbor {address} update-source {own}\n \
             neighbor {address} timers {keepalive} {hold_time}\n \
             neighbor {address} timers connect 1\n \
             neighbor {address} disable-connected-check\n",
            asn = neighbor.asn,
        );
        if neighbor.passive {
            let _ = writeln!(text, " neighbor {address} passive");
        }
        if let Some(key) = &neighbor.password {
            let _ = writeln!(text, " neighbor {address} password {key}");
        }
    }

    fn own_address(&self, ipv6: bool) -> Option<IpAddr> {
        self.host.addresses().iter().copied().find(|address| address.is_ipv6() == ipv6)
    }

    fn launch(&mut self) {
        std::fs::write(self.file("bgpd.conf"), self.config_text())
            .expect("FRR's configuration can be written");
        let path = program("bgpd");
        let directory = Arc::clone(&self.directory);
        let process = Process::start_in(directory, &self.host, &path, |command| {
            // -S keeps the user, -Z means no zebra, -P 0 no vty over TCP.
            command.args(["-S", "-Z", "-P", "0", "-f"]).arg(self.file("bgpd.conf"));
            command.arg("-i").arg(self.file("bgpd.pid"));
            command.arg("--vty_socket").arg(self.directory.path());
        });
        let process = self.process.insert(process);
        let vty = self.directory.path().join("bgpd.vty");
        wait_until(STARTUP, "FRR's vty socket", || {
            process.assert_running();
            UnixStream::connect(&vty).map(drop).map_err(|error| error.to_string())
        });
    }
}

impl Router for Frr {
    const NAME: &'static str = "FRR";

    fn start(host: &Host, config: RouterConfig) -> Self {
        let directory = new_directory();
        let mut frr = Self { process: None, directory, host: host.clone(), config };
        frr.launch();
        frr
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.terminate();
            process.wait(STARTUP);
        }
    }

    fn kill(&mut self) {
        self.process = None;
    }

    fn start_again(&mut self) {
        self.kill();
        self.launch();
    }

    fn set_routes(&mut self, routes: Vec<Originated>) {
        let old = std::mem::replace(&mut self.config.routes, routes);
        let mut lines: Vec<String> = self.config.routes.iter().flat_map(route_map).collect();
        lines.push(format!("router bgp {}", self.config.asn));
        let gone = old.iter().filter(|route| !self.config.routes.contains(route));
        let changes = gone
            .map(|route| (route, format!("no network {}", route.prefix)))
            .chain(self.config.routes.iter().map(|route| (route, network(route))));
        for (route, line) in changes {
            let family = if route.is_ipv6() { "ipv6" } else { "ipv4" };
            lines.push(format!("address-family {family} unicast"));
            lines.push(line);
            lines.push("exit-address-family".to_owned());
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.configure(&lines).expect("FRR answers");
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
        let paths = reply["paths"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut paths: Vec<Path> = paths.iter().filter_map(parse_path).collect();
        paths.sort_by_key(|path| path.from);
        Ok(paths)
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

    fn log(&self) -> String {
        let bytes = std::fs::read(self.file("bgpd.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The route-map that gives a route its communities, line by line.
fn route_map(route: &Originated) -> Vec<String> {
    let mut lines = vec![format!("route-map {} permit 10", map_name(route))];
    if !route.communities.is_empty() {
        let communities: Vec<String> =
            route.communities.iter().map(|(asn, value)| format!("{asn}:{value}")).collect();
        lines.push(format!(" set community {}", communities.join(" ")));
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

/// A path from a neighbour; none for a route of the router's own.
fn parse_path(path: &Value) -> Option<Path> {
    let segments = path["aspath"]["segments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let as_path =
        segments.iter().flat_map(|segment| segment["list"].as_array().into_iter().flatten());
    let next_hops = path["nexthops"].as_array()?;
    // A link-local next hop may stand beside the global one.
    let next_hop = next_hops.iter().find(|hop| hop["scope"] != "link-local")?;
    let mut communities: Vec<(u16, u16)> =
        words(&path["community"]).filter_map(parse_community).collect();
    communities.sort_unstable();
    let mut large_communities: Vec<(u32, u32, u32)> =
        words(&path["largeCommunity"]).filter_map(parse_large_community).collect();
    large_communities.sort_unstable();
    let number = |name: &str| path[name].as_u64().and_then(|number| number.try_into().ok());
    Some(Path {
        from: path["peer"]["peerId"].as_str()?.parse().ok()?,
        next_hop: next_hop["ip"].as_str()?.parse().ok()?,
        as_path: as_path.filter_map(|asn| asn.as_u64()?.try_into().ok()).collect(),
        local_pref: number("locPrf"),
        med: number("metric"),
        communities,
        large_communities,
        used: path["bestpath"]["overall"] == true || path["multipath"] == true,
    })
}

fn words(communities: &Value) -> impl Iterator<Item = &str> {
    communities["string"].as_str().unwrap_or_default().split_whitespace()
}

/// FRR writes the well-known communities by name.
fn parse_community(word: &str) -> Option<(u16, u16)> {
    match word {
        "graceful-shutdown" => Some((65535, 0)),
        "no-export" => Some((65535, 65281)),
        "no-advertise" => Some((65535, 65282)),
        "local-AS" => Some((65535, 65283)),
        _ => {
            let (asn, value) = word.split_once(':')?;
            Some((asn.parse().ok()?, value.parse().ok()?))
        }
    }
}

fn parse_large_community(word: &str) -> Option<(u32, u32, u32)> {
    let mut parts = word.split(':').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?))
}

/// Sends one command; the reply ends with three zero octets and a status.
fn exchange(stream: &mut UnixStream, command: &str) -> std::io::Result<String> {
    stream.write_all(command.as_bytes())?;
    stream.write_all(&[0])?;
    let mut reply = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        reply.extend_from_slice(&chunk[..count]);
        if let [text @ .., 0, 0, 0, _status] = reply.as_slice() {
            return Ok(String::from_utf8_lossy(text).into_owned());
        }
    }
}
