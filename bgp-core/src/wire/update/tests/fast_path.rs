//! The fast path agrees with the pass that judges.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::types::{AfiSafi, PeerType};
use crate::wire::update::{Positions, UpdateMetadata, fast_path};
use crate::wire::{ErrorKind, Frame, Treatment, Update, WireContext};

use super::{external, update};

/// Valid attributes with four-octet AS numbers, mostly in the order in which speakers send them.
const VALID: [&str; 16] = [
    "40010100",
    "50020006 0201 0000fc7c",
    "400304 ac16231a",
    "800404 00000007",
    "400504 00000064",
    "400600",
    "c00708 0000fc7c c0000201",
    "c00804 fc7b0064",
    "800904 01010101",
    "800a08 01010101 02020202",
    "800e1d 0002 01 10 20010db8000000000000000000000001 00 30 20010db80001 00",
    "800f08 0002 01 20 20010db8",
    "c01008 0002fc7b 00000064",
    "c0200c 0000fc7b 00000001 00000002",
    "c02304 0000fc7c",
    "c06303 010203",
];

fn context() -> impl Strategy<Value = WireContext> {
    (any::<[bool; 5]>()).prop_map(|[internal, wide, v6, add_path, confederation]| {
        let peer = if internal { PeerType::Internal } else { PeerType::External };
        WireContext::new(peer)
            .four_octet_as(wide)
            .multiprotocol(AfiSafi::IPV6_UNICAST, v6)
            .add_path(AfiSafi::IPV6_UNICAST, add_path)
            .confederation(confederation)
    })
}

/// Checks that both passes agree on the message. Returns true if the fast path accepted it.
fn compare(octets: &[u8], cx: WireContext) -> Result<bool, TestCaseError> {
    let mut positions = Positions::default();
    let Some(()) = fast_path::read(octets, cx, &mut positions) else { return Ok(false) };
    let judged = Update::judge(octets, cx);
    prop_assert!(judged.is_ok(), "{judged:?}");
    let update = Update { octets, metadata: UpdateMetadata::without_errors(positions, cx) };
    prop_assert_eq!(format!("{update:?}"), format!("{:?}", judged.unwrap()));
    prop_assert_eq!(update.treatment(), Treatment::None);
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_message_accepted_by_the_fast_path_is_judged_valid(
        chosen in subsequence(VALID.to_vec(), 0..=VALID.len()),
        changes in vec((any::<Index>(), any::<u8>()), 0..3),
        nlri in vec(prop_oneof![Just("18 0a0001"), Just("16 0a0000"), Just("20 0a000001"), Just("00"), Just("ff")], 0..5),
        cx in context(),
    ) {
        let mut octets = update("", &chosen.concat(), &nlri.concat());
        compare(&octets, cx)?;
        for (at, octet) in changes {
            let at = 19 + at.index(octets.len() - 19);
            octets[at] = octet;
        }
        compare(&octets, cx)?;
    }

    #[test]
    fn attributes_in_any_order_and_repeated_are_judged_alike_by_both_passes(
        chosen in vec(select(VALID.to_vec()), 0..8),
        mp_first in any::<bool>(),
        nlri in prop_oneof![Just(""), Just("18 0a0001")],
        cx in context(),
    ) {
        let first = if mp_first { VALID[10] } else { "" };
        let octets = update("", &[first, &chosen.concat()].concat(), nlri);
        let passes = compare(&octets, cx)?;
        let frame = Frame::split(&octets, cx.limit()).unwrap().unwrap();
        let right = Update::judge(&octets, cx).is_ok_and(|it| it.treatment() == Treatment::None);
        prop_assert!(!passes || right);
        // Both ways of reading give the same result.
        let (read, judged) = (Update::decode(frame, cx), Update::judge(&octets, cx));
        prop_assert_eq!(format!("{read:?}"), format!("{judged:?}"));
    }
}

