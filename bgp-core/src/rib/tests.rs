//! Tests of the RIBs against plain models.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use super::*;
use crate::wire::PathAttributes;
use crate::{Asn, BgpIdentifier, PeerType};

const FAMILIES: [AfiSafi; 1] = [AfiSafi::IPV4_UNICAST];
const TOO_LONG: Unsendable = Unsendable::TooLong { limit: 4_096 };

/// One of a few prefixes, so that changes concern the same ones.
fn prefix(n: u8) -> IpNet {
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, n), 32).into()
}

/// One of a few sets of attributes, newly allocated each time.
fn attributes(med: u32) -> Arc<PathAttributes> {
    Arc::new(PathAttributes { med: Some(med), ..PathAttributes::default() })
}

fn route(n: u8, med: u32) -> Route {
    Route::with_attributes(prefix(n), attributes(med))
}

#[derive(Clone, Debug)]
enum Step {
    Announce(u8, u32, u32),
    Withdraw(u8),
    WithdrawPath(u8, u32),
    Set(BTreeMap<(u8, u32), u32>),
    Refresh(bool),
    Repeat,
    SessionUp {
        several_paths: bool,
    },
    SessionDown,
    /// Send this number of prefixes, like a socket with little room.
    Send(usize),
    /// Skip the offered routes, which cannot be sent.
    Skip,
}

fn step() -> impl Strategy<Value = Step> {
    let routes = prop::collection::btree_map((0_u8..12, 1_u32..3), 0_u32..3, 0..12);
    prop_oneof![
        4 => (0_u8..12, 1_u32..3, 0_u32..3).prop_map(|(p, id, a)| Step::Announce(p, id, a)),
        2 => (0_u8..12).prop_map(Step::Withdraw),
        2 => (0_u8..12, 1_u32..3).prop_map(|(p, id)| Step::WithdrawPath(p, id)),
        3 => routes.prop_map(Step::Set),
        1 => any::<bool>().prop_map(Step::Refresh),
        1 => Just(Step::Repeat),
        1 => any::<bool>().prop_map(|several_paths| Step::SessionUp { several_paths }),
        1 => Just(Step::SessionDown),
        6 => (1_usize..4).prop_map(Step::Send),
        1 => Just(Step::Skip),
    ]
}

