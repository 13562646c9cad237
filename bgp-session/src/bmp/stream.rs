//! [`Stream`]: one connection to a station, from Initiation to Termination.
//!
//! It sends what comes through the queue of its observer, in order. `tables.rs` sends the routes that the queue only says have
//! changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    time::Duration,
};

use bgp_core::{
    Afi, AfiSafi, Safi,
    bmp::{
        InformationType, Initiation, PeerDown, PeerDownReason, PeerFlags, PeerUp, PerPeerHeader,
        RouteMonitoring, Termination, TerminationReason, TerminationType, Tlvs,
        treated_as_withdrawn,
    },
    fsm::DownReason,
};
use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};

use crate::{
    PeerId, clock,
    monitoring::{Next, Observation, ObservedMessage, ObservedSession, Queue},
};

use super::{
    MonitoredRib, StationContext,
    loc_rib::LocRibView,
    outlet::{Ended, Outlet, stopped},
    routes::{Batch, FAMILIES, RibView},
    tables::ShownPeer,
};

/// A stream to a station.
pub(super) struct Stream<'a, W> {
    pub(super) context: &'a StationContext,
    pub(super) outlet: Outlet<'a, W>,
    queue: &'a Queue,
    pub(super) peers: BTreeMap<PeerId, ShownPeer>,
    pub(super) loc_rib: Option<LocRibView>,
    pub(super) batch: Batch,
    /// The time before which no table is read again.
    pub(super) next_tables: Instant,
}

/// What the tables behind a Peer Up hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dump {
    /// All routes of a session that was up before the stream. An End-of-RIB ends each table.
    Whole,
    /// The first routes of a new session. Both ends of it send their own End-of-RIBs, which end the tables of their routes. Only
    /// the routes that the peer should have are known already.
    Begun,
}

impl<'a, W: AsyncWrite + Unpin> Stream<'a, W> {
    pub(super) fn new(context: &'a StationContext, queue: &'a Queue, writer: W) -> Self {
        let loc_rib = context.config.shows(MonitoredRib::LocRib);
        Self {
            context,
            outlet: Outlet::new(writer, queue, context.stop.clone()),
            queue,
            peers: BTreeMap::new(),
            loc_rib: loc_rib.then(|| LocRibView::new(context)),
            batch: Batch::default(),
            next_tables: Instant::now(),
        }
    }

    /// Sends the stream until it ends. Then the last messages are still sent, if the station takes them in time.
    pub(super) async fn run(
        &mut self,
        sessions: Vec<Arc<ObservedSession>>,
        reader: impl AsyncRead + Unpin,
    ) -> Ended {
        let ended = match self.begin(sessions).await {
            Ok(()) => self.follow(reader).await,
            Err(ended) => ended,
        };
        let text = match &ended {
            Ended::Closed(_) | Ended::TooSlow(_) => return ended,
            Ended::Stopped(text) => text.as_str(),
            Ended::NoSpeaker => "the speaker has ended",
        };

        let mut information = BytesMut::new();
        if !text.is_empty() {
            TerminationType::STRING.encode(text, &mut information);
        }
        TerminationReason::ADMINISTRATIVELY_CLOSED.encode(&mut information);
        let information = Tlvs::read(&information).unwrap_or(Tlvs::none());
        Termination { information }.encode(&mut self.outlet.out);
        // Late or not, there is nothing more to do.
        let _ = tokio::time::timeout(LAST_OCTETS, self.outlet.finish()).await;
        ended
    }

    /// The number of octets that were sent.
    pub(super) fn octets(&self) -> u64 {
        self.outlet.octets
    }

    /// Sends what the station has to know first: the speaker, the sessions and their tables.
    async fn begin(&mut self, sessions: Vec<Arc<ObservedSession>>) -> Result<(), Ended> {
        let mut information = BytesMut::new();
        InformationType::SYS_DESCR.encode(&self.context.config.sys_descr, &mut information);
        InformationType::SYS_NAME.encode(&self.context.config.sys_name, &mut information);
        let information = Tlvs::read(&information).unwrap_or(Tlvs::none());
        Initiation { information }.encode(&mut self.outlet.out);

        for session in sessions {
            self.peer_up(session, Dump::Whole).await?;
        }
        if let Some(loc_rib) = &mut self.loc_rib {
            loc_rib.begin(self.context, &mut self.outlet).await?;
        }
        self.outlet.flush().await
    }

