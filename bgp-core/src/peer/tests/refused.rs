//! Tests of routers that refuse capabilities: our next OPEN leaves these out (RFC 5492, section 3).

use std::net::SocketAddr;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::net::Net;
use super::secs;
use crate::peer::{Endpoints, Output, Peer, PeerSettings};
use crate::wire::{
    Capability, CeaseSubcode, ErrorCode, Frame, Message, MessageLimit, Notification, Open,
    OpenSubcode, WireContext, encode_keepalive,
};
use crate::{AfiSafi, Asn, BgpIdentifier, Direction, PeerType};

/// Our peer and a simulated router.
struct Router {
    peer: Peer,
    now: Instant,
}

impl Router {
    fn new(change: impl FnOnce(&mut PeerSettings)) -> Self {
        let [mut config, _] = Net::configs();
        change(&mut config);
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let mut router = Self { peer: Peer::new(config), now: Instant::now() };
        router.peer.start(router.now);
        router
    }

    /// Accepts the next connection and reads our OPEN.
    fn open(&mut self) -> Open {
        for _ in 0..100 {
            while let Some(output) = self.peer.poll_output() {
                if output == Output::Connect {
                    let at = |last| SocketAddr::from(([10, 0, 0, last], 179));
                    let endpoints = Endpoints { local: at(1), remote: at(2) };
                    self.peer
                        .connected(self.now, Direction::Outgoing, endpoints)
                        .expect("asked for");
                    return self.sent();
                }
            }
            self.now = self.peer.poll_timeout().expect("another attempt");
            self.peer.handle_timeout(self.now);
        }
        panic!("no connection");
    }

    fn sent(&mut self) -> Open {
        let mut out = BytesMut::new();
        while self.peer.poll_transmit(self.now, Direction::Outgoing, &mut out) {}
        let frame = Frame::split(&out, MessageLimit::Standard).expect("a message").expect("whole");
        let cx = WireContext::new(PeerType::External);
        match Message::decode(frame, cx) {
            Ok(Message::Open(open)) => open,
            other => panic!("no OPEN: {other:?}"),
        }
    }

    fn say(&mut self, octets: &[u8]) {
        self.peer.read_buffer(Direction::Outgoing).extend_from_slice(octets);
        self.peer.received(self.now, Direction::Outgoing);
    }

    fn refuse(&mut self, subcode: OpenSubcode, data: &[u8]) -> String {
        let mut octets = BytesMut::new();
        Notification::open_error(subcode, Bytes::copy_from_slice(data)).encode(&mut octets);
        self.say(&octets);
        let mut said = String::new();
        while let Some(output) = self.peer.poll_output() {
            if let Output::Failed(reason) = output {
                said = reason.to_string();
            }
        }
        said
    }

    fn accept(&mut self) {
        let mut octets = BytesMut::new();
        Open::new(Asn(64635), 90, BgpIdentifier::new(10, 0, 0, 2), vec![]).encode(&mut octets);
        encode_keepalive(&mut octets);
        self.say(&octets);
        assert!(self.peer.negotiated().is_some());
    }
}

#[test]
fn after_an_unsupported_optional_parameter_the_open_has_none() {
    let mut router = Router::new(|_| ());
    assert!(!router.open().capabilities.is_empty());
    router.refuse(OpenSubcode::UNSUPPORTED_OPTIONAL_PARAMETER, &[]);
    assert_eq!(router.open().capabilities, []);
    router.accept();
    let agreed = router.peer.negotiated().expect("a session");
    assert_eq!(agreed.families, [AfiSafi::IPV4_UNICAST]);
    assert!(!agreed.four_octet_as && !agreed.route_refresh);
}

#[test]
fn a_peer_of_ipv6_alone_goes_on_offering_it_after_an_unsupported_optional_parameter() {
    let mut router = Router::new(|config| config.fsm.families = vec![AfiSafi::IPV6_UNICAST]);
    let all = router.open().capabilities;
    router.refuse(OpenSubcode::UNSUPPORTED_OPTIONAL_PARAMETER, &[]);
    assert_eq!(router.open().capabilities, all);
}

#[test]
fn after_an_unsupported_capability_the_open_leaves_it_out_and_the_reason_names_it() {
    let v6 = Capability::Multiprotocol(AfiSafi::IPV6_UNICAST);
    for (data, left_out, words) in [
        (&[1, 4, 0, 2, 0, 1][..], vec![v6], "multiprotocol ipv6-unicast"),
        (&[6, 0], vec![Capability::ExtendedMessage], "extended message"),
        (&[65, 4, 0, 0, 0xfc, 0x7c], vec![Capability::FourOctetAs(Asn(64636))], "four-octet AS"),
        (
            &[2, 0, 6, 0],
            vec![Capability::RouteRefresh, Capability::ExtendedMessage],
            "route refresh",
        ),
    ] {
        let mut router = Router::new(|_| ());
        let before = router.open().capabilities;
        let said = router.refuse(OpenSubcode::UNSUPPORTED_CAPABILITY, data);
        assert!(said.contains(&format!("unsupported capability: {words}")), "{said}");
        let after = router.open().capabilities;
        let expected: Vec<_> = before.into_iter().filter(|it| !left_out.contains(it)).collect();
        assert_eq!(after, expected, "{words}");
    }
}