impl Step {
    /// The prefixes whose desired routes the step may change, given those before it.
    fn prefixes(&self, desired: &BTreeMap<(u8, u32), u32>) -> Vec<IpNet> {
        match self {
            Self::Announce(p, ..) | Self::Withdraw(p) | Self::WithdrawPath(p, _) => {
                vec![prefix(*p)]
            }
            Self::Set(routes) => {
                let all = desired.keys().chain(routes.keys());
                all.filter(|key| desired.get(key) != routes.get(key))
                    .map(|(p, _)| prefix(*p))
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The peer, with the routes that were sent to it.
#[derive(Default)]
struct Far {
    up: bool,
    several_paths: bool,
    held: BTreeMap<(IpNet, u32), Arc<PathAttributes>>,
    /// The routes that it requested again, once for each request.
    owed: BTreeSet<(IpNet, u32)>,
    /// The routes that were not repeated yet, between BoRR and EoRR.
    refreshing: Option<BTreeSet<(IpNet, u32)>>,
    end_of_rib: bool,
    /// The time at which each route of `held` was received last.
    at: BTreeMap<(IpNet, u32), u64>,
    now: u64,
    /// True if routes were sent again, or will be.
    is_repeated: bool,
}

impl Far {
    fn id(&self, path_id: u32) -> u32 {
        if self.several_paths { path_id } else { 0 }
    }

    /// Receives a route.
    fn receive(&mut self, prefix: IpNet, id: u32, attributes: Option<&Arc<PathAttributes>>) {
        let key = (prefix, self.id(id));
        self.owed.remove(&key);
        self.at.insert(key, self.now);
        if let Some(refreshing) = &mut self.refreshing {
            refreshing.remove(&key);
        }
        match attributes {
            Some(attributes) => {
                self.held.insert(key, Arc::clone(attributes));
            }
            None => assert!(self.held.remove(&key).is_some(), "withdrew what was never there"),
        }
    }

    /// Receives up to `room` prefixes. Returns false if there was nothing to send.
    fn take(&mut self, rib: &mut AdjRibOut, mut room: usize) -> bool {
        let Some(pending) = rib.pending(false) else { return false };

        let mut fits = || {
            let fits = room > 0;
            room = room.saturating_sub(1);
            fits
        };

        let taken = match &pending {
            Pending::Unreach(family) => rib.take_unreach(*family, |prefix, id| {
                let fits = fits();
                if fits {
                    self.receive(prefix, id, None);
                }
                fits
            }),
            Pending::Reach(family, attributes) => rib.take_reach(*family, |prefix, id| {
                let fits = fits();
                if fits {
                    self.receive(prefix, id, Some(attributes));
                }
                fits
            }),
            Pending::EndOfRib(_) => {
                assert!(!std::mem::replace(&mut self.end_of_rib, true), "End-of-RIB twice");
                rib.marker_sent(&pending);
                1
            }
            Pending::BeginningOfRefresh(_) => {
                let all = self.held.keys().copied().collect();
                assert!(self.refreshing.replace(all).is_none(), "a refresh within another");
                assert!(self.end_of_rib, "a refresh before the End-of-RIB");
                rib.marker_sent(&pending);
                1
            }
            Pending::EndOfRefresh(_) => {
                // Routes that were not repeated are dropped. Routes that cannot be sent were never there.
                let gone = self.refreshing.take().expect("a beginning");
                assert!(gone.is_empty(), "not repeated: {gone:?}");
                rib.marker_sent(&pending);
                1
            }
        };
        assert!(taken > 0, "{pending:?} was offered, and is nothing");
        true
    }

    fn skip(rib: &mut AdjRibOut) {
        let Some(pending) = rib.pending(false) else { return };
        if let Pending::Reach(family, _) = pending {
            // Sometimes only an attempt shows that no prefix fits.
            assert_eq!(rib.take_reach(family, |_, _| false), 0);
            assert_eq!(rib.pending(false), Some(pending), "what is skipped is what was offered");
            assert!(rib.skip_reach(family, TOO_LONG) > 0);
        }
    }
}

/// The routes that a session carries.
fn carried(
    routes: &BTreeMap<(u8, u32), u32>,
    several_paths: bool,
) -> BTreeMap<(IpNet, u32), Arc<PathAttributes>> {
    let mut shown = BTreeMap::new();
    for ((p, id), a) in routes.iter().rev() {
        let id = if several_paths { *id } else { 0 };
        shown.insert((prefix(*p), id), attributes(*a));
    }
    shown
}

fn set_of(routes: &BTreeMap<(u8, u32), u32>) -> RouteSet {
    let route =
        |(p, id): &(u8, u32), a: &u32| Route::with_attributes(prefix(*p), attributes(*a)).path(*id);
    routes.iter().map(|(key, a)| route(key, a)).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
fn instant() -> Instant {
    Instant::now()
}

/// All routes of the RIB, in pages of this size.
fn pages(rib: &AdjRibOut, size: usize) -> Vec<OutRoute> {
    let (mut routes, mut from) = (Vec::new(), None);
    loop {
        let page = rib.page(from, size);
        assert!(page.routes.len() <= size);
        assert!(page.next.is_none_or(|next| from.is_none_or(|from| from < next)), "no progress");
        routes.extend(page.routes);
        match page.next {
            Some(next) => from = Some(next),
            None => return routes,
        }
    }
}

/// Checks the pages of the RIB against the routes that the peer has. Routes to `touched` prefixes may have changed and changed
/// back since they were sent, so that their times are not exact.
fn check_pages(
    rib: &AdjRibOut,
    far: &Far,
    desired: &BTreeMap<(u8, u32), u32>,
    touched: &BTreeSet<IpNet>,
    start: Instant,
) -> Result<(), TestCaseError> {
    let all = pages(rib, 100);
    for size in [1, 2, 5] {
        prop_assert_eq!(&pages(rib, size), &all);
    }

    let carried = carried(desired, far.several_paths);
    let mut left: BTreeSet<_> = desired.keys().map(|(p, id)| (prefix(*p), *id)).collect();
    let mut gone: BTreeSet<_> =
        far.held.keys().copied().filter(|key| !carried.contains_key(key)).collect();
    let withheld: BTreeSet<_> = rib.withheld().map(|it| (it.prefix, it.path_id)).collect();
    for route in all {
        let key = (route.prefix, far.id(route.path_id));
        if route.state == OutRouteState::Withdrawing {
            prop_assert!(gone.remove(&key), "{:?} is not there", route);
            continue;
        }

        prop_assert!(left.remove(&(route.prefix, route.path_id)), "{:?} is not desired", route);
        let held = far.held.get(&key);
        let is_same = held == Some(&route.attributes);
        match route.state {
            OutRouteState::NoSession => prop_assert!(!far.up),
            OutRouteState::OtherPath => prop_assert!(!far.several_paths),
            OutRouteState::Unsendable(why) => {
                prop_assert!(why == TOO_LONG && withheld.contains(&key));
            }
            OutRouteState::Pending { replaces } => {
                prop_assert_eq!(replaces, held.is_some());
                prop_assert!(!is_same || far.is_repeated, "{:?}", route);
            }
            OutRouteState::Sent => {
                prop_assert!(is_same, "{:?}, and the peer has {:?}", route, held);
                let at = start + Duration::from_secs(*far.at.get(&key).expect("a time"));
                let since = route.since.expect("a time");
                let exact = !touched.contains(&route.prefix);
                prop_assert!(since == at || since > at && !exact, "{:?} {:?}", since, at);
            }
            OutRouteState::Withdrawing => {}
        }
    }
    prop_assert!(left.is_empty() && gone.is_empty(), "not listed: {:?} {:?}", left, gone);
    Ok(())
}

proptest! {
    #[test]
    fn after_polling_the_peer_has_exactly_the_desired_routes(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut rib = AdjRibOut::new();
        let mut desired: BTreeMap<(u8, u32), u32> = BTreeMap::new();
        let mut far = Far::default();
        let mut skipped = false;
        let start = instant();
        let mut touched = BTreeSet::new();
        for (now, step) in (0_u64..).zip(steps) {
            // Several steps take place in each second.
            far.now = now / 3;
            rib.set_time(start + Duration::from_secs(far.now));
            touched.extend(step.prefixes(&desired));
            match step {
                Step::Announce(p, id, a) => {
                    rib.announce(&Route::with_attributes(prefix(p), attributes(a)).path(id));
                    desired.insert((p, id), a);
                }
                Step::Withdraw(p) => {
                    rib.withdraw(prefix(p));
                    desired.retain(|(other, _), _| *other != p);
                }
                Step::WithdrawPath(p, id) => {
                    rib.withdraw_path(prefix(p), id);
                    desired.remove(&(p, id));
                }
                Step::Set(routes) => {
                    rib.set(&set_of(&routes));
                    desired = routes;
                }
                Step::Refresh(bracketed) => {
                    rib.refresh(AfiSafi::IPV4_UNICAST, bracketed);
                    far.is_repeated = true;
                    far.owed = far.held.keys().copied().collect();
                }
                Step::Repeat => {
                    rib.repeat();
                    skipped = false;
                    far.is_repeated = true;
                    far.owed = far.held.keys().copied().collect();
                }
                Step::SessionUp { several_paths } => {
                    let several: &[AfiSafi] = if several_paths { &FAMILIES } else { &[] };
                    rib.session_up(&FAMILIES, several);
                    skipped = false;
                    far = Far { up: true, several_paths, now: far.now, ..Far::default() };
                    touched.clear();
                }
                Step::SessionDown => {
                    rib.session_down();
                    far = Far::default();
                }
                Step::Send(room) => {
                    prop_assert!(far.take(&mut rib, room) <= far.up, "sent without a session");
                }
                Step::Skip => {
                    Far::skip(&mut rib);
                    skipped = true;
                    // A route that could not be repeated counts as sent from its next change on.
                    touched.extend(desired.keys().map(|(p, _)| prefix(*p)));
                }
            }

            let told = rib.advertised();
            let told: BTreeMap<_, _> = told
                .iter()
                .with_path_ids()
                .map(|(p, id, a)| ((p, far.id(id)), Arc::clone(a)))
                .collect();
            prop_assert_eq!(&told, &far.held, "what was told");
            check_pages(&rib, &far, &desired, &touched, start)?;
        }

        while far.take(&mut rib, 3) {}
        prop_assert!(far.owed.is_empty() || skipped, "asked for in vain: {:?}", far.owed);
        prop_assert!(far.refreshing.is_none() && far.end_of_rib == far.up);
        let all = if far.up { carried(&desired, far.several_paths) } else { BTreeMap::new() };
        if skipped {
            // Routes that could not be sent are missing, and all others are right.
            prop_assert!(far.held.iter().all(|(key, held)| all.get(key) == Some(held)));
        } else {
            prop_assert_eq!(&far.held, &all);
        }

        // The peer misses exactly the routes that the RIB reports as withheld.
        let missing = all.keys().filter(|key| !far.held.contains_key(*key)).copied();
        let withheld: Vec<_> = rib.withheld().map(|it| (it.prefix, it.path_id)).collect();
        prop_assert_eq!(&withheld, &missing.collect::<Vec<_>>());
        prop_assert_eq!(rib.withheld_len(), withheld.len());
        prop_assert!(rib.withheld().all(|it| it.why == TOO_LONG));
        prop_assert_eq!(rib.desired(), set_of(&desired));
    }
}

#[test]
fn routes_of_a_family_that_was_not_negotiated_wait_for_a_session_with_it() {
    let mut rib = AdjRibOut::new();
    rib.announce(&Route::with_attributes("2001:db8::/32".parse().unwrap(), attributes(1)));
    rib.session_up(&FAMILIES, &[]);
    assert_eq!(rib.pending(false), Some(Pending::EndOfRib(AfiSafi::IPV4_UNICAST)));
    rib.session_up(&[AfiSafi::IPV6_UNICAST], &[]);
    assert_eq!(rib.pending(false), Some(Pending::Reach(AfiSafi::IPV6_UNICAST, attributes(1))));
}

#[test]
fn a_route_that_changes_and_changes_back_during_a_refresh_is_still_repeated() {
    let mut rib = AdjRibOut::new();
    rib.announce(&route(1, 1));
    rib.session_up(&FAMILIES, &[]);
    rib.take_reach(AfiSafi::IPV4_UNICAST, |_, _| true);
    rib.marker_sent(&Pending::EndOfRib(AfiSafi::IPV4_UNICAST));
    rib.refresh(AfiSafi::IPV4_UNICAST, false);
    rib.withdraw(prefix(1));
    rib.announce(&route(1, 1));
    assert_eq!(rib.pending(false), Some(Pending::Reach(AfiSafi::IPV4_UNICAST, attributes(1))));
    rib.take_reach(AfiSafi::IPV4_UNICAST, |_, _| true);
    rib.withdraw(prefix(1));
    rib.announce(&route(1, 1));
    assert_eq!(rib.pending(false), None, "once is enough");
}

#[test]
fn a_route_that_cannot_be_sent_withdraws_the_one_that_was_sent_before() {
    let mut rib = AdjRibOut::new();
    rib.announce(&route(1, 1));
    rib.session_up(&FAMILIES, &[]);
    rib.take_reach(AfiSafi::IPV4_UNICAST, |_, _| true);
    rib.announce(&route(1, 2));
    assert_eq!(rib.skip_reach(AfiSafi::IPV4_UNICAST, TOO_LONG), 1);
    assert_eq!(rib.pending(false), Some(Pending::Unreach(AfiSafi::IPV4_UNICAST)));
    rib.take_unreach(AfiSafi::IPV4_UNICAST, |_, _| true);
    assert_eq!(rib.pending(false), Some(Pending::EndOfRib(AfiSafi::IPV4_UNICAST)));

    let withheld: Vec<_> = rib.withheld().map(|it| (it.prefix, it.why)).collect();
    assert_eq!(withheld, [(prefix(1), TOO_LONG)]);
    let changes = rib.withheld_changes();
    rib.announce(&route(1, 3));
    assert_eq!((rib.withheld_len(), rib.withheld_changes()), (0, changes + 1));
}

#[test]
fn a_route_that_fits_no_message_is_skipped_without_the_replay_that_it_overtakes() {
    let family = AfiSafi::IPV4_UNICAST;
    let mut rib = AdjRibOut::new();
    rib.announce(&route(1, 1));
    rib.session_up(&FAMILIES, &[]);
    rib.announce(&route(2, 2));
    assert_eq!(rib.pending(false), Some(Pending::Reach(family, attributes(2))));
    assert_eq!(rib.take_reach(family, |_, _| false), 0);
    assert_eq!(rib.skip_reach(family, TOO_LONG), 1);
    assert_eq!(rib.pending(false), Some(Pending::Reach(family, attributes(1))));
    assert_eq!(rib.take_reach(family, |_, _| true), 1);
    assert_eq!(rib.pending(false), Some(Pending::EndOfRib(family)));
    let advertised = rib.advertised();
    assert!(advertised.iter().map(|(prefix, _)| prefix).eq([prefix(1)]));
}

#[test]
fn routes_that_were_not_sent_again_keep_their_times() {
    let family = AfiSafi::IPV4_UNICAST;
    let start = instant();
    let (mut rib, sets) =
        (AdjRibOut::new(), [1, 2].map(|a| (1..=9).map(|p| route(p, a)).collect()));
    rib.set_time(start);
    rib.set(&sets[0]);
    rib.session_up(&FAMILIES, &[]);
    rib.take_reach(family, |_, _| true);

    // One of nine gets other attributes, and then all of them their old ones.
    rib.set_time(start + Duration::from_secs(5));
    rib.set(&sets[1]);
    let mut taken = 0;
    rib.take_reach(family, |_, _| {
        taken += 1;
        taken == 1
    });
    rib.set_time(start + Duration::from_secs(9));
    rib.set(&sets[0]);
    rib.take_reach(family, |_, _| true);

    let since = pages(&rib, 100).into_iter().map(|route| route.since.expect("a time") - start);
    assert_eq!(since.map(|since| since.as_secs()).collect::<Vec<_>>(), [9, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn the_loc_rib_follows_its_peers() {
    let path = |peer: u8| Path {
        source: Arc::new(PathSource {
            peer,
            address: Ipv4Addr::new(172, 22, 35, peer).into(),
            asn: Asn(64_500),
            identifier: BgpIdentifier(Ipv4Addr::new(172, 22, 35, peer)),
            peer_type: PeerType::External,
        }),
        path_id: 0,
        attributes: attributes(0),
    };
    let mut rib = LocRib::new();
    for peer in [27, 25, 26, 25] {
        rib.insert(prefix(70), path(peer));
    }
    let peers = |rib: &LocRib<u8>| -> Vec<u8> {
        rib.get(&prefix(70)).unwrap().multipath().map(Path::peer).collect()
    };
    assert_eq!(peers(&rib), [25, 26, 27]);
    assert_eq!(rib.remove(&prefix(70).into(), 25), PathChange::Best);
    assert_eq!(rib.remove(&prefix(70).into(), 25), PathChange::None);
    assert_eq!(rib.best(&prefix(70)).map(Path::peer), Some(26));
    assert_eq!(rib.remove(&prefix(70).into(), 26), PathChange::Best);
    assert_eq!(rib.remove(&prefix(70).into(), 27), PathChange::Best);
    assert!(rib.is_empty());
}
