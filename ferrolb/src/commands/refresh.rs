//! `ferrolb refresh`: routes sent again, or asked for again.

use clap::Args;
use ferrolb_api::action::{Done, Refresh, RefreshDirection};
use ferrolb_api::{Peer, PeerList};

use super::action::{find_socket, write_done};
use super::peers::{ESTABLISHED, PATH};
use super::view::failure;
use crate::Failure;
use crate::client::escaped;
use crate::input::{NodeArgs, PlaceArgs};

/// Arguments of `ferrolb refresh`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct RefreshArgs {
    /// The peer. Default: all whose session is Established.
    #[arg(value_name = "PEER")]
    pub peer: Option<String>,
    /// Ask the peer to send its routes again (RFC 2918), instead of sending ours again.
    #[arg(long = "in")]
    pub inbound: bool,
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// The process.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Refreshes one peer, or all of them.
///
/// # Errors
///
/// There is no such peer, no session is Established, or the process does not take the action.
pub async fn run(args: &RefreshArgs) -> Result<(), Failure> {
    let client = find_socket(&args.place).await?;
    let direction = if args.inbound { RefreshDirection::In } else { RefreshDirection::Out };
    let targets = match &args.peer {
        Some(name) => vec![(name.clone(), args.node.node.clone())],
        None => {
            let list: PeerList = client.get(PATH).await.map_err(failure)?;
            let is_target =
                |peer: &Peer| peer.state == ESTABLISHED && args.node.includes(&peer.node);
            let peers = list.peers.into_iter().filter(is_target);
            peers.map(|peer| (peer.name, Some(peer.node))).collect()
        }
    };
    if targets.is_empty() {
        return Err(Failure::Unusable("no session is Established".to_owned()));
    }

    for (name, node) in targets {
        let path = format!("{PATH}/{}/refresh", escaped(&name));
        let done: Done = client.post(&path, &Refresh { node, direction }).await.map_err(failure)?;
        write_done(&done.done)?;
    }
    Ok(())
}
