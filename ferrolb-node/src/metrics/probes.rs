//! What this node found by probing Services.

use prometheus_client::registry::Registry;

use super::{ProbeSample, gauges};
use lb_adapter::planner::ProbeStatus;

pub(super) fn register(registry: &mut Registry, probes: &[ProbeSample]) {
    let labels = |probe: &ProbeSample| vec![("service", probe.service.to_string())];
    gauges(
        registry,
        "ferrolb_probe_up",
        "1 if the node's probe of a Service is answered; 0 if not, or if it is held down",
        probes.iter().map(|probe| {
            (labels(probe), f64::from(u8::from(matches!(probe.found, ProbeStatus::Up))))
        }),
    );
    gauges(
        registry,
        "ferrolb_probe_held_down",
        "1 if a probe is answered again, and has to be for longer before it counts",
        probes.iter().map(|probe| {
            (labels(probe), f64::from(u8::from(matches!(probe.found, ProbeStatus::HeldDown))))
        }),
    );
}
