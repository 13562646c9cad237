//! One session that is there, Established or being tried.

use std::sync::Arc;

use bgp_session::bfd::{BfdStatus, State};
use bgp_session::{
    InterfaceHandle, PeerHandle, PeerStats, PeerStatus, RouteSet, Speaker, SpeakerError, StateKind,
    UnsendableRoute, Updated,
};
use tokio::sync::Notify;

use super::terms::{Remote, Terms, Wanted};

/// A session, and the speaker that has it.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) terms: Terms,
    pub(super) routes: Arc<RouteSet>,
    /// Which of its node's speakers has it.
    pub(super) number: usize,
    speaker: Speaker,
    handle: Handle,
}

#[derive(Debug)]
enum Handle {
    Address(PeerHandle),
    Interface(InterfaceHandle),
}

impl Open {
    /// Opens a session at the node's speaker of this number.
    pub(super) async fn new(
        wanted: &Wanted,
        (number, speaker): (usize, Speaker),
        bell: &Arc<Notify>,
    ) -> Result<Self, SpeakerError> {
        let handle = match wanted.terms.whole() {
            Remote::Address(config) => {
                let peer = speaker.add_peer(config).await?;
                ring_at_bfd(&peer, bell);
                Handle::Address(peer)
            }
            Remote::Interface(peer) => {
                let handle = speaker.add_interface_peer(peer)?;
                ring_at_changes(&handle, &speaker, bell);
                Handle::Interface(handle)
            }
        };
        let routes = Arc::new(wanted.routes.clone());
        let open = Self { terms: wanted.terms.clone(), routes, number, speaker, handle };
        open.announce().await?;
        Ok(open)
    }

    /// Gives it these routes instead of those that it has.
    pub(super) async fn set_routes(&mut self, routes: &RouteSet) -> Result<(), SpeakerError> {
        self.routes = Arc::new(routes.clone());
        self.announce().await
    }

    async fn announce(&self) -> Result<(), SpeakerError> {
        match &self.handle {
            Handle::Address(peer) => peer.set_routes(Arc::clone(&self.routes)).await,
            Handle::Interface(interface) => {
                interface.set_routes(Arc::clone(&self.routes));
                Ok(())
            }
        }
    }

    /// Gives it new terms. A session that cannot go on with them is ended by Cease / Other Configuration Change, which
    /// lets a router keep the routes until the next one (RFC 8538), and begun again. Changes nothing and returns nothing
    /// if the terms are for another router, or cannot be used.
    pub(super) async fn change(&mut self, terms: &Terms) -> Option<Updated> {
        let updated: Result<Updated, SpeakerError> = match (&self.handle, terms.whole()) {
            _ if !self.terms.remote.is_same(&terms.remote) => return None,
            (Handle::Address(peer), Remote::Address(config)) => peer.update(config).await,
            (Handle::Interface(handle), Remote::Interface(peer)) => handle.update(peer).await,
            _ => return None,
        };
        let updated = updated.ok()?;
        self.terms = terms.clone();
        Some(updated)
    }

    /// Returns true if the speaker has ended it for good, as at the end of a drain.
    pub(super) fn has_ended(&self) -> bool {
        match &self.handle {
            Handle::Address(peer) => peer.is_shut_down(),
            Handle::Interface(interface) => interface.is_shut_down(),
        }
    }

    /// Ends it for good with Cease / Peer De-configured.
    pub(super) async fn close(self) {
        match self.handle {
            Handle::Address(peer) => peer.remove().await,
            Handle::Interface(interface) => interface.remove().await,
        }
    }

    /// Ends it without a word to the router.
    pub(super) async fn abandon(self) {
        match self.handle {
            // It may have ended already.
            Handle::Address(peer) => drop(peer.abandon().await),
            Handle::Interface(interface) => interface.abandon().await,
        }
    }

