//! [`Registry`]: the peers of a speaker as the listeners and the speaker's handle know them.
//!
//! It decides which peer a connection belongs to, and sees to it that the listening sockets know
//! the passwords and keys of exactly the peers that there are. It does not look into a connection.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bgp_core::wire::Notification;
use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::AbortHandle,
};

use crate::{
    PeerConfig, PeerHandle, PeerId, PeerStatus, SpeakerError, Transport,
    bfd::BfdStatus,
    command::Command,
    range,
    socket::{
        self,
        authentication::{self, Whom},
    },
};

/// The peers of a speaker, shared by its handle, its listeners and its peers' tasks.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    inner: Mutex<Inner>,
    /// How many tasks are left, listeners included.
    tasks: watch::Sender<usize>,
}

/// One peer, seen from outside of its task.
pub(crate) struct Entry {
    pub(crate) config: Arc<PeerConfig>,
    pub(crate) status: watch::Receiver<PeerStatus>,
    pub(crate) commands: mpsc::WeakSender<Command>,
    pub(crate) accepted: mpsc::Sender<Transport>,
    pub(crate) stop: oneshot::Sender<Notification>,
    pub(crate) bfd: watch::Receiver<Option<BfdStatus>>,
}

/// A prefix from which anybody may be a peer.
pub(crate) struct RangeEntry {
    pub(crate) prefix: IpNet,
    /// The socket options of its peers.
    pub(crate) template: Arc<PeerConfig>,
    pub(crate) newcomers: mpsc::Sender<Transport>,
}

/// What became of a connection that came from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accepted {
    /// It is the peer's, whose state machine will judge it.
    Peer(PeerId),
    /// That peer has several waiting already; this one was closed.
    Busy(PeerId),
    /// No peer has that source address; it was closed.
    Stranger,
}

impl Registry {
    /// Adds a peer. Dropping the answer removes it, so the peer's task keeps it to its end.
    pub(crate) fn add(self: &Arc<Self>, entry: Entry) -> Result<Registration, SpeakerError> {
        let peer = entry.config.id();
        let mut inner = self.lock();
        if inner.shut_down {
            return Err(SpeakerError::SpeakerShutDown);
        }
        if inner.peers.contains_key(&peer) {
            return Err(SpeakerError::PeerExists { peer });
        }
        inner.set_authentication(&entry.config, entry.config.address().into())?;
        let Entry { config, status, commands, accepted, stop, bfd } = entry;
        let stop = Some(stop);
        let known = Known { config, status, commands, accepted, stop, bfd, task: None };
        inner.peers.insert(peer, known);
        drop(inner);
        Ok(Registration { registry: Arc::clone(self), peer, _alive: self.alive() })
    }

    /// Takes newcomers from a prefix, which no other range has.
    pub(crate) fn add_range(&self, range: RangeEntry) -> Result<(), SpeakerError> {
        let mut inner = self.lock();
        if inner.shut_down {
            return Err(SpeakerError::SpeakerShutDown);
        }
        if inner.ranges.iter().any(|other| other.prefix == range.prefix) {
            return Err(SpeakerError::RangeExists { prefix: range.prefix });
        }
        inner.set_authentication(&range.template, whole(range.prefix))?;
        inner.ranges.push(range);
        Ok(())
    }

    pub(crate) fn remove_range(&self, prefix: IpNet) {
        let mut inner = self.lock();
        let Some(index) = inner.ranges.iter().position(|range| range.prefix == prefix) else {
            return;
        };
        let range = inner.ranges.swap_remove(index);
        inner.remove_authentication(&range.template, whole(prefix));
    }

    /// A handle on a peer that there is.
    pub(crate) fn handle(&self, peer: PeerId) -> Option<PeerHandle> {
        let inner = self.lock();
        let known = inner.peers.get(&peer)?;
        let commands = known.commands.upgrade()?;
        Some(PeerHandle::new(peer, commands, known.status.clone(), known.bfd.clone()))
    }

