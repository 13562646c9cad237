//! Finds the fewest steps of a plan with which a seed still breaks the same invariant.

use crate::plan::Plan;
use crate::run;
use crate::say;
use crate::world::Violation;

/// Shrinks the plan of a seed, and says what is left. Returns true if the seed does not fail at all.
pub(crate) fn shrink(seed: u64) -> bool {
    let plan = Plan::of(seed);
    let fails = |steps: &[usize]| run::run(seed, &plan.with_steps(steps), false).violation;
    let all: Vec<_> = (0..plan.steps.len()).collect();
    let Some(violation) = fails(&all) else {
        say(&format!("seed {seed}: all invariants hold"));
        return true;
    };

    let steps = fewest(all, |steps| {
        fails(steps).is_some_and(|other| other.invariant == violation.invariant)
    });
    for number in &steps {
        let step = &plan.steps[*number];
        say(&format!("{number:>3} after {:?}: {:?}", step.pause, step.action));
    }
    let violation: Violation = fails(&steps).unwrap_or(violation);
    say(&format!("seed {seed} fails: {violation}"));
    let numbers: Vec<_> = steps.iter().map(ToString::to_string).collect();
    say(&format!("its trace: scripts/simulate --seed {seed} --steps {}", numbers.join(",")));
    false
}

/// Removes runs of steps, long ones first, as long as the rest still fails.
fn fewest(mut steps: Vec<usize>, fails: impl Fn(&[usize]) -> bool) -> Vec<usize> {
    let mut length = steps.len().div_ceil(2);
    while length > 0 {
        let (mut at, before) = (0, steps.len());
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + length).min(steps.len()));
            if fails(&fewer) {
                steps = fewer;
            } else {
                at += length;
            }
        }
        // Steps that were needed by others may be superfluous now.
        if length > 1 || steps.len() == before {
            length /= 2;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_fails_and_without_any_one_step_it_does_not() {
        for wanted in [vec![], vec![0], vec![3, 17], vec![0, 1, 2, 19]] {
            let fails = |steps: &[usize]| wanted.iter().all(|step| steps.contains(step));
            assert_eq!(fewest((0..20).collect(), fails), wanted);
        }
    }
}
