//! [`Registry`]: the peers of a speaker as the listeners and the speaker's handle know them.
//!
//! It decides which peer a connection belongs to, and keeps the passwords and keys of the listening sockets in line with the
//! peers. It reads nothing from a connection.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::AbortHandle,
};

use crate::{
    PeerConfig, PeerHandle, PeerId, PeerStatus, SpeakerError, Transport,
    bfd::BfdStatus,
    command::{Command, SessionEnd},
    socket::{
        self,
        authentication::{self, KeyScope},
    },
};

/// The peers of a speaker, shared by its handle, its listeners and its peers' tasks.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    state: Mutex<RegistryState>,
    /// The number of tasks that are left, listeners included.
    tasks: watch::Sender<usize>,
}

/// A peer to register, with the ends of the channels to its task.
pub(crate) struct NewPeer {
    pub(crate) config: Arc<PeerConfig>,
    pub(crate) status: watch::Receiver<PeerStatus>,
    pub(crate) commands: mpsc::WeakSender<Command>,
    pub(crate) accepted: mpsc::Sender<Transport>,
    pub(crate) stop: oneshot::Sender<SessionEnd>,
    pub(crate) bfd: watch::Receiver<Option<BfdStatus>>,
}

/// A prefix whose addresses may all be peers.
pub(crate) struct RegisteredRange {
    pub(crate) prefix: IpNet,
    /// The socket options of its peers.
    pub(crate) template: Arc<PeerConfig>,
    pub(crate) newcomers: mpsc::Sender<Transport>,
}

/// The outcome of a connection that came from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accepted {
    /// The connection was handed to the peer, whose state machine decides about it.
    Peer(PeerId),
    /// The peer has several connections waiting already; this one was closed.
    Busy(PeerId),
    /// No peer has the source address; the connection was closed.
    Stranger,
}

impl Registry {
    /// Adds a peer. The peer's task holds the registration to its end, since dropping it removes the peer.
    pub(crate) fn add(self: &Arc<Self>, peer: NewPeer) -> Result<Registration, SpeakerError> {
        let NewPeer { config, status, commands, accepted, stop, bfd } = peer;
        let id = config.id();

        let mut state = self.lock();
        if state.shut_down {
            return Err(SpeakerError::SpeakerShutDown);
        }
        if state.peers.contains_key(&id) {
            return Err(SpeakerError::PeerExists { peer: id });
        }
        state.set_authentication(&config, config.address().into())?;

        let stop = Some(stop);
        let peer = RegisteredPeer { config, status, commands, accepted, stop, bfd, task: None };
        state.peers.insert(id, peer);
        drop(state);

        Ok(Registration { registry: Arc::clone(self), peer: id, _task: self.count_task() })
    }

    /// Accepts new peers from a prefix, which no other range may have.
    pub(crate) fn add_range(&self, range: RegisteredRange) -> Result<(), SpeakerError> {
        let mut state = self.lock();
        if state.shut_down {
            return Err(SpeakerError::SpeakerShutDown);
        }
        if state.ranges.iter().any(|other| other.prefix == range.prefix) {
            return Err(SpeakerError::RangeExists { prefix: range.prefix });
        }
        state.set_authentication(&range.template, whole(range.prefix))?;
        state.ranges.push(range);
        Ok(())
    }

    pub(crate) fn remove_range(&self, prefix: IpNet) {
        let mut state = self.lock();
        let Some(index) = state.ranges.iter().position(|range| range.prefix == prefix) else {
            return;
        };
        let range = state.ranges.swap_remove(index);
        state.remove_authentication(&range.template, whole(prefix));
    }

    /// A new handle on a registered peer.
    pub(crate) fn handle(&self, peer: PeerId) -> Option<PeerHandle> {
        let state = self.lock();
        let registered = state.peers.get(&peer)?;
        let commands = registered.commands.upgrade()?;
        Some(PeerHandle::new(peer, commands, registered.status.clone(), registered.bfd.clone()))
    }

