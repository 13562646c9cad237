//! Whole sessions: a [`Peer`] and a router whose octets the tests write.

use std::time::{Duration, Instant};

use bgp_core::fsm::{ConnectMode, RestartConfig, StateKind, TransportError};
use bgp_core::peer::{Endpoints, Import, Output, Peer, PeerSettings};
use bgp_core::wire::{Frame, MessageLimit};
use bgp_core::{AfiSafi, Asn, BgpIdentifier, Direction};
use bytes::BytesMut;

use super::families::UNSPOKEN;
use super::{CORE, hex, message, update, update_of};

/// A peer that waits for the router, and keeps its routes.
struct Session {
    peer: Peer,
    now: Instant,
}

impl Session {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut PeerSettings)) -> Self {
        let mut settings =
            PeerSettings::new(Asn(64_635), BgpIdentifier::new(10, 0, 0, 1), Asn(64_636));
        settings.fsm.connect_mode = ConnectMode::Passive;
        settings.fsm.families = vec![AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];
        settings.import = Import::Keep;
        change(&mut settings);
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let now = Instant::now();
        let mut session = Self { peer: Peer::new(settings), now };
        session.peer.start(now);
        session.outputs();
        session
    }

    /// An Established session.
    fn up() -> Self {
        let mut session = Self::new();
        session.come_up();
        session
    }

    fn connect(&mut self) {
        let endpoints = Endpoints {
            local: "192.0.2.7:179".parse().unwrap(),
            remote: "192.0.2.1:40000".parse().unwrap(),
        };
        self.peer.connected(self.now, Direction::Incoming, endpoints).expect("a place");
        self.outputs();
    }

    fn come_up(&mut self) {
        self.come_up_with(&open());
    }

    fn come_up_with(&mut self, open: &[u8]) {
        self.connect();
        self.say(open);
        assert_eq!(self.peer.state(), StateKind::OpenConfirm);
        self.say(&message(4, &[]));
        assert_eq!(self.peer.state(), StateKind::Established);
        self.sent();
        self.outputs();
    }

    /// Receives octets of the router.
    fn say(&mut self, octets: &[u8]) {
        self.peer.read_buffer(Direction::Incoming).extend_from_slice(octets);
        self.peer.received(self.now, Direction::Incoming);
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.peer.poll_output()).collect()
    }

    /// Code and subcode of all NOTIFICATIONs that the peer has sent since the last call.
    fn sent(&mut self) -> Vec<(u8, u8)> {
        let mut octets = BytesMut::new();
        while self.peer.poll_transmit(self.now, Direction::Incoming, &mut octets) {}
        let (mut rest, mut notifications) = (&octets[..], Vec::new());
        while let Some(frame) = Frame::split(rest, MessageLimit::Extended).unwrap() {
            if let (3, [code, subcode, ..]) = (frame.kind().code(), frame.body()) {
                notifications.push((*code, *subcode));
            }
            rest = &rest[frame.as_bytes().len()..];
        }
        notifications
    }

    fn prefixes(&self) -> usize {
        self.peer.adj_rib_in().iter().count()
    }

    /// The session has ended with this NOTIFICATION, and only this one, and the next one comes up.
    #[track_caller]
    fn assert_ended_with(&mut self, notification: (u8, u8), what: &str) {
        assert_eq!(self.sent(), [notification], "{what}");
        let outputs = self.outputs();
        assert!(outputs.contains(&Output::Close(Direction::Incoming)), "{what}: {outputs:?}");
        assert_ne!(self.peer.state(), StateKind::Established, "{what}");
        self.recover();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.peer.handle_timeout(self.now);
        self.outputs();
    }

    /// Waits until the router may connect again, and comes up.
    fn recover(&mut self) {
        self.wait(Duration::from_secs(120));
        self.come_up();
    }
}

/// The OPEN of the router: AS 64636, both families, four-octet AS numbers, long messages.
fn open() -> Vec<u8> {
    open_with("")
}

/// The same with more capabilities.
fn open_with(more: &str) -> Vec<u8> {
    let capabilities = hex(&format!("0104 0001 00 01 0104 0002 00 01 4104 0000fc7c 0600 {more}"));
    let length = u8::try_from(capabilities.len()).unwrap();
    let fixed = hex("04 fc7c 005a 0a000002");
    message(1, &[&fixed[..], &[length + 2, 2, length], &capabilities].concat())
}

fn route() -> Vec<u8> {
    update(CORE, "08 0a")
}

#[test]
fn messages_before_the_session_end_the_attempt_and_the_next_one_succeeds() {
    // CVE-2020-1648 and CVE-2017-10607: messages from a router with which there is no session yet.
    let unexpected = [
        ("an UPDATE", route(), [(5, 1), (5, 2)]),
        ("a KEEPALIVE", message(4, &[]), [(5, 1), (5, 2)]),
        ("a ROUTE-REFRESH", message(5, &hex("0001 00 01")), [(5, 1), (5, 2)]),
        ("a malformed UPDATE", message(2, &hex("ffff ffff")), [(5, 1), (5, 2)]),
    ];
    for (what, octets, [in_open_sent, in_open_confirm]) in unexpected {
        let mut session = Session::new();
        session.connect();
        session.say(&octets);
        session.assert_ended_with(in_open_sent, what);
        if what == "a KEEPALIVE" {
            continue;
        }

        let mut session = Session::new();
        session.connect();
        session.say(&open());
        session.say(&octets);
        session.assert_ended_with(in_open_confirm, what);
    }
}

