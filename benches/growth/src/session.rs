//! A session of a peer in memory, without a connection.

use std::net::Ipv4Addr;
use std::time::Instant;

use bgp_core::peer::{Endpoints, Peer, PeerSettings};
use bgp_core::{Asn, BgpIdentifier, Direction};
use bytes::BytesMut;

/// The settings of one of two peers, 1 or 2.
#[must_use]
pub fn config(last: u8) -> PeerSettings {
    let identifier = BgpIdentifier(Ipv4Addr::new(10, 0, 0, last));
    let [local_asn, remote_asn] = [last, 3 - last].map(|last| Asn(64_600 + u32::from(last)));
    PeerSettings::new(local_asn, identifier, remote_asn)
}

/// A peer with an Established session on an outgoing connection, and without the other end of it.
///
/// # Panics
///
/// The settings do not lead to a session with the other of the two peers.
#[must_use]
pub fn established(config: PeerSettings, now: Instant) -> Peer {
    let (last, other) = if config.fsm.local_asn == Asn(64_601) { (1, 2) } else { (2, 1) };
    let mut peer = Peer::new(config);
    let mut far = Peer::new(self::config(other));

    for (peer, direction, local, remote) in [
        (&mut peer, Direction::Outgoing, last, other),
        (&mut far, Direction::Incoming, other, last),
    ] {
        peer.start(now);
        let [local, remote] =
            [local, remote].map(|last| (Ipv4Addr::new(10, 0, 0, last), 179).into());
        peer.connected(now, direction, Endpoints { local, remote }).expect("it connects");
    }

    // A few rounds exchange OPEN and KEEPALIVE in both directions.
    for _ in 0..8 {
        let mut octets = BytesMut::new();
        while peer.poll_transmit(now, Direction::Outgoing, &mut octets) {}
        far.read_buffer(Direction::Incoming).extend_from_slice(&octets);
        far.received(now, Direction::Incoming);

        octets.clear();
        while far.poll_transmit(now, Direction::Incoming, &mut octets) {}
        peer.read_buffer(Direction::Outgoing).extend_from_slice(&octets);
        peer.received(now, Direction::Outgoing);

        while far.poll_output().is_some() {}
        while peer.poll_output().is_some() {}
    }
    assert!(peer.negotiated().is_some(), "no session");
    peer
}
