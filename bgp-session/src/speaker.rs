//! [`Speaker`]: one BGP speaker, its listeners and its peers.
//!
//! It starts and ends the tasks. Sessions themselves are run by `task` and the core.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bgp_core::{
    Asn, BgpIdentifier,
    wire::{CeaseSubcode, Notification},
};
use tokio::{
    runtime::Handle,
    sync::{broadcast, mpsc, oneshot, watch},
    time::timeout,
};
use tracing::Instrument;

use crate::{
    Accepted, Connector, DrainStage, Event, Events, LocRibSnapshot, MessageRecorder, PeerConfig,
    PeerHandle, PeerId, PeerStatus, RouteChanges, SpeakerError, StationConfig, StationHandle,
    TableDump, TcpConnector, Transport,
    bfd::Bfd,
    bmp, clock,
    command::{self, SessionEnd},
    listener,
    monitoring::{Interest, Monitoring, PeerMonitor},
    registry::{NewPeer, Registry},
    relay::Relays,
    rpki::OriginValidation,
    socket,
    table::Table,
    task::{self, BfdMonitor, Inputs, PeerTask, Reports},
    watched::Watchable,
};

/// A BGP speaker: an AS, a BGP Identifier, and any number of peers.
///
/// Clones refer to the same speaker. When the last one is dropped, the listeners close and every session
/// ends with a Cease, in the background; [`Speaker::shutdown`] does so with a message and waits.
#[derive(Clone, Debug)]
pub struct Speaker {
    inner: Arc<SpeakerInner>,
}

/// The settings of a speaker that is not started yet; see [`Speaker::builder`].
#[must_use]
pub struct SpeakerBuilder {
    asn: Asn,
    identifier: BgpIdentifier,
    listen: Vec<SocketAddr>,
    connector: Arc<dyn Connector>,
    event_capacity: usize,
    route_change_capacity: usize,
}

impl SpeakerBuilder {
    /// Listens on this address for connections of the peers. May be called again for more
    /// addresses; the system chooses a port for port 0. Without a listener the speaker only dials.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen.push(address);
        self
    }

    /// Opens connections with this connector. Default: [`TcpConnector`].
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connector = Arc::new(connector);
        self
    }

    /// Sets the number of events that a reader may fall behind before it misses the oldest. Default: 1,024.
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.event_capacity = events.max(1);
        self
    }

    /// Sets the number of changes that a reader of [`Speaker::route_changes`] may fall behind before it gets the whole table
    /// again. Default: 8,192.
    ///
    /// While a change waits, it takes some 64 octets, and keeps the paths that its prefix had, if they have changed again. Those
    /// are 24 octets for each of up to 16 paths. With more paths it is what the next change had to copy, at most some 20 KiB.
    /// Attributes that no route has any more come on top.
    pub fn route_change_capacity(mut self, changes: usize) -> Self {
        self.route_change_capacity = changes.max(1);
        self
    }

    /// Starts the speaker on the current tokio runtime, which must have I/O and time enabled.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::Speaker`] and [`SpeakerError::Listen`].
    ///
    /// # Cancel safety
    ///
    /// The future never waits. Dropping it before it is polled starts nothing.
    #[expect(clippy::unused_async, reason = "binding may have to wait in a later version")]
    pub async fn start(self) -> Result<Speaker, SpeakerError> {
        self.check()?;

        let registry = Arc::new(Registry::default());
        let open = watch::Sender::new(());
        let mut addresses = Vec::new();
        for address in &self.listen {
            addresses.push(listen(*address, &registry, &open)?);
        }

        let threads = Handle::current().metrics().num_workers();
        let table = Arc::new(Table::new(threads, self.route_change_capacity));
        Ok(Speaker {
            inner: Arc::new(SpeakerInner {
                asn: self.asn,
                identifier: self.identifier,
                connector: self.connector,
                addresses,
                registry,
                open,
                drain: Watchable::default(),
                events: broadcast::Sender::new(self.event_capacity),
                relays: Arc::new(Relays::new(Arc::clone(&table))),
                table,
                monitoring: Arc::default(),
                bfd: Bfd::default(),
                origin_validation: OriginValidation::default(),
            }),
        })
    }

    fn check(&self) -> Result<(), SpeakerError> {
        if self.asn == Asn::ZERO {
            let expected = "an AS number (0 is reserved by RFC 7607)";
            return Err(SpeakerError::Speaker { field: "asn", value: "0".into(), expected });
        }
        if self.identifier.0 == Ipv4Addr::UNSPECIFIED {
            let (value, expected) = ("0.0.0.0".into(), "a nonzero BGP Identifier (RFC 6286)");
            return Err(SpeakerError::Speaker { field: "identifier", value, expected });
        }
        Ok(())
    }
}

