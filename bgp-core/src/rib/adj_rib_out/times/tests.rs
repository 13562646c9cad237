//! Tests of the times against a map from keys to times.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::rib::key::{Key4, Key6};
use crate::wire::PathAttributes;

fn key(n: u16) -> Key4 {
    let address = Ipv4Addr::from(0x0a00_0000 + u32::from(n));
    Key4::new(net(address.into(), 32), 0).expect("of IPv4")
}

fn net(address: IpAddr, length: u8) -> IpNet {
    IpNet::new(address, length).expect("a length of the family").trunc()
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
    Join,
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 0_u16..200;
    let time = || prop_oneof![9 => 1_u32..4, 1 => any::<u32>()];
    prop_oneof![
        8 => (n(), time()).prop_map(|(n, time)| Step::Add(n, time)),
        4 => n().prop_map(Step::Remove),
        4 => (n(), time()).prop_map(|(n, time)| Step::Set(n, time)),
        2 => (n(), n(), any::<bool>(), time()).prop_map(|(a, b, up, t)| Step::SetRun(a, b, up, t)),
        1 => time().prop_map(Step::Same),
        1 => Just(Step::Join),
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
            self.times.set(&self.table, false, key(n), time);
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Add(n, time) => {
                self.model.entry(key(n)).or_default();
                self.table.insert(key(n).with_path_id(7), Arc::new(PathAttributes::default()));
                self.set(n, time);
            }
            Step::Remove(n) => {
                self.model.remove(&key(n));
                self.table.remove_paths(key(n));
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
            Step::Join => self.times.join(&self.table, false),
        }
    }

    /// The octets that the times take.
    fn octets(&self) -> usize {
        self.times.recent.capacity() * size_of::<(Key4, Seconds)>() + self.times.marks.size()
    }
}

proptest! {
    #[test]
    fn each_key_has_the_time_that_was_set_last(steps in prop::collection::vec(step(), 0..300)) {
        let mut tracked = Tracked::default();
        for step in steps {
            tracked.take(&step);

            let all = tracked.times.read(key(0), key(u16::MAX));
            for (key, time) in &tracked.model {
                prop_assert_eq!(all.get(*key), *time);
                prop_assert_eq!(tracked.times.read(*key, *key).get(*key), *time);
            }
        }
    }

    #[test]
    fn marks_are_read_as_they_were_written(
        v4 in prop::collection::btree_map((any::<u32>(), 0_u8..=32, path_id()), any::<u32>(), 0..40),
        v6 in prop::collection::btree_map((any::<u128>(), 0_u8..=128, path_id()), any::<u32>(), 0..40),
    ) {
        let v4: BTreeMap<_, _> = v4.into_iter().map(|((address, length, path_id), time)| {
            let prefix = net(Ipv4Addr::from(address).into(), length);
            (Key4::new(prefix, path_id).expect("of IPv4"), time)
        }).collect();
        let v6: BTreeMap<_, _> = v6.into_iter().map(|((address, length, path_id), time)| {
            let prefix = net(Ipv6Addr::from(address).into(), length);
            (Key6::new(prefix, path_id).expect("of IPv6"), time)
        }).collect();
        check_marks(&v4)?;
        check_marks(&v6)?;
    }
}

fn path_id() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0), 1 => any::<u32>()]
}

fn check_marks<K: Key>(times: &BTreeMap<K, Seconds>) -> Result<(), TestCaseError> {
    let mut builder = MarksBuilder::default();
    for (key, time) in times {
        builder.push(Mark { key: *key, time: *time });
    }

    let marks = builder.finish();
    prop_assert_eq!(marks.len(), times.len());
    let read: Vec<_> = marks.iter().map(|mark| (mark.key, mark.time)).collect();
    prop_assert_eq!(read, times.iter().map(|(key, time)| (*key, *time)).collect::<Vec<_>>());
    for (key, time) in times {
        prop_assert_eq!(marks.last_up_to(*key), Some(*time));
    }
    Ok(())
}

#[test]
fn keys_that_are_set_together_share_one_time() {
    let mut tracked = Tracked::default();
    for n in 0..200 {
        tracked.take(&Step::Add(n, 0));
    }
    assert_eq!(tracked.octets(), 0);

    tracked.take(&Step::Set(100, 7));
    tracked.take(&Step::Join);
    assert_eq!(tracked.times.marks.len(), 2, "that one, and those behind it");

    tracked.take(&Step::SetRun(0, 199, true, 9));
    tracked.take(&Step::Join);
    assert!(tracked.times.marks.is_empty());
}

#[test]
fn the_times_of_any_routes_take_a_few_octets_each() {
    // A block has 4 marks here and 64 otherwise, so the share of the first ones is larger here: 7 octets instead of less than one.
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
        tracked.take(&Step::Join);
        assert!(tracked.octets() <= 4_000 * 12, "{} octets", tracked.octets());

        for n in (0..4_000).filter(|n| n % 100 != 0) {
            tracked.take(&Step::Remove(key(n)));
        }
        tracked.take(&Step::Join);
        assert!(tracked.times.marks.len() <= 40, "{} marks of 40", tracked.times.marks.len());
    }
}
