//! One open session: Established, or being attempted.

use std::sync::Arc;
use std::time::Instant;

use bgp_session::bfd::BfdStatus;
use bgp_session::{
    InterfaceHandle, PeerHandle, PeerStatus, RouteSet, Speaker, SpeakerError, UnsendableRoute,
    Updated,
};
use futures_util::future::Either;
use tokio::sync::Notify;

use super::config::{RemotePeer, SessionConfig};
use super::desired::DesiredSession;
use super::peer_names::SpeakerPeerNames;
use super::status::SessionStatus;
use super::wake::{wake_on_bfd_changes, wake_on_interface_changes};

/// An open session, and the speaker that it belongs to.
#[derive(Debug)]
pub(super) struct OpenSession {
    pub(super) config: SessionConfig,
    pub(super) routes: Arc<RouteSet>,
    /// The number of the speaker among those of its node.
    pub(super) speaker_number: usize,
    speaker: Speaker,
    handle: SessionHandle,
    opened: Instant,
}

#[derive(Debug)]
enum SessionHandle {
    Address(PeerHandle),
    Interface(InterfaceHandle),
}

impl OpenSession {
    /// Opens a session at the node's speaker of this number, whose peers have these names.
    pub(super) async fn open(
        name: &str,
        desired: &DesiredSession,
        (speaker_number, speaker): (usize, Speaker),
        names: SpeakerPeerNames,
        wake: &Arc<Notify>,
    ) -> Result<Self, SpeakerError> {
        let handle = match named(&desired.config, name) {
            RemotePeer::Address(config) => {
                let peer = speaker.add_peer(config).await?;
                wake_on_bfd_changes(&peer, wake);
                SessionHandle::Address(peer)
            }
            RemotePeer::Interface(peer) => {
                let interface = speaker.add_interface_peer(peer)?;
                wake_on_interface_changes(&interface, &speaker, names, wake);
                SessionHandle::Interface(interface)
            }
        };

        let routes = Arc::new(desired.routes.clone());
        let config = desired.config.clone();
        let opened = tokio::time::Instant::now().into_std();
        let session = Self { config, routes, speaker_number, speaker, handle, opened };
        session.announce().await?;
        Ok(session)
    }

    /// Replaces the routes of the session.
    pub(super) async fn set_routes(&mut self, routes: &RouteSet) -> Result<(), SpeakerError> {
        self.routes = Arc::new(routes.clone());
        self.announce().await
    }

    async fn announce(&self) -> Result<(), SpeakerError> {
        match &self.handle {
            SessionHandle::Address(peer) => peer.set_routes(Arc::clone(&self.routes)).await,
            SessionHandle::Interface(interface) => {
                interface.set_routes(Arc::clone(&self.routes));
                Ok(())
            }
        }
    }

    /// Applies a new configuration. A session that cannot continue with it is ended with Cease / Other Configuration
    /// Change, which lets a router keep the routes until the next session (RFC 8538), and opened again. Changes nothing
    /// and returns `None` if the configuration is for another router, or is not valid.
    pub(super) async fn change_config(
        &mut self,
        name: &str,
        config: &SessionConfig,
    ) -> Option<Updated> {
        if !self.config.remote.is_same_router(&config.remote) {
            return None;
        }

        let updated: Result<Updated, SpeakerError> = match (&self.handle, named(config, name)) {
            (SessionHandle::Address(peer), RemotePeer::Address(config)) => {
                peer.update(config).await
            }
            (SessionHandle::Interface(interface), RemotePeer::Interface(peer)) => {
                interface.update(peer).await
            }
            _ => return None,
        };
        let updated = updated.ok()?;
        self.config = config.clone();
        Some(updated)
    }

    /// Gives the peer another name in the log.
    pub(super) async fn rename(&mut self, name: &str) {
        let config = self.config.clone();
        // The session continues even if the speaker is just ending, so there is nothing to report.
        let _ = self.change_config(name, &config).await;
    }

    /// Returns true if the speaker has ended the session for good, as at the end of a drain.
    pub(super) fn has_ended(&self) -> bool {
        match &self.handle {
            SessionHandle::Address(peer) => peer.is_shut_down(),
            SessionHandle::Interface(interface) => interface.is_shut_down(),
        }
    }

