//! The pieces of work whose cost is counted: each is prepared at a size, and then runs once.
//!
//! Inputs are generated and the same in every run: no random seed, and no cost depends on a clock. What prepares a piece of work is not counted.

mod addresses;
mod explanations;
mod manifests;
mod plans;
mod ribs;
mod rules;
mod wire;

use std::hint::black_box;

/// A piece of work of which instructions are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// The name in tables, arguments and the baseline.
    pub(crate) name: &'static str,
    /// What the size is a number of.
    pub(crate) unit: &'static str,
    /// Three sizes, in ascending order.
    pub(crate) sizes: [usize; 3],
    /// How its cost is expected to grow.
    pub(crate) growth: Growth,
    /// The size at which `make test` compares it with the baseline, if it does.
    pub(crate) checked: Option<usize>,
    /// Prepares it at a size.
    pub(crate) prepare: fn(usize) -> Prepared,
}

/// How the cost of a piece of work grows with its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// The work concerns all of the things that the size counts: the cost should be proportional to their number.
    All,
    /// The work concerns one thing among many: the cost should not depend on their number beyond a logarithm.
    One,
}

/// A piece of work that is ready to run.
pub(crate) struct Prepared {
    /// Runs it. A second run does nothing, or something else.
    pub(crate) run: Box<dyn FnMut()>,
    /// How often a run does what the name says, such as a change of one route.
    pub(crate) times: usize,
}

/// All pieces of work, by topic.
pub(crate) fn all() -> impl Iterator<Item = &'static Work> {
    [
        wire::WORKS,
        ribs::WORKS,
        rules::WORKS,
        addresses::WORKS,
        plans::WORKS,
        manifests::WORKS,
        explanations::WORKS,
    ]
    .into_iter()
    .flatten()
}

impl Work {
    /// A piece of work about all things of a kind.
    const fn all(
        name: &'static str,
        unit: &'static str,
        sizes: [usize; 3],
        prepare: fn(usize) -> Prepared,
    ) -> Self {
        Self { name, unit, sizes, growth: Growth::All, checked: None, prepare }
    }

    /// A piece of work about one thing among others.
    const fn one(
        name: &'static str,
        unit: &'static str,
        sizes: [usize; 3],
        prepare: fn(usize) -> Prepared,
    ) -> Self {
        Self { growth: Growth::One, ..Self::all(name, unit, sizes, prepare) }
    }

    /// Makes `make test` compare it with the baseline at this size.
    const fn checked(self, size: usize) -> Self {
        Self { checked: Some(size), ..self }
    }
}

impl Prepared {
    /// Work that is done once. Its result is dropped later, so that this is not counted.
    fn once<T: 'static>(work: impl FnOnce() -> T + 'static) -> Self {
        let (mut work, mut kept) = (Some(work), Vec::with_capacity(1));
        let run = move || kept.extend(work.take().map(|work| black_box(work())));
        Self { run: Box::new(run), times: 1 }
    }

    /// Work that is done a number of times. It gets the number of each time, from 0 on.
    fn repeated(times: usize, mut work: impl FnMut(usize) + 'static) -> Self {
        let run = move || {
            for turn in 0..times {
                work(turn);
            }
        };
        Self { run: Box::new(run), times }
    }
}

/// Each number below `most` once, in no order.
const fn scattered(number: usize, most: usize) -> usize {
    // Coprime with powers of ten.
    number.wrapping_mul(7_368_787) % most
}

/// The number of repetitions of work that concerns one thing.
const TIMES: usize = 100;
