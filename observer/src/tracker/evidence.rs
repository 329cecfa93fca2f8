//! What single connections of a group have shown: bounded, so that the last ones speak for all. How many there were of
//! what kind, the counters say.

use std::{collections::VecDeque, num::NonZeroU64};

use crate::event::{Application, Cause, Connection, Protocol};

/// Closes that are remembered of a group.
const KEPT: usize = 32;

/// A login and what is asked behind it take no more turns and no longer; what does may be a session.
const TASK_TURNS: u64 = 16;
const TASK_US: u64 = 10_000_000;

/// Fewer successions than these show no habit.
const FEW_PAIRS: usize = 3;

/// What was counted as the exchanges of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    /// Each is a request with its response.
    Requests,
    /// The same within TLS, whose own messages are payload too.
    EncryptedRequests,
    /// The upgrade to a WebSocket. Its messages are no exchanges, and need no answer.
    Messages,
    /// Turns, which may be anything: HTTP/2 interleaves its requests, and other protocols were not recognised.
    Turns,
}

impl Carried {
    fn by(connection: &Connection) -> Self {
        if !connection.exact || connection.protocol == Protocol::Http2 {
            Self::Turns
        } else if connection.application == Application::Websocket {
            Self::Messages
        } else if connection.protocol == Protocol::Tls {
            Self::EncryptedRequests
        } else {
            Self::Requests
        }
    }
}

/// A connection that has ended. Small, because thousands of groups remember some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) unix_ns: i64,
    idle_us: Option<NonZeroU64>,
    lifetime_us: Option<NonZeroU64>,
    /// This many or more.
    exchanges: u32,
    unread_bytes: u32,
    /// How many others of its group were idle then.
    idle_beside: u32,
    /// 0 if it is not known.
    pub(crate) local_port: u16,
    pub(crate) cause: Cause,
    carried: Carried,
}

const _: () = assert!(size_of::<Ended>() == 40);

impl Ended {
    pub(crate) fn is_exact(&self) -> bool {
        self.carried != Carried::Turns
    }

    /// Whether each of its exchanges is known to be a request with its response.
    pub(super) fn carried_requests(&self) -> bool {
        matches!(self.carried, Carried::Requests | Carried::EncryptedRequests)
    }

    pub(super) fn carried_encrypted_requests(&self) -> bool {
        self.carried == Carried::EncryptedRequests
    }

    /// Whether its exchanges may be requests, each with its response.
    pub(super) fn may_have_carried_requests(&self) -> bool {
        self.carried != Carried::Messages
    }

    pub(crate) fn exchanges(&self) -> u64 {
        self.exchanges.into()
    }

    pub(crate) fn unread_bytes(&self) -> u64 {
        self.unread_bytes.into()
    }

    pub(crate) fn idle_us(&self) -> Option<u64> {
        self.idle_us.map(NonZeroU64::get)
    }

    pub(crate) fn lifetime_us(&self) -> Option<u64> {
        self.lifetime_us.map(NonZeroU64::get)
    }

    /// Whether it was opened when another one had ended, but for what the rows' times are off by.
    fn began_after(&self, other: &Self) -> bool {
        let lifetime_us = self.lifetime_us.map_or(0, NonZeroU64::get);
        let began_ns = self.unix_ns.saturating_sub(i64::try_from(lifetime_us * 1000).unwrap_or(i64::MAX));
        let slack_ns = i64::try_from(lifetime_us * 250).unwrap_or(i64::MAX);
        self.lifetime_us.is_some() && began_ns.saturating_add(slack_ns) >= other.unix_ns
    }

    pub(crate) fn idle_beside(&self) -> u64 {
        self.idle_beside.into()
    }
}

