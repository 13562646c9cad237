//! A collector: accepts peers, and writes every change of their routes and sessions as a line of JSON.
//!
//! ```text
//! cargo run -p bgp-session --features serde --example collector -- --own-as 64500 --listen 127.0.0.2:1790 \
//!     --peer 127.0.0.1=64512 --range 10.0.0.0/8
//! {"time":1767225600,"type":"event","peer":"127.0.0.1","text":"the session with AS 64512, 10.0.0.1, is up: .."}
//! {"time":1767225600,"type":"route","prefix":"203.0.113.7/32","peer":"127.0.0.1","path_id":0,"attributes":{..},"best":true,..}
//! {"time":1767225660,"type":"withdrawn","prefix":"203.0.113.7/32","peer":"127.0.0.1","path_id":0}
//! ```
//!
//! The table is compared with the one before once in an interval, so that a route that changes more often is written with its
//! latest attributes.

use std::{
    collections::BTreeMap,
    error::Error,
    future::Future,
    io::{self, Write},
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bgp_session::{
    Asn, BgpIdentifier, Event, EventKind, Import, IpNet, LocRibSnapshot, Missed, PeerAddress,
    PeerConfig, PeerId, PeerRange, RemoteAs, RoutePath, RoutePaths, Speaker,
};
use clap::Parser;
use serde::Serialize;
use tokio::{signal::ctrl_c, time::interval};

/// Accepts peers, and writes every change of their routes and sessions as a line of JSON.
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
    /// A peer and its AS: a number, a range of numbers, internal, external or any.
    #[arg(long, value_name = "ADDRESS=AS", value_parser = peer)]
    peer: Vec<(PeerAddress, RemoteAs)>,
    /// A prefix from which any address may be a peer, in any AS.
    #[arg(long, value_name = "PREFIX")]
    range: Vec<IpNet>,
    /// Milliseconds from one comparison of the table to the next.
    #[arg(long, default_value_t = 1_000)]
    interval: u64,
}

/// A line of the output.
#[derive(Serialize)]
struct Line<T> {
    /// Seconds since 1970.
    time: u64,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Content<'a> {
    Event {
        peer: PeerId,
        text: String,
    },
    Missed(Missed),
    Route {
        prefix: IpNet,
        #[serde(flatten)]
        path: &'a RoutePath,
    },
    Withdrawn {
        prefix: IpNet,
        peer: PeerId,
        path_id: u32,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let interrupted = async { ctrl_c().await.unwrap_or_default() };
    run(Args::parse(), interrupted, io::stdout()).await
}

pub(crate) async fn run(
    args: Args,
    interrupted: impl Future<Output = ()>,
    mut out: impl Write,
) -> Result<(), Box<dyn Error>> {
    let builder = Speaker::builder(args.own_as, args.identifier);
    let speaker =
        args.listen.iter().fold(builder, |it, address| it.listen(*address)).start().await?;
    let mut events = speaker.events();
    let mut changed = speaker.loc_rib_changed();

    // Sessions last as long as these handles.
    let (mut peers, mut ranges) = (Vec::new(), Vec::new());
    for (address, asn) in args.peer {
        let config = PeerConfig::new(address, asn).passive().import(Import::Keep);
        peers.push(speaker.add_peer(config).await?);
    }
    for prefix in args.range {
        let range = PeerRange::new(prefix, RemoteAs::Any).config(|peer| peer.import(Import::Keep));
        ranges.push(speaker.add_range(range)?);
    }

    let mut before = LocRibSnapshot::default();
    let mut ticks = interval(Duration::from_millis(args.interval.max(1)));
    tokio::pin!(interrupted);
    loop {
        // Each of these futures may be dropped without loss.
        tokio::select! {
            event = events.next() => match event {
                Some(event) => write_event(event, &mut out)?,
                None => return Ok(()),
            },
            _ = ticks.tick() => {
                if changed.has_changed()? {
                    changed.mark_unchanged();
                    let after = speaker.loc_rib();
                    write_changes(&before, &after, &mut out)?;
                    before = after;
                }
            }
            () = &mut interrupted => {
                speaker.shutdown("the collector stops").await;
                return Ok(());
            }
        }
    }
}

fn write_event(event: Result<Event, Missed>, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    match event {
        // The table has them.
        Ok(Event { kind: EventKind::RoutesChanged { .. }, .. }) => Ok(()),
        Ok(event) => write(Content::Event { peer: event.peer, text: event.kind.to_string() }, out),
        Err(missed) => write(Content::Missed(missed), out),
    }
}

/// Writes the differences between two states of the table.
fn write_changes(
    before: &LocRibSnapshot,
    after: &LocRibSnapshot,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    for (prefix, paths) in after.differences(before) {
        let (before, after) = (by_peer(&before.paths(&prefix)), by_peer(&paths));
        for (peer, path_id) in before.keys().filter(|key| !after.contains_key(key)) {
            write(Content::Withdrawn { prefix, peer: *peer, path_id: *path_id }, out)?;
        }
        for (key, path) in &after {
            if before.get(key) != Some(path) {
                write(Content::Route { prefix, path }, out)?;
            }
        }
    }
    Ok(())
}

fn by_peer(paths: &RoutePaths) -> BTreeMap<(PeerId, u32), RoutePath> {
    paths.iter().map(|path| ((path.peer, path.path_id), path)).collect()
}

fn write(content: Content<'_>, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    serde_json::to_writer(&mut *out, &Line { time, content })?;
    Ok(writeln!(out)?)
}

fn peer(text: &str) -> Result<(PeerAddress, RemoteAs), Box<dyn Error + Send + Sync>> {
    let (address, asn) = text.split_once('=').ok_or("expected ADDRESS=AS")?;
    Ok((address.parse()?, asn.parse()?))
}
