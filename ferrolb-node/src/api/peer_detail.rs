//! The detail of a peer's session: both OPENs, the negotiated values, timers, NOTIFICATIONs and counters.
//!
//! Owns the form. Every value is one that the session publishes.

use std::time::Duration;

use bgp_session::{
    Direction, DownReason, NegotiatedExtensions, PeerStats, PeerStatus, PeerType, Timed,
};
use ferrolb_api::{
    Capability, Endpoints, Failure, MessageCounts, Messages, Negotiated, Notification, Open,
    PeerDetail, Timer, Timestamp,
};

use super::peers::PeerFacts;
use super::{capability, hints};

/// Returns the detail of a peer.
pub(super) fn detail(peer: &PeerFacts<'_>) -> PeerDetail {
    let configured = &peer.plan.peer;
    let has_password = configured.password.is_some() || configured.password_secret.is_some();
    let Some(session) = &peer.status.peer else {
        return PeerDetail { has_password, ..PeerDetail::default() };
    };

    let failure = |reason: &DownReason, at: Option<std::time::Instant>| Failure {
        text: reason.to_string(),
        hint: hints::of_reason(reason, configured),
        at: at.map(|at| peer.time_of(at)),
    };
    let messages = &session.messages;
    let open = |open: &Timed<bgp_session::Open>, other: Option<&Timed<bgp_session::Open>>| {
        self::open(open, other, peer.time_of(open.at))
    };
    let (sent, received) = (messages.open_sent.as_deref(), messages.open_received.as_deref());

    PeerDetail {
        endpoints: session.endpoints.map(|ends| Endpoints {
            local: ends.local,
            remote: ends.remote,
            outgoing: session.direction == Some(Direction::Outgoing),
        }),
        negotiated: session.negotiated.as_deref().map(negotiated),
        open_sent: sent.map(|sent| open(sent, received)),
        open_received: received.map(|received| open(received, sent)),
        notification_sent: messages.notification_sent.as_deref().map(|it| notification(peer, it)),
        notification_received: messages
            .notification_received
            .as_deref()
            .map(|it| notification(peer, it)),
        timers: timers(session),
        messages: counters(&session.stats),
        connect_retry_counter: session.connect_retry_counter,
        octets_waiting: session.octets_waiting,
        last_down: session.last_down.as_ref().map(|reason| failure(reason, session.down_since)),
        last_failure: session
            .last_failure
            .as_ref()
            .map(|reason| failure(reason, session.last_failure_at)),
        disabled_message: Some(session.disabled_message.clone())
            .filter(|text| session.disabled && !text.is_empty()),
        established_transitions: session.stats.established_transitions,
        has_password,
    }
}

fn open(
    open: &Timed<bgp_session::Open>,
    other: Option<&Timed<bgp_session::Open>>,
    at: Timestamp,
) -> Open {
    let is_shared = |code: u8| {
        other.is_some_and(|other| other.message.capabilities.iter().any(|it| it.code() == code))
    };
    let message = &open.message;
    let capabilities = message.capabilities.iter().map(|it| Capability {
        code: it.code(),
        text: capability::text(it),
        shared: is_shared(it.code()),
    });
    Open {
        at,
        asn: message.asn.0,
        identifier: message.identifier.0,
        hold_time_seconds: message.hold_time,
        capabilities: capabilities.collect(),
    }
}

fn negotiated(agreed: &bgp_session::Negotiated) -> Negotiated {
    Negotiated {
        internal: agreed.peer_type == PeerType::Internal,
        local_asn: agreed.local_asn.0,
        local_identifier: agreed.local_identifier.0,
        remote_asn: agreed.remote_asn.0,
        remote_identifier: agreed.remote_identifier.0,
        hold_time_seconds: agreed.hold_time.as_secs_f64(),
        keepalive_time_seconds: agreed.keepalive_time.as_secs_f64(),
        send_hold_time_seconds: agreed.send_hold_time.as_secs_f64(),
        families: agreed.families.iter().map(ToString::to_string).collect(),
        capabilities: agreed_capabilities(agreed),
    }
}

/// Returns the capabilities that both ends have, in words.
fn agreed_capabilities(agreed: &bgp_session::Negotiated) -> Vec<String> {
    let NegotiatedExtensions {
        extended_messages,
        extended_next_hop,
        enhanced_refresh,
        add_path_receive,
        add_path_send,
        graceful_restart,
        long_lived,
        ..
    } = &agreed.extensions;

    let flags = [
        (agreed.route_refresh, "route refresh"),
        (*enhanced_refresh, "enhanced route refresh"),
        (agreed.four_octet_as, "four-octet AS numbers"),
        (*extended_messages, "extended messages"),
        (*extended_next_hop, "IPv6 next hops for IPv4"),
        (!long_lived.is_empty(), "long-lived graceful restart"),
    ];
    let mut texts: Vec<String> =
        flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, text)| text.to_owned()).collect();
    if let Some(restart) = graceful_restart {
        let time = Duration::from_secs(restart.restart_time.into());
        texts.push(format!("graceful restart, routes are kept for {} s", time.as_secs()));
    }
    for (families, words) in
        [(add_path_receive, "receives several paths"), (add_path_send, "sends several paths")]
    {
        texts.extend(families.iter().map(|family| format!("{words}: {family}")));
    }
    texts
}

fn notification(
    peer: &PeerFacts<'_>,
    notification: &Timed<bgp_session::Notification>,
) -> Notification {
    let message = &notification.message;
    Notification {
        at: peer.time_of(notification.at),
        code: message.code.0,
        subcode: message.subcode,
        text: message.to_string(),
        message: message.message().map(str::to_owned),
    }
}

fn timers(session: &PeerStatus) -> Vec<Timer> {
    let now = tokio::time::Instant::now().into_std();
    let timers = session.timers.iter().map(|running| Timer {
        name: running.timer.to_string(),
        left_seconds: running.left(now).as_secs_f64(),
    });
    timers.collect()
}

fn counters(stats: &PeerStats) -> Messages {
    Messages {
        received: counts(&stats.received),
        sent: counts(&stats.sent),
        octets_received: stats.octets_in,
        octets_sent: stats.octets_out,
    }
}

fn counts(counts: &bgp_session::MessageCounts) -> MessageCounts {
    MessageCounts {
        open: counts.open,
        update: counts.update,
        notification: counts.notification,
        keepalive: counts.keepalive,
        route_refresh: counts.route_refresh,
    }
}
