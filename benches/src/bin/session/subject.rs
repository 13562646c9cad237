//! The speakers under test: how each is started, and how it is asked for its routes and processes.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::time::Duration;

use bgp_core::Asn;
use clap::ValueEnum;
use tempfile::TempDir;
use test_peers::{
    Bird, Frr, Gobgp, Host, Neighbor, Openbgpd, Process, Router, RouterConfig, wait_until,
};

use crate::routes::Table;
use crate::wire_peer::End;

/// The time in which our speaker must start; a table of its own takes a second.
const STARTUP: Duration = Duration::from_secs(30);
/// The time in which a control socket must answer.
const ANSWER: Duration = Duration::from_secs(60);

/// A speaker under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub(crate) enum Contestant {
    /// Our own, a program with `bgp-session`.
    Ferrolb,
    /// BIRD.
    Bird,
    /// FRR's `bgpd`.
    Frr,
    /// OpenBGPD.
    Openbgpd,
    /// GoBGP.
    Gobgp,
    /// No speaker: octets that were encoded before, written to a socket. It only sends.
    Octets,
}

impl Contestant {
    /// All of them, in the order of tables and plots.
    pub(crate) const ALL: [Self; 6] =
        [Self::Ferrolb, Self::Bird, Self::Frr, Self::Openbgpd, Self::Gobgp, Self::Octets];

    /// Its name in tables and plots.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ferrolb => "FerroLB",
            Self::Bird => Bird::NAME,
            Self::Frr => Frr::NAME,
            Self::Openbgpd => Openbgpd::NAME,
            Self::Gobgp => Gobgp::NAME,
            Self::Octets => "octets",
        }
    }

    /// Its version; `None` if it is not installed.
    pub(crate) fn version(self) -> Option<String> {
        match self {
            Self::Ferrolb => Some(env!("CARGO_PKG_VERSION").to_owned()),
            Self::Bird => Bird::version(),
            Self::Frr => Frr::version(),
            Self::Openbgpd => Openbgpd::version(),
            Self::Gobgp => Gobgp::version(),
            Self::Octets => Some(String::new()),
        }
    }
}

/// The configuration of a speaker under test.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) asn: Asn,
    pub(crate) address: Ipv4Addr,
    pub(crate) hold_time: u16,
    /// The peers, all of which dial.
    pub(crate) peers: Vec<End>,
    /// True if it announces the routes of each peer to the others.
    pub(crate) transit: bool,
    /// Routes of its own. Only our speaker can have them.
    pub(crate) routes: Option<Table>,
}

/// A speaker under test that runs.
pub(crate) trait Subject {
    /// The number of routes that it has accepted from a peer.
    fn accepted(&self, peer: IpAddr) -> Result<u64, String>;

    /// Its processes.
    fn process_ids(&self) -> Vec<u32>;

    /// Keeps it awake. BIRD, when it has been idle, leaves work undone for up to three seconds, unless something happens at one
    /// of its sockets. A measurement would mostly consist of that.
    fn nudge(&self) {}

    /// Announces a version of one of its own routes, and waits until it has been sent.
    fn change(&self, _version: u16) -> Result<(), String> {
        Err("only our speaker announces routes of its own".to_owned())
    }
}

/// Starts a speaker on a host.
pub(crate) fn start(contestant: Contestant, host: &Host, setup: &Setup) -> Box<dyn Subject> {
    match contestant {
        Contestant::Ferrolb => Box::new(Ours::start(host, setup)),
        Contestant::Bird => Box::new(SleepyBird(Bird::start(host, router_config(setup)))),
        Contestant::Frr => Box::new(Daemon(Frr::start(host, router_config(setup)))),
        Contestant::Openbgpd => Box::new(Daemon(Openbgpd::start(host, router_config(setup)))),
        Contestant::Gobgp => Box::new(Daemon(Gobgp::start(host, router_config(setup)))),
        Contestant::Octets => unreachable!("octets are no process"),
    }
}

fn router_config(setup: &Setup) -> RouterConfig {
    let config = RouterConfig::new(&setup.address.to_string(), setup.asn.0);
    let config = config.hold_time(setup.hold_time).quiet();
    let config = setup.peers.iter().fold(config, |config, end| {
        config.neighbor(Neighbor::new(&end.address.to_string(), end.asn.0).passive())
    });
    if setup.transit { config.transit() } else { config }
}

/// A routing daemon.
struct Daemon<R>(R);

impl<R: Router> Subject for Daemon<R> {
    fn accepted(&self, peer: IpAddr) -> Result<u64, String> {
        self.0.accepted(peer)
    }

    fn process_ids(&self) -> Vec<u32> {
        self.0.daemon().process_ids()
    }
}

/// BIRD, which has to be kept awake.
struct SleepyBird(Bird);

impl Subject for SleepyBird {
    fn accepted(&self, peer: IpAddr) -> Result<u64, String> {
        self.0.accepted(peer)
    }

    fn process_ids(&self) -> Vec<u32> {
        self.0.daemon().process_ids()
    }

    fn nudge(&self) {
        let _ = self.0.ask("show status");
    }
}

/// This program once more, as our speaker.
struct Ours {
    process: Process,
    control: Mutex<BufReader<UnixStream>>,
    _directory: TempDir,
}

impl Ours {
    fn start(host: &Host, setup: &Setup) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let control = directory.path().join("control");
        let program = std::env::current_exe().expect("this program has a path");

        let mut process = Process::start(host, &program, |command| {
            command.args(["speaker", "--asn", &setup.asn.0.to_string()]);
            command.args(["--identifier", &setup.address.to_string()]);
            command.args(["--listen", &format!("{}:179", setup.address)]);
            command.args(["--hold-time", &setup.hold_time.to_string()]);
            command.arg("--control").arg(&control);
            for End { address, asn } in &setup.peers {
                command.args(["--peer", &format!("{address}={}", asn.0)]);
            }
            if setup.transit {
                command.arg("--transit");
            }
            if let Some(table) = setup.routes {
                command.args(["--routes", &table.count.to_string()]);
                command.args(["--per-set", &table.per_set.to_string()]);
                if table.ipv6 {
                    command.arg("--ipv6");
                }
            }
        });

        let stream = wait_until(STARTUP, "our speaker's control socket", || {
            process.assert_running();
            UnixStream::connect(&control).map_err(|error| error.to_string())
        });
        stream.set_read_timeout(Some(ANSWER)).expect("a socket can have a time limit");
        Self { process, control: Mutex::new(BufReader::new(stream)), _directory: directory }
    }

    fn ask(&self, command: &str) -> Result<u64, String> {
        let mut control = self.control.lock().map_err(|error| error.to_string())?;
        let mut answer = String::new();
        let asked = writeln!(control.get_mut(), "{command}");
        let read = asked.and_then(|()| control.read_line(&mut answer));
        read.map_err(|error| format!("{command}: {error}"))?;
        answer.trim().parse().map_err(|_| format!("{command}: {answer:?}"))
    }
}

impl Subject for Ours {
    fn accepted(&self, peer: IpAddr) -> Result<u64, String> {
        self.ask(&format!("accepted {peer}"))
    }

    fn process_ids(&self) -> Vec<u32> {
        self.process.process_ids()
    }

    fn change(&self, version: u16) -> Result<(), String> {
        self.ask(&format!("change {version}")).map(drop)
    }
}
