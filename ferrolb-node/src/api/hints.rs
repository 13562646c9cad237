//! The ways to fix the errors of sessions, for an operator.
//!
//! Owns these sentences. The errors themselves are in the words of `bgp-core`.

use bgp_session::{CeaseSubcode, DownReason, ErrorCode, Notification, Refusal, TransportError};
use lb_adapter::model::Peer;

/// Returns the way to fix the end of a session, or the failure to get one, if one is known.
pub(super) fn of_reason(reason: &DownReason, peer: &Peer) -> Option<String> {
    match reason {
        DownReason::Transport(error) => of_transport(error, peer),
        DownReason::Refused(refusal) => of_refusal(refusal, peer),
        DownReason::Remote(notification) => of_remote(notification, peer),
        DownReason::Local(notification) => of_local(notification),
        _ => None,
    }
}

fn of_transport(error: &TransportError, peer: &Peer) -> Option<String> {
    let (endpoint, name) = (peer.endpoint(), &peer.name);
    Some(match error {
        TransportError::Refused => format!(
            "check that BGP runs on the router and listens at {endpoint}, and that no firewall rejects the connection"
        ),
        TransportError::TimedOut => format!(
            "check that {endpoint} can be reached from this node, and that no firewall drops the connection"
        ),
        TransportError::TimedOutSigned => {
            format!("compare the password of the peer {name} with the router's for this node")
        }
        TransportError::Unreachable => {
            format!("check the address {endpoint} and the routes of this node")
        }
        TransportError::ClosedByPeer | TransportError::Reset => {
            "the router's log says why it closed the connection".to_owned()
        }
        TransportError::ClosedBeforeOpen => {
            "configure this node as a neighbor on the router: `ferrolb router-config` prints the lines"
                .to_owned()
        }
        _ => return None,
    })
}

fn of_refusal(refusal: &Refusal, peer: &Peer) -> Option<String> {
    let name = &peer.name;
    Some(match refusal {
        Refusal::WrongAs { received, .. } => format!(
            "set peerASN of the peer {name} to {}, or change the AS of the router",
            received.0
        ),
        Refusal::OwnIdentifier(_) => {
            format!("set routerID of the peer {name}, or change the identifier of the router")
        }
        Refusal::NoCommonFamily { .. } => {
            "enable the address family for this neighbor on the router".to_owned()
        }
        _ => return None,
    })
}

fn of_remote(notification: &Notification, peer: &Peer) -> Option<String> {
    let cease = CeaseSubcode(notification.subcode);
    Some(match notification.code {
        ErrorCode::CEASE if cease == CeaseSubcode::ADMINISTRATIVE_SHUTDOWN => {
            "an operator has shut the session down on the router, and must enable it there".to_owned()
        }
        ErrorCode::CEASE if cease == CeaseSubcode::MAXIMUM_PREFIXES_REACHED => {
            "raise the router's limit of prefixes for this neighbor, or announce aggregates".to_owned()
        }
        ErrorCode::CEASE if cease == CeaseSubcode::PEER_DECONFIGURED => {
            "this node is not a neighbor on the router any more: `ferrolb router-config` prints the lines"
                .to_owned()
        }
        ErrorCode::OPEN_MESSAGE => format!(
            "compare the AS numbers and the address of the peer {} with the router's configuration",
            peer.name
        ),
        ErrorCode::HOLD_TIMER_EXPIRED => {
            "the router got nothing from this node: look for packet loss and for an overloaded node".to_owned()
        }
        _ => return None,
    })
}

fn of_local(notification: &Notification) -> Option<String> {
    Some(match notification.code {
        ErrorCode::HOLD_TIMER_EXPIRED => {
            "the router fell silent: check that it runs, and the path to it".to_owned()
        }
        ErrorCode::SEND_HOLD_TIMER_EXPIRED => {
            "the router does not read: its BGP process may hang or be overloaded".to_owned()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use lb_adapter::model::Asn;

    use super::*;

    #[test]
    fn a_hint_names_the_peer_and_the_value_to_set() {
        let address: std::net::IpAddr = "192.0.2.1".parse().unwrap();
        let mut peer = Peer::new(Asn(64_512), Asn(64_513), address);
        peer.name = "tor1".to_owned();
        let hint = |reason: DownReason| of_reason(&reason, &peer).unwrap_or_default();

        let refused = hint(DownReason::Transport(TransportError::Refused));
        assert!(refused.contains("listens at 192.0.2.1:179"), "{refused}");
        let signed = hint(DownReason::Transport(TransportError::TimedOutSigned));
        assert!(signed.contains("password of the peer tor1"), "{signed}");
        let wrong_as = DownReason::Refused(Refusal::WrongAs {
            expected: bgp_session::RemoteAs::Number(Asn(64_513)),
            local: Asn(64_512),
            received: Asn(64_514),
        });
        assert!(hint(wrong_as).contains("set peerASN of the peer tor1 to 64514"));

        let cease = |subcode| DownReason::Remote(Notification::cease(subcode));
        let shutdown = hint(cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN));
        assert!(shutdown.contains("must enable it there"), "{shutdown}");
        assert!(hint(cease(CeaseSubcode::MAXIMUM_PREFIXES_REACHED)).contains("limit of prefixes"));
        assert_eq!(hint(cease(CeaseSubcode::OUT_OF_RESOURCES)), "", "no hint is known");
    }
}
