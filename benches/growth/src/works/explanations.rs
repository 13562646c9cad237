//! The explanation of one Service.

use bench_growth::clusters::ClusterSize;
use lb_adapter::explain::{ClusterState, Explanation, TextForm, write_text};
use lb_adapter::recording::SessionStates;

use super::{Prepared, Work};

pub(super) const WORKS: &[Work] = &[
    Work::one("explain one Service", "Services", [100, 1_000, 10_000], |services| {
        explanation(ClusterSize { services, nodes: 4, ..ClusterSize::default() })
    }),
    Work::all("explain one Service on all nodes", "nodes", [10, 100, 1_000], |nodes| {
        explanation(ClusterSize { nodes, services: 4, ..ClusterSize::default() })
    }),
    Work::all(
        "explain one Service with endpoints on half of the nodes",
        "nodes",
        [10, 100, 1_000],
        |nodes| {
            let endpoints = nodes / 2;
            explanation(ClusterSize { nodes, endpoints, services: 4, ..ClusterSize::default() })
        },
    )
    .checked(100),
];

/// The explanation of a Service with policy Local, as text.
fn explanation(size: ClusterSize) -> Prepared {
    let (engine, sessions) = (size.planned(), SessionStates::default());
    let key = size.service(1).key;
    Prepared::once(move || {
        let state = ClusterState { engine: &engine, sessions: &sessions };
        let explanation = Explanation::of(state, &key).expect("the Service exists");
        let mut text = Vec::new();
        write_text(&mut text, &explanation, TextForm::Grouped).expect("memory takes all of it");
        (engine, text)
    })
}
