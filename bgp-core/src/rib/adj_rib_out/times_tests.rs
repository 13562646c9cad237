//! Tests of the times against a map from keys to times.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use super::*;
use crate::rib::key::Key4;
use crate::wire::PathAttributes;

fn key(n: u16) -> Key4 {
    let address = Ipv4Addr::from(0x0a00_0000 + u32::from(n));
    let prefix: IpNet = Ipv4Net::new_assert(address, 32).into();
    Key4::new(prefix, 1).expect("of IPv4")
}

#[derive(Clone, Debug)]
enum Step {
    /// Adds an entry, and sets its time.
    Add(u16, Seconds),
    Remove(u16),
    Set(u16, Seconds),
    /// Sets the times of a run of entries, upwards or downwards.
    SetRun(u16, u16, bool, Seconds),
    Same(Seconds),
    /// Makes the times anew, from their entries.
    Collect,
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 0_u16..200;
    let time = || 1_u32..4;
    prop_oneof![
        8 => (n(), time()).prop_map(|(n, time)| Step::Add(n, time)),
        4 => n().prop_map(Step::Remove),
        4 => (n(), time()).prop_map(|(n, time)| Step::Set(n, time)),
        2 => (n(), n(), any::<bool>(), time()).prop_map(|(a, b, up, t)| Step::SetRun(a, b, up, t)),
        1 => time().prop_map(Step::Same),
        1 => Just(Step::Collect),
    ]
}

/// A table, its times, and what they should be.
#[derive(Default)]
struct Tracked {
    table: Table<Key4>,
    times: Times<Key4>,
    model: BTreeMap<Key4, Seconds>,
}

impl Tracked {
    fn set(&mut self, n: u16, time: Seconds) {
        if let Some(known) = self.model.get_mut(&key(n)) {
            *known = time;
            self.times.set(&self.table, key(n), time);
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Add(n, time) => {
                if self.model.insert(key(n), time).is_none() {
                    self.table.insert(key(n), Arc::new(PathAttributes::default()));
                    self.times.added(&self.table, key(n));
                }
                self.times.set(&self.table, key(n), time);
            }
            Step::Remove(n) => {
                if self.model.remove(&key(n)).is_some() {
                    self.times.removing(&self.table, key(n));
                    self.table.remove(key(n));
                }
            }
            Step::Set(n, time) => self.set(n, time),
            Step::SetRun(a, b, upwards, time) => {
                let run = a.min(b)..=a.max(b);
                if upwards {
                    run.for_each(|n| self.set(n, time));
                } else {
                    run.rev().for_each(|n| self.set(n, time));
                }
            }
            Step::Same(time) => {
                self.times = Times::same(time);
                self.model.values_mut().for_each(|known| *known = time);
            }
            Step::Collect => {
                let entries: Vec<_> = self.times.iter(&self.table).collect();
                self.times = Times::collect(entries.into_iter());
            }
        }
    }

    /// The octets that the times take.
    fn octets(&self) -> usize {
        let spans = self.times.spans.capacity() * size_of::<Span<Key4>>();
        let each = self.times.spans.iter().map(|span| match &span.times {
            SpanTimes::Same(_) => 0,
            SpanTimes::Each(times) => times.capacity() * size_of::<Seconds>(),
        });
        spans + each.sum::<usize>()
    }
}

proptest! {
    #[test]
    fn each_entry_has_the_time_that_was_set_last(steps in prop::collection::vec(step(), 0..300)) {
        let mut tracked = Tracked::default();
        for step in steps {
            tracked.take(&step);

            let all: Vec<_> = tracked.model.iter().map(|(key, time)| (*key, *time)).collect();
            let found: Vec<_> = tracked.times.iter(&tracked.table).collect();
            prop_assert_eq!(&found, &all);
            for (key, time) in all {
                prop_assert_eq!(tracked.times.get(&tracked.table, key), time);
            }
        }
    }
}

#[test]
fn entries_that_are_set_together_share_one_time() {
    let mut tracked = Tracked::default();
    for n in 0..200 {
        tracked.take(&Step::Add(n, 0));
    }
    assert!(tracked.times.are_same());

    tracked.take(&Step::Set(100, 7));
    assert_eq!(tracked.times.spans.len(), 2, "those around it, and those after them");

    tracked.take(&Step::SetRun(0, 199, true, 9));
    tracked.take(&Step::Collect);
    assert!(tracked.times.are_same());
}

#[test]
fn the_times_of_any_routes_take_a_few_octets_each() {
    // A block has 8 entries here and 256 otherwise, so the share of the spans is larger here.
    let orders: [fn(u32) -> u32; 3] = [|n| n, |n| 3_999 - n, |n| n * 2_503 % 4_000];
    for order in orders {
        let mut tracked = Tracked::default();
        for n in 0..4_000 {
            tracked.take(&Step::Add(n, 0));
        }

        let key = |n| u16::try_from(order(n)).expect("below 4,000");
        for n in 0..4_000 {
            tracked.take(&Step::Set(key(n), n + 1));
        }
        assert!(tracked.octets() <= 4_000 * 32, "{} octets", tracked.octets());

        for n in (0..4_000).filter(|n| n % 100 != 0) {
            tracked.take(&Step::Remove(key(n)));
        }
        assert!(tracked.times.spans.len() <= 40, "{} spans of 40", tracked.times.spans.len());
    }
}