    /// Notes how to end the peer's task by force.
    pub(crate) fn started(&self, peer: PeerId, task: AbortHandle) {
        if let Some(known) = self.lock().peers.get_mut(&peer) {
            known.task = Some(task);
        }
    }

    /// Has the listener serve the peers, those to come included.
    pub(crate) fn listen(&self, listener: Arc<TcpListener>) {
        self.lock().listeners.push(listener);
    }

    /// Hands a connection to the peer whose it is by its source address.
    pub(crate) fn accept(&self, transport: Transport) -> Accepted {
        let peer = PeerId::from(transport.endpoints().remote);
        let mut inner = self.lock();
        let Some(known) = inner.peers.get(&peer) else {
            let offered = range::offer(&inner.ranges, transport);
            return offered.unwrap_or_else(|| {
                inner.strangers += 1;
                Accepted::Stranger
            });
        };
        match known.accepted.try_send(transport) {
            Ok(()) => Accepted::Peer(peer),
            Err(_) => Accepted::Busy(peer),
        }
    }

    /// As [`Registry::accept`], with the peer's socket options.
    pub(crate) fn accept_tcp(&self, stream: TcpStream, remote: SocketAddr) -> Accepted {
        let Some(config) = self.lock().config_for(remote) else {
            self.lock().strangers += 1;
            return Accepted::Stranger;
        };
        let ready = socket::accepted(&stream, &config).and_then(|()| Transport::try_from(stream));
        match ready {
            Ok(transport) => self.accept(transport),
            Err(error) => {
                let peer = PeerId::from(remote);
                tracing::debug!(%peer, %error, "accepted connection is unusable");
                Accepted::Peer(peer)
            }
        }
    }

    /// Asks every task to end with that word to its peer, and takes no new one.
    pub(crate) fn shut_down(&self, cease: &Notification) {
        let mut inner = self.lock();
        inner.close();
        for known in inner.peers.values_mut() {
            if let Some(stop) = known.stop.take() {
                // A task that is ending by itself doesn't hear it.
                let _ = stop.send(cease.clone());
            }
        }
    }

    /// Ends the tasks that are left by force, and takes no new one.
    pub(crate) fn abort(&self) {
        let mut inner = self.lock();
        inner.close();
        for task in inner.peers.values().filter_map(|known| known.task.as_ref()) {
            task.abort();
        }
    }

    /// Waits until no task is left.
    pub(crate) async fn ended(&self) {
        let mut tasks = self.tasks.subscribe();
        // It can't fail: the sender is ours.
        let _ = tasks.wait_for(|tasks| *tasks == 0).await;
    }

    /// Counts a task as long as the answer lives.
    pub(crate) fn alive(self: &Arc<Self>) -> Alive {
        self.tasks.send_modify(|tasks| *tasks += 1);
        Alive(Arc::clone(self))
    }

    /// The status of each peer, in the order of their addresses.
    pub(crate) fn statuses(&self) -> Vec<PeerStatus> {
        self.lock().peers.values().map(|known| known.status.borrow().clone()).collect()
    }

    /// What tells that the peer is gone, if it is ending: all its handles were dropped or one of
    /// them shut it down.
    pub(crate) fn ending(&self, peer: PeerId) -> Option<watch::Receiver<PeerStatus>> {
        let inner = self.lock();
        let known = inner.peers.get(&peer)?;
        let ending = known.commands.upgrade().is_none_or(|commands| commands.is_closed());
        ending.then(|| known.status.clone())
    }

    /// How many connections came from nobody's address.
    pub(crate) fn strangers(&self) -> u64 {
        self.lock().strangers
    }

    /// The map is whole at any time, so a panic elsewhere doesn't spoil it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Inner {
    shut_down: bool,
    peers: BTreeMap<PeerId, Known>,
    listeners: Vec<Arc<TcpListener>>,
    ranges: Vec<RangeEntry>,
    strangers: u64,
}

