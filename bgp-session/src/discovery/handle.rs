//! [`InterfaceHandle`]: an embedder's hold on a peer by interface.

use std::sync::Arc;

use bgp_core::{
    rib::RouteSet,
    wire::{CeaseSubcode, Notification},
};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    InterfacePeer,
    neighbor::{InterfaceStatus, Update},
};
use crate::{SpeakerError, Updated, config::Resets};

/// A hold on an [`InterfacePeer`]. Dropping it ends the session with Cease / Peer De-configured.
#[derive(Debug)]
pub struct InterfaceHandle {
    interface: String,
    routes: watch::Sender<Option<Arc<RouteSet>>>,
    updates: mpsc::Sender<Update>,
    status: watch::Receiver<InterfaceStatus>,
    stop: oneshot::Sender<Farewell>,
}

/// How the session with the neighbour ends.
#[derive(Debug)]
pub(super) enum Farewell {
    /// With this NOTIFICATION.
    Cease(Notification),
    /// Without a NOTIFICATION.
    Abandon,
}

impl Farewell {
    /// Cease / Peer De-configured (RFC 4486).
    pub(super) fn deconfigured() -> Self {
        Self::Cease(Notification::cease(CeaseSubcode::PEER_DECONFIGURED))
    }
}

impl InterfaceHandle {
    pub(super) fn new(
        interface: String,
        routes: watch::Sender<Option<Arc<RouteSet>>>,
        updates: mpsc::Sender<Update>,
        status: watch::Receiver<InterfaceStatus>,
        stop: oneshot::Sender<Farewell>,
    ) -> Self {
        Self { interface, routes, updates, status, stop }
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Announces exactly these routes to the neighbour, whoever it is by then; see
    /// [`PeerHandle::set_routes`](crate::PeerHandle::set_routes).
    pub fn set_routes(&self, routes: impl Into<Arc<RouteSet>>) {
        self.routes.send_replace(Some(routes.into()));
    }

    /// Changes the terms in place, for the neighbour that there is and for those to come; see
    /// [`PeerHandle::update`](crate::PeerHandle::update). The routes that `peer` has are not looked at.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerConfig`] for a value that makes no sense, [`SpeakerError::Interface`] for another
    /// interface, [`SpeakerError::SpeakerShutDown`]. Nothing has changed then.
    pub async fn update(&self, peer: InterfacePeer) -> Result<Updated, SpeakerError> {
        self.change(peer, Resets::IfNeeded).await
    }

    /// As [`update`](Self::update), but a session that is up is never ended; see
    /// [`PeerHandle::update_without_reset`](crate::PeerHandle::update_without_reset).
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub async fn update_without_reset(&self, peer: InterfacePeer) -> Result<Updated, SpeakerError> {
        self.change(peer, Resets::Never).await
    }

    async fn change(&self, peer: InterfacePeer, resets: Resets) -> Result<Updated, SpeakerError> {
        let InterfacePeer { interface, template, .. } = peer;
        template.check()?;
        if interface != self.interface {
            let other =
                format!("expected {}, since another interface is another peer", self.interface);
            let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, other);
            return Err(SpeakerError::Interface { interface, source });
        }
        let (answer, outcome) = oneshot::channel();
        let update = Update { template, resets, answer };
        self.updates.send(update).await.map_err(|_| SpeakerError::SpeakerShutDown)?;
        outcome.await.map_err(|_| SpeakerError::SpeakerShutDown)?
    }

    /// Returns true if the speaker is gone, so that it looks for no neighbour any more.
    pub fn is_shut_down(&self) -> bool {
        self.updates.is_closed()
    }

    /// What is known of the neighbour.
    pub fn status(&self) -> InterfaceStatus {
        self.status.borrow().clone()
    }

    /// What wakes at each change of [`status`](Self::status).
    pub fn status_changes(&self) -> watch::Receiver<InterfaceStatus> {
        self.status.clone()
    }

    /// Ends the session with Cease / Administrative Shutdown and a text for the neighbour's operator (RFC 9003; empty for
    /// none), looks for no neighbour any more, and waits until the connections are closed, a few seconds at most.
    pub async fn shutdown(self, message: &str) {
        let subcode = CeaseSubcode::ADMINISTRATIVE_SHUTDOWN;
        self.end(Farewell::Cease(Notification::cease_with_message(subcode, message))).await;
    }

    /// Ends the session with Cease / Peer De-configured (RFC 4486), looks for no neighbour any more, and waits until the
    /// connections are closed, a few seconds at most.
    pub async fn remove(self) {
        self.end(Farewell::deconfigured()).await;
    }

    /// Closes the connections without a NOTIFICATION, and looks for no neighbour any more; see
    /// [`PeerHandle::abandon`](crate::PeerHandle::abandon).
    pub async fn abandon(self) {
        self.end(Farewell::Abandon).await;
    }

    async fn end(self, farewell: Farewell) {
        let Self { stop, mut status, updates, routes, .. } = self;
        // A task that has ended already does not hear it.
        let _ = stop.send(farewell);
        // The task drops its end as the last thing that it does.
        while status.changed().await.is_ok() {}
        drop((updates, routes));
    }

    /// Waits until the status is as `wanted`, which may be at once. `None`: the speaker is gone.
    pub async fn wait_for(
        &mut self,
        wanted: impl FnMut(&InterfaceStatus) -> bool,
    ) -> Option<InterfaceStatus> {
        self.status.wait_for(wanted).await.ok().map(|status| status.clone())
    }
}
