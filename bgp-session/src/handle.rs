//! [`PeerHandle`]: an embedder's handle on one peer.

use std::sync::Arc;

use bgp_core::{
    AfiSafi,
    peer::RefreshError,
    rib::{InPage, Nlri, OutPage, Route, RouteSet, UnsendableRoute},
    wire::{CeaseSubcode, Notification},
};
use ipnet::IpNet;
use tokio::sync::{
    mpsc,
    oneshot::{self, error::RecvError},
    watch,
};

use crate::{
    PeerConfig, PeerId, PeerStats, PeerStatus, SpeakerError, Updated, bfd::BfdStatus,
    command::Command, config::ResetPolicy, socket,
};

/// A peer of a [`Speaker`](crate::Speaker). Clones are handles on the same peer; when the last one
/// is dropped, the session ends with Cease / Peer De-configured (RFC 4486).
#[derive(Clone, Debug)]
pub struct PeerHandle {
    id: PeerId,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<PeerStatus>,
    bfd: watch::Receiver<Option<BfdStatus>>,
}

impl PeerHandle {
    pub(crate) fn new(
        id: PeerId,
        commands: mpsc::Sender<Command>,
        status: watch::Receiver<PeerStatus>,
        bfd: watch::Receiver<Option<BfdStatus>>,
    ) -> Self {
        Self { id, commands, status, bfd }
    }

    /// Announces exactly these routes, and withdraws all others. Only the difference is sent to the peer, so this may be
    /// called at any rate. It applies to this session and all later ones; no session needs to be up.
    ///
    /// Pass an `Arc` to share one set between peers.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerRelays`], [`SpeakerError::PeerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done takes back the request: nothing changes.
    pub async fn set_routes(&self, routes: impl Into<Arc<RouteSet>>) -> Result<(), SpeakerError> {
        self.change_routes(Command::SetRoutes(routes.into())).await
    }

    /// Announces one more route, or replaces the one for its prefix and path identifier.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerRelays`], [`SpeakerError::PeerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done takes back the request: nothing changes.
    pub async fn announce(&self, route: Route) -> Result<(), SpeakerError> {
        self.change_routes(Command::Announce(route)).await
    }

    /// Asks the peer to send all its routes of a family again (RFC 2918): a soft reset inbound. If the peer marks the end of
    /// its answer (RFC 7313), routes that it has not repeated by then are dropped.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::Refresh`] if there is no session with this family, or if one end does not support the request, and
    /// [`SpeakerError::PeerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done does not stop what has begun: if the peer's task has taken the request, it carries
    /// it out, and only the answer is lost.
    pub async fn refresh(&self, family: AfiSafi) -> Result<(), SpeakerError> {
        let (answer, outcome) = oneshot::channel();
        self.send(Command::Refresh(family, answer)).await?;
        self.refreshed(family, outcome.await)
    }

    /// Sends all routes of a family to the peer again: a soft reset outbound. The peer need not ask for them. If both ends
    /// support it, the peer learns where the routes begin and end (RFC 7313), and drops those that it should not have.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::Refresh`] if there is no session with this family, and [`SpeakerError::PeerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done does not stop what has begun: if the peer's task has taken the request, it carries
    /// it out, and only the answer is lost.
    pub async fn resend(&self, family: AfiSafi) -> Result<(), SpeakerError> {
        let (answer, outcome) = oneshot::channel();
        self.send(Command::Resend(family, answer)).await?;
        self.refreshed(family, outcome.await)
    }

    fn refreshed(
        &self,
        family: AfiSafi,
        outcome: Result<Result<(), RefreshError>, RecvError>,
    ) -> Result<(), SpeakerError> {
        let peer = self.id;
        let outcome = outcome.map_err(|_| self.gone())?;
        outcome.map_err(|source| SpeakerError::Refresh { peer, family, source })
    }

    /// Returns the routes that the session cannot carry, IPv4 before IPv6, each with the reason: its family was not
    /// negotiated, no next hop fits, or its attributes fit no message. Empty while no session is up. The answer covers
    /// all earlier requests, also those of other handles, as far as the peer accepts octets.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done is harmless. Only the answer is lost.
    pub async fn unsendable(&self) -> Result<Vec<UnsendableRoute>, SpeakerError> {
        let (answer, outcome) = oneshot::channel();
        self.send(Command::Unsendable(answer)).await?;
        outcome.await.map_err(|_| self.gone())
    }

