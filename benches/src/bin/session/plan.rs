//! What a run measures, in which order.

use crate::routes::{Order, Table};
use crate::sample::Sample;
use crate::scenario::Scenario;
use crate::subject::Contestant;

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) scenario: Scenario,
    pub(crate) contestant: Contestant,
    /// The round, from 1.
    pub(crate) round: usize,
}

impl Turn {
    /// Returns true for a result of this scenario and contestant, in any round.
    pub(crate) fn is_of(&self, sample: &Sample) -> bool {
        sample.contestant == self.contestant.name()
            && sample.scenario == self.scenario.title()
            && sample.case == self.scenario.case()
    }
}

/// The scenarios whose line contains a text.
pub(crate) fn scenarios(quick: bool, filter: &str) -> Vec<Scenario> {
    let mut scenarios = if quick { quick_scenarios() } else { full_scenarios() };
    scenarios.retain(|one| format!("{}: {}", one.title(), one.case()).contains(filter));
    scenarios
}

fn quick_scenarios() -> Vec<Scenario> {
    let [one, per_five] = [0, 5].map(|per_set| Table::new(100_000, per_set));
    vec![
        Scenario::SendToSink(Table::new(10_000, 0)),
        Scenario::SendToSink(one),
        Scenario::SendToSink(per_five),
        Scenario::SendToBird(per_five),
        Scenario::Receive(one, Order::Sorted),
        Scenario::Receive(per_five, Order::Shuffled),
        Scenario::Receive(per_five, Order::Bird),
        Scenario::Relay(one, 10),
        Scenario::Change(one, 4),
        Scenario::ChangeOwn(one, 4),
        Scenario::Connect(100),
    ]
}

fn full_scenarios() -> Vec<Scenario> {
    let counts = [10_000, 100_000, 1_000_000];
    let tables = counts.map(|count| [0, 5].map(|per_set| Table::new(count, per_set)));
    let large = tables[1..].as_flattened();
    let million = Table::new(1_000_000, 0);
    let ipv6 = Table::new(100_000, 5).ipv6();

    let mut all = Vec::new();
    all.extend(tables.as_flattened().iter().map(|table| Scenario::SendToSink(*table)));
    all.push(Scenario::SendToSink(Table::new(100_000, 1)));
    all.push(Scenario::SendToSink(ipv6));
    all.extend(large.iter().map(|table| Scenario::SendToBird(*table)));
    for order in [Order::Sorted, Order::Shuffled, Order::Bird] {
        all.extend(large.iter().map(|table| Scenario::Receive(*table, order)));
    }
    all.push(Scenario::Receive(Table::new(100_000, 1), Order::Shuffled));
    all.push(Scenario::Receive(ipv6, Order::Shuffled));
    all.extend(large.iter().map(|table| Scenario::Relay(*table, 10)));
    all.push(Scenario::Relay(Table::new(100_000, 5), 1));
    all.push(Scenario::Relay(Table::new(100_000, 5), 50));
    for peers in [10, 50] {
        all.extend([50_000, 100_000].map(|routes| Scenario::RelayFromMany(peers, routes)));
    }
    all.extend([Scenario::Change(million, 4), Scenario::ChangeOwn(million, 4)]);
    all.extend([Scenario::Connect(100), Scenario::Connect(1_000)]);
    all.push(Scenario::Same(1_000, 1_000));
    all
}

/// All measurements. The contestants take turns in each scenario, and another one begins in each round.
pub(crate) fn turns(
    scenarios: &[Scenario],
    contestants: &[Contestant],
    rounds: usize,
) -> Vec<Turn> {
    let mut turns = Vec::new();
    for round in 1..=rounds {
        for scenario in scenarios {
            let mut taking_part = contestants.to_vec();
            taking_part.retain(|contestant| scenario.admits(*contestant));
            if !taking_part.is_empty() {
                let first = (round - 1) % taking_part.len();
                taking_part.rotate_left(first);
            }
            turns.extend(taking_part.into_iter().map(|contestant| Turn {
                scenario: *scenario,
                contestant,
                round,
            }));
        }
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_contestant_begins_in_each_round() {
        let scenario = Scenario::Connect(100);
        let turns = turns(&[scenario], &[Contestant::Ferrolb, Contestant::Bird], 2);
        let order: Vec<_> = turns.iter().map(|turn| (turn.round, turn.contestant.name())).collect();
        assert_eq!(order, [(1, "FerroLB"), (1, "BIRD"), (2, "BIRD"), (2, "FerroLB")]);
    }

    #[test]
    fn contestants_take_part_only_where_they_can() {
        let own = Scenario::ChangeOwn(Table::new(10, 0), 1);
        let turns = turns(&[own, Scenario::Connect(1)], &Contestant::ALL, 1);
        assert_eq!(turns.iter().filter(|turn| turn.scenario == own).count(), 1);
        assert!(turns.iter().all(|turn| turn.contestant != Contestant::Octets));
    }

    #[test]
    fn no_two_scenarios_have_the_same_line() {
        for quick in [false, true] {
            let mut lines: Vec<_> = scenarios(quick, "")
                .iter()
                .map(|scenario| (scenario.title(), scenario.case()))
                .collect();
            let all = lines.len();
            lines.sort();
            lines.dedup();
            assert_eq!(lines.len(), all);
        }
    }

    #[test]
    fn a_filter_selects_by_title_and_case() {
        let selected = scenarios(false, "relaying: 1,000,000");
        assert_eq!(selected.len(), 2);
        assert!(scenarios(true, "no such thing").is_empty());
    }
}
