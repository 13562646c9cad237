//! Real routers in network namespaces of their own, for interoperability tests.
//!
//! A test builds a [`Lan`], adds hosts with addresses, starts a router ([`Bird`], [`Frr`], [`Gobgp`],
//! [`Exabgp`] or [`Openbgpd`]) on one of them, runs our side on the others, and asks the router for its
//! sessions and routes. Nothing outside the namespaces is touched, and nothing stays behind, even if the
//! test panics: every process and namespace belongs to a value, and ends when the value is dropped.
//!
//! # Writing a test
//!
//! ```no_run
//! use std::time::Duration;
//! use test_peers::{Bird, Lan, Neighbor, Router, RouterConfig, requested, wait_until};
//!
//! # fn a_test() {
//! if !requested() {
//!     return; // `requested` has printed the reason, and how to run the test
//! }
//! let lan = Lan::new();
//! let router = lan.host("router", &["172.22.35.1/24"]);
//! let node = lan.host("kube1", &["172.22.35.25/24"]);
//! let neighbor = "172.22.35.25".parse().unwrap();
//! let config = RouterConfig::new("172.22.35.1", 64635).neighbor(Neighbor::new("172.22.35.25", 64636));
//! let bird = Bird::start(&router, config);
//! node.with_runtime(|runtime| { /* this code and each task of the runtime run on `kube1` */ });
//! wait_until(Duration::from_secs(20), "the session", || bird.established(neighbor));
//! # }
//! ```
//!
//! - Write the test once as a function over `R: Router`, and add one `#[test]` for each daemon.
//! - Run our library with [`Host::with_runtime`], so that the threads of the runtime, and so its
//!   sockets, are on that host. A program runs as a [`Process`].
//! - Never sleep: [`wait_until`] retries until the answer is right, and prints the last wrong answer
//!   when the time is over. Deadlines are generous; a passing test never waits for them.
//! - To show that something does not happen, wait for an event that comes after it.
//! - When a test fails, the output of each process is printed.
//!
//! # Requirements
//!
//! Linux with network namespaces, veth pairs and bridges; root, for `ip netns`; the programs
//! `ip`, `nft` and `tshark`, and the daemons. `make test` installs them and sets `FERROLB_TEST_INTEROP=1`,
//! without which [`requested`] is false. In a container this needs `CAP_SYS_ADMIN` and
//! `CAP_NET_ADMIN` (`--privileged`), since namespaces are mounted under `/run/netns`.

mod bird;
mod capture;
mod config;
mod daemon;
mod exabgp;
mod frr;
mod gobgp;
mod lan;
mod openbgpd;
mod process;
mod requirements;
mod router;
mod stayrtr;
mod vty;
mod wait;
mod written;

pub use bird::Bird;
pub use capture::Capture;
pub use config::{Neighbor, Originated, Role, RouterConfig};
pub use daemon::Daemon;
pub use exabgp::Exabgp;
pub use frr::Frr;
pub use gobgp::Gobgp;
pub use lan::{Host, Lan, runtime};
pub use openbgpd::Openbgpd;
pub use process::{Paused, Process};
pub use requirements::requested;
pub use router::{Path, Router, Session};
pub use stayrtr::{Stayrtr, Vrp};
pub use wait::wait_until;
pub use written::{WrittenBird, WrittenFrr};
