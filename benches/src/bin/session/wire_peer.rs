//! A peer that costs as little as possible: it writes octets that were encoded before, and counts the routes that it
//! reads. It keeps no attributes, and decides nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bgp_core::wire::{Capability, Frame, Message, MessageLimit, Open, encode_keepalive};
use bgp_core::{AfiSafi, Asn, BgpIdentifier};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::held::Held;
use crate::routes::{Table, context};

/// The space for octets from the socket.
const READ_ROOM: usize = 256 * 1_024;
/// The pause before another attempt to connect. Many peers must not keep a speaker busy with connections that it refuses.
const PAUSE: Duration = Duration::from_millis(250);
/// The time for the messages up to Established. Some daemons accept a connection before they are ready for it.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// The number of streams that may wait to be written.
const WAITING_STREAMS: usize = 16;

/// One end of a session: its address and AS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) address: IpAddr,
    pub(crate) asn: Asn,
}

/// The rules of a session: the offered hold time, the table whose routes are counted, and whether to keep the octets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) hold_time: u16,
    pub(crate) table: Table,
    pub(crate) record: bool,
}

/// The routes that a peer has read so far.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// The number of the table's prefixes that it holds.
    pub(crate) held: usize,
    /// The number of prefixes announced to it, repeated ones included.
    pub(crate) announced: u64,
    /// The time of the last read.
    pub(crate) at: Instant,
    /// The reason of the session's end.
    pub(crate) ended: Option<String>,
    /// The UPDATEs so far, if the peer records.
    pub(crate) recorded: BytesMut,
}

/// A session that is Established. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct WirePeer {
    /// The time of the KEEPALIVE that made it Established.
    pub(crate) established: Instant,
    /// What it has read.
    pub(crate) progress: watch::Receiver<Progress>,
    streams: mpsc::Sender<Bytes>,
}

impl WirePeer {
    /// Connects to a speaker, again and again until a session is Established.
    pub(crate) async fn dial(own: End, speaker: IpAddr, terms: Terms) -> Self {
        loop {
            match Self::dial_once(own, speaker, terms).await {
                Ok(peer) => return peer,
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    async fn dial_once(own: End, speaker: IpAddr, terms: Terms) -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(own.address, 0))?;
        let stream = socket.connect(SocketAddr::new(speaker, 179)).await?;
        Self::start(stream, own, terms).await
    }

    /// Exchanges OPEN and KEEPALIVE on a connection, and starts to read.
    pub(crate) async fn start(stream: TcpStream, own: End, terms: Terms) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        let (read, mut write) = stream.into_split();
        let mut reader = Reader::new(read, terms);
        timeout(HANDSHAKE, reader.shake_hands(&mut write, own, terms.hold_time)).await??;

        let established = Instant::now();
        let (sender, progress) = watch::channel(reader.progress(established));
        let (streams, waiting) = mpsc::channel(WAITING_STREAMS);
        tokio::spawn(reader.run(sender));
        tokio::spawn(write_all(write, waiting, terms.hold_time));
        Ok(Self { established, progress, streams })
    }

    /// Writes messages after those that already wait.
    pub(crate) async fn send(&self, messages: Bytes) -> Result<(), String> {
        self.streams.send(messages).await.map_err(|_| "the session has ended".to_owned())
    }
}

