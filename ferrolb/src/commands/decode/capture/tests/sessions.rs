//! The contexts of messages: from the OPENs, or as the UPDATEs show them.

use bgp_session::wire::{Capability, WireContext};
use bgp_session::{AfiSafi, PeerType};

use super::streams::{Talk, context, four_octet, keepalive, open, path_ids, update};
use super::{Outcome, read_packets};

/// The contexts of an UPDATE from the client and one from the server, after these OPENs.
fn contexts(client: &[u8], server: &[u8]) -> [WireContext; 2] {
    let mut talk = Talk::start();
    talk.send(0, "", client).send(1, "", server);
    // Any UPDATE does: the OPENs decide, whatever the content.
    talk.send(0, "", &update(context(), 1, 1)).send(1, "", &update(context(), 1, 1));
    let outcome = read_packets(&talk.packets());
    [outcome.contexts[2], outcome.contexts[3]]
}

#[test]
fn the_opens_of_both_ends_decide() {
    let both = contexts(
        &open(64_636, vec![four_octet(64_636), path_ids(), Capability::ExtendedMessage]),
        &open(64_635, vec![four_octet(64_635), path_ids(), Capability::ExtendedMessage]),
    );
    for context in both {
        assert!(context.is_four_octet_as() && context.has_add_path(AfiSafi::IPV4_UNICAST));
        assert_eq!(context.limit().octets(), 65_535);
        assert_eq!(context.peer_type(), PeerType::External);
        assert!(!context.has_family(AfiSafi::IPV6_UNICAST));
    }

    let one = contexts(
        &open(64_636, vec![four_octet(64_636), path_ids(), Capability::ExtendedMessage]),
        &open(64_636, vec![]),
    );
    for context in one {
        assert!(!context.is_four_octet_as() && !context.has_add_path(AfiSafi::IPV4_UNICAST));
        assert_eq!(context.limit().octets(), 4_096);
        assert_eq!(context.peer_type(), PeerType::Internal);
    }
}

#[test]
fn path_identifiers_are_agreed_for_each_direction() {
    use bgp_session::wire::{AddPath, AddPathMode};
    let mode = |mode: AddPathMode| {
        let family = AfiSafi::IPV4_UNICAST;
        vec![four_octet(1), Capability::AddPath(vec![AddPath { family, mode }])]
    };
    let [client, server] =
        contexts(&open(1, mode(AddPathMode::SEND)), &open(2, mode(AddPathMode::BOTH)));
    assert!(client.has_add_path(AfiSafi::IPV4_UNICAST));
    assert!(!server.has_add_path(AfiSafi::IPV4_UNICAST));
}

/// The outcome of UPDATEs of the client in a session whose OPENs are not in the capture.
fn without_opens(updates: &[Vec<u8>]) -> Outcome {
    let mut talk = Talk::in_the_middle();
    talk.send(0, "", &keepalive());
    for update in updates {
        talk.send(0, "", update);
    }
    read_packets(&talk.packets())
}

#[test]
fn without_opens_a_context_is_found_in_which_the_updates_have_no_error() {
    let plain = WireContext::new(PeerType::External);
    for context in [
        plain.four_octet_as(true),
        plain,
        plain.four_octet_as(true).add_path(AfiSafi::IPV4_UNICAST, true),
        plain.add_path(AfiSafi::IPV4_UNICAST, true),
    ] {
        let outcome = without_opens(&[update(context, 1, 5), update(context, 9, 3)]);
        for found in &outcome.contexts[1..] {
            assert_eq!(found.is_four_octet_as(), context.is_four_octet_as());
            let family = AfiSafi::IPV4_UNICAST;
            assert_eq!(found.has_add_path(family), context.has_add_path(family));
        }
    }
}

#[test]
fn an_update_that_is_wrong_in_every_context_keeps_that_of_the_arguments() {
    let mut wrong = update(context(), 1, 1);
    // ORIGIN 9.
    let origin = wrong.windows(4).position(|it| it == [0x40, 1, 1, 0]).unwrap();
    wrong[origin + 3] = 9;
    let outcome = without_opens(&[wrong, update(context(), 1, 1)]);
    for context in &outcome.contexts[1..] {
        assert!(context.is_four_octet_as() && !context.has_add_path(AfiSafi::IPV4_UNICAST));
    }
}

#[test]
fn one_open_decides_if_the_other_is_not_in_the_capture() {
    for (capabilities, asn4) in [(vec![four_octet(64_636)], true), (vec![], false)] {
        let mut talk = Talk::start();
        talk.send(0, "", &open(64_636, capabilities));
        let cx = context().four_octet_as(asn4);
        talk.send(0, "", &update(cx, 1, 1)).send(1, "", &update(cx, 2, 1));
        let outcome = read_packets(&talk.packets());
        for context in &outcome.contexts[1..] {
            assert_eq!(context.is_four_octet_as(), asn4);
        }
    }
}

#[test]
fn a_new_connection_forgets_the_opens() {
    let mut talk = Talk::start();
    talk.send(0, "", &open(1, vec![])).send(1, "", &open(2, vec![]));
    let second = Talk::start();
    talk.next = [9, 9];
    let first = talk.segments.len();
    talk.send(0, "S", &[]).send(1, "S", &[]);
    talk.segments[first].acknowledgment = None;
    talk.send(0, "", &open(1, vec![four_octet(1)])).send(1, "", &open(2, vec![four_octet(2)]));
    talk.send(0, "", &update(context(), 1, 1));
    assert_eq!(second.segments.len(), 3);
    assert!(read_packets(&talk.packets()).contexts[4].is_four_octet_as());
}