/// Starts the task of a listener, and returns the address that it is bound to.
fn listen(
    address: SocketAddr,
    registry: &Arc<Registry>,
    open: &watch::Sender<()>,
) -> Result<SocketAddr, SpeakerError> {
    let (address, listener) = socket::listening(address)
        .and_then(|listener| Ok((listener.local_addr()?, Arc::new(listener))))
        .map_err(|source| SpeakerError::Listen { address, source })?;
    registry.listen(Arc::clone(&listener));

    let task = registry.count_task();
    let accepting = listener::run(listener, Arc::clone(registry), open.subscribe(), task);
    tokio::spawn(accepting.instrument(tracing::info_span!("listener", %address)));
    Ok(address)
}

impl Speaker {
    /// The builder of a speaker in this AS. The BGP Identifier is usually an IPv4 address of the router; it must
    /// differ from those of its neighbours in the AS (RFC 6286).
    pub fn builder(asn: Asn, identifier: BgpIdentifier) -> SpeakerBuilder {
        SpeakerBuilder {
            asn,
            identifier,
            listen: Vec::new(),
            connector: Arc::new(TcpConnector),
            event_capacity: 1_024,
            route_change_capacity: 8_192,
        }
    }

    /// Adds a peer and tries to get a session with it. No other peer is affected. If a peer with the same
    /// address is just ending, the call waits until its connections are closed.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerConfig`], [`SpeakerError::PeerExists`], [`SpeakerError::Password`],
    /// [`SpeakerError::Socket`],
    /// [`SpeakerError::SpeakerShutDown`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done adds no peer.
    pub async fn add_peer(&self, config: PeerConfig) -> Result<PeerHandle, SpeakerError> {
        config.check()?;
        socket::probe(&config)
            .map_err(|source| SpeakerError::Socket { peer: config.id(), source })?;
        self.predecessor_ended(config.id()).await;
        self.inner.insert(config)
    }

    /// A handle on an existing peer, even if a range or an interface added it.
    pub fn peer(&self, peer: PeerId) -> Option<PeerHandle> {
        self.inner.registry.handle(peer)
    }

    pub(crate) fn inner(&self) -> &Arc<SpeakerInner> {
        &self.inner
    }

    /// Hands the speaker a connection from elsewhere, for example from the embedder's own listener,
    /// or a pipe. It belongs to the peer whose address is `endpoints().remote`.
    pub fn accept(&self, transport: Transport) -> Accepted {
        self.inner.registry.accept(transport)
    }

    /// The speaker's AS.
    pub fn asn(&self) -> Asn {
        self.inner.asn
    }

    /// The speaker's BGP Identifier.
    pub fn identifier(&self) -> BgpIdentifier {
        self.inner.identifier
    }

    /// The first listening address, with the port that the system chose if port 0 was requested.
    pub fn listen_addr(&self) -> Option<SocketAddr> {
        self.inner.addresses.first().copied()
    }

    /// All listening addresses, in the order of the builder's calls.
    pub fn listen_addrs(&self) -> &[SocketAddr] {
        &self.inner.addresses
    }

    /// The events of all peers, from now on.
    pub fn events(&self) -> Events {
        Events { receiver: self.inner.events.subscribe() }
    }

    /// The status of every peer, in the order of their addresses.
    pub fn peers(&self) -> Vec<PeerStatus> {
        self.inner.registry.statuses()
    }

    /// The number of connections that were closed because no peer has their source address.
    pub fn strangers(&self) -> u64 {
        self.inner.registry.strangers()
    }