    /// Waits until all routes of the earlier requests, also those of other handles, have been sent: the Adj-RIB-Out has no
    /// change left, and the system's TCP has accepted the last octet of it. Returns true then, and false if there is no session,
    /// or if the session ends first: the routes wait for the next one. Routes that the session
    /// [cannot carry](Self::unsendable) count as sent.
    ///
    /// The wait ends at the latest with the session, which a peer that does not read loses after the send hold time (RFC
    /// 9687). Later changes may prolong the wait if the peer reads more slowly than they come.
    ///
    /// The future may be dropped at any time. That takes back the request and has no effect on the routes.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerShutDown`].
    pub async fn routes_sent(&self) -> Result<bool, SpeakerError> {
        let (answer, outcome) = oneshot::channel();
        self.answer_when_sent(answer).await?;
        outcome.await.map_err(|_| self.gone())
    }

    /// Like [`routes_sent`](Self::routes_sent), with the answer elsewhere.
    pub(crate) async fn answer_when_sent(
        &self,
        answer: oneshot::Sender<bool>,
    ) -> Result<(), SpeakerError> {
        self.send(Command::RoutesSent(answer)).await
    }

    /// Returns the routes of the peer's Adj-RIB-Out from a prefix on, or from the first one, IPv4 before IPv6: those that the
    /// peer should have, and those that have yet to be withdrawn. Each has its attributes as they are sent, its state at the
    /// peer, and the time since when. Ask for the rest with [`OutPage::next`].
    ///
    /// A page has at most `most` routes, and no more than 1,024, so that the session waits only a short time for it. Routes
    /// may change between two pages, so that the pages together are no snapshot. The answer covers all earlier requests, also
    /// those of other handles, as far as the peer accepts octets.
    ///
    /// In the last stage of a [drain](crate::Speaker::drain) the peer should have no routes, so that there are none here
    /// when they are withdrawn.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done is harmless. Only the answer is lost.
    pub async fn adj_rib_out(
        &self,
        from: Option<Nlri>,
        most: usize,
    ) -> Result<OutPage, SpeakerError> {
        let (answer, outcome) = oneshot::channel();
        self.send(Command::AdjRibOut(from, most, answer)).await?;
        outcome.await.map_err(|_| self.gone())
    }

    /// Returns the routes of the peer's Adj-RIB-In from a prefix on, or from the first one, IPv4 before IPv6. There are none
    /// without [`Import::Keep`](crate::Import::Keep). Ask for the rest with [`InPage::next`].
    ///
    /// A page has at most `most` routes, and no more than 1,024, so that the session waits only a short time for it. Routes
    /// may change between two pages, so that the pages together are no snapshot.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done is harmless. Only the answer is lost.
    pub async fn adj_rib_in(
        &self,
        from: Option<Nlri>,
        most: usize,
    ) -> Result<InPage, SpeakerError> {
        let (answer, outcome) = oneshot::channel();
        self.send(Command::AdjRibIn(from, most, answer)).await?;
        outcome.await.map_err(|_| self.gone())
    }

    /// Withdraws the path with this identifier to `prefix`, if there is one (RFC 7911).
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerRelays`], [`SpeakerError::PeerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done takes back the request: nothing changes.
    pub async fn withdraw_path(&self, prefix: IpNet, path_id: u32) -> Result<(), SpeakerError> {
        self.change_routes(Command::WithdrawPath(prefix, path_id)).await
    }

    /// Withdraws every route for `prefix`.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerRelays`], [`SpeakerError::PeerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done takes back the request: nothing changes.
    pub async fn withdraw(&self, prefix: IpNet) -> Result<(), SpeakerError> {
        self.change_routes(Command::Withdraw(prefix)).await
    }

    /// Ends the session with Cease / Administrative Shutdown and a text for the peer's operator (RFC 9003; empty for
    /// none), and starts no other until [`enable`](Self::enable). The peer stays configured and its routes are kept.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done takes back the request: nothing changes.
    pub async fn disable(&self, message: &str) -> Result<(), SpeakerError> {
        let shutdown = CeaseSubcode::ADMINISTRATIVE_SHUTDOWN;
        self.send(Command::Disable(Notification::cease_with_message(shutdown, message))).await
    }

