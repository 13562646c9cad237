//! One set of routes for many peers.

use std::sync::Arc;

use bgp_core::rib::RouteSet;

use crate::{PeerId, Speaker, SpeakerError};

impl Speaker {
    /// Announces exactly these routes to each of the peers, as [`PeerHandle::set_routes`](crate::PeerHandle::set_routes) does. They share one copy.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerShutDown`] for a peer that does not exist, and [`SpeakerError::PeerRelays`]. If some peer is
    /// refused, no peer's routes have changed, unless a peer is shut down at the same time.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is done, some of the peers have the new routes and the others do not.
    pub async fn set_routes(
        &self,
        peers: impl IntoIterator<Item = PeerId>,
        routes: impl Into<Arc<RouteSet>>,
    ) -> Result<(), SpeakerError> {
        let routes = routes.into();
        let mut handles = Vec::new();
        for peer in peers {
            let handle = self.peer(peer).ok_or(SpeakerError::PeerShutDown { peer })?;
            if handle.status().relay.is_some() {
                return Err(SpeakerError::PeerRelays { peer });
            }
            handles.push(handle);
        }
        for handle in handles {
            handle.set_routes(Arc::clone(&routes)).await?;
        }
        Ok(())
    }
}
