//! Misbehaving peers, in virtual time.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bgp_core::wire::{AttributeBlock, ErrorCode, NextHop, UpdateWriter, WireContext};
use bgp_session::{
    Accepted, AfiSafi, AsPath, Asn, PathAttributes, PeerConfig, PeerHandle, Route, RouteSet,
    Speaker,
};
use bytes::BytesMut;
use tokio::{
    io::{DuplexStream, duplex},
    time::{Instant, sleep},
};

use crate::{
    memory::held,
    pipes::{AT_NODE, node_by_hand, router_without_socket, towards_pipe, transport},
    scripted::{Heard, Scripted},
    world::{NODE, ROUTER, soon},
};

/// Connects the peer with this address to the speaker, and returns its end of the pipe.
fn connect(speaker: &Speaker, local: &str, remote: &str, capacity: usize) -> DuplexStream {
    let (ours, theirs) = duplex(capacity);
    let accepted = speaker.accept(transport(ours, local, remote));
    assert!(matches!(accepted, Accepted::Peer(_)), "{accepted:?}");
    theirs
}

fn passive(address: &str, asn: Asn) -> PeerConfig {
    PeerConfig::new(address.parse::<IpAddr>().unwrap(), asn).passive()
}

/// A hundred thousand routes, a hundred with each attribute set.
fn table(version: u32) -> RouteSet {
    let sets: Vec<Arc<PathAttributes>> = (0..1_000)
        .map(|n| {
            PathAttributes { med: Some(version * 1_000 + n), ..PathAttributes::default() }.into()
        })
        .collect();
    let routes = (0..100_000_u32).map(|n| {
        let prefix = ipnet::Ipv4Net::new((0x0a00_0000 | n).into(), 32).unwrap();
        Route::with_attributes(prefix.into(), Arc::clone(&sets[(n / 100) as usize]))
    });
    routes.collect()
}