    /// The routes received from all peers with [`Import::Keep`](crate::Import::Keep), as they are
    /// now. This costs the same for any number of them.
    pub fn loc_rib(&self) -> LocRibSnapshot {
        self.inner.table.snapshot()
    }

    /// The table of [`Speaker::loc_rib`] and its changes as a stream. The first update is the table as it is then.
    ///
    /// ```no_run
    /// # use bgp_session::{RouteUpdate, Speaker};
    /// # async fn follow(speaker: Speaker) {
    /// let mut changes = speaker.route_changes();
    /// while let Some(update) = changes.next().await {
    ///     match update {
    ///         RouteUpdate::Table(table) => println!("{} prefixes", table.len()),
    ///         RouteUpdate::Change(change) => match change.paths.best() {
    ///             Some(best) => println!("{} from {}", change.prefix, best.peer),
    ///             None => println!("{} is withdrawn", change.prefix),
    ///         },
    ///     }
    /// }
    /// # }
    /// ```
    pub fn route_changes(&self) -> RouteChanges {
        self.inner.table.changes()
    }

    /// The number of changes of [`Speaker::loc_rib`] so far. Wait for it to grow, then take a snapshot;
    /// [`Speaker::route_changes`] tells what has changed.
    pub fn loc_rib_changed(&self) -> watch::Receiver<u64> {
        self.inner.table.version()
    }

    /// Records all messages of the peers and the changes of their states from now on, as MRT records. `buffer` is the number of
    /// octets that may wait for the recorder: beyond that, it misses some.
    pub fn record_messages(&self, buffer: usize) -> MessageRecorder {
        let (observer, _) = self.inner.monitoring.observe(Interest::EVERYTHING_SAID, buffer);
        MessageRecorder::new(observer)
    }

    /// The routes of [`Speaker::loc_rib`] as they are now, to be written as an MRT file.
    pub fn table_dump(&self) -> TableDump {
        TableDump::new(
            clock::unix_time(),
            self.identifier(),
            self.loc_rib(),
            &self.inner.monitoring.sessions(),
        )
    }

    /// Starts the stream to a monitoring station (BMP). It never delays a peer.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::Listen`] if the station is to connect and the address cannot be bound.
    ///
    /// # Cancel safety
    ///
    /// The future never waits. Dropping it before it is polled starts nothing.
    #[expect(clippy::unused_async, reason = "resolving names may have to wait in a later version")]
    pub async fn add_station(&self, config: StationConfig) -> Result<StationHandle, SpeakerError> {
        StationHandle::start(&self.inner, config)
    }

    /// Ends every session with Cease / Administrative Shutdown and a text for the peers' operators
    /// (RFC 9003; empty for none), closes the listeners, and waits until all sockets are closed: at
    /// most a few seconds, after which they are closed by force.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future after the first poll does not keep any session: all of them end in the background, but without a
    /// limit of time.
    pub async fn shutdown(&self, message: &str) {
        let cease =
            Notification::cease_with_message(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN, message);
        self.end(&SessionEnd::Cease(cease)).await;
    }

    /// Closes every connection and the listeners without a NOTIFICATION, as the system does for a process that is
    /// killed. Peers that have agreed on graceful restart keep our routes for the restart time (RFC 4724, section 4.2);
    /// others drop them at once. Use it in a process that is about to be started again. Takes a few seconds at most, see
    /// [`PeerHandle::abandon`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future after the first poll does not keep any session: all of them end in the background, but without a
    /// limit of time.
    pub async fn abandon(&self) {
        self.end(&SessionEnd::Abandon).await;
    }

    /// Ends every session and waits until all sockets are closed.
    async fn end(&self, end: &SessionEnd) {
        self.inner.shut_down(end);
        if timeout(SHUTDOWN_LIMIT, self.inner.registry.ended()).await.is_err() {
            tracing::warn!("sessions did not end in time, closing them by force");
            self.inner.registry.abort();
            self.inner.registry.ended().await;
        }

        // Stations hear of the end of each session first.
        self.inner.monitoring.close();
        let _ = timeout(STATIONS_LIMIT, self.inner.monitoring.ended()).await;
    }

    pub(crate) fn drain_stage(&self) -> &Watchable<DrainStage> {
        &self.inner.drain
    }