    /// Sends changes as they come.
    async fn follow(&mut self, mut reader: impl AsyncRead + Unpin) -> Ended {
        let every = self.context.config.statistics_interval;
        let has_statistics = !every.is_zero();
        let every = if has_statistics { every } else { Duration::from_secs(3_600) };
        let mut statistics = interval_at(Instant::now() + every, every);
        statistics.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (queue, mut stop) = (self.queue, self.context.stop.clone());
        let mut ignored = [0; 512];

        loop {
            let tables_due = self.next_tables <= Instant::now();
            let done = tokio::select! {
                text = stopped(&mut stop) => return Ended::Stopped(text),
                next = queue.next(tables_due) => match next {
                    Next::Missed(missed) => return Ended::TooSlow(missed),
                    Next::Closed => return Ended::NoSpeaker,
                    Next::Observation(observation) => self.show(observation).await,
                    Next::Changed(peers) => self.show_tables(peers).await,
                },
                () = loc_rib_changed(&mut self.loc_rib), if tables_due => self.show_loc_rib().await,
                () = sleep_until(self.next_tables), if !tables_due => Ok(()),
                _ = statistics.tick(), if has_statistics => {
                    self.report_statistics();
                    Ok(())
                }
                read = reader.read(&mut ignored) => match read {
                    // A station has nothing to say (RFC 7854 section 3.2).
                    Ok(octets) if octets > 0 => Ok(()),
                    Ok(_) => Err(Ended::Closed(io::ErrorKind::UnexpectedEof.into())),
                    Err(error) => Err(Ended::Closed(error)),
                },
            };
            if let Err(ended) = done {
                return ended;
            }

            // What waits in the queue goes into the same octets.
            while !self.outlet.is_full() {
                let Some(observation) = queue.try_observation() else { break };
                if let Err(ended) = self.show(observation).await {
                    return ended;
                }
            }
            if let Err(ended) = self.outlet.flush().await {
                return ended;
            }
        }
    }

    async fn show(&mut self, observation: Observation) -> Result<(), Ended> {
        match observation {
            Observation::Up(session) => self.peer_up(session, Dump::Begun).await?,
            Observation::Down(peer, at, reason) => self.peer_down(peer, at, reason),
            Observation::Message(message) => self.show_message(&message),
            Observation::EndOfRib(peer, family) => {
                // The routes before it have to be known first.
                self.show_tables(BTreeSet::from([peer])).await?;
                if let Some(peer) = self.peers.get(&peer) {
                    peer.adj_rib_in_view().end_of_rib(family, &mut self.outlet.out);
                }
            }
            Observation::State(_) => {}
        }
        Ok(())
    }

    /// Sends a Peer Up and the tables of the session.
    async fn peer_up(&mut self, session: Arc<ObservedSession>, dump: Dump) -> Result<(), Ended> {
        let (peer, negotiated) = (session.peer, &session.negotiated);
        let header = PerPeerHeader::new(
            peer.address(),
            negotiated.remote_asn,
            negotiated.remote_identifier,
            session.at,
        );
        let endpoints = session.start.endpoints;
        PeerUp {
            peer: header,
            local_address: endpoints.local.ip(),
            local_port: endpoints.local.port(),
            remote_port: endpoints.remote.port(),
            sent_open: &session.start.sent_open,
            received_open: &session.start.received_open,
            information: Tlvs::none(),
        }
        .encode(&mut self.outlet.out);

        // The times of routes from before are unknown.
        let header = header.at(Duration::ZERO);
        let shown = ShownPeer::new(session, header);
        self.peers.insert(peer, shown);
        self.show_peer_tables(peer, Duration::ZERO).await?;
        if dump == Dump::Begun {
            self.end_of_rib(peer, MonitoredRib::AdjRibOutPrePolicy, ShownPeer::routes_view);
            return Ok(());
        }

        if self.shows(MonitoredRib::AdjRibOutPostPolicy) {
            self.dump_adj_rib_out(peer).await?;
        }
        if self.shows(MonitoredRib::AdjRibInPrePolicy) {
            if let Some(handle) = self.context.registry.handle(peer) {
                // A peer that cannot be asked shows what it sends from now on.
                handle.repeat_routes().await.unwrap_or_default();
            }
        }

        self.end_of_rib(peer, MonitoredRib::AdjRibInPostPolicy, ShownPeer::adj_rib_in_view);
        self.end_of_rib(peer, MonitoredRib::AdjRibOutPrePolicy, ShownPeer::routes_view);
        self.end_of_rib(peer, MonitoredRib::AdjRibOutPostPolicy, ShownPeer::adj_rib_out_view);
        self.outlet.flush().await
    }

