//! The sessions, and what is announced.

use bgp_session::{MessageCounts, StateKind};
use prometheus_client::registry::Registry;

use super::{Labels, Sample, SessionSample, counters, gauges};

pub(super) fn register(registry: &mut Registry, sample: &Sample) {
    metallb(registry, sample);
    metallb_counters(registry, &sample.sessions);
    own(registry, &sample.sessions);
}

/// Those of MetalLB's native mode, with its label `peer`.
fn metallb(registry: &mut Registry, sample: &Sample) {
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
    let of = |value: fn(&SessionSample) -> f64| {
        sample.sessions.iter().map(move |session| (peer(session), value(session)))
    };
    gauges(
        registry,
        "metallb_bgp_session_up",
        "BGP session state (1 is up, 0 is down)",
        of(|session| f64::from(u8::from(session.status.is_established()))),
    );
    gauges(
        registry,
        "metallb_bgp_announced_prefixes_total",
        "Number of prefixes currently being advertised on the BGP session",
        of(|session| small(session.prefixes.saturating_sub(session.pending))),
    );
    gauges(
        registry,
        "metallb_bgp_pending_prefixes_total",
        "Number of prefixes that should be advertised on the BGP session",
        of(|session| small(session.pending)),
    );
}

/// Those of MetalLB's FRR mode too: its exporter counts messages. But for one, their names are none that OpenMetrics
/// has for a counter, which would be given `_total` at the end; so they are gauges that only grow.
fn metallb_counters(registry: &mut Registry, sessions: &[SessionSample]) {
    type Value = fn(&SessionSample) -> u64;
    let all: [(&'static str, &'static str, Value); 9] = [
        ("metallb_bgp_updates_total_received", "Number of BGP UPDATE messages received", |it| {
            it.status.stats().received.update
        }),
        ("metallb_bgp_opens_sent", "Number of BGP OPEN messages sent", |it| {
            it.status.stats().sent.open
        }),
        ("metallb_bgp_opens_received", "Number of BGP OPEN messages received", |it| {
            it.status.stats().received.open
        }),
        ("metallb_bgp_notifications_sent", "Number of BGP NOTIFICATION messages sent", |it| {
            it.status.stats().sent.notification
        }),
        ("metallb_bgp_keepalives_sent", "Number of BGP KEEPALIVE messages sent", |it| {
            it.status.stats().sent.keepalive
        }),
        ("metallb_bgp_keepalives_received", "Number of BGP KEEPALIVE messages received", |it| {
            it.status.stats().received.keepalive
        }),
        ("metallb_bgp_route_refresh_sent", "Number of BGP ROUTE-REFRESH messages sent", |it| {
            it.status.stats().sent.route_refresh
        }),
        ("metallb_bgp_total_sent", "Number of BGP messages sent", |it| {
            it.status.stats().sent.total()
        }),
        ("metallb_bgp_total_received", "Number of BGP messages received", |it| {
            it.status.stats().received.total()
        }),
    ];
    for (name, help, value) in all {
        gauges(registry, name, help, sessions.iter().map(|it| (peer(it), small(value(it)))));
    }
    counters(
        registry,
        "metallb_bgp_updates",
        "Number of BGP UPDATE messages sent",
        sessions.iter().map(|it| (peer(it), it.status.stats().sent.update)),
    );
}

fn own(registry: &mut Registry, sessions: &[SessionSample]) {
    gauges(
        registry,
        "ferrolb_bgp_session_up",
        "1 while the session is Established",
        sessions.iter().map(|it| (named(it), f64::from(u8::from(it.status.is_established())))),
    );
    gauges(
        registry,
        "ferrolb_bgp_session_state",
        "1 for the state of RFC 4271 that the session is in",
        sessions.iter().flat_map(|session| {
            STATES.map(|(name, state)| {
                let mut labels = named(session);
                labels.push(("state", name.to_owned()));
                (labels, f64::from(u8::from(session.status.state() == state)))
            })
        }),
    );
    counters(
        registry,
        "ferrolb_bgp_session_flaps",
        "Times that a session that was up ended",
        sessions.iter().map(|it| (named(it), it.status.stats().sessions_lost)),
    );
    gauges(
        registry,
        "ferrolb_bgp_last_down_info",
        "Why the last session ended",
        sessions.iter().filter_map(|it| {
            let mut labels = named(it);
            labels.push(("reason", it.status.last_down()?));
            Some((labels, 1.0))
        }),
    );
    counters(
        registry,
        "ferrolb_bgp_messages",
        "BGP messages, by type and direction",
        sessions.iter().flat_map(|session| {
            let stats = session.status.stats();
            [("in", stats.received), ("out", stats.sent)]
                .into_iter()
                .flat_map(move |(direction, counts)| by_type(session, direction, counts))
        }),
    );
    counters(
        registry,
        "ferrolb_bgp_prefixes_unsendable",
        "Prefixes that could not be told to the peer: it did not offer their family, takes no next hop that there is, or \
         their attributes fit no message",
        sessions.iter().map(|it| (named(it), it.status.stats().prefixes_unsendable)),
    );
    gauges(
        registry,
        "ferrolb_bgp_prefixes_advertised",
        "Prefixes that the peer should have",
        sessions.iter().map(|it| (named(it), small(it.prefixes))),
    );
}

fn by_type(
    session: &SessionSample,
    direction: &'static str,
    counts: MessageCounts,
) -> [(Labels, u64); 5] {
    let of = |kind: &str, count: u64| {
        let mut labels = named(session);
        labels.push(("direction", direction.to_owned()));
        labels.push(("type", kind.to_owned()));
        (labels, count)
    };
    [
        of("open", counts.open),
        of("update", counts.update),
        of("notification", counts.notification),
        of("keepalive", counts.keepalive),
        of("route-refresh", counts.route_refresh),
    ]
}

fn peer(session: &SessionSample) -> Labels {
    vec![("peer", peer_value(session))]
}

pub(super) fn named(session: &SessionSample) -> Labels {
    vec![("peer", peer_value(session)), ("name", session.name.clone())]
}

/// The peer's address and port as MetalLB joins them, without brackets around an IPv6 address.
fn peer_value(session: &SessionSample) -> String {
    session.endpoint.replace(['[', ']'], "")
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a floating-point number")]
pub(super) fn small(number: u64) -> f64 {
    number as f64
}

const STATES: [(&str, StateKind); 6] = [
    ("Idle", StateKind::Idle),
    ("Connect", StateKind::Connect),
    ("Active", StateKind::Active),
    ("OpenSent", StateKind::OpenSent),
    ("OpenConfirm", StateKind::OpenConfirm),
    ("Established", StateKind::Established),
];