#[test]
fn a_notification_in_any_state_ends_the_connection_and_the_next_one_succeeds() {
    // CVE-2018-0037, CVE-2020-1629 and CVE-2025-59688.
    let mut notifications: Vec<_> =
        (0..=9).map(|code| message(3, &[code, 2, 3, b'b', b'y', b'e'])).collect();
    // A hard reset within hard resets (RFC 8538), and a text that is none.
    notifications.push(message(3, &[6, 9].repeat(30_000)));
    notifications.push(message(3, &[&[6, 2][..], &[0xff; 300]].concat()));

    for octets in &notifications {
        for messages in [vec![], vec![open()], vec![open(), message(4, &[])]] {
            let mut session = Session::new();
            session.connect();
            for before in &messages {
                session.say(before);
            }
            // Both ends have to agree on messages this long first (RFC 8654).
            let is_too_long = octets.len() > 4_096 && messages.is_empty();
            session.sent();
            session.say(&octets.repeat(2));
            assert_eq!(session.sent(), if is_too_long { vec![(1, 2)] } else { vec![] });
            assert!(session.outputs().contains(&Output::Close(Direction::Incoming)));
            session.recover();
        }
    }
}

#[test]
fn a_row_of_malformed_messages_is_answered_once() {
    // CVE-2022-37035: a second error while the first one was being reported.
    let mut session = Session::up();
    let bad = message(2, &hex("ffff 0000"));
    session.say(&[bad.repeat(50), message(4, &[]), bad].concat());
    session.assert_ended_with((3, 1), "fifty malformed UPDATEs");
}

#[test]
fn malformed_attributes_by_the_thousand_keep_the_session_and_take_no_memory() {
    // CVE-2024-39549 CVE-2024-39552 CVE-2024-47491 CVE-2024-47499 CVE-2020-1644 CVE-2012-5039: each UPDATE left something behind.
    let mut session = Session::up();
    session.say(&route());
    assert_eq!(session.prefixes(), 1);

    let bad = [
        update(&format!("{CORE} c01700"), "08 0a"),
        update(&format!("{CORE} c00803 fc7c00"), "18 0a0001"),
        update("40010103 40020602010000fc7c 400304ac16231a", "18 0a0002"),
        update("", "08 0b"),
    ];
    for n in 0..10_000 {
        session.say(&bad[n % bad.len()]);
    }
    assert_eq!(session.peer.state(), StateKind::Established);
    assert_eq!(session.peer.stats().treated_as_withdrawn, 10_000);
    // The valid route was withdrawn by the first of them, and none is left.
    assert_eq!(session.prefixes(), 0);
    assert!(session.peer.read_buffer(Direction::Incoming).is_empty());
    assert!(session.outputs().len() < 10);
    assert_eq!(session.sent(), []);

    session.say(&route());
    assert_eq!(session.prefixes(), 1);
}

#[test]
fn routes_of_unspoken_families_neither_end_the_session_nor_are_kept() {
    // FlowSpec, EVPN, VPN, VPLS, MVPN, BGP-LS and others: see `families.rs`.
    let mut session = Session::up();
    for (afi, safi, numbers, nlri) in UNSPOKEN {
        for announced in [true, false] {
            session.say(&super::families::message(*afi, *safi, &hex(nlri), announced));
            assert_eq!(session.peer.state(), StateKind::Established, "{numbers}");
        }
    }
    assert_eq!((session.prefixes(), session.sent()), (0, vec![]));
}

#[test]
fn a_next_hop_that_is_no_host_and_a_path_without_the_peer_are_not_used() {
    let mut session = Session::up();
    let path = "40010100 40020602010000fc7c";
    for (number, octets) in [
        // NEXT_HOP: unspecified, loopback, multicast, reserved, and our own.
        ("CVE-2023-46565", update(&format!("{path} 400304 7f000001"), "08 0a")),
        ("CVE-2026-30405", update(&format!("{path} 400304 00000000"), "08 0a")),
        ("CVE-2026-30405", update(&format!("{path} 400304 e0000001"), "08 0a")),
        ("CVE-2026-30405", update(&format!("{path} 400304 ffffffff"), "08 0a")),
        ("CVE-2026-30405", update(&format!("{path} 400304 c0000207"), "08 0a")),
        // The same in MP_REACH_NLRI, of IPv4 and of IPv6.
        ("CVE-2026-37458", update(&format!("{path} 800e0b 0001 01 04 00000000 00 08 0a"), "")),
        ("CVE-2026-37458", update(&format!("{path} 800e0b 0001 01 04 7f000001 00 08 0a"), "")),
        ("CVE-2026-37458", mp_reach_v6("00000000000000000000000000000000")),
        ("CVE-2026-37458", mp_reach_v6("00000000000000000000000000000001")),
        ("CVE-2026-37458", mp_reach_v6("ff020000000000000000000000000001")),
        // An empty path from a peer in another AS.
        ("CVE-2026-49838", update("40010100 400200 400304ac16231a", "08 0a")),
    ] {
        session.say(&octets);
        assert_eq!(session.peer.state(), StateKind::Established, "{number}");
        assert_eq!(session.prefixes(), 0, "{number}: {octets:02x?}");
    }
    assert_eq!(session.peer.stats().prefixes_rejected, 11);
}