/// A router that accepts routes and keeps none, and the node's session with it.
async fn reader(node: &Speaker) -> (Arc<Speaker>, PeerHandle, PeerHandle) {
    let router = router_without_socket().await;
    let at_router = router.add_peer(passive("192.0.2.7", NODE)).await.unwrap();
    let mut at_node = node.add_peer(passive("192.0.2.1", ROUTER)).await.unwrap();
    let pipe = connect(node, AT_NODE, "192.0.2.1:40001", 65_536);
    router.accept(transport(pipe, "192.0.2.1:179", AT_NODE));
    at_node.established().await.unwrap();
    (router, at_router, at_node)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_costs_no_memory_delays_no_other_peer_and_is_ended() {
    let (node, _dials) = node_by_hand().await;
    let (_router, mut at_reader, to_reader) = reader(&node).await;
    let config = passive("192.0.2.2", ROUTER).send_hold_time(Duration::from_secs(200));
    let mut to_stuck = node.add_peer(config).await.unwrap();
    let mut stuck = Scripted::new(connect(&node, AT_NODE, "192.0.2.2:40001", 4_096));
    stuck.shake_hands(90).await;
    to_stuck.established().await.unwrap();
    // The router stays up, and stops reading.
    tokio::spawn(async move {
        while stuck.say(&[&[0xff; 16][..], &[0, 19, 4]].concat()).await {
            sleep(Duration::from_secs(20)).await;
        }
    });

    let began = Instant::now();
    let mut after_first = 0;
    for version in 1..=4 {
        let routes = Arc::new(table(version));
        to_stuck.set_routes(Arc::clone(&routes)).await.unwrap();
        to_reader.set_routes(routes).await.unwrap();
        let wanted = u64::from(version) * 100_000;
        let told = |status: &bgp_session::PeerStatus| status.stats.prefixes_announced_in == wanted;
        while !told(&at_reader.status()) {
            tokio::task::yield_now().await;
            assert!(at_reader.status().is_established());
        }
        if version == 1 {
            after_first = held();
        }
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "the other peer does not wait");
    let grown = held() - after_first;
    assert!(grown < 2_000_000, "{grown} octets more after three changes of every route");
    let composed = to_stuck.stats().prefixes_announced_out;
    assert!(composed < 30_000, "the capacity of the outbox and the pipe, once: {composed}");

    let ended = to_stuck.wait_for(|status| !status.is_established()).await.unwrap();
    let waited = began.elapsed();
    assert!((200..=201).contains(&waited.as_secs()), "{waited:?}");
    let reason = ended.last_down.unwrap();
    let code = reason.notification().map(|notification| notification.code);
    assert_eq!(code, Some(ErrorCode::SEND_HOLD_TIMER_EXPIRED), "{reason}");
    assert!(at_reader.wait_for(|status| status.is_established()).await.is_ok());
    assert_eq!(to_reader.stats().sessions_lost, 0);
}

/// UPDATEs with a million prefixes, 200 with each path.
fn a_million_routes() -> BytesMut {
    let mut out = BytesMut::new();
    let cx = WireContext::default().four_octet_as(true);
    let mut prefixes = (0..1_000_000_u32)
        .map(|n| ipnet::Ipv4Net::new((0x0100_0000 + (n << 4)).into(), 28).unwrap())
        .peekable();
    let next_hop = NextHop::V4([192, 0, 2, 1].into());
    let mut block = AttributeBlock::new();

    let mut origin = 0;
    while prefixes.peek().is_some() {
        origin += 1;
        let as_path = AsPath::sequence([ROUTER, Asn(origin)]);
        block.encode(&PathAttributes { as_path, ..PathAttributes::default() }, cx);
        let mut writer =
            UpdateWriter::reach(&mut out, AfiSafi::IPV4_UNICAST, &next_hop, &block, cx);
        for prefix in prefixes.by_ref().take(200) {
            assert!(writer.push(prefix.into()));
        }
        writer.finish();
    }
    out
}

#[tokio::test(start_paused = true)]
async fn a_million_routes_for_a_speaker_that_wants_none_are_counted_and_cost_nothing() {
    let routes = a_million_routes();
    let (node, mut dials) = node_by_hand().await;
    let mut at_node = node.add_peer(towards_pipe()).await.unwrap();
    let mut router = Scripted::new(dials.recv().await.unwrap().connect(65_536));
    router.shake_hands(90).await;
    at_node.established().await.unwrap();
    let before = held();
    assert!(router.say(&routes).await);
    router.say_keepalive().await;
    let all = |status: &bgp_session::PeerStatus| status.stats.prefixes_announced_in == 1_000_000;
    while !all(&at_node.status()) {
        tokio::task::yield_now().await;
    }
    let grown = held() - before;
    assert!(grown < 300_000, "{grown} octets for routes that are not kept");
    assert!(at_node.status().is_established() && node.loc_rib().is_empty());
}

/// Several kinds of garbage.
fn garbage(seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[0]
    };
    let length = usize::from(next()) % 200 + 1;
    let body: Vec<u8> = (0..length).map(|_| next()).collect();
    let with_header = |kind: u8, body: &[u8]| {
        let length = u16::try_from(19 + body.len()).unwrap().to_be_bytes();
        [&[0xff; 16][..], &length, &[kind], body].concat()
    };

    match seed % 5 {
        // Noise, long enough to be a header.
        0 => [&body[..], &[0; 19]].concat(),
        // A message whose inside is noise.
        1 => with_header(2, &body),
        // An unknown type.
        2 => with_header(200, &body),
        // An OPEN in the middle of a session.
        3 => with_header(1, &body),
        // An impossible length.
        _ => [&[0xff; 16][..], &[0xff, 0xff, 2], &body].concat(),
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_and_truncated_messages_end_their_session_alone_and_it_comes_back() {
    let (node, mut dials) = node_by_hand().await;
    let (_router, at_reader, to_reader) = reader(&node).await;
    let quick = Duration::from_millis(10);
    let address: std::net::SocketAddr = "192.0.2.3:179".parse().unwrap();
    let config = PeerConfig::new(address, ROUTER).idle_hold(quick, quick);
    let mut at_node = node.add_peer(config).await.unwrap();

    let mut held_before = 0;
    for seed in 0..400 {
        let mut router = Scripted::new(dials.recv().await.unwrap().connect(65_536));
        router.shake_hands(90).await;
        at_node.established().await.unwrap();
        let octets = garbage(seed);
        let truncated = seed % 7 == 0;
        if truncated {
            router.say(&octets[..octets.len().min(18)]).await;
        } else {
            router.say(&octets).await;
            // Octets that are well-formed by chance leave the session up.
            router.say(&[0; 19]).await;
            let notification = loop {
                match soon("a NOTIFICATION", router.hear_control()).await {
                    Heard::Notification(notification) => break notification,
                    Heard::End => panic!("closed without a NOTIFICATION, seed {seed}"),
                    _ => {}
                }
            };
            let code = notification.code;
            let expected = [
                ErrorCode::MESSAGE_HEADER,
                ErrorCode::OPEN_MESSAGE,
                ErrorCode::UPDATE_MESSAGE,
                ErrorCode::FSM,
            ];
            assert!(expected.contains(&code), "{notification}, seed {seed}");
        }
        drop(router);
        soon("the end", at_node.wait_for(|status| !status.is_established())).await.unwrap();
        if seed == 50 {
            held_before = held();
        }
    }

    let grown = held() - held_before;
    assert!(grown < 100_000, "{grown} octets more after 350 sessions");
    for other in [at_reader, to_reader] {
        assert!(other.status().is_established());
        assert_eq!(other.stats().sessions_lost, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_open_connection_ends_by_the_hold_timer_and_does_not_block_the_next_one() {
    let (node, _dials) = node_by_hand().await;
    let mut at_node = node.add_peer(passive("192.0.2.2", ROUTER)).await.unwrap();
    let mut gone = Scripted::new(connect(&node, AT_NODE, "192.0.2.2:40001", 65_536));
    gone.shake_hands(90).await;
    at_node.established().await.unwrap();

    // The router lost its power: it has forgotten the connection, and dials again.
    let began = Instant::now();
    loop {
        let mut router = Scripted::new(connect(&node, AT_NODE, "192.0.2.2:40002", 65_536));
        if let Heard::Open { .. } = router.hear().await {
            router.answer(ROUTER, 90).await;
            at_node.established().await.unwrap();
            break;
        }
        sleep(Duration::from_secs(5)).await;
    }
    assert!((90..=96).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());

    let reason = at_node.status().last_down.unwrap().to_string();
    assert_eq!(reason, "ended by us: Hold timer expired, the peer was silent");
}
