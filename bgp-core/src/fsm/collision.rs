//! Connection collision detection: which of a peer's two connections survives (RFC 4271, section 6.8).
//!
//! Owns the rule only. [`Peer`](crate::peer::Peer), which holds both connections, applies it when an OPEN arrives.

use crate::fsm::StateKind;
use crate::{Asn, BgpIdentifier, Direction};

/// The outcome of connection collision detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "either connection may be the one that is closed, or none"
)]
pub enum Resolution {
    /// There is no other connection.
    NoCollision,
    /// The other connection would survive, but the peer has not sent its OPEN there: keep both until it does, for a
    /// short time. A silent connection must not end one on which the peer has answered.
    Wait,
    /// Close the connection on which the OPEN has just arrived.
    DumpThis,
    /// Close the other connection.
    DumpOther,
}

/// The values by which an OPEN identifies its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 and RFC 6286 compare these two")]
pub struct SpeakerId {
    /// The BGP Identifier.
    pub identifier: BgpIdentifier,
    /// The AS number.
    pub asn: Asn,
}

/// Decides which connection survives when the OPEN of `remote` has just arrived on a connection of `direction` and the
/// peer's other connection is in state `other`.
///
/// Both ends reach the same result: the connection opened by the speaker with the higher identifier survives. If the
/// identifiers are equal, the higher AS number decides (RFC 6286, section 2.3).
///
/// A connection in OpenSent never ends the other connection, because the identifier of its peer is unknown until the
/// peer's OPEN arrives. But if it would survive, the other connection waits for that OPEN. So both ends decide before
/// either connection is Established, and no session comes up only to lose a collision.
#[must_use]
pub fn resolve_collision(
    local: SpeakerId,
    remote: SpeakerId,
    direction: Direction,
    other: StateKind,
) -> Resolution {
    match other {
        // An Established connection stays, unless CollisionDetectEstablishedState is set: then the caller passes
        // OpenConfirm here.
        StateKind::Established => Resolution::DumpThis,
        StateKind::OpenSent | StateKind::OpenConfirm => {
            let ours_wins = (local.identifier, local.asn.0) > (remote.identifier, remote.asn.0);
            let survivor = if ours_wins { Direction::Outgoing } else { Direction::Incoming };

            if direction == survivor {
                Resolution::DumpOther
            } else if other == StateKind::OpenSent {
                Resolution::Wait
            } else {
                Resolution::DumpThis
            }
        }
        // The peer has not answered this attempt of ours, and it is no longer needed.
        StateKind::Connect | StateKind::Active => Resolution::DumpOther,
        StateKind::Idle => Resolution::NoCollision,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn speaker(identifier: u8, asn: u32) -> SpeakerId {
        SpeakerId { identifier: BgpIdentifier(Ipv4Addr::new(10, 0, 0, identifier)), asn: Asn(asn) }
    }

    #[test]
    fn the_connection_of_the_higher_identifier_survives() {
        let (low, high) = (speaker(1, 65002), speaker(2, 65001));
        // A connection on which the peer's OPEN has not arrived never closes the other one.
        for (other, loser) in [
            (StateKind::OpenSent, Resolution::Wait),
            (StateKind::OpenConfirm, Resolution::DumpThis),
        ] {
            let judge =
                |local, remote, direction| resolve_collision(local, remote, direction, other);
            assert_eq!(judge(low, high, Direction::Outgoing), loser);
            assert_eq!(judge(low, high, Direction::Incoming), Resolution::DumpOther);
            assert_eq!(judge(high, low, Direction::Outgoing), Resolution::DumpOther);
            assert_eq!(judge(high, low, Direction::Incoming), loser);
        }
    }

    #[test]
    fn between_equal_identifiers_the_higher_as_number_decides() {
        let (low, high) = (speaker(1, 65001), speaker(1, 65002));
        let judge = |local, remote| {
            resolve_collision(local, remote, Direction::Outgoing, StateKind::OpenConfirm)
        };
        assert_eq!(judge(low, high), Resolution::DumpThis);
        assert_eq!(judge(high, low), Resolution::DumpOther);
    }

    #[test]
    fn an_established_connection_is_never_dumped_and_an_unanswered_attempt_always() {
        let (low, high) = (speaker(1, 65001), speaker(2, 65002));
        for direction in [Direction::Outgoing, Direction::Incoming] {
            let judge = |other| resolve_collision(high, low, direction, other);
            assert_eq!(judge(StateKind::Established), Resolution::DumpThis);
            assert_eq!(judge(StateKind::Connect), Resolution::DumpOther);
            assert_eq!(judge(StateKind::Active), Resolution::DumpOther);
            assert_eq!(judge(StateKind::Idle), Resolution::NoCollision);
            assert_eq!(
                resolve_collision(low, high, direction, StateKind::Idle),
                Resolution::NoCollision
            );
        }
    }
}
