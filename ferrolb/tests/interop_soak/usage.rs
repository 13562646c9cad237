//! The memory, descriptors and threads of each process over time, and the judgment of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::trend::{self, Slope};

/// The time between two samples.
const INTERVAL: Duration = Duration::from_secs(5);
/// The growth in MiB, beyond its error, that counts as a leak, over the time that is judged.
const GROWTH: f64 = 1.0;
/// One in this many parts of a run is warm-up: caches and the logs of bounded size fill, the heap takes its shape.
const WARM_UP: u32 = 5;
const LONGEST_WARM_UP: Duration = Duration::from_secs(600);
/// The shortest time of a judgment. Less says nothing about a trend.
const JUDGED: f64 = 180.0;

/// The length of the warm-up of a run.
pub(crate) fn warm_up(length: Duration) -> Duration {
    (length / WARM_UP).min(LONGEST_WARM_UP)
}

/// One look at a process.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Seconds since the start of the run.
    at: f64,
    /// MiB; only the program itself is shared with others.
    resident: f64,
    /// MiB of heap and stacks.
    anonymous: f64,
    descriptors: f64,
    threads: f64,
}

/// All samples, of each process by itself: a process that was started again counts as a new one.
#[derive(Debug)]
pub(crate) struct Usage {
    begin: Instant,
    next: Instant,
    series: BTreeMap<(String, u32), Vec<Sample>>,
}

impl Usage {
    pub(crate) fn new() -> Self {
        let begin = Instant::now();
        Self { begin, next: begin, series: BTreeMap::new() }
    }

    /// Returns true if the next samples are due.
    pub(crate) fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    /// Takes a sample of each of these processes.
    pub(crate) fn sample(&mut self, processes: impl IntoIterator<Item = (String, Option<u32>)>) {
        self.next = Instant::now() + INTERVAL;
        let at = self.begin.elapsed().as_secs_f64();
        for (name, id) in processes {
            // A process that has just ended has no sample.
            if let Some(id) = id
                && let Some(sample) = look(id, at)
            {
                self.series.entry((name, id)).or_default().push(sample);
            }
        }
    }

    /// A line for each process that was there for most of the judged time, and what is wrong with ours.
    pub(crate) fn table(&self, routers: &[&str]) -> (String, Vec<String>) {
        let length = self.begin.elapsed();
        let (warm_up, length) = (warm_up(length).as_secs_f64(), length.as_secs_f64());
        let bound = GROWTH / (length - warm_up) * 3_600.0;
        let is_long = length - warm_up >= JUDGED;
        let mut text = format!(
            "Slopes after a warm-up of {warm_up:.0} s, with standard errors. Bound of the memory: {bound:.1} MiB/h.\n\
             | process | RSS, MiB | heap and stacks by quarters, MiB | slope, MiB/h | descriptors | slope, 1/h | threads |\n\
             | --- | --: | --: | --: | --: | --: | --: |\n"
        );

        let (mut wrong, mut short) = (Vec::new(), 0);
        for ((name, _), samples) in &self.series {
            let judged: Vec<_> = samples.iter().filter(|it| it.at >= warm_up).copied().collect();
            let covered =
                judged.last().zip(judged.first()).map_or(0.0, |(end, start)| end.at - start.at);
            if covered < (length - warm_up) / 2.0 {
                short += 1;
                continue;
            }

            let slope = |value: fn(&Sample) -> f64| {
                let points: Vec<_> = judged.iter().map(|it| (it.at, value(it))).collect();
                Slope::of(&points).unwrap_or_default()
            };
            let (memory, descriptors) = (slope(|it| it.anonymous), slope(|it| it.descriptors));
            let (first, last) = (judged[0], judged[judged.len() - 1]);
            let _ = writeln!(
                text,
                "| {name} | {:.1} → {:.1} | {} | {:+.2} ± {:.2} | {} → {} | {:+.2} ± {:.2} | {} → {} |",
                first.resident,
                last.resident,
                means(&judged, |it| it.anonymous),
                memory.per_hour,
                memory.error,
                first.descriptors,
                last.descriptors,
                descriptors.per_hour,
                descriptors.error,
                first.threads,
                last.threads,
            );

            if !is_long || routers.contains(&name.as_str()) {
                continue;
            }
            if memory.exceeds(bound) {
                wrong.push(format!("{name} grows by {:.2} MiB/h", memory.per_hour));
            }
            for (what, value) in [
                ("descriptors", (|it| it.descriptors) as fn(&Sample) -> f64),
                ("threads", |it| it.threads),
            ] {
                if never_back(&judged, value) {
                    wrong.push(format!("{name} leaks {what}"));
                }
            }
        }
        let _ = writeln!(text, "{short} processes were there for less than half of this time.");
        (text, wrong)
    }
}

/// The means of four parts of a series, so that a growth that ends can be told from one that goes on.
fn means(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> String {
    let parts = samples.chunks(samples.len().div_ceil(4).max(1));
    let means = parts.map(|part| format!("{:.2}", trend::mean_of(part.iter().map(&value))));
    means.collect::<Vec<_>>().join(", ")
}

/// Returns true if a number in the last quarter is always greater than it ever was in the first.
fn never_back(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> bool {
    let quarter = samples.len() / 4;
    let most = samples[..quarter].iter().map(&value).fold(0.0, f64::max);
    let least = samples[samples.len() - quarter..].iter().map(&value).fold(f64::MAX, f64::min);
    quarter > 0 && least > most
}

fn look(id: u32, at: f64) -> Option<Sample> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let number = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let descriptors = std::fs::read_dir(format!("/proc/{id}/fd")).ok()?.count();
    Some(Sample {
        at,
        resident: number("VmRSS:")? / 1024.0,
        anonymous: number("RssAnon:")? / 1024.0,
        descriptors: f64::from(u32::try_from(descriptors).ok()?),
        threads: number("Threads:")?,
    })
}
