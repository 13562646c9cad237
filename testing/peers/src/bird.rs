//! BIRD 2: a file configures it, and its control socket answers questions.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::config::{Neighbor, Originated, RouterConfig};
use crate::daemon::{Daemon, numbers};
use crate::lan::Host;
use crate::requirements::{program, version};
use crate::router::{Path, Router, Session};

const ANSWER: Duration = Duration::from_secs(10);

const DAY: Duration = Duration::from_secs(86_400);

/// BIRD shows a LOCAL_PREF for every path. This is the value that it shows if none came.
const NO_LOCAL_PREF: u32 = 7;

/// BIRD on a host of the test's LAN.
#[derive(Debug)]
pub struct Bird(Daemon);

impl Bird {
    /// Sends a command as `birdc` does, and returns the lines of the reply without their numbers.
    ///
    /// # Errors
    ///
    /// If the control socket does not answer.
    pub fn ask(&self, command: &str) -> Result<String, String> {
        ask(&self.0.file("control"), command)
    }

    /// The time for which the session with a neighbour has been up, to the millisecond.
    ///
    /// # Errors
    ///
    /// BIRD's answer, if there is no session.
    pub fn uptime(&self, neighbor: IpAddr) -> Result<Duration, String> {
        let protocol = self.protocol_of(neighbor)?;
        // Both times are of the same clock, and the first is in the second line.
        let reply = self.ask(&format!("show protocols {protocol}"))?;
        let up = reply.contains("Established");
        let since = reply.lines().find_map(|line| line.split_whitespace().find_map(time_of_day));
        let status = self.ask("show status")?;
        let line = status.lines().find(|line| line.starts_with("Current server time"));
        let now = line.and_then(|line| line.split_whitespace().find_map(time_of_day));

        match (up, since, now) {
            // The clock may have passed midnight.
            (true, Some(since), Some(now)) => {
                Ok(now.checked_sub(since).unwrap_or(now + DAY - since))
            }
            _ => Err(reply + &status),
        }
    }

    fn write_config(&self) {
        self.0.write("bird.conf", &self.config_text());
    }

    fn config_text(&self) -> String {
        let RouterConfig { identifier, routes, neighbors, .. } = &self.0.config;
        let log = self.0.file("bird.log");
        let mut text = format!("log \"{}\" all;\nrouter id {identifier};\n", log.display());
        text.push_str("protocol device {}\n");

        if self.0.config.has_bfd() {
            text.push_str("protocol bfd { interface \"*\" { interval 50 ms; multiplier 3; }; }\n");
        }

        for family in ["ipv4", "ipv6"] {
            let _ = writeln!(text, "protocol static static_{family} {{ {family};");
            for route in routes.iter().filter(|route| route.is_ipv6() == (family == "ipv6")) {
                let _ = write!(text, "  route {} blackhole {{", route.prefix);
                for (asn, value) in &route.communities {
                    let _ = write!(text, " bgp_community.add(({asn},{value}));");
                }
                for (administrator, one, two) in &route.large_communities {
                    let _ =
                        write!(text, " bgp_large_community.add(({administrator},{one},{two}));");
                }
                for (asn, value) in &route.route_targets {
                    let _ = write!(text, " bgp_ext_community.add((rt,{asn},{value}));");
                }
                text.push_str(" };\n");
            }
            text.push_str("}\n");
        }

        for (index, neighbor) in neighbors.iter().enumerate() {
            self.write_neighbor(&mut text, index, neighbor);
        }
        text
    }

    fn write_neighbor(&self, text: &mut String, index: usize, neighbor: &Neighbor) {
        let RouterConfig { asn, hold_time, quiet, .. } = &self.0.config;
        let debug = if *quiet { "" } else { "debug { states, events };" };
        let _ = write!(
            text,
            "protocol bgp {name} {{\n  local {own} as {asn};\n  neighbor {peer} as {peer_as};\n  \
             direct; {debug} hold time {hold_time};\n  \
             connect delay time 1; connect retry time 1; error wait time 1,2;\n  \
             allow bgp_local_pref on; default bgp_local_pref {NO_LOCAL_PREF};\n",
            name = protocol_name(index),
            own = self.0.local_address(neighbor),
            peer = neighbor.address,
            peer_as = neighbor.asn,
        );

        let bfd = if neighbor.bfd_graceful { "bfd graceful" } else { "bfd on" };
        for (condition, line) in [
            (neighbor.passive, "passive on"),
            (neighbor.ttl_security, "ttl security on"),
            (neighbor.two_octet_as, "enable as4 off"),
            (neighbor.extended_messages, "enable extended messages on"),
            (neighbor.bfd, bfd),
        ] {
            if condition {
                let _ = writeln!(text, "  {line};");
            }
        }
        if let Some(key) = &neighbor.password {
            let _ = writeln!(text, "  password \"{key}\";");
        }
        if let Some(role) = neighbor.role {
            let _ = writeln!(text, "  local role {};", role.word());
        }
        if let Some(seconds) = neighbor.graceful_restart {
            let _ = writeln!(text, "  graceful restart on; graceful restart time {seconds};");
        }
        if let Some(seconds) = neighbor.long_lived {
            let _ = writeln!(
                text,
                "  long lived graceful restart on; long lived stale time {seconds};"
            );
        }

        for family in ["ipv4", "ipv6"] {
            self.write_channel(text, family, neighbor);
        }
        text.push_str("}\n");
    }

