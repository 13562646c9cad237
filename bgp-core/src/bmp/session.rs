//! Peer Up and Peer Down: the beginning and the end of a session (RFC 7854 sections 4.9 and 4.10).

use std::net::IpAddr;

use bytes::{BufMut, BytesMut};

use crate::wire::input::{Parsed, octet, two_octets};

use super::frame::{BmpMessageType, message};
use super::per_peer_header::{address, put_address};
use super::tlv::{InformationType, Tlvs, tlvs};
use super::{BmpMessage, PerPeerHeader, bgp_message};

/// Peer Up: a session, with the OPENs of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 7854 section 4.10 has these fields")]
pub struct PeerUp<'a> {
    /// The peer.
    pub peer: PerPeerHeader,
    /// The router's address, of the same family as the peer's; `0.0.0.0` for the Loc-RIB.
    pub local_address: IpAddr,
    /// The router's TCP port.
    pub local_port: u16,
    /// The peer's TCP port.
    pub remote_port: u16,
    /// The OPEN that the router sent, whole and otherwise unchecked.
    pub sent_open: &'a [u8],
    /// The OPEN that the router received, whole and otherwise unchecked.
    pub received_open: &'a [u8],
    /// Further facts; for the Loc-RIB, the name of its table.
    pub information: Tlvs<'a, InformationType>,
}

/// Peer Down: a session has ended, or is no longer shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 7854 section 4.9 has these fields")]
pub struct PeerDown<'a> {
    /// The peer.
    pub peer: PerPeerHeader,
    /// The reason.
    pub reason: PeerDownReason<'a>,
}

/// The reason of a Peer Down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerDownReason<'a> {
    /// 1: the router ended the session with this NOTIFICATION, whole and otherwise unchecked.
    LocalNotification(&'a [u8]),
    /// 2: the router ended the session without a NOTIFICATION, because of this event of the state machine (RFC 4271
    /// section 8.1); 0 if none is relevant.
    LocalEvent(u16),
    /// 3: the peer ended the session with this NOTIFICATION, whole and otherwise unchecked.
    RemoteNotification(&'a [u8]),
    /// 4: the peer ended the session without a NOTIFICATION.
    Remote,
    /// 5: the session is no longer shown, because the configuration changed. It may still be up.
    Deconfigured,
    /// 6: the router closed the table. The Loc-RIB's name follows (RFC 9069 section 5.3).
    LocalClosed(Tlvs<'a, InformationType>),
    /// Another reason, with its data.
    Other(u8, &'a [u8]),
}

impl PeerUp<'_> {
    /// Appends the message.
    pub fn encode(&self, out: &mut BytesMut) {
        message(BmpMessageType::PEER_UP, out, |out| {
            self.peer.encode(out);
            put_address(self.local_address, out);
            out.put_u16(self.local_port);
            out.put_u16(self.remote_port);
            out.put_slice(self.sent_open);
            out.put_slice(self.received_open);
            out.put_slice(self.information.as_bytes());
        });
    }
}

impl PeerDown<'_> {
    /// Appends the message.
    pub fn encode(&self, out: &mut BytesMut) {
        message(BmpMessageType::PEER_DOWN, out, |out| {
            self.peer.encode(out);
            out.put_u8(self.reason.code());
            match self.reason {
                PeerDownReason::LocalEvent(event) => out.put_u16(event),
                PeerDownReason::LocalNotification(data)
                | PeerDownReason::RemoteNotification(data)
                | PeerDownReason::Other(_, data) => out.put_slice(data),
                PeerDownReason::LocalClosed(information) => out.put_slice(information.as_bytes()),
                PeerDownReason::Remote | PeerDownReason::Deconfigured => {}
            }
        });
    }
}

impl PeerDownReason<'_> {
    /// The number of the reason, from IANA's registry.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::LocalNotification(_) => 1,
            Self::LocalEvent(_) => 2,
            Self::RemoteNotification(_) => 3,
            Self::Remote => 4,
            Self::Deconfigured => 5,
            Self::LocalClosed(_) => 6,
            Self::Other(code, _) => *code,
        }
    }
}

pub(super) fn peer_up(peer: PerPeerHeader, input: &[u8]) -> Parsed<'_, BmpMessage<'_>> {
    let (input, local_address) = address(input, peer.is_ipv6())?;
    let (input, local_port) = two_octets(input)?;
    let (input, remote_port) = two_octets(input)?;
    let (input, sent_open) = bgp_message(input)?;
    let (input, received_open) = bgp_message(input)?;
    let (input, information) = tlvs(input)?;

    let up = PeerUp {
        peer,
        local_address,
        local_port,
        remote_port,
        sent_open,
        received_open,
        information,
    };
    Ok((input, BmpMessage::PeerUp(up)))
}

pub(super) fn peer_down(peer: PerPeerHeader, input: &[u8]) -> Parsed<'_, BmpMessage<'_>> {
    let (input, code) = octet(input)?;
    let (input, reason) = match code {
        1 => bgp_message(input).map(|(i, it)| (i, PeerDownReason::LocalNotification(it)))?,
        2 => two_octets(input).map(|(i, event)| (i, PeerDownReason::LocalEvent(event)))?,
        3 => bgp_message(input).map(|(i, it)| (i, PeerDownReason::RemoteNotification(it)))?,
        4 => (input, PeerDownReason::Remote),
        5 => (input, PeerDownReason::Deconfigured),
        6 => tlvs(input).map(|(i, information)| (i, PeerDownReason::LocalClosed(information)))?,
        code => (&[][..], PeerDownReason::Other(code, input)),
    };
    Ok((input, BmpMessage::PeerDown(PeerDown { peer, reason })))
}