    /// Tries at once to get a session again: after [`disable`](Self::disable), or in the pause after failures or after too
    /// many prefixes. Does nothing to a session that is up.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done takes back the request: nothing changes.
    pub async fn enable(&self) -> Result<(), SpeakerError> {
        self.send(Command::Enable).await
    }

    /// Ends the session with Cease / Administrative Reset and a text for the peer's operator (RFC 9003; empty for none),
    /// and tries to get another after the first pause of [`idle_hold`](PeerConfig::idle_hold).
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerDisabled`], [`SpeakerError::PeerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done does not stop what has begun: if the peer's task has taken the request, it carries
    /// it out, and only the answer is lost.
    pub async fn reset(&self, message: &str) -> Result<(), SpeakerError> {
        let reset = CeaseSubcode::ADMINISTRATIVE_RESET;
        let (answer, outcome) = oneshot::channel();
        let cease = Notification::cease_with_message(reset, message);
        self.send(Command::Reset(cease, answer)).await?;

        let enabled = outcome.await.map_err(|_| self.gone())?;
        if enabled { Ok(()) } else { Err(SpeakerError::PeerDisabled { peer: self.id }) }
    }

    /// Changes the peer's configuration in place. Routes stay as they are. The session stays too, unless a value changed
    /// that its OPENs or its connection depend on: then it ends with Cease / Other Configuration Change, and the next one
    /// begins soon. Returns the changes, each with the time when it takes effect, and whether the session
    /// was reset.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerConfig`] for a value that makes no sense or an address that is not this peer's,
    /// [`SpeakerError::Socket`], [`SpeakerError::Password`], [`SpeakerError::PeerShutDown`]. After an error nothing has
    /// changed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done does not stop what has begun: if the peer's task has taken the request, it carries
    /// it out, and only the answer is lost.
    pub async fn update(&self, config: PeerConfig) -> Result<Updated, SpeakerError> {
        self.change(config, ResetPolicy::IfNeeded).await
    }

    /// Like [`update`](Self::update), but never ends a session that is up. Changes that need a new session
    /// wait for the next one; [`Updated::needs_reset`] lists them.
    ///
    /// # Errors
    ///
    /// The same as those of [`update`](Self::update).
    ///
    /// # Cancel safety
    ///
    /// The same as that of [`update`](Self::update).
    pub async fn update_without_reset(&self, config: PeerConfig) -> Result<Updated, SpeakerError> {
        self.change(config, ResetPolicy::Never).await
    }

    pub(crate) async fn change(
        &self,
        config: PeerConfig,
        resets: ResetPolicy,
    ) -> Result<Updated, SpeakerError> {
        config.check()?;
        if config.id() != self.id {
            return Err(SpeakerError::PeerConfig {
                peer: self.id,
                field: "address",
                value: config.id().to_string(),
                expected: "the peer's own, since a different address means a different peer",
            });
        }
        socket::probe(&config).map_err(|source| SpeakerError::Socket { peer: self.id, source })?;

        let (answer, outcome) = oneshot::channel();
        self.send(Command::Update(Box::new(config), resets, answer)).await?;
        outcome.await.map_err(|_| self.gone())?
    }

    /// The latest facts about the peer's BFD session, if it has one. A change of its state is a change of the peer's status;
    /// a change of its counters is not.
    pub fn bfd(&self) -> Option<BfdStatus> {
        self.bfd.borrow().clone()
    }

    /// A receiver that wakes when the state of [`bfd`](Self::bfd) changes, or the problem that prevents it from coming up.
    pub fn bfd_changes(&self) -> watch::Receiver<Option<BfdStatus>> {
        self.bfd.clone()
    }

