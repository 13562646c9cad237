//! The context of the session of a message, from the OPENs of the capture.

use std::collections::BTreeMap;

use bgp_core::wire::{AddPathMode, Capability, Frame, Message, MessageLimit, Open, WireContext};
use bgp_core::{Afi, AfiSafi, PeerType};

use super::capture::{Capture, Captured, Endpoints};

/// The source of the negotiated features of a session.
#[derive(Clone, Copy)]
pub(crate) enum Negotiated {
    /// The OPENs of both sides. If one is missing, there must only be messages that are read the same on any session.
    InTheCapture,
    /// The OPEN of one side, because the capture has only one direction. The other side is assumed to be external and to offer
    /// the same. No such capture has a LOCAL_PREF, which an internal peer would send.
    OneSided,
    /// The OPENs in another file, between the same addresses and ports, from both sides or one.
    In(&'static str),
    /// Unknown: the capture begins when the session is already Established.
    Unseen(WireContext),
}

/// The OPENs of a capture by connection and sender.
pub(crate) struct Sessions {
    opens: BTreeMap<(Option<u64>, Endpoints), Open>,
    negotiated: Negotiated,
}

const FAMILIES: [AfiSafi; 4] = [
    AfiSafi::IPV4_UNICAST,
    AfiSafi::IPV6_UNICAST,
    AfiSafi::IPV4_MULTICAST,
    AfiSafi::IPV6_MULTICAST,
];

impl Sessions {
    /// The sessions of a capture; `other` reads another one.
    pub(crate) fn new(
        capture: &Capture,
        negotiated: Negotiated,
        other: impl Fn(&str) -> Capture,
    ) -> Self {
        let opens = match negotiated {
            Negotiated::In(file) => {
                // Two files number their connections separately: only the endpoints identify them.
                let other = other(file);
                opens(&other).map(|(message, open)| ((None, ends(message)), open)).collect()
            }
            _ => opens(capture)
                .map(|(message, open)| ((Some(message.stream), ends(message)), open))
                .collect(),
        };
        Self { opens, negotiated }
    }

    /// The context for reading a message.
    pub(crate) fn context(&self, message: &Captured) -> WireContext {
        let (from, to) = message.endpoints.clone();
        let stream = match self.negotiated {
            Negotiated::Unseen(cx) => return cx,
            Negotiated::In(..) => None,
            _ => Some(message.stream),
        };
        let sent = self.opens.get(&(stream, (from.clone(), to.clone())));
        let received = self.opens.get(&(stream, (to, from)));
        match (self.negotiated, sent, received) {
            (_, Some(sent), Some(received)) => {
                let internal = sent.asn == received.asn;
                let peer = if internal { PeerType::Internal } else { PeerType::External };
                between(peer, sent, Some(received))
            }
            (Negotiated::OneSided | Negotiated::In(_), Some(sent), None) => {
                between(PeerType::External, sent, None)
            }
            _ => {
                let kind = message.octets[18];
                // These are read the same on any session.
                assert!(matches!(kind, 1 | 3 | 4), "packet {}: no OPENs", message.packet);
                WireContext::default()
            }
        }
    }
}

fn ends(message: &Captured) -> Endpoints {
    message.endpoints.clone()
}

fn opens(capture: &Capture) -> impl Iterator<Item = (&Captured, Open)> {
    capture.messages.iter().filter_map(|message| {
        let frame = Frame::split(&message.octets, MessageLimit::Standard).unwrap().unwrap();
        match Message::decode(frame, WireContext::default()) {
            Ok(Message::Open(open)) => Some((message, open)),
            _ => None,
        }
    })
}

/// The context for messages from one side to the other.
fn between(peer: PeerType, from: &Open, to: Option<&Open>) -> WireContext {
    let both = |has: &dyn Fn(&Capability) -> bool| {
        from.capabilities.iter().any(has) && to.is_none_or(|to| to.capabilities.iter().any(has))
    };
    let next_hop = |capability: &Capability| match capability {
        Capability::ExtendedNextHop(entries) => entries
            .iter()
            .any(|entry| entry.family == AfiSafi::IPV4_UNICAST && entry.next_hop == Afi::IPV6),
        _ => false,
    };
    let mut cx = WireContext::new(peer)
        .four_octet_as(both(&|capability| matches!(capability, Capability::FourOctetAs(_))))
        .extended_messages(both(&|capability| *capability == Capability::ExtendedMessage))
        .extended_next_hop(both(&next_hop));

    for family in FAMILIES {
        let offered = both(&|capability| *capability == Capability::Multiprotocol(family));
        // Without the capability a session is for IPv4 unicast (RFC 4760 section 8).
        let default = family == AfiSafi::IPV4_UNICAST && !(speaks(from) && to.is_none_or(speaks));
        let sends = modes(from, family).any(|mode| mode.sends());
        let receives = to.is_none_or(|to| modes(to, family).any(|mode| mode.receives()));
        cx = cx.multiprotocol(family, offered || default).add_path(family, sends && receives);
    }
    cx
}

/// Returns true if a speaker offers its families.
fn speaks(open: &Open) -> bool {
    open.capabilities.iter().any(|capability| matches!(capability, Capability::Multiprotocol(_)))
}

fn modes(open: &Open, family: AfiSafi) -> impl Iterator<Item = AddPathMode> {
    let entries = open.capabilities.iter().filter_map(|capability| match capability {
        Capability::AddPath(entries) => Some(entries),
        _ => None,
    });
    entries.flatten().filter(move |entry| entry.family == family).map(|entry| entry.mode)
}
