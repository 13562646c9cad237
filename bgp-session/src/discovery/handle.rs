//! [`InterfaceHandle`]: an embedder's handle on a peer by interface, and the messages between it and the task.

use std::sync::Arc;

use bgp_core::{
    rib::RouteSet,
    wire::{CeaseSubcode, Notification},
};
use tokio::sync::{mpsc, oneshot, watch};

use super::InterfacePeer;
use crate::{PeerConfig, PeerId, SpeakerError, Updated, command::SessionEnd, config::ResetPolicy};

/// A handle on an [`InterfacePeer`]. Dropping it ends the session with Cease / Peer De-configured.
#[derive(Debug)]
pub struct InterfaceHandle {
    interface: String,
    routes: watch::Sender<Option<Arc<RouteSet>>>,
    disabled: watch::Sender<Option<String>>,
    requests: mpsc::Sender<Request>,
    status: watch::Receiver<InterfaceStatus>,
    stop: oneshot::Sender<SessionEnd>,
}

/// The wishes of the handle that the task follows.
pub(super) struct InterfaceWishes {
    /// The routes to announce.
    pub(super) routes: watch::Receiver<Option<Arc<RouteSet>>>,
    /// The text for the neighbour's operator while the peer is disabled.
    pub(super) disabled: watch::Receiver<Option<String>>,
    /// Changes of the configuration.
    pub(super) requests: mpsc::Receiver<Request>,
}

/// The latest facts about the neighbour on an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct InterfaceStatus {
    /// The peer, once it has been found; [`Speaker::peer`](crate::Speaker::peer) gives a handle on it.
    pub peer: Option<PeerId>,
    /// The problem that prevents the search, in the system's words.
    pub problem: Option<String>,
}

/// A request of the handle to the task.
pub(super) enum Request {
    /// Change the configuration.
    Update(Box<UpdateRequest>),
    /// Answer once the present neighbour's routes have been sent, or with false if there is none.
    RoutesSent(oneshot::Sender<bool>),
}

/// Another configuration for the neighbour.
pub(super) struct UpdateRequest {
    pub(super) template: PeerConfig,
    pub(super) resets: ResetPolicy,
    pub(super) answer: oneshot::Sender<Result<Updated, SpeakerError>>,
}

impl InterfaceHandle {
    /// Returns a handle on the peer, and the receivers of its wishes. At first, it announces these routes.
    pub(super) fn new(
        interface: String,
        routes: Option<Arc<RouteSet>>,
        status: watch::Receiver<InterfaceStatus>,
        stop: oneshot::Sender<SessionEnd>,
    ) -> (Self, InterfaceWishes) {
        let (routes, receive_routes) = watch::channel(routes);
        let (disabled, receive_disabled) = watch::channel(None);
        let (requests, receive_requests) = mpsc::channel(WAITING_REQUESTS);
        let wishes = InterfaceWishes {
            routes: receive_routes,
            disabled: receive_disabled,
            requests: receive_requests,
        };
        (Self { interface, routes, disabled, requests, status, stop }, wishes)
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Announces exactly these routes to the present neighbour, and to those that replace it; see
    /// [`PeerHandle::set_routes`](crate::PeerHandle::set_routes).
    pub fn set_routes(&self, routes: impl Into<Arc<RouteSet>>) {
        self.routes.send_replace(Some(routes.into()));
    }

    /// Disables the present neighbour, and those that replace it, with a text for their operators; see
    /// [`PeerHandle::disable`](crate::PeerHandle::disable). Effective soon.
    pub fn disable(&self, message: &str) {
        self.disabled.send_replace(Some(message.to_owned()));
    }

    /// Enables the neighbour after [`disable`](Self::disable). Effective soon.
    pub fn enable(&self) {
        self.disabled.send_if_modified(|disabled| disabled.take().is_some());
    }

    /// Waits until all routes have been sent to the present neighbour; see
    /// [`PeerHandle::routes_sent`](crate::PeerHandle::routes_sent). Returns false if there is no neighbour.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::SpeakerShutDown`].
    pub fn routes_sent(&self) -> impl Future<Output = Result<bool, SpeakerError>> + Send + use<> {
        let requests = self.requests.clone();
        async move {
            let (answer, outcome) = oneshot::channel();
            let request = Request::RoutesSent(answer);
            requests.send(request).await.map_err(|_| SpeakerError::SpeakerShutDown)?;
            // If the neighbour has just been removed, there is no session.
            Ok(outcome.await.unwrap_or(false))
        }
    }

    /// Changes the configuration in place, for the present neighbour and for those that replace it; see
    /// [`PeerHandle::update`](crate::PeerHandle::update). The routes of `peer` are ignored.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerConfig`] for a value that makes no sense, [`SpeakerError::Interface`] for another
    /// interface, [`SpeakerError::SpeakerShutDown`]. After an error nothing has changed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done does not stop what has begun: if the task of the interface has taken the request,
    /// it carries it out, and only the answer is lost.
    pub async fn update(&self, peer: InterfacePeer) -> Result<Updated, SpeakerError> {
        self.change(peer, ResetPolicy::IfNeeded).await
    }

    /// Like [`update`](Self::update), but never ends a session that is up; see
    /// [`PeerHandle::update_without_reset`](crate::PeerHandle::update_without_reset).
    ///
    /// # Errors
    ///
    /// The same as those of [`update`](Self::update).
    ///
    /// # Cancel safety
    ///
    /// The same as that of [`update`](Self::update).
    pub async fn update_without_reset(&self, peer: InterfacePeer) -> Result<Updated, SpeakerError> {
        self.change(peer, ResetPolicy::Never).await
    }

    async fn change(
        &self,
        peer: InterfacePeer,
        resets: ResetPolicy,
    ) -> Result<Updated, SpeakerError> {
        let InterfacePeer { interface, template, .. } = peer;
        template.check()?;
        if interface != self.interface {
            let other = format!(
                "expected {}, since a different interface means a different peer",
                self.interface
            );
            let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, other);
            return Err(SpeakerError::Interface { interface, source });
        }

        let (answer, outcome) = oneshot::channel();
        let update = UpdateRequest { template, resets, answer };
        let update = Request::Update(Box::new(update));
        self.requests.send(update).await.map_err(|_| SpeakerError::SpeakerShutDown)?;
        outcome.await.map_err(|_| SpeakerError::SpeakerShutDown)?
    }

