//! A soak: the reference cluster with two real routers, BIRD and FRR, under churn, for as long as wanted.
//!
//! Services, endpoints, nodes, sessions and leaders change at the rate of a busy cluster, from a seed. Meanwhile a monitor
//! compares the tables of both routers with a model of the objects, and the memory, descriptors and threads of every
//! process are recorded. `make soak` runs it for an hour, and `make soak SOAK_SECONDS=25` a short form that judges routes only.

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

use crate::soak::Pace;

/// Long enough for changes of Services and endpoints, and once for each disturbance that is soon over; too short to judge memory. At
/// the end, every route counts that no disturbance still excuses.
const SHORT: Pace = Pace {
    length: Duration::ZERO,
    calm: Duration::from_secs(17),
    latest: Duration::from_secs(10),
    distance: Duration::from_secs(5),
    round: &churn::BRIEF,
};
/// The longest time without a change at the end of a long run.
const CALM: Duration = Duration::from_secs(35);

/// The length below which a run is short.
const LONG: Duration = Duration::from_secs(120);

#[test]
#[ignore = "it takes an hour: `make soak`"]
fn routers_have_the_routes_of_the_model_under_churn() {
    if requested() {
        let number = |name: &str, default: u64| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            value.map_or(default, |value| value.parse().expect("a number"))
        };
        let length = Duration::from_secs(number("SOAK_SECONDS", 3_600));
        let long = Pace {
            length,
            calm: CALM.min(length / 3),
            latest: Duration::from_secs(20),
            distance: Duration::from_secs(12),
            round: &churn::ALL,
        };
        let pace = if length < LONG { Pace { length, ..SHORT } } else { long };
        soak::run(pace, number("SEED", 1));
    }
}
