//! What single connections of a group have shown: bounded, so that the last ones speak for all. How many there were of
//! what kind, the counters say.

use std::collections::VecDeque;

use crate::event::{Cause, Connection};

/// Closes that are remembered of a group.
const KEPT: usize = 32;

/// A connection that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) cause: Cause,
    pub(crate) exchanges: u64,
    pub(crate) unread_bytes: u64,
    pub(crate) idle_us: Option<u64>,
    pub(crate) lifetime_us: Option<u64>,
    /// How many others of its group were idle then.
    pub(crate) idle_beside: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    ended: VecDeque<Ended>,
    /// The most that were idle when another connection was opened, and the most that were in use at once.
    pub(crate) most_idle_at_open: u64,
    pub(crate) most_busy: u64,
}

impl Evidence {
    pub(super) fn opened(&mut self, connection: &Connection) {
        self.most_idle_at_open = self.most_idle_at_open.max(connection.idle_at_open.into());
        self.most_busy = self.most_busy.max(connection.busy_at_open.into());
    }

    pub(super) fn closed(&mut self, connection: &Connection) {
        let Some(cause) = connection.cause else { return };
        self.remember(Ended {
            cause,
            exchanges: connection.exchanges,
            unread_bytes: connection.unread_bytes.unwrap_or(0).into(),
            idle_us: connection.idle_us,
            lifetime_us: connection.lifetime_us,
            idle_beside: connection.idle_at_end.into(),
        });
    }

    fn remember(&mut self, ended: Ended) {
        if self.ended.len() == KEPT {
            self.ended.pop_front();
        }
        self.ended.push_back(ended);
    }

    /// Takes in what another process of the same name has shown.
    pub(super) fn absorb(&mut self, other: &Self) {
        for ended in &other.ended {
            self.remember(*ended);
        }
        self.most_idle_at_open = self.most_idle_at_open.max(other.most_idle_at_open);
        self.most_busy = self.most_busy.max(other.most_busy);
    }

    /// A number of the connections that ended by this cause, in order of size; without those of which it is not known.
    pub(crate) fn of(&self, cause: Cause, number: impl Fn(&Ended) -> Option<u64>) -> Spread {
        let mut numbers: Vec<u64> = self.ended.iter().filter(|ended| ended.cause == cause).filter_map(number).collect();
        numbers.sort_unstable();
        Spread(numbers)
    }
}

/// Numbers in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spread(Vec<u64>);

impl Spread {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn min(&self) -> Option<u64> {
        self.0.first().copied()
    }

    pub(crate) fn median(&self) -> Option<u64> {
        self.0.get(self.0.len() / 2).copied()
    }

    /// Whether they are all the same.
    pub(crate) fn is_constant(&self) -> bool {
        self.0.first() == self.0.last()
    }

    /// Whether the middle half of at least five lies within a tenth of the median: one that is off changes nothing.
    pub(crate) fn is_narrow(&self) -> bool {
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

    #[test]
    fn the_last_ones_are_remembered() {
        let mut evidence = Evidence::default();
        for exchanges in 0..100 {
            let cause = Cause::ServerIdle;
            evidence.remember(Ended {
                cause,
                exchanges,
                unread_bytes: 0,
                idle_us: None,
                lifetime_us: None,
                idle_beside: 0,
            });
        }
        let exchanges = evidence.of(Cause::ServerIdle, |ended| Some(ended.exchanges));
        assert_eq!((exchanges.len(), exchanges.min()), (KEPT, Some(68)));
        assert_eq!(evidence.of(Cause::ServerIdle, |ended| ended.idle_us).len(), 0);
        assert_eq!(evidence.of(Cause::ClientIdle, |ended| Some(ended.exchanges)).len(), 0);
    }
}
