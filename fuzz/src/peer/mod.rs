//! A complete session: the input chooses octets, timeouts and commands for one [`Peer`](bgp_core::peer::Peer).
//!
//! The first octets of the input choose the configuration. Each step is one call that changes the peer. After it, the
//! [`driver`] follows the rules of the peer's loop and checks the invariants.

pub mod driver;
pub mod messages;

use std::time::Duration;

use bgp_core::fsm::{
    ConnectMode, LocalAs, ReceivedPath, RemoteAs, RoleConfig, SentPath, TransportError,
};
use bgp_core::peer::{Exceeded, Import, PeerSettings, PrefixLimit, PrefixLimits};
use bgp_core::wire::{
    AttributeCode, AttributeFlags, CeaseSubcode, Community, MessageType, Notification,
    PathAttributes, RawAttribute, Role, RouteRefresh, RouteRefreshSubtype,
};
use bgp_core::{AfiSafi, Asn, BgpIdentifier, Direction, IpNet, Ipv4Net, Ipv6Net};
use bytes::{Bytes, BytesMut};

use crate::input::{FAMILIES, Input, is_set};
use crate::judge::message;
use driver::Driver;

/// The maximum number of steps in a run: longer inputs do not find more than shorter ones.
const MAX_STEPS: usize = 512;

/// The input has two octets of configuration, the times that these select, and steps.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let config = config(&mut input);
    let mut driver = Driver::new(config);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        step(&mut driver, &mut input);
    }
    driver.finish();
}

/// Chooses a configuration: half of the bits choose options, the others times.
fn config(input: &mut Input<'_>) -> PeerSettings {
    let bits = input.two_octets();
    let identifier = BgpIdentifier::new(10, 0, 0, if is_set(bits, 0) { 1 } else { 3 });
    let local_asn = if is_set(bits, 1) { messages::REMOTE_ASN } else { Asn(4_200_000_000) };
    let mut config = PeerSettings::new(local_asn, identifier, messages::REMOTE_ASN);
    config.fsm.connect_mode =
        if is_set(bits, 2) { ConnectMode::Passive } else { ConnectMode::Both };
    config.import = if is_set(bits, 3) { Import::Keep } else { Import::Drop };
    if is_set(bits, 4) {
        config.maximum_prefixes = PrefixLimits::each(3);
    }
    config.fsm.families = match bits >> 5 & 7 {
        0 => vec![AfiSafi::IPV4_UNICAST],
        1 => vec![AfiSafi::IPV6_UNICAST],
        2 => FAMILIES.to_vec(),
        3 => Vec::new(),
        _ => vec![AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST],
    };
    config.fsm.jitter_seed = u64::from(bits);

    if is_set(bits, 8) {
        config.fsm.hold_time = time(input);
    }
    if is_set(bits, 9) {
        config.fsm.keepalive_time = Some(time(input));
    }
    if is_set(bits, 10) {
        config.fsm.open_hold_time = time(input);
    }
    if is_set(bits, 11) {
        config.fsm.connect_retry_time = time(input);
    }
    if is_set(bits, 12) {
        config.fsm.delay_open_time = Some(time(input));
    }
    if is_set(bits, 13) {
        config.fsm.idle_hold_time = time(input);
    }
    if is_set(bits, 14) {
        config.fsm.idle_hold_max = time(input);
    }
    if is_set(bits, 15) {
        config.min_route_advertisement_interval = time(input);
    }
    config
}

/// Chooses a time from zero to the maximum, mostly a common one.
fn time(input: &mut Input<'_>) -> Duration {
    match input.octet() {
        0 => Duration::ZERO,
        1 => Duration::from_nanos(1),
        0xff => Duration::MAX,
        octet if octet < 64 => Duration::from_millis(10 * u64::from(octet)),
        octet => Duration::from_secs(u64::from(octet)),
    }
}

/// Performs one step: the low bits of an octet choose the call, the high ones its arguments.
fn step(driver: &mut Driver, input: &mut Input<'_>) {
    let octet = input.octet();
    let direction = if octet & 0x10 == 0 { Direction::Outgoing } else { Direction::Incoming };
    let how = octet >> 5;

    match octet & 0x0f {
        0 => match how {
            0..=3 => driver.start(),
            4 => driver.reset(cease(how)),
            _ => {
                let bits = input.two_octets();
                let time = time(input);
                driver.reconfigure(|config| change(config, bits, time));
            }
        },
        1 => driver.stop(cease(how)),
        2 => driver.answer_dial(how),
        3 => driver.fail_dial(transport_error(how)),
        4 => driver.accept(how),
        5 => driver.lose(direction, transport_error(how)),
        6 => {
            let length = usize::from(input.octet());
            driver.receive(direction, input.take(length));
        }
        7 => {
            let kind = MessageType::from_code(how % 5 + 1).expect("1 to 5 are types");
            let length = usize::from(input.octet());
            driver.receive(direction, &message(kind, input.take(length)));
        }
        8 => driver.receive(direction, &messages::open(how, input)),
        9 => driver.receive(direction, &messages::keepalive()),
        10 => {
            let octets = messages::update(driver.context(), how, input);
            driver.receive(direction, &octets);
        }
        11 => driver.wait_for_deadline(),
        12 => driver.wait(Duration::from_millis(1 << (2 * how)) * u32::from(input.octet())),
        13 => routes(driver, how, input),
        14 => driver.toggle_full(direction),
        _ => driver.receive(direction, &fixed_message(how)),
    }
}

