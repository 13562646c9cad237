//! [`PeerRange`]: peers that nobody names one by one; whoever connects from a prefix is one.
//!
//! One task for each range makes a peer of a connection and unmakes it when its session is gone. It holds the
//! limits. What a peer does is `task`'s business.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
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
    Accepted, PeerConfig, PeerHandle, PeerId, Speaker, SpeakerError, Transport,
    registry::RangeEntry, socket, speaker::Inner,
};

/// A prefix from which anybody may be a peer, and on which terms.
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
/// Such peers are never dialled. A peer that is configured by its address is not of the range.
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
        // Only a place for the address of the peer to come; that of 0.0.0.0/0 or fe80::/10 would be no router's.
        let somebody = match prefix {
            IpNet::V4(v4) if v4.addr().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpNet::V6(v6) if v6.addr().is_unspecified() || v6.addr().is_unicast_link_local() => {
                Ipv6Addr::LOCALHOST.into()
            }
            IpNet::V4(_) | IpNet::V6(_) => prefix.addr(),
        };
        Self {
            prefix,
            template: PeerConfig::new(somebody, remote_as).passive(),
            limit: 100,
            unestablished_limit: 16,
            patience: Duration::from_secs(30),
            routes: None,
        }
    }

    /// Changes the terms, which are those of a [`PeerConfig`] but for its address. A password or keys hold for
    /// the whole prefix. Whatever is said of it, the peers are passive.
    pub fn config(mut self, change: impl FnOnce(PeerConfig) -> PeerConfig) -> Self {
        self.template = change(self.template).passive();
        self
    }

    /// How many peers there may be at a time. Default: 100.
    pub fn limit(mut self, peers: usize) -> Self {
        self.limit = peers;
        self
    }

    /// How many of them may have no session, or not yet: what strangers can take up. Default: 16.
    pub fn unestablished_limit(mut self, peers: usize) -> Self {
        self.unestablished_limit = peers;
        self
    }

    /// How long a peer may be without a session before it is forgotten, from its first connection, or from the
    /// end of a session. One whose first attempt fails is forgotten at once. Default: 30 s.
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// What each of them is announced. Default: nothing until [`PeerHandle::set_routes`], with the handle of
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
    /// Takes whoever connects from the range's prefix for a peer, as long as the answer is kept. Of several ranges
    /// the longest prefix counts. Peers that come and go are told of by [`EventKind::Added`](crate::EventKind::Added)
    /// and [`Removed`](crate::EventKind::Removed).
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
        inner.registry().add_range(RangeEntry { prefix, template, newcomers })?;
        let (stop, stopped) = oneshot::channel();
        let (status, receive_status) = watch::channel(RangeStatus::default());
        let task = RangeTask {
            range,
            speaker: Arc::downgrade(inner),
            newcomers: receive_newcomers,
            status: Arc::new(status),
            keepers: JoinSet::new(),
        };
        tokio::spawn(task.run(stopped).instrument(tracing::info_span!("range", %prefix)));
        Ok(RangeHandle { prefix, status: receive_status, _stop: stop })
    }
}

/// A hold on a [`PeerRange`]. Dropping it ends the sessions of its peers with Cease / Peer De-configured.
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

    /// How many there are.
    pub fn status(&self) -> RangeStatus {
        *self.status.borrow()
    }

    /// Waits until the range is as `wanted`, which may be at once. `None`: the speaker is gone.
    pub async fn wait_for(
        &mut self,
        wanted: impl FnMut(&RangeStatus) -> bool,
    ) -> Option<RangeStatus> {
        self.status.wait_for(wanted).await.ok().map(|status| *status)
    }
}

/// The peers of a range, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RangeStatus {
    /// Peers that there are.
    pub peers: usize,
    /// Those of them without a session.
    pub unestablished: usize,
    /// Connections that were closed since the range was full; it only grows.
    pub refused: u64,
}

