//! Bytes from the ring → [`Event`]. Nothing that the bytes hold can do worse than be refused.

use std::{fmt, net::SocketAddr};

use tcp_reuse_watch_ebpf::{self as wire, flag};

use crate::{
    clock::Clock,
    event::{
        Activity, Application, CAUSES, Cause, CloseKind, Closer, Connection, ConnectionKey, Event, FAILURES, Failure,
        Protocol, RowKind, Standing, WHYS, Why, address, name,
    },
};

/// Why bytes are no event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    Length(usize),
    Kind(u32),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => {
                write!(f, "a record of {length} bytes, where {} are expected", size_of::<wire::Connection>())
            }
            Self::Kind(kind) => write!(f, "a record of unknown kind {kind}"),
        }
    }
}

pub(crate) fn decode(bytes: &[u8], clock: Clock) -> Result<Event, Malformed> {
    let record: wire::Connection =
        bytemuck::try_pod_read_unaligned(bytes).map_err(|_| Malformed::Length(bytes.len()))?;
    let kind = [RowKind::Open, RowKind::Exchange, RowKind::Close, RowKind::Failed]
        .into_iter()
        .find(|kind| *kind as u32 == record.row_kind)
        .ok_or(Malformed::Kind(record.row_kind))?;
    Ok(event(kind, &record, clock))
}

/// The event that a whole record stands for.
pub(crate) fn event(kind: RowKind, record: &wire::Connection, clock: Clock) -> Event {
    Event {
        kind,
        unix_ns: clock.unix_ns(record.row_ns),
        key: ConnectionKey { socket: record.socket, connect_ns: record.connect_ns },
        group: if record.flags & flag::OVERFLOW != 0 { wire::OVERFLOW } else { record.group },
        connection: connection(record),
    }
}

/// What a connection is doing, by its whole record.
pub(crate) fn standing(record: &wire::Connection, clock: Clock) -> Standing {
    let is_live = record.flags & flag::LIVE != 0;
    let idle_since = || (record.last_receive_us > 0).then(|| clock.unix_ns(record.last_receive_us * 1000));
    let activity = match () {
        () if record.phase == wire::Phase::Connecting as u8 => Activity::Connecting,
        () if !is_live => Activity::Closing,
        () if record.flags & flag::IDLE != 0 => Activity::Idle(idle_since()),
        () => Activity::Busy,
    };
    Standing { activity, exchanges: record.exchanges, is_exact: record.flags & flag::INEXACT == 0 }
}

fn connection(record: &wire::Connection) -> Connection {
    let since = |begin_us: u64| {
        (record.ended_ns > 0 && begin_us > 0).then(|| (record.ended_ns / 1000).saturating_sub(begin_us))
    };
    let how = known(
        record.how,
        [CloseKind::Fin, CloseKind::Reset, CloseKind::Timeout],
        |value| value as u8,
        CloseKind::Unknown,
    );
    let end_seen = how != CloseKind::Unknown;
    Connection {
        pid: (record.group.tgid > 0).then_some(record.group.tgid),
        process: name(record.comm),
        local: (record.local_port > 0).then(|| SocketAddr::new(address(record.local_addr), record.local_port)),
        remote: SocketAddr::new(address(record.group.addr), record.group.port),
        pre_existing: record.flags & flag::PRE_EXISTING != 0,
        first_is_new: record.flags & flag::USED_BEFORE == 0,
        why: (record.flags & flag::PRE_EXISTING == 0).then(|| known(record.why, WHYS, |why| why as u8, Why::First)),
        replaced_cause: cause(record.replaced_cause),
        idle_at_open: record.idle_at_open,
        idle_at_end: record.idle_at_end,
        busy_at_open: record.busy_at_open,
        cause: cause(record.cause),
        exchanges: record.exchanges,
        sent_bytes: end_seen.then_some(record.sent_bytes),
        received_bytes: end_seen.then_some(record.received_bytes),
        unread_bytes: end_seen.then_some(record.unread_bytes),
        lifetime_us: since(record.established_ns / 1000),
        idle_us: since(record.last_receive_us),
        closed_by: known(record.closed_by, [Closer::Local, Closer::Peer], |value| value as u8, Closer::Unknown),
        how,
        protocol: known(
            record.conversation.protocol,
            [Protocol::Plain, Protocol::Tls, Protocol::Http2],
            |value| value as u8,
            Protocol::Unknown,
        ),
        application: Application::of(record.conversation.application.into()),
        exact: record.flags & flag::INEXACT == 0,
        avoidable: (record.flags & flag::OVERFLOW == 0).then_some(record.flags & flag::AVOIDABLE != 0),
        failure: known(record.failure, FAILURES, |value| value as u8, Failure::Other),
        errno: record.error,
    }
}

