//! The trend of a series: a line through the means of its blocks, by least squares.

/// The slope of a line through a series, with its standard error, both per hour.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Slope {
    pub(crate) per_hour: f64,
    pub(crate) error: f64,
}

/// The number of blocks. Samples that follow each other are alike; the means of long blocks are nearly independent.
const BLOCKS: usize = 24;

impl Slope {
    /// The slope of these values at these seconds. Needs at least three samples.
    pub(crate) fn of(samples: &[(f64, f64)]) -> Option<Self> {
        let size = samples.len().div_ceil(BLOCKS).max(1);
        let points: Vec<(f64, f64)> = samples.chunks(size).map(mean).collect();
        if points.len() < 3 {
            return None;
        }

        let (x_mean, y_mean) = mean(&points);
        let sum = |term: &dyn Fn(f64, f64) -> f64| -> f64 {
            points.iter().map(|(x, y)| term(x - x_mean, y - y_mean)).sum()
        };
        let xx = sum(&|x, _| x * x);
        let slope = sum(&|x, y| x * y) / xx;
        let rest = sum(&|x, y| (y - slope * x).powi(2));
        let error = (rest / (count(points.len()) - 2.0) / xx).sqrt();
        Some(Self { per_hour: slope * 3_600.0, error: error * 3_600.0 })
    }

    /// Returns true if the slope exceeds a bound by more than three standard errors.
    pub(crate) fn exceeds(&self, bound: f64) -> bool {
        self.per_hour - 3.0 * self.error > bound
    }
}

/// The mean of some values.
pub(crate) fn mean_of(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let number = count(values.len());
    values.sum::<f64>() / number
}

fn mean(points: &[(f64, f64)]) -> (f64, f64) {
    let number = count(points.len());
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    (x / number, y / number)
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

#[test]
fn the_slope_of_a_line_has_no_error() {
    let samples: Vec<_> = (0..240).map(f64::from).map(|x| (x, 5.0 + x / 3_600.0)).collect();
    let slope = Slope::of(&samples).unwrap();
    assert!((slope.per_hour - 1.0).abs() < 1e-6 && slope.error < 1e-6, "{slope:?}");
    assert!(slope.exceeds(0.9) && !slope.exceeds(1.1));
}

#[test]
fn noise_without_a_trend_exceeds_nothing() {
    // A sawtooth that does not divide the blocks.
    let samples: Vec<_> = (0..700).map(|n| (f64::from(n), f64::from(n * 37 % 101))).collect();
    let slope = Slope::of(&samples).unwrap();
    assert!(!slope.exceeds(0.0), "{slope:?}");
}

#[test]
fn two_samples_have_no_trend() {
    assert_eq!(Slope::of(&[(0.0, 1.0), (1.0, 2.0)]), None);
}
