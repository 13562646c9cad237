//! MRT: [`MessageRecorder`], the messages of all peers as records, and [`TableDump`], the Loc-RIB as a file.
//!
//! It composes records. The caller writes them where and when it likes, and begins new files. The format is the core's.

use std::{collections::BTreeSet, io, sync::Arc, time::Duration};

use bgp_core::{
    Asn, BgpIdentifier,
    mrt::{Precision, RecordedMessage, StateChange, TablePeer, TableWriter},
};
use bytes::BytesMut;

use crate::{
    LocRibSnapshot, Missed, PeerId,
    monitoring::{Next, Observation, ObservedConnection, ObservedSession, Observer},
};

/// A recorder of all messages of a speaker's peers and of the changes of their states, as MRT records (BGP4MP, RFC 6396), from
/// the moment of [`Speaker::record_messages`](crate::Speaker::record_messages).
///
/// ```no_run
/// # async fn record(speaker: bgp_session::Speaker) -> Result<(), Box<dyn std::error::Error>> {
/// use bytes::BytesMut;
/// use tokio::io::AsyncWriteExt;
///
/// let mut recorder = speaker.record_messages(16 << 20);
/// let (mut file, mut records) = (tokio::io::sink(), BytesMut::new());
/// while let Some(recorded) = recorder.next(&mut records).await {
///     if let Err(missed) = recorded {
///         eprintln!("{missed}");
///     }
///     // Between two calls, a new file may begin.
///     file.write_all_buf(&mut records).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MessageRecorder {
    observer: Observer,
    precision: Precision,
}

impl MessageRecorder {
    pub(crate) fn new(observer: Observer) -> Self {
        Self { observer, precision: Precision::default() }
    }

    /// Sets the precision of the times in the records. Default: microseconds.
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Waits for something to record, and appends it with all that is there already, up to some 64 KiB: whole records. Returns
    /// `None` when the speaker is gone and all is recorded.
    ///
    /// # Errors
    ///
    /// [`Missed`] if something was lost at this place, because the records were not taken in time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done loses nothing. The next call appends it.
    pub async fn next(&mut self, out: &mut BytesMut) -> Option<Result<(), Missed>> {
        let queue = self.observer.queue();
        let before = out.len();
        while out.len() == before {
            match queue.next(false).await {
                Next::Observation(observation) => record(&observation, self.precision, out),
                Next::Missed(events) => return Some(Err(Missed { events })),
                Next::Changed(_) => {}
                Next::Closed => return None,
            }
        }
        while out.len() - before < MOST_OCTETS {
            let Some(observation) = queue.try_observation() else { break };
            record(&observation, self.precision, out);
        }
        Some(Ok(()))
    }
}

/// Appends the record of an observation, if it has one.
fn record(observation: &Observation, precision: Precision, out: &mut BytesMut) {
    match observation {
        Observation::Message(message) => {
            let (peer, local) = ends(&message.connection);
            let mut recorded = RecordedMessage::new(peer, local, &message.octets);
            recorded.four_octet_as = message.connection.four_octet_as;
            recorded.add_path = message.connection.add_path;
            recorded.sent = message.sent;
            recorded.encode(message.at, precision, out);
        }
        Observation::State(state) => {
            let (peer, local) = ends(&state.connection);
            StateChange::new(peer, local, state.from, state.to).encode(state.at, precision, out);
        }
        Observation::Up(_) | Observation::Down(..) | Observation::EndOfRib(..) => {}
    }
}

/// The peer and the speaker, each with its AS.
fn ends(connection: &ObservedConnection) -> ((std::net::IpAddr, Asn), (std::net::IpAddr, Asn)) {
    let (local, remote) = (connection.endpoints.local.ip(), connection.endpoints.remote.ip());
    ((remote, connection.remote_as), (local, connection.local_as))
}

/// A dump of the Loc-RIB with all paths to each prefix, as an MRT file (TABLE_DUMP_V2, RFC 6396), from
/// [`Speaker::table_dump`](crate::Speaker::table_dump).
///
/// It is a snapshot, and writing it takes its time: with a large table and a file, call [`write`](Self::write) in
/// [`spawn_blocking`](tokio::task::spawn_blocking).
///
/// ```no_run
/// # async fn dump(speaker: bgp_session::Speaker) -> Result<(), Box<dyn std::error::Error>> {
/// let dump = speaker.table_dump();
/// tokio::task::spawn_blocking(move || dump.write(std::fs::File::create("rib.mrt")?)).await??;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TableDump {
    at: Duration,
    collector: BgpIdentifier,
    snapshot: LocRibSnapshot,
    peers: Vec<(PeerId, TablePeer)>,
}

impl TableDump {
    pub(crate) fn new(
        at: Duration,
        collector: BgpIdentifier,
        snapshot: LocRibSnapshot,
        sessions: &[Arc<ObservedSession>],
    ) -> Self {
        let with_routes: BTreeSet<_> =
            snapshot.iter().flat_map(|(_, paths)| paths.iter().map(|path| path.peer)).collect();
        let peers = with_routes.into_iter().map(|peer| {
            let session = sessions.iter().find(|session| session.peer == peer);
            let negotiated = session.map(|session| &session.negotiated);
            // Routes may outlive their session, whose values are then unknown.
            let identifier = negotiated.map_or_else(|| 0.into(), |it| it.remote_identifier);
            let asn = negotiated.map_or(Asn::ZERO, |it| it.remote_asn);
            (peer, TablePeer::new(identifier, peer.address(), asn))
        });
        Self { at, collector, peers: peers.collect(), snapshot }
    }

    /// Writes the whole file, in pieces of some 64 KiB. The speaker does not know since when it has a route: each route has
    /// the time of the dump. Routes whose attributes exceed 65,535 octets are left out.
    ///
    /// # Errors
    ///
    /// Those of the writer, and [`io::ErrorKind::InvalidData`] if more than 65,535 peers have routes.
    pub fn write(&self, mut to: impl io::Write) -> io::Result<()> {
        let peers: Vec<_> = self.peers.iter().map(|(_, peer)| *peer).collect();
        let mut out = BytesMut::new();
        let mut table = TableWriter::new(self.at, self.collector, "", &peers, &mut out)
            .ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "expected at most 65535 peers")
            })?;

        for (prefix, paths) in &self.snapshot {
            let add_path = paths.iter().any(|path| path.path_id != 0);
            let mut rib = table.prefix(prefix, add_path, &mut out);
            for path in paths {
                let at = self.peers.binary_search_by_key(&path.peer, |(peer, _)| *peer);
                let Some(index) = at.ok().and_then(|index| u16::try_from(index).ok()) else {
                    continue;
                };
                rib.push(index, path.path_id, self.at, &path.attributes);
            }
            rib.finish();

            if out.len() >= MOST_OCTETS {
                to.write_all(&out)?;
                out.clear();
            }
        }
        to.write_all(&out)?;
        to.flush()
    }
}

/// The number of octets after which records are passed on.
const MOST_OCTETS: usize = 64 * 1_024;
