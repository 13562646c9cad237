//! The RIBs against plain models of what they stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use super::*;
use crate::wire::PathAttributes;
use crate::{BgpIdentifier, PeerType};

const FAMILIES: [AfiSafi; 1] = [AfiSafi::IPV4_UNICAST];

/// One of a few prefixes, so that changes meet.
fn prefix(n: u8) -> IpNet {
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, n), 32).into()
}

/// One of a few sets of attributes, each time in memory of its own.
fn attributes(med: u32) -> Arc<PathAttributes> {
    Arc::new(PathAttributes { med: Some(med), ..PathAttributes::default() })
}

#[derive(Clone, Debug)]
enum Step {
    Announce(u8, u32),
    Withdraw(u8),
    Set(BTreeMap<u8, u32>),
    Refresh,
    SessionUp,
    SessionDown,
    /// Send so many prefixes, as a socket with little room does.
    Send(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u8..6, 0_u32..3).prop_map(|(p, a)| Step::Announce(p, a)),
        (0_u8..6).prop_map(Step::Withdraw),
        prop::collection::btree_map(0_u8..6, 0_u32..3, 0..6).prop_map(Step::Set),
        Just(Step::Refresh),
        Just(Step::SessionUp),
        Just(Step::SessionDown),
        (1_usize..4).prop_map(Step::Send),
    ]
}

/// The far end: what has been sent to it, in order.
#[derive(Default)]
struct Far {
    up: bool,
    held: BTreeMap<IpNet, Arc<PathAttributes>>,
    /// What it asked to be told again.
    owed: BTreeSet<IpNet>,
}

impl Far {
    /// Sends up to `room` prefixes, and answers whether there was anything to send.
    fn take(&mut self, rib: &mut AdjRibOut, mut room: usize) -> bool {
        let Some(pending) = rib.pending(false) else { return false };
        match pending {
            Pending::Unreach(family) => {
                rib.take_unreach(family, |prefix| {
                    let fits = room > 0;
                    if fits {
                        room -= 1;
                        self.owed.remove(&prefix);
                        assert!(
                            self.held.remove(&prefix).is_some(),
                            "withdrew what was never there"
                        );
                    }
                    fits
                });
            }
            Pending::Reach(family, attributes) => {
                rib.take_reach(family, &attributes, |prefix| {
                    let fits = room > 0;
                    if fits {
                        room -= 1;
                        self.owed.remove(&prefix);
                        self.held.insert(prefix, Arc::clone(&attributes));
                    }
                    fits
                });
            }
            Pending::EndOfRib(family) => rib.end_of_rib_sent(family),
        }
        true
    }
}

proptest! {
    #[test]
    fn polled_to_the_end_the_far_side_holds_exactly_what_is_desired(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut rib = AdjRibOut::new();
        let mut desired: BTreeMap<IpNet, Arc<PathAttributes>> = BTreeMap::new();
        let mut far = Far::default();
        for step in steps {
            match step {
                Step::Announce(p, a) => {
                    rib.announce(prefix(p), &attributes(a));
                    desired.insert(prefix(p), attributes(a));
                }
                Step::Withdraw(p) => {
                    rib.withdraw(prefix(p));
                    desired.remove(&prefix(p));
                }
                Step::Set(routes) => {
                    desired = routes.into_iter().map(|(p, a)| (prefix(p), attributes(a))).collect();
                    let set = desired.iter().map(|(p, a)| Route::with_attributes(*p, Arc::clone(a)));
                    rib.set(&set.collect());
                }
                Step::Refresh => {
                    rib.refresh(AfiSafi::IPV4_UNICAST);
                    far.owed = far.held.keys().copied().collect();
                }
                Step::SessionUp => {
                    rib.session_up(&FAMILIES);
                    far = Far { up: true, ..Far::default() };
                }
                Step::SessionDown => {
                    rib.session_down();
                    far = Far::default();
                }
                Step::Send(room) => {
                    prop_assert!(far.take(&mut rib, room) <= far.up, "sent without a session");
                }
            }
        }
        while far.take(&mut rib, 2) {}
        prop_assert!(far.owed.is_empty(), "asked for in vain: {:?}", far.owed);
        let expected = if far.up { desired.clone() } else { BTreeMap::new() };
        prop_assert_eq!(&far.held, &expected);
        let advertised: BTreeMap<_, _> =
            rib.advertised().map(|(p, a)| (*p, Arc::clone(a))).collect();
        prop_assert_eq!(advertised, expected);
        let wanted: BTreeMap<_, _> = rib.desired().map(|(p, a)| (*p, Arc::clone(a))).collect();
        prop_assert_eq!(wanted, desired);
    }
}

