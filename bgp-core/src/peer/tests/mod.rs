//! Behaviour of two peers that speak to each other, without a socket.

mod collision;
mod hostile;
mod net;
mod paths;
mod policy;
mod refresh;
mod refused;
mod restart;
mod routes;
mod session;
mod terms;
mod unsendable;

use std::time::Duration;

use ipnet::IpNet;

/// Seconds, for tests that count them.
fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn prefix(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}
