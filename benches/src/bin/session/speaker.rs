//! Our own speaker as a process: it uses `bgp-session` as any program would, and answers on a Unix socket.
//!
//! Its commands, each a line with a line as the answer:
//!
//! - `accepted ADDRESS`: the number of routes that it holds from a peer;
//! - `established`: the number of sessions that are up;
//! - `change VERSION`: announces a version of one route to all peers, and waits until it has been sent.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bgp_session::{
    Asn, BgpIdentifier, Import, PeerAddress, PeerConfig, PeerHandle, Relay, Speaker,
};
use clap::Parser;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::routes::Table;
use crate::site;
use crate::wire_peer::End;

/// Runs our speaker for a measurement.
#[derive(Debug, Parser)]
pub(crate) struct SpeakerArgs {
    /// Its AS number.
    #[arg(long)]
    asn: Asn,
    /// Its BGP Identifier.
    #[arg(long)]
    identifier: BgpIdentifier,
    /// The address and port to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// The Unix socket for commands.
    #[arg(long)]
    control: PathBuf,
    /// The hold time in seconds.
    #[arg(long)]
    hold_time: u64,
    /// A peer that may connect.
    #[arg(long = "peer", value_name = "ADDRESS=AS", value_parser = end)]
    peers: Vec<End>,
    /// Announce the routes of each peer to the others.
    #[arg(long)]
    transit: bool,
    /// The number of routes of its own.
    #[arg(long, default_value_t = 0)]
    routes: u32,
    /// The number of routes that share attributes; 0: all of them.
    #[arg(long, default_value_t = 0)]
    per_set: u32,
    /// IPv6 routes.
    #[arg(long)]
    ipv6: bool,
}

impl SpeakerArgs {
    fn table(&self) -> Table {
        let table = Table::new(self.routes, self.per_set);
        if self.ipv6 { table.ipv6() } else { table }
    }
}

fn end(text: &str) -> Result<End, Box<dyn Error + Send + Sync>> {
    let (address, asn) = text.split_once('=').ok_or("expected ADDRESS=AS")?;
    Ok(End { address: address.parse()?, asn: asn.parse()? })
}

/// Runs until it is killed.
#[tokio::main]
pub(crate) async fn run(args: SpeakerArgs) -> Result<(), Box<dyn Error>> {
    let speaker = Speaker::builder(args.asn, args.identifier).listen(args.listen).start().await?;
    let routes = Arc::new(args.table().routes());
    let mut peers = BTreeMap::new();

    for end in &args.peers {
        let mut config = PeerConfig::new(PeerAddress::from(end.address), end.asn)
            .passive()
            .hold_time(Duration::from_secs(args.hold_time))
            .next_hop_ipv6(site::SUBJECT_V6);
        // A speaker with routes of its own is only a sender.
        if args.routes == 0 {
            config = config.import(Import::Keep);
        }
        if args.transit {
            config = config.relay(Relay::Router);
        }
        let peer = speaker.add_peer(config).await?;
        if !args.transit {
            peer.set_routes(Arc::clone(&routes)).await?;
        }
        peers.insert(end.address, peer);
    }
    drop(routes);

    serve(&args, &peers).await
}

/// Answers commands, one connection at a time.
async fn serve(
    args: &SpeakerArgs,
    peers: &BTreeMap<IpAddr, PeerHandle>,
) -> Result<(), Box<dyn Error>> {
    let listener = UnixListener::bind(&args.control)?;
    loop {
        let (stream, _) = listener.accept().await?;
        // A client that goes away ends its own connection only.
        let _ = converse(args, peers, stream).await;
    }
}

async fn converse(
    args: &SpeakerArgs,
    peers: &BTreeMap<IpAddr, PeerHandle>,
    stream: UnixStream,
) -> Result<(), Box<dyn Error>> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split(' ').collect::<Vec<_>>()[..] {
            ["accepted", address] => {
                let peer = peers.get(&address.parse::<IpAddr>()?).ok_or("no such peer")?;
                peer.status().prefixes_held
            }
            ["established"] => peers.values().filter(|peer| peer.status().is_established()).count(),
            ["change", version] => {
                let version = version.parse()?;
                change(args.table(), peers, version).await?;
                version.into()
            }
            _ => return Err("no such command".into()),
        };
        write.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

async fn change(
    table: Table,
    peers: &BTreeMap<IpAddr, PeerHandle>,
    version: u16,
) -> Result<(), Box<dyn Error>> {
    let route = table.changed_route(version);
    for peer in peers.values() {
        peer.announce(route.clone()).await?;
    }
    for peer in peers.values() {
        peer.routes_sent().await?;
    }
    Ok(())
}
