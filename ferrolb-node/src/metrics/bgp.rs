//! The metrics of BGP sessions and of announced addresses.

use bgp_session::{MessageCounts, StateKind};
use prometheus_client::registry::Registry;

use super::families::{
    Labels, count, counters, flag, gauges, named_peer_labels, number, peer_labels,
};
use super::sample::{Sample, SessionSample};

pub(super) fn register(registry: &mut Registry, sample: &Sample) {
    register_announced(registry, sample);
    register_metallb(registry, &sample.sessions);
    register_metallb_messages(registry, &sample.sessions);
    register_ferrolb_state(registry, &sample.sessions);
    register_ferrolb_times(registry, &sample.sessions);
    register_ferrolb_traffic(registry, &sample.sessions);
    register_ferrolb_prefixes(registry, &sample.sessions);
}

fn register_announced(registry: &mut Registry, sample: &Sample) {
    let node = sample.node.clone().unwrap_or_default();
    gauges(
        registry,
        "metallb_speaker_announced",
        "Services being announced from this node. This is desired state, it does not guarantee that the routing \
         protocols have converged",
        sample.announced.iter().map(|announced| {
            let labels = vec![
                ("service", announced.service.to_string()),
                ("protocol", "bgp".to_owned()),
                ("node", node.clone()),
                ("ip", announced.address.to_string()),
            ];
            (labels, 1.0)
        }),
    );
}

/// Registers the metrics of MetalLB's native mode, with its label `peer`.
fn register_metallb(registry: &mut Registry, sessions: &[SessionSample]) {
    gauges(
        registry,
        "metallb_bgp_session_up",
        "BGP session state (1 is up, 0 is down)",
        per_peer(sessions, |session| flag(session.status.is_established())),
    );

    gauges(
        registry,
        "metallb_bgp_announced_prefixes_total",
        "Number of prefixes currently being advertised on the BGP session",
        per_peer(sessions, |session| number(session.prefixes.saturating_sub(session.pending))),
    );
    gauges(
        registry,
        "metallb_bgp_pending_prefixes_total",
        "Number of prefixes that should be advertised on the BGP session",
        per_peer(sessions, |session| number(session.pending)),
    );
}

/// Registers the message counters of MetalLB's FRR mode. OpenMetrics would append `_total` to the names of counters, which
/// all but one of these names do not have, so the others are gauges that only grow.
fn register_metallb_messages(registry: &mut Registry, sessions: &[SessionSample]) {
    type Value = fn(&SessionSample) -> f64;
    let all: [(&'static str, &'static str, Value); 9] = [
        (
            "metallb_bgp_updates_total_received",
            "Number of BGP UPDATE messages received",
            |session| number(session.status.stats().received.update),
        ),
        ("metallb_bgp_opens_sent", "Number of BGP OPEN messages sent", |session| {
            number(session.status.stats().sent.open)
        }),
        ("metallb_bgp_opens_received", "Number of BGP OPEN messages received", |session| {
            number(session.status.stats().received.open)
        }),
        ("metallb_bgp_notifications_sent", "Number of BGP NOTIFICATION messages sent", |session| {
            number(session.status.stats().sent.notification)
        }),
        ("metallb_bgp_keepalives_sent", "Number of BGP KEEPALIVE messages sent", |session| {
            number(session.status.stats().sent.keepalive)
        }),
        (
            "metallb_bgp_keepalives_received",
            "Number of BGP KEEPALIVE messages received",
            |session| number(session.status.stats().received.keepalive),
        ),
        (
            "metallb_bgp_route_refresh_sent",
            "Number of BGP ROUTE-REFRESH messages sent",
            |session| number(session.status.stats().sent.route_refresh),
        ),
        ("metallb_bgp_total_sent", "Number of BGP messages sent", |session| {
            number(session.status.stats().sent.total())
        }),
        ("metallb_bgp_total_received", "Number of BGP messages received", |session| {
            number(session.status.stats().received.total())
        }),
    ];

    for (name, help, value) in all {
        gauges(registry, name, help, per_peer(sessions, value));
    }
    counters(
        registry,
        "metallb_bgp_updates",
        "Number of BGP UPDATE messages sent",
        sessions.iter().map(|session| (peer_labels(session), session.status.stats().sent.update)),
    );
}