/// Changes the options that an operator may change at any time.
fn change(config: &mut PeerSettings, bits: u16, time: Duration) {
    let exceeded = match bits & 3 {
        0 => Exceeded::Warn,
        1 => Exceeded::Stop,
        _ => Exceeded::Restart(time),
    };
    let limit = PrefixLimit { limit: u32::from(bits >> 2 & 3), warning_percent: 50, exceeded };
    let low = PrefixLimits::each(limit).family(AfiSafi::IPV6_UNICAST, 2);
    config.maximum_prefixes = if is_set(bits, 4) { low } else { PrefixLimits::none() };

    config.fsm.connect_mode = match bits >> 5 & 3 {
        0 => ConnectMode::Active,
        1 => ConnectMode::Passive,
        _ => ConnectMode::Both,
    };
    config.fsm.remote_as = match bits >> 7 & 3 {
        0 => RemoteAs::Any,
        1 => RemoteAs::External,
        2 => RemoteAs::Internal,
        _ => messages::REMOTE_ASN.into(),
    };

    let (sent, received) = if is_set(bits, 9) {
        (SentPath::LocalAsAlone, ReceivedPath::AsReceived)
    } else {
        (SentPath::BothAses, ReceivedPath::WithLocalAs)
    };
    let local_as = LocalAs { speaker_asn: Asn(7), sent, received };
    config.fsm.local_as = is_set(bits, 10).then_some(local_as);

    let role = RoleConfig { role: Role((bits >> 11 & 7) as u8), strict: is_set(bits, 14) };
    config.fsm.role = is_set(bits, 15).then_some(role);
    config.collision_detect_established_state = is_set(bits, 13);
    config.fsm.send_hold_time = is_set(bits, 12).then_some(time);
    config.import = if is_set(bits, 8) { Import::Keep } else { Import::Drop };
}

fn cease(how: u8) -> Notification {
    Notification::cease_with_message(CeaseSubcode(how), "maintenance")
}

fn transport_error(how: u8) -> TransportError {
    match how {
        0 => TransportError::Refused,
        1 => TransportError::TimedOut,
        2 => TransportError::Unreachable,
        3 => TransportError::ClosedByPeer,
        4 => TransportError::Reset,
        _ => TransportError::Other("the cable is unplugged".to_owned()),
    }
}

/// Valid messages without further choices.
fn fixed_message(how: u8) -> BytesMut {
    let mut out = BytesMut::new();
    let family = if how & 1 == 0 { AfiSafi::IPV4_UNICAST } else { AfiSafi::IPV6_UNICAST };
    match how {
        0..=1 => Notification::hold_timer_expired().encode(&mut out),
        2..=3 => cease(how).encode(&mut out),
        4..=5 => RouteRefresh::request(family).encode(&mut out),
        _ => {
            RouteRefresh { family, subtype: RouteRefreshSubtype::BEGIN }.encode(&mut out);
        }
    }
    out
}

/// Announces a route, withdraws one, or replaces all routes to advertise.
fn routes(driver: &mut Driver, how: u8, input: &mut Input<'_>) {
    let octet = input.octet();
    match how {
        0..=3 => driver.announce(prefix(octet), attributes(input.octet())),
        4..=5 => driver.withdraw(prefix(octet)),
        _ => {
            let attributes = attributes(input.octet());
            let chosen = (0..8).filter(|bit| octet & 1 << bit != 0);
            driver.set_routes(chosen.map(|n| (prefix(n * 2 + how % 2), attributes.clone())));
        }
    }
}

/// One of sixteen prefixes of each family, so that changes affect the same prefix; some are nested, some are host routes.
#[must_use]
pub fn prefix(choice: u8) -> IpNet {
    let n = choice % 16;
    if choice & 0x10 == 0 {
        Ipv4Net::new_assert([10, 0, 0, n].into(), [32, 28, 8, 0][usize::from(n % 4)]).trunc().into()
    } else {
        let address = [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(n)].into();
        Ipv6Net::new_assert(address, [128, 64, 32, 0][usize::from(n % 4)]).trunc().into()
    }
}

/// One of a few sets of attributes, including one whose next hop does not fit every family and one that fits no message.
#[must_use]
pub fn attributes(choice: u8) -> PathAttributes {
    let mut attributes = PathAttributes { med: Some(u32::from(choice % 3)), ..Default::default() };
    match choice >> 4 {
        0..=7 => {}
        8..=9 => attributes.next_hop = Some(std::net::Ipv4Addr::new(192, 0, 2, 9).into()),
        10..=11 => attributes.next_hop = Some(std::net::Ipv6Addr::LOCALHOST.into()),
        12..=13 => attributes.communities = vec![Community::new(64_635, choice.into()); 50],
        _ => attributes.unknown = vec![too_long()],
    }
    attributes
}

/// An attribute that fits no message.
fn too_long() -> RawAttribute {
    let flags = AttributeFlags::OPTIONAL.with(AttributeFlags::TRANSITIVE);
    RawAttribute { code: AttributeCode(99), flags, value: Bytes::from_static(&[0; 5_000]) }
}
