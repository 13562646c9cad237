//! Several peers: three speakers in a row, whose links the input delays, cuts, closes and corrupts.
//!
//! ```text
//! A 64501 ──── B 64502 ──── C 64503       A and C announce routes; B relays them as a router does.
//!    0    link 0   1   2   link 1   3     The numbers are those of the peers.
//! ```
//!
//! Once the links are good again, each speaker has exactly the routes that RFC 4271 gives it.

pub mod net;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bgp_core::fsm::StateKind;
use bgp_core::peer::{Import, Output, Peer, PeerSettings, ReceivedRoutes};
use bgp_core::rib::{AdjRibIn, LocRib, Path, PathSource, Relay, RelayGroup, Route};
use bgp_core::wire::{AsPath, CeaseSubcode, Community, Notification, PathAttributes};
use bgp_core::{AfiSafi, Asn, BgpIdentifier, IpNet, Ipv4Net, PeerType};

use crate::input::{Input, is_set};
use net::Net;

/// The most steps of a run: longer inputs do not find more than shorter ones.
const MAX_STEPS: usize = 256;
/// The speaker of each peer.
const SPEAKER: [usize; 4] = [0, 1, 1, 2];
/// The AS of each speaker.
const ASN: [Asn; 3] = [Asn(64_501), Asn(64_502), Asn(64_503)];
/// The address of each peer.
const ADDRESS: [Ipv4Addr; 4] = [
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(10, 0, 0, 2),
    Ipv4Addr::new(10, 0, 1, 2),
    Ipv4Addr::new(10, 0, 1, 3),
];
/// The peers of the speaker in the middle.
const MIDDLE: [usize; 2] = [1, 2];
/// More routes than there are prefixes.
const MOST_ROUTES: usize = 100;
/// The time in which everything comes right again: the longest hold time, and the pauses before new attempts.
const HEALED_BY: Duration = Duration::from_secs(600);

/// The input is a sequence of steps: an octet for the step and the place, and its details.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let mut speakers = Speakers::new();
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        step(&mut speakers, &mut input);
    }
    speakers.heal();
    speakers.judge();
}

fn step(speakers: &mut Speakers, input: &mut Input<'_>) {
    let octet = input.octet();
    let (link, how) = (usize::from(octet >> 3 & 1), octet >> 4);
    let peer = 2 * link + usize::from(how & 1);
    match octet & 7 {
        0 => speakers.announce(link, input.octet(), input.octet()),
        1 => speakers.withdraw(link, input.octet()),
        2 => speakers.run(Duration::from_millis(1 << how)),
        3 => {
            let delay = Duration::from_millis(4) * u32::from(input.octet());
            speakers.net.set_delay(link, delay);
        }
        4 => speakers.net.cut(link, is_set(how, 0)),
        5 => speakers.net.close(link),
        6 => speakers.net.corrupt(link, usize::from(input.two_octets()), input.octet()),
        _ => speakers.operate(peer, how >> 1),
    }
    speakers.take_reports();
}

/// The three speakers.
struct Speakers {
    net: Net,
    /// The routes that A and C announce.
    announced: [BTreeMap<IpNet, PathAttributes>; 2],
    /// The routes that B has received, from the reports of its peers.
    loc_rib: LocRib<u32>,
}

impl Speakers {
    fn new() -> Self {
        let peers = (0..4).map(|i| (IpAddr::V4(ADDRESS[i]), Peer::new(settings(i))));
        let mut speakers =
            Self { net: Net::new(peers), announced: Default::default(), loc_rib: LocRib::new() };
        for i in 0..4 {
            speakers.net.mutate(i, Peer::start);
        }
        speakers.run(Duration::from_secs(1));
        speakers
    }

    /// A or C announces a route.
    fn announce(&mut self, link: usize, choice: u8, variant: u8) {
        let (prefix, attributes) = (prefix(choice), attributes(variant));
        let route = Route::with_attributes(prefix, Arc::new(attributes.clone()));
        self.announced[link].insert(prefix, attributes);
        self.net.mutate(3 * link, |peer, _| peer.announce(&route));
    }

    fn withdraw(&mut self, link: usize, choice: u8) {
        let prefix = prefix(choice);
        self.announced[link].remove(&prefix);
        self.net.mutate(3 * link, |peer, _| peer.withdraw(prefix));
    }