fn cause(raw: u8) -> Option<Cause> {
    CAUSES.into_iter().find(|cause| *cause as u8 == raw)
}

/// The one of `values` that `raw` stands for, else `unknown`.
fn known<T: Copy, const N: usize>(raw: u8, values: [T; N], number: fn(T) -> u8, unknown: T) -> T {
    values.into_iter().find(|value| number(*value) == raw).unwrap_or(unknown)
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable as _;

    use super::*;

    fn record() -> wire::Connection {
        let mut record = wire::Connection::zeroed();
        record.row_kind = RowKind::Close as u32;
        record.group.tgid = 42;
        record.group.port = 8080;
        record.group.addr = "::ffff:127.0.0.1".parse::<std::net::Ipv6Addr>().unwrap().octets();
        record.comm[..4].copy_from_slice(b"curl");
        record
    }

    #[test]
    fn a_whole_record_is_an_event() {
        let mut record = record();
        (record.established_ns, record.ended_ns, record.last_receive_us) = (5_000_000, 9_000_000, 8_500);
        let event = decode(bytemuck::bytes_of(&record), Clock::new()).unwrap();
        assert_eq!(event.kind, RowKind::Close);
        assert_eq!(event.connection.remote.to_string(), "127.0.0.1:8080");
        assert_eq!((event.connection.pid, event.connection.process.as_deref()), (Some(42), Some("curl")));
        assert_eq!((event.connection.lifetime_us, event.connection.idle_us), (Some(4000), Some(500)));
        assert_eq!(event.connection.local, None);
    }

    #[test]
    fn what_is_spoken_is_known_by_its_number_and_a_new_number_is_unknown() {
        let spoken = |application| {
            let mut record = record();
            record.conversation.application = application;
            event(RowKind::Close, &record, Clock::new()).connection.application
        };
        assert_eq!(spoken(Application::Redis as u8), Application::Redis);
        assert_eq!([0, 254, 255].map(spoken), [Application::Unknown; 3]);
    }

    #[test]
    fn hostile_bytes_are_refused_or_harmless() {
        let clock = Clock::new();
        assert_eq!(decode(&[], clock), Err(Malformed::Length(0)));
        assert_eq!(decode(&[0], clock), Err(Malformed::Length(1)));
        let good = record();
        let good = bytemuck::bytes_of(&good);
        assert_eq!(decode(&good[1..], clock), Err(Malformed::Length(good.len() - 1)));
        assert_eq!(decode(&[good, &[0]].concat(), clock), Err(Malformed::Length(good.len() + 1)));
        assert_eq!(decode(&vec![0; good.len()], clock), Err(Malformed::Kind(0)));
        let mut bytes = vec![0xff; good.len()];
        assert_eq!(decode(&bytes, clock), Err(Malformed::Kind(u32::MAX)));
        bytes[..4].copy_from_slice(&(RowKind::Open as u32).to_ne_bytes());
        let event = decode(&bytes, clock);
        assert!(event.is_ok_and(|event| event.connection.how == CloseKind::Unknown));
    }

    #[test]
    fn a_name_that_is_no_text_stays_readable() {
        let mut record = record();
        record.comm = [0xff; 16];
        assert_eq!(event(RowKind::Open, &record, Clock::new()).connection.process.unwrap().chars().count(), 16);
    }
}
