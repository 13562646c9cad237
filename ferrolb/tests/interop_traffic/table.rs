//! The table of all scenarios, each in several rounds, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::scenarios::{Group, Row};
use crate::tally::Tally;
use crate::world::{self, World};

/// The tallies of a row, of all rounds.
pub(crate) type Results = BTreeMap<&'static str, Vec<Tally>>;

/// Runs the rows of a group, each as often as `rounds`. With a filter, only rows whose name contains it.
pub(crate) fn run(group: &Group, rounds: usize, filter: &str) -> Results {
    let rows: Vec<&Row> = group.rows.iter().filter(|row| row.name.contains(filter)).collect();
    if rows.is_empty() {
        return Results::new();
    }

    world::run(group.config, async |world: &mut World| {
        if group.others > 0 {
            world.add_others(group.others);
            world.settle().await;
        }

        let mut results = Results::new();
        for row in (0..rounds).flat_map(|_| &rows) {
            world.settle().await;
            (row.scenario)(world).await;
            let tallies = std::mem::take(&mut world.tallies);
            for tally in &tallies {
                note(&format!("{}: {tally}", row.name));
            }
            results.entry(row.name).or_default().extend(tallies);
        }
        results
    })
}

/// A line of the table for each row that was run, with one column for each run of the whole table.
pub(crate) fn markdown(titles: &[&str], runs: &[Results], groups: &[Group]) -> String {
    let mut text = "| scenario |".to_owned();
    for title in titles {
        let _ = write!(text, " {title}: failed / opened | longest window | rules to route |");
    }
    let _ = write!(text, "\n| --- |{}", " --: | --: | --: |".repeat(titles.len()));

    for row in groups.iter().flat_map(|group| group.rows) {
        if !runs.iter().any(|run| run.contains_key(row.name)) {
            continue;
        }
        let _ = write!(text, "\n| {} |", row.name);
        for run in runs {
            text.push_str(&cells(run.get(row.name).map(Vec::as_slice).unwrap_or_default()));
        }
    }
    text
}

fn cells(tallies: &[Tally]) -> String {
    let failed: usize = tallies.iter().map(Tally::failed).sum();
    let opened: usize = tallies.iter().map(|tally| tally.opened).sum();
    let window = tallies.iter().map(|tally| tally.window).max().unwrap_or_default();

    let held = tallies.iter().flat_map(|tally| &tally.held).map(|held| held.time);
    let held = match (held.clone().min(), held.max()) {
        (Some(first), Some(last)) => format!("{first} to {last} ms"),
        _ => String::new(),
    };
    let window = if failed > 0 { format!("{} ms", window.as_millis()) } else { String::new() };
    format!(" {failed} / {opened} | {window} | {held} |")
}

/// Writes a line at once, although the test runner would capture it.
pub(crate) fn note(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}
