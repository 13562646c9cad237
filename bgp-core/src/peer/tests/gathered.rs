//! Tests of gathered changes: they have the same outcome as one message at a time, in all parts in which they are gathered and
//! made.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BytesMut;
use ipnet::IpNet;
use proptest::prelude::*;

use super::net::Net;
use super::secs;
use crate::fsm::{RestartConfig, TransportError};
use crate::peer::{
    Exceeded, Import, MessageCounts, Output, Peer, PeerStats, PrefixLimit, PrefixLimits,
    ReceivedRoutes,
};
use crate::rib::Nlri;
use crate::wire::{
    AddPath, AddPathMode, CeaseSubcode, Notification, PathAttributes, RouteRefresh,
    RouteRefreshSubtype,
};
use crate::{AfiSafi, Direction};

/// A message of node 0.
#[derive(Clone, Debug)]
enum Sent {
    /// Prefixes, a path identifier and a MULTI_EXIT_DISC. Node 1 rejects the routes if it is `MARTIAN`.
    Announce(Vec<u8>, u8, u8),
    Withdraw(Vec<u8>, u8),
    Keepalive,
    EndOfRib,
    Refresh(RouteRefreshSubtype),
    Cease,
    Malformed,
}

/// What happens to node 1 while it gathers.
#[derive(Clone, Debug)]
enum Turn {
    /// It takes messages of this many octets.
    Gather(usize),
    /// It makes this many changes.
    Apply(usize),
    /// It looks at its timers.
    Timeout,
}

const MARTIAN: u8 = 3;