    fn write_channel(&self, text: &mut String, family: &str, neighbor: &Neighbor) {
        let relays = neighbor.add_path || self.0.config.transit;
        let sources = if relays { "[RTS_STATIC, RTS_BGP]" } else { "[RTS_STATIC]" };
        let _ = write!(text, "  {family} {{ import all; export where source ~ {sources};");

        let extended = neighbor.extended_next_hop;
        if let Some(own) = self.0.own_address(family == "ipv6" || extended) {
            let _ = write!(text, " next hop address {own};");
        }

        if extended && family == "ipv4" {
            text.push_str(" extended next hop on;");
        }
        if neighbor.add_path {
            text.push_str(" add paths on;");
        }
        if let Some(limit) = neighbor.maximum_prefixes {
            let _ = write!(text, " import limit {limit} action disable;");
        }
        text.push_str(" };\n");
    }

    fn protocol_of(&self, neighbor: IpAddr) -> Result<String, String> {
        let index = self.0.config.neighbors.iter().position(|n| n.address == neighbor);
        index.map(protocol_name).ok_or_else(|| format!("BIRD has no neighbour {neighbor}"))
    }

    fn neighbor_of(&self, protocol: &str) -> Option<IpAddr> {
        let mut neighbors = self.0.config.neighbors.iter().enumerate();
        let (_, neighbor) = neighbors.find(|(index, _)| protocol_name(*index) == protocol)?;
        Some(neighbor.address)
    }

    fn parse_paths(&self, reply: &str) -> Vec<Path> {
        let mut paths: Vec<Path> = Vec::new();
        for line in reply.lines() {
            // `PREFIX  unicast [peer0 20:15:01.123] * (100) [AS64636i]`; only the first path has the prefix.
            if let Some((_, rest)) = line.split_once(" [").filter(|_| line.contains("unicast")) {
                let protocol = rest.split([' ', ']']).next().unwrap_or_default();
                if let Some(from) = self.neighbor_of(protocol) {
                    paths.push(Path { used: line.contains("] * "), ..Path::from(from) });
                }
            } else if let (Some(path), Some((name, value))) =
                (paths.last_mut(), line.trim().split_once(": "))
            {
                set_attribute(path, name, value);
            }
        }
        paths.sort_by_key(|path| path.from);
        paths.into_iter().map(Path::sorted).collect()
    }
}

/// Sends a command to a control socket, and returns the lines of the reply without their numbers.
pub(crate) fn ask(control: &std::path::Path, command: &str) -> Result<String, String> {
    exchange(control, command).map_err(|error| format!("BIRD's control socket: {error}"))
}

fn exchange(control: &std::path::Path, command: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(control)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let mut lines = BufReader::new(stream.try_clone()?);

    // The greeting.
    read_reply(&mut lines)?;
    writeln!(stream, "{command}")?;
    read_reply(&mut lines)
}

impl Router for Bird {
    const NAME: &'static str = "BIRD";

    fn version() -> Option<String> {
        version("bird", "--version")
    }

    fn start(host: &Host, config: RouterConfig) -> Self {
        let mut bird = Self(Daemon::new(Self::NAME, host, config));
        bird.launch(false);
        bird
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
        self.write_config();

        // Without `-R`, its OPEN would not say that it has restarted.
        let restart: &[&str] = if restarting { &["-R"] } else { &[] };
        self.0.launch(
            &program("bird"),
            |daemon, command| {
                command.arg("-f").args(restart).arg("-c").arg(daemon.file("bird.conf"));
                command.arg("-s").arg(daemon.file("control")).arg("-P").arg(daemon.file("pid"));
            },
            |daemon| {
                let connected = UnixStream::connect(daemon.file("control"));
                connected.map(drop).map_err(|error| error.to_string())
            },
        );
    }

    fn set_routes(&mut self, routes: Vec<Originated>) {
        self.0.config.routes = routes;
        self.write_config();
        let reply = self.ask("configure").expect("BIRD answers");
        assert!(reply.contains("Reconfig"), "BIRD refuses its configuration: {reply}");
    }

    fn ask_for_refresh(&self, neighbor: IpAddr) -> Result<(), String> {
        self.ask(&format!("reload in {}", self.protocol_of(neighbor)?)).map(drop)
    }