/// Writes streams in order, and KEEPALIVEs between them, until the peer is dropped.
async fn write_all(mut socket: OwnedWriteHalf, mut streams: mpsc::Receiver<Bytes>, hold_time: u16) {
    let mut keepalive = BytesMut::new();
    encode_keepalive(&mut keepalive);
    let mut ticks = interval(Duration::from_secs(u64::from(hold_time / 3).max(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, and the KEEPALIVE of the handshake has just been written.
    ticks.tick().await;

    loop {
        let written = tokio::select! {
            stream = streams.recv() => match stream {
                Some(stream) => socket.write_all(&stream).await,
                None => return,
            },
            _ = ticks.tick() => socket.write_all(&keepalive).await,
        };
        if written.is_err() {
            return;
        }
    }
}

/// The reading end of a session.
struct Reader {
    socket: OwnedReadHalf,
    octets: BytesMut,
    table: Table,
    held: Held,
    announced: u64,
    /// The UPDATEs since the last report, if the peer records.
    recorded: Option<BytesMut>,
}

impl Reader {
    fn new(socket: OwnedReadHalf, terms: Terms) -> Self {
        let Terms { table, record, .. } = terms;
        let held = Held::new(usize::try_from(table.count).unwrap_or_default());
        let recorded = record.then(BytesMut::new);
        Self { socket, octets: BytesMut::new(), table, held, announced: 0, recorded }
    }

    fn progress(&self, at: Instant) -> Progress {
        let (held, announced) = (self.held.count(), self.announced);
        Progress { held, announced, at, ended: None, recorded: BytesMut::new() }
    }

    async fn shake_hands(
        &mut self,
        write: &mut OwnedWriteHalf,
        own: End,
        hold_time: u16,
    ) -> std::io::Result<()> {
        let identifier = match own.address {
            IpAddr::V4(address) => BgpIdentifier(address),
            IpAddr::V6(_) => BgpIdentifier::new(10, 77, 0, 2),
        };
        let capabilities = vec![
            Capability::Multiprotocol(AfiSafi::IPV4_UNICAST),
            Capability::Multiprotocol(AfiSafi::IPV6_UNICAST),
            Capability::RouteRefresh,
            Capability::FourOctetAs(own.asn),
        ];
        let mut out = BytesMut::new();
        Open::new(own.asn, hold_time, identifier, capabilities).encode(&mut out);
        write.write_all(&out).await?;

        loop {
            while let Some(frame) = split(&self.octets)? {
                let length = frame.as_bytes().len();
                let message = Message::decode(frame, context()).map_err(std::io::Error::other)?;
                match message {
                    Message::Open(_) => {
                        out.clear();
                        encode_keepalive(&mut out);
                        write.write_all(&out).await?;
                    }
                    Message::Keepalive => {
                        self.octets.advance(length);
                        return Ok(());
                    }
                    other => return Err(std::io::Error::other(format!("{other:?}"))),
                }
                self.octets.advance(length);
            }
            self.read_some().await?;
        }
    }

    /// Reads until the session ends, and reports after each read.
    async fn run(mut self, progress: watch::Sender<Progress>) {
        let ended = loop {
            if let Err(error) = self.count_messages() {
                break error.to_string();
            }
            let at = Instant::now();
            progress.send_modify(|progress| {
                progress.held = self.held.count();
                progress.announced = self.announced;
                progress.at = at;
                if let Some(recorded) = &mut self.recorded {
                    progress.recorded.unsplit(recorded.split());
                }
            });

            // A dropped peer reads no more, which closes the connection.
            let outcome = tokio::select! {
                outcome = self.read_some() => outcome,
                () = progress.closed() => return,
            };
            if let Err(error) = outcome {
                break error.to_string();
            }
        };
        progress.send_modify(|progress| progress.ended = Some(ended));
    }

    async fn read_some(&mut self) -> std::io::Result<()> {
        self.octets.reserve(READ_ROOM);
        match self.socket.read_buf(&mut self.octets).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Counts the prefixes of all complete messages.
    fn count_messages(&mut self) -> std::io::Result<()> {
        let mut at = 0;
        while let Some(frame) = split(self.octets.get(at..).unwrap_or_default())? {
            at += frame.as_bytes().len();

            match Message::decode(frame, context()).map_err(std::io::Error::other)? {
                Message::Update(update) => {
                    for prefix in update.unreachable() {
                        self.table.number(prefix).into_iter().for_each(|n| self.held.remove(n));
                    }
                    for prefix in update.reachable() {
                        self.announced += 1;
                        self.table.number(prefix).into_iter().for_each(|n| self.held.insert(n));
                    }
                    if let Some(recorded) = &mut self.recorded {
                        recorded.extend_from_slice(frame.as_bytes());
                    }
                }
                Message::Notification(notification) => {
                    return Err(std::io::Error::other(notification.to_string()));
                }
                _ => {}
            }
        }

        self.octets.advance(at);
        Ok(())
    }
}

fn split(octets: &[u8]) -> std::io::Result<Option<Frame<'_>>> {
    Frame::split(octets, MessageLimit::Standard).map_err(std::io::Error::other)
}
