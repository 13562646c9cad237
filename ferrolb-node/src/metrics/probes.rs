//! The metrics of a node's probes.

use lb_adapter::planner::ProbeStatus;
use prometheus_client::registry::Registry;

use super::families::{Labels, flag, gauges};
use super::sample::ProbeSample;

pub(super) fn register(registry: &mut Registry, probes: &[ProbeSample]) {
    gauges(
        registry,
        "ferrolb_probe_up",
        "1 if the node's probe of a Service succeeds; 0 if it fails or is held down",
        probes.iter().map(|probe| (labels(probe), flag(matches!(probe.status, ProbeStatus::Up)))),
    );
    gauges(
        registry,
        "ferrolb_probe_held_down",
        "1 if a probe succeeds again, but must do so for longer before it counts",
        probes
            .iter()
            .map(|probe| (labels(probe), flag(matches!(probe.status, ProbeStatus::HeldDown)))),
    );
}

fn labels(probe: &ProbeSample) -> Labels {
    vec![("service", probe.service.to_string())]
}