fn register_ferrolb_state(registry: &mut Registry, sessions: &[SessionSample]) {
    gauges(
        registry,
        "ferrolb_bgp_session_up",
        "1 while the session is Established",
        per_named_peer(sessions, |session| flag(session.status.is_established())),
    );

    let mut states = Vec::new();
    for session in sessions {
        for (name, state) in STATES {
            let mut labels = named_peer_labels(session);
            labels.push(("state", name.to_owned()));
            states.push((labels, flag(session.status.state() == state)));
        }
    }
    gauges(
        registry,
        "ferrolb_bgp_session_state",
        "1 for the state of RFC 4271 that the session is in",
        states,
    );

    counters(
        registry,
        "ferrolb_bgp_session_flaps",
        "Times that an Established session ended",
        sessions
            .iter()
            .map(|session| (named_peer_labels(session), session.status.stats().sessions_lost)),
    );
    gauges(
        registry,
        "ferrolb_bgp_last_down_info",
        "Reason why the last session ended, without the texts of the peer",
        sessions.iter().filter_map(|session| {
            let mut labels = named_peer_labels(session);
            labels.push(("reason", session.status.last_down_kind()?));
            Some((labels, 1.0))
        }),
    );
}

fn register_ferrolb_times(registry: &mut Registry, sessions: &[SessionSample]) {
    gauges(
        registry,
        "ferrolb_bgp_session_down_seconds",
        "Time for which there has been no session; 0 while it is up",
        per_named_peer(sessions, |session| session.status.down_for().as_secs_f64()),
    );
    gauges(
        registry,
        "ferrolb_bgp_session_hold_time_seconds",
        "Hold time: the agreed one while the session is up, otherwise the configured one; 0 for none",
        per_named_peer(sessions, |session| session.hold_time.as_secs_f64()),
    );
    gauges(
        registry,
        "ferrolb_bgp_peer_disabled",
        "1 while an operator has disabled the peer",
        per_named_peer(sessions, |session| flag(session.status.is_disabled())),
    );
}

fn register_ferrolb_traffic(registry: &mut Registry, sessions: &[SessionSample]) {
    let mut messages = Vec::new();
    for session in sessions {
        let stats = session.status.stats();
        messages.extend(by_type(session, "in", stats.received));
        messages.extend(by_type(session, "out", stats.sent));
    }
    counters(registry, "ferrolb_bgp_messages", "BGP messages, by type and direction", messages);

    gauges(
        registry,
        "ferrolb_bgp_send_queue_bytes",
        "Octets composed for the peer that its connections have not taken yet",
        per_named_peer(sessions, |session| count(session.status.octets_waiting())),
    );
}

fn register_ferrolb_prefixes(registry: &mut Registry, sessions: &[SessionSample]) {
    counters(
        registry,
        "ferrolb_bgp_prefixes_unsendable",
        "Prefixes that could not be advertised to the peer: it did not offer their family, accepts none of the available \
         next hops, or their attributes fit into no message",
        sessions.iter().map(|session| {
            (named_peer_labels(session), session.status.stats().prefixes_unsendable)
        }),
    );
    gauges(
        registry,
        "ferrolb_bgp_unsendable_prefixes",
        "Prefixes that the session cannot carry now; 0 while it is down",
        per_named_peer(sessions, |session| count(session.status.unsendable())),
    );
    gauges(
        registry,
        "ferrolb_bgp_prefixes_advertised",
        "Prefixes that the peer should have",
        per_named_peer(sessions, |session| number(session.prefixes)),
    );
}

fn per_peer(
    sessions: &[SessionSample],
    value: fn(&SessionSample) -> f64,
) -> impl Iterator<Item = (Labels, f64)> {
    sessions.iter().map(move |session| (peer_labels(session), value(session)))
}

fn per_named_peer(
    sessions: &[SessionSample],
    value: fn(&SessionSample) -> f64,
) -> impl Iterator<Item = (Labels, f64)> {
    sessions.iter().map(move |session| (named_peer_labels(session), value(session)))
}

fn by_type(
    session: &SessionSample,
    direction: &'static str,
    counts: MessageCounts,
) -> [(Labels, u64); 5] {
    let by_type = [
        ("open", counts.open),
        ("update", counts.update),
        ("notification", counts.notification),
        ("keepalive", counts.keepalive),
        ("route-refresh", counts.route_refresh),
    ];
    by_type.map(|(message_type, count)| {
        let mut labels = named_peer_labels(session);
        labels.push(("direction", direction.to_owned()));
        labels.push(("type", message_type.to_owned()));
        (labels, count)
    })
}

const STATES: [(&str, StateKind); 6] = [
    ("Idle", StateKind::Idle),
    ("Connect", StateKind::Connect),
    ("Active", StateKind::Active),
    ("OpenSent", StateKind::OpenSent),
    ("OpenConfirm", StateKind::OpenConfirm),
    ("Established", StateKind::Established),
];
