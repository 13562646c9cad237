//! The BFD session of a peer (RFC 5880).
//!
//! Owns the words for its state and for the reason why it is not up.

use bgp_session::bfd::{BfdStatus, Diagnostic, State};
use ferrolb_api::Bfd;

use super::peers::PeerFacts;

/// Returns the BFD session of a peer; `None` if the peer has none yet, as without a router on its interface.
pub(super) fn session(peer: &PeerFacts<'_>) -> Option<Bfd> {
    let status = peer.status.bfd.as_ref()?;
    let now = tokio::time::Instant::now().into_std();
    let in_state = status.since.map(|since| now.saturating_duration_since(since).as_secs_f64());

    Some(Bfd {
        node: peer.node.to_owned(),
        peer: peer.plan.peer.name.clone(),
        endpoint: peer.plan.peer.endpoint(),
        state: status.state.to_string(),
        state_seconds: in_state,
        remote_state: status.remote_state.to_string(),
        diagnostic: status.diagnostic.to_string(),
        remote_diagnostic: status.remote_diagnostic.to_string(),
        reason: reason(status),
        last_down_at: status.last_down_at.map(|at| peer.time_of(at)),
        transmit_interval_ms: milliseconds(status.transmit_interval),
        receive_interval_ms: milliseconds(status.receive_interval),
        detection_time_ms: milliseconds(status.detection_time),
        multiplier: status.multiplier,
        remote_multiplier: status.remote_multiplier,
        discriminator: status.discriminator,
        remote_discriminator: status.remote_discriminator,
        remote_is_independent: status.remote_is_independent,
        packets_sent: status.stats.sent,
        packets_received: status.stats.received,
        packets_discarded: status.stats.discarded,
        ups: status.stats.ups,
        failures: status.stats.failures,
    })
}

/// Returns the reason why a session is not up.
pub(super) fn reason(status: &BfdStatus) -> Option<String> {
    if status.state == State::Up {
        return None;
    }
    if let Some(problem) = &status.problem {
        return Some(problem.clone());
    }
    if status.stats.received == 0 {
        return Some("no BFD packet of the router has arrived yet".to_owned());
    }
    if status.remote_state == State::AdminDown {
        return Some("the router has shut its BFD session down".to_owned());
    }
    if status.diagnostic != Diagnostic::NONE {
        return Some(status.diagnostic.to_string());
    }
    Some(format!("the router reports the state {}", status.remote_state))
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_most_telling_one() {
        let mut status = BfdStatus::default();
        status.state = State::Down;
        assert_eq!(reason(&status).unwrap(), "no BFD packet of the router has arrived yet");

        status.stats.received = 3;
        status.remote_state = State::Down;
        assert_eq!(reason(&status).unwrap(), "the router reports the state Down");
        status.diagnostic = Diagnostic::DETECTION_TIME_EXPIRED;
        assert_eq!(reason(&status).unwrap(), status.diagnostic.to_string());
        status.remote_state = State::AdminDown;
        assert_eq!(reason(&status).unwrap(), "the router has shut its BFD session down");
        status.problem = Some("port 3784 is in use".to_owned());
        assert_eq!(reason(&status).unwrap(), "port 3784 is in use");

        status.state = State::Up;
        assert_eq!(reason(&status), None);
    }
}
