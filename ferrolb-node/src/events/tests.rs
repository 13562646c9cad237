use std::collections::BTreeMap;

use bgp_session::{Asn, BgpIdentifier, PeerConfig, Route, RouteSet};
use tokio::time::{Duration, timeout};

use super::*;
use crate::sessions::{DesiredSession, RemotePeer, SessionConfig, SessionKey};

fn numbered(log: &EventLog, count: u64) {
    for nth in 1..=count {
        log.record(NewEvent::info(EventKind::Peer, format!("event {nth}")));
    }
}

fn ids(page: &ferrolb_api::EventPage) -> Vec<u64> {
    page.events.iter().map(|event| event.id).collect()
}

#[test]
fn a_page_has_the_events_after_the_last_one_that_was_read() {
    let log = EventLog::new();
    assert_eq!(log.page(None), ferrolb_api::EventPage::default());
    numbered(&log, 3);
    assert_eq!(ids(&log.page(None)), [1, 2, 3]);
    assert_eq!(ids(&log.page(Some(0))), [1, 2, 3]);
    let page = log.page(Some(2));
    assert_eq!((ids(&page), page.missed), (vec![3], 0));
    assert_eq!(page.events[0].text, "event 3");
    assert!(log.page(Some(3)).events.is_empty());
    assert_eq!(ids(&log.page(Some(4))), [1, 2, 3], "a number from before a restart");
}

#[test]
fn a_full_log_drops_the_oldest_events_and_says_how_many_a_reader_missed() {
    let log = EventLog::new();
    let capacity = u64::try_from(EventLog::CAPACITY).unwrap();
    numbered(&log, capacity + 10);
    let page = log.page(None);
    assert_eq!((page.events.len(), page.missed), (EventLog::CAPACITY, 0));
    assert_eq!(page.events[0].id, 11);
    let page = log.page(Some(4));
    assert_eq!((page.events.len(), page.missed), (EventLog::CAPACITY, 6));
    assert_eq!(log.page(Some(10)).missed, 0);
}

fn read(reader: &mut EventReader) -> Option<Result<u64, u64>> {
    Some(match reader.try_next()? {
        EventReading::Event(event) => Ok(event.id),
        EventReading::Missed(events) => Err(events),
    })
}

#[tokio::test(start_paused = true)]
async fn a_reader_gets_each_event_once_and_waits_for_the_next() {
    let log = EventLog::new();
    numbered(&log, 2);
    let mut reader = log.reader(Some(1));
    assert_eq!(read(&mut reader), Some(Ok(2)));
    assert_eq!(read(&mut reader), None);
    assert!(timeout(Duration::from_secs(60), reader.next()).await.is_err(), "there is no event");

    let later = log.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        later.record(NewEvent::warning(EventKind::Drain, "later").node("kube1"));
    });
    let EventReading::Event(event) = reader.next().await else { panic!("nothing was missed") };
    assert_eq!((event.id, event.text.as_str(), event.node.as_deref()), (3, "later", Some("kube1")));
}

#[test]
fn a_slow_reader_learns_how_many_events_it_missed_and_goes_on_with_the_oldest() {
    let log = EventLog::new();
    let mut reader = log.reader(None);
    let capacity = u64::try_from(EventLog::CAPACITY).unwrap();
    numbered(&log, capacity + 7);
    assert_eq!(read(&mut reader), Some(Err(7)));
    assert_eq!(read(&mut reader), Some(Ok(8)));
    let rest = std::iter::from_fn(|| read(&mut reader)).filter(Result::is_ok).count();
    assert_eq!(rest, EventLog::CAPACITY - 1);
}

fn routes(hosts: impl IntoIterator<Item = u8>) -> RouteSet {
    let mut routes = RouteSet::new();
    for host in hosts {
        routes.insert(Route::new(format!("203.0.113.{host}/32").parse().unwrap()));
    }
    routes
}

fn session(routes: RouteSet) -> DesiredSession {
    let peer = PeerConfig::new(std::net::Ipv4Addr::new(192, 0, 2, 1), Asn(64_500));
    let remote = RemotePeer::Address(peer);
    let config = SessionConfig::new(Asn(64_600), BgpIdentifier::new(10, 0, 0, 1), remote);
    DesiredSession::new(config, routes)
}

#[test]
fn each_changed_route_is_an_event_and_many_routes_are_one() {
    let key = |peer: &str| SessionKey::new("kube1", peer);
    let before = BTreeMap::from([
        (key("few"), session(routes([1, 2]))),
        (key("gone"), session(routes([9]))),
    ]);
    let mut few = routes([2, 3]);
    let medium = Route::new("203.0.113.2/32".parse().unwrap()).med(7);
    few.insert(medium);
    let now = BTreeMap::from([(key("few"), session(few)), (key("many"), session(routes(0..=200)))]);

    let changed = changed_routes(&before, &now);
    let texts = |peer: &str| -> Vec<_> {
        let events = changed[&key(peer)].events(&key(peer));
        let text = |event: NewEvent| {
            assert_eq!((event.node.as_deref(), event.peer.as_deref()), (Some("kube1"), Some(peer)));
            format!("{:?} {} {}", event.kind, event.prefix.unwrap_or_default(), event.text)
        };
        events.into_iter().map(text).collect()
    };
    assert_eq!(
        texts("few"),
        [
            "Announced 203.0.113.3/32 announcing",
            "Announced 203.0.113.2/32 announcing with other attributes",
            "Withdrawn 203.0.113.1/32 withdrawing",
        ]
    );
    assert_eq!(texts("gone"), ["Withdrawn 203.0.113.9/32 withdrawing"]);
    assert_eq!(texts("many"), ["Announced  announcing 201 routes, 201 of them new"]);
    assert!(changed_routes(&now, &now).is_empty());
}
