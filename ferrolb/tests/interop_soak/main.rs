//! A soak: the reference cluster with two real routers, BIRD and FRR, under churn, for as long as wanted.
//!
//! Services, endpoints, nodes, sessions and leaders change at the rate of a busy cluster, from a seed. Meanwhile a monitor
//! compares the tables of both routers with a model of the objects, and the memory, descriptors and threads of every
//! process are recorded. `make soak` runs the ignored test for an hour; a short form is part of `make interop`.

mod churn;
#[path = "../kubernetes/cluster.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod cluster;
#[path = "../kubernetes/crowd.rs"]
mod crowd;
mod model;
mod monitor;
#[path = "../support/programs.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod programs;
#[path = "../kubernetes/real.rs"]
mod real;
mod routers;
mod soak;
mod trend;
mod usage;

use std::time::Duration;

use test_peers::requested;

/// Long enough for each kind of change, too short to judge memory.
const SHORT: Duration = Duration::from_secs(30);

#[test]
fn routers_have_the_routes_of_the_model_under_churn() {
    if requested() {
        soak::run(SHORT, 1);
    }
}

#[test]
#[ignore = "it takes an hour: `make soak`"]
fn an_hour() {
    if requested() {
        let number = |name: &str, default: u64| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            value.map_or(default, |value| value.parse().expect("a number"))
        };
        let seconds = number("SOAK_SECONDS", 3_600);
        soak::run(Duration::from_secs(seconds), number("SEED", 1));
    }
}