    /// Returns the routes that the session cannot carry, after it has looked at those that it was given.
    pub(super) async fn unsendable(&self) -> Vec<UnsendableRoute> {
        let peer = match &self.handle {
            Handle::Address(peer) => Some(peer.clone()),
            Handle::Interface(interface) => {
                interface.status().peer.and_then(|peer| self.speaker.peer(peer))
            }
        };
        match peer {
            Some(peer) => peer.unsendable().await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    pub(super) fn status(&self) -> SessionStatus {
        match &self.handle {
            Handle::Address(peer) => {
                SessionStatus { peer: Some(peer.status()), bfd: peer.bfd(), problem: None }
            }
            Handle::Interface(interface) => {
                let found = interface.status();
                let peer = found.peer.and_then(|peer| self.speaker.peer(peer));
                let no_router = || format!("no router is heard on {} yet", interface.interface());
                let problem = found.problem.or_else(|| peer.is_none().then(no_router));
                let bfd = peer.as_ref().and_then(|peer| peer.bfd());
                SessionStatus { peer: peer.map(|peer| peer.status()), bfd, problem }
            }
        }
    }
}

/// How a session stands.
#[derive(Clone, Debug, Default)]
pub struct SessionStatus {
    /// What is known of the router; none while there is none on the interface, or the session could not be opened.
    pub peer: Option<PeerStatus>,
    /// The router's BFD session, if it has one.
    pub bfd: Option<BfdStatus>,
    /// What keeps the session from being tried.
    pub problem: Option<String>,
}

impl SessionStatus {
    /// One that could not be opened, for this reason.
    pub(super) fn refused(problem: String) -> Self {
        Self { problem: Some(problem), ..Self::default() }
    }

    /// Whether routes are being exchanged.
    pub fn is_established(&self) -> bool {
        self.peer.as_ref().is_some_and(PeerStatus::is_established)
    }

    /// Returns the number of routes that it cannot carry.
    pub fn unsendable(&self) -> usize {
        self.peer.as_ref().map_or(0, |peer| peer.unsendable)
    }

    /// The families that it carries, as `ipv4-unicast`, while it is up.
    pub fn families(&self) -> Option<Vec<String>> {
        let negotiated = self.peer.as_ref()?.negotiated.as_ref()?;
        Some(negotiated.families.iter().map(ToString::to_string).collect())
    }

    /// The state of RFC 4271; without a router it is Idle.
    pub fn state(&self) -> StateKind {
        self.peer.as_ref().map_or(StateKind::Idle, |peer| peer.state)
    }

    /// Returns what keeps the router's BFD session from coming up, if that is known here.
    pub fn bfd_problem(&self) -> Option<&str> {
        let bfd = self.bfd.as_ref().filter(|bfd| bfd.state != State::Up)?;
        bfd.problem.as_deref()
    }

    /// The counters.
    pub fn stats(&self) -> PeerStats {
        self.peer.as_ref().map(|peer| peer.stats.clone()).unwrap_or_default()
    }

    /// Why the last session ended.
    pub fn last_down(&self) -> Option<String> {
        Some(self.peer.as_ref()?.last_down.as_ref()?.to_string())
    }

    /// Why there is no session: what keeps it from being tried, or else the most telling reason for which one ended or could
    /// not begin, and what came of the attempts since.
    pub fn reason(&self) -> Option<String> {
        if self.problem.is_some() {
            return self.problem.clone();
        }
        let peer = self.peer.as_ref()?;
        let error = peer.last_error.as_ref()?;
        let since = peer.last_failure.as_ref().filter(|failure| *failure != error);
        let since = since.map(|failure| format!("; since then: {failure}")).unwrap_or_default();
        Some(format!("{error}{since}"))
    }

    /// Whether graceful restart was agreed on.
    pub(super) fn restarts_gracefully(&self) -> bool {
        let negotiated = self.peer.as_ref().and_then(|peer| peer.negotiated.as_ref());
        negotiated.is_some_and(|it| it.extensions.graceful_restart.is_some())
    }
}

impl From<PeerStatus> for SessionStatus {
    fn from(peer: PeerStatus) -> Self {
        Self { peer: Some(peer), ..Self::default() }
    }
}

/// Rings the bell at every event of the speaker, for as long as it lives.
pub fn ring_at_events(speaker: &Speaker, bell: &Arc<Notify>) {
    let (mut events, bell) = (speaker.events(), Arc::clone(bell));
    tokio::spawn(async move {
        // News that were missed are news too.
        while events.next().await.is_some() {
            bell.notify_one();
        }
    });
}

fn ring_at_changes(handle: &InterfaceHandle, speaker: &Speaker, bell: &Arc<Notify>) {
    let (mut changes, speaker, bell) = (handle.status_changes(), speaker.clone(), Arc::clone(bell));
    tokio::spawn(async move {
        let mut watched = None;
        while changes.changed().await.is_ok() {
            let found = changes.borrow_and_update().peer;
            if let Some(peer) = found.filter(|_| watched != found).and_then(|it| speaker.peer(it)) {
                ring_at_bfd(&peer, &bell);
            }
            watched = found;
            bell.notify_one();
        }
    });
}

/// Rings the bell when BFD changes its state, and when something is found that keeps it from coming up: neither is an event
/// of the speaker.
fn ring_at_bfd(peer: &PeerHandle, bell: &Arc<Notify>) {
    let (mut changes, bell) = (peer.bfd_changes(), Arc::clone(bell));
    tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            bell.notify_one();
        }
    });
}
