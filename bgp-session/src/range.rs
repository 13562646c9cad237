//! [`PeerRange`]: a prefix whose addresses become peers when they connect (dynamic neighbours).
//!
//! One task for each range adds a peer when it connects, removes it when its session is gone, and enforces the limits. The
//! peers themselves are run by `task`.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Arc, Weak},
    time::Duration,
};

use bgp_core::{
    fsm::RemoteAs,
    rib::RouteSet,
    wire::{CeaseSubcode, Notification},
};
use ipnet::IpNet;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::timeout,
};
use tracing::Instrument;

use crate::{
    LogPace, LogRoom, PeerConfig, PeerHandle, PeerId, Speaker, SpeakerError, Transport,
    registry::RegisteredRange, socket, speaker::SpeakerInner,
};

/// A prefix from which any address may be a peer, and the configuration of those peers.
///
/// ```
/// use bgp_session::{PeerRange, RemoteAs};
///
/// // Every node of the rack, each in an AS of its own.
/// let range = PeerRange::new("10.0.7.0/24".parse()?, RemoteAs::External)
///     .config(|peer| peer.password("s3cret"))
///     .limit(48);
/// # let _ = range;
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
///
/// Such peers are never dialled. A peer that is configured by its address does not belong to the range.
#[derive(Clone, Debug)]
#[must_use]
pub struct PeerRange {
    prefix: IpNet,
    template: PeerConfig,
    limit: usize,
    unestablished_limit: usize,
    patience: Duration,
    routes: Option<Arc<RouteSet>>,
}

impl PeerRange {
    /// Peers from `prefix` with an AS that `remote_as` admits.
    pub fn new(prefix: IpNet, remote_as: impl Into<RemoteAs>) -> Self {
        let prefix = prefix.trunc();
        // A placeholder for the address of the peer. The address of 0.0.0.0/0 or fe80::/10 cannot be a router's.
        let placeholder = match prefix {
            IpNet::V4(v4) if v4.addr().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpNet::V6(v6) if v6.addr().is_unspecified() || v6.addr().is_unicast_link_local() => {
                Ipv6Addr::LOCALHOST.into()
            }
            IpNet::V4(_) | IpNet::V6(_) => prefix.addr(),
        };
        Self {
            prefix,
            template: PeerConfig::new(placeholder, remote_as).passive(),
            limit: 100,
            unestablished_limit: 16,
            patience: Duration::from_secs(30),
            routes: None,
        }
    }

    /// Changes the configuration of the peers; its address has no meaning. A password or keys apply to
    /// the whole prefix. The peers are always passive.
    pub fn config(mut self, change: impl FnOnce(PeerConfig) -> PeerConfig) -> Self {
        self.template = change(self.template).passive();
        self
    }

    /// Limits the number of peers at a time. Default: 100.
    pub fn limit(mut self, peers: usize) -> Self {
        self.limit = peers;
        self
    }

    /// Limits the number of peers without a session: unknown hosts can occupy only these. Default: 16.
    pub fn unestablished_limit(mut self, peers: usize) -> Self {
        self.unestablished_limit = peers;
        self
    }

    /// Sets how long a peer may be without a session before it is removed, counted from its first connection, or from the
    /// end of a session. A peer whose first attempt fails is removed at once. Default: 30 s.
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// Sets the routes that are announced to each peer. Default: none, until [`PeerHandle::set_routes`] with the handle of
    /// [`Speaker::peer`].
    pub fn routes(mut self, routes: impl Into<Arc<RouteSet>>) -> Self {
        self.routes = Some(routes.into());
        self
    }

    /// The prefix.
    pub fn prefix(&self) -> IpNet {
        self.prefix
    }
}