    /// An operator resets, stops or starts a peer.
    fn operate(&mut self, i: usize, how: u8) {
        self.net.mutate(i, |peer, now| match how & 3 {
            0 => peer.reset(now, Notification::cease(CeaseSubcode::ADMINISTRATIVE_RESET)),
            1 => peer.stop(now, Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN)),
            _ => peer.start(now),
        });
    }

    /// Time passes.
    fn run(&mut self, time: Duration) {
        let end = self.net.now() + time;
        for _ in 0..Net::max_steps() {
            let goes_on = self.net.advance(end);
            self.take_reports();
            if !goes_on {
                return;
            }
        }
        panic!("no end of what happens in {time:?}");
    }

    /// B takes what its peers have received, and relays it.
    fn take_reports(&mut self) {
        let mut has_changed = false;
        while let Some((i, report)) = self.net.poll_report() {
            if !MIDDLE.contains(&i) {
                continue;
            }
            match report {
                Output::Received(routes) => self.receive(i, routes),
                Output::Up(_) => {}
                _ => continue,
            }
            has_changed = true;
        }
        if has_changed {
            self.relay();
        }
    }

    fn receive(&mut self, i: usize, routes: ReceivedRoutes) {
        let number = number(i);
        for nlri in routes.withdrawn {
            self.loc_rib.remove(&nlri, number);
        }
        for (nlri, attributes) in routes.announced {
            let path = Path { source: source(i), path_id: nlri.path_id, attributes };
            self.loc_rib.insert(nlri.prefix, path);
        }
    }

    fn relay(&mut self) {
        for i in MIDDLE {
            let Some(rules) = self.net.peer(i).relay_rules(number(i)) else { continue };
            let mut group = RelayGroup::new(rules);
            for (prefix, paths) in self.loc_rib.iter() {
                group.update(prefix, Some(paths), |peer| peer);
            }
            let routes = group.routes_for(number(i));
            self.net.mutate(i, |peer, _| peer.set_relayed(&routes));
        }
    }

    /// The links are good again, and every peer is wanted.
    fn heal(&mut self) {
        for link in 0..2 {
            self.net.heal(link);
            self.take_reports();
        }
        for i in 0..4 {
            self.net.mutate(i, Peer::start);
            self.take_reports();
        }
        self.run(HEALED_BY);
    }

    /// Every session is up, and every table is right.
    fn judge(&self) {
        for i in 0..4 {
            let peer = self.net.peer(i);
            assert_eq!(peer.state(), StateKind::Established, "peer {i}");
            let deadline = peer.poll_timeout().expect("a session has timers");
            assert!(deadline > self.net.now(), "a timer of peer {i} is lost");
            assert!(!peer.adj_rib_out().has_pending(), "peer {i} has more to send");
        }

        // B has what A and C announce.
        for link in 0..2 {
            let from = SPEAKER[3 * link];
            let own = self.announced[link].iter();
            let received = own.filter_map(|(prefix, attributes)| {
                let attributes = passed_on(attributes, from, ADDRESS[3 * link]);
                (!attributes.as_path.contains(ASN[1])).then_some((*prefix, attributes))
            });
            judge_table(self.net.peer(1 + link).adj_rib_in(), &received.collect());
        }

        // A and C have what B has chosen of the other's routes.
        let mut relayed: [BTreeMap<IpNet, PathAttributes>; 2] = Default::default();
        let chosen = self.chosen();
        assert_eq!(chosen.len(), self.loc_rib.len());
        for (prefix, paths) in chosen.iter() {
            let best = paths.best().expect("a path");
            let to = if best.peer() == number(MIDDLE[0]) { 1 } else { 0 };
            let speaker = SPEAKER[3 * to];
            let mut attributes = passed_on(&best.attributes, 1, ADDRESS[1 + to]);
            attributes.med = None;
            let may_pass = |community| !attributes.communities.contains(&community);
            let may_pass = may_pass(Community::NO_EXPORT) && may_pass(Community::NO_ADVERTISE);
            if may_pass && !attributes.as_path.contains(ASN[speaker]) {
                relayed[to].insert(prefix, attributes);
            }
        }
        for (to, relayed) in relayed.iter().enumerate() {
            judge_table(self.net.peer(3 * to).adj_rib_in(), relayed);
        }
    }

    /// The Loc-RIB of B, built again from what it has received.
    fn chosen(&self) -> LocRib<u32> {
        let mut loc_rib = LocRib::new();
        for i in MIDDLE {
            for route in self.net.peer(i).adj_rib_in().page(None, MOST_ROUTES).routes {
                assert!(!route.is_stale);
                let attributes = route.attributes;
                loc_rib.insert(route.prefix, Path { source: source(i), path_id: 0, attributes });
            }
        }
        loc_rib
    }
}

/// A table has exactly these routes.
fn judge_table(table: &AdjRibIn, expected: &BTreeMap<IpNet, PathAttributes>) {
    let routes = table.page(None, MOST_ROUTES).routes.into_iter();
    let routes: BTreeMap<_, _> =
        routes.map(|route| (route.prefix, (*route.attributes).clone())).collect();
    assert_eq!(routes, *expected);
}

