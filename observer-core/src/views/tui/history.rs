//! New and reused exchanges, second by second, for the chart.

use std::collections::VecDeque;

/// How far back it goes.
const KEPT_SECONDS: usize = 600;

/// Exchanges of a second, or how many there were each second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rate {
    pub(super) new: f64,
    pub(super) reused: f64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// The last one is still going on.
    seconds: VecDeque<Rate>,
    /// What was last added: microseconds since the begin, new, reused.
    last: (u64, u64, u64),
}

impl History {
    /// Takes in totals. What has come since the last time is spread over the time since then.
    pub(super) fn add(&mut self, now_us: u64, new: u64, reused: u64) {
        let (last_us, last_new, last_reused) = self.last;
        let Some(elapsed_us) = now_us.checked_sub(last_us).filter(|elapsed| *elapsed > 0) else { return };
        let (more_new, more_reused) = (new.saturating_sub(last_new) as f64, reused.saturating_sub(last_reused) as f64);
        let begin_us = last_us.max(now_us.saturating_sub(KEPT_SECONDS as u64 * 1_000_000));
        let mut from_us = begin_us;
        while from_us < now_us {
            let to_us = now_us.min((from_us - from_us % 1_000_000).saturating_add(1_000_000));
            let share = (to_us - from_us) as f64 / elapsed_us as f64;
            if from_us % 1_000_000 == 0 || self.seconds.is_empty() {
                self.seconds.push_back(Rate::default());
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

    /// How many seconds a column of a chart of this width stands for, so that all of it has room.
    pub(super) fn seconds_per_column(&self, columns: usize) -> usize {
        self.seconds.len().div_ceil(columns.max(1)).max(1)
    }

    /// Rates (per second) of the last columns, each a mean of so many seconds, the last one still going on.
    pub(super) fn columns(&self, seconds_per_column: usize, columns: usize) -> Vec<Rate> {
        // The begin of a column stays where it is while time goes on, or the picture would flicker.
        let newest_second = (self.last.0.max(1) - 1) / 1_000_000;
        let in_last = (newest_second as usize % seconds_per_column + 1).min(self.seconds.len());
        let mut end = self.seconds.len();
        let mut length = in_last;
        let mut rates = Vec::with_capacity(columns);
        while end > 0 && rates.len() < columns {
            let begin = end.saturating_sub(length);
            let mut seconds = (end - begin) as f64;
            if end == self.seconds.len() {
                seconds -= 1.0 - self.part_of_last();
            }
            let sum = self
                .seconds
                .range(begin..end)
                .fold(Rate::default(), |sum, rate| Rate { new: sum.new + rate.new, reused: sum.reused + rate.reused });
            rates.push(Rate { new: sum.new / seconds, reused: sum.reused / seconds });
            (end, length) = (begin, seconds_per_column);
        }
        rates.reverse();
        rates
    }

    /// How much of the last second is over: above 0, up to 1.
    fn part_of_last(&self) -> f64 {
        ((self.last.0.max(1) - 1) % 1_000_000 + 1) as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_spread_over_its_time() {
        let mut history = History::default();
        history.add(500_000, 4, 0);
        history.add(2_500_000, 8, 20);
        let rates = history.columns(1, 10);
        let rounded: Vec<_> = rates.iter().map(|rate| (rate.new, rate.reused)).collect();
        // 0.5 s with 4, then 2 s with 4 and 20: 5 + 10 + 5, the last of them in half a second.
        assert_eq!(rounded, [(5.0, 5.0), (2.0, 10.0), (2.0, 10.0)]);
    }

    #[test]
    fn columns_stay_where_they_are_while_time_goes_on() {
        let mut history = History::default();
        for second in 1..=9u64 {
            history.add(second * 1_000_000, second, 0);
        }
        assert_eq!(history.seconds_per_column(4), 3);
        assert_eq!(history.columns(3, 4).len(), 3);
        history.add(10_000_000, 100, 0);
        let rates: Vec<f64> = history.columns(3, 4).iter().map(|rate| rate.new).collect();
        assert_eq!(rates, [1.0, 1.0, 1.0, 91.0]);
        let rates: Vec<f64> = history.columns(3, 2).iter().map(|rate| rate.new).collect();
        assert_eq!(rates, [1.0, 91.0]);
    }

    #[test]
    fn it_is_bounded_and_bears_any_clock() {
        let mut history = History::default();
        history.add(0, 1, 1);
        history.add(u64::MAX, 10, 10);
        assert!(history.seconds.len() <= KEPT_SECONDS + 1);
        history.add(5, 11, 11);
        assert_eq!(History::default().columns(1, 5), []);
    }
}