#[test]
fn refusals_add_up_and_capabilities_that_cannot_be_left_out_change_nothing() {
    let mut router = Router::new(|_| ());
    let all = router.open().capabilities;
    // Empty, truncated, unknown, and of a family that was not offered.
    for data in [&[][..], &[1, 4, 0], &[200, 1, 7], &[1, 4, 0, 3, 0, 9]] {
        router.refuse(OpenSubcode::UNSUPPORTED_CAPABILITY, data);
        assert_eq!(router.open().capabilities, all, "{data:?}");
    }

    router.refuse(OpenSubcode::UNSUPPORTED_CAPABILITY, &[6, 0]);
    router.open();
    router.refuse(OpenSubcode::UNSUPPORTED_CAPABILITY, &[1, 4, 0, 2, 0, 1, 1, 4, 0, 1, 0, 1]);
    let left = router.open().capabilities;
    assert!(!left.contains(&Capability::ExtendedMessage));
    let families = left.iter().filter(|it| matches!(it, Capability::Multiprotocol(_))).count();
    assert_eq!(families, 1, "the last family stays");
}

#[test]
fn everything_is_offered_again_after_the_session_and_on_the_operators_commands() {
    type Act = fn(&mut Router);
    let acts: [(&str, Act); 4] = [
        ("the session ends", |router| {
            router.accept();
            let mut octets = BytesMut::new();
            Notification::new(ErrorCode::CEASE, 4, Bytes::new()).encode(&mut octets);
            router.say(&octets);
        }),
        ("reset", |router| {
            let cease = Notification::cease(CeaseSubcode::ADMINISTRATIVE_RESET);
            router.peer.reset(router.now, cease);
        }),
        ("stop and start", |router| {
            let cease = Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN);
            router.peer.stop(router.now, cease);
            let mut out = BytesMut::new();
            while router.peer.poll_transmit(router.now, Direction::Outgoing, &mut out) {}
            router.peer.start(router.now);
        }),
        ("another configuration", |router| {
            let mut config = router.peer.settings().clone();
            config.fsm.connect_retry_time = secs(7);
            router.peer.reconfigure(router.now, config);
        }),
    ];

    for (what, act) in acts {
        let mut router = Router::new(|_| ());
        let all = router.open().capabilities;
        router.refuse(OpenSubcode::UNSUPPORTED_OPTIONAL_PARAMETER, &[]);
        assert_eq!(router.open().capabilities, []);
        act(&mut router);
        let mut out = BytesMut::new();
        while router.peer.poll_transmit(router.now, Direction::Outgoing, &mut out) {}
        assert_eq!(router.open().capabilities, all, "{what}");
    }
}

#[test]
fn a_start_before_the_answer_to_a_reduced_open_negotiates_only_what_that_open_offered() {
    let mut router = Router::new(|_| ());
    router.open();
    router.refuse(OpenSubcode::UNSUPPORTED_OPTIONAL_PARAMETER, &[]);
    assert_eq!(router.open().capabilities, []);
    router.peer.start(router.now);

    let capabilities = vec![Capability::RouteRefresh, Capability::FourOctetAs(Asn(64635))];
    let mut octets = BytesMut::new();
    Open::new(Asn(64635), 90, BgpIdentifier::new(10, 0, 0, 2), capabilities).encode(&mut octets);
    encode_keepalive(&mut octets);
    router.say(&octets);
    let agreed = router.peer.negotiated().expect("a session");
    assert!(!agreed.four_octet_as && !agreed.route_refresh);
}

#[test]
fn capabilities_that_the_configuration_leaves_out_are_not_offered() {
    let mut router = Router::new(|config| {
        config.fsm.leave_out(&Capability::RouteRefresh);
        config.fsm.leave_out(&Capability::Multiprotocol(AfiSafi::IPV6_UNICAST));
    });
    let capabilities = router.open().capabilities;
    assert!(!capabilities.contains(&Capability::RouteRefresh));
    assert!(!capabilities.contains(&Capability::Multiprotocol(AfiSafi::IPV6_UNICAST)));
    let mut router = Router::new(|config| config.fsm.capabilities = false);
    assert_eq!(router.open().capabilities, []);
    router.accept();
}
