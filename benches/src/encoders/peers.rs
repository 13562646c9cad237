//! Other crates by their public APIs. Each reads the UPDATE as its own object first, and then writes it repeatedly.

use std::collections::HashMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use bgpkit_parser::models::AsnLength;
use bgpkit_parser::parser::bgp::messages::parse_bgp_message;
use bytes::Bytes;
use netgauze_bgp_pkt::BgpMessage;
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_parse_utils::WritablePdu;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;
use routecore::bgp::message::UpdateMessage;
use routecore::bgp::message::update::SessionConfig;
use routecore::bgp::message::update_builder::UpdateBuilder;
use routecore::bgp::nlri::afisafi::{AfiSafiNlri, Nlri, NlriCompose};
use routecore::bgp::path_attributes::PaMap;
use routecore::bgp::types::NextHop;
use rustbgpd_wire::{Ipv4UnicastMode, MAX_MESSAGE_LEN, Message, decode_message};
use zettabgp::prelude::{
    BgpMessage as _, BgpMessageType, BgpSessionParams, BgpTransportMode, BgpUpdateMessage,
};

use crate::append;

use super::{Buffer, Encode, Encoder, Task, ready};

/// All encoders of other crates.
pub(super) const ALL: [Encoder; 5] = [
    Encoder { name: "routecore, rebuilt", ready: routecore },
    Encoder { name: "netgauze-bgp-pkt", ready: netgauze },
    Encoder { name: "zettabgp", ready: zettabgp },
    Encoder { name: "rustbgpd-wire", ready: rustbgpd },
    Encoder { name: "bgpkit-parser", ready: bgpkit },
];

/// The UPDATE that the encoders read.
fn message(task: &Task) -> Vec<u8> {
    let mut octets = Vec::new();
    append::update(&mut octets, &task.attributes, &task.prefixes);
    octets
}

/// Its builder is consumed by the message, so the attributes and prefixes are copied into a new one for each message. It
/// also reads the message that it wrote.
fn routecore(task: &Task, _capacity: usize) -> Box<dyn Encode + '_> {
    let octets = message(task);
    let config = SessionConfig::modern();
    let update = UpdateMessage::from_octets(&octets[..], &config).expect("an UPDATE");
    let attributes = PaMap::from_update_pdu(&update).expect("its attributes");
    let next_hop = NextHop::Unicast(task.next_hop().address());
    let nlri = update.announcements().expect("its prefixes").flatten();

    match task.next_hop().address() {
        IpAddr::V4(_) => built(
            attributes,
            next_hop,
            nlri.filter_map(|nlri| match nlri {
                Nlri::Ipv4Unicast(nlri) => Some(nlri),
                _ => None,
            })
            .collect(),
        ),
        IpAddr::V6(_) => built(
            attributes,
            next_hop,
            nlri.filter_map(|nlri| match nlri {
                Nlri::Ipv6Unicast(nlri) => Some(nlri),
                _ => None,
            })
            .collect(),
        ),
    }
}

fn built<'a, A: AfiSafiNlri + NlriCompose + Clone + 'a>(
    attributes: PaMap,
    next_hop: NextHop,
    nlri: Vec<A>,
) -> Box<dyn Encode + 'a> {
    let config = SessionConfig::modern();
    ready(Vec::new(), move |out: &mut Vec<u8>| {
        let attributes = black_box(&attributes).clone();
        let mut builder = UpdateBuilder::<Vec<u8>, A>::from_attributes_builder(attributes);
        builder.announcements_from_iter(black_box(&nlri).iter().cloned()).expect("room");
        builder.set_mp_nexthop(next_hop).expect("a next hop");
        *out = builder.into_message(&config).expect("a message").into_octets();
    })
}

fn netgauze(task: &Task, capacity: usize) -> Box<dyn Encode + '_> {
    let octets = message(task);
    let none = (HashMap::new(), HashMap::new());
    let mut context = BgpParsingContext::new(true, none.0, none.1, true, true, true, true);
    let message =
        BgpMessage::parse(&mut SliceReader::new(&octets), &mut context).expect("an UPDATE");
    ready(Vec::with_capacity(capacity), move |out: &mut Vec<u8>| {
        black_box(&message).write(out).expect("a message");
    })
}

/// The buffer of zettabgp: a slice that it writes to from the front.
struct Slice {
    octets: Vec<u8>,
    length: usize,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

impl Buffer for Slice {
    fn clear(&mut self) {
        self.length = 0;
    }
}

fn zettabgp(task: &Task, capacity: usize) -> Box<dyn Encode + '_> {
    let octets = message(task);
    let router_id = Ipv4Addr::new(192, 0, 2, 1);
    let mut session =
        BgpSessionParams::new(64_512, 180, BgpTransportMode::IPv4, router_id, Vec::new());
    session.has_as32bit = true;
    let mut update = BgpUpdateMessage::new();
    update.decode_from(&session, &octets[19..]).expect("an UPDATE");

    ready(Slice { octets: vec![0; capacity], length: 0 }, move |out| {
        let length = black_box(&update).encode_to(&session, &mut out.octets[19..]);
        let length = length.expect("a message");
        let whole = session.prepare_message_buf(&mut out.octets, BgpMessageType::Update, length);
        out.length = whole.expect("a message");
    })
}

fn rustbgpd(task: &Task, capacity: usize) -> Box<dyn Encode + '_> {
    let mut octets = Bytes::from(message(task));
    let message = decode_message(&mut octets, MAX_MESSAGE_LEN).expect("a message");
    let Message::Update(update) = message else { panic!("no UPDATE") };
    let parsed = update.parse_revised(true, false, false, &[]).expect("an UPDATE").update;
    ready(Vec::with_capacity(capacity), move |out: &mut Vec<u8>| {
        let parsed = black_box(&parsed);
        let (announced, attributes) = (&parsed.announced, &parsed.attributes);
        let mode = Ipv4UnicastMode::Body;
        let update =
            rustbgpd_wire::UpdateMessage::build(announced, &[], attributes, true, false, mode);
        update.encode(out).expect("a message");
    })
}

/// It returns new `Bytes` for each message.
fn bgpkit(task: &Task, _capacity: usize) -> Box<dyn Encode + '_> {
    let mut octets = Bytes::from(message(task));
    let message = parse_bgp_message(&mut octets, false, &AsnLength::Bits32).expect("an UPDATE");
    ready(Bytes::new(), move |out: &mut Bytes| {
        *out = black_box(&message).encode(AsnLength::Bits32).expect("a message");
    })
}