    /// Waits until a peer that is already ending is gone. Does not wait for any other.
    async fn predecessor_ended(&self, peer: PeerId) {
        let Some(mut status) = self.inner.registry.ending(peer) else { return };
        while status.changed().await.is_ok() {}
    }
}

/// The state that the clones of a speaker share.
pub(crate) struct SpeakerInner {
    asn: Asn,
    identifier: BgpIdentifier,
    connector: Arc<dyn Connector>,
    addresses: Vec<SocketAddr>,
    registry: Arc<Registry>,
    /// A value sent here, or dropping this, closes the listeners.
    open: watch::Sender<()>,
    /// The stage of a drain, for the peers' tasks.
    drain: Watchable<DrainStage>,
    events: broadcast::Sender<Event>,
    table: Arc<Table>,
    monitoring: Arc<Monitoring>,
    relays: Arc<Relays>,
    bfd: Bfd,
    origin_validation: OriginValidation,
}

impl SpeakerInner {
    /// Adds a peer and starts its task.
    pub(crate) fn insert(&self, config: PeerConfig) -> Result<PeerHandle, SpeakerError> {
        let config = Arc::new(config);
        let peer = config.id();

        let (commands, receive_commands) = mpsc::channel(command::CAPACITY);
        let (accepted, receive_accepted) = mpsc::channel(task::WAITING_CONNECTIONS);
        let (stop, receive_stop) = oneshot::channel();
        let (bfd, receive_bfd) = watch::channel(None);
        let (status, receive_status) = watch::channel(task::first_status(&config));
        let registration = self.registry.add(NewPeer {
            config: Arc::clone(&config),
            status: receive_status.clone(),
            commands: commands.downgrade(),
            accepted,
            stop,
            bfd: receive_bfd.clone(),
        })?;

        let inputs = Inputs {
            commands: receive_commands,
            accepted: receive_accepted,
            stop: receive_stop,
            drain: self.drain.watch(),
            vrps: self.origin_validation.change().watch(),
            relays: Arc::clone(&self.relays),
        };
        let events = self.events.clone();
        let monitor = PeerMonitor::new(peer, Arc::clone(&self.monitoring));
        let reports = Reports::new(&config, status, events, Arc::clone(&self.table), monitor);
        let monitor = BfdMonitor::new(self.bfd.clone(), Arc::clone(&self.registry), bfd);

        let jitter_seed = fastrand::u64(..);
        let settings = config.settings(self.asn, self.identifier, jitter_seed);
        let speaker = (self.asn, self.identifier);
        let connector = Arc::clone(&self.connector);
        let task = PeerTask::new(config, speaker, settings, connector, inputs, monitor, reports);

        let running = tokio::spawn(task.run(registration));
        self.registry.started(peer, running.abort_handle());
        Ok(PeerHandle::new(peer, commands, receive_status, receive_bfd))
    }

    pub(crate) fn origin_validation(&self) -> &OriginValidation {
        &self.origin_validation
    }

    /// The parts of the speaker that the task of a station needs.
    pub(crate) fn station_context(
        &self,
        config: StationConfig,
        stop: watch::Receiver<bmp::Stop>,
    ) -> bmp::StationContext {
        bmp::StationContext {
            config,
            asn: self.asn,
            identifier: self.identifier,
            monitoring: Arc::clone(&self.monitoring),
            registry: Arc::clone(&self.registry),
            table: Arc::clone(&self.table),
            stop,
        }
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    fn shut_down(&self, end: &SessionEnd) {
        self.open.send_replace(());
        self.registry.shut_down(end);
    }
}

impl Drop for SpeakerInner {
    fn drop(&mut self) {
        let cease = Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN);
        self.shut_down(&SessionEnd::Cease(cease));
        self.monitoring.close();
    }
}

impl fmt::Debug for SpeakerInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speaker")
            .field("asn", &self.asn)
            .field("identifier", &self.identifier)
            .field("addresses", &self.addresses)
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SpeakerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeakerBuilder")
            .field("asn", &self.asn)
            .field("identifier", &self.identifier)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// Longer than a station's task takes to close its connection.
const STATIONS_LIMIT: Duration = Duration::from_secs(2);
/// Longer than a peer's task takes to close its connections in the worst case.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(6);