    /// Returns true if the speaker is gone, so that the search for neighbours has ended.
    pub fn is_shut_down(&self) -> bool {
        self.requests.is_closed()
    }

    /// The latest facts about the neighbour.
    pub fn status(&self) -> InterfaceStatus {
        self.status.borrow().clone()
    }

    /// A receiver that wakes at each change of [`status`](Self::status).
    pub fn status_changes(&self) -> watch::Receiver<InterfaceStatus> {
        self.status.clone()
    }

    /// Ends the session with Cease / Administrative Shutdown and a text for the neighbour's operator (RFC 9003; empty for
    /// none), stops looking for neighbours, and waits until the connections are closed, a few seconds at most.
    ///
    /// # Cancel safety
    ///
    /// The session ends in any case. If the future is dropped, that goes on in the background.
    pub async fn shutdown(self, message: &str) {
        let subcode = CeaseSubcode::ADMINISTRATIVE_SHUTDOWN;
        self.end(SessionEnd::Cease(Notification::cease_with_message(subcode, message))).await;
    }

    /// Ends the session with Cease / Peer De-configured (RFC 4486), stops looking for neighbours, and waits until the
    /// connections are closed, a few seconds at most.
    ///
    /// # Cancel safety
    ///
    /// The session ends in any case. If the future is dropped, that goes on in the background.
    pub async fn remove(self) {
        self.end(SessionEnd::deconfigured()).await;
    }

    /// Closes the connections without a NOTIFICATION, and stops looking for neighbours; see
    /// [`PeerHandle::abandon`](crate::PeerHandle::abandon).
    ///
    /// # Cancel safety
    ///
    /// The session ends in any case. If the future is dropped, that goes on in the background.
    pub async fn abandon(self) {
        self.end(SessionEnd::Abandon).await;
    }

    async fn end(self, end: SessionEnd) {
        let Self { stop, mut status, requests, routes, disabled, .. } = self;
        // A task that has ended already does not receive it.
        let _ = stop.send(end);
        // The task drops its end of the channel last.
        while status.changed().await.is_ok() {}
        drop((requests, routes, disabled));
    }

    /// Waits until the status satisfies `wanted`. It may do so already. `None`: the speaker is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done loses nothing. The next call sees what this one would have seen.
    pub async fn wait_for(
        &mut self,
        wanted: impl FnMut(&InterfaceStatus) -> bool,
    ) -> Option<InterfaceStatus> {
        self.status.wait_for(wanted).await.ok().map(|status| status.clone())
    }
}

/// The number of changes of the configuration that may wait.
const WAITING_REQUESTS: usize = 4;