/// A registered peer.
struct Known {
    config: Arc<PeerConfig>,
    status: watch::Receiver<PeerStatus>,
    commands: mpsc::WeakSender<Command>,
    accepted: mpsc::Sender<Transport>,
    stop: Option<oneshot::Sender<Notification>>,
    bfd: watch::Receiver<Option<BfdStatus>>,
    task: Option<AbortHandle>,
}

impl Inner {
    /// Takes no new peer and no connection any more.
    fn close(&mut self) {
        self.shut_down = true;
        self.listeners.clear();
        self.ranges.clear();
    }

    /// By whose options a connection from there goes.
    fn config_for(&self, remote: SocketAddr) -> Option<Arc<PeerConfig>> {
        let known = self.peers.get(&remote.into()).map(|known| &known.config);
        let config = known.or_else(|| Some(&range::range_of(&self.ranges, remote)?.template));
        config.map(Arc::clone)
    }

    /// The listening sockets that can hear this peer, with their addresses.
    fn listeners_for(
        &self,
        config: &PeerConfig,
    ) -> impl Iterator<Item = (&TcpListener, SocketAddr)> {
        let v4 = config.address().is_ipv4();
        let with_address =
            self.listeners.iter().filter_map(|it| Some((it.as_ref(), it.local_addr().ok()?)));
        with_address.filter(move |(_, address)| address.is_ipv4() == v4)
    }

    /// Has the listeners ask for the password or keys.
    fn set_authentication(&self, config: &PeerConfig, whom: Whom) -> Result<(), SpeakerError> {
        for (listener, address) in self.listeners_for(config) {
            if let Err(source) = authentication::set(listener, whom, &config.transport) {
                self.remove_authentication(config, whom);
                let peer = config.id();
                return Err(SpeakerError::Password { peer, listener: address, source });
            }
        }
        Ok(())
    }

    fn remove_authentication(&self, config: &PeerConfig, whom: Whom) {
        for (listener, address) in self.listeners_for(config) {
            if let Err(error) = authentication::remove(listener, whom, &config.transport) {
                tracing::debug!(peer = %config.id(), %address, %error, "no password to remove");
            }
        }
    }
}

/// All addresses of a prefix.
fn whole(prefix: IpNet) -> Whom {
    let address = SocketAddr::new(prefix.addr(), 0);
    Whom { address, prefix_len: Some(prefix.prefix_len()) }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("peers", &self.peers.keys()).finish_non_exhaustive()
    }
}

/// A peer's place in the registry.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    peer: PeerId,
    /// Dropped last: who waits for the tasks finds the registry without the peer.
    _alive: Alive,
}

impl Registration {
    /// Has the listeners and the accepted connections to come go by another configuration.
    pub(crate) fn update(&self, config: &Arc<PeerConfig>) -> Result<(), SpeakerError> {
        let mut inner = self.registry.lock();
        let Some(known) = inner.peers.get(&self.peer) else { return Ok(()) };
        let before = Arc::clone(&known.config);
        if !before.transport.has_same_authentication(&config.transport) {
            inner.remove_authentication(&before, before.address().into());
            if let Err(error) = inner.set_authentication(config, config.address().into()) {
                // The old one worked, so it is there again.
                let _ = inner.set_authentication(&before, before.address().into());
                return Err(error);
            }
        }
        if let Some(known) = inner.peers.get_mut(&self.peer) {
            known.config = Arc::clone(config);
        }
        Ok(())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut inner = self.registry.lock();
        if let Some(known) = inner.peers.remove(&self.peer) {
            inner.remove_authentication(&known.config, known.config.address().into());
        }
    }
}

/// A task that is counted.
#[derive(Debug)]
pub(crate) struct Alive(Arc<Registry>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.tasks.send_modify(|tasks| *tasks -= 1);
    }
}