    /// Ends the session for good with Cease / Administrative Shutdown and a text for the peer's
    /// operator (RFC 9003; empty for none), removes the peer from the speaker, and waits until its
    /// connections are closed, a few seconds at most. After that, calls on other handles of the peer fail.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerShutDown`] if the peer has been shut down already.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before the peer's task has taken the request only drops the handle. After that, the peer ends in the
    /// background.
    pub async fn shutdown(mut self, message: &str) -> Result<(), SpeakerError> {
        let cease =
            Notification::cease_with_message(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN, message);
        self.send(Command::Shutdown(cease)).await?;
        // The task drops its end of the channel last.
        while self.status.changed().await.is_ok() {}
        Ok(())
    }

    /// Closes the peer's connections without a NOTIFICATION, as the system does for a process that is killed, removes the
    /// peer from the speaker and waits until that is done. A peer that has agreed on graceful restart keeps our routes for
    /// the restart time (RFC 4724 section 4.2); any other drops them at once. [`Speaker::abandon`](crate::Speaker::abandon)
    /// does the same with all peers.
    ///
    /// If BFD is up, it goes on until the peer has closed its end, for a few seconds at most. Otherwise the peer could notice the
    /// end of BFD first, and drop the routes because of a failure.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerShutDown`] if the peer has been shut down already.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before the peer's task has taken the request only drops the handle. After that, the peer ends in the
    /// background.
    pub async fn abandon(mut self) -> Result<(), SpeakerError> {
        self.send(Command::Abandon).await?;
        // The task drops its end of the channel last.
        while self.status.changed().await.is_ok() {}
        Ok(())
    }

    /// Ends the session for good with Cease / Peer De-configured (RFC 4486), removes the peer from the speaker, and waits
    /// until its connections are closed, a few seconds at most. Dropping the last handle does the same in the background.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before the peer's task has taken the request only drops the handle. After that, the peer ends in the
    /// background.
    pub async fn remove(self) {
        self.end(Notification::cease(CeaseSubcode::PEER_DECONFIGURED)).await;
    }

    /// Waits until the status changes, for example the state, the negotiated values, or the reason of the session's end.
    /// The first call returns at once if something changed since the peer was added.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerShutDown`] if there will be no more changes.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done loses nothing. The next call sees what this one would have seen.
    pub async fn changed(&mut self) -> Result<PeerStatus, SpeakerError> {
        match self.status.changed().await {
            Ok(()) => Ok(self.status.borrow_and_update().clone()),
            Err(_) => Err(self.gone()),
        }
    }

    /// Waits until the status satisfies `wanted`. It may do so already.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerShutDown`] if it never will.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done loses nothing. The next call sees what this one would have seen.
    pub async fn wait_for(
        &mut self,
        wanted: impl FnMut(&PeerStatus) -> bool,
    ) -> Result<PeerStatus, SpeakerError> {
        let status = self.status.wait_for(wanted).await.ok().map(|status| status.clone());
        status.ok_or_else(|| self.gone())
    }

    /// Waits until the session is Established.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerShutDown`] if it never will.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done loses nothing. The next call sees what this one would have seen.
    pub async fn established(&mut self) -> Result<PeerStatus, SpeakerError> {
        self.wait_for(PeerStatus::is_established).await
    }

    /// Returns true if the peer has been shut down. It accepts no more requests then.
    pub fn is_shut_down(&self) -> bool {
        self.commands.is_closed()
    }

    /// The latest facts.
    pub fn status(&self) -> PeerStatus {
        self.status.borrow().clone()
    }

    /// The latest counters.
    pub fn stats(&self) -> PeerStats {
        self.status.borrow().stats.clone()
    }

    /// The peer's name within its speaker.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Ends the session for good with this NOTIFICATION, and waits until its connections are closed.
    pub(crate) async fn end(mut self, cease: Notification) {
        if self.send(Command::Shutdown(cease)).await.is_ok() {
            // The task drops its end of the channel last.
            while self.status.changed().await.is_ok() {}
        }
    }

    async fn change_routes(&self, command: Command) -> Result<(), SpeakerError> {
        if self.status.borrow().relay.is_some() {
            return Err(SpeakerError::PeerRelays { peer: self.id });
        }
        self.send(command).await
    }

    pub(crate) async fn send(&self, command: Command) -> Result<(), SpeakerError> {
        self.commands.send(command).await.map_err(|_| self.gone())
    }

    pub(crate) fn gone(&self) -> SpeakerError {
        SpeakerError::PeerShutDown { peer: self.id }
    }
}
