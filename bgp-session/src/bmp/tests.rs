//! Streams over pipes, in virtual time.

use std::time::Duration;

use bgp_core::{
    PeerType,
    bmp::{BmpFrame, BmpMessage},
    peer::ReceivedRoutes,
    rib::{Nlri, PathSource},
    wire::{Capability, Frame, Message, MessageLimit, PathAttributes, WireContext},
};
use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, DuplexStream, duplex, split},
    time::timeout,
};

use super::{stream::Stream, *};
use crate::{PeerId, table::PendingRoutes};

/// The context of a station with that configuration, whose speaker has no peers.
pub(super) fn context(config: StationConfig) -> (Arc<StationContext>, watch::Sender<Stop>) {
    let (sender, stop) = watch::channel(Stop::default());
    let context = StationContext {
        config,
        asn: Asn(64_500),
        identifier: BgpIdentifier::new(192, 0, 2, 7),
        monitoring: Arc::default(),
        registry: Arc::default(),
        table: Arc::new(Table::new(1, 16)),
        stop,
    };
    (Arc::new(context), sender)
}

pub(super) fn config() -> StationConfig {
    StationConfig::connect(([192, 0, 2, 9], 11_019).into()).statistics_interval(Duration::ZERO)
}

/// The end of a station.
struct Station {
    pipe: DuplexStream,
    octets: BytesMut,
}

impl Station {
    /// Starts a stream that lasts as long as the runtime.
    fn start(context: &Arc<StationContext>) -> Self {
        let (ours, pipe) = duplex(65_536);
        let context = Arc::clone(context);
        tokio::spawn(async move {
            let (reader, writer) = split(ours);
            let (observer, sessions) =
                context.monitoring.observe(context.config.interest(), context.config.buffer);
            Stream::new(&context, observer.queue(), writer).run(sessions, reader).await
        });
        Self { pipe, octets: BytesMut::new() }
    }

    /// The next route that is announced (+) or withdrawn (-), without those beside it.
    async fn route(&mut self) -> String {
        loop {
            let octets = self.message().await;
            let message = BmpFrame::split(&octets).unwrap().unwrap().decode().unwrap();
            let BmpMessage::RouteMonitoring(monitored) = message else { continue };
            let cx = WireContext::new(PeerType::Internal).four_octet_as(true);
            let frame = Frame::split(monitored.update, MessageLimit::Extended).unwrap().unwrap();
            let Ok(Message::Update(update)) = Message::decode(frame, cx) else { panic!() };
            if let Some(prefix) = update.reachable().next() {
                return format!("+{prefix}");
            }
            if let Some(prefix) = update.unreachable().next() {
                return format!("-{prefix}");
            }
        }
    }

    async fn message(&mut self) -> BytesMut {
        loop {
            if let Some(frame) = BmpFrame::split(&self.octets).unwrap() {
                let length = frame.as_bytes().len();
                return self.octets.split_to(length);
            }
            let read = timeout(HOUR, self.pipe.read_buf(&mut self.octets)).await;
            assert!(read.expect("a message within an hour").unwrap() > 0);
        }
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

/// Adds a route of a peer to the Loc-RIB, or removes it without a preference.
fn change(table: &Table, peer: u8, prefix: &str, preference: Option<u32>) {
    let id = PeerId::from([192, 0, 2, peer]);
    let source = PathSource {
        peer: id,
        address: id.address(),
        asn: Asn(64_500),
        identifier: BgpIdentifier::new(192, 0, 2, peer),
        peer_type: PeerType::Internal,
    };
    let nlri = Nlri::from(prefix.parse::<bgp_core::IpNet>().unwrap());
    let mut received = ReceivedRoutes::default();
    if preference.is_some() {
        let attributes = PathAttributes { local_pref: preference, ..PathAttributes::default() };
        received.announced.push((nlri, Arc::new(attributes)));
    } else {
        received.withdrawn.push(nlri);
    }
    table.apply(&mut PendingRoutes::new(Arc::new(source), received), usize::MAX);
}

#[tokio::test(start_paused = true)]
async fn only_changes_of_best_routes_are_shown() {
    let (context, _stop) = context(config().ribs([MonitoredRib::LocRib]));
    let mut station = Station::start(&context);
    let prefix = "192.0.2.0/24";
    change(&context.table, 1, prefix, Some(100));
    assert_eq!(station.route().await, format!("+{prefix}"));

    // Another path, which is worse at first.
    for preference in [50, 60] {
        change(&context.table, 2, prefix, Some(preference));
        tokio::time::sleep(HOUR).await;
    }
    change(&context.table, 1, "198.51.100.0/24", Some(100));
    assert_eq!(station.route().await, "+198.51.100.0/24");
    change(&context.table, 2, prefix, Some(200));
    assert_eq!(station.route().await, format!("+{prefix}"));
    change(&context.table, 2, prefix, None);
    assert_eq!(station.route().await, format!("+{prefix}"));
    change(&context.table, 1, prefix, None);
    assert_eq!(station.route().await, format!("-{prefix}"));
}

#[tokio::test(start_paused = true)]
async fn the_longest_interval_between_statistics_is_accepted() {
    let config = config().ribs([MonitoredRib::LocRib]).statistics_interval(Duration::MAX);
    let (context, _stop) = context(config);
    let mut station = Station::start(&context);
    change(&context.table, 1, "192.0.2.0/24", Some(100));
    assert_eq!(station.route().await, "+192.0.2.0/24");
    tokio::time::sleep(HOUR).await;
    change(&context.table, 1, "198.51.100.0/24", Some(100));
    assert_eq!(station.route().await, "+198.51.100.0/24");
}

#[tokio::test(start_paused = true)]
async fn the_opens_of_the_loc_rib_allow_next_hops_of_the_other_family() {
    let (context, _stop) = context(config().ribs([MonitoredRib::LocRib]));
    let mut station = Station::start(&context);
    let up = loop {
        let octets = station.message().await;
        let message = BmpFrame::split(&octets).unwrap().unwrap().decode().unwrap();
        if let BmpMessage::PeerUp(up) = message {
            break [up.sent_open, up.received_open].map(<[u8]>::to_vec);
        }
    };
    for open in up {
        let frame = Frame::split(&open, MessageLimit::Standard).unwrap().unwrap();
        let cx = WireContext::new(PeerType::Internal);
        let Ok(Message::Open(open)) = Message::decode(frame, cx) else { panic!("no OPEN") };
        let has_it = |it: &Capability| matches!(it, Capability::ExtendedNextHop(_));
        assert!(open.capabilities.iter().any(has_it), "{:?}", open.capabilities);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_soon_after_another_is_shown_without_anything_else_happening() {
    let (context, _stop) = context(config().ribs([MonitoredRib::LocRib]));
    let mut station = Station::start(&context);
    tokio::time::sleep(HOUR).await;
    change(&context.table, 1, "192.0.2.0/24", Some(100));
    assert_eq!(station.route().await, "+192.0.2.0/24");

    tokio::time::sleep(Duration::from_millis(50)).await;
    change(&context.table, 1, "198.51.100.0/24", Some(100));
    assert_eq!(station.route().await, "+198.51.100.0/24");
}
