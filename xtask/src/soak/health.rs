//! Samples of a watch's memory, which show whether it grows.

use std::time::Duration;

use crate::support::running::{mapped_kib_of, status_of};
use crate::support::statistics::median;

/// Share of the soak that the memory check excludes. By then, every kind of churn has occurred more than once.
const WARM_UP: f64 = 0.5;

/// Number of points in the printed course of memory.
const COURSE: usize = 24;

pub(super) struct Health {
    warm_up: Duration,
    /// Memory in KiB at each sample, from the first.
    course: Vec<u64>,
    /// Hours since the start and memory in KiB, after the warm-up.
    memory: Vec<(f64, f64)>,
}

impl Health {
    pub(super) fn new(duration: Duration) -> Self {
        Self { warm_up: duration.mul_f64(WARM_UP), course: Vec::new(), memory: Vec::new() }
    }

    pub(super) fn sample(&mut self, elapsed: Duration, pid: u32) {
        let kib = status_of(pid, "VmRSS").unwrap_or(0).saturating_sub(mapped_kib_of(pid));
        self.course.push(kib);
        if elapsed > self.warm_up {
            self.memory.push((elapsed.as_secs_f64() / 3600.0, kib as f64));
        }
    }

    /// Slope of the regression line through all samples, in KiB per hour (least squares).
    pub(super) fn kib_an_hour(&self) -> f64 {
        let n = self.memory.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| self.memory.iter().map(of).sum::<f64>() / n;
        let (middle, level) = (mean(|sample| sample.0), mean(|sample| sample.1));
        let together: f64 = self.memory.iter().map(|(at, kib)| (at - middle) * (kib - level)).sum();
        together / self.memory.iter().map(|(at, _)| (at - middle).powi(2)).sum::<f64>()
    }

    /// Median memory of the first half of the samples, and of the second. A leak raises the medians. Other growth does
    /// not: the allocator keeps memory in steps, which make a regression line steep for a minute, and queued rows make
    /// occasional peaks of some MiB.
    pub(super) fn median_kib(&self) -> (f64, f64) {
        let (before, after) = self.memory.split_at(self.memory.len() / 2);
        let of = |samples: &[(f64, f64)]| median(samples.iter().map(|sample| sample.1));
        (of(before), of(after))
    }

    /// Memory in MiB over time, in at most [`COURSE`] numbers.
    pub(super) fn course(&self) -> String {
        let step = self.course.len().div_ceil(COURSE).max(1);
        let mib = self.course.iter().step_by(step).map(|kib| (kib / 1024).to_string());
        mib.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slope_matches_the_regression_line() {
        let memory = (0..10).map(|n| (f64::from(n), 100.0 + 3.0 * f64::from(n) + f64::from(n % 2))).collect();
        let health = Health { warm_up: Duration::ZERO, course: vec![2048; 100], memory };
        assert!((health.kib_an_hour() - 3.0).abs() < 0.1, "{}", health.kib_an_hour());
        assert_eq!(health.median_kib(), (106.0, 122.0));
        assert_eq!(health.course(), ["2"; 20].join(" "));
    }

    #[test]
    fn leak_raises_the_median_and_peaks_do_not() {
        let health = |memory| Health { warm_up: Duration::ZERO, course: Vec::new(), memory };
        let with_peaks =
            (0..100).map(|n| (f64::from(n), if n % 10 == 7 { 40_000.0 + f64::from(n) * 100.0 } else { 25_000.0 }));
        assert_eq!(health(with_peaks.collect()).median_kib(), (25_000.0, 25_000.0));
        let leaking = (0..100).map(|n| (f64::from(n), 25_000.0 + f64::from(n) * 100.0));
        assert_eq!(health(leaking.collect()).median_kib(), (27_450.0, 32_450.0));
    }
}
