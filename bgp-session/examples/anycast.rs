//! An anycast server: announces its addresses while the service behind them answers, and withdraws them when it does not.
//!
//! ```text
//! cargo run -p bgp-session --example anycast -- --router 192.0.2.1 --router-as 64500 --own-as 64512 \
//!     --check 127.0.0.1:53 203.0.113.53/32 2001:db8:53::53/128
//! ```
//!
//! A check opens a TCP connection. So many in a row that succeed (`--rise`) bring the routes, so many that fail (`--fall`)
//! take them. On an interrupt the server leaves without loss (RFC 8326); a second one does not wait for that.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::{error::Error, net::IpAddr, net::SocketAddr, time::Duration};

use bgp_session::{
    Asn, BgpIdentifier, EventKind, Events, GracefulShutdown, IpNet, PeerConfig, PeerHandle, Route,
    RouteSet, Speaker,
};
use clap::Parser;
use tokio::{
    net::TcpStream,
    signal::ctrl_c,
    time::{interval, timeout},
};

/// Announces addresses while the service behind them answers.
#[derive(Debug, Parser)]
struct Args {
    /// The router's address; with another port than 179, ADDRESS:PORT.
    #[arg(long, value_parser = address)]
    router: SocketAddr,
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
    /// Milliseconds from one check to the next, within which it must have been answered.
    #[arg(long, default_value_t = 1_000)]
    interval: u64,
    /// Checks in a row that must succeed before the routes are announced.
    #[arg(long, default_value_t = 2)]
    rise: u32,
    /// Checks in a row that must fail before the routes are withdrawn.
    #[arg(long, default_value_t = 3)]
    fall: u32,
    /// What to announce.
    #[arg(required = true)]
    prefixes: Vec<IpNet>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let speaker = Speaker::builder(args.own_as, args.identifier).start().await?;
    tokio::spawn(tell(speaker.events()));
    let mut config = PeerConfig::new(args.router, args.router_as);
    if let Some(password) = &args.password {
        config = config.password(password.as_str());
    }
    let peer = speaker.add_peer(config).await?;
    tokio::select! {
        outcome = keep_in_line(&args, &peer) => return outcome,
        interrupted = ctrl_c() => interrupted?,
    }
    println!("leaving without loss; interrupt again to leave at once");
    tokio::select! {
        () = speaker.drain(GracefulShutdown::new().message("anycast server stops")) => {}
        interrupted = ctrl_c() => {
            interrupted?;
            speaker.shutdown("anycast server stops").await;
        }
    }
    Ok(())
}

/// Checks for ever, and announces or withdraws by what comes of it.
async fn keep_in_line(args: &Args, peer: &PeerHandle) -> Result<(), Box<dyn Error>> {
    let routes: RouteSet = args.prefixes.iter().map(|prefix| Route::new(*prefix)).collect();
    let every = Duration::from_millis(args.interval.max(1));
    let mut ticks = interval(every);
    let (mut announced, mut in_a_row) = (false, 0);
    loop {
        ticks.tick().await;
        let healthy = matches!(timeout(every, TcpStream::connect(args.check)).await, Ok(Ok(_)));
        // Counted is what speaks for a change.
        in_a_row = if healthy == announced { 0 } else { in_a_row + 1 };
        let needed = if announced { args.fall } else { args.rise };
        if in_a_row >= needed.max(1) && healthy != announced {
            (announced, in_a_row) = (healthy, 0);
            println!("{} {}", args.check, if healthy { "answers" } else { "does not answer" });
            // The whole truth each time: what is there already is not announced again.
            peer.set_routes(if healthy { routes.clone() } else { RouteSet::new() }).await?;
        }
    }
}

async fn tell(mut events: Events) {
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => match event.kind {
                EventKind::Up(_) => println!("{}: session up", event.peer),
                EventKind::Down(reason) => println!("{}: session down, {reason}", event.peer),
                EventKind::Failed(reason) => println!("{}: no session, {reason}", event.peer),
                EventKind::Draining(stage) => println!("{}: drain, {stage:?}", event.peer),
                _ => {}
            },
            Err(missed) => println!("{missed}"),
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse().or_else(|_| text.parse::<IpAddr>().map(|ip| (ip, 179).into()));
    with_port.map_err(|_| "expected ADDRESS or ADDRESS:PORT".to_owned())
}
