//! A generator of routes for benchmarks of any router: announces N prefixes, with one attribute set for each K of them, and
//! reports how long the router needs to accept them.
//!
//! ```text
//! cargo run --release -p bgp-session --example blast -- --router 127.0.0.2:1790 --router-as 64500 --own-as 64512 \
//!     --count 1000000 --per-set 5 --withdraw
//! ```
//!
//! The time runs from the moment the session is up until the router's TCP has taken the last octet. Only the router knows
//! what it does after that; `--stay` leaves the routes with it until an interrupt.
#![expect(clippy::print_stdout, reason = "an example prints to its user")]

use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use bgp_session::{
    AfiSafi, AsPath, Asn, BgpIdentifier, Community, IpNet, Ipv4Net, PathAttributes, PeerAddress,
    PeerConfig, PeerHandle, PeerStatus, Route, RouteSet, Speaker,
};
use clap::Parser;
use tokio::{
    signal::ctrl_c,
    time::{Instant, sleep, timeout},
};

/// Announces many prefixes, and reports how long the router needs to accept them.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The router's address; if its port is not 179, ADDRESS:PORT.
    #[arg(long)]
    router: PeerAddress,
    /// The router's AS number.
    #[arg(long)]
    router_as: Asn,
    /// Our AS number; if it is the router's AS, the session is internal.
    #[arg(long)]
    own_as: Asn,
    /// Our BGP identifier.
    #[arg(long, default_value = "10.0.0.1")]
    identifier: BgpIdentifier,
    /// The address to dial from.
    #[arg(long)]
    local_address: Option<IpAddr>,
    /// The TCP MD5 password of the session (RFC 2385).
    #[arg(long)]
    password: Option<String>,
    /// The proposed hold time in seconds.
    #[arg(long, default_value_t = 90)]
    hold_time: u64,
    /// The number of prefixes.
    #[arg(long, default_value_t = 100_000)]
    count: u32,
    /// The number of prefixes that share one attribute set; 0: all of them.
    #[arg(long, default_value_t = 0)]
    per_set: u32,
    /// The first prefix; the others follow it without gaps.
    #[arg(long, default_value = "10.0.0.0/32")]
    first: Ipv4Net,
    /// The next hop. Default: our end of the session.
    #[arg(long)]
    next_hop: Option<IpAddr>,
    /// The number of AS numbers that each path has behind ours.
    #[arg(long, default_value_t = 3)]
    path_length: u32,
    /// The number of communities of each attribute set.
    #[arg(long, default_value_t = 2)]
    communities: u16,
    /// The number of times to announce everything, each time with other attributes.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Withdraw everything at the end, and report that time too.
    #[arg(long)]
    withdraw: bool,
    /// Leave the routes with the router until an interrupt.
    #[arg(long)]
    stay: bool,
    /// Print one JSON object per line in place of text.
    #[arg(long)]
    json: bool,
    /// The time limit in seconds.
    #[arg(long, default_value_t = 300)]
    limit: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    run(Args::parse()).await
}

pub(crate) async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let mut rounds = Vec::new();
    for round in 0..args.rounds.max(1) {
        rounds.push(Arc::new(routes(&args, round)?));
    }

    let speaker = Speaker::builder(args.own_as, args.identifier).start().await?;
    let mut peer = speaker.add_peer(config(&args)).await?;
    let limit = Duration::from_secs(args.limit);
    timeout(limit, peer.established()).await.map_err(|_| why_not(&peer))??;

    for (round, routes) in (1..).zip(rounds) {
        let what = format!("announced, round {round}");
        measure(&args, &peer, &what, routes, |status| status.stats.prefixes_announced_out).await?;
    }
    if args.withdraw {
        let routes = Arc::new(RouteSet::new());
        measure(&args, &peer, "withdrawn", routes, |status| status.stats.prefixes_withdrawn_out)
            .await?;
    }

    if args.stay {
        ctrl_c().await?;
    }
    speaker.shutdown("done").await;
    Ok(())
}

/// Sets the routes, and reports how long it takes until the counter has grown by all prefixes.
async fn measure(
    args: &Args,
    peer: &PeerHandle,
    what: &str,
    routes: Arc<RouteSet>,
    counter: fn(&PeerStatus) -> u64,
) -> Result<(), Box<dyn Error>> {
    let limit = Duration::from_secs(args.limit);
    let start = Start::now(peer, counter);
    peer.set_routes(routes).await?;

    let accepted = start.accepted(peer, u64::from(args.count));
    timeout(limit, accepted).await.map_err(|_| why_not(peer))??;
    start.report(args, what, peer);
    Ok(())
}