    /// Appends the End-of-RIBs of one of a peer's RIBs, one for each family, if that RIB is shown.
    fn end_of_rib(&mut self, peer: PeerId, rib: MonitoredRib, view: fn(&ShownPeer) -> RibView) {
        let Some(shown) = self.peers.get(&peer).filter(|_| self.shows(rib)) else { return };
        let view = view(shown);
        for family in shown.families() {
            view.end_of_rib(family, &mut self.outlet.out);
        }
    }

    fn peer_down(&mut self, peer: PeerId, at: Duration, reason: Option<DownReason>) {
        let Some(shown) = self.peers.remove(&peer) else { return };
        let notification = reason.as_ref().and_then(DownReason::notification).map(|notification| {
            let mut octets = BytesMut::new();
            notification.encode(&mut octets);
            octets.freeze()
        });

        let octets = notification.as_ref().map_or(&[][..], Bytes::as_ref);
        let reason = match reason {
            Some(DownReason::Local(_) | DownReason::Refused(_)) => {
                PeerDownReason::LocalNotification(octets)
            }
            Some(DownReason::Remote(_)) => PeerDownReason::RemoteNotification(octets),
            Some(_) => PeerDownReason::Remote,
            None => PeerDownReason::LocalEvent(MANUAL_STOP),
        };
        PeerDown { peer: shown.header.at(at), reason }.encode(&mut self.outlet.out);
    }

    /// Sends an UPDATE of a peer, or to it. If it is treated as a withdrawal (RFC 7606), a withdrawal of its routes is sent, so that a
    /// station needs to read nothing malformed.
    fn show_message(&mut self, message: &ObservedMessage) {
        let Some(shown) = self.peers.get(&message.peer) else { return };
        let header =
            if message.sent { shown.header.adj_rib_out().post_policy() } else { shown.header };
        let mut header = header.at(message.at);
        if !message.connection.four_octet_as {
            header = header.with(PeerFlags::TWO_OCTET_AS);
        }

        match message.octets.get(18..) {
            Some([2, ..]) => {
                let out = &mut self.outlet.out;
                let withdrawn = (!message.sent)
                    .then(|| treated_as_withdrawn(&message.octets, shown.received_context()));
                let mut withdrawn = withdrawn.into_iter().flatten().peekable();
                if withdrawn.peek().is_none() {
                    RouteMonitoring { peer: header, update: &message.octets }.encode(out);
                    return;
                }

                let view = shown.received_view().at(message.at);
                for nlri in withdrawn {
                    view.push(nlri, None, &mut self.batch, out);
                }
                view.finish(&mut self.batch, out);
            }
            // The peer has repeated all its routes (RFC 7313).
            Some([5, high, low, 2, safi]) => {
                let family = AfiSafi::new(Afi(u16::from_be_bytes([*high, *low])), Safi(*safi));
                if FAMILIES.contains(&family) {
                    shown.received_view().end_of_rib(family, &mut self.outlet.out);
                }
            }
            _ => {}
        }
    }

    fn report_statistics(&mut self) {
        let at = clock::unix_time();
        for status in self.context.registry.statuses() {
            if let Some(shown) = self.peers.get(&status.peer) {
                super::statistics::of_peer(&status, &shown.header.at(at), &mut self.outlet.out);
            }
        }
        if let Some(loc_rib) = &self.loc_rib {
            loc_rib.report_statistics(at, &mut self.outlet.out);
        }
    }

    pub(super) fn shows(&self, rib: MonitoredRib) -> bool {
        self.context.config.shows(rib)
    }
}

/// Waits for a change of the Loc-RIB, for ever if it is not shown.
async fn loc_rib_changed(loc_rib: &mut Option<LocRibView>) {
    match loc_rib {
        Some(loc_rib) => loc_rib.changed().await,
        None => std::future::pending().await,
    }
}

/// The event of the state machine that ends a session without a NOTIFICATION (RFC 4271 section 8.1.2).
const MANUAL_STOP: u16 = 2;
/// The time in which a station has to take the last octets.
const LAST_OCTETS: Duration = Duration::from_secs(1);