#[test]
fn a_family_that_was_not_negotiated_is_kept_back_until_a_session_has_it() {
    let mut rib = AdjRibOut::new();
    rib.announce("2001:db8::/32".parse().unwrap(), &attributes(1));
    rib.session_up(&FAMILIES);
    assert_eq!(rib.pending(false), Some(Pending::EndOfRib(AfiSafi::IPV4_UNICAST)));
    rib.session_up(&[AfiSafi::IPV6_UNICAST]);
    assert_eq!(rib.pending(false), Some(Pending::Reach(AfiSafi::IPV6_UNICAST, attributes(1))));
}

#[test]
fn a_route_that_changes_and_changes_back_during_a_refresh_is_still_repeated() {
    let mut rib = AdjRibOut::new();
    rib.announce(prefix(1), &attributes(1));
    rib.session_up(&FAMILIES);
    rib.take_reach(AfiSafi::IPV4_UNICAST, &attributes(1), |_| true);
    rib.end_of_rib_sent(AfiSafi::IPV4_UNICAST);
    rib.refresh(AfiSafi::IPV4_UNICAST);
    rib.withdraw(prefix(1));
    rib.announce(prefix(1), &attributes(1));
    assert_eq!(rib.pending(false), Some(Pending::Reach(AfiSafi::IPV4_UNICAST, attributes(1))));
    rib.take_reach(AfiSafi::IPV4_UNICAST, &attributes(1), |_| true);
    rib.withdraw(prefix(1));
    rib.announce(prefix(1), &attributes(1));
    assert_eq!(rib.pending(false), None, "once is enough");
}

#[test]
fn what_cannot_be_sent_withdraws_what_was_sent_before_it() {
    let mut rib = AdjRibOut::new();
    rib.announce(prefix(1), &attributes(1));
    rib.session_up(&FAMILIES);
    rib.take_reach(AfiSafi::IPV4_UNICAST, &attributes(1), |_| true);
    rib.announce(prefix(1), &attributes(2));
    assert_eq!(rib.skip_reach(AfiSafi::IPV4_UNICAST, &attributes(2)), [prefix(1)]);
    assert_eq!(rib.pending(false), Some(Pending::Unreach(AfiSafi::IPV4_UNICAST)));
    rib.take_unreach(AfiSafi::IPV4_UNICAST, |_| true);
    assert_eq!(rib.pending(false), Some(Pending::EndOfRib(AfiSafi::IPV4_UNICAST)));
}

#[test]
fn the_loc_rib_follows_its_peers() {
    let path = |peer: u8| Path {
        peer,
        source: PathSource {
            address: Ipv4Addr::new(172, 22, 35, peer).into(),
            identifier: BgpIdentifier(Ipv4Addr::new(172, 22, 35, peer)),
            peer_type: PeerType::External,
        },
        attributes: attributes(0),
    };
    let mut rib = LocRib::new();
    for peer in [27, 25, 26, 25] {
        rib.insert(prefix(70), path(peer));
    }
    let peers = |rib: &LocRib<u8>| -> Vec<u8> {
        rib.multipath(&prefix(70)).iter().map(|path| path.peer).collect()
    };
    assert_eq!(peers(&rib), [25, 26, 27]);
    assert!(rib.remove(&prefix(70), 25));
    assert!(!rib.remove(&prefix(70), 25));
    assert_eq!(rib.best(&prefix(70)).map(|path| path.peer), Some(26));
    assert!(rib.clear_peer(26) && rib.clear_peer(27));
    assert!(rib.is_empty());
}
