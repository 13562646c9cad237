//! Any segmentation, order within a window, and repetition of a stream has the same messages. If segments are lost, the
//! messages that are left are some of those that were sent, in their order.

use proptest::prelude::*;

use super::packets::Packet;
use super::streams::{Talk, cease, context, keepalive, update};
use super::{Found, read_packets};

fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let message = prop_oneof![
        Just(keepalive()),
        Just(cease()),
        (0..100_u8, 1..100_u8).prop_map(|(first, count)| update(context(), first, count)),
    ];
    prop::collection::vec(message, 1..12)
}

/// The packets of a talk: the messages of both ends in segments of these sizes, the ends in turns.
fn talk(streams: [&[Vec<u8>]; 2], sizes: &[usize], has_start: bool) -> Vec<Packet> {
    let mut talk = if has_start { Talk::start() } else { Talk::in_the_middle() };
    let mut rests = streams.map(<[Vec<u8>]>::concat);
    let mut sizes = sizes.iter().cycle();
    let mut end = 0;
    while rests.iter().any(|rest| !rest.is_empty()) {
        let size = *sizes.next().unwrap();
        let rest = rests[end].split_off(size.min(rests[end].len()));
        let octets = std::mem::replace(&mut rests[end], rest);
        if !octets.is_empty() {
            talk.send(end, "", &octets);
        }
        end = 1 - end;
    }
    talk.packets()
}

/// Delays packets by a number of others.
fn delay(packets: &mut [Packet], moves: &[(prop::sample::Index, usize)]) {
    for (at, distance) in moves {
        let at = at.index(packets.len());
        let end = (at + distance + 1).min(packets.len());
        packets[at..end].rotate_left(1);
    }
}

/// The messages among what was found.
fn messages_of(found: Vec<Found>) -> Vec<Vec<u8>> {
    let messages = found.into_iter().filter_map(|found| match found {
        Found::Message(octets) => Some(octets),
        _ => None,
    });
    messages.collect()
}

/// Returns true if one list is the other without some of its elements.
fn is_part_of(part: &[Vec<u8>], whole: &[Vec<u8>]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|message| whole.any(|other| other == message))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_messages_come_in_any_segments_order_and_number(
        sent in messages(),
        sizes in prop::collection::vec(1..1_500_usize, 1..8),
        moves in prop::collection::vec((any::<prop::sample::Index>(), 1..16_usize), 0..30),
        repeats in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..20),
    ) {
        let mut packets = talk([&sent, &[]], &sizes, true);
        let (handshake, data) = packets.split_at_mut(3);
        delay(data, &moves);
        let mut packets = [handshake, data].concat();
        for (from, to) in repeats {
            let again = packets[from.index(packets.len())].clone();
            let to = 3 + to.index(packets.len() - 2);
            packets.insert(to, again);
        }

        prop_assert_eq!(read_packets(&packets).messages(), sent);
    }

    #[test]
    fn acknowledgments_do_not_turn_a_delay_into_a_gap(
        sent in messages(),
        answers in messages(),
        sizes in prop::collection::vec(1..200_usize, 1..8),
        moves in prop::collection::vec((any::<prop::sample::Index>(), 1..8_usize), 0..20),
    ) {
        let mut packets = talk([&sent, &answers], &sizes, true);
        delay(&mut packets[3..], &moves);
        let found = read_packets(&packets).messages();
        prop_assert_eq!(found.len(), sent.len() + answers.len());
        prop_assert!(is_part_of(&sent, &found) && is_part_of(&answers, &found));
    }

    #[test]
    fn lost_segments_lose_messages_and_make_none(
        sent in messages(),
        sizes in prop::collection::vec(1..300_usize, 1..8),
        lost in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
        has_start in any::<bool>(),
    ) {
        let mut packets = talk([&sent, &[]], &sizes, has_start);
        for at in lost {
            if packets.len() > 4 {
                packets.remove(at.index(packets.len()));
            }
        }
        prop_assert!(is_part_of(&messages_of(read_packets(&packets).found), &sent));
    }
}