#[test]
fn common_messages_are_read_by_the_fast_path() {
    let cx = external();
    let most = [&VALID[..4], &VALID[5..8], &VALID[10..15]].concat().concat();
    for (attributes, nlri) in
        [(&*VALID[..3].concat(), "180a0001 160a0000 080a"), (&*most, ""), ("", "")]
    {
        assert!(compare(&update("180a0002", attributes, nlri), cx).unwrap(), "{attributes}");
    }
    // Routes in an MP_REACH_NLRI, which comes first.
    let mp_first = [VALID[10], &VALID[..2].concat(), VALID[7]].concat();
    assert!(compare(&update("", &mp_first, ""), cx).unwrap());
    for repeated in [0, 1, 2] {
        let twice = [&VALID[..3].concat(), VALID[10], VALID[repeated]].concat();
        assert!(!compare(&update("", &twice, ""), cx).unwrap(), "{repeated}");
        let twice = [VALID[repeated], VALID[10], &VALID[..3].concat()].concat();
        assert!(!compare(&update("", &twice, ""), cx).unwrap(), "{repeated}");
        let twice = [VALID[10], &VALID[..3].concat(), VALID[repeated]].concat();
        assert!(!compare(&update("", &twice, ""), cx).unwrap(), "{repeated}");
    }
    let narrow = WireContext::default();
    let path = "40010100 400204 0201fc7c 400304 ac16231a";
    assert!(compare(&update("", path, "180a0001"), narrow).unwrap());
}

/// The first ten octets are compared as numbers: a change of any of them is still judged.
#[test]
fn each_octet_of_the_common_beginning_is_judged_with_every_value() {
    for path in ["40020602 01 0000fc7c", "5002000602 01 0000fc7c"] {
        for cx in [external(), external().four_octet_as(false)] {
            let octets = update("", &format!("40010100 {path} 400304 ac16231a"), "180a0001");
            for (at, value) in (23..35).flat_map(|at| (0..=255).map(move |value| (at, value))) {
                let mut octets = octets.clone();
                octets[at] = value;
                let frame = Frame::split(&octets, cx.limit()).unwrap().unwrap();
                let (read, judged) = (Update::decode(frame, cx), Update::judge(&octets, cx));
                assert_eq!(format!("{read:?}"), format!("{judged:?}"), "{value} at {at}");
            }
        }
    }
}

/// The lengths of two prefixes are checked in one number: the octet of one must not carry over into the other.
#[test]
fn prefixes_checked_in_pairs_give_the_same_result_as_one_by_one() {
    let mut octets = update("", &VALID[..3].concat(), "18ffffff 18ffffff");
    let nlri = octets.len() - 8;
    let cx = external();
    for (first, second) in (0..=255).flat_map(|first| (0..=255).map(move |second| (first, second)))
    {
        (octets[nlri], octets[nlri + 4]) = (first, second);
        let mut rest = &octets[nlri..];
        while let [length @ 0..=32, tail @ ..] = rest {
            match tail.get(usize::from(length.div_ceil(8))..) {
                Some(tail) => rest = tail,
                None => break,
            }
        }
        let frame = Frame::split(&octets, cx.limit()).unwrap().unwrap();
        match Update::decode(frame, cx) {
            Ok(_) => assert!(rest.is_empty(), "{first} {second}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Prefix);
                assert_eq!(error.offset(), octets.len() - rest.len(), "{first} {second}");
            }
        }
    }
}

/// An AS number of 0 is found at any position.
#[test]
fn an_as_number_of_0_is_found_at_every_place() {
    for (width, narrow) in [(4_u8, false), (2, true)] {
        let cx = external().four_octet_as(!narrow);
        for count in 1..8_u8 {
            for zero in 0..=count {
                let asns = (0..count).flat_map(|at| {
                    let last = u8::from(at != zero);
                    [&[0; 3][..usize::from(width) - 1], &[last]].concat()
                });
                let asns: Vec<u8> = asns.collect();
                let mut path = vec![0x40, 2, 2 + count * width, 2, count];
                path.extend(asns);
                let path: String = path.iter().map(|octet| format!("{octet:02x}")).collect();
                let attributes = ["40010100", &path, "400304 ac16231a"].concat();
                let octets = update("", &attributes, "180a0001");
                let passes = compare(&octets, cx).unwrap();
                assert_eq!(passes, zero == count, "{count} of {width} octets, 0 at {zero}");
            }
        }
    }
}
