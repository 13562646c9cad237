//! The BFD sessions.

use bgp_session::bfd::{BfdStatus, State};
use prometheus_client::registry::Registry;

use super::bgp::{named, small};
use super::{Labels, SessionSample, gauges};

/// Those of MetalLB's exporter for FRR, with its labels, and our own. There are no echo packets here, and no zebra to be
/// notified. Counters are gauges that only grow, for the reason that those of BGP are.
pub(super) fn register(registry: &mut Registry, sessions: &[SessionSample]) {
    type Value = fn(&BfdStatus) -> f64;
    let all: [(&'static str, &'static str, Value); 5] = [
        ("metallb_bfd_session_up", "BFD session state (1 is up, 0 is down)", up),
        ("metallb_bfd_control_packet_input", "Number of received BFD control packets", |it| {
            small(it.stats.received)
        }),
        ("metallb_bfd_control_packet_output", "Number of sent BFD control packets", |it| {
            small(it.stats.sent)
        }),
        ("metallb_bfd_session_up_events", "Number of BFD session up events", |it| {
            small(it.stats.ups)
        }),
        ("metallb_bfd_session_down_events", "Number of BFD session down events", |it| {
            small(it.stats.failures)
        }),
    ];
    let watched = || sessions.iter().filter_map(|it| Some((it, it.status.bfd.as_ref()?)));
    for (name, help, value) in all {
        gauges(registry, name, help, watched().map(|(it, bfd)| (peer(it), value(bfd))));
    }
    gauges(
        registry,
        "ferrolb_bfd_session_up",
        "1 while the BFD session is up",
        watched().map(|(it, bfd)| (named(it), up(bfd))),
    );
    gauges(
        registry,
        "ferrolb_bfd_detection_time_seconds",
        "How long the router may be silent, as agreed on",
        watched().map(|(it, bfd)| (named(it), bfd.detection_time.as_secs_f64())),
    );
    gauges(
        registry,
        "ferrolb_bfd_problem_info",
        "What keeps the BFD session from coming up, as far as it is known here: a port in use, for example",
        sessions.iter().filter_map(|it| {
            let mut labels = named(it);
            labels.push(("reason", it.status.bfd_problem()?.to_owned()));
            Some((labels, 1.0))
        }),
    );
}

fn up(bfd: &BfdStatus) -> f64 {
    f64::from(u8::from(bfd.state == State::Up))
}

/// BFD has no port: the address alone.
fn peer(session: &SessionSample) -> Labels {
    let endpoint = &session.endpoint;
    let address = endpoint.rsplit_once(':').map_or(&**endpoint, |(address, _)| address);
    let address = address.trim_start_matches('[').trim_end_matches(']').to_owned();
    vec![("peer", address), ("vrf", "default".to_owned())]
}
