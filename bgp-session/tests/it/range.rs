//! Peers of a range, which come and go.

use std::{net::IpAddr, time::Duration};

use bgp_session::{
    Asn, BgpIdentifier, EventKind, Import, PeerConfig, PeerHandle, PeerRange, RangeHandle,
    RemoteAs, Speaker, SpeakerError,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream},
};

use crate::world::{NODE, ROUTER, router, routes, soon, table};

fn range(prefix: &str) -> PeerRange {
    PeerRange::new(prefix.parse().unwrap(), RemoteAs::External)
}

/// A node that dials the router from that address.
async fn dial_from(
    router: &Speaker,
    from: &str,
    asn: Asn,
    change: impl FnOnce(PeerConfig) -> PeerConfig,
) -> (Speaker, PeerHandle) {
    let last = from.rsplit(['.', ':']).next().and_then(|part| part.parse().ok()).unwrap();
    let node = Speaker::builder(asn, BgpIdentifier::new(10, 0, 0, last)).start().await.unwrap();
    let quick = Duration::from_millis(50);
    let config = PeerConfig::new(router.listen_addr().unwrap(), ROUTER)
        .local_address(from.parse().unwrap())
        .idle_hold(quick, quick)
        .connect_timeout(Duration::from_millis(500));
    let peer = node.add_peer(change(config)).await.unwrap();
    (node, peer)
}

async fn silent_connection(router: &Speaker, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(router.listen_addr().unwrap()).await.unwrap()
}

async fn counts(range: &mut RangeHandle, peers: usize, unestablished: usize) {
    let what = format!("{peers} peers, {unestablished} without a session");
    let wanted = range.wait_for(|it| (it.peers, it.unestablished) == (peers, unestablished));
    soon(&what, wanted).await.unwrap();
}

fn unchanged(config: PeerConfig) -> PeerConfig {
    config
}

#[tokio::test]
async fn an_address_in_the_prefix_is_a_peer_from_its_connection_to_its_end() {
    for (listen, prefix, from) in
        [("127.0.0.1:0", "127.0.44.0/24", "127.0.44.7"), ("[::1]:0", "::/64", "::1")]
    {
        let router = router(listen).await;
        let terms = range(prefix).config(|peer| peer.import(Import::Keep)).patience(Duration::ZERO);
        let terms = terms.routes(routes(&["203.0.113.0/24"]));
        let mut handle = router.add_range(terms).unwrap();
        let mut events = router.events();
        let (node, mut at_node) =
            dial_from(&router, from, NODE, |it| it.import(Import::Keep)).await;
        soon("a session", at_node.established()).await.unwrap();
        counts(&mut handle, 1, 0).await;
        let id = router.peers()[0].peer;
        assert_eq!(id.address(), from.parse::<IpAddr>().unwrap());
        if id.address().is_ipv4() {
            table(&node, "what all of them get", |table| table.len() == 1).await;
            let at_router = router.peer(id).unwrap();
            at_router.set_routes(routes(&["10.0.0.0/8", "11.0.0.0/8"])).await.unwrap();
            table(&node, "what this one gets", |table| table.len() == 2).await;
        }
        node.shutdown("").await;
        counts(&mut handle, 0, 0).await;
        assert!(router.peer(id).is_none());
        let mut kinds = Vec::new();
        loop {
            let event = soon("an event", events.next()).await.unwrap().unwrap();
            match event.kind {
                EventKind::Added | EventKind::Up(_) | EventKind::Down(_) => kinds.push(event.kind),
                // On a busy machine the node may give up its first connection, which was a peer of its own.
                EventKind::Removed if matches!(kinds[..], [EventKind::Added]) => kinds.clear(),
                EventKind::Removed => break,
                _ => {}
            }
        }
        let [EventKind::Added, EventKind::Up(terms), EventKind::Down(_)] = &kinds[..] else {
            panic!("{kinds:?}")
        };
        assert_eq!(terms.remote_asn, NODE);
    }
}

#[tokio::test]
async fn no_more_peers_than_the_limit() {
    let router = router("127.0.0.1:0").await;
    let mut handle = router.add_range(range("127.0.45.0/24").limit(2)).unwrap();
    let mut kept = Vec::new();
    for from in ["127.0.45.1", "127.0.45.2"] {
        let (node, mut peer) = dial_from(&router, from, NODE, unchanged).await;
        soon("a session", peer.established()).await.unwrap();
        kept.push((node, peer));
    }

    let (_third, mut third) = dial_from(&router, "127.0.45.3", NODE, unchanged).await;
    soon("a refusal", handle.wait_for(|it| it.refused > 0)).await.unwrap();
    assert!(!third.status().is_established());

    // One peer ends, which makes room.
    kept.pop().unwrap().0.shutdown("").await;
    soon("its end", handle.wait_for(|it| it.unestablished == 1)).await.unwrap();
    let at_router = router.peers().into_iter().find(|it| !it.is_established()).unwrap();
    router.peer(at_router.peer).unwrap().shutdown("").await.unwrap();
    soon("the third session", third.established()).await.unwrap();
}

