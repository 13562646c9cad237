//! `ferrolb peer`: an action on one peer.

use clap::{Args, Subcommand};
use ferrolb_api::action::{Done, PeerAction};

use super::action::{find_socket, write_done};
use super::view::failure;
use crate::Failure;
use crate::client::escaped;
use crate::input::{NodeArgs, PlaceArgs};

/// Arguments of `ferrolb peer`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct PeerArgs {
    /// The action.
    #[command(subcommand)]
    pub action: PeerCommand,
}

/// The actions on a peer.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum PeerCommand {
    /// End the session of a peer with a Cease (Administrative Reset). It comes back by itself.
    Reset(EndArgs),
    /// End the session of a peer with a Cease (Administrative Shutdown), and open none until it is enabled or the process
    /// is started again.
    Disable(EndArgs),
    /// Open the session of a disabled peer again.
    Enable(TargetArgs),
}

/// The arguments of an action that ends a session.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct EndArgs {
    /// The peer.
    #[command(flatten)]
    pub target: TargetArgs,
    /// A text for the operator of the router, which its log shows (RFC 9003); at most 255 octets.
    #[arg(long, short, value_name = "TEXT", value_parser = parse_message)]
    pub message: Option<String>,
}

/// The peer of an action.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct TargetArgs {
    /// The name of the peer, as `ferrolb peers` shows it.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// The process.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Acts on a peer.
///
/// # Errors
///
/// There is no such peer, or the process does not take the action.
pub async fn run(args: &PeerArgs) -> Result<(), Failure> {
    let (action, target, message) = match &args.action {
        PeerCommand::Reset(args) => ("reset", &args.target, &args.message),
        PeerCommand::Disable(args) => ("disable", &args.target, &args.message),
        PeerCommand::Enable(target) => ("enable", target, &None),
    };

    let client = find_socket(&target.place).await?;
    let path = format!("/v1/peers/{}/{action}", escaped(&target.name));
    let request = PeerAction { node: target.node.node.clone(), message: message.clone() };
    let done: Done = client.post(&path, &request).await.map_err(failure)?;
    write_done(&done.done)
}

/// Parses the text for the operator of a router.
pub(super) fn parse_message(text: &str) -> Result<String, String> {
    if text.len() > MAX_MESSAGE {
        return Err(format!("{} octets: expected at most {MAX_MESSAGE}", text.len()));
    }
    Ok(text.to_owned())
}

/// RFC 9003, section 2.
const MAX_MESSAGE: usize = 255;