/// No time is less than a microsecond.
fn at_least_1(us: u64) -> NonZeroU64 {
    NonZeroU64::new(us).unwrap_or(NonZeroU64::MIN)
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

    pub(super) fn closed(&mut self, unix_ns: i64, connection: &Connection) {
        let Some(cause) = connection.cause else { return };
        self.remember(Ended {
            unix_ns,
            idle_us: connection.idle_us.map(at_least_1),
            lifetime_us: connection.lifetime_us.map(at_least_1),
            exchanges: u32::try_from(connection.exchanges).unwrap_or(u32::MAX),
            unread_bytes: connection.unread_bytes.unwrap_or(0),
            idle_beside: connection.idle_at_end,
            local_port: connection.local.map_or(0, |local| local.port()),
            cause,
            carried: Carried::by(connection),
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
        if !other.ended.is_empty() {
            self.ended.extend(&other.ended);
            self.ended.make_contiguous().sort_by_key(|ended| ended.unix_ns);
            self.ended.drain(..self.ended.len().saturating_sub(KEPT));
        }
        self.most_idle_at_open = self.most_idle_at_open.max(other.most_idle_at_open);
        self.most_busy = self.most_busy.max(other.most_busy);
    }

    /// Whether the connections took turns, each for a task as short as a login with a request or two behind it: most of them
    /// began when the one before had ended.
    pub(super) fn is_a_task_each(&self) -> bool {
        let pairs = self.ended.len().saturating_sub(1);
        let in_sequence = self.ended.iter().zip(self.ended.iter().skip(1)).filter(|(one, next)| next.began_after(one));
        let median = |number: fn(&Ended) -> Option<u64>| {
            let mut numbers: Vec<u64> = self.ended.iter().filter_map(number).collect();
            numbers.sort_unstable();
            Spread(numbers).median()
        };
        pairs >= FEW_PAIRS
            && in_sequence.count() * 4 >= pairs * 3
            && median(|ended| Some(ended.exchanges())).is_some_and(|turns| turns <= TASK_TURNS)
            && median(Ended::lifetime_us).is_some_and(|lifetime_us| lifetime_us <= TASK_US)
    }

    /// Those that ended last, the last one first.
    pub(crate) fn last_ended(&self) -> impl Iterator<Item = &Ended> {
        self.ended.iter().rev()
    }

    /// How many of those that are remembered ended by this cause and are such.
    pub(super) fn count(&self, cause: Cause, is_such: impl Fn(&Ended) -> bool) -> u64 {
        self.ended.iter().filter(|ended| ended.cause == cause && is_such(ended)).count() as u64
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

    /// Each number, and how often it is there.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u64, usize)> {
        self.0.chunk_by(|one, next| one == next).map(|run| (run[0], run.len()))
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

    fn ended(n: u32) -> Ended {
        Ended {
            unix_ns: n.into(),
            idle_us: None,
            lifetime_us: None,
            exchanges: n,
            unread_bytes: 0,
            idle_beside: 0,
            local_port: 0,
            cause: Cause::ServerIdle,
            carried: Carried::Requests,
        }
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
    fn only_what_is_counted_exactly_is_known_to_be_requests() {
        let carried = |exact, protocol, application| {
            Carried::by(&Connection { protocol, application, exact, ..Connection::nothing_known() })
        };
        assert_eq!(carried(true, Protocol::Plain, Application::Http1), Carried::Requests);
        assert_eq!(carried(true, Protocol::Tls, Application::Unknown), Carried::EncryptedRequests);
        assert_eq!(carried(true, Protocol::Unknown, Application::Unknown), Carried::Requests, "of an old recording");
        assert_eq!(carried(true, Protocol::Plain, Application::Websocket), Carried::Messages);
        assert_eq!(carried(false, Protocol::Plain, Application::Websocket), Carried::Turns);
        assert_eq!(carried(false, Protocol::Plain, Application::Mqtt), Carried::Turns);
        assert_eq!(carried(true, Protocol::Http2, Application::Http2), Carried::Turns, "whatever a recording says");
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
        let numbers: Vec<u32> = odd.last_ended().map(|ended| ended.exchanges).collect();
        assert_eq!(numbers, (kept..2 * kept).rev().collect::<Vec<_>>());
    }
}
