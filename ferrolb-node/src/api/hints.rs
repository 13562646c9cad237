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
