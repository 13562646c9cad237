//! Which changes of a peer reset its session, and under which names.

use std::net::IpAddr;
use std::time::Duration;

use super::{Session, configured};
use crate::model::{
    Asn, BfdProfile, BgpIdentifier, NextHopPolicy, Password, Peer, PeerAddress, PeerAsn,
};
use crate::sessions::{Terms, remote};

fn session(peer: &Peer) -> Session {
    let identifier = peer.router_id.unwrap_or(BgpIdentifier::new(172, 22, 35, 25));
    let profile = BfdProfile::new("fast");
    let bfd = peer.bfd_profile.as_ref().map(|_| &profile);
    Session {
        terms: Terms::new(peer.shown_asn(), identifier, remote(peer, bfd)),
        has_password: false,
    }
}

fn resets(change: impl FnOnce(&mut Peer)) -> Vec<&'static str> {
    let before = Peer::new(Asn(64636), Asn(64635), "172.22.35.1".parse::<IpAddr>().unwrap());
    let mut after = before.clone();
    change(&mut after);
    let resets = session(&before).terms.resets(&session(&after).terms);
    resets.into_iter().map(configured).collect()
}

#[test]
fn what_opens_and_connections_have_settled_resets_a_session() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    assert_eq!(resets(|peer| peer.my_asn = Asn(64700)), ["myASN"]);
    assert_eq!(resets(|peer| peer.local_asn = Some(Asn(64700))), ["myASN"]);
    assert_eq!(resets(|peer| peer.peer_asn = PeerAsn::External), ["peerASN"]);
    assert_eq!(resets(|peer| peer.address = address("172.22.35.2").into()), ["peerAddress"]);
    assert_eq!(resets(|peer| peer.port = 1179), ["peerPort"]);
    let interface = PeerAddress::Interface("eth1".to_owned());
    assert_eq!(resets(|peer| peer.address = interface), ["peerAddress"]);
    assert_eq!(
        resets(|peer| peer.source_address = Some(address("172.22.35.9"))),
        ["sourceAddress"]
    );
    assert_eq!(resets(|peer| peer.router_id = Some(BgpIdentifier::new(1, 2, 3, 4))), ["routerID"]);
    assert_eq!(resets(|peer| peer.password = Some(Password::new("sesame"))), ["password"]);
    assert_eq!(resets(|peer| peer.graceful_restart = true), ["enableGracefulRestart"]);
    assert_eq!(resets(|peer| peer.ebgp_multihop = true), ["ebgpMultiHop"]);
}

#[test]
fn what_comes_into_force_in_a_session_or_with_the_next_one_resets_none() {
    let seconds = Duration::from_secs;
    assert_eq!(resets(|peer| peer.hold_time = seconds(30)), [""; 0]);
    assert_eq!(resets(|peer| peer.keepalive_time = Some(seconds(5))), [""; 0]);
    assert_eq!(resets(|peer| peer.connect_time = Some(seconds(7))), [""; 0]);
    assert_eq!(resets(|peer| peer.bfd_profile = Some("fast".to_owned())), [""; 0]);
    assert_eq!(resets(|peer| peer.dual_stack = true), [""; 0]);
    assert_eq!(resets(|peer| peer.next_hop = Some(NextHopPolicy::NodeAddress)), [""; 0]);
    assert_eq!(resets(|peer| peer.name = "tor".to_owned()), [""; 0]);
}
