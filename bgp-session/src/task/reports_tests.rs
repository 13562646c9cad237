//! The order of a peer's events when its routes need several work permits.

use std::net::IpAddr;

use bgp_core::{Asn, BgpIdentifier, PeerType, rib::Nlri, wire::PathAttributes};

use super::*;

/// As many routes as need two work permits.
fn routes() -> ReceivedRoutes {
    let attributes = Arc::new(PathAttributes::default());
    let nlri = |n: usize| {
        let prefix = format!("10.{}.{}.0/24", n / 256, n % 256);
        Nlri { prefix: prefix.parse().unwrap(), path_id: 0 }
    };
    let announced = (0..MOST_CHANGES + 1).map(|n| (nlri(n), Arc::clone(&attributes)));
    ReceivedRoutes { announced: announced.collect(), withdrawn: Vec::new() }
}

#[tokio::test]
async fn an_end_of_rib_waits_until_the_routes_before_it_are_in_the_table() {
    let router: IpAddr = "192.0.2.1".parse().unwrap();
    let config = PeerConfig::new(router, Asn(64_500));
    let (status, _status) = watch::channel(first_status(&config));
    let (events, mut received) = broadcast::channel(8);
    let table = Arc::new(Table::new(1, 1));
    let monitor = PeerMonitor::new(config.id(), Arc::default());
    let mut reports = Reports::new(&config, status, events, Arc::clone(&table), monitor);
    let identifier = BgpIdentifier::new(192, 0, 2, 1);
    let peer_type = PeerType::External;
    let source =
        PathSource { peer: config.id(), address: router, asn: Asn(64_500), identifier, peer_type };
    reports.source = Some(Arc::new(source));

    reports.received(routes());
    reports.end_of_rib(AfiSafi::IPV4_UNICAST);
    assert!(reports.has_pending_routes());
    assert!(received.try_recv().is_err(), "one route is not in the table yet");

    reports.apply_some();
    assert!(!reports.has_pending_routes());
    assert_eq!(table.snapshot().len(), MOST_CHANGES + 1);
    let first = received.try_recv().unwrap().kind;
    assert!(matches!(first, EventKind::RoutesChanged { withdrawn: 0, .. }), "{first:?}");
    let second = received.try_recv().unwrap().kind;
    assert!(matches!(second, EventKind::EndOfRib(AfiSafi::IPV4_UNICAST)), "{second:?}");

    reports.end_of_rib(AfiSafi::IPV6_UNICAST);
    let third = received.try_recv().unwrap().kind;
    assert!(matches!(third, EventKind::EndOfRib(AfiSafi::IPV6_UNICAST)), "{third:?}");
}