/// The settings of node 1.
#[derive(Clone, Copy, Debug)]
struct Terms {
    restart: bool,
    limit: Option<(u32, Exceeded)>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let prefixes = || prop::collection::vec(0_u8..24, 1..4);
    prop_oneof![
        24 => (prefixes(), 0_u8..2, 0..=MARTIAN).prop_map(|(p, id, med)| Sent::Announce(p, id, med)),
        12 => (prefixes(), 0_u8..2).prop_map(|(prefixes, id)| Sent::Withdraw(prefixes, id)),
        2 => Just(Sent::Keepalive),
        1 => Just(Sent::EndOfRib),
        1 => Just(Sent::Refresh(RouteRefreshSubtype::REQUEST)),
        2 => Just(Sent::Refresh(RouteRefreshSubtype::BEGIN)),
        2 => Just(Sent::Refresh(RouteRefreshSubtype::END)),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => (1_usize..600).prop_map(Turn::Gather),
        2 => (1_usize..30).prop_map(Turn::Apply),
        1 => Just(Turn::Timeout),
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    let exceeded =
        prop_oneof![Just(Exceeded::Warn), Just(Exceeded::Restart(secs(60))), Just(Exceeded::Stop)];
    let limit = prop::option::of((10_u32..40, exceeded));
    (any::<bool>(), limit).prop_map(|(restart, limit)| Terms { restart, limit })
}

impl Sent {
    fn octets(&self) -> BytesMut {
        let mut octets = BytesMut::new();
        match self {
            Self::Announce(prefixes, path_id, med) => {
                let next_hop = if *med == MARTIAN { [0, 0, 0, 0] } else { [10, 0, 0, 1] };
                let mut attributes = vec![0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0x7c];
                attributes.extend([0x40, 3, 4]);
                attributes.extend(next_hop);
                attributes.extend([0x80, 4, 4, 0, 0, 0, *med]);
                update(&[], &attributes, &nlri(prefixes, *path_id), &mut octets);
            }
            Self::Withdraw(prefixes, path_id) => {
                update(&nlri(prefixes, *path_id), &[], &[], &mut octets);
            }
            Self::Keepalive => message(4, &[], &mut octets),
            Self::EndOfRib => update(&[], &[], &[], &mut octets),
            Self::Refresh(subtype) => {
                RouteRefresh { family: AfiSafi::IPV4_UNICAST, subtype: *subtype }
                    .encode(&mut octets);
            }
            Self::Cease => {
                Notification::cease(CeaseSubcode::OTHER_CONFIGURATION_CHANGE).encode(&mut octets);
            }
            Self::Malformed => octets.extend([0; 19]),
        }
        octets
    }
}

fn nlri(prefixes: &[u8], path_id: u8) -> Vec<u8> {
    prefixes.iter().flat_map(|n| [0, 0, 0, path_id, 24, 198, 18, *n]).collect()
}

fn update(withdrawn: &[u8], attributes: &[u8], announced: &[u8], octets: &mut BytesMut) {
    let length = |part: &[u8]| u16::try_from(part.len()).expect("short").to_be_bytes();
    let body =
        [&length(withdrawn)[..], withdrawn, &length(attributes), attributes, announced].concat();
    message(2, &body, octets);
}

fn message(kind: u8, body: &[u8], octets: &mut BytesMut) {
    octets.extend([0xff; 16]);
    octets.extend(u16::try_from(19 + body.len()).expect("short").to_be_bytes());
    octets.extend([kind]);
    octets.extend(body);
}

/// A session in which node 1 receives several paths to a prefix.
fn net(terms: Terms) -> (Net, Direction) {
    let mut configs = Net::configs();
    let mode = [AddPathMode::SEND, AddPathMode::RECEIVE];
    for (config, mode) in configs.iter_mut().zip(mode) {
        config.fsm.extensions.add_path = vec![AddPath { family: AfiSafi::IPV4_UNICAST, mode }];
        config.fsm.extensions.enhanced_refresh = true;
        config.fsm.extensions.graceful_restart = terms.restart.then(RestartConfig::default);
    }
    configs[1].import = Import::Keep;
    if let Some((limit, exceeded)) = terms.limit {
        let limit = PrefixLimit { limit, warning_percent: 60, exceeded };
        configs[1].maximum_prefixes = PrefixLimits::each(limit);
    }
    let mut net = Net::new(configs, 11);
    net.bring_up();
    let direction = net.nodes[1].peer.established().expect("a session");
    (net, direction)
}

type Routes = BTreeMap<(IpNet, u32), Arc<PathAttributes>>;

/// Makes the reported changes, each of which has to change something.
fn replay(routes: &mut Routes, changes: &ReceivedRoutes) {
    let key = |nlri: &Nlri| (nlri.prefix, nlri.path_id);
    for nlri in &changes.withdrawn {
        assert!(routes.remove(&key(nlri)).is_some(), "{nlri:?} was not there");
    }
    for (nlri, attributes) in &changes.announced {
        let before = routes.insert(key(nlri), Arc::clone(attributes));
        assert_ne!(before.as_ref(), Some(attributes), "{nlri:?} was there already");
    }
}

/// All other outputs, each with the routes that the outputs before it lead to, and the routes at the end.
fn history(net: &Net) -> (Vec<(String, Routes)>, Routes) {
    let (mut history, mut routes) = (Vec::new(), Routes::new());
    for output in &net.nodes[1].log {
        match output {
            Output::Received(changes) => replay(&mut routes, changes),
            // Without graceful restart, what is gathered when the connection is lost is never in the table.
            Output::Close(_) => history.push((format!("{output:?}"), Routes::new())),
            other => history.push((format!("{other:?}"), routes.clone())),
        }
    }
    (history, routes)
}

/// The routes that node 1 has, and whether they are stale.
fn held(peer: &Peer) -> Vec<(IpNet, u32, bool, Arc<PathAttributes>)> {
    let routes = peer.adj_rib_in().page(None, usize::MAX).routes;
    let listed = routes.into_iter();
    listed.map(|it| (it.prefix, it.path_id, it.is_stale, it.attributes)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn gathering_changes_nothing_but_the_time_at_which_routes_change(
        terms in terms(),
        sent in prop::collection::vec(sent(), 1..60),
        end in prop::option::of(prop_oneof![Just(Sent::Cease), Just(Sent::Malformed)]),
        is_lost in any::<bool>(),
        turns in prop::collection::vec(turn(), 1..60),
    ) {
        let messages: Vec<BytesMut> = sent.iter().chain(&end).map(Sent::octets).collect();
        let (mut one_by_one, direction) = net(terms);
        for octets in &messages {
            one_by_one.nodes[1].peer.read_buffer(direction).extend_from_slice(octets);
            one_by_one.mutate(1, |peer, now| peer.received(now, direction));
        }

        let (mut gathering, _) = net(terms);
        gathering.nodes[1].peer.read_buffer(direction).extend_from_slice(&messages.concat());
        let mut is_applying = false;
        for turn in turns {
            gathering.mutate(1, |peer, now| match turn {
                Turn::Gather(most) => {
                    let before = peer.read_buffer(direction).len();
                    let can_gather = peer.can_gather();
                    peer.gather_some(now, direction, most);
                    let took = before != peer.read_buffer(direction).len();
                    assert!(can_gather || !took, "messages overtake changes");
                }
                Turn::Apply(most) => peer.apply_gathered(most),
                Turn::Timeout => peer.handle_timeout(now),
            });
            let peer = &gathering.nodes[1].peer;
            is_applying |= matches!(turn, Turn::Apply(_)) && peer.has_gathered();
            is_applying &= peer.has_gathered();
            prop_assert!(!is_applying || !peer.can_gather());

            // What was reported so far is what the peer has.
            let reported: Vec<_> = history(&gathering).1.into_iter().collect();
            let held = held(peer).into_iter().map(|(p, id, _, attributes)| ((p, id), attributes));
            prop_assert_eq!(reported, held.collect::<Vec<_>>());
        }

        if !is_lost {
            gathering.mutate(1, |peer, now| {
                peer.apply_gathered(usize::MAX);
                peer.received(now, direction);
            });
            prop_assert!(!gathering.nodes[1].peer.has_gathered());
        } else {
            // All messages are taken, and then the connection is lost.
            gathering.mutate(1, |peer, now| {
                while peer.gather_some(now, direction, usize::MAX) {
                    peer.apply_gathered(usize::MAX);
                }
            });
            for net in [&mut one_by_one, &mut gathering] {
                net.mutate(1, |peer, now| {
                    peer.disconnected(now, direction, TransportError::Reset);
                });
            }
            prop_assert!(!gathering.nodes[1].peer.has_gathered());
        }

        prop_assert_eq!(history(&gathering), history(&one_by_one));
        let [a, b] = [&gathering, &one_by_one].map(|net| &net.nodes[1].peer);
        prop_assert_eq!(held(a), held(b));
        // Refreshes that are requested at the same time may be answered together.
        let heard = |peer: &Peer| PeerStats {
            sent: MessageCounts::default(),
            octets_out: 0,
            ..peer.stats().clone()
        };
        prop_assert_eq!(heard(a), heard(b));
    }
}

#[test]
fn many_changes_are_made_before_more_are_gathered() {
    let (mut net, direction) = net(Terms { restart: false, limit: None });
    let announced: Vec<u8> = (0..=255).collect();
    let octets = Sent::Announce(announced, 0, 0).octets();
    let peer = &mut net.nodes[1].peer;
    for _ in 0..300 {
        peer.read_buffer(direction).extend_from_slice(&octets);
    }

    assert!(peer.gather_some(net.now, direction, usize::MAX), "not all fit");
    assert!(!peer.can_gather());
    assert_eq!(peer.stats().prefixes_announced_in, 32 * 1_024);
    assert!(peer.adj_rib_in().is_empty());

    // Of the changes of a route, only the last one is made.
    peer.apply_gathered(1);
    assert_eq!((peer.adj_rib_in().len(), peer.can_gather()), (1, false));
    peer.apply_gathered(255);
    assert_eq!((peer.adj_rib_in().len(), peer.has_gathered()), (256, false));
    assert!(peer.can_gather());
}

/// An UPDATE with NEXT_HOP and an MP_REACH_NLRI for IPv4: the prefixes of each have their own next hop. The same attributes with
/// prefixes in the NLRI field, or without, are read as they should be.
#[test]
fn equal_attributes_may_have_two_next_hops() {
    let (mut net, direction) = net(Terms { restart: false, limit: None });
    let mut attributes = vec![0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0x7c];
    attributes.extend([0x40, 3, 4, 10, 0, 0, 1]);
    let in_mp_reach = nlri(&[1], 0);
    attributes.extend([0x80, 14, 9 + 8, 0, 1, 1, 4, 10, 0, 0, 9, 0]);
    attributes.extend(&in_mp_reach);

    let mut octets = BytesMut::new();
    for field in [nlri(&[], 0), nlri(&[2], 0), nlri(&[], 0)] {
        update(&[], &attributes, &field, &mut octets);
    }
    net.nodes[1].peer.read_buffer(direction).extend_from_slice(&octets);
    net.mutate(1, |peer, now| peer.received(now, direction));

    let hops: Vec<String> = held(&net.nodes[1].peer)
        .iter()
        .map(|(prefix, _, _, attributes)| format!("{prefix} {:?}", attributes.next_hop))
        .collect();
    let expected = ["198.18.1.0/24 Some(V4(10.0.0.9))", "198.18.2.0/24 Some(V4(10.0.0.1))"];
    assert_eq!(hops, expected);
}
