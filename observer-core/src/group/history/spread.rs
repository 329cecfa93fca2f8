//! The distribution of a number over several connections.

/// Sorted numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread(Vec<u64>);

impl Spread {
    pub(crate) fn new(mut numbers: Vec<u64>) -> Self {
        numbers.sort_unstable();
        Self(numbers)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each number with its frequency.
    pub fn runs(&self) -> impl Iterator<Item = (u64, usize)> {
        self.0.chunk_by(|one, next| one == next).map(|run| (run[0], run.len()))
    }

    /// Whether at least three quarters are the same number.
    pub fn is_mostly_one(&self) -> bool {
        self.runs().any(|(_, times)| times * 4 >= self.len() * 3)
    }

    pub fn median(&self) -> Option<u64> {
        self.0.get(self.0.len() / 2).copied()
    }

    /// The lower quartile: a quarter of the numbers are smaller.
    pub fn lower_quartile(&self) -> Option<u64> {
        self.0.get(self.0.len() / 4).copied()
    }

    /// Whether all are the same number.
    pub fn is_constant(&self) -> bool {
        self.0.first() == self.0.last()
    }

    /// Whether there are at least five, and the middle half spans at most a tenth of the median. Outliers do not matter.
    pub fn is_narrow(&self) -> bool {
        let n = self.0.len();
        let (Some(low), Some(high), Some(median)) = (self.0.get(n / 4), self.0.get(n * 3 / 4), self.median()) else {
            return false;
        };
        n >= 5 && (high - low) * 10 <= median
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_do_not_matter() {
        let spread = Spread(vec![10, 1000, 1001, 1002, 1003, 1004, 90_000]);
        assert_eq!((spread.median(), spread.is_narrow()), (Some(1002), true));
        assert!(!Spread(vec![1000; 4]).is_narrow(), "too few");
        assert!(!Spread(vec![10, 20, 30, 40, 50]).is_narrow());
        assert!(!Spread(Vec::new()).is_narrow());
    }
}