impl Speaker {
    /// Accepts connections from all addresses of the range's prefix as peers, for as long as the handle is kept. Among
    /// several ranges the longest prefix wins. Events report the peers: [`EventKind::Added`](crate::EventKind::Added) and
    /// [`Removed`](crate::EventKind::Removed).
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerConfig`], [`SpeakerError::RangeExists`], [`SpeakerError::Password`],
    /// [`SpeakerError::Socket`], [`SpeakerError::SpeakerShutDown`].
    pub fn add_range(&self, range: PeerRange) -> Result<RangeHandle, SpeakerError> {
        range.template.check()?;
        socket::probe(&range.template)
            .map_err(|source| SpeakerError::Socket { peer: range.template.id(), source })?;

        let prefix = range.prefix;
        let (newcomers, receive_newcomers) = mpsc::channel(WAITING_NEWCOMERS);
        let template = Arc::new(range.template.clone());
        let inner = self.inner();
        inner.registry().add_range(RegisteredRange { prefix, template, newcomers })?;

        let (stop, stopped) = oneshot::channel();
        let (status, receive_status) = watch::channel(RangeStatus::default());
        let task = RangeTask {
            range,
            speaker: Arc::downgrade(inner),
            newcomers: receive_newcomers,
            status: Arc::new(status),
            keepers: JoinSet::new(),
            pace: LogPace::default(),
        };
        tokio::spawn(task.run(stopped).instrument(tracing::info_span!("range", %prefix)));
        Ok(RangeHandle { prefix, status: receive_status, _stop: stop })
    }
}

/// A handle on a [`PeerRange`]. Dropping it ends the sessions of its peers with Cease / Peer De-configured.
#[derive(Debug)]
pub struct RangeHandle {
    prefix: IpNet,
    status: watch::Receiver<RangeStatus>,
    _stop: oneshot::Sender<()>,
}

impl RangeHandle {
    /// The prefix.
    pub fn prefix(&self) -> IpNet {
        self.prefix
    }

    /// The numbers of peers.
    pub fn status(&self) -> RangeStatus {
        *self.status.borrow()
    }

    /// Waits until the status satisfies `wanted`. It may do so already. `None`: the speaker is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done loses nothing. The next call sees what this one would have seen.
    pub async fn wait_for(
        &mut self,
        wanted: impl FnMut(&RangeStatus) -> bool,
    ) -> Option<RangeStatus> {
        self.status.wait_for(wanted).await.ok().map(|status| *status)
    }
}

/// The numbers of a range's peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RangeStatus {
    /// All peers.
    pub peers: usize,
    /// Peers without a session.
    pub unestablished: usize,
    /// The number of connections that were closed because the range was full. It only grows.
    pub refused: u64,
}

struct RangeTask {
    range: PeerRange,
    speaker: Weak<SpeakerInner>,
    newcomers: mpsc::Receiver<Transport>,
    status: Arc<watch::Sender<RangeStatus>>,
    keepers: JoinSet<()>,
    /// The pace of lines about connections that were closed.
    pace: LogPace,
}

impl RangeTask {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                newcomer = self.newcomers.recv() => match newcomer {
                    Some(transport) => self.welcome(transport).await,
                    // The registry has dropped its end: the speaker shuts down.
                    None => break,
                },
                _ = &mut stopped => break,
                Some(_) = self.keepers.join_next() => {}
            }
        }

        if let Some(speaker) = self.speaker.upgrade() {
            speaker.registry().remove_range(self.range.prefix);
        }
        // Each keeper holds our only handle on its peer, and a peer without handles ends.
        self.keepers.shutdown().await;
    }

    /// Adds a peer for a connection.
    async fn welcome(&mut self, transport: Transport) {
        let Some(speaker) = self.speaker.upgrade() else { return };
        let remote = transport.endpoints().remote;
        let RangeStatus { peers, unestablished, .. } = *self.status.borrow();
        if peers >= self.range.limit || unestablished >= self.range.unestablished_limit {
            if let Some(LogRoom { left_out, .. }) = self.pace.take() {
                tracing::warn!(%remote, peers, unestablished, left_out, "closed a connection: the range is full");
            }
            self.status.send_modify(|status| status.refused += 1);
            return;
        }

        let added = speaker.insert(self.range.template.at(PeerId::from(remote)));
        match &added {
            Ok(handle) => self.keep(handle).await,
            // Another connection added the peer in between, or the peer is just ending.
            Err(error) => tracing::debug!(%remote, %error, "no new peer"),
        }

        let accepted = speaker.registry().accept(transport);
        tracing::debug!(%remote, new = added.is_ok(), ?accepted, "a newcomer");
    }

    /// Counts and keeps a new peer, and announces the range's routes to it.
    async fn keep(&mut self, handle: &PeerHandle) {
        let slot = RangeSlot::occupy(Arc::clone(&self.status));
        self.keepers.spawn(keep_while_useful(handle.clone(), self.range.patience, slot));

        if let Some(routes) = self.range.routes.clone() {
            // This doesn't wait, because a new peer's queue is empty. A peer that has ended already needs no routes.
            let _ = handle.set_routes(routes).await;
        }
    }
}

/// Keeps a peer for as long as it has a session, or may soon get one.
async fn keep_while_useful(mut handle: PeerHandle, patience: Duration, mut slot: RangeSlot) {
    let first = handle.wait_for(|status| status.is_established() || status.last_failure.is_some());
    let came_up = match timeout(patience, first).await {
        Ok(Ok(status)) => status.is_established(),
        Ok(Err(_)) | Err(_) => false,
    };

    if came_up {
        while let Ok(Ok(_)) = timeout(patience, handle.established()).await {
            slot.set_established(true);
            let ended = handle.wait_for(|status| !status.is_established()).await;
            slot.set_established(false);
            if ended.is_err() {
                break;
            }
        }
    }

    // The embedder may have handles too, so dropping ours is not enough.
    handle.end(Notification::cease(CeaseSubcode::PEER_DECONFIGURED)).await;
}

/// The share of one peer in a range's numbers.
struct RangeSlot {
    status: Arc<watch::Sender<RangeStatus>>,
    established: bool,
}

impl RangeSlot {
    fn occupy(status: Arc<watch::Sender<RangeStatus>>) -> Self {
        status.send_modify(|status| {
            status.peers += 1;
            status.unestablished += 1;
        });
        Self { status, established: false }
    }

    fn set_established(&mut self, established: bool) {
        if self.established == established {
            return;
        }
        self.established = established;
        self.status.send_modify(|status| {
            if established {
                status.unestablished -= 1;
            } else {
                status.unestablished += 1;
            }
        });
    }
}

impl Drop for RangeSlot {
    fn drop(&mut self) {
        self.set_established(false);
        self.status.send_modify(|status| {
            status.peers -= 1;
            status.unestablished -= 1;
        });
    }
}

const WAITING_NEWCOMERS: usize = 16;