/// What an external peer receives of a route that a speaker sends from this address.
fn passed_on(attributes: &PathAttributes, speaker: usize, address: Ipv4Addr) -> PathAttributes {
    let asns = attributes.as_path.segments.iter().flat_map(|segment| segment.asns.iter().copied());
    let as_path = AsPath::sequence([ASN[speaker]].into_iter().chain(asns));
    PathAttributes { as_path, next_hop: Some(address.into()), ..attributes.clone() }
}

fn settings(i: usize) -> PeerSettings {
    let (speaker, other) = (SPEAKER[i], SPEAKER[i ^ 1]);
    let identifier = identifier(speaker);
    let mut settings = PeerSettings::new(ASN[speaker], identifier, ASN[other]);
    settings.import = Import::Keep;
    settings.relay = MIDDLE.contains(&i).then_some(Relay::Router);
    settings.fsm.families = vec![AfiSafi::IPV4_UNICAST];
    settings.fsm.connect_retry_time = Duration::from_secs(5);
    settings.fsm.open_hold_time = Duration::from_secs(60);
    settings.fsm.idle_hold_time = Duration::from_secs(1);
    settings.fsm.idle_hold_max = Duration::from_secs(8);
    settings.fsm.jitter_seed = u64::from(number(i));
    settings
}

fn identifier(speaker: usize) -> BgpIdentifier {
    BgpIdentifier(ADDRESS[[0, 1, 3][speaker]])
}

/// The source of the paths that a peer of B receives.
fn source(i: usize) -> Arc<PathSource<u32>> {
    let speaker = SPEAKER[i ^ 1];
    Arc::new(PathSource {
        peer: number(i),
        address: ADDRESS[i ^ 1].into(),
        asn: ASN[speaker],
        identifier: identifier(speaker),
        peer_type: PeerType::External,
    })
}

/// The number of a peer in relay groups.
fn number(i: usize) -> u32 {
    u32::try_from(i).expect("four peers")
}

/// One of 32 prefixes, so that both ends announce the same one.
fn prefix(choice: u8) -> IpNet {
    let length = if choice & 0x10 == 0 { 24 } else { 16 };
    Ipv4Net::new_assert([192, choice % 16, 0, 0].into(), length).into()
}

/// One of a few sets of attributes. Some may not be relayed, and some have a loop in their path.
fn attributes(variant: u8) -> PathAttributes {
    let communities = match variant >> 2 & 3 {
        0 => Vec::new(),
        1 => vec![Community::new(64_510, variant.into()); 1],
        2 => vec![Community::NO_EXPORT],
        _ => vec![Community::NO_ADVERTISE],
    };
    let far = match variant >> 4 {
        0..=5 => vec![],
        6..=9 => vec![Asn(70_000)],
        10..=12 => vec![Asn(70_000), Asn(70_001)],
        13 => vec![ASN[0]],
        14 => vec![ASN[1]],
        _ => vec![Asn(70_000), ASN[2]],
    };
    let as_path = if far.is_empty() { AsPath::default() } else { AsPath::sequence(far) };
    let med = is_set(variant, 0).then_some(u32::from(variant & 2));
    PathAttributes { as_path, communities, med, ..PathAttributes::default() }
}

/// Routes over good links, and with each fault.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    // A and C announce routes, some of them to the same prefix.
    let routes = [0, 1, 0x05, 0, 2, 0x60, 0, 3, 0xa9, 8, 1, 0xa0, 8, 4, 0x0c, 8, 5, 0x08];
    let minute = [0xf2, 0xf2];
    [
        ("good", [&routes[..], &minute, &[1, 1, 9, 4], &minute].concat()),
        ("loops", [&[0, 1, 0xd0, 0, 2, 0xe0, 0, 3, 0xf0, 8, 6, 0xf0][..], &minute].concat()),
        ("cut", [&routes[..], &[0x14], &minute, &minute, &[1, 2, 4, 0x52]].concat()),
        ("closed", [&[0x52, 5][..], &routes, &[0x42, 13, 0x92, 5], &minute].concat()),
        ("slow", [&[3, 200, 11, 100][..], &routes, &[0xb2, 1, 3, 0xb2], &minute].concat()),
        ("corrupt", [&[6, 0, 40, 1][..], &routes, &[0x62, 14, 0, 3, 0x80], &minute].concat()),
        ("operated", [&routes[..], &[0x07, 0x62, 0x37, 0x62, 0x57, 0x6f], &minute].concat()),
    ]
    .map(|(name, octets)| (name.to_owned(), octets))
    .to_vec()
}
