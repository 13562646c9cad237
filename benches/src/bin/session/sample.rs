//! The result of one measurement, its line of JSON, and what several of them say together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The result of one measurement of one contestant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// The scenario, such as `sending to a sink`.
    pub(crate) scenario: String,
    /// The table and other circumstances, such as `100,000, one set`.
    pub(crate) case: String,
    /// The speaker under test.
    pub(crate) contestant: String,
    /// The round, from 1.
    pub(crate) round: usize,
    /// The share of all cores that other programs used during the measurement.
    pub(crate) others: f64,
    /// The reason why there are no figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
    /// The figures by name.
    #[serde(default)]
    pub(crate) figures: BTreeMap<String, f64>,
}

#[cfg(test)]
impl Sample {
    /// A sample of the first round, which no other program disturbed.
    pub(crate) fn of_tests(case: &str, contestant: &str, figures: &[(&str, f64)]) -> Self {
        Self {
            scenario: "sending to a sink".to_owned(),
            case: case.to_owned(),
            contestant: contestant.to_owned(),
            round: 1,
            others: 0.0,
            failed: None,
            figures: figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        }
    }
}

/// The figures of one contestant in all rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    figures: BTreeMap<String, Vec<f64>>,
    /// The reason of the last failure, if no round succeeded.
    pub(crate) failed: Option<String>,
}

/// The share of all cores above which a sample counts as disturbed.
pub(crate) const DISTURBED: f64 = 0.2;

impl Summary {
    /// Summarizes the samples of a contestant. Disturbed ones only count if there are no others.
    pub(crate) fn of<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Self {
        let samples: Vec<&Sample> = samples.into_iter().collect();
        let (measured, failed): (Vec<_>, Vec<_>) =
            samples.into_iter().partition(|sample| sample.failed.is_none());
        let calm: Vec<_> =
            measured.iter().copied().filter(|sample| sample.others <= DISTURBED).collect();
        let counted = if calm.is_empty() { &measured } else { &calm };

        let mut figures: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (name, value) in counted.iter().flat_map(|sample| &sample.figures) {
            figures.entry(name.clone()).or_default().push(*value);
        }
        figures.values_mut().for_each(|values| values.sort_by(f64::total_cmp));

        let failed = failed.last().filter(|_| measured.is_empty());
        Self { figures, failed: failed.and_then(|sample| sample.failed.clone()) }
    }

    /// The least value of a figure.
    pub(crate) fn least(&self, figure: &str) -> Option<f64> {
        self.figures.get(figure)?.first().copied()
    }

    /// The median of a figure; of an even number of values, the lower of the two in the middle.
    pub(crate) fn median(&self, figure: &str) -> Option<f64> {
        let values = self.figures.get(figure)?;
        values.get(values.len().checked_sub(1)? / 2).copied()
    }

    /// The greatest value of a figure.
    pub(crate) fn greatest(&self, figure: &str) -> Option<f64> {
        self.figures.get(figure)?.last().copied()
    }
}

/// The value below which a share of the sorted values lies.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = (last as f64 * share).round();
    sorted.iter().enumerate().find(|(index, _)| *index as f64 >= at).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: f64, others: f64) -> Sample {
        Sample { others, ..Sample::of_tests("a", "FerroLB", &[("seconds", seconds)]) }
    }

    #[test]
    fn a_summary_has_the_least_and_the_median() {
        let samples = [3.0, 1.0, 2.0].map(|seconds| sample(seconds, 0.0));
        let summary = Summary::of(&samples);
        assert_eq!(summary.least("seconds"), Some(1.0));
        assert_eq!(summary.median("seconds"), Some(2.0));
        assert_eq!(summary.greatest("seconds"), Some(3.0));
        assert_eq!(summary.median("cpu"), None);
    }

    #[test]
    fn disturbed_samples_count_only_if_there_are_no_others() {
        let samples = [sample(1.0, 0.9), sample(2.0, 0.1)];
        assert_eq!(Summary::of(&samples).least("seconds"), Some(2.0));
        assert_eq!(Summary::of(&samples[..1]).least("seconds"), Some(1.0));
    }

    #[test]
    fn a_failure_counts_only_if_no_round_succeeded() {
        let failed = Sample { failed: Some("not within 60 s".to_owned()), ..sample(0.0, 0.0) };
        assert_eq!(Summary::of([&failed]).failed.as_deref(), Some("not within 60 s"));
        assert_eq!(Summary::of([&failed, &sample(1.0, 0.0)]).failed, None);
    }

    #[test]
    fn a_sample_survives_its_line_of_json() {
        let line = serde_json::to_string(&sample(0.25, 0.5)).unwrap();
        assert!(!line.contains("failed"), "{line}");
        let read: Sample = serde_json::from_str(&line).unwrap();
        assert_eq!(read.figures["seconds"], 0.25);
    }

    #[test]
    fn percentiles_are_values_of_the_list() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.5), Some(50.0));
        assert_eq!(percentile(&values, 0.99), Some(99.0));
        assert_eq!(percentile(&[7.0], 0.99), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
