//! The tables of costs, and the comparison with the baseline.

use bench_growth::table::markdown;

use crate::baseline::{self, Baseline};
use crate::callgrind::{self, Cost, Task};
use crate::works::{self, Growth, Work};

/// Prints the tables of the pieces of work whose name contains one of these parts; of all, if there are none.
pub(crate) fn tables(parts: &[&str]) -> Result<(), String> {
    let is_selected =
        |work: &&Work| parts.is_empty() || parts.iter().any(|part| work.name.contains(part));
    let works: Vec<_> = works::all().filter(is_selected).collect();
    if works.is_empty() {
        return Err("no work has such a name, see growth --help".to_owned());
    }

    let tasks: Vec<Task> =
        works.iter().flat_map(|work| work.sizes.map(|size| (*work, size))).collect();
    let costs = callgrind::costs(&tasks)?;
    for (growth, what) in TABLES {
        let costs = works.iter().zip(costs.chunks(3)).filter(|(work, _)| work.growth == growth);
        let rows: Vec<_> = costs.map(|(work, costs)| row(work, costs)).collect();
        if !rows.is_empty() {
            let head =
                [what, "sizes", "instructions each", "", "", "allocations each", "", "", "slope"];
            println!("{}", markdown(&head, &rows));
        }
    }
    Ok(())
}

/// The kinds of work, with the heads of their tables.
const TABLES: [(Growth, &str); 2] = [
    (Growth::All, "all of them: a slope of 1 is linear"),
    (Growth::One, "one among them: a slope of 0 is flat"),
];

/// A row: the instructions and allocations for one thing at each size, and the slope.
fn row(work: &Work, costs: &[Cost]) -> Vec<String> {
    let things = |cost: &Cost, size: usize| match work.growth {
        Growth::All => cost.times * size as u64,
        Growth::One => cost.times,
    };
    let sized = || costs.iter().zip(work.sizes);
    let instructions = sized()
        .map(|(cost, size)| (cost.instructions + things(cost, size) / 2) / things(cost, size));
    let allocations =
        sized().map(|(cost, size)| cost.allocations as f64 / things(cost, size) as f64);
    let points: Vec<_> = sized()
        .map(|(cost, size)| (size as f64, cost.instructions as f64 / cost.times as f64))
        .collect();

    let [small, middle, large] = work.sizes.map(short);
    let mut row = vec![work.name.to_owned(), format!("{small}, {middle}, {large} {}", work.unit)];
    row.extend(instructions.map(grouped));
    row.extend(allocations.map(|each| format!("{each:.2}")));
    row.push(format!("{:.2}", slope(&points)));
    row
}

/// The exponent of the power of the size that fits these costs best: the slope of a straight line through their logarithms, by
/// least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let logarithms: Vec<_> = points.iter().map(|(x, y)| (x.ln(), y.max(1.0).ln())).collect();
    let count = logarithms.len() as f64;
    let mean_x = logarithms.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logarithms.iter().map(|(_, y)| y).sum::<f64>() / count;
    let both = logarithms.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    let of_x = logarithms.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
    both / of_x
}

/// Compares the checked pieces of work with the baseline.
pub(crate) fn check() -> Result<(), String> {
    let (stored, now) = (Baseline::read()?, counted()?);
    let comparable = stored.toolchain == now.toolchain;

    let (mut rows, mut changed) = (Vec::new(), 0);
    for task in checked() {
        let (expected, found) = (stored.get(task), now.get(task).unwrap_or(0));
        let percent = expected.map(|expected| 100.0 * (found as f64 / expected as f64 - 1.0));
        let is_changed = percent.is_none_or(|percent| percent.abs() > TOLERANCE);
        changed += usize::from(is_changed);

        let (work, size) = task;
        rows.push(vec![
            format!("{}, {size} {}", work.name, work.unit),
            expected.map_or_else(|| "none".to_owned(), grouped),
            grouped(found),
            percent.map_or_else(String::new, |percent| format!("{percent:+.2} %")),
            if is_changed && comparable { "CHANGED".to_owned() } else { String::new() },
        ]);
    }
    println!("{}", markdown(&["instructions", "expected", "found", "difference", ""], &rows));

    if !comparable {
        println!("The counts in {} are for {},", baseline::shown(), stored.toolchain);
        println!("and these for {}. They are not compared.", now.toolchain);
        println!(
            "For another compiler or library, write the file again from a commit without a regression: {BLESS}"
        );
        return Ok(());
    }
    if changed > 0 {
        return Err(format!(
            "{changed} of {} counts differ from {} by more than {TOLERANCE} %. Find out why, the smallest piece of work first: \
             `target/growth/growth run` under callgrind shows which functions take more. If the change is wanted, or the code \
             has become faster, write the file again and commit it: {BLESS}",
            rows.len(),
            baseline::shown()
        ));
    }
    println!("all {} counts are within {TOLERANCE} % of {}", rows.len(), baseline::shown());
    Ok(())
}

/// Writes the baseline again.
pub(crate) fn bless() -> Result<(), String> {
    counted()?.write()?;
    println!("wrote {}", baseline::shown());
    Ok(())
}

/// Counts the checked pieces of work.
fn counted() -> Result<Baseline, String> {
    let tasks: Vec<_> = checked().collect();
    let mut baseline = Baseline::new();
    for (task, cost) in tasks.iter().zip(callgrind::costs(&tasks)?) {
        baseline.insert(*task, cost.instructions);
    }
    Ok(baseline)
}

/// The checked pieces of work, each with its size.
fn checked() -> impl Iterator<Item = Task> {
    works::all().filter_map(|work| Some((work, work.checked?)))
}

/// A number with commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size, such as 10 k.
fn short(size: usize) -> String {
    if size >= 1_000 && size.is_multiple_of(1_000) {
        format!("{} k", size / 1_000)
    } else {
        size.to_string()
    }
}

/// The most that a count may differ from the baseline, in percent. Counts of equal builds are equal.
const TOLERANCE: f64 = 2.0;

const BLESS: &str = "make instructions ARGS=bless";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_the_exponent() {
        let costs = |exponent: i32| [10.0_f64, 100.0, 1_000.0].map(|x| (x, 7.0 * x.powi(exponent)));
        for exponent in [0, 1, 2] {
            assert!((slope(&costs(exponent)) - f64::from(exponent)).abs() < 1e-9);
        }
        assert_eq!(format!("{:.2}", slope(&[(10.0, 8.0), (100.0, 8.0), (1_000.0, 80.0)])), "0.50");
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([100, 1_000, 1_500, 40_000].map(short), ["100", "1 k", "1500", "40 k"]);
    }
}
