//! The history of a group: its last closed connections, and the highest numbers that were idle or in use at once. It is
//! bounded, so the last connections represent all; the counters have the number of each kind.

mod closed_connection;
mod spread;

use std::collections::VecDeque;

use crate::model::{Cause, Connection};
pub use closed_connection::ClosedConnection;
pub use spread::Spread;

/// Maximum number of closed connections in a history.
const MOST_CLOSED: usize = 32;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    closed: VecDeque<ClosedConnection>,
    /// The highest number of connections that were idle when another one was opened, and that were in use at once.
    pub most_idle_at_open: u64,
    pub most_busy: u64,
    /// The highest number of connections that were open when another one was opened. For several processes, the sum of
    /// their numbers.
    pub most_beside: u64,
}

impl History {
    pub fn opened(&mut self, connection: &Connection) {
        let (idle, busy) = (connection.idle_at_open.into(), connection.busy_at_open.into());
        self.most_idle_at_open = self.most_idle_at_open.max(idle);
        self.most_busy = self.most_busy.max(busy);
        self.most_beside = self.most_beside.max((idle + busy).saturating_sub(1));
    }

    /// `established_ns`: None if unknown.
    pub fn closed(&mut self, unix_ns: i64, established_ns: Option<i64>, connection: &Connection) {
        if let Some(closed) = ClosedConnection::new(unix_ns, established_ns, connection) {
            self.remember(closed);
        }
    }

    fn remember(&mut self, closed: ClosedConnection) {
        if self.closed.len() == MOST_CLOSED {
            self.closed.pop_front();
        }
        self.closed.push_back(closed);
    }

    /// Adds the history of another process of the same name.
    pub fn absorb(&mut self, other: &Self) {
        if !other.closed.is_empty() {
            self.closed.extend(&other.closed);
            self.closed.make_contiguous().sort_by_key(ClosedConnection::ended_ns);
            self.closed.drain(..self.closed.len().saturating_sub(MOST_CLOSED));
        }
        self.most_idle_at_open = self.most_idle_at_open.max(other.most_idle_at_open);
        self.most_busy = self.most_busy.max(other.most_busy);
        self.most_beside += other.most_beside;
    }

    /// The last closed connections, the latest first.
    pub fn last_closed(&self) -> impl Iterator<Item = &ClosedConnection> {
        self.closed.iter().rev()
    }

    /// The matching connections, by the time at which they began.
    pub(crate) fn in_order(&self, matches: impl Fn(&ClosedConnection) -> bool) -> Vec<&ClosedConnection> {
        let mut matching: Vec<&ClosedConnection> = self.closed.iter().filter(|closed| matches(closed)).collect();
        matching.sort_by_key(|closed| closed.began_ns());
        matching
    }

    /// The number of matching connections that ended by this cause.
    pub(crate) fn count(&self, cause: Cause, matches: impl Fn(&ClosedConnection) -> bool) -> u64 {
        self.closed.iter().filter(|closed| closed.cause == cause && matches(closed)).count() as u64
    }

    /// The distribution of a number over the connections that ended by this cause. Unknown numbers are left out.
    pub fn of(&self, cause: Cause, number: impl Fn(&ClosedConnection) -> Option<u64>) -> Spread {
        self.spread(|closed| number(closed).filter(|_| closed.cause == cause))
    }

    /// The distribution of a number over all connections. Unknown numbers are left out.
    pub(crate) fn spread(&self, number: impl Fn(&ClosedConnection) -> Option<u64>) -> Spread {
        Spread::new(self.closed.iter().filter_map(number).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(n: u32) -> ClosedConnection {
        let cause = Some(Cause::ServerIdle);
        ClosedConnection::new(n.into(), None, &Connection { cause, exchanges: n.into(), ..Connection::unknown() })
            .unwrap()
    }

    #[test]
    fn only_the_last_connections_are_remembered() {
        let mut evidence = History::default();
        (0..100).for_each(|n| evidence.remember(closed(n)));
        let exchanges = evidence.of(Cause::ServerIdle, |closed| Some(closed.exchanges()));
        assert_eq!((exchanges.len(), exchanges.runs().next()), (MOST_CLOSED, Some((68, 1))));
        assert_eq!(evidence.of(Cause::ServerIdle, ClosedConnection::idle_us).len(), 0);
        assert_eq!(evidence.of(Cause::ClientIdle, |closed| Some(closed.exchanges())).len(), 0);
    }

    #[test]
    fn merged_histories_keep_the_last_connections() {
        let [mut odd, mut even] = [History::default(), History::default()];
        let kept = MOST_CLOSED as u32;
        (0..kept).for_each(|n| {
            odd.remember(closed(2 * n + 1));
            even.remember(closed(2 * n));
        });
        odd.absorb(&even);
        let numbers: Vec<u64> = odd.last_closed().map(ClosedConnection::exchanges).collect();
        assert_eq!(numbers, (kept..2 * kept).rev().map(u64::from).collect::<Vec<_>>());
    }
}