    fn shut_down(&self, neighbor: IpAddr, message: &str) -> Result<(), String> {
        self.ask(&format!("disable {} \"{message}\"", self.protocol_of(neighbor)?)).map(drop)
    }

    fn session(&self, neighbor: IpAddr) -> Result<Session, String> {
        let protocol = self.protocol_of(neighbor)?;
        let reply = self.ask(&format!("show protocols all {protocol}"))?;

        // `Hold timer:  60.123/90`: the rest of the time, and the negotiated hold time.
        let hold_time =
            field(&reply, "Hold timer:").and_then(|value| value.split('/').nth(1)?.parse().ok());

        let prefix = format!("{protocol}: ");
        let log = self.log();
        let mut errors = log.lines().filter_map(|line| Some(line.split_once(&prefix)?.1));
        let last_error = errors.rfind(|text| {
            ["Received:", "Error:", "Connection", "Hold timer", "Socket"]
                .iter()
                .any(|word| text.starts_with(word))
        });

        Ok(Session {
            state: field(&reply, "BGP state:").ok_or_else(|| reply.clone())?.to_owned(),
            hold_time,
            last_error: last_error.unwrap_or_default().to_owned(),
        })
    }

    fn accepted(&self, neighbor: IpAddr) -> Result<u64, String> {
        let protocol = self.protocol_of(neighbor)?;
        let reply = self.ask(&format!("show protocols all {protocol}"))?;
        // `Routes:         100 imported, 0 filtered, ..`, once for each family.
        let counts = reply.lines().filter_map(|line| line.trim().strip_prefix("Routes:"));
        Ok(counts.filter_map(|counts| counts.split_whitespace().next()?.parse::<u64>().ok()).sum())
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

    fn bfd_up(&self, neighbor: IpAddr) -> Result<(), String> {
        let reply = self.ask("show bfd sessions")?;
        let neighbor = neighbor.to_string();
        let mut rows = reply.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let up = rows.any(|row| row.first() == Some(&&*neighbor) && row.contains(&"Up"));
        if up { Ok(()) } else { Err(reply) }
    }

    fn log(&self) -> String {
        self.0.read("bird.log")
    }
}

/// The value of a field in a reply, such as `BGP state:`.
fn field<'a>(reply: &'a str, name: &str) -> Option<&'a str> {
    reply.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim)
}

/// Parses `20:15:01.123` as the time since midnight.
fn time_of_day(word: &str) -> Option<Duration> {
    let [hours, minutes, seconds] = word.split(':').collect::<Vec<_>>().try_into().ok()?;
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    Some(Duration::from_secs((hours * 3_600 + minutes * 60).into()) + parse_seconds(seconds)?)
}

fn parse_seconds(word: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(word.parse().ok()?).ok()
}

fn protocol_name(index: usize) -> String {
    format!("peer{index}")
}

fn set_attribute(path: &mut Path, name: &str, value: &str) {
    match name {
        // A link-local next hop may stand beside the global one.
        "BGP.next_hop" => {
            let global = value.split_whitespace().next();
            path.next_hop = global.and_then(|a| a.parse().ok()).expect("a next hop");
        }
        "BGP.as_path" => path.as_path = numbers(value),
        "BGP.local_pref" => path.local_pref = value.parse().ok().filter(|v| *v != NO_LOCAL_PREF),
        "BGP.med" => path.med = value.parse().ok(),
        "BGP.community" => {
            path.communities = groups(value).filter_map(|group| pair(&group)).collect();
        }
        "BGP.large_community" => {
            let triples = groups(value).filter_map(|g| <[u32; 3]>::try_from(g).ok());
            path.large_communities = triples.map(<(u32, u32, u32)>::from).collect();
        }
        "BGP.ext_community" => {
            // `(rt, 64636, 100) (generic, 0x..., 0x...)`
            let targets = value.split(')').filter(|part| part.contains("(rt,"));
            path.route_targets = targets
                .filter_map(|part| match *numbers(part) {
                    [asn, value] => Some((asn.try_into().ok()?, value)),
                    _ => None,
                })
                .collect();
        }
        _ => {}
    }
}

fn pair(group: &[u32]) -> Option<(u16, u16)> {
    match *group {
        [asn, value] => Some((asn.try_into().ok()?, value.try_into().ok()?)),
        _ => None,
    }
}

/// The numbers of `(1,2) (3, 4)`, group by group.
fn groups(text: &str) -> impl Iterator<Item = Vec<u32>> {
    text.split(')').filter_map(|part| Some(numbers(part.split_once('(')?.1)))
}

/// Reads up to the last line of a reply: its number starts with 0, 8 or 9 and a space follows.
/// The lines before are `NNNN-text` or, if they have the same number, ` text`.
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
