//! BGP4MP: the messages and state changes of a session (RFC 6396 section 4.4, RFC 8050 section 3).

use std::net::IpAddr;

use crate::fsm::StateKind;
use crate::types::{AfiSafi, Asn, PeerType};
use crate::wire::WireContext;
use crate::wire::input::{Parsed, four_octets, truncated, two_octets};

use super::{RecordContent, address};

/// A complete message and its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedMessage<'a> {
    /// The AS of the peer.
    pub peer_as: Asn,
    /// The AS of the recording side.
    pub local_as: Asn,
    /// The number of the interface; 0 if unknown.
    pub interface: u16,
    /// The address of the peer.
    pub peer: IpAddr,
    /// The address of the recording side.
    pub local: IpAddr,
    /// True if AS numbers in the message have four octets.
    pub four_octet_as: bool,
    /// True if the message was sent to the peer, false if it was received.
    pub sent: bool,
    /// True if prefixes in the message have path identifiers (RFC 8050).
    pub add_path: bool,
    /// The message with its header, unchecked: see [`Frame::split`](crate::wire::Frame::split).
    pub octets: &'a [u8],
}

/// A state change of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateChange {
    /// The AS of the peer.
    pub peer_as: Asn,
    /// The AS of the recording side.
    pub local_as: Asn,
    /// The number of the interface; 0 if unknown.
    pub interface: u16,
    /// The address of the peer.
    pub peer: IpAddr,
    /// The address of the recording side.
    pub local: IpAddr,
    /// The number of the old state: see [`state`](Self::state).
    pub old: u16,
    /// The number of the new state.
    pub new: u16,
}

impl<'a> RecordedMessage<'a> {
    /// A message that was received on a session with four-octet AS numbers and without path identifiers, on an unknown
    /// interface.
    #[must_use]
    pub const fn new(peer: (IpAddr, Asn), local: (IpAddr, Asn), octets: &'a [u8]) -> Self {
        Self {
            peer_as: peer.1,
            local_as: local.1,
            interface: 0,
            peer: peer.0,
            local: local.0,
            four_octet_as: true,
            sent: false,
            add_path: false,
            octets,
        }
    }

    /// The context for reading the message, from its record alone: IPv4 and IPv6 unicast, both with path identifiers if the
    /// record has them. [`Sessions`](super::Sessions) also uses the OPENs of the recording.
    #[must_use]
    pub fn context(&self) -> WireContext {
        let peer =
            if self.peer_as == self.local_as { PeerType::Internal } else { PeerType::External };
        WireContext::new(peer)
            .multiprotocol(AfiSafi::IPV6_UNICAST, true)
            .four_octet_as(self.four_octet_as)
            .add_path(AfiSafi::IPV4_UNICAST, self.add_path)
            .add_path(AfiSafi::IPV6_UNICAST, self.add_path)
    }
}

impl StateChange {
    /// A change from one state to another, on an unknown interface.
    #[must_use]
    pub const fn new(
        peer: (IpAddr, Asn),
        local: (IpAddr, Asn),
        old: StateKind,
        new: StateKind,
    ) -> Self {
        Self {
            peer_as: peer.1,
            local_as: local.1,
            interface: 0,
            peer: peer.0,
            local: local.0,
            old: Self::number(old),
            new: Self::number(new),
        }
    }

    /// The state with a number (RFC 6396 section 4.4.1), if there is one.
    #[must_use]
    pub const fn state(number: u16) -> Option<StateKind> {
        Some(match number {
            1 => StateKind::Idle,
            2 => StateKind::Connect,
            3 => StateKind::Active,
            4 => StateKind::OpenSent,
            5 => StateKind::OpenConfirm,
            6 => StateKind::Established,
            _ => return None,
        })
    }
}

pub(super) fn content(subtype: u16, body: &[u8]) -> Parsed<'_, RecordContent<'_>> {
    let four_octet_as = matches!(subtype, 4 | 5 | 7 | 9 | 11);
    match subtype {
        0 | 5 => state_change(body, four_octet_as),
        1 | 4 | 6..=11 => {
            let (octets, session) = session(body, four_octet_as)?;
            let SessionHeader { peer_as, local_as, interface, peer, local } = session;
            let message = RecordedMessage {
                peer_as,
                local_as,
                interface,
                peer,
                local,
                four_octet_as,
                sent: matches!(subtype, 6 | 7 | 10 | 11),
                add_path: subtype >= 8,
                octets,
            };
            Ok((&[], RecordContent::Message(message)))
        }
        _ => Ok((&[], RecordContent::Other)),
    }
}

fn state_change(body: &[u8], four_octet_as: bool) -> Parsed<'_, RecordContent<'_>> {
    let (input, session) = session(body, four_octet_as)?;
    let SessionHeader { peer_as, local_as, interface, peer, local } = session;
    let (input, old) = two_octets(input)?;
    let (input, new) = two_octets(input)?;
    let change = StateChange { peer_as, local_as, interface, peer, local, old, new };
    Ok((input, RecordContent::StateChange(change)))
}

/// The common header of all BGP4MP records.
struct SessionHeader {
    peer_as: Asn,
    local_as: Asn,
    interface: u16,
    peer: IpAddr,
    local: IpAddr,
}

fn session(input: &[u8], four_octet_as: bool) -> Parsed<'_, SessionHeader> {
    let (input, peer_as) = asn(input, four_octet_as)?;
    let (input, local_as) = asn(input, four_octet_as)?;

    let (input, interface) = two_octets(input)?;
    let (input, afi) = two_octets(input)?;

    if !matches!(afi, 1 | 2) {
        return Err(truncated());
    }

    let (input, peer) = address(input, afi == 2)?;
    let (input, local) = address(input, afi == 2)?;
    Ok((input, SessionHeader { peer_as, local_as, interface, peer, local }))
}

fn asn(input: &[u8], four_octets_wide: bool) -> Parsed<'_, Asn> {
    if four_octets_wide {
        return four_octets(input).map(|(input, asn)| (input, Asn(asn)));
    }
    two_octets(input).map(|(input, asn)| (input, Asn::from(asn)))
}