/// An UPDATE that announces 2001:db8::/32 with this next hop.
fn mp_reach_v6(next_hop: &str) -> Vec<u8> {
    let path = "40010100 40020602010000fc7c";
    update(&format!("{path} 800e1a 0002 01 10 {next_hop} 00 20 20010db8"), "")
}

#[test]
fn the_largest_message_costs_no_more_than_its_octets() {
    // CVE-2014-0616 CVE-2012-5039: a large UPDATE, and one that withdraws what it announced.
    let mut session = Session::up();
    let communities: Vec<u8> = (0..2_000_u32).flat_map(u32::to_be_bytes).collect();
    let large: Vec<u8> =
        (0..2_500_u32).rev().flat_map(|n| [7, n, n].map(u32::to_be_bytes)).flatten().collect();
    let length = |value: &[u8]| u16::try_from(value.len()).unwrap().to_be_bytes();
    let attributes = [
        &hex(CORE)[..],
        &[0xd0, 8],
        &length(&communities),
        &communities,
        &[0xd0, 32],
        &length(&large),
        &large,
    ]
    .concat();
    let nlri: Vec<u8> = (0..5_000_u16).flat_map(|n| [[24, 10], n.to_be_bytes()].concat()).collect();
    let octets = update_of(&attributes, &nlri);
    assert!(octets.len() > 55_000);

    for _ in 0..20 {
        session.say(&octets);
    }
    assert_eq!(session.prefixes(), 5_000);
    let withdrawn = u16::try_from(nlri.len()).unwrap().to_be_bytes();
    session.say(&message(2, &[&withdrawn[..], &nlri, &[0, 0]].concat()));
    assert_eq!((session.prefixes(), session.peer.state()), (0, StateKind::Established));
}

#[test]
fn a_session_that_flaps_a_thousand_times_leaves_nothing_behind() {
    // CVE-2019-0028 CVE-2020-1662: each flap left something behind, or the timing of one was fatal.
    let mut session = Session::up();
    for flap in 0..1_000 {
        session.say(&route());
        assert_eq!(session.prefixes(), 1, "flap {flap}");
        if flap % 2 == 0 {
            session.say(&message(3, &[6, 4]));
        } else {
            let error = TransportError::ClosedByPeer;
            session.peer.disconnected(session.now, Direction::Incoming, error);
        }
        session.outputs();
        session.sent();
        assert_eq!(session.prefixes(), 0, "flap {flap}");
        session.recover();
    }
    assert_eq!(session.peer.stats().sessions_lost, 1_000);
}

#[test]
fn a_peer_that_restarts_a_thousand_times_leaves_nothing_behind() {
    // CVE-2019-0049: a sequence of restarts of a peer with graceful restart.
    let mut session = Session::with(|settings| {
        settings.fsm.extensions.graceful_restart = Some(RestartConfig::default());
    });
    // IPv4 is kept for 1,000 s. After the first time, the router says that it has restarted.
    session.come_up_with(&open_with("4006 03e8 0001 01 80"));
    let restarted = open_with("4006 83e8 0001 01 80");
    let end_of_rib = update("", "");

    for restart in 0..1_000 {
        session.say(&route());
        session.say(&end_of_rib);
        assert_eq!(session.prefixes(), 1, "restart {restart}");
        let error = TransportError::ClosedByPeer;
        session.peer.disconnected(session.now, Direction::Incoming, error);
        session.outputs();
        session.sent();
        session.wait(Duration::from_secs(120));
        assert_eq!(session.prefixes(), 1, "restart {restart}: its route is kept");

        // It returns without the route, or too late.
        if restart % 2 == 0 {
            session.come_up_with(&restarted);
            assert_eq!(session.prefixes(), 1, "restart {restart}: its route is still kept");
            session.say(&end_of_rib);
            assert_eq!(session.prefixes(), 0, "restart {restart}");
        } else {
            session.wait(Duration::from_secs(900));
            assert_eq!(session.prefixes(), 0, "restart {restart}");
            session.come_up_with(&restarted);
        }
    }
    assert_eq!(session.peer.stats().sessions_lost, 1_000);
    assert_eq!(session.peer.state(), StateKind::Established);
}

#[test]
fn a_notification_that_we_send_says_what_was_wrong() {
    let mut session = Session::up();
    session.say(&update(&format!("{CORE} 406300"), "08 0a"));
    session.assert_ended_with((3, 2), "CVE-2026-41642");
    let sent = session.peer.last_messages().notification_sent.clone().expect("a NOTIFICATION");
    assert_eq!(sent.message.data.to_vec(), hex("406300"));
}