fn config(args: &Args) -> PeerConfig {
    let mut config = PeerConfig::new(args.router, args.router_as)
        .hold_time(Duration::from_secs(args.hold_time))
        .families([AfiSafi::IPV4_UNICAST]);
    if let Some(address) = args.local_address {
        config = config.local_address(address);
    }
    if let Some(password) = &args.password {
        config = config.password(password.as_str());
    }
    config
}

/// The routes of one round; each has another MED.
fn routes(args: &Args, round: u32) -> Result<RouteSet, Box<dyn Error>> {
    let length = args.first.prefix_len();
    let step = 1_u32.checked_shl(32 - u32::from(length)).ok_or("expected a longer --first")?;
    let last =
        u64::from(u32::from(args.first.trunc().addr())) + u64::from(step) * u64::from(args.count);
    if last > 1 << 32 {
        return Err(format!(
            "{} prefixes of /{length} after {} do not exist",
            args.count, args.first
        )
        .into());
    }

    let per_set = if args.per_set == 0 { args.count.max(1) } else { args.per_set };
    let mut set = 0;
    let mut shared = Arc::new(attributes(args, round, set));
    let routes = (0..args.count).map(|n| {
        if n / per_set != set {
            set = n / per_set;
            shared = Arc::new(attributes(args, round, set));
        }
        let address = Ipv4Addr::from(u32::from(args.first.trunc().addr()) + n * step);
        let prefix = Ipv4Net::new_assert(address, length);
        Route::with_attributes(IpNet::V4(prefix), Arc::clone(&shared))
    });
    Ok(routes.collect())
}

fn attributes(args: &Args, round: u32, set: u32) -> PathAttributes {
    // The last AS differs from set to set, as in a real table.
    let path = (0..args.path_length)
        .map(|n| Asn(if n + 1 == args.path_length { 100_000 + set } else { 65_000 + n }));
    PathAttributes {
        as_path: AsPath::sequence(path.collect::<Vec<_>>()),
        med: Some(round.wrapping_shl(24) | (set & 0x00ff_ffff)),
        communities: (0..args.communities).map(|n| Community::new(64_512, n)).collect(),
        next_hop: args.next_hop.map(Into::into),
        ..PathAttributes::default()
    }
}

/// The time and the counters at the start of a measurement.
struct Start {
    at: Instant,
    status: PeerStatus,
    counter: fn(&PeerStatus) -> u64,
}

impl Start {
    fn now(peer: &PeerHandle, counter: fn(&PeerStatus) -> u64) -> Self {
        Self { at: Instant::now(), status: peer.status(), counter }
    }

    /// Waits until the router's TCP has taken this many prefixes.
    async fn accepted(&self, peer: &PeerHandle, prefixes: u64) -> Result<(), Box<dyn Error>> {
        let wanted = (self.counter)(&self.status) + prefixes;
        loop {
            let status = peer.status();
            if !status.is_established() {
                return Err(why_not(peer).into());
            }
            if (self.counter)(&status) >= wanted && status.octets_waiting == 0 {
                return Ok(());
            }
            sleep(Duration::from_micros(500)).await;
        }
    }

    fn report(&self, args: &Args, what: &str, peer: &PeerHandle) {
        let seconds = self.at.elapsed().as_secs_f64();
        let (before, after) = (&self.status.stats, peer.stats());
        let prefixes = args.count;
        let updates = after.sent.update - before.sent.update;
        let octets = after.octets_out - before.octets_out;
        let per_second = f64::from(prefixes) / seconds;
        if args.json {
            println!(
                "{{\"what\":\"{what}\",\"prefixes\":{prefixes},\"updates\":{updates},\"octets\":{octets},\"seconds\":{seconds:.6}}}"
            );
        } else {
            println!(
                "{what}: {prefixes} prefixes in {seconds:.3} s ({per_second:.0}/s), {updates} UPDATEs, {octets} octets"
            );
        }
    }
}

fn why_not(peer: &PeerHandle) -> String {
    let status = peer.status();
    let reason = status.last_down.or(status.last_failure);
    let reason = reason.map_or_else(|| "no answer in time".to_owned(), |reason| reason.to_string());
    format!("{}: {}, {reason}", status.peer, status.state)
}
