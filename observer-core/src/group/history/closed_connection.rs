//! A closed connection, reduced to the data that diagnoses need.

use std::num::NonZeroU64;

use crate::model::{Application, Cause, Connection, Protocol};

/// Limits of a unit of work. Counted in turns, it may take twice as many, because a login takes up to eight. A
/// connection with more exchanges or a longer life may be a session.
const FEW_EXCHANGES: u64 = 20;
const FEW_TURNS: u64 = 40;
const SHORT_LIFE_US: u64 = 10_000_000;

/// The kind of exchanges that a connection carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    /// Each is a request with its response.
    Requests,
    /// Requests inside TLS. Messages of TLS itself count as payload too.
    EncryptedRequests,
    /// The upgrade to a WebSocket. Its messages are not exchanges and need no answer.
    Messages,
    /// Nothing but the login to a broker was answered. Its messages need no answer.
    Announcements,
    /// Turns, which may be anything: HTTP/2 interleaves its requests, and other protocols were not recognised.
    Turns,
    /// Turns inside TLS, except HTTP/2: most likely a protocol with a login.
    EncryptedTurns,
}

impl Carried {
    fn of(connection: &Connection) -> Self {
        let is_broker = matches!(connection.application, Application::Mqtt | Application::Nats | Application::Amqp);
        if connection.cause == Some(Cause::Unused) && is_broker {
            Self::Announcements
        } else if !connection.exact && connection.protocol == Protocol::Tls {
            Self::EncryptedTurns
        } else if !connection.exact || connection.protocol == Protocol::Http2 {
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

/// Small, because thousands of groups each remember some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedConnection {
    /// When one side closed it, in nanoseconds since 1970.
    end_ns: i64,
    idle_us: Option<NonZeroU64>,
    lifetime_us: Option<NonZeroU64>,
    /// Saturates.
    exchanges: u32,
    unread_bytes: u32,
    /// Connections of its group that were idle when it ended.
    idle_beside: u32,
    /// 0 if unknown.
    pub local_port: u16,
    pub cause: Cause,
    carried: Carried,
}

const _: () = assert!(size_of::<ClosedConnection>() == 40);

impl ClosedConnection {
    /// None for an open connection. `unix_ns`: the time of the row, used as the end of the connection if its beginning
    /// or lifetime is unknown.
    pub(crate) fn new(unix_ns: i64, established_ns: Option<i64>, connection: &Connection) -> Option<Self> {
        Some(Self {
            end_ns: established_ns.zip(connection.lifetime_us).map_or(unix_ns, |(established_ns, lifetime_us)| {
                established_ns.saturating_add(nanoseconds(lifetime_us))
            }),
            idle_us: connection.idle_us.map(at_least_1),
            lifetime_us: connection.lifetime_us.map(at_least_1),
            exchanges: u32::try_from(connection.exchanges).unwrap_or(u32::MAX),
            unread_bytes: connection.unread_bytes.unwrap_or(0),
            idle_beside: connection.idle_at_end,
            local_port: connection.local.map_or(0, |local| local.port()),
            cause: connection.cause?,
            carried: Carried::of(connection),
        })
    }

    pub fn is_exact(&self) -> bool {
        matches!(self.carried, Carried::Requests | Carried::EncryptedRequests | Carried::Messages)
    }

    /// Whether each exchange is known to be a request with its response.
    pub(crate) fn carried_requests(&self) -> bool {
        matches!(self.carried, Carried::Requests | Carried::EncryptedRequests)
    }

    pub(crate) fn carried_encrypted_requests(&self) -> bool {
        self.carried == Carried::EncryptedRequests
    }

    pub(crate) fn carried_encrypted_turns(&self) -> bool {
        self.carried == Carried::EncryptedTurns
    }

    /// Whether the exchanges may be requests, each with its response.
    pub(crate) fn may_have_carried_requests(&self) -> bool {
        self.carried != Carried::Messages
    }

    pub fn exchanges(&self) -> u64 {
        self.exchanges.into()
    }

    pub fn unread_bytes(&self) -> u64 {
        self.unread_bytes.into()
    }

    pub fn idle_us(&self) -> Option<u64> {
        self.idle_us.map(NonZeroU64::get)
    }

    pub fn lifetime_us(&self) -> Option<u64> {
        self.lifetime_us.map(NonZeroU64::get)
    }

    /// When it was established, or when it ended if its lifetime is unknown.
    pub(crate) fn began_ns(&self) -> i64 {
        self.end_ns.saturating_sub(nanoseconds(self.lifetime_us().unwrap_or(0)))
    }

    pub fn ended_ns(&self) -> i64 {
        self.end_ns
    }

    /// The time of the last read.
    pub(crate) fn last_used_ns(&self) -> i64 {
        self.ended_ns().saturating_sub(nanoseconds(self.idle_us().unwrap_or(0)))
    }

    /// From established to the last read.
    pub(crate) fn used_us(&self) -> Option<u64> {
        Some(self.lifetime_us()?.saturating_sub(self.idle_us().unwrap_or(0)))
    }

    /// Whether only its login to a broker was answered, so it may have sent a message.
    pub(crate) fn may_have_announced(&self) -> bool {
        self.carried == Carried::Announcements
    }

    /// Whether it carried no more than a unit of work: a few exchanges in a short time.
    pub(crate) fn is_brief(&self) -> bool {
        let few = if self.is_exact() { FEW_EXCHANGES } else { FEW_TURNS };
        let least = u64::from(!self.may_have_announced());
        (least..=few).contains(&self.exchanges()) && self.used_us().is_some_and(|used_us| used_us <= SHORT_LIFE_US)
    }

    pub fn idle_beside(&self) -> u64 {
        self.idle_beside.into()
    }
}

/// Times are at least a microsecond.
fn at_least_1(us: u64) -> NonZeroU64 {
    NonZeroU64::new(us).unwrap_or(NonZeroU64::MIN)
}

fn nanoseconds(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_counts_are_known_to_be_requests() {
        let carried = |exact, protocol, application| {
            Carried::of(&Connection { protocol, application, exact, ..Connection::unknown() })
        };
        assert_eq!(carried(true, Protocol::Plain, Application::Http1), Carried::Requests);
        assert_eq!(carried(true, Protocol::Tls, Application::Unknown), Carried::EncryptedRequests);
        assert_eq!(carried(true, Protocol::Unknown, Application::Unknown), Carried::Requests, "of an old recording");
        assert_eq!(carried(true, Protocol::Plain, Application::Websocket), Carried::Messages);
        assert_eq!(carried(false, Protocol::Plain, Application::Websocket), Carried::Turns);
        assert_eq!(carried(false, Protocol::Plain, Application::Mqtt), Carried::Turns);
        assert_eq!(carried(false, Protocol::Tls, Application::Unknown), Carried::EncryptedTurns);
        assert_eq!(carried(false, Protocol::Http2, Application::Http2), Carried::Turns);
        assert_eq!(carried(true, Protocol::Http2, Application::Http2), Carried::Turns, "regardless of the recording");
    }

    #[test]
    fn broker_connection_with_only_its_login_answered_may_have_announced() {
        let carried = |application, cause| {
            let connection = Connection { application, cause: Some(cause), exact: false, ..Connection::unknown() };
            ClosedConnection::new(0, None, &connection).unwrap().may_have_announced()
        };
        assert!(carried(Application::Mqtt, Cause::Unused) && carried(Application::Nats, Cause::Unused));
        assert!(!carried(Application::Mqtt, Cause::ClosedAfterResponse) && !carried(Application::Smtp, Cause::Unused));
    }

    #[test]
    fn unknown_times_are_derived_from_known_ones() {
        let connection = Connection {
            cause: Some(Cause::ClientIdle),
            exchanges: 2,
            lifetime_us: Some(5_000),
            idle_us: Some(3_000),
            ..Connection::unknown()
        };
        let times = |established_ns, connection: &Connection| {
            let ended = ClosedConnection::new(9_000_000, established_ns, connection).unwrap();
            (ended.began_ns(), ended.last_used_ns(), ended.ended_ns())
        };
        assert_eq!(times(Some(1_000_000), &connection), (1_000_000, 3_000_000, 6_000_000), "the row came later");
        assert_eq!(times(None, &connection), (4_000_000, 6_000_000, 9_000_000));
        let unknown = Connection { lifetime_us: None, idle_us: None, ..connection };
        assert_eq!(times(Some(1_000_000), &unknown), (9_000_000, 9_000_000, 9_000_000));
    }

    #[test]
    fn many_exchanges_or_a_long_life_are_not_brief() {
        let is_brief = |exact, exchanges, used_s: u64| {
            let (cause, lifetime_us) = (Some(Cause::ClosedAfterResponse), Some(used_s * 1_000_000 + 7));
            let connection =
                Connection { exact, exchanges, cause, lifetime_us, idle_us: Some(7), ..Connection::unknown() };
            ClosedConnection::new(0, None, &connection).unwrap().is_brief()
        };
        assert!(is_brief(true, 1, 0) && is_brief(true, 20, 10) && is_brief(false, 40, 10));
        assert!(!is_brief(true, 0, 0) && !is_brief(true, 21, 0) && !is_brief(false, 41, 0) && !is_brief(true, 1, 11));
    }
}
