//! A connection that has ended, as far as diagnoses ask for it.

use std::num::NonZeroU64;

use crate::model::{Application, Cause, Connection, Protocol};

/// A unit of work takes no more exchanges than these, and one that is counted in turns no more than twice as many, because
/// a login takes up to eight. What takes more, or longer, may be a session.
const FEW_EXCHANGES: u64 = 20;
const FEW_TURNS: u64 = 40;
const SHORT_LIFE_US: u64 = 10_000_000;

/// What was counted as the exchanges of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    /// Each is a request with its response.
    Requests,
    /// The same within TLS, whose own messages are payload too.
    EncryptedRequests,
    /// The upgrade to a WebSocket. Its messages are no exchanges, and need no answer.
    Messages,
    /// Nothing that was answered, behind a login to a broker: its messages need no answer.
    Announcements,
    /// Turns, which may be anything: HTTP/2 interleaves its requests, and other protocols were not recognised.
    Turns,
    /// The same within TLS, but for HTTP/2: a protocol with a login, most likely.
    EncryptedTurns,
}

impl Carried {
    fn by(connection: &Connection) -> Self {
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

/// A connection that has ended. Small, because thousands of groups remember some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When one side closed it, in nanoseconds since 1970.
    end_ns: i64,
    idle_us: Option<NonZeroU64>,
    lifetime_us: Option<NonZeroU64>,
    /// This many or more.
    exchanges: u32,
    unread_bytes: u32,
    /// How many others of its group were idle then.
    idle_beside: u32,
    /// 0 if it is not known.
    pub local_port: u16,
    pub cause: Cause,
    carried: Carried,
}

const _: () = assert!(size_of::<Ended>() == 40);

impl Ended {
    /// None while it is open. `unix_ns`: when its end was told, which stands in for the end itself where it is not known when
    /// the connection was established, or how long it lived.
    pub(super) fn new(unix_ns: i64, established_ns: Option<i64>, connection: &Connection) -> Option<Self> {
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
            carried: Carried::by(connection),
        })
    }

    pub fn is_exact(&self) -> bool {
        matches!(self.carried, Carried::Requests | Carried::EncryptedRequests | Carried::Messages)
    }

    /// Whether each of its exchanges is known to be a request with its response.
    pub(crate) fn carried_requests(&self) -> bool {
        matches!(self.carried, Carried::Requests | Carried::EncryptedRequests)
    }

    pub(crate) fn carried_encrypted_requests(&self) -> bool {
        self.carried == Carried::EncryptedRequests
    }

    pub(crate) fn carried_encrypted_turns(&self) -> bool {
        self.carried == Carried::EncryptedTurns
    }

    /// Whether its exchanges may be requests, each with its response.
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

    /// When it was established; if it is not known how long it lived, when it ended.
    pub(crate) fn began_ns(&self) -> i64 {
        self.end_ns.saturating_sub(nanoseconds(self.lifetime_us().unwrap_or(0)))
    }

    pub fn ended_ns(&self) -> i64 {
        self.end_ns
    }

    /// When something was read on it for the last time.
    pub(crate) fn last_used_ns(&self) -> i64 {
        self.ended_ns().saturating_sub(nanoseconds(self.idle_us().unwrap_or(0)))
    }

    /// How long it was in use.
    pub(crate) fn used_us(&self) -> Option<u64> {
        Some(self.lifetime_us()?.saturating_sub(self.idle_us().unwrap_or(0)))
    }

    /// Whether it logged in to a broker and was answered nothing else: a message was sent, or none.
    pub(crate) fn may_have_announced(&self) -> bool {
        self.carried == Carried::Announcements
    }

    /// Whether it carried no more than a unit of work does: a few exchanges in a short time.
    pub(crate) fn is_brief(&self) -> bool {
        let few = if self.is_exact() { FEW_EXCHANGES } else { FEW_TURNS };
        let least = u64::from(!self.may_have_announced());
        (least..=few).contains(&self.exchanges()) && self.used_us().is_some_and(|used_us| used_us <= SHORT_LIFE_US)
    }

    pub fn idle_beside(&self) -> u64 {
        self.idle_beside.into()
    }
}

/// No time is less than a microsecond.
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
        assert_eq!(carried(false, Protocol::Tls, Application::Unknown), Carried::EncryptedTurns);
        assert_eq!(carried(false, Protocol::Http2, Application::Http2), Carried::Turns);
        assert_eq!(carried(true, Protocol::Http2, Application::Http2), Carried::Turns, "whatever a recording says");
    }

    #[test]
    fn a_login_to_a_broker_without_an_answer_may_have_announced_something() {
        let carried = |application, cause| {
            let connection =
                Connection { application, cause: Some(cause), exact: false, ..Connection::nothing_known() };
            Ended::new(0, None, &connection).unwrap().may_have_announced()
        };
        assert!(carried(Application::Mqtt, Cause::Unused) && carried(Application::Nats, Cause::Unused));
        assert!(!carried(Application::Mqtt, Cause::ClosedAfterResponse) && !carried(Application::Smtp, Cause::Unused));
    }

    #[test]
    fn its_times_are_reckoned_from_what_is_known() {
        let connection = Connection {
            cause: Some(Cause::ClientIdle),
            exchanges: 2,
            lifetime_us: Some(5_000),
            idle_us: Some(3_000),
            ..Connection::nothing_known()
        };
        let times = |established_ns, connection: &Connection| {
            let ended = Ended::new(9_000_000, established_ns, connection).unwrap();
            (ended.began_ns(), ended.last_used_ns(), ended.ended_ns())
        };
        assert_eq!(times(Some(1_000_000), &connection), (1_000_000, 3_000_000, 6_000_000), "the row came later");
        assert_eq!(times(None, &connection), (4_000_000, 6_000_000, 9_000_000));
        let unknown = Connection { lifetime_us: None, idle_us: None, ..connection };
        assert_eq!(times(Some(1_000_000), &unknown), (9_000_000, 9_000_000, 9_000_000));
    }

    #[test]
    fn what_takes_more_than_a_few_exchanges_or_longer_is_not_brief() {
        let is_brief = |exact, exchanges, used_s: u64| {
            let (cause, lifetime_us) = (Some(Cause::ClosedAfterResponse), Some(used_s * 1_000_000 + 7));
            let connection =
                Connection { exact, exchanges, cause, lifetime_us, idle_us: Some(7), ..Connection::nothing_known() };
            Ended::new(0, None, &connection).unwrap().is_brief()
        };
        assert!(is_brief(true, 1, 0) && is_brief(true, 20, 10) && is_brief(false, 40, 10));
        assert!(!is_brief(true, 0, 0) && !is_brief(true, 21, 0) && !is_brief(false, 41, 0) && !is_brief(true, 1, 11));
    }
}
