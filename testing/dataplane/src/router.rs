//! The router of the site: BIRD, which spreads an address over all nodes that announce it equally well (ECMP), and the
//! kernel's table as it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use test_peers::{Host, WrittenBird};

/// The next hops of a prefix since a time.
type Changes = Vec<(Instant, BTreeSet<IpAddr>)>;

/// A router with sessions to all nodes.
#[derive(Debug)]
pub struct EcmpRouter {
    bird: WrittenBird,
    monitor: RouteMonitor,
}

/// The configuration of an [`EcmpRouter`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EcmpConfig {
    /// Its address, which is its BGP Identifier too.
    pub address: Ipv4Addr,
    /// Its AS number.
    pub asn: u32,
    /// The AS number of the nodes.
    pub node_asn: u32,
    /// The addresses of the nodes.
    pub nodes: Vec<Ipv4Addr>,
    /// True if it keeps the routes of a speaker that restarts (RFC 4724).
    pub graceful_restart: bool,
}

impl EcmpConfig {
    /// A router without graceful restart.
    #[must_use]
    pub fn new(address: Ipv4Addr, asn: u32, node_asn: u32, nodes: &[Ipv4Addr]) -> Self {
        Self { address, asn, node_asn, nodes: nodes.to_vec(), graceful_restart: false }
    }

    /// Sets whether it keeps the routes of a speaker that restarts.
    #[must_use]
    pub fn graceful_restart(mut self, keeps: bool) -> Self {
        self.graceful_restart = keeps;
        self
    }

    /// The text for BIRD. A route with GRACEFUL_SHUTDOWN (RFC 8326) is the last choice.
    fn text(&self) -> String {
        let Self { address, asn, node_asn, nodes, graceful_restart } = self;
        let restart = if *graceful_restart {
            "graceful restart on; graceful restart time 120;"
        } else {
            "graceful restart off;"
        };

        let mut text = format!(
            "router id {address};
filter from_node {{
  if (65535, 0) ~ bgp_community then bgp_local_pref = 0;
  accept;
}}
protocol kernel {{
  merge paths on;
  ipv4 {{ import none; export where source = RTS_BGP; }};
}}
"
        );
        for (number, node) in nodes.iter().enumerate() {
            let _ = writeln!(
                text,
                "protocol bgp node{number} {{
  local {address} as {asn}; neighbor {node} as {node_asn}; direct; passive on;
  connect delay time 1; error wait time 1,2; {restart}
  ipv4 {{ import filter from_node; export none; }};
}}"
            );
        }
        text
    }
}

impl EcmpRouter {
    /// Starts it on a host, and makes the host forward packets over equal paths by their ports.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    #[must_use]
    pub fn start(host: &Host, config: &EcmpConfig) -> Self {
        host.forward_packets();
        host.enter(|| {
            std::fs::write("/proc/sys/net/ipv4/fib_multipath_hash_policy", "1")
                .expect("the hash of equal paths can be chosen");
        });
        let monitor = RouteMonitor::start(host);
        Self { bird: WrittenBird::start(host, &config.text()), monitor }
    }

    /// Sends a command as `birdc` does.
    ///
    /// # Errors
    ///
    /// If the control socket does not answer.
    pub fn ask(&self, command: &str) -> Result<String, String> {
        self.bird.ask(command)
    }

    /// Returns true if the session with the node number `node` is Established.
    ///
    /// # Errors
    ///
    /// If the control socket does not answer.
    pub fn established(&self, node: usize) -> Result<bool, String> {
        Ok(self.ask(&format!("show protocols all node{node}"))?.contains("Established"))
    }

    /// The nodes to which the kernel sends packets for an address now.
    #[must_use]
    pub fn next_hops(&self, address: Ipv4Addr) -> BTreeSet<IpAddr> {
        self.monitor.changes(address).pop().map(|(_, hops)| hops).unwrap_or_default()
    }

    /// The next hops of an address since the start, one entry for each change.
    #[must_use]
    pub fn history(&self, address: Ipv4Addr) -> Vec<(Instant, BTreeSet<IpAddr>)> {
        self.monitor.changes(address)
    }
}

/// Follows the routes of the kernel on a host with `ip monitor`.
#[derive(Debug)]
struct RouteMonitor {
    child: Child,
    changes: Arc<Mutex<BTreeMap<Ipv4Addr, Changes>>>,
}

impl RouteMonitor {
    fn start(host: &Host) -> Self {
        let mut command = host.command(Path::new("ip"));
        command.args(["-4", "-o", "monitor", "route"]).stdin(Stdio::null()).stdout(Stdio::piped());
        // It complains about interfaces whose other end is in a namespace without a name here.
        command.stderr(Stdio::null());
        let mut child = command.spawn().expect("`ip monitor` can be started");

        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let changes: Arc<Mutex<BTreeMap<Ipv4Addr, Changes>>> = Arc::default();
        let noted = Arc::clone(&changes);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let Some((address, hops)) = parse(&line) else { continue };
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                noted.entry(address).or_default().push((Instant::now(), hops));
            }
        });
        Self { child, changes }
    }

    fn changes(&self, address: Ipv4Addr) -> Changes {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.get(&address).cloned().unwrap_or_default()
    }
}

impl Drop for RouteMonitor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address and the next hops in a line of `ip -o monitor route`, if it is about a host route.
fn parse(line: &str) -> Option<(Ipv4Addr, BTreeSet<IpAddr>)> {
    let (deleted, line) = match line.strip_prefix("Deleted ") {
        Some(rest) => (true, rest),
        None => (false, line),
    };

    let words: Vec<&str> = line.split_whitespace().collect();
    let address = words.first()?.parse().ok()?;
    let hops = words.windows(2).filter(|pair| pair[0] == "via" && !deleted);
    Some((address, hops.filter_map(|pair| pair[1].parse().ok()).collect()))
}