struct RangeTask {
    range: PeerRange,
    speaker: Weak<Inner>,
    newcomers: mpsc::Receiver<Transport>,
    status: Arc<watch::Sender<RangeStatus>>,
    keepers: JoinSet<()>,
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
        // Each keeper has its peer's only handle of ours, and a peer without handles ends.
        self.keepers.shutdown().await;
    }

    /// Makes a peer of a connection.
    async fn welcome(&mut self, transport: Transport) {
        let Some(speaker) = self.speaker.upgrade() else { return };
        let remote = transport.endpoints().remote;
        let RangeStatus { peers, unestablished, .. } = *self.status.borrow();
        if peers >= self.range.limit || unestablished >= self.range.unestablished_limit {
            tracing::warn!(%remote, peers, unestablished, "closed a connection: the range is full");
            self.status.send_modify(|status| status.refused += 1);
            return;
        }
        let config = self.range.template.at(PeerId::from(remote));
        let handle = match speaker.insert(config) {
            Ok(handle) => {
                let routes = self.range.routes.clone();
                let place = Place::taken(Arc::clone(&self.status));
                self.keepers.spawn(keep(handle.clone(), self.range.patience, place));
                if let Some(routes) = routes {
                    // A new peer's queue is empty, so that this doesn't wait.
                    let _ = handle.set_routes(routes).await;
                }
                Some(handle)
            }
            // It came between the connection and now, or it is just ending.
            Err(error) => {
                tracing::debug!(%remote, %error, "no new peer");
                None
            }
        };
        let accepted = speaker.registry().accept(transport);
        tracing::debug!(%remote, new = handle.is_some(), ?accepted, "a newcomer");
    }
}

/// Keeps a peer for as long as it has a session, or may get one.
async fn keep(mut handle: PeerHandle, patience: Duration, mut place: Place) {
    let begun = handle.wait_for(|status| status.is_established() || status.last_failure.is_some());
    let begun = timeout(patience, begun).await;
    if begun.is_ok_and(|status| status.is_ok_and(|status| status.is_established())) {
        while timeout(patience, handle.established()).await.is_ok_and(|status| status.is_ok()) {
            place.established(true);
            let over = handle.wait_for(|status| !status.is_established()).await.is_err();
            place.established(false);
            if over {
                break;
            }
        }
    }
    // Embedders may have handles too.
    handle.end(Notification::cease(CeaseSubcode::PEER_DECONFIGURED)).await;
}

/// One peer's part of the counts.
struct Place {
    status: Arc<watch::Sender<RangeStatus>>,
    established: bool,
}

impl Place {
    fn taken(status: Arc<watch::Sender<RangeStatus>>) -> Self {
        status.send_modify(|status| {
            status.peers += 1;
            status.unestablished += 1;
        });
        Self { status, established: false }
    }

    fn established(&mut self, established: bool) {
        if self.established != established {
            self.established = established;
            self.status.send_modify(|status| match established {
                true => status.unestablished -= 1,
                false => status.unestablished += 1,
            });
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.established(false);
        self.status.send_modify(|status| {
            status.peers -= 1;
            status.unestablished -= 1;
        });
    }
}

/// What becomes of a connection from an address that no peer has.
pub(crate) fn offer(ranges: &[RangeEntry], transport: Transport) -> Option<Accepted> {
    let remote = transport.endpoints().remote;
    let range = range_of(ranges, remote)?;
    let peer = PeerId::from(remote);
    Some(match range.newcomers.try_send(transport) {
        Ok(()) => Accepted::Peer(peer),
        Err(_) => Accepted::Busy(peer),
    })
}

/// The range with the longest prefix that an address is in.
pub(crate) fn range_of(ranges: &[RangeEntry], remote: SocketAddr) -> Option<&RangeEntry> {
    let address: IpAddr = PeerId::from(remote).address();
    let mine = ranges.iter().filter(|range| range.prefix.contains(&address));
    mine.max_by_key(|range| range.prefix.prefix_len())
}

const WAITING_NEWCOMERS: usize = 16;
