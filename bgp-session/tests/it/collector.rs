//! A monitoring station on loopback, which applies what it is shown to tables of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use bgp_core::{
    PeerType,
    bmp::{
        BmpFrame, BmpMessage, InformationType, PeerDownReason, PeerFlags, PerPeerHeader,
        StatisticValue, TerminationType,
    },
    wire::{Frame, Message, MessageLimit, WireContext},
};
use bgp_session::{AfiSafi, Notification};
use bytes::BytesMut;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};

use crate::world::soon;

/// A stream from a speaker, as far as it is read.
pub(crate) struct Collector {
    stream: TcpStream,
    octets: BytesMut,
    /// What happened, besides routes: one line for each message.
    pub(crate) log: Vec<String>,
    /// The routes of each RIB by prefix, each with its AS path and communities. A RIB is the peer's address with the names of the flags.
    pub(crate) ribs: BTreeMap<String, BTreeMap<String, String>>,
    /// The RIBs and families whose End-of-RIB has come.
    pub(crate) complete: BTreeSet<String>,
    /// The OPENs of the peers: sent, received.
    pub(crate) opens: BTreeMap<String, (Vec<u8>, Vec<u8>)>,
    pub(crate) statistics: BTreeMap<String, BTreeMap<u16, u64>>,
}