    /// Ends the session for good with Cease / Peer De-configured.
    pub(super) async fn close(self) {
        match self.handle {
            SessionHandle::Address(peer) => peer.remove().await,
            SessionHandle::Interface(interface) => interface.remove().await,
        }
    }

    /// Ends the session without sending a NOTIFICATION.
    pub(super) async fn abandon(self) {
        match self.handle {
            SessionHandle::Address(peer) => {
                // An error means that it has ended already.
                let _ = peer.abandon().await;
            }
            SessionHandle::Interface(interface) => interface.abandon().await,
        }
    }

    /// Ends the session with Administrative Shutdown and this text, and starts no other until it is enabled. If the router is
    /// found on an interface, that also holds for a router that replaces it.
    pub(super) async fn disable(&self, message: &str) -> Result<(), SpeakerError> {
        match &self.handle {
            SessionHandle::Address(peer) => peer.disable(message).await,
            SessionHandle::Interface(interface) => {
                interface.disable(message);
                Ok(())
            }
        }
    }

    /// Ends the effect of [`disable`](Self::disable), or the pause after failures.
    pub(super) async fn enable(&self) -> Result<(), SpeakerError> {
        match (&self.handle, self.peer()) {
            (SessionHandle::Address(peer), _) => peer.enable().await,
            (SessionHandle::Interface(interface), peer) => {
                interface.enable();
                match peer {
                    Some(peer) => peer.enable().await,
                    None => Ok(()),
                }
            }
        }
    }

    /// Returns the peer; `None` while there is no router on the interface.
    pub(super) fn peer(&self) -> Option<PeerHandle> {
        match &self.handle {
            SessionHandle::Address(peer) => Some(peer.clone()),
            SessionHandle::Interface(interface) => {
                interface.status().peer.and_then(|id| self.speaker.peer(id))
            }
        }
    }

    /// Returns the routes that the session cannot carry, after it has examined all routes that it was given.
    pub(super) async fn unsendable(&self) -> Vec<UnsendableRoute> {
        match self.peer() {
            Some(peer) => peer.unsendable().await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// Waits until all routes have been sent. Returns false if there is no session.
    pub(super) fn routes_sent(&self) -> impl Future<Output = bool> + Send + use<> {
        let wait = match &self.handle {
            SessionHandle::Address(peer) => {
                let peer = peer.clone();
                Either::Left(async move { peer.routes_sent().await })
            }
            SessionHandle::Interface(interface) => Either::Right(interface.routes_sent()),
        };
        async move { wait.await.unwrap_or(false) }
    }

    pub(super) fn status(&self) -> SessionStatus {
        match &self.handle {
            SessionHandle::Address(peer) => self.status_of(Some(peer.status()), peer.bfd(), None),
            SessionHandle::Interface(interface) => self.interface_status(interface),
        }
    }

    fn interface_status(&self, interface: &InterfaceHandle) -> SessionStatus {
        let status = interface.status();
        let peer = status.peer.and_then(|id| self.speaker.peer(id));

        let mut problem = status.problem;
        if problem.is_none() && peer.is_none() {
            problem = Some(format!("no router has been heard on {} yet", interface.interface()));
        }
        let bfd = peer.as_ref().and_then(|peer| peer.bfd());
        self.status_of(peer.map(|peer| peer.status()), bfd, problem)
    }

    fn status_of(
        &self,
        peer: Option<PeerStatus>,
        bfd: Option<BfdStatus>,
        problem: Option<String>,
    ) -> SessionStatus {
        let is_up = peer.as_ref().is_some_and(PeerStatus::is_established);
        let ended = peer.as_ref().and_then(|peer| peer.down_since);
        let down_since = if is_up { None } else { ended.or(Some(self.opened)) };
        SessionStatus { peer, bfd, problem, down_since, disabled: None }
    }
}

/// Returns the router of a session with its name in the log. The name is no part of the configuration, so that a peer may be
/// renamed without a change of its session.
fn named(config: &SessionConfig, name: &str) -> RemotePeer {
    config.with_local_identity().map_config(|config| config.name(name))
}
