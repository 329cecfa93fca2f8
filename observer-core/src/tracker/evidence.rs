//! What single connections of a group have shown: bounded, so that the last ones speak for all. How many there were of
//! what kind, the counters say.

mod ended;
mod spread;

use std::collections::VecDeque;

use crate::model::{Cause, Connection};
pub use ended::Ended;
pub use spread::Spread;

/// Closes that are remembered of a group.
const KEPT: usize = 32;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    ended: VecDeque<Ended>,
    /// The most that were idle when another connection was opened, and the most that were in use at once.
    pub most_idle_at_open: u64,
    pub most_busy: u64,
    /// The most that were open when another one was opened; of several processes, those of each.
    pub most_beside: u64,
}

impl Evidence {
    pub(super) fn opened(&mut self, connection: &Connection) {
        let (idle, busy) = (connection.idle_at_open.into(), connection.busy_at_open.into());
        self.most_idle_at_open = self.most_idle_at_open.max(idle);
        self.most_busy = self.most_busy.max(busy);
        self.most_beside = self.most_beside.max((idle + busy).saturating_sub(1));
    }

    /// `established_ns`: when the connection was, if that is known.
    pub(super) fn closed(&mut self, unix_ns: i64, established_ns: Option<i64>, connection: &Connection) {
        if let Some(ended) = Ended::new(unix_ns, established_ns, connection) {
            self.remember(ended);
        }
    }

    fn remember(&mut self, ended: Ended) {
        if self.ended.len() == KEPT {
            self.ended.pop_front();
        }
        self.ended.push_back(ended);
    }

    /// Takes in what another process of the same name has shown.
    pub(super) fn absorb(&mut self, other: &Self) {
        if !other.ended.is_empty() {
            self.ended.extend(&other.ended);
            self.ended.make_contiguous().sort_by_key(Ended::ended_ns);
            self.ended.drain(..self.ended.len().saturating_sub(KEPT));
        }
        self.most_idle_at_open = self.most_idle_at_open.max(other.most_idle_at_open);
        self.most_busy = self.most_busy.max(other.most_busy);
        self.most_beside += other.most_beside;
    }

    /// Those that ended last, the last one first.
    pub fn last_ended(&self) -> impl Iterator<Item = &Ended> {
        self.ended.iter().rev()
    }

    /// Those that are remembered and are such, in the order in which they began.
    pub(super) fn in_order(&self, is_such: impl Fn(&Ended) -> bool) -> Vec<&Ended> {
        let mut such: Vec<&Ended> = self.ended.iter().filter(|ended| is_such(ended)).collect();
        such.sort_by_key(|ended| ended.began_ns());
        such
    }

    /// How many of those that are remembered ended by this cause and are such.
    pub(super) fn count(&self, cause: Cause, is_such: impl Fn(&Ended) -> bool) -> u64 {
        self.ended.iter().filter(|ended| ended.cause == cause && is_such(ended)).count() as u64
    }

    /// A number of the connections that ended by this cause, in order of size; without those of which it is not known.
    pub fn of(&self, cause: Cause, number: impl Fn(&Ended) -> Option<u64>) -> Spread {
        self.spread(|ended| number(ended).filter(|_| ended.cause == cause))
    }

    /// The same of all of them.
    pub(super) fn spread(&self, number: impl Fn(&Ended) -> Option<u64>) -> Spread {
        Spread::new(self.ended.iter().filter_map(number).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(n: u32) -> Ended {
        let cause = Some(Cause::ServerIdle);
        Ended::new(n.into(), None, &Connection { cause, exchanges: n.into(), ..Connection::nothing_known() }).unwrap()
    }

    #[test]
    fn the_last_ones_are_remembered() {
        let mut evidence = Evidence::default();
        (0..100).for_each(|n| evidence.remember(ended(n)));
        let exchanges = evidence.of(Cause::ServerIdle, |ended| Some(ended.exchanges()));
        assert_eq!((exchanges.len(), exchanges.runs().next()), (KEPT, Some((68, 1))));
        assert_eq!(evidence.of(Cause::ServerIdle, Ended::idle_us).len(), 0);
        assert_eq!(evidence.of(Cause::ClientIdle, |ended| Some(ended.exchanges())).len(), 0);
    }

    #[test]
    fn of_several_processes_the_last_ones_are_remembered() {
        let [mut odd, mut even] = [Evidence::default(), Evidence::default()];
        let kept = KEPT as u32;
        (0..kept).for_each(|n| {
            odd.remember(ended(2 * n + 1));
            even.remember(ended(2 * n));
        });
        odd.absorb(&even);
        let numbers: Vec<u64> = odd.last_ended().map(Ended::exchanges).collect();
        assert_eq!(numbers, (kept..2 * kept).rev().map(u64::from).collect::<Vec<_>>());
    }
}