    /// Keeps the means to end the peer's task by force.
    pub(crate) fn started(&self, peer: PeerId, task: AbortHandle) {
        if let Some(registered) = self.lock().peers.get_mut(&peer) {
            registered.task = Some(task);
        }
    }

    /// Adds a listener, which serves all peers, including those that are added later.
    pub(crate) fn listen(&self, listener: Arc<TcpListener>) {
        self.lock().listeners.push(listener);
    }

    /// Hands a connection to the peer that has its source address.
    pub(crate) fn accept(&self, transport: Transport) -> Accepted {
        let peer = PeerId::from(transport.endpoints().remote);
        let mut state = self.lock();
        let Some(registered) = state.peers.get(&peer) else {
            let offered = state.offer_to_range(transport);
            return offered.unwrap_or_else(|| {
                state.strangers += 1;
                Accepted::Stranger
            });
        };

        match registered.accepted.try_send(transport) {
            Ok(()) => Accepted::Peer(peer),
            Err(_) => Accepted::Busy(peer),
        }
    }

    /// Like [`Registry::accept`], after setting the peer's socket options.
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

    /// Asks every task to end its session like this, and accepts no new peer.
    pub(crate) fn shut_down(&self, end: &SessionEnd) {
        let mut state = self.lock();
        state.close();
        for registered in state.peers.values_mut() {
            if let Some(stop) = registered.stop.take() {
                // A task that is ending already doesn't receive it.
                let _ = stop.send(end.clone());
            }
        }
    }

    /// Aborts the tasks that are left, and accepts no new peer.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        state.close();
        for task in state.peers.values().filter_map(|registered| registered.task.as_ref()) {
            task.abort();
        }
    }

    /// Waits until no task is left.
    pub(crate) async fn ended(&self) {
        let mut tasks = self.tasks.subscribe();
        // This can't fail: the sender is ours.
        let _ = tasks.wait_for(|tasks| *tasks == 0).await;
    }

    /// Counts a task for as long as the guard lives.
    pub(crate) fn count_task(self: &Arc<Self>) -> TaskGuard {
        self.tasks.send_modify(|tasks| *tasks += 1);
        TaskGuard(Arc::clone(self))
    }

    /// The status of each peer, in the order of their addresses.
    pub(crate) fn statuses(&self) -> Vec<PeerStatus> {
        self.lock().peers.values().map(|registered| registered.status.borrow().clone()).collect()
    }

    /// Returns the status of a peer that is ending, whose closing shows that the peer is gone. A peer ends when all its
    /// handles were dropped, or one of them shut it down.
    pub(crate) fn ending(&self, peer: PeerId) -> Option<watch::Receiver<PeerStatus>> {
        let state = self.lock();
        let registered = state.peers.get(&peer)?;
        let ending = registered.commands.upgrade().is_none_or(|commands| commands.is_closed());
        ending.then(|| registered.status.clone())
    }

    /// The number of connections from addresses that no peer has.
    pub(crate) fn strangers(&self) -> u64 {
        self.lock().strangers
    }

    /// The state is consistent at any time, so a panic elsewhere doesn't spoil it.
    fn lock(&self) -> MutexGuard<'_, RegistryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct RegistryState {
    shut_down: bool,
    peers: BTreeMap<PeerId, RegisteredPeer>,
    listeners: Vec<Arc<TcpListener>>,
    ranges: Vec<RegisteredRange>,
    strangers: u64,
}

/// A registered peer.
struct RegisteredPeer {
    config: Arc<PeerConfig>,
    status: watch::Receiver<PeerStatus>,
    commands: mpsc::WeakSender<Command>,
    accepted: mpsc::Sender<Transport>,
    stop: Option<oneshot::Sender<SessionEnd>>,
    bfd: watch::Receiver<Option<BfdStatus>>,
    task: Option<AbortHandle>,
}

impl RegistryState {
    /// Stops accepting peers and connections.
    fn close(&mut self) {
        self.shut_down = true;
        self.listeners.clear();
        self.ranges.clear();
    }

