//! New and reused exchanges per second, for the chart.

use std::collections::VecDeque;

/// Older seconds are dropped.
const KEPT_SECONDS: usize = 600;

/// Exchanges per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ExchangeRate {
    pub(crate) new: f64,
    pub(crate) reused: f64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    /// The last one is incomplete.
    seconds: VecDeque<ExchangeRate>,
    /// The last totals: microseconds since the start of the watch, new exchanges, reused exchanges.
    last: (u64, u64, u64),
}

impl Timeline {
    /// Adds the totals at a time. Exchanges since the last call are spread evenly over the time between.
    pub(crate) fn add(&mut self, now_us: u64, new: u64, reused: u64) {
        let (last_us, last_new, last_reused) = self.last;
        let Some(elapsed_us) = now_us.checked_sub(last_us).filter(|elapsed| *elapsed > 0) else { return };
        let (more_new, more_reused) = (new.saturating_sub(last_new) as f64, reused.saturating_sub(last_reused) as f64);
        let begin_us = last_us.max(now_us.saturating_sub(KEPT_SECONDS as u64 * 1_000_000));
        let mut from_us = begin_us;
        while from_us < now_us {
            let to_us = now_us.min((from_us - from_us % 1_000_000).saturating_add(1_000_000));
            let share = (to_us - from_us) as f64 / elapsed_us as f64;
            if from_us % 1_000_000 == 0 || self.seconds.is_empty() {
                self.seconds.push_back(ExchangeRate::default());
            }
            if let Some(rate) = self.seconds.back_mut() {
                rate.new += more_new * share;
                rate.reused += more_reused * share;
            }
            from_us = to_us;
        }
        while self.seconds.len() > KEPT_SECONDS {
            self.seconds.pop_front();
        }
        self.last = (now_us, new, reused);
    }

    /// Seconds per column of a chart of this width that shows all seconds kept.
    pub(crate) fn seconds_per_column(&self, columns: usize) -> usize {
        self.seconds.len().div_ceil(columns.max(1)).max(1)
    }

    /// The rates of the last columns, each a mean over `seconds_per_column`. The last column is incomplete.
    pub(crate) fn columns(&self, seconds_per_column: usize, columns: usize) -> Vec<ExchangeRate> {
        // Columns start at fixed seconds. If they moved with time, the chart would flicker.
        let newest_second = (self.last.0.max(1) - 1) / 1_000_000;
        let in_last = (newest_second as usize % seconds_per_column + 1).min(self.seconds.len());
        let mut end = self.seconds.len();
        let mut length = in_last;
        let mut rates = Vec::with_capacity(columns);
        while end > 0 && rates.len() < columns {
            let begin = end.saturating_sub(length);
            let mut seconds = (end - begin) as f64;
            if end == self.seconds.len() {
                seconds -= 1.0 - self.elapsed_part_of_last();
            }
            let sum = self.seconds.range(begin..end).fold(ExchangeRate::default(), |sum, rate| ExchangeRate {
                new: sum.new + rate.new,
                reused: sum.reused + rate.reused,
            });
            rates.push(ExchangeRate { new: sum.new / seconds, reused: sum.reused / seconds });
            (end, length) = (begin, seconds_per_column);
        }
        rates.reverse();
        rates
    }

    /// The elapsed part of the last second: above 0, up to 1.
    fn elapsed_part_of_last(&self) -> f64 {
        ((self.last.0.max(1) - 1) % 1_000_000 + 1) as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_are_spread_over_the_time_between_totals() {
        let mut timeline = Timeline::default();
        timeline.add(500_000, 4, 0);
        timeline.add(2_500_000, 8, 20);
        let rates = timeline.columns(1, 10);
        let rounded: Vec<_> = rates.iter().map(|rate| (rate.new, rate.reused)).collect();
        // 0.5 s with 4, then 2 s with 4 and 20: 5 + 10 + 5, the last of them in half a second.
        assert_eq!(rounded, [(5.0, 5.0), (2.0, 10.0), (2.0, 10.0)]);
    }

    #[test]
    fn columns_start_at_fixed_seconds() {
        let mut timeline = Timeline::default();
        for second in 1..=9u64 {
            timeline.add(second * 1_000_000, second, 0);
        }
        assert_eq!(timeline.seconds_per_column(4), 3);
        assert_eq!(timeline.columns(3, 4).len(), 3);
        timeline.add(10_000_000, 100, 0);
        let rates: Vec<f64> = timeline.columns(3, 4).iter().map(|rate| rate.new).collect();
        assert_eq!(rates, [1.0, 1.0, 1.0, 91.0]);
        let rates: Vec<f64> = timeline.columns(3, 2).iter().map(|rate| rate.new).collect();
        assert_eq!(rates, [1.0, 91.0]);
    }

    #[test]
    fn timeline_is_bounded_even_if_the_clock_jumps() {
        let mut timeline = Timeline::default();
        timeline.add(0, 1, 1);
        timeline.add(u64::MAX, 10, 10);
        assert!(timeline.seconds.len() <= KEPT_SECONDS + 1);
        timeline.add(5, 11, 11);
        assert_eq!(Timeline::default().columns(1, 5), []);
    }
}
