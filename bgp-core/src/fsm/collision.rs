//! Connection collision detection: which of a peer's two connections survives (RFC 4271, section 6.8).
//!
//! A pure rule. [`Peer`](crate::peer::Peer), which holds both connections, applies it when an OPEN arrives.

use crate::fsm::StateKind;
use crate::{Asn, BgpIdentifier, Direction};

/// What to do about two connections with one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "either connection may be the one that is closed, or none"
)]
pub enum Verdict {
    /// There is no other connection.
    NoCollision,
    /// The other one would survive, but the peer has not sent its OPEN there: keep both until it does, for a short
    /// time. A silent connection must not end one on which the peer has answered.
    Wait,
    /// Close the connection on which the OPEN has just arrived.
    DumpThis,
    /// Close the other one.
    DumpOther,
}

/// One end of a session, as its OPEN names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 and RFC 6286 compare these two")]
pub struct Speaker {
    /// The BGP Identifier.
    pub identifier: BgpIdentifier,
    /// The AS number.
    pub asn: Asn,
}

/// Judges a connection of `direction` on which the OPEN of `remote` has just arrived, while the peer's other
/// connection is in state `other`.
///
/// Both ends come to the same answer: the connection that the speaker with the higher identifier opened
/// survives; between equal identifiers the higher AS number decides (RFC 6286, section 2.3).
///
/// A connection in OpenSent takes part only where the identifier of its peer is known, and the peer's OPEN makes it
/// known. So before that OPEN it never ends the other connection. But where it would survive, the other one waits for
/// it, so that both ends decide before either is Established and no session comes up only to lose a collision.
#[must_use]
pub fn resolve(local: Speaker, remote: Speaker, direction: Direction, other: StateKind) -> Verdict {
    match other {
        // An Established connection stays: CollisionDetectEstablishedState is off, as the RFC has it by
        // default.
        StateKind::Established => Verdict::DumpThis,
        StateKind::OpenSent | StateKind::OpenConfirm => {
            let ours_wins = (local.identifier, local.asn.0) > (remote.identifier, remote.asn.0);
            let survivor = if ours_wins { Direction::Outgoing } else { Direction::Incoming };
            if direction == survivor {
                Verdict::DumpOther
            } else if other == StateKind::OpenSent {
                Verdict::Wait
            } else {
                Verdict::DumpThis
            }
        }
        // An attempt of ours that the peer has not answered is not needed any more.
        StateKind::Connect | StateKind::Active => Verdict::DumpOther,
        StateKind::Idle => Verdict::NoCollision,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn speaker(identifier: u8, asn: u32) -> Speaker {
        Speaker { identifier: BgpIdentifier(Ipv4Addr::new(10, 0, 0, identifier)), asn: Asn(asn) }
    }

    #[test]
    fn the_connection_of_the_higher_identifier_survives() {
        let (low, high) = (speaker(1, 65002), speaker(2, 65001));
        // Nothing is closed for a connection on which the peer's OPEN has not come.
        for (other, of_the_loser) in
            [(StateKind::OpenSent, Verdict::Wait), (StateKind::OpenConfirm, Verdict::DumpThis)]
        {
            let judge = |local, remote, direction| resolve(local, remote, direction, other);
            assert_eq!(judge(low, high, Direction::Outgoing), of_the_loser);
            assert_eq!(judge(low, high, Direction::Incoming), Verdict::DumpOther);
            assert_eq!(judge(high, low, Direction::Outgoing), Verdict::DumpOther);
            assert_eq!(judge(high, low, Direction::Incoming), of_the_loser);
        }
    }

    #[test]
    fn between_equal_identifiers_the_higher_as_number_decides() {
        let (low, high) = (speaker(1, 65001), speaker(1, 65002));
        let judge =
            |local, remote| resolve(local, remote, Direction::Outgoing, StateKind::OpenConfirm);
        assert_eq!(judge(low, high), Verdict::DumpThis);
        assert_eq!(judge(high, low), Verdict::DumpOther);
    }

    #[test]
    fn an_established_connection_is_never_dumped_and_an_unanswered_attempt_always() {
        let (low, high) = (speaker(1, 65001), speaker(2, 65002));
        for direction in [Direction::Outgoing, Direction::Incoming] {
            let judge = |other| resolve(high, low, direction, other);
            assert_eq!(judge(StateKind::Established), Verdict::DumpThis);
            assert_eq!(judge(StateKind::Connect), Verdict::DumpOther);
            assert_eq!(judge(StateKind::Active), Verdict::DumpOther);
            assert_eq!(judge(StateKind::Idle), Verdict::NoCollision);
            assert_eq!(resolve(low, high, direction, StateKind::Idle), Verdict::NoCollision);
        }
    }
}
