//! Proof by traffic: a client opens 500 connections per second through a real router to nodes with real nftables rules,
//! while something happens to the Service.
//!
//! The tests run as root if `FERROLB_TEST_INTEROP=1` (`make interop`), one after the other. The ignored test `table` is
//! the benchmark: see `benches/README.md`.

#[path = "../kubernetes/cluster.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod cluster;
#[path = "../kubernetes/crowd.rs"]
mod crowd;
mod others;
mod pressure;
#[path = "../support/programs.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod programs;
#[path = "../kubernetes/real.rs"]
mod real;
mod reference;
mod scenarios;
mod table;
mod tally;
mod world;

use scenarios::Group;
use table::{markdown, note};
use test_peers::requested;

/// The speakers' `--dataplane-gate` in the tests.
const GATE: &str = "auto";
/// The longest time in milliseconds that a route may be held back after the rules of its node are in.
const HELD_BACK: i64 = 100;

/// Runs each row of a group once. No connection that a speaker can save may fail.
fn lose_no_connection(group: &Group) {
    let results = table::run(group, 1, "");
    let mut wrong = Vec::new();
    for row in group.rows.iter().filter(|row| row.savable) {
        for tally in &results[row.name] {
            let late = tally.held.iter().any(|held| held.is_longer_than(HELD_BACK));
            if tally.failed() > 0 || tally.opened == 0 || late {
                wrong.push(format!("{}: {tally}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "connections were lost or held back:\n{}", wrong.join("\n"));
}

#[test]
fn no_connection_is_lost() {
    if requested() {
        lose_no_connection(&scenarios::groups(GATE)[0]);
    }
}

#[test]
fn no_connection_is_lost_among_500_services() {
    if requested() {
        lose_no_connection(&scenarios::groups(GATE)[1]);
    }
}

#[test]
fn no_connection_is_lost_when_speakers_restart_gracefully() {
    if requested() {
        lose_no_connection(&scenarios::groups(GATE)[2]);
    }
}

#[test]
fn smtp_answers_a_client_behind_the_router_from_its_first_route() {
    if !requested() {
        return;
    }

    let config = scenarios::groups(GATE)[0].config;
    let tally = world::run(config, async |world: &mut _| reference::smtp_answers(world).await);
    assert!(tally.opened > 1000, "the client has opened too few connections: {tally}");
    assert_eq!(tally.failed(), 0, "{tally}");
}

/// Prints the table. `FERROLB_TRAFFIC_ROUNDS` is the number of rounds (5), and `FERROLB_TRAFFIC_ROW` a part of the names of
/// rows (all).
#[test]
#[ignore = "a benchmark, which takes minutes: benches/README.md has its command"]
fn table() {
    if !requested() {
        return;
    }

    let rounds = std::env::var("FERROLB_TRAFFIC_ROUNDS").ok();
    let rounds =
        rounds.map_or(5, |rounds| rounds.parse().expect("FERROLB_TRAFFIC_ROUNDS is a number"));
    let filter = std::env::var("FERROLB_TRAFFIC_ROW").unwrap_or_default();

    let gates = [("without the gate", "off"), ("with the gate", GATE)];
    let titles = gates.map(|(title, _)| title);
    let runs = gates.map(|(_, gate)| {
        let groups = scenarios::groups(gate);
        groups.iter().flat_map(|group| table::run(group, rounds, &filter)).collect()
    });
    note(&format!("\n{}\n", markdown(&titles, &runs, &scenarios::groups(GATE))));
}
