//! Medians and quartiles of many runs.

use std::fmt;

/// Error probability on each side of the 95 % confidence interval of a median.
const ERROR_ON_EACH_SIDE: f64 = 0.025;

/// The median, and the quartiles around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quartiles {
    pub(crate) median: f64,
    low: f64,
    high: f64,
}

impl Quartiles {
    /// All three are NaN without values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let sorted = sorted(values);
        Self { median: quantile(&sorted, 0.5), low: quantile(&sorted, 0.25), high: quantile(&sorted, 0.75) }
    }

    pub(crate) fn scale(self, factor: f64) -> Self {
        Self { median: self.median * factor, low: self.low * factor, high: self.high * factor }
    }
}

/// `0.981 (0.975 to 0.988)`; the precision sets the digits after the point.
impl fmt::Display for Quartiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Self { median, low, high } = self;
        write!(f, "{median:.digits$} ({low:.digits$} to {high:.digits$})")
    }
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    Quartiles::of(values).median
}

/// Half the width of the 95 % confidence interval of the median. It comes from the order of the values, and assumes no
/// distribution.
pub(crate) fn uncertainty(values: impl IntoIterator<Item = f64>) -> f64 {
    let sorted = sorted(values);
    let n = sorted.len();
    let mut below = 0.0;
    let mut rank = 0;
    // Probability that exactly `rank` of n values lie below the median.
    let mut probability = (-(n as f64)).exp2();
    while rank < n / 2 && below + probability <= ERROR_ON_EACH_SIDE {
        below += probability;
        rank += 1;
        probability *= (n - rank + 1) as f64 / rank as f64;
    }
    let first = rank.saturating_sub(1);
    sorted.get(n.saturating_sub(1 + first)).zip(sorted.get(first)).map_or(f64::NAN, |(high, low)| (high - low) / 2.0)
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// Interpolates linearly between the two nearest values.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    // A search, because converting `place` to an integer would truncate it.
    let below = (0..last).rev().find(|n| *n as f64 <= place).unwrap_or(0);
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_interpolated() {
        assert_eq!(Quartiles::of([4.0, 1.0, 3.0, 2.0, 5.0]), Quartiles { median: 3.0, low: 2.0, high: 4.0 });
        assert_eq!(format!("{:.1}", Quartiles::of([1.0, 2.0])), "1.5 (1.2 to 1.8)");
        assert!(median([]).is_nan());
    }

    #[test]
    fn interval_of_ten_values_runs_from_the_second_to_the_ninth() {
        let ten = (1..=10).map(f64::from);
        assert!((uncertainty(ten) - 3.5).abs() < 1e-9);
        assert!((uncertainty([1.0, 2.0]) - 0.5).abs() < 1e-9);
        assert!(uncertainty([]).is_nan());
    }
}
