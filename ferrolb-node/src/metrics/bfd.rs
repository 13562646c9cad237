//! The metrics of BFD sessions.

use bgp_session::bfd::{BfdStatus, State};
use prometheus_client::registry::Registry;

use super::families::{Labels, counters, flag, gauges, named_peer_labels, number};
use super::sample::SessionSample;

pub(super) fn register(registry: &mut Registry, sessions: &[SessionSample]) {
    register_metallb(registry, sessions);
    register_ferrolb(registry, sessions);
}

/// Registers the metrics of MetalLB's exporter for FRR, with its labels, except for those of echo packets and zebra, which
/// FerroLB does not have. Counters are gauges that only grow, for the same reason as those of BGP.
fn register_metallb(registry: &mut Registry, sessions: &[SessionSample]) {
    type Value = fn(&BfdStatus) -> f64;
    let all: [(&'static str, &'static str, Value); 5] = [
        ("metallb_bfd_session_up", "BFD session state (1 is up, 0 is down)", is_up),
        ("metallb_bfd_control_packet_input", "Number of received BFD control packets", |bfd| {
            number(bfd.stats.received)
        }),
        ("metallb_bfd_control_packet_output", "Number of sent BFD control packets", |bfd| {
            number(bfd.stats.sent)
        }),
        ("metallb_bfd_session_up_events", "Number of BFD session up events", |bfd| {
            number(bfd.stats.ups)
        }),
        ("metallb_bfd_session_down_events", "Number of BFD session down events", |bfd| {
            number(bfd.stats.failures)
        }),
    ];

    for (name, help, value) in all {
        let values =
            with_bfd(sessions).map(|(session, bfd)| (bfd_peer_labels(session), value(bfd)));
        gauges(registry, name, help, values);
    }
}

fn register_ferrolb(registry: &mut Registry, sessions: &[SessionSample]) {
    gauges(
        registry,
        "ferrolb_bfd_session_up",
        "1 while the BFD session is up",
        with_bfd(sessions).map(|(session, bfd)| (named_peer_labels(session), is_up(bfd))),
    );
    counters(
        registry,
        "ferrolb_bfd_session_failures",
        "Times that the BFD session found a failure of the path",
        with_bfd(sessions).map(|(session, bfd)| (named_peer_labels(session), bfd.stats.failures)),
    );
    gauges(
        registry,
        "ferrolb_bfd_detection_time_seconds",
        "Negotiated time after which a silent router counts as down",
        with_bfd(sessions)
            .map(|(session, bfd)| (named_peer_labels(session), bfd.detection_time.as_secs_f64())),
    );

    gauges(
        registry,
        "ferrolb_bfd_problem_info",
        "Known problem that keeps the BFD session from coming up, such as a port in use",
        sessions.iter().filter_map(|session| {
            let mut labels = named_peer_labels(session);
            labels.push(("reason", session.status.bfd_problem()?.to_owned()));
            Some((labels, 1.0))
        }),
    );
}

fn with_bfd(sessions: &[SessionSample]) -> impl Iterator<Item = (&SessionSample, &BfdStatus)> {
    sessions.iter().filter_map(|session| Some((session, session.status.bfd.as_ref()?)))
}

fn is_up(bfd: &BfdStatus) -> f64 {
    flag(bfd.state == State::Up)
}

/// Returns the labels of a BFD session, which has no port: the peer's address alone.
fn bfd_peer_labels(session: &SessionSample) -> Labels {
    let endpoint = &session.endpoint;
    let address = endpoint.rsplit_once(':').map_or(&**endpoint, |(address, _)| address);
    let address = address.trim_start_matches('[').trim_end_matches(']').to_owned();
    vec![("peer", address), ("vrf", "default".to_owned())]
}
