//! Runs whole clusters in one thread each, in virtual time and from a seed, and checks after every step what must always hold.
//!
//! ```text
//! Plan of a seed ──► run: user and faults ──► World: API server, links, routers, dataplanes
//!                                               │ the real controllers and speakers
//!                                               ▼
//!                          invariants: addresses, writers, prompt, router, healed
//! ```
//!
//! Owns the command line. `scripts/simulate` builds and runs this; README.md has the list of faults and invariants.

mod addresses;
mod api;
mod campaign;
mod dataplane;
mod healed;
mod link;
mod plan;
mod process;
mod prompt;
mod router;
mod run;
mod shrink;
mod system;
mod trace;
mod user;
mod world;
mod writers;

use std::num::NonZero;
use std::process::ExitCode;

use clap::Parser;

use campaign::Campaign;
use plan::Plan;

/// Runs simulated clusters, each from a seed.
#[derive(Debug, Parser)]
#[command(name = "scripts/simulate")]
struct Args {
    /// The number of seeds to run.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    first: u64,
    /// The number of threads. Default: one for each processor.
    #[arg(long, value_name = "COUNT")]
    jobs: Option<NonZero<usize>>,
    /// End with the first seed that fails, instead of after ten.
    #[arg(long)]
    fail_fast: bool,
    /// Run this seed alone, and print its trace.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "first", "jobs", "fail_fast", "shrink"])]
    seed: Option<u64>,
    /// Leave out all steps of the plan but these.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', requires = "seed")]
    steps: Option<Vec<usize>>,
    /// Find the fewest steps with which this seed still fails.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "first", "jobs", "fail_fast"])]
    shrink: Option<u64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    run::catch_panics();
    let holds = match (args.seed, args.shrink) {
        (Some(seed), _) => replay(seed, args.steps.as_deref()),
        (None, Some(seed)) => shrink::shrink(seed),
        (None, None) => {
            let jobs = args.jobs.or_else(|| std::thread::available_parallelism().ok());
            let campaign = Campaign {
                first: args.first,
                count: args.seeds,
                jobs: jobs.map_or(1, NonZero::get),
                most_failures: if args.fail_fast { 1 } else { 10 },
            };
            campaign.run()
        }
    };
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a seed and prints its trace. Returns true if all invariants hold.
fn replay(seed: u64, steps: Option<&[usize]>) -> bool {
    let mut plan = Plan::of(seed);
    if let Some(steps) = steps {
        plan = plan.with_steps(steps);
    }

    let outcome = run::run(seed, &plan, true);
    for line in &outcome.lines {
        say(line);
    }
    match &outcome.violation {
        Some(violation) => say(&format!("seed {seed} fails: {violation}")),
        None => say(&format!("seed {seed}: all invariants hold; digest {:016x}", outcome.digest)),
    }
    outcome.violation.is_none()
}

/// Prints a line.
#[expect(clippy::print_stdout, reason = "the output of the program")]
fn say(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_invariants_hold_in_a_world_without_faults() {
        let seed = 0;
        let outcome = run::run(seed, &Plan::without_faults(seed), true);
        let trace = outcome.lines.join("\n");
        assert_eq!(outcome.violation, None, "{trace}");
        assert!(trace.contains("router 1: 192.0.2."), "{trace}");
    }

    /// What takes little more than a minute of two cores in this profile. `make simulate` runs more, several times as fast.
    const SEEDS: u64 = 1_000;

    #[test]
    fn all_invariants_hold_in_worlds_with_faults() {
        let campaign = Campaign { first: 0, count: SEEDS, jobs: 2, most_failures: 10 };
        assert!(campaign.run(), "see the output");
    }
}
