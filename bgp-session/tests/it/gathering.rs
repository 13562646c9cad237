//! Routes that arrive in no order: gathered under load, made at once otherwise.

use std::{sync::Arc, time::Duration};

use bgp_session::{AfiSafi, Event, EventKind, Events, Import, PeerHandle, Speaker};
use tokio::{io::DuplexStream, sync::mpsc, time::Instant};

use crate::{
    pipes::{Dial, node_by_hand, towards_pipe},
    scripted::{Heard, Scripted},
    world::soon,
};

/// More than a read, several turns of the task, and less than a batch.
const ROUTES: u32 = 20_000;

/// A prefix for each number, in an order that has nothing to do with that of numbers.
fn prefix(n: u32) -> [u8; 4] {
    let scattered = n.wrapping_mul(0x9e37_79b1) >> 8;
    let [_, a, b, c] = scattered.to_be_bytes();
    [32, 10 + (a & 0x3f), b, c]
}

fn update(withdrawn: &[u8], attributes: &[u8], announced: &[u8]) -> Vec<u8> {
    let part = |octets: &[u8]| u16::try_from(octets.len()).unwrap().to_be_bytes();
    let length = u16::try_from(23 + withdrawn.len() + attributes.len() + announced.len()).unwrap();
    let header = [&[0xff; 16][..], &length.to_be_bytes(), &[2]].concat();
    [&header[..], &part(withdrawn), withdrawn, &part(attributes), attributes, announced].concat()
}

/// An UPDATE for one prefix, with the address of the prefix in five octets.
fn announced(n: u32) -> Vec<u8> {
    let [_, a, b, c] = prefix(n);
    let attributes =
        [&[0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0x7b][..], &[0x40, 3, 4, 192, 0, 2, 1]];
    update(&[], &attributes.concat(), &[32, a, b, c, n.to_le_bytes()[0]])
}

fn withdrawn(n: u32) -> Vec<u8> {
    let [_, a, b, c] = prefix(n);
    update(&[32, a, b, c, n.to_le_bytes()[0]], &[], &[])
}

struct Session {
    node: Speaker,
    _dials: mpsc::Receiver<Dial>,
    at_node: PeerHandle,
    events: Events,
    router: Scripted,
}

async fn session() -> Session {
    let (node, mut dials) = node_by_hand().await;
    let config = towards_pipe().import(Import::Keep);
    let mut at_node = node.add_peer(config).await.unwrap();
    let pipe: DuplexStream = soon("a dial", dials.recv()).await.unwrap().connect(1 << 22);
    let mut router = Scripted::new(pipe);
    router.shake_hands(9).await;
    at_node.established().await.unwrap();
    let events = node.events();
    Session { node, _dials: dials, at_node, events, router }
}

async fn next(events: &mut Events) -> Event {
    soon("an event", events.next()).await.expect("the speaker lives").expect("none is missed")
}

/// Waits for an End-of-RIB, and returns how many routes came and went before it.
async fn end_of_rib(events: &mut Events) -> (usize, usize) {
    let mut changed = (0, 0);
    loop {
        match next(events).await.kind {
            EventKind::RoutesChanged { announced, withdrawn } => {
                changed.0 += announced;
                changed.1 += withdrawn;
            }
            EventKind::EndOfRib(AfiSafi::IPV4_UNICAST) => return changed,
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_change_is_in_the_table_without_any_wait() {
    let mut session = session().await;
    for n in 0..3 {
        let began = Instant::now();
        session.router.say(&announced(n)).await;
        let event = next(&mut session.events).await.kind;
        assert!(matches!(event, EventKind::RoutesChanged { announced: 1, withdrawn: 0 }));
        assert_eq!(session.node.loc_rib().len(), n as usize + 1);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
    session.router.say(&withdrawn(1)).await;
    let event = next(&mut session.events).await.kind;
    assert!(matches!(event, EventKind::RoutesChanged { announced: 0, withdrawn: 1 }));
}

#[tokio::test(start_paused = true)]
async fn a_table_in_no_order_arrives_whole_and_before_its_end_of_rib() {
    let mut session = session().await;
    let mut octets: Vec<u8> = (0..ROUTES).flat_map(announced).collect();
    // Some routes go again, and some of those come back.
    octets.extend((0..ROUTES).step_by(4).flat_map(withdrawn));
    octets.extend((0..ROUTES).step_by(8).flat_map(announced));
    octets.extend(update(&[], &[], &[]));
    let began = Instant::now();
    session.router.say(&octets).await;

    let (came, went) = end_of_rib(&mut session.events).await;
    let left = (ROUTES - ROUTES / 4 + ROUTES / 8) as usize;
    assert_eq!((came - went, session.node.loc_rib().len()), (left, left));
    assert_eq!(session.at_node.status().prefixes_held, left);
    assert_eq!(began.elapsed(), Duration::ZERO, "nothing waits for a time");

    session.router.say(&(0..ROUTES).flat_map(withdrawn).collect::<Vec<_>>()).await;
    session.router.say(&update(&[], &[], &[])).await;
    assert_eq!(end_of_rib(&mut session.events).await, (0, left));
    assert!(session.node.loc_rib().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_that_was_gathered_outlives_its_session() {
    let mut session = session().await;
    session.router.say(&(0..ROUTES).flat_map(announced).collect::<Vec<_>>()).await;
    // Some of it is read, and some of that may be in the table.
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    drop(session.router);

    let mut held = 0_usize;
    loop {
        match next(&mut session.events).await.kind {
            EventKind::RoutesChanged { announced, withdrawn } => {
                held = (held + announced) - withdrawn;
            }
            EventKind::StateChange { to: bgp_session::StateKind::Established, .. } => {
                panic!("there is no other session")
            }
            EventKind::Down(_) => break,
            _ => {}
        }
    }
    // The table may need some more turns after the end of the session.
    while held > 0 {
        if let EventKind::RoutesChanged { announced, withdrawn } =
            next(&mut session.events).await.kind
        {
            held = (held + announced) - withdrawn;
        }
    }
    assert!(session.node.loc_rib().is_empty());
    assert_eq!(session.at_node.status().prefixes_held, 0);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_comes_again_for_a_minute_changes_nothing_twice_and_ends_no_session() {
    let Session { node, _dials, at_node, mut events, mut router } = session().await;
    let octets: Arc<Vec<u8>> = Arc::new((0..ROUTES).flat_map(announced).collect());
    let (mut keepalives, began) = (0, Instant::now());
    // The router sends its table again and again for a minute, and its hold time is 9 s.
    while began.elapsed() < Duration::from_secs(60) {
        assert!(router.say(&octets).await);
        assert_eq!(router.hear_control().await, Heard::Keepalive);
        keepalives += 1;
    }
    assert!(keepalives >= 19, "{keepalives}");
    assert!(at_node.status().is_established());

    router.say(&update(&[], &[], &[])).await;
    assert_eq!(end_of_rib(&mut events).await, (ROUTES as usize, 0), "nothing changes twice");
    assert_eq!(node.loc_rib().len(), ROUTES as usize);
}
