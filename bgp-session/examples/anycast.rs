//! An anycast server: announces its addresses while the service behind them answers, and withdraws them when it does not.
//!
//! ```text
//! cargo run -p bgp-session --example anycast -- --router 192.0.2.1 --router-as 64500 --own-as 64512 \
//!     --check 127.0.0.1:53 203.0.113.53/32 2001:db8:53::53/128
//! ```
//!
//! A check opens a TCP connection. After `--rise` successful checks in a row the routes are announced, after `--fall` failed
//! checks they are withdrawn. On an interrupt the server leaves without loss (RFC 8326); a second interrupt ends it at once.
#![expect(clippy::print_stdout, reason = "an example prints to its user")]

use std::{error::Error, future::Future, net::SocketAddr, time::Duration};

use bgp_session::{
    Asn, BgpIdentifier, EventKind, Events, GracefulShutdown, IpNet, PeerAddress, PeerConfig,
    PeerHandle, Route, RouteSet, Speaker,
};
use clap::Parser;
use tokio::{
    net::TcpStream,
    signal::ctrl_c,
    time::{interval, timeout},
};

/// Announces addresses while the service behind them answers.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The router's address; if its port is not 179, ADDRESS:PORT.
    #[arg(long)]
    router: PeerAddress,
    /// The router's AS number.
    #[arg(long)]
    router_as: Asn,
    /// Our AS number.
    #[arg(long)]
    own_as: Asn,
    /// Our BGP identifier.
    #[arg(long, default_value = "10.0.0.1")]
    identifier: BgpIdentifier,
    /// The TCP MD5 password of the session (RFC 2385).
    #[arg(long)]
    password: Option<String>,
    /// The address and port that must accept a connection.
    #[arg(long)]
    check: SocketAddr,
    /// Milliseconds from one check to the next, and the time limit of a check.
    #[arg(long, default_value_t = 1_000)]
    interval: u64,
    /// Checks in a row that must succeed before the routes are announced.
    #[arg(long, default_value_t = 2)]
    rise: u32,
    /// Checks in a row that must fail before the routes are withdrawn.
    #[arg(long, default_value_t = 3)]
    fall: u32,
    /// The prefixes to announce.
    #[arg(required = true)]
    prefixes: Vec<IpNet>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    run(Args::parse(), || async { ctrl_c().await.unwrap_or_default() }).await
}

/// Serves until an interrupt, and then leaves, without loss or at the next interrupt.
pub(crate) async fn run<I: Future<Output = ()>>(
    args: Args,
    interrupt: impl Fn() -> I,
) -> Result<(), Box<dyn Error>> {
    let speaker = Speaker::builder(args.own_as, args.identifier).start().await?;
    tokio::spawn(print_events(speaker.events()));

    let mut config = PeerConfig::new(args.router, args.router_as);
    if let Some(password) = &args.password {
        config = config.password(password.as_str());
    }
    let peer = speaker.add_peer(config).await?;

    tokio::select! {
        outcome = follow_checks(&args, &peer) => return outcome,
        () = interrupt() => {}
    }

    println!("leaving without loss; interrupt again to leave at once");
    tokio::select! {
        () = speaker.drain(GracefulShutdown::new().message("anycast server stops")) => {}
        () = interrupt() => speaker.shutdown("anycast server stops").await,
    }
    Ok(())
}

/// Runs the checks, and announces or withdraws the routes as they succeed or fail.
async fn follow_checks(args: &Args, peer: &PeerHandle) -> Result<(), Box<dyn Error>> {
    let routes: RouteSet = args.prefixes.iter().map(|prefix| Route::new(*prefix)).collect();
    let every = Duration::from_millis(args.interval.max(1));
    let mut ticks = interval(every);
    let (mut announced, mut in_a_row) = (false, 0);

    loop {
        ticks.tick().await;
        let healthy = matches!(timeout(every, TcpStream::connect(args.check)).await, Ok(Ok(_)));

        // Only the checks that call for a change are counted.
        in_a_row = if healthy == announced { 0 } else { in_a_row + 1 };
        let needed = if announced { args.fall } else { args.rise };
        if in_a_row >= needed.max(1) && healthy != announced {
            (announced, in_a_row) = (healthy, 0);
            println!("{} {}", args.check, if healthy { "answers" } else { "does not answer" });
            // The complete set each time. Only the difference is sent.
            peer.set_routes(if healthy { routes.clone() } else { RouteSet::new() }).await?;
        }
    }
}

async fn print_events(mut events: Events) {
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => match event.kind {
                EventKind::Up(_) | EventKind::Down(_) | EventKind::Failed(_) => println!("{event}"),
                EventKind::Draining(_) => println!("{event}"),
                _ => {}
            },
            Err(missed) => println!("{missed}"),
        }
    }
}
