//! Tests of two peers that exchange messages without a socket.

mod collision;
mod facts;
mod gathered;
mod hostile;
mod listing;
mod net;
mod paths;
mod policy;
mod refresh;
mod refused;
mod relay;
mod restart;
mod routes;
mod session;
mod terms;
mod unsendable;
mod validation;

use std::time::Duration;

use ipnet::IpNet;

/// A number of seconds.
fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn prefix(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}
