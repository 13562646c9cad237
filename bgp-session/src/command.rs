//! [`Command`]: a handle's request to its peer's task. [`SessionEnd`]: the way in which a peer's last session ends.

use std::sync::Arc;

use bgp_core::{
    AfiSafi,
    peer::RefreshError,
    rib::{InPage, Nlri, OutPage, Route, RouteSet, UnsendableRoute},
    wire::{CeaseSubcode, Notification},
};
use ipnet::IpNet;
use tokio::sync::oneshot;

use crate::{PeerConfig, SpeakerError, Updated, config::ResetPolicy, monitoring::PeerTables};

/// The way to answer whether routes are refreshed.
pub(crate) type RefreshAnswer = oneshot::Sender<Result<(), RefreshError>>;

/// A request. The task handles requests in the order in which the handles made them.
#[derive(Debug)]
pub(crate) enum Command {
    /// Announce exactly these routes from now on.
    SetRoutes(Arc<RouteSet>),
    /// Announce this route too, or in place of the one for the same prefix and path identifier.
    Announce(Route),
    /// Withdraw all routes for this prefix.
    Withdraw(IpNet),
    /// Withdraw the path with this identifier to this prefix.
    WithdrawPath(IpNet, u32),
    /// Ask the peer for its routes of this family again. The answer tells whether it was asked.
    Refresh(AfiSafi, RefreshAnswer),
    /// Send our routes of this family again. The answer tells whether that has begun.
    Resend(AfiSafi, RefreshAnswer),
    /// Answer with the routes that the session cannot carry, once the earlier commands have been handled.
    Unsendable(oneshot::Sender<Vec<UnsendableRoute>>),
    /// Answer with true once the system has accepted all routes of the earlier commands, or with false if there is no session
    /// that could send them.
    RoutesSent(oneshot::Sender<bool>),
    /// Answer with the routes of the Adj-RIB-In from here on, at most this number.
    AdjRibIn(Option<Nlri>, usize, oneshot::Sender<InPage>),
    /// Answer with the routes of the Adj-RIB-Out from here on, at most this number, once the earlier commands have been
    /// handled.
    AdjRibOut(Option<Nlri>, usize, oneshot::Sender<OutPage>),
    /// Ask the peer for its routes of all families again, if it can be asked, for a station that wants to see them.
    RepeatRoutes,
    /// Answer with the peer's tables as they are.
    Tables(oneshot::Sender<PeerTables>),
    /// Send this to the peer, and start no session until [`Command::Enable`].
    Disable(Notification),
    /// Start sessions again.
    Enable,
    /// Send this to the peer, and begin a new session, unless the peer is disabled. The answer is true if it is not.
    Reset(Notification, oneshot::Sender<bool>),
    /// Change the configuration, and answer with the outcome.
    Update(Box<PeerConfig>, ResetPolicy, oneshot::Sender<Result<Updated, SpeakerError>>),
    /// Send this to the peer, and end.
    Shutdown(Notification),
    /// End without a NOTIFICATION.
    Abandon,
}

impl Command {
    /// Returns true if the command may change the routes that the peer should have.
    pub(crate) fn changes_routes(&self) -> bool {
        matches!(
            self,
            Self::SetRoutes(_) | Self::Announce(_) | Self::Withdraw(_) | Self::WithdrawPath(..)
        )
    }
}

/// The end of a peer's last session.
#[derive(Clone, Debug)]
pub(crate) enum SessionEnd {
    /// With this NOTIFICATION.
    Cease(Notification),
    /// Without a NOTIFICATION.
    Abandon,
}

impl SessionEnd {
    /// Cease / Peer De-configured (RFC 4486).
    pub(crate) fn deconfigured() -> Self {
        Self::Cease(Notification::cease(CeaseSubcode::PEER_DECONFIGURED))
    }
}

/// The number of commands that may wait for a peer's task before callers have to wait.
pub(crate) const CAPACITY: usize = 64;