#[tokio::test]
async fn strangers_occupy_a_few_places_and_not_for_long() {
    let router = router("127.0.0.1:0").await;
    let terms = range("127.0.46.0/24").unestablished_limit(2).patience(Duration::from_millis(400));
    let mut handle = router.add_range(terms).unwrap();
    let mut silent = Vec::new();
    for from in ["127.0.46.1", "127.0.46.2"] {
        silent.push(silent_connection(&router, from).await);
    }
    counts(&mut handle, 2, 2).await;
    let mut refused = silent_connection(&router, "127.0.46.3").await;
    let end = soon("the end of the third", refused.read(&mut [0; 100])).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert_eq!(handle.status().refused, 1);
    // A real node gets its session once the silent ones are removed.
    let (_node, mut peer) = dial_from(&router, "127.0.46.9", NODE, unchanged).await;
    soon("a session", peer.established()).await.unwrap();
    counts(&mut handle, 1, 0).await;
}

#[tokio::test]
async fn an_as_that_is_not_admitted_gets_no_session_and_no_place() {
    let router = router("127.0.0.1:0").await;
    let mut handle = router.add_range(range("127.0.47.0/24")).unwrap();
    // The router's own AS is not external.
    let (_node, mut peer) = dial_from(&router, "127.0.47.1", ROUTER, unchanged).await;
    let failed = peer.wait_for(|status| status.last_failure.is_some());
    let reason = soon("a failure", failed).await.unwrap().last_failure.unwrap().to_string();
    assert!(reason.to_lowercase().contains("peer as"), "{reason}");
    soon("no peer", handle.wait_for(|it| it.peers == 0)).await.unwrap();
}

#[tokio::test]
async fn a_block_of_as_numbers_is_admitted_and_no_other() {
    let router = router("127.0.0.1:0").await;
    let block = RemoteAs::Between(Asn(64_700), Asn(64_703));
    let terms = PeerRange::new("127.0.51.0/24".parse().unwrap(), block);
    let mut handle = router.add_range(terms).unwrap();
    let (_first, mut first) = dial_from(&router, "127.0.51.1", Asn(64_700), unchanged).await;
    let (_last, mut last) = dial_from(&router, "127.0.51.2", Asn(64_703), unchanged).await;
    soon("the first of them", first.established()).await.unwrap();
    soon("the last of them", last.established()).await.unwrap();

    let mut events = router.events();
    let (_other, _peer) = dial_from(&router, "127.0.51.3", Asn(64_704), unchanged).await;
    let reason = loop {
        if let EventKind::Failed(reason) =
            soon("an event", events.next()).await.unwrap().unwrap().kind
        {
            break reason.to_string();
        }
    };
    assert!(reason.contains("AS 64704, expected one of AS 64700 to 64703"), "{reason}");

    counts(&mut handle, 2, 0).await;
    let turned =
        PeerRange::new("127.0.52.0/24".parse().unwrap(), RemoteAs::Between(Asn(2), Asn(1)));
    let error = router.add_range(turned).unwrap_err().to_string();
    assert!(error.ends_with("expected the smaller AS number first"), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_password_holds_for_the_whole_prefix() {
    let router = router("127.0.0.1:0").await;
    let handle =
        router.add_range(range("127.0.48.0/24").config(|it| it.password("s3cret"))).unwrap();
    let (_right, mut right) =
        dial_from(&router, "127.0.48.1", NODE, |it| it.password("s3cret")).await;
    soon("a session", right.established()).await.unwrap();

    let (_wrong, mut wrong) = dial_from(&router, "127.0.48.2", NODE, unchanged).await;
    let failed = wrong.wait_for(|status| status.last_failure.is_some());
    soon("silence", failed).await.unwrap();
    assert_eq!(router.peers().len(), 1);

    // The end of the range ends its sessions, and removes its password.
    drop(handle);
    soon("the end", right.wait_for(|it| !it.is_established())).await.unwrap();
    let failed = right.wait_for(|it| {
        it.last_down.as_ref().is_some_and(|it| it.to_string().contains("de-configured"))
    });
    soon("the refusal", failed).await.unwrap();
}

#[tokio::test]
async fn a_configured_peer_and_a_longer_prefix_win() {
    let router = router("127.0.0.1:0").await;
    let mut wide = router.add_range(range("127.0.0.0/8")).unwrap();
    let mut narrow = router.add_range(range("127.0.49.0/24")).unwrap();
    let own: IpAddr = "127.0.49.5".parse().unwrap();
    let mut own = router.add_peer(PeerConfig::new(own, NODE).passive()).await.unwrap();
    let mut nodes = Vec::new();
    for from in ["127.0.49.5", "127.0.49.6", "127.0.50.7"] {
        let (node, mut peer) = dial_from(&router, from, NODE, unchanged).await;
        soon("a session", peer.established()).await.unwrap();
        nodes.push((node, peer));
    }
    soon("the peer's", own.established()).await.unwrap();
    counts(&mut narrow, 1, 0).await;
    counts(&mut wide, 1, 0).await;
    let again = router.add_range(range("127.0.49.99/24")).unwrap_err();
    assert!(matches!(again, SpeakerError::RangeExists { .. }), "{again}");
}