    /// The configuration whose socket options apply to a connection from `remote`.
    fn config_for(&self, remote: SocketAddr) -> Option<Arc<PeerConfig>> {
        if let Some(peer) = self.peers.get(&remote.into()) {
            return Some(Arc::clone(&peer.config));
        }
        let range = self.range_of(remote)?;
        Some(Arc::clone(&range.template))
    }

    /// Hands a connection from an address that no peer has to the range that the address is in, if there is one.
    fn offer_to_range(&self, transport: Transport) -> Option<Accepted> {
        let remote = transport.endpoints().remote;
        let range = self.range_of(remote)?;
        let peer = PeerId::from(remote);
        match range.newcomers.try_send(transport) {
            Ok(()) => Some(Accepted::Peer(peer)),
            Err(_) => Some(Accepted::Busy(peer)),
        }
    }

    /// The range with the longest prefix that contains an address.
    fn range_of(&self, remote: SocketAddr) -> Option<&RegisteredRange> {
        let address: IpAddr = PeerId::from(remote).address();
        let containing = self.ranges.iter().filter(|range| range.prefix.contains(&address));
        containing.max_by_key(|range| range.prefix.prefix_len())
    }

    /// The listening sockets that this peer can connect to, with their addresses.
    fn listeners_for(
        &self,
        config: &PeerConfig,
    ) -> impl Iterator<Item = (&TcpListener, SocketAddr)> {
        let v4 = config.address().is_ipv4();
        let with_address = self
            .listeners
            .iter()
            .filter_map(|listener| Some((listener.as_ref(), listener.local_addr().ok()?)));
        with_address.filter(move |(_, address)| address.is_ipv4() == v4)
    }

    /// Makes the listeners require the peer's password or keys.
    fn set_authentication(&self, config: &PeerConfig, scope: KeyScope) -> Result<(), SpeakerError> {
        for (listener, address) in self.listeners_for(config) {
            if let Err(source) = authentication::set(listener, scope, &config.transport) {
                self.remove_authentication(config, scope);
                let peer = config.id();
                return Err(SpeakerError::Password { peer, listener: address, source });
            }
        }
        Ok(())
    }

    fn remove_authentication(&self, config: &PeerConfig, scope: KeyScope) {
        for (listener, address) in self.listeners_for(config) {
            if let Err(error) = authentication::remove(listener, scope, &config.transport) {
                tracing::debug!(peer = %config.id(), %address, %error, "no password to remove");
            }
        }
    }
}

/// All addresses of a prefix.
fn whole(prefix: IpNet) -> KeyScope {
    let address = SocketAddr::new(prefix.addr(), 0);
    KeyScope { address, prefix_len: Some(prefix.prefix_len()) }
}

impl fmt::Debug for RegistryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryState").field("peers", &self.peers.keys()).finish_non_exhaustive()
    }
}

/// A peer's entry in the registry. Dropping it removes the peer.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    peer: PeerId,
    /// Dropped last: once no task is left, the registry has no peer.
    _task: TaskGuard,
}

impl Registration {
    /// Applies another configuration to the listeners, and to connections that are accepted from now on.
    pub(crate) fn update(&self, config: &Arc<PeerConfig>) -> Result<(), SpeakerError> {
        let mut state = self.registry.lock();
        let Some(registered) = state.peers.get(&self.peer) else { return Ok(()) };
        let before = Arc::clone(&registered.config);

        if !before.transport.has_same_authentication(&config.transport) {
            state.remove_authentication(&before, before.address().into());
            if let Err(error) = state.set_authentication(config, config.address().into()) {
                // The old authentication worked before, so it is likely to work again.
                let _ = state.set_authentication(&before, before.address().into());
                return Err(error);
            }
        }

        if let Some(registered) = state.peers.get_mut(&self.peer) {
            registered.config = Arc::clone(config);
        }
        Ok(())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut state = self.registry.lock();
        if let Some(registered) = state.peers.remove(&self.peer) {
            state.remove_authentication(&registered.config, registered.config.address().into());
        }
    }
}

/// A counted task.
#[derive(Debug)]
pub(crate) struct TaskGuard(Arc<Registry>);

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.tasks.send_modify(|tasks| *tasks -= 1);
    }
}
