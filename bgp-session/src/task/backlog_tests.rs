//! The parts in which a task catches up, and what it reads in between.

use bgp_core::{
    AfiSafi, Asn, BgpIdentifier,
    wire::{Capability, Open, encode_keepalive},
};
use bytes::BytesMut;
use tokio::io::DuplexStream;

use super::*;
use crate::task::wake::tests::task;

const FROM: Direction = Direction::Incoming;

/// A task whose session is up, and the peer's end of the connection.
fn established() -> (PeerTask, DuplexStream) {
    let (mut task, theirs) = task();
    let asn = Asn(64_500);
    let capabilities =
        vec![Capability::Multiprotocol(AfiSafi::IPV4_UNICAST), Capability::FourOctetAs(asn)];
    let mut octets = BytesMut::new();
    Open::new(asn, 90, BgpIdentifier::new(192, 0, 2, 1), capabilities).encode(&mut octets);
    encode_keepalive(&mut octets);

    task.peer.read_buffer(FROM).extend_from_slice(&octets);
    task.peer.received(clock::now(), FROM);
    task.perform_outputs();
    assert!(task.peer.negotiated().is_some());
    (task, theirs)
}

/// UPDATEs for one prefix each, in the opposite of the order of prefixes.
fn updates(count: u16) -> Vec<u8> {
    let update = |n: u16| {
        let [high, low] = n.to_be_bytes();
        let attributes =
            [&[0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfb, 0xf4][..], &[0x40, 3, 4, 192, 0, 2, 1]];
        let header = [&[0xff; 16][..], &[0, 47, 2, 0, 0, 0, 20]];
        [header.concat(), attributes.concat(), vec![24, 10, high, low]].concat()
    };
    (0..count).rev().flat_map(update).collect()
}

/// A task that has read so many UPDATEs.
fn that_has_read(count: u16) -> (PeerTask, DuplexStream) {
    let (mut task, theirs) = established();
    task.peer.read_buffer(FROM).extend_from_slice(&updates(count));
    task.read(FROM);
    (task, theirs)
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_for_a_bounded_number_of_octets_or_of_changes() {
    let (mut task, _theirs) = that_has_read(3_000);
    assert!(task.must_catch_up(), "many octets need a permit");

    let (mut turns, mut applying) = (0, 0);
    while task.has_backlog() {
        let (unread, held) = (task.peer.read_buffer(FROM).len(), task.peer.adj_rib_in().len());
        task.catch_up();
        task.perform_outputs();
        turns += 1;

        let octets = unread - task.peer.read_buffer(FROM).len();
        let changes = task.peer.adj_rib_in().len() - held;
        assert!(octets < MOST_OCTETS + 47 && changes <= MOST_APPLIED, "{octets} {changes}");
        assert!(octets == 0 || changes == 0, "changes are made when all is read");
        applying += usize::from(changes > 0);
    }
    assert_eq!(task.peer.adj_rib_in().len(), 3_000);
    assert_eq!(applying, 3_000_usize.div_ceil(MOST_APPLIED));
    assert!(turns <= (3_000 * 47_usize).div_ceil(MOST_OCTETS) + applying + 1, "{turns}");
}

#[tokio::test(start_paused = true)]
async fn gathered_changes_let_the_task_read_on_until_the_first_is_made() {
    let (mut task, _theirs) = that_has_read(600);
    while !task.unread.is_empty() {
        task.catch_up();
    }
    assert!(task.has_backlog() && !task.must_catch_up());

    task.catch_up();
    assert!(task.must_catch_up(), "what is read now would overtake the changes");
    task.catch_up();
    assert!(!task.has_backlog());
}

#[tokio::test(start_paused = true)]
async fn a_few_octets_change_the_tables_at_once() {
    let (task, _theirs) = that_has_read(2);
    assert!(!task.has_backlog());
    assert_eq!(task.peer.adj_rib_in().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_alone_takes_one_permit() {
    let (mut task, _theirs) = that_has_read(5);
    assert!(task.must_catch_up(), "it is too long to be handled without a permit");

    task.catch_up();
    assert!(!task.has_backlog());
    assert_eq!(task.peer.adj_rib_in().len(), 5);
}

/// While other tasks keep a peer waiting for its permits, there is always something new to read.
#[tokio::test(start_paused = true)]
async fn a_change_is_made_in_time_although_the_peer_sends_without_a_pause() {
    let (mut task, _theirs) = established();
    let sent = updates(1_000);
    let mut sent = sent.chunks(47 * 25);
    let begin = clock::now();
    while task.peer.adj_rib_in().is_empty() {
        if !task.must_catch_up() {
            task.peer.read_buffer(FROM).extend_from_slice(sent.next().unwrap());
            task.read(FROM);
        }
        tokio::time::advance(Duration::from_millis(5)).await;
        task.catch_up();
    }
    assert!(clock::now() - begin <= LONGEST_WAIT + Duration::from_millis(10));
}
