//! Counts of a client's connections, and of the time that routes were held back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use test_dataplane::{Attempt, Outcome};

use crate::metronome::Metronome;

/// Failures this close to each other belong to one window, if no more than every second connection succeeds between them.
const SAME_WINDOW: Duration = Duration::from_millis(100);
/// The time that a connection takes, if it is not known. Without a route until its end, no speaker could have saved it.
const TRIP: Duration = Duration::from_millis(10);

/// The threads that run one after the other from the commit of rules to a route: kube-proxy opens a port, the speaker polls it,
/// its planner and its session run, BIRD reads the UPDATE, and its kernel's route is seen.
const WAKE_UPS: i64 = 6;

/// The next hops of an address since a time, one entry for each change.
type History = [(Instant, BTreeSet<IpAddr>)];

/// The connections that count.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    /// All of them.
    All,
    /// Those since the router's first route to the address.
    SinceFirstRoute,
    /// Those that had a route of the router and any pod from their beginning to their end.
    OnRoute,
    /// The same, since a time.
    OnRouteSince(Instant),
}

/// The time that the route of a node was held back after the commit of the node's rules.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    node: &'static str,
    /// The time in milliseconds, negative if the route came first.
    pub(crate) time: i64,
    /// The longest time in milliseconds by which this machine was late meanwhile.
    delay: i64,
}

impl Held {
    /// Returns true if the route was held back longer than this time, even on a machine that was not late.
    pub(crate) fn is_longer_than(&self, limit: i64) -> bool {
        self.time > limit + WAKE_UPS * self.delay
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, time, delay } = self;
        write!(f, "{node} {time} ms")?;
        if *delay > 0 { write!(f, " (machine late by {delay} ms)") } else { Ok(()) }
    }
}

/// What became of the connections of one client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// The number of connections that count.
    pub(crate) opened: usize,
    /// The failures among them, by reason.
    pub(crate) failures: BTreeMap<&'static str, usize>,
    /// The times of the failures, since the client's start.
    pub(crate) failed_at: Vec<Duration>,
    /// The longest time from a failure to another without a pause between them.
    pub(crate) window: Duration,
    /// The times of each node.
    pub(crate) held: Vec<Held>,
    /// The client's addresses that pods saw.
    pub(crate) clients: BTreeSet<IpAddr>,
}

impl Tally {
    /// Counts these connections. `any_ran` returns true if a pod ran at a time.
    pub(crate) fn of(
        attempts: Vec<Attempt>,
        scope: &Scope,
        history: &History,
        any_ran: impl Fn(Instant) -> bool,
    ) -> Self {
        let mut tally = Self::default();
        let start = attempts.first().map(|attempt| attempt.opened);
        let first_route = history.iter().find(|(_, hops)| !hops.is_empty()).map(|(at, _)| *at);
        let route_and_pod = |at: Instant| has_route(history, at) && any_ran(at);

        let mut window: Option<(Instant, Instant)> = None;
        for attempt in attempts {
            let at = attempt.opened;
            let end = at + if attempt.timed_out() { TRIP } else { attempt.took.max(TRIP) };
            let counts = match scope {
                Scope::All => true,
                Scope::SinceFirstRoute => first_route.is_some_and(|first| at >= first),
                Scope::OnRoute => route_and_pod(at) && route_and_pod(end),
                Scope::OnRouteSince(since) => {
                    at >= *since && route_and_pod(at) && route_and_pod(end)
                }
            };
            if !counts {
                continue;
            }

            tally.opened += 1;
            match attempt.outcome {
                Outcome::Served { client, .. } => drop(tally.clients.insert(client)),
                Outcome::Failed(reason) => {
                    *tally.failures.entry(reason).or_default() += 1;
                    tally.failed_at.extend(start.map(|start| at - start));

                    let begin = match window {
                        Some((begin, last)) if at - last <= SAME_WINDOW => begin,
                        _ => at,
                    };
                    window = Some((begin, at));
                    tally.window = tally.window.max(at - begin);
                }
                other => panic!("an unknown outcome: {other:?}"),
            }
        }
        tally
    }

    /// Adds the times that a node's route was held back since a time: from each commit with which the node began to serve
    /// until it was a next hop.
    pub(crate) fn add_node(
        &mut self,
        (node, address): (&'static str, IpAddr),
        history: &History,
        served: &[(Instant, bool)],
        since: Instant,
        metronome: &Metronome,
    ) {
        for (number, (commit, serves)) in served.iter().enumerate() {
            if !serves || *commit < since {
                continue;
            }
            let end = served.get(number + 1).map(|(at, _)| *at);

            // The latest entry of this node before or, if it has none, the first one after the commit.
            let mut routes = history.iter().filter(|(at, _)| end.is_none_or(|end| *at < end));
            let before = routes.clone().rfind(|(at, _)| at <= commit);
            let had_one = before.is_some_and(|(_, hops)| hops.contains(&address));
            let found = if had_one {
                began(history, address, *commit)
            } else {
                routes.find(|(at, hops)| at > commit && hops.contains(&address)).map(|(at, _)| *at)
            };

            if let Some(route) = found {
                let time = match route.checked_duration_since(*commit) {
                    Some(later) => millis(later),
                    None => -millis(*commit - route),
                };
                let delay = millis(metronome.longest_delay(*commit, route));
                self.held.push(Held { node, time, delay });
            }
        }
    }

    /// The number of failures.
    pub(crate) fn failed(&self) -> usize {
        self.failures.values().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { opened, failures, window, held, .. } = self;
        write!(
            f,
            "{} failed of {opened}, longest window {} ms",
            self.failed(),
            window.as_millis()
        )?;
        if let (Some(first), Some(last)) = (self.failed_at.first(), self.failed_at.last()) {
            write!(f, ", {failures:?} from {} to {} ms", first.as_millis(), last.as_millis())?;
        }
        let held: Vec<String> = held.iter().map(Held::to_string).collect();
        write!(f, "; rules to route: {}", held.join(", "))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn has_route(history: &History, at: Instant) -> bool {
    let latest = history.iter().rfind(|(changed, _)| *changed <= at);
    latest.is_some_and(|(_, hops)| !hops.is_empty())
}

/// The time since which a node has been a next hop without a pause, at this time.
fn began(history: &History, address: IpAddr, at: Instant) -> Option<Instant> {
    let mut began = None;
    for (changed, hops) in history.iter().filter(|(changed, _)| *changed <= at) {
        began = match (hops.contains(&address), began) {
            (true, None) => Some(*changed),
            (true, began) => began,
            (false, _) => None,
        };
    }
    began
}
