//! A route server (RFC 7947): passes the routes of each client on to the others, and changes nothing in them.
//!
//! ```text
//! cargo run -p bgp-session --example route_server -- --own-as 64500 --listen 192.0.2.1:179 \
//!     --client 192.0.2.11=64511 --client 192.0.2.12=64512 --range 192.0.2.128/25
//! ```
//!
//! A client chooses who gets a route by its large communities: `64500:0:64512` keeps it from AS 64512. This is the export policy
//! of the client in that AS. Clients of a `--range` have none, and share one table.
//!
//! With `--router` it is an ordinary router: its AS is in the paths, and the next hop is its own address.
#![expect(clippy::print_stdout, reason = "an example prints to its user")]

use std::{error::Error, future::Future, net::SocketAddr};

use bgp_session::{
    Asn, BgpIdentifier, EventKind, Events, Import, IpNet, LargeCommunity, PeerAddress, PeerConfig,
    PeerRange, Relay, RemoteAs, Speaker,
    policy::{Match, Policy, Rule},
};
use clap::Parser;
use tokio::signal::ctrl_c;

/// Passes the routes of each client on to the others.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Our AS number.
    #[arg(long)]
    own_as: Asn,
    /// Our BGP identifier.
    #[arg(long, default_value = "10.0.0.1")]
    identifier: BgpIdentifier,
    /// The address and port to listen on.
    #[arg(long, required = true)]
    listen: Vec<SocketAddr>,
    /// A client and its AS number.
    #[arg(long, value_name = "ADDRESS=AS", value_parser = client)]
    client: Vec<(PeerAddress, Asn)>,
    /// A prefix from which any address may be a client, in any other AS.
    #[arg(long, value_name = "PREFIX")]
    range: Vec<IpNet>,
    /// The most prefixes of a family that a client may send.
    #[arg(long, default_value_t = 1_000_000)]
    maximum_prefixes: u32,
    /// Be an ordinary router.
    #[arg(long)]
    router: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(Args::parse(), async { ctrl_c().await.unwrap_or_default() }).await
}

/// Serves until the interrupt.
pub(crate) async fn run(
    args: Args,
    interrupted: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error>> {
    let builder = Speaker::builder(args.own_as, args.identifier);
    let speaker =
        args.listen.iter().fold(builder, |it, address| it.listen(*address)).start().await?;
    let events = speaker.events();

    let relay = if args.router { Relay::Router } else { Relay::RouteServer };
    let serve = move |config: PeerConfig| {
        let config = config.passive().import(Import::Keep).relay(relay);
        config.maximum_prefixes(args.maximum_prefixes)
    };
    // Sessions last as long as these handles.
    let (mut clients, mut ranges) = (Vec::new(), Vec::new());
    for (address, asn) in args.client {
        let config = PeerConfig::new(address, asn).export_policy(policy(args.own_as, asn));
        clients.push(speaker.add_peer(serve(config)).await?);
    }
    for prefix in args.range {
        ranges.push(speaker.add_range(PeerRange::new(prefix, RemoteAs::External).config(serve))?);
    }

    tokio::select! {
        () = print_sessions(events) => {}
        () = interrupted => speaker.shutdown("the route server stops").await,
    }
    Ok(())
}

/// The policy towards a client: its AS does not get the routes that are kept from it.
fn policy(own: Asn, client: Asn) -> Policy {
    let kept_from = Match::large_communities([LargeCommunity::new(own.0, 0, client.0)]);
    Policy::accept_all().rule(Rule::reject(kept_from))
}

async fn print_sessions(mut events: Events) {
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => match event.kind {
                EventKind::Up(_) | EventKind::Down(_) => println!("{event}"),
                _ => {}
            },
            Err(missed) => println!("{missed}"),
        }
    }
}

fn client(text: &str) -> Result<(PeerAddress, Asn), Box<dyn Error + Send + Sync>> {
    let (address, asn) = text.split_once('=').ok_or("expected ADDRESS=AS")?;
    Ok((address.parse()?, asn.parse()?))
}
