//! [`PeerTables`]: the tables of a peer at one moment.

use bgp_core::rib::RouteSet;
use tokio::sync::oneshot;

use crate::{PeerHandle, SpeakerError, command::Command};

/// The tables of a peer. They share their routes with the peer, so that taking them costs nothing.
#[derive(Debug, Default)]
pub(crate) struct PeerTables {
    /// The Adj-RIB-In after the import policy.
    pub(crate) adj_rib_in: RouteSet,
    /// The routes that the peer should have: before the export policy, or after it if they are relayed.
    pub(crate) routes: RouteSet,
}

impl PeerHandle {
    /// The peer's tables as they are, once the earlier requests have been handled.
    pub(crate) async fn tables(&self) -> Result<PeerTables, SpeakerError> {
        let (answer, outcome) = oneshot::channel();
        self.send(Command::Tables(answer)).await?;
        outcome.await.map_err(|_| self.gone())
    }

    /// Asks the peer for its routes of all families again, if it can be asked. No operator did that, so there is no event.
    pub(crate) async fn repeat_routes(&self) -> Result<(), SpeakerError> {
        self.send(Command::RepeatRoutes).await
    }
}
