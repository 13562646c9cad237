//! The tables of a report, and the line of a sample.

use std::fmt::Write;

use benches::table::markdown;

use crate::sample::{DISTURBED, Sample, Summary};
use crate::subject::Contestant;
use crate::text::figure;
use crate::view::{self, Column, Statistic, View};

/// The results of a run, by scenario, case and contestant.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    samples: &'a [Sample],
}

/// The results of one case: a summary for each contestant of the view.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) summaries: Vec<Summary>,
}

impl<'a> Report<'a> {
    pub(crate) const fn new(samples: &'a [Sample]) -> Self {
        Self { samples }
    }

    /// The contestants of a view, in their usual order.
    pub(crate) fn contestants(&self, view: &View) -> Vec<&'static str> {
        let names = Contestant::ALL.into_iter().map(Contestant::name);
        names.filter(|name| self.samples_of(view).any(|it| it.contestant == *name)).collect()
    }

    /// The rows of a view, in the order of their first samples.
    pub(crate) fn rows(&self, view: &View) -> Vec<Row> {
        let mut cases: Vec<&str> = Vec::new();
        for sample in self.samples_of(view) {
            if !cases.contains(&&*sample.case) {
                cases.push(&sample.case);
            }
        }

        let contestants = self.contestants(view);
        let row = |case: &str| {
            let summaries = contestants.iter().map(|contestant| {
                let samples = self.samples_of(view);
                Summary::of(samples.filter(|it| it.case == case && it.contestant == *contestant))
            });
            Row { case: case.to_owned(), summaries: summaries.collect() }
        };
        cases.into_iter().map(row).collect()
    }

    fn samples_of<'b>(&'b self, view: &'b View) -> impl Iterator<Item = &'a Sample> + 'b {
        self.samples.iter().filter(|sample| sample.scenario == view.scenario)
    }

    /// All tables, each with its heading.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        for view in &view::ALL {
            let rows = self.rows(view);
            if rows.is_empty() {
                continue;
            }

            let contestants = self.contestants(view);
            let head: Vec<&str> = [""].into_iter().chain(contestants).collect();
            let rows: Vec<Vec<String>> = rows.iter().map(|row| row_cells(row, view)).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "### {}\n", view.heading);
            let _ = writeln!(text, "{}.\n\n{}", description(view), markdown(&head, &rows));
        }

        let _ = writeln!(text, "{}", self.disturbance());
        text
    }

    /// How much other programs used the cores.
    fn disturbance(&self) -> String {
        let mut others: Vec<f64> =
            self.samples.iter().map(|sample| sample.others * 100.0).collect();
        others.sort_by(f64::total_cmp);
        let [median, most] =
            [others.len() / 2, others.len().saturating_sub(1)].map(|at| others.get(at).copied());
        format!(
            "Other programs used {:.0} % of the cores (median; at most {:.0} %). Of several rounds, those with more than {:.0} % \
             do not count.\n",
            median.unwrap_or_default(),
            most.unwrap_or_default(),
            DISTURBED * 100.0
        )
    }
}

/// The words of a view's figures: what the numbers of a cell are.
fn description(view: &View) -> String {
    let words = view.figures.iter().map(|column| match column.statistic {
        Statistic::LeastAndMedian => format!("{} (median)", column.words),
        _ => column.words.to_owned(),
    });
    let text = words.collect::<Vec<_>>().join(" / ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn row_cells(row: &Row, view: &View) -> Vec<String> {
    let cells = row.summaries.iter().map(|summary| cell(summary, view));
    [row.case.clone()].into_iter().chain(cells).collect()
}

fn cell(summary: &Summary, view: &View) -> String {
    if summary.failed.is_some() {
        return "failed".to_owned();
    }
    let values: Vec<Option<String>> =
        view.figures.iter().map(|column| value_text(summary, column)).collect();
    if values.iter().all(Option::is_none) {
        return String::new();
    }
    let values = values.into_iter().map(|value| value.unwrap_or_else(|| "-".to_owned()));
    values.collect::<Vec<_>>().join(" / ")
}

fn value_text(summary: &Summary, column: &Column) -> Option<String> {
    let value = figure(value(summary, column)?);
    match column.statistic {
        Statistic::LeastAndMedian => {
            Some(format!("{value} ({})", figure(summary.median(column.figure)?)))
        }
        _ => Some(value),
    }
}

/// The value of a figure for a plot.
pub(crate) fn value(summary: &Summary, column: &Column) -> Option<f64> {
    match column.statistic {
        Statistic::LeastAndMedian | Statistic::Least => summary.least(column.figure),
        Statistic::Greatest => summary.greatest(column.figure),
    }
}

/// The line about a sample while the benchmark runs.
pub(crate) fn line(sample: &Sample) -> String {
    let Sample { scenario, case, contestant, round, others, failed, figures } = sample;
    let outcome = match failed {
        Some(reason) => format!("failed: {reason}"),
        None => {
            let figures = figures.iter().map(|(name, value)| format!("{name} {}", figure(*value)));
            figures.collect::<Vec<_>>().join(", ")
        }
    };
    let others = others * 100.0;
    format!("round {round}, {scenario}, {case}, {contestant}: {outcome} (others {others:.0} %)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(case: &str, contestant: &str, seconds: f64) -> Sample {
        let figures = [("seconds", seconds), ("cpu", 0.5), ("MB", 30.0)];
        Sample { others: 0.1, ..Sample::of_tests(case, contestant, &figures) }
    }

    #[test]
    fn a_table_has_a_column_for_each_contestant_and_a_row_for_each_case() {
        let failed = Sample { failed: Some("late".to_owned()), ..sample("b", "FerroLB", 1.0) };
        let samples = [
            sample("a", "BIRD", 2.0),
            sample("a", "BIRD", 4.0),
            sample("a", "FerroLB", 1.0),
            sample("b", "BIRD", 3.0),
            failed,
        ];
        let text = Report::new(&samples).markdown();

        let rows: Vec<String> = text
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            rows,
            [
                "| | FerroLB | BIRD |",
                "| --- | --: | --: |",
                "| a | 1.00 (1.00) / 0.50 / 30.0 | 2.00 (2.00) / 0.50 / 30.0 |",
                "| b | failed | 3.00 (3.00) / 0.50 / 30.0 |",
            ]
        );
        assert!(text.contains("Seconds (median) / CPU seconds / MB at the peak."), "{text}");
        assert!(text.contains("used 10 % of the cores"), "{text}");
    }

    #[test]
    fn every_scenario_has_a_view() {
        for quick in [false, true] {
            for scenario in crate::plan::scenarios(quick, "") {
                assert!(view::ALL.iter().any(|view| view.scenario == scenario.title()));
            }
        }
    }

    #[test]
    fn a_line_says_what_failed() {
        let failed = Sample { failed: Some("late".to_owned()), ..sample("a", "BIRD", 0.0) };
        assert!(line(&failed).contains("BIRD: failed: late"), "{}", line(&failed));
        assert!(line(&sample("a", "BIRD", 0.25)).contains("seconds 0.25"));
    }
}
