//! BIRD 2: configured by a file, asked over its control socket.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::lan::Host;
use crate::process::{Process, new_directory};
use crate::requirements::program;
use crate::router::{Neighbor, Originated, Path, Router, RouterConfig, Session};
use crate::wait::wait_until;

const STARTUP: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(10);

/// BIRD shows a LOCAL_PREF for every path. This is the one that it makes up when none came.
const NO_LOCAL_PREF: u32 = 7;

/// BIRD on a host of the test's LAN.
#[derive(Debug)]
pub struct Bird {
    process: Option<Process>,
    directory: Arc<TempDir>,
    host: Host,
    config: RouterConfig,
}

impl Bird {
    /// Asks as `birdc` would, and gives the lines of the reply without their numbers.
    ///
    /// # Errors
    ///
    /// If the control socket does not answer.
    pub fn ask(&self, command: &str) -> Result<String, String> {
        let ask = || {
            let mut stream = UnixStream::connect(self.file("control"))?;
            stream.set_read_timeout(Some(ANSWER))?;
            let mut lines = BufReader::new(stream.try_clone()?);
            read_reply(&mut lines)?;
            writeln!(stream, "{command}")?;
            read_reply(&mut lines)
        };
        ask().map_err(|error: std::io::Error| format!("BIRD's control socket: {error}"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write_config(&self) {
        std::fs::write(self.file("bird.conf"), self.config_text())
            .expect("BIRD's configuration can be written");
    }

    fn config_text(&self) -> String {
        let RouterConfig { identifier, routes, .. } = &self.config;
        let log = self.file("bird.log");
        let mut text = format!("log \"{}\" all;\nrouter id {identifier};\n", log.display());
        text.push_str("protocol device {}\n");
        for family in ["ipv4", "ipv6"] {
            let _ = writeln!(text, "protocol static static_{family} {{ {family};");
            for route in routes.iter().filter(|route| route.is_ipv6() == (family == "ipv6")) {
                let _ = write!(text, "  route {} blackhole {{", route.prefix);
                for (asn, value) in &route.communities {
                    let _ = write!(text, " bgp_community.add(({asn},{value}));");
                }
                text.push_str(" };\n");
            }
            text.push_str("}\n");
        }
        for (index, neighbor) in self.config.neighbors.iter().enumerate() {
            self.write_neighbor(&mut text, index, neighbor);
        }
        text
    }

    fn write_neighbor(&self, text: &mut String, index: usize, neighbor: &Neighbor) {
        let RouterConfig { asn, hold_time, .. } = &self.config;
        let own = self.own_address(neighbor.address.is_ipv6()).expect("an address of that family");
        let _ = write!(
            text,
            "protocol bgp {name} {{\n  local {own} as {asn};\n  neighbor {peer} as {peer_as};\n  \
             direct; debug {{ states, events }}; hold time {hold_time};\n  \
             connect delay time 1; connect retry time 1; error wait time 1,2;\n  \
             allow bgp_local_pref on; default bgp_local_pref {NO_LOCAL_PREF};\n",
            name = protocol_name(index),
            peer = neighbor.address,
            peer_as = neighbor.asn,
        );
        if neighbor.passive {
            text.push_str("  passive on;\n");
        }
        if let Some(key) = &neighbor.password {
            let _ = writeln!(text, "  password \"{key}\";");
        }
        for family in ["ipv4", "ipv6"] {
            let own = self.own_address(family == "ipv6");
            let next_hop = own.map(|own| format!(" next hop address {own};")).unwrap_or_default();
            let _ = writeln!(
                text,
                "  {family} {{ import all; export where source = RTS_STATIC;{next_hop} }};"
            );
        }
        text.push_str("}\n");
    }

    fn own_address(&self, ipv6: bool) -> Option<IpAddr> {
        self.host.addresses().iter().copied().find(|address| address.is_ipv6() == ipv6)
    }

    fn launch(&mut self) {
        self.write_config();
        let path = program("bird");
        let directory = Arc::clone(&self.directory);
        let process = Process::start_in(directory, &self.host, &path, |command| {
            command.arg("-f").arg("-c").arg(self.file("bird.conf"));
            command.arg("-s").arg(self.file("control")).arg("-P").arg(self.file("pid"));
        });
        let process = self.process.insert(process);
        let control = self.directory.path().join("control");
        wait_until(STARTUP, "BIRD's control socket", || {
            process.assert_running();
            UnixStream::connect(&control).map(drop).map_err(|error| error.to_string())
        });
    }

    fn protocol_of(&self, neighbor: IpAddr) -> Result<String, String> {
        let index = self.config.neighbors.iter().position(|n| n.address == neighbor);
        index.map(protocol_name).ok_or_else(|| format!("BIRD has no neighbour {neighbor}"))
    }

    fn neighbor_of(&self, protocol: &str) -> Option<IpAddr> {
        let mut neighbors = self.config.neighbors.iter().enumerate();
        let (_, neighbor) = neighbors.find(|(index, _)| protocol_name(*index) == protocol)?;
        Some(neighbor.address)
    }

    fn parse_paths(&self, reply: &str) -> Vec<Path> {
        let mut paths: Vec<Path> = Vec::new();
        for line in reply.lines() {
            // `PREFIX  unicast [peer0 20:15:01.123] * (100) [AS64636i]`; the prefix only once.
            if let Some((_, rest)) = line.split_once(" [").filter(|_| line.contains("unicast")) {
                let protocol = rest.split([' ', ']']).next().unwrap_or_default();
                if let Some(from) = self.neighbor_of(protocol) {
                    paths.push(Path { used: line.contains("] * "), ..empty_path(from) });
                }
            } else if let (Some(path), Some((name, value))) =
                (paths.last_mut(), line.trim().split_once(": "))
            {
                set_attribute(path, name, value);
            }
        }
        paths.sort_by_key(|path| path.from);
        paths
    }
}

impl Router for Bird {
    const NAME: &'static str = "BIRD";

    fn start(host: &Host, config: RouterConfig) -> Self {
        let directory = new_directory();
        let mut bird = Self { process: None, directory, host: host.clone(), config };
        bird.launch();
        bird
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
        self.config.routes = routes;
        self.write_config();
        let reply = self.ask("configure").expect("BIRD answers");
        assert!(reply.contains("Reconfig"), "BIRD would not take its configuration: {reply}");
    }

    fn session(&self, neighbor: IpAddr) -> Result<Session, String> {
        let protocol = self.protocol_of(neighbor)?;
        let reply = self.ask(&format!("show protocols all {protocol}"))?;
        let field = |name| {
            let mut lines = reply.lines();
            lines.find_map(|line| Some(line.trim().strip_prefix(name)?.trim().to_owned()))
        };
        // `Hold timer:  60.123/90`: what is left, and the negotiated time.
        let hold_time =
            field("Hold timer:").and_then(|value| value.split('/').nth(1)?.parse().ok());
        let prefix = format!("{protocol}: ");
        let log = self.log();
        let mut errors = log.lines().filter_map(|line| Some(line.split_once(&prefix)?.1));
        let last_error = errors.rfind(|text| {
            ["Received:", "Error:", "Connection", "Hold timer", "Socket"]
                .iter()
                .any(|word| text.starts_with(word))
        });
        Ok(Session {
            state: field("BGP state:").ok_or_else(|| reply.clone())?,
            hold_time,
            last_error: last_error.unwrap_or_default().to_owned(),
        })
    }

    fn paths(&self, prefix: &str) -> Result<Vec<Path>, String> {
        Ok(self.parse_paths(&self.ask(&format!("show route {prefix} all"))?))
    }

    fn prefixes(&self) -> Result<Vec<String>, String> {
        let reply = self.ask("show route")?;
        let words = reply.lines().filter_map(|line| line.split(' ').next());
        let mut prefixes: Vec<String> =
            words.filter(|word| word.contains('/')).map(str::to_owned).collect();
        prefixes.sort_unstable();
        Ok(prefixes)
    }

    fn log(&self) -> String {
        let bytes = std::fs::read(self.file("bird.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn protocol_name(index: usize) -> String {
    format!("peer{index}")
}

fn empty_path(from: IpAddr) -> Path {
    Path {
        from,
        next_hop: from,
        as_path: Vec::new(),
        local_pref: None,
        med: None,
        communities: Vec::new(),
        large_communities: Vec::new(),
        used: false,
    }
}

fn set_attribute(path: &mut Path, name: &str, value: &str) {
    match name {
        // An IPv6 next hop may have its link-local companion beside it.
        "BGP.next_hop" => {
            let global = value.split_whitespace().next();
            path.next_hop = global.and_then(|a| a.parse().ok()).expect("a next hop");
        }
        "BGP.as_path" => path.as_path = numbers(value),
        "BGP.local_pref" => path.local_pref = value.parse().ok().filter(|v| *v != NO_LOCAL_PREF),
        "BGP.med" => path.med = value.parse().ok(),
        "BGP.community" => {
            path.communities =
                groups(value).filter_map(|g| <[u32; 2]>::try_from(g).ok()).map(pair).collect();
            path.communities.sort_unstable();
        }
        "BGP.large_community" => {
            let triples = groups(value).filter_map(|g| <[u32; 3]>::try_from(g).ok());
            path.large_communities = triples.map(<(u32, u32, u32)>::from).collect();
            path.large_communities.sort_unstable();
        }
        _ => {}
    }
}

fn pair([asn, value]: [u32; 2]) -> (u16, u16) {
    let half = |number| u16::try_from(number).expect("half a community");
    (half(asn), half(value))
}

/// The numbers of `(1,2) (3, 4)`, group by group.
fn groups(text: &str) -> impl Iterator<Item = Vec<u32>> {
    text.split(')').filter_map(|part| Some(numbers(part.split_once('(')?.1)))
}

fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// Reads up to the line that ends a reply: its number starts with 0, 8 or 9 and a space follows.
/// In between, `NNNN-text` and, under the same number, ` text`.
fn read_reply(lines: &mut impl BufRead) -> std::io::Result<String> {
    let mut reply = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end_matches('\n');
        let number = line.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let text = line.get(if number.is_some() { 5 } else { 1 }..).unwrap_or_default();
        reply.push_str(text);
        reply.push('\n');
        let last = number.is_some_and(|n| n.starts_with(['0', '8', '9']));
        if last && line.as_bytes().get(4) == Some(&b' ') {
            return Ok(reply);
        }
    }
}
