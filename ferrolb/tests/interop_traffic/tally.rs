//! Counts of a client's connections, and of the time that routes were held back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use test_dataplane::{Attempt, Outcome};

use crate::pressure::Pressure;

/// Failures this close to each other belong to one window, if no more than every second connection succeeds between them.
const SAME_WINDOW: Duration = Duration::from_millis(100);
/// The time that a connection takes, if it is not known. Without a route until its end, no speaker could have saved it.
const TRIP: Duration = Duration::from_millis(10);

/// The longest time in milliseconds that a busy machine may add.
const EXCUSED: i64 = 200;
/// The time after which a change of the kernel's routes is seen.
const UNSEEN: Duration = Duration::from_millis(10);

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
    /// The part of it in which programs waited for a processor.
    waited: i64,
}

impl Held {
    /// Returns true if the route was held back longer than this time, even on a machine with nothing else to do.
    pub(crate) fn is_longer_than(&self, limit: i64) -> bool {
        self.time - self.waited.min(EXCUSED) > limit
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, time, waited } = self;
        write!(f, "{node} {time} ms")?;
        if *waited > 0 { write!(f, " (no processor for {waited})") } else { Ok(()) }
    }
}

/// What became of the connections of one client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// The number of connections that count.
    pub(crate) opened: usize,
    /// The number of connections that were under way when the router spread them over other nodes, and that failed. A router
    /// without resilient hashing cuts them, whatever the speakers do.
    pub(crate) cut: usize,
    /// The other failures among them, by reason.
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
                Outcome::Failed(_) if was_spread_anew(history, at, end) => tally.cut += 1,
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
        pressure: &Pressure,
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
                let waited = millis(pressure.between((*commit).min(route), route));
                self.held.push(Held { node, time, waited });
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
        let Self { opened, cut, failures, window, held, .. } = self;
        write!(
            f,
            "{} failed of {opened}, longest window {} ms",
            self.failed(),
            window.as_millis()
        )?;
        if let (Some(first), Some(last)) = (self.failed_at.first(), self.failed_at.last()) {
            write!(f, ", {failures:?} from {} to {} ms", first.as_millis(), last.as_millis())?;
        }
        if *cut > 0 {
            write!(f, ", {cut} cut by the router")?;
        }
        let held: Vec<String> = held.iter().map(Held::to_string).collect();
        write!(f, "; rules to route: {}", held.join(", "))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Returns true if the next hops changed from some to others between these times.
fn was_spread_anew(history: &History, begin: Instant, end: Instant) -> bool {
    history.windows(2).any(|pair| {
        let [(_, before), (changed, after)] = pair else { return false };
        let both = !before.is_empty() && !after.is_empty() && before != after;
        both && *changed >= begin && *changed <= end + UNSEEN
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(172, 22, 35, 25));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(172, 22, 35, 26));

    fn hops(hops: &[IpAddr]) -> BTreeSet<IpAddr> {
        hops.iter().copied().collect()
    }

    /// One connection every 10 ms, of which those at these times (in milliseconds) fail without an answer.
    fn attempts(start: Instant, until: u64, failing: std::ops::Range<u64>) -> Vec<Attempt> {
        let attempt = |at: u64| {
            let outcome = if failing.contains(&at) {
                Outcome::Failed("timeout")
            } else {
                let [pod, node] = ["smtp-1", "kube1"].map(str::to_owned);
                Outcome::Served { pod, node, client: NODE }
            };
            let (opened, took) = (start + Duration::from_millis(at), Duration::from_millis(1));
            Attempt { opened, took, outcome }
        };
        (0..until).step_by(10).map(attempt).collect()
    }

    #[test]
    fn failures_before_the_first_route_do_not_count() {
        let start = Instant::now();
        let history = [(start + Duration::from_millis(200), hops(&[NODE]))];
        let tally = |scope| Tally::of(attempts(start, 1000, 0..500), &scope, &history, |_| true);
        assert_eq!((tally(Scope::All).failed(), tally(Scope::All).opened), (50, 100));

        let since_route = tally(Scope::SinceFirstRoute);
        assert_eq!((since_route.failed(), since_route.opened), (30, 80));
        assert_eq!(since_route.window, Duration::from_millis(290));
    }

    #[test]
    fn on_a_route_only_what_has_a_route_and_a_pod_to_the_end_counts() {
        let start = Instant::now();
        let history =
            [(start, hops(&[NODE])), (start + Duration::from_millis(600), BTreeSet::new())];
        let ran = |at: Instant| at < start + Duration::from_millis(400);
        let tally = Tally::of(attempts(start, 1000, 300..1000), &Scope::OnRoute, &history, ran);
        assert_eq!((tally.failed(), tally.opened), (9, 39));
    }

    #[test]
    fn a_connection_under_way_when_the_next_hops_change_is_cut_by_the_router() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let spread = [(at(0), hops(&[NODE])), (at(505), hops(&[NODE, OTHER]))];
        let tally = Tally::of(attempts(start, 1000, 490..520), &Scope::All, &spread, |_| true);
        assert_eq!((tally.cut, tally.failed()), (2, 1), "{tally}");

        // Without any route in between it is a gap, which speakers can avoid.
        let gap = [(at(0), hops(&[NODE])), (at(500), hops(&[])), (at(505), hops(&[OTHER]))];
        let tally = Tally::of(attempts(start, 1000, 490..520), &Scope::All, &gap, |_| true);
        assert_eq!((tally.cut, tally.failed()), (0, 3), "{tally}");
    }

    #[test]
    fn a_route_is_held_back_from_the_commit_to_the_first_route_through_the_node() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let history = [(at(100), hops(&[OTHER])), (at(340), hops(&[NODE, OTHER]))];
        let times = |commit: u64, node: IpAddr| {
            let mut tally = Tally::default();
            let pressure = Pressure::start();
            tally.add_node(("kube1", node), &history, &[(at(commit), true)], start, &pressure);
            tally.held.iter().map(|held| held.time).collect::<Vec<_>>()
        };
        assert_eq!(times(300, NODE), [40]);
        assert_eq!(times(300, OTHER), [-200]);
    }
}
