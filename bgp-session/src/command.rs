//! [`Command`]: what a handle may ask of its peer's task.

use std::sync::Arc;

use bgp_core::{
    AfiSafi,
    rib::{Route, RouteSet, UnsendableRoute},
    wire::Notification,
};
use ipnet::IpNet;
use tokio::sync::oneshot;

use crate::{PeerConfig, SpeakerError, Updated, config::Resets};

/// A request, in the order in which the handles made them.
#[derive(Debug)]
pub(crate) enum Command {
    /// From now on exactly these routes are announced.
    SetRoutes(Arc<RouteSet>),
    /// This route too, or instead of the one for the same prefix and path identifier.
    Announce(Route),
    /// No route for this prefix any more.
    Withdraw(IpNet),
    /// No such path to this prefix any more.
    WithdrawPath(IpNet, u32),
    /// The peer's routes of this family again; whether it was asked is the answer.
    Refresh(AfiSafi, oneshot::Sender<bool>),
    /// The routes that the session cannot carry, once the earlier commands have been obeyed.
    Unsendable(oneshot::Sender<Vec<UnsendableRoute>>),
    /// No session until further notice, with this word to the peer.
    Disable(Notification),
    /// The end of that.
    Enable,
    /// A new session, with this word to the peer.
    Reset(Notification),
    /// Another configuration; what came of it is the answer.
    Update(Box<PeerConfig>, Resets, oneshot::Sender<Result<Updated, SpeakerError>>),
    /// The end, with this word to the peer.
    Shutdown(Notification),
    /// The end, without a NOTIFICATION.
    Abandon,
}

/// How many commands may wait for a peer's task before the caller does.
pub(crate) const CAPACITY: usize = 64;