impl Collector {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            octets: BytesMut::new(),
            log: Vec::new(),
            ribs: BTreeMap::new(),
            complete: BTreeSet::new(),
            opens: BTreeMap::new(),
            statistics: BTreeMap::new(),
        }
    }

    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        Self::new(soon("a connection to the station", listener.accept()).await.unwrap().0)
    }

    pub(crate) async fn connect(to: SocketAddr) -> Self {
        Self::new(TcpStream::connect(to).await.unwrap())
    }

    /// Reads until `wanted` holds.
    pub(crate) async fn read_until(&mut self, what: &str, wanted: impl Fn(&Self) -> bool) {
        let is_open = self.read_while_open(what, wanted).await;
        assert!(is_open, "the stream ended before {what}: {:?}", self.log);
    }

    /// Reads until `wanted` holds, or to the end of the stream: then it returns false.
    pub(crate) async fn read_while_open(
        &mut self,
        what: &str,
        wanted: impl Fn(&Self) -> bool,
    ) -> bool {
        let mut wait = async || {
            while !wanted(self) {
                if !self.read().await {
                    return false;
                }
            }
            true
        };
        soon(what, wait()).await
    }

    /// Reads to the end of the stream.
    pub(crate) async fn read_to_end(&mut self) {
        soon("the end of the stream", async { while self.read().await {} }).await;
    }

    /// The routes of a RIB, as lines.
    pub(crate) fn routes(&self, rib: &str) -> Vec<String> {
        let routes = self.ribs.get(rib).into_iter().flatten();
        routes.map(|(prefix, attributes)| format!("{prefix} {attributes}")).collect()
    }

    /// The number of routes of a RIB.
    pub(crate) fn count(&self, rib: &str) -> usize {
        self.ribs.get(rib).map_or(0, BTreeMap::len)
    }

    /// Reads some octets and handles the messages in them. Returns false at the end of the stream.
    async fn read(&mut self) -> bool {
        self.octets.reserve(64 * 1_024);
        if !matches!(self.stream.read_buf(&mut self.octets).await, Ok(octets) if octets > 0) {
            return false;
        }
        while let Some(frame) = BmpFrame::split(&self.octets).unwrap() {
            let length = frame.as_bytes().len();
            let octets = self.octets.split_to(length);
            self.handle(BmpFrame::split(&octets).unwrap().unwrap().decode().unwrap());
        }
        true
    }

    fn handle(&mut self, message: BmpMessage<'_>) {
        match message {
            BmpMessage::Initiation(initiation) => {
                let name = initiation.information.get(InformationType::SYS_NAME).unwrap();
                self.log.push(format!("initiation of {}", String::from_utf8_lossy(name)));
            }
            BmpMessage::Termination(termination) => {
                let reason = termination.reason().unwrap().0;
                let text = termination.information.get(TerminationType::STRING).unwrap_or_default();
                let text = String::from_utf8_lossy(text);
                self.log.push(format!("termination {reason}: {text}"));
            }
            BmpMessage::PeerUp(up) => {
                let peer = name(&up.peer);
                let name = up.information.get(InformationType::VRF_TABLE_NAME).unwrap_or_default();
                self.log.push(format!("{peer} up {}", String::from_utf8_lossy(name)));
                self.opens.insert(peer, (up.sent_open.to_vec(), up.received_open.to_vec()));
            }
            BmpMessage::PeerDown(down) => {
                let peer = name(&down.peer);
                let reason = match down.reason {
                    PeerDownReason::LocalNotification(octets) => notification("us", octets),
                    PeerDownReason::RemoteNotification(octets) => notification("the peer", octets),
                    other => format!("{other:?}"),
                };
                self.ribs.retain(|rib, _| !rib.starts_with(&peer));
                self.complete.retain(|rib| !rib.starts_with(&peer));
                self.log.push(format!("{peer} down by {reason}"));
            }
            BmpMessage::RouteMonitoring(monitored) => self.apply(&monitored.peer, monitored.update),
            BmpMessage::StatisticsReport(report) => {
                let of_peer = self.statistics.entry(name(&report.peer)).or_default();
                for tlv in report.statistics {
                    let StatisticValue::Number(value) = tlv.statistic() else { panic!("{tlv:?}") };
                    of_peer.insert(tlv.kind.0, value);
                }
            }
            other => panic!("unexpected: {other:?}"),
        }
    }

    fn apply(&mut self, peer: &PerPeerHeader, octets: &[u8]) {
        let cx = WireContext::new(PeerType::Internal)
            .four_octet_as(true)
            .extended_messages(true)
            .multiprotocol(AfiSafi::IPV6_UNICAST, true);
        let frame = Frame::split(octets, MessageLimit::Extended).unwrap().unwrap();
        let Ok(Message::Update(update)) = Message::decode(frame, cx) else { panic!("no UPDATE") };
        assert_eq!(update.error(), None);

        let rib = rib(peer);
        if let Some(family) = update.end_of_rib() {
            self.complete.insert(format!("{rib} {family}"));
            return;
        }
        let routes = self.ribs.entry(rib).or_default();
        for prefix in update.unreachable() {
            routes.remove(&prefix.to_string());
        }
        let attributes = update.to_attributes();
        let communities: Vec<_> = attributes.communities.iter().map(ToString::to_string).collect();
        let hop = attributes.next_hop.map(|hop| hop.to_string()).unwrap_or_default();
        let text = format!("[{}] via {hop} {}", attributes.as_path, communities.join(" "));
        for prefix in update.reachable() {
            routes.insert(prefix.to_string(), text.trim_end().to_owned());
        }
    }
}

fn name(peer: &PerPeerHeader) -> String {
    if peer.is_loc_rib() { "Loc-RIB".into() } else { peer.address.to_string() }
}

fn rib(peer: &PerPeerHeader) -> String {
    let mut text = name(peer);
    if !peer.is_loc_rib() {
        let (post, out) = (PeerFlags::POST_POLICY, PeerFlags::ADJ_RIB_OUT);
        text += if peer.flags.contains(post) { " post" } else { " pre" };
        text += if peer.flags.contains(out) { " out" } else { " in" };
    }
    text
}

fn notification(by: &str, octets: &[u8]) -> String {
    let frame = Frame::split(octets, MessageLimit::Standard).unwrap().unwrap();
    let Ok(Message::Notification(notification)) = Message::decode(frame, WireContext::default())
    else {
        panic!("no NOTIFICATION");
    };
    let text = Notification::message(&notification).unwrap_or_default();
    format!("{by}: {}/{} {text}", notification.code.0, notification.subcode)
}
