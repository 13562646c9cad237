//! `ferrolb peers`: the peers of a process in one table, or everything about one of them.

mod detail;
mod list;
mod nodes;
#[cfg(test)]
mod tests;

use clap::Args;
use ferrolb_api::{NodeList, Peer, PeerList, Timestamp};

use super::view::{failure, of_node, show};
use crate::Failure;
use crate::client::{Client, escaped};
use crate::input::{NodeArgs, ViewArgs};
#[cfg(feature = "top")]
use crate::output::Look;
use crate::output::{Cell, GREEN, Page, RED, ViewFormat, YELLOW, age, coloured, plain};

/// Arguments of `ferrolb peers`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct PeersArgs {
    /// Show everything about this peer. Default: a table of all peers.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// The process, and the form of its answer.
    #[command(flatten)]
    pub view: ViewArgs,
}

/// Shows the peers of a process.
///
/// # Errors
///
/// The process does not answer, it has no such peer, or a session is not Established.
pub async fn run(args: &PeersArgs) -> Result<(), Failure> {
    show(&args.view, args.node.node.as_deref(), async |client: &Client, page: &mut Page<'_>| {
        match &args.name {
            Some(name) => show_one(client, page, name, &args.node).await,
            None => show_all(client, page, &args.node).await,
        }
    })
    .await
}

async fn show_all(client: &Client, page: &mut Page<'_>, node: &NodeArgs) -> Result<(), Failure> {
    let octets = client.get_raw(PATH, MAX_PEERS).await.map_err(failure)?;
    let mut list: PeerList = client.parse(PATH, &octets)?;
    if list.peers.is_empty() && page.look.format != ViewFormat::Json {
        return show_reported(client, page, node).await;
    }
    list.peers.retain(|peer| node.includes(&peer.node));

    match page.look.format {
        ViewFormat::Json if node.node.is_none() => page.document(&octets)?,
        ViewFormat::Json => {
            page.document(&of_node(client.parse(PATH, &octets)?, "peers", node))?;
        }
        _ => page.write(|out, look| list::write(out, look, &list.peers, Timestamp::now()))?,
    }
    verdict(&list.peers)
}

/// Shows the sessions that others report: a process without peers may know those of all nodes, as a controller does.
async fn show_reported(
    client: &Client,
    page: &mut Page<'_>,
    node: &NodeArgs,
) -> Result<(), Failure> {
    let mut list: NodeList = client.get("/v1/nodes").await.map_err(failure)?;
    list.nodes.retain(|it| node.includes(&it.name));
    page.write(|out, look| {
        if list.nodes.is_empty() {
            return list::write(out, look, &[], Timestamp::now());
        }
        nodes::write(out, look, &list.nodes, Timestamp::now())
    })?;
    if nodes::are_established(&list.nodes) { Ok(()) } else { Err(Failure::Unhealthy) }
}

/// Shows a peer, once for each node that has it.
async fn show_one(
    client: &Client,
    page: &mut Page<'_>,
    name: &str,
    node: &NodeArgs,
) -> Result<(), Failure> {
    let list: PeerList = client.get(PATH).await.map_err(failure)?;
    let mut nodes: Vec<_> = list.peers.iter().filter(|peer| peer.name == name).collect();
    nodes.retain(|peer| node.includes(&peer.node));
    let mut paths: Vec<_> = nodes.iter().map(|peer| path_of(name, Some(&peer.node))).collect();
    if paths.is_empty() {
        // The process says which peers it has.
        paths.push(path_of(name, node.node.as_deref()));
    }

    let mut peers: Vec<Peer> = Vec::with_capacity(paths.len());
    for path in &paths {
        let octets = client.get_raw(path, MAX_PEERS).await.map_err(failure)?;
        let peer: Peer = client.parse(path, &octets)?;
        match page.look.format {
            ViewFormat::Json => page.document(&octets)?,
            _ => page.write(|out, look| {
                if !peers.is_empty() {
                    writeln!(out)?;
                }
                detail::write(out, look, &peer, Timestamp::now())
            })?,
        }
        peers.push(peer);
    }
    verdict(&peers)
}

fn path_of(name: &str, node: Option<&str>) -> String {
    let query = node.map(|node| format!("?node={}", escaped(node))).unwrap_or_default();
    format!("{PATH}/{}{query}", escaped(name))
}

fn verdict(peers: &[Peer]) -> Result<(), Failure> {
    let is_up = |peer: &Peer| peer.state == ESTABLISHED;
    if peers.iter().all(is_up) { Ok(()) } else { Err(Failure::Unhealthy) }
}

/// Returns everything about a peer as text.
#[cfg(feature = "top")]
pub(super) fn detail_text(look: Look, peer: &Peer, now: Timestamp) -> String {
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = detail::write(&mut text, look, peer, now);
    String::from_utf8_lossy(&text).into_owned()
}

/// Returns the state of a peer.
fn state(peer: &Peer) -> Cell {
    match peer.state.as_str() {
        _ if peer.disabled => coloured("Disabled", YELLOW),
        ESTABLISHED => coloured(ESTABLISHED, GREEN),
        other => coloured(other, RED),
    }
}

/// Returns the time for which a peer has been in its state.
fn state_age(peer: &Peer) -> String {
    peer.state_seconds.map_or_else(|| "never".to_owned(), age)
}

/// Returns the AS number of a peer.
fn asn(peer: &Peer) -> String {
    peer.asn.map_or_else(|| "any".to_owned(), |asn| asn.to_string())
}

/// Returns the state of a peer's BFD session.
fn bfd_state(peer: &Peer) -> Cell {
    match &peer.bfd {
        None => plain("-"),
        Some(bfd) if bfd.state == "Up" => coloured(&bfd.state, GREEN),
        Some(bfd) => coloured(&bfd.state, RED),
    }
}

pub(super) const PATH: &str = "/v1/peers";
pub(super) const ESTABLISHED: &str = "Established";
const MAX_PEERS: usize = 64 * 1024 * 1024;
